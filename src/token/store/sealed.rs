//! Sealing of files: AES-256-GCM by the TLS stack's own crypto provider, so there is no second one.
//!
//! A sealed file is a line that says so, an initial vector drawn for it, and the content as
//! protected records of TLS 1.3 (RFC 8446 section 5.2), which is the form in which the provider
//! offers authenticated encryption. Records that were changed, moved or taken from another file do
//! not open; a file cut short between two records lacks the end of its JSON.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, Iv, OutboundChunks, OutboundPlainMessage, Tls13AeadAlgorithm,
};
use rustls::{CipherSuite, ContentType, ProtocolVersion};
use zeroize::Zeroize;

use crate::secret::Secret;

pub(super) type Key = Secret<[u8; 32]>;

/// Seals and opens.
pub(super) struct Sealer {
    provider: Arc<CryptoProvider>,
    algorithm: &'static dyn Tls13AeadAlgorithm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SealError {
    #[error("no crypto provider with AES-256-GCM: turn on the feature `ring` or `aws-lc-rs`")]
    NoCryptoProvider,
    #[error("the system gave no random octets")]
    NoRandom,
    #[error("sealing failed")]
    Failed,
}

impl Sealer {
    const HEAD: &[u8] = b"mailbearer sealed 1\n";
    const IV: usize = 12;
    /// The most that a record may hold is 2^14 octets.
    const CHUNK: usize = 16_000;
    /// The content type and the tag of AES-GCM.
    const OVERHEAD: usize = 1 + 16;

    pub(super) fn new() -> Result<Self, SealError> {
        let provider = crate::net::tls::provider().ok_or(SealError::NoCryptoProvider)?;
        let suite = provider
            .cipher_suites
            .iter()
            .find(|suite| suite.suite() == CipherSuite::TLS13_AES_256_GCM_SHA384)
            .and_then(|suite| suite.tls13())
            .ok_or(SealError::NoCryptoProvider)?;
        Ok(Self { algorithm: suite.aead_alg, provider })
    }

    pub(super) fn new_key(&self) -> Result<Key, SealError> {
        let mut key = Secret::new([0; 32]);
        self.fill(key.expose_mut())?;
        Ok(key)
    }

    pub(super) fn seal(&self, key: &Key, content: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut iv = [0; Self::IV];
        self.fill(&mut iv)?;
        let mut sealer = self.algorithm.encrypter(AeadKey::from(*key.expose()), Iv::from(iv));
        let mut sealed = [Self::HEAD, &iv].concat();
        for (number, chunk) in (0..).zip(content.chunks(Self::CHUNK)) {
            let record = OutboundPlainMessage {
                typ: ContentType::ApplicationData,
                version: ProtocolVersion::TLSv1_3,
                payload: OutboundChunks::Single(chunk),
            };
            let record = sealer.encrypt(record, number).map_err(|_| SealError::Failed)?;
            sealed.extend_from_slice(record.payload.as_ref());
        }
        Ok(sealed)
    }

    /// The content; `None` if it was not sealed with this key.
    pub(super) fn open(&self, key: &Key, sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
        let (iv, records) = sealed.strip_prefix(Self::HEAD)?.split_at_checked(Self::IV)?;
        let key = AeadKey::from(*key.expose());
        let mut opener = self.algorithm.decrypter(key, Iv::new(iv.try_into().ok()?));
        let mut content = Secret::new(Vec::with_capacity(records.len()));
        for (number, record) in (0..).zip(records.chunks(Self::CHUNK + Self::OVERHEAD)) {
            let mut record = record.to_vec();
            let opened = opener
                .decrypt(
                    InboundOpaqueMessage::new(
                        ContentType::ApplicationData,
                        ProtocolVersion::TLSv1_2,
                        &mut record,
                    ),
                    number,
                )
                .map(|opened| content.expose_mut().extend_from_slice(opened.payload));
            record.zeroize();
            opened.ok()?;
        }
        Some(content)
    }

    fn fill(&self, octets: &mut [u8]) -> Result<(), SealError> {
        self.provider.secure_random.fill(octets).map_err(|_| SealError::NoRandom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_whatever_its_length() {
        let sealer = Sealer::new().unwrap();
        let key = sealer.new_key().unwrap();
        for length in [0, 1, 15_999, 16_000, 16_001, 50_000] {
            let content: Vec<u8> = (0..=255).cycle().take(length).collect();
            let sealed = sealer.seal(&key, &content).unwrap();
            assert_eq!(sealer.open(&key, &sealed).unwrap().expose(), &content, "{length}");
        }
    }

    #[test]
    fn nothing_of_the_content_is_seen_and_no_two_are_alike() {
        let sealer = Sealer::new().unwrap();
        let key = sealer.new_key().unwrap();
        let one = sealer.seal(&key, b"s3cret-token").unwrap();
        let two = sealer.seal(&key, b"s3cret-token").unwrap();
        assert_ne!(one, two);
        assert!(memchr::memmem::find(&one, b"s3cret").is_none());
    }

    #[test]
    fn a_changed_octet_anywhere_keeps_it_shut() {
        let sealer = Sealer::new().unwrap();
        let key = sealer.new_key().unwrap();
        let sealed = sealer.seal(&key, b"s3cret-token").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(sealer.open(&key, &changed).is_none(), "{at}");
        }
        assert!(sealer.open(&sealer.new_key().unwrap(), &sealed).is_none());
    }

    #[test]
    fn records_in_another_order_or_cut_short_do_not_open() {
        let sealer = Sealer::new().unwrap();
        let key = sealer.new_key().unwrap();
        let sealed = sealer.seal(&key, &[7; 32_000]).unwrap();
        let (head, records) = sealed.split_at(Sealer::HEAD.len() + Sealer::IV);
        let (one, two) = records.split_at(records.len() / 2);
        assert!(sealer.open(&key, &[head, two, one].concat()).is_none());
        assert!(sealer.open(&key, &sealed[..sealed.len() - 1]).is_none());
        assert!(sealer.open(&key, b"").is_none());
    }
}
