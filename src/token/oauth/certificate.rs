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
/// PEM is read: the certificate, and the key as PKCS #8, PKCS #1 or SEC 1, in one text or file or
/// in two. An RSA key has at least 2,048 bits. A key under a passphrase cannot be read.
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
    /// used, with a [`TokenEvent`](crate::token::TokenEvent).
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

#[cfg(all(test, any(feature = "ring", feature = "aws-lc-rs")))]
mod tests {
    use std::time::UNIX_EPOCH;

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::token::oauth::openssl::Bench;

    const RSA: &[&str] = &["rsa:2048"];
    const P256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    const PSS: &[&str] = &["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
    const URL: &str = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token";

    async fn assertion(certificate: &Certificate) -> String {
        let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let events = Events::default();
        let signed = certificate.assertion("app-1", URL, now, &events).await.unwrap();
        signed.expose().clone()
    }

    #[tokio::test]
    async fn an_rsa_key_signs_by_pss_what_entra_documents() {
        let bench = Bench::new();
        bench.certificate("app", RSA);
        let certificate = Certificate::from_pem(bench.pem("app")).unwrap();
        let (header, claims) = bench.verify(&assertion(&certificate).await, "app", PSS);
        bench.run(&["x509", "-in", "app.crt", "-outform", "DER", "-out", "app.der"]);
        let hash = bench.run(&["dgst", "-sha256", "-binary", "app.der"]);
        let thumbprint = URL_SAFE_NO_PAD.encode(hash);
        assert_eq!(thumbprint.len(), 43);
        assert_eq!(header, json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint }));
        let id = claims["jti"].as_str().unwrap();
        assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'));
        assert_eq!(
            claims,
            json!({
                "aud": URL, "iss": "app-1", "sub": "app-1", "jti": id,
                "nbf": 1_790_000_000, "iat": 1_790_000_000, "exp": 1_790_000_300,
            })
        );
        let (_, again) = bench.verify(&assertion(&certificate).await, "app", PSS);
        assert_ne!(again["jti"], claims["jti"]);
    }

    #[tokio::test]
    async fn rs256_is_signed_by_choice_and_es256_by_the_keys_kind() {
        let bench = Bench::new();
        bench.certificate("rsa", RSA);
        bench.certificate("ec", P256);
        let rsa = Certificate::from_pem(bench.pem("rsa")).unwrap();
        let rsa = rsa.signing(SigningAlgorithm::Rs256).unwrap().audience("https://aud.example");
        let (header, claims) = bench.verify(&assertion(&rsa).await, "rsa", &[]);
        assert_eq!(
            (&header["alg"], &claims["aud"]),
            (&json!("RS256"), &json!("https://aud.example"))
        );
        let ec = Certificate::from_pem(bench.pem("ec")).unwrap();
        let (header, _) = bench.verify(&assertion(&ec).await, "ec", &[]);
        assert_eq!(header["alg"], "ES256");
        assert!(ec.signing(SigningAlgorithm::Ps256).is_err());
    }

    #[tokio::test]
    async fn a_renewed_file_is_used_and_a_damaged_one_is_not() {
        let bench = Bench::new();
        bench.certificate("old", RSA);
        bench.certificate("new", RSA);
        let file = bench.path("current.pem");
        std::fs::write(&file, bench.pem("old")).unwrap();
        let certificate = Certificate::from_pem_file(&file).unwrap();
        let certificate = certificate.signing(SigningAlgorithm::Rs256).unwrap();
        bench.verify(&assertion(&certificate).await, "old", &[]);
        std::fs::write(&file, bench.pem("new")).unwrap();
        let (header, _) = bench.verify(&assertion(&certificate).await, "new", &[]);
        assert_eq!(header["x5t#S256"], json!(certificate.thumbprint()));
        for damage in [&bench.pem("old")[..700], "", "no PEM"] {
            std::fs::write(&file, damage).unwrap();
            bench.verify(&assertion(&certificate).await, "new", &[]);
        }
        std::fs::remove_file(&file).unwrap();
        bench.verify(&assertion(&certificate).await, "new", &[]);
    }

    #[test]
    fn what_is_missing_or_does_not_fit_is_named() {
        let bench = Bench::new();
        bench.certificate("one", RSA);
        bench.certificate("two", RSA);
        let file = |name: &str| bench.path(name);
        let key = std::fs::read(file("one.key")).unwrap();
        assert_eq!(Certificate::from_pem(&key).unwrap_err(), CertificateError::NoCertificate);
        let certificate = std::fs::read(file("one.crt")).unwrap();
        assert_eq!(Certificate::from_pem(&certificate).unwrap_err(), CertificateError::NoKey);
        let mixed = Certificate::from_pem_files(file("one.crt"), file("two.key"));
        assert_eq!(mixed.unwrap_err(), CertificateError::Mismatch);
        assert!(Certificate::from_pem_files(file("one.crt"), file("one.key")).is_ok());
        let missing = Certificate::from_pem_file(file("none.pem")).unwrap_err();
        assert!(missing.to_string().contains("none.pem"), "{missing}");
        // A chain in any order, and the key's older form.
        bench.run(&["rsa", "-in", "two.key", "-traditional", "-out", "two.old"]);
        let chain = bench.pem("two") + &String::from_utf8(certificate).unwrap();
        let old = std::fs::read_to_string(file("two.old")).unwrap();
        assert!(old.contains("BEGIN RSA PRIVATE KEY"));
        let only = |text: &str| text.split("-----BEGIN PRIVATE KEY").next().unwrap().to_owned();
        let certificates = only(&bench.pem("one")) + &only(&chain) + &old;
        let found = Certificate::from_pem(certificates).unwrap();
        assert_eq!(
            found.thumbprint(),
            Certificate::from_pem(bench.pem("two")).unwrap().thumbprint()
        );
    }
}
