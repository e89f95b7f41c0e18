//! Signed JSON Web Tokens (RFC 7519), as assertions of who the client is (RFC 7523).
//!
//! The signature is made by the TLS stack's own crypto provider, so there is no second one.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::SignatureScheme;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// How an assertion is signed (RFC 7518 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// RSASSA-PSS with SHA-256: what Microsoft recommends, and the default for RSA keys.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256: for servers that know no PSS.
    Rs256,
    /// ECDSA on P-256 with SHA-256: the default for keys on that curve. Entra does not take it.
    Es256,
}

impl SigningAlgorithm {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    pub(crate) const fn scheme(self) -> SignatureScheme {
        match self {
            Self::Ps256 => SignatureScheme::RSA_PSS_SHA256,
            Self::Rs256 => SignatureScheme::RSA_PKCS1_SHA256,
            Self::Es256 => SignatureScheme::ECDSA_NISTP256_SHA256,
        }
    }
}

/// A private key and how to sign with it.
#[derive(Clone)]
pub(crate) struct Signer {
    provider: Arc<CryptoProvider>,
    key: Arc<dyn SigningKey>,
    algorithm: SigningAlgorithm,
}

/// Why no assertion could be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SignError {
    #[error("no crypto provider: turn on the feature `ring` or `aws-lc-rs`")]
    NoCryptoProvider,
    #[error("the private key cannot be used: {0}")]
    Key(String),
    #[error("the private key cannot sign by {0}")]
    Algorithm(&'static str),
    #[error("signing failed: {0}")]
    Failed(String),
}

impl Signer {
    /// Loads a key. Without an algorithm, the one that fits the key.
    pub(crate) fn new(
        key: PrivateKeyDer<'static>,
        algorithm: Option<SigningAlgorithm>,
    ) -> Result<Self, SignError> {
        let provider = crate::net::tls::provider().ok_or(SignError::NoCryptoProvider)?;
        let key = provider
            .key_provider
            .load_private_key(key)
            .map_err(|error| SignError::Key(error.to_string()))?;
        let algorithm = match algorithm {
            Some(algorithm) => algorithm,
            None if key.choose_scheme(&[SigningAlgorithm::Es256.scheme()]).is_some() => {
                SigningAlgorithm::Es256
            }
            None => SigningAlgorithm::Ps256,
        };
        if key.choose_scheme(&[algorithm.scheme()]).is_none() {
            return Err(SignError::Algorithm(algorithm.name()));
        }
        Ok(Self { provider, key, algorithm })
    }

    /// The same key, used otherwise. The caller has seen that it can be.
    pub(crate) fn with_algorithm(self, algorithm: SigningAlgorithm) -> Self {
        Self { algorithm, ..self }
    }

    pub(crate) fn key(&self) -> Arc<dyn SigningKey> {
        self.key.clone()
    }

    /// A random id in the form of a GUID, as `jti` wants to be unique.
    pub(crate) fn random_id(&self) -> Result<String, SignError> {
        let mut octets = [0; 16];
        self.provider
            .secure_random
            .fill(&mut octets)
            .map_err(|_| SignError::Failed("the system gives no random numbers".into()))?;
        // RFC 9562 section 5.4: version 4, variant 10.
        octets[6] = octets[6] & 0x0F | 0x40;
        octets[8] = octets[8] & 0x3F | 0x80;
        let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or(""));
        Ok(parts.join("-"))
    }

    /// The signed token, in the compact form of RFC 7515 section 7.1. `header` names the key.
    pub(crate) fn sign(&self, header: Value, claims: &Value) -> Result<Secret<String>, SignError> {
        let mut whole = json!({ "alg": self.algorithm.name(), "typ": "JWT" });
        if let (Some(whole), Value::Object(header)) = (whole.as_object_mut(), header) {
            whole.extend(header);
        }
        let header = URL_SAFE_NO_PAD.encode(whole.to_string());
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        let mut token = format!("{header}.{claims}");
        let Some(signer) = self.key.choose_scheme(&[self.algorithm.scheme()]) else {
            return Err(SignError::Algorithm(self.algorithm.name()));
        };
        let signature =
            signer.sign(token.as_bytes()).map_err(|error| SignError::Failed(error.to_string()))?;
        let signature = match self.algorithm {
            SigningAlgorithm::Es256 => fixed_size(&signature)
                .ok_or_else(|| SignError::Failed("the signature is malformed".into()))?,
            _ => signature,
        };
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(Secret::new(token))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// The base64url of the SHA-256 of some octets.
pub(crate) fn thumbprint(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

/// Seconds since 1970, as the claims of RFC 7519 section 4.1 count.
pub(crate) fn numeric_date(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// An ECDSA signature of P-256 as two numbers of 32 octets (RFC 7518 section 3.4), from the DER of
/// TLS: a SEQUENCE of two INTEGERs, each perhaps shorter, or longer by a zero in front.
fn fixed_size(der: &[u8]) -> Option<Vec<u8>> {
    let (sequence, rest) = element(der, 0x30)?;
    let (r, numbers) = element(sequence, 0x02)?;
    let (s, end) = element(numbers, 0x02)?;
    if !rest.is_empty() || !end.is_empty() {
        return None;
    }
    let mut both = Vec::with_capacity(64);
    for number in [r, s] {
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        both.resize(both.len() + 32_usize.checked_sub(number.len())?, 0);
        both.extend_from_slice(number);
    }
    Some(both)
}

/// The contents of a DER element of fewer than 128 octets, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, length, rest @ ..] = der else { return None };
    if *found != tag || *length >= 0x80 {
        return None;
    }
    rest.split_at_checked(usize::from(*length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ecdsa_signature_takes_its_fixed_size() {
        let mut der = vec![0x30, 0x26, 0x02, 0x21, 0x00];
        der.extend([0xFF; 32]);
        der.extend([0x02, 0x01, 0x07]);
        let fixed = fixed_size(&der).unwrap();
        assert_eq!((fixed.len(), fixed[0], fixed[32], fixed[63]), (64, 0xFF, 0, 7));
        for cut in 0..der.len() {
            assert_eq!(fixed_size(&der[..cut]), None, "{cut}");
        }
    }
}
