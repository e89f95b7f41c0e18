//! A certificate with its private key, by which an application proves who it is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use serde_json::json;

use super::event::Events;
use super::jwt::{SignError, Signer, SigningAlgorithm, numeric_date, thumbprint};
use crate::secret::Secret;

/// A certificate and its private key, in place of a client secret.
///
/// The application signs a short assertion with it for every token request (RFC 7523 section 2.2);
/// the key itself never leaves the program. Upload the certificate, without the key, to the app
/// registration.
///
/// PEM is read: the certificate, and the key as PKCS #8, PKCS #1 or SEC 1, in one text or file or in
/// two. An RSA key has at least 2,048 bits. A key under a passphrase cannot be read.
///
/// # Example
///
/// ```no_run
/// use mailbearer::token::{Certificate, ClientCredentials};
///
/// let certificate = Certificate::from_pem_file("/run/secrets/mailer.pem")?;
/// let tokens = ClientCredentials::entra("contoso.example", "app-id", certificate).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source of the assertion's form: Microsoft Learn, "Microsoft identity platform application
/// authentication certificate credentials" (read 2026-11).
#[derive(Clone)]
pub struct Certificate {
    /// Read again for every assertion; none if it was given in memory.
    files: Vec<PathBuf>,
    algorithm: Option<SigningAlgorithm>,
    audience: Option<String>,
    /// The last good one.
    loaded: Arc<Mutex<Loaded>>,
}

#[derive(Clone, Debug)]
struct Loaded {
    signer: Signer,
    thumbprint: String,
}

impl Certificate {
    /// How long an assertion is good. Microsoft asks for five to ten minutes at most.
    const LIFETIME: Duration = Duration::from_secs(5 * 60);

    /// From PEM text that holds both the certificate and the key.
    ///
    /// # Errors
    ///
    /// [`CertificateError`], if one of them is missing or cannot be used, or they do not belong
    /// together.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, CertificateError> {
        Ok(Self::new(Vec::new(), load(pem.as_ref(), None)?))
    }

    /// From a PEM file that holds both the certificate and the key.
    ///
    /// It is read now, and again whenever a token is asked for, so that a renewed certificate is
    /// used without a restart. If it cannot be read then, or is half written, the last good one is
    /// used, with a [`TokenEvent`](super::super::TokenEvent).
    ///
    /// # Errors
    ///
    /// As for [`from_pem`](Self::from_pem), or the file cannot be read.
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self, CertificateError> {
        Self::from_files(vec![path.as_ref().to_owned()])
    }

    /// From two PEM files, one with the certificate and one with the key, read as
    /// [`from_pem_file`](Self::from_pem_file) does.
    ///
    /// # Errors
    ///
    /// As for [`from_pem_file`](Self::from_pem_file).
    pub fn from_pem_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, CertificateError> {
        Self::from_files(vec![certificate.as_ref().to_owned(), key.as_ref().to_owned()])
    }

    /// Signs in another way than the key's default: RS256 instead of PS256 for RSA keys.
    ///
    /// # Errors
    ///
    /// [`CertificateError`], if the key cannot sign so.
    pub fn signing(mut self, algorithm: SigningAlgorithm) -> Result<Self, CertificateError> {
        let key = self.current().signer.key();
        if key.choose_scheme(&[algorithm.scheme()]).is_none() {
            return Err(CertificateError::Sign(SignError::Algorithm(algorithm.name()).to_string()));
        }
        self.algorithm = Some(algorithm);
        let mut loaded = self.current();
        loaded.signer = loaded.signer.with_algorithm(algorithm);
        self.loaded = Arc::new(Mutex::new(loaded));
        Ok(self)
    }

    /// Names another audience in the assertion than the URL of the token endpoint.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// The `x5t#S256` thumbprint: the base64url of the SHA-256 of the certificate. By it the server
    /// finds the certificate among the registered ones.
    pub fn thumbprint(&self) -> String {
        self.current().thumbprint
    }

    fn new(files: Vec<PathBuf>, loaded: Loaded) -> Self {
        let loaded = Arc::new(Mutex::new(loaded));
        Self { files, algorithm: None, audience: None, loaded }
    }

    fn from_files(files: Vec<PathBuf>) -> Result<Self, CertificateError> {
        let loaded = load_files(&files, None)?;
        Ok(Self::new(files, loaded))
    }

    fn current(&self) -> Loaded {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files again. Blocking file reads of a few kilobytes belong in a thread for them.
    async fn reloaded(&self, events: &Events) -> Loaded {
        if self.files.is_empty() {
            return self.current();
        }
        let (files, algorithm) = (self.files.clone(), self.algorithm);
        let read = tokio::task::spawn_blocking(move || load_files(&files, algorithm)).await;
        match read {
            Ok(Ok(fresh)) => {
                *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
                fresh
            }
            Ok(Err(error)) => {
                events.certificate_not_reloaded(error.to_string());
                self.current()
            }
            Err(_) => self.current(),
        }
    }

    /// The assertion that the client is who it says, for one token request.
    pub(crate) async fn assertion(
        &self,
        client_id: &str,
        token_url: &str,
        now: SystemTime,
        events: &Events,
    ) -> Result<Secret<String>, SignError> {
        let Loaded { signer, thumbprint } = self.reloaded(events).await;
        let issued = numeric_date(now);
        let claims = json!({
            "aud": self.audience.as_deref().unwrap_or(token_url),
            "iss": client_id,
            "sub": client_id,
            "jti": signer.random_id()?,
            "nbf": issued,
            "iat": issued,
            "exp": issued + Self::LIFETIME.as_secs(),
        });
        signer.sign(json!({ "x5t#S256": thumbprint }), &claims)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("files", &self.files)
            .field("thumbprint", &self.thumbprint())
            .finish_non_exhaustive()
    }
}

