//! The certificates made at start, and the TLS settings that present them.

use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::fault::Fault;

/// A root that nobody else has, and what it has signed for `localhost` and 127.0.0.1.
pub(super) struct Identity {
    pub(super) pem: String,
    pub(super) der: CertificateDer<'static>,
    pub(super) acceptor: TlsAcceptor,
    root: CertifiedIssuer<'static, KeyPair>,
}

const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

impl Identity {
    /// Makes keys and certificates.
    pub(super) fn generate() -> io::Result<Self> {
        let root = root("mailbearer test root")?;
        let acceptor = acceptor(&root, params(&NAMES)?)?;
        Ok(Self { pem: root.pem(), der: root.der().clone(), acceptor, root })
    }

    /// The settings with the certificate that a fault asks for.
    pub(super) fn faulty(&self, fault: &Fault) -> io::Result<TlsAcceptor> {
        let mut leaf = params(&NAMES)?;
        match fault {
            Fault::CertificateForOtherName => leaf = params(&["mail.contoso.example"])?,
            Fault::CertificateExpired => {
                (leaf.not_before, leaf.not_after) =
                    (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
            }
            Fault::CertificateNotYetValid => {
                (leaf.not_before, leaf.not_after) =
                    (date_time_ymd(2999, 1, 1), date_time_ymd(3000, 1, 1));
            }
            Fault::CertificateOfUnknownIssuer => {
                return acceptor(&root("a root that nobody knows")?, leaf);
            }
            _ => {}
        }
        acceptor(&self.root, leaf)
    }
}

fn root(name: &str) -> io::Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().map_err(io::Error::other)?;
    CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)
}

fn params(names: &[&str]) -> io::Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn acceptor(
    root: &CertifiedIssuer<'static, KeyPair>,
    leaf: CertificateParams,
) -> io::Result<TlsAcceptor> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = leaf.signed_by(&key, root).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider()?)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Named here and never installed for the process: the program under test has its own.
fn provider() -> io::Result<Arc<CryptoProvider>> {
    #[cfg(feature = "ring")]
    return Ok(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(all(feature = "aws-lc-rs", not(feature = "ring")))]
    return Ok(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    return Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "the test server needs the feature `ring` or `aws-lc-rs`",
    ));
}
