//! TLS: who is trusted, and the handshake.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore};
use tokio_rustls::TlsConnector;

use super::{Connection, Error, Stream};
use crate::misuse::Misuse;

/// Whom to trust, TLS 1.2 or later. The default trusts the certificate authorities that browsers
/// trust (webpki-roots). A cheap clone.
///
/// # Example: a server of one's own
/// ```
/// # fn load() -> Result<(), Box<dyn std::error::Error>> {
/// use mailbearer::{ImapClient, Endpoint, tls};
///
/// let pem = std::fs::read("/etc/ssl/own-ca.pem")?;
/// let connector = ImapClient::builder(Endpoint::imap("mail.example.net"))
///     .tls(tls::Config::with_root_pem(&pem)?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// Absent if no crypto provider is compiled in and none was given.
    inner: Option<Arc<ClientConfig>>,
}

impl Default for Config {
    fn default() -> Self {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        Self::trusting(roots)
    }
}

impl Config {
    /// Trusts the certificate authorities in `pem` and no others.
    ///
    /// # Errors
    /// `pem` holds no certificate, or one that cannot be read.
    pub fn with_root_pem(pem: &[u8]) -> Result<Self, Misuse> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| Misuse::BadRoots(error.to_string()))?;
            roots.add(certificate).map_err(|error| Misuse::BadRoots(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(Misuse::BadRoots("no certificate in the PEM text".into()));
        }
        Ok(Self::trusting(roots))
    }

    /// Uses a configuration of one's own: client certificates, pinned keys, another crypto
    /// provider. The version of rustls is part of the name, since it is part of the type.
    pub const fn from_rustls_0_23(config: Arc<ClientConfig>) -> Self {
        Self { inner: Some(config) }
    }

    fn trusting(roots: RootCertStore) -> Self {
        // The provider is named, so that no process-wide default is needed or touched.
        let inner = provider().and_then(|provider| {
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .ok()?
                .with_root_certificates(roots)
                .with_no_client_auth();
            Some(Arc::new(config))
        });
        Self { inner }
    }

    /// The handshake, and the version of TLS that it led to. A future dropped half way closes the
    /// connection.
    pub(crate) async fn handshake(
        &self,
        connection: Connection,
        host: &str,
        limit: Duration,
    ) -> Result<(Box<dyn Stream>, &'static str), HandshakeError> {
        let config = self.inner.clone().ok_or(Misuse::NoCryptoProvider)?;
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| Misuse::BadHost(host.to_owned()))?;
        let handshake = TlsConnector::from(config).connect(name, connection.stream);
        match tokio::time::timeout(limit, handshake).await {
            Ok(Ok(stream)) => {
                let version = match stream.get_ref().1.protocol_version() {
                    Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
                    Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
                    _ => "TLS",
                };
                Ok((Box::new(stream), version))
            }
            Ok(Err(error)) => Err(classify(host, error).into()),
            Err(_) => Err(Error::Deadline { after: limit }.into()),
        }
    }
}

/// Why there is no TLS: the network's fault or the caller's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error(transparent)]
    Net(#[from] Error),
    #[error(transparent)]
    Misuse(#[from] Misuse),
}

/// Sets apart what is wrong with the certificate, since only that is the server's identity.
fn classify(host: &str, source: io::Error) -> Error {
    let certificate = source
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_)));
    if certificate {
        Error::Certificate { host: host.to_owned(), reason: source.to_string() }
    } else {
        Error::Tls { host: host.to_owned(), source }
    }
}

/// The crypto provider compiled in: ring, else aws-lc-rs.
pub(crate) fn provider() -> Option<Arc<CryptoProvider>> {
    #[cfg(feature = "ring")]
    return Some(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(all(feature = "aws-lc-rs", not(feature = "ring")))]
    return Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    return None;
}