/// Why a certificate cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The file cannot be read.
    #[error("reading {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// There is no certificate in the PEM text.
    #[error("no certificate in the PEM text (looked for `BEGIN CERTIFICATE`)")]
    NoCertificate,
    /// There is no private key in the PEM text, or it is under a passphrase.
    #[error("no private key in the PEM text; one under a passphrase cannot be read")]
    NoKey,
    /// The key belongs to none of the certificates.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
    /// The key cannot be used, or not in the way that was asked for.
    #[error("{0}")]
    Sign(String),
}

impl From<SignError> for CertificateError {
    fn from(error: SignError) -> Self {
        Self::Sign(error.to_string())
    }
}

fn load_files(
    files: &[PathBuf],
    algorithm: Option<SigningAlgorithm>,
) -> Result<Loaded, CertificateError> {
    let mut pem = Secret::new(Vec::new());
    for path in files {
        let text = std::fs::read(path).map(Secret::new).map_err(|error| {
            CertificateError::File { path: path.display().to_string(), reason: error.to_string() }
        })?;
        let whole = pem.expose_mut();
        whole.reserve_exact(text.expose().len() + 1);
        whole.extend_from_slice(text.expose());
        whole.push(b'\n');
    }
    load(pem.expose(), algorithm)
}

fn load(pem: &[u8], algorithm: Option<SigningAlgorithm>) -> Result<Loaded, CertificateError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    if certificates.is_empty() {
        return Err(CertificateError::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| CertificateError::NoKey)?;
    let signer = Signer::new(key, algorithm)?;
    // A chain may come in any order.
    let own = certificates.into_iter().find(|certificate| belongs(certificate, &signer));
    let own = own.ok_or(CertificateError::Mismatch)?;
    Ok(Loaded { signer, thumbprint: thumbprint(&own) })
}

fn belongs(certificate: &CertificateDer<'static>, signer: &Signer) -> bool {
    let pair = CertifiedKey::new(vec![certificate.clone()], signer.key());
    // What rustls cannot compare, such as a certificate of version 1, is left to the server.
    !matches!(pair.keys_match(), Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)))
}
