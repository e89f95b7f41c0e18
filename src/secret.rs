//! Values that must not be seen: tokens, passwords, and the SASL responses made of them.
//!
//! A [`Secret`] is marked when it is made. Nothing downstream has to recognise it again: the send
//! buffer takes it by a method of its own, and the trace shows its length.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroize;

/// What is shown in the place of a secret.
pub(crate) const REDACTED: &str = "[secret]";

/// A value that is never printed and is wiped when dropped, in debug builds too.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. The name is long so that every reader of a secret can be found.
    pub(crate) const fn expose(&self) -> &T {
        &self.0
    }

    /// The value, to be written to. What it held before is the caller's to wipe.
    pub(crate) const fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// Takes what a peer echoes of our secrets out of its words.
///
/// A server may quote the token, or the base64 it was sent in, whole or cut short. Every run of at
/// least [`Scrubber::RUN`] octets that also occurs in a known secret is replaced by `[secret]`. A
/// cheap clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scrubber(Arc<Known>);

#[derive(Clone, Debug, Default)]
struct Known {
    secrets: Vec<Secret<Vec<u8>>>,
    /// Which hashes the words in them have: most text is told from an echo by this alone.
    words: Vec<u64>,
}

impl Scrubber {
    /// The shortest echo that is recognised. Short enough that what is left of a token is no use,
    /// long enough that ordinary words are not taken for one.
    const RUN: usize = 12;

    /// A shorter secret cannot be told from an ordinary word: taking it out would make nonsense of
    /// the server's answer, and would show by the gaps what it is.
    const LEAST: usize = 8;

    /// Learns a secret. One shorter than a run is compared whole.
    pub(crate) fn learn(&mut self, secret: &[u8]) {
        if secret.len() < Self::LEAST {
            return;
        }
        let known = Arc::make_mut(&mut self.0);
        known.words.resize(Known::HASHES / 64, 0);
        for word in secret.windows(Known::WORD) {
            known.mark(word);
        }
        known.secrets.push(Secret::new(secret.to_vec()));
    }

    /// `text` without any echo of a known secret.
    pub(crate) fn clean<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let (mut out, mut copied, mut at) = (Vec::new(), 0, 0);
        while let Some(within) = self.0.suspect(text, at) {
            // It may have begun a little before.
            let echo = (within.saturating_sub(Known::STEP - 1).max(at)..=within)
                .map(|start| (start, self.0.echo_at(&text[start..])))
                .find(|(_, octets)| *octets > 0);
            at = match echo {
                Some((start, octets)) => {
                    out.extend_from_slice(&text[copied..start]);
                    out.extend_from_slice(REDACTED.as_bytes());
                    copied = start + octets;
                    copied
                }
                None => within + 1,
            };
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        out.extend_from_slice(&text[copied..]);
        Cow::Owned(out)
    }

    /// [`clean`](Self::clean) for text that is to be shown.
    pub(crate) fn clean_str(&self, text: &[u8]) -> String {
        String::from_utf8_lossy(&self.clean(text)).into_owned()
    }
}

impl Known {
    const HASHES: usize = 1 << 16;

    /// Octets that are hashed together, at each place of a secret.
    const WORD: usize = 4;
    /// The shortest echo has a word at so many places in a row, so that one look in so many is
    /// enough.
    const STEP: usize = Scrubber::LEAST - Self::WORD + 1;

    /// Of the first word; nothing if there is none.
    fn hash(text: &[u8]) -> Option<usize> {
        let word = u32::from_le_bytes(*text.first_chunk()?);
        // Multiplication by a large odd number; its upper bits depend on all of the word.
        Some((word.wrapping_mul(0x9E37_79B1) >> 16) as usize)
    }

    fn mark(&mut self, word: &[u8]) {
        if let Some(hash) = Self::hash(word)
            && let Some(marks) = self.words.get_mut(hash / 64)
        {
            *marks |= 1 << (hash % 64);
        }
    }

    fn is_marked(&self, text: &[u8]) -> bool {
        let marks = |hash: usize| Some((hash, self.words.get(hash / 64)?));
        let found = Self::hash(text).and_then(marks);
        found.is_some_and(|(hash, marks)| marks >> (hash % 64) & 1 == 1)
    }

    /// A place at or behind `from` that may lie in an echo, of which no more than a few octets are
    /// before it.
    fn suspect(&self, text: &[u8], from: usize) -> Option<usize> {
        if self.secrets.is_empty() {
            return None;
        }
        let mut at = from;
        while !self.is_marked(text.get(at..)?) {
            at += Self::STEP;
        }
        Some(at)
    }

    /// How many octets at the start of `text` echo a secret; zero if fewer than a run.
    fn echo_at(&self, text: &[u8]) -> usize {
        if !self.is_marked(text) {
            return 0;
        }
        let mut longest = 0;
        for secret in &self.secrets {
            let secret = secret.expose();
            let Some(head) = text.get(..Scrubber::RUN.min(secret.len())) else { continue };
            for start in memchr::memmem::find_iter(secret, head) {
                let same = secret[start..].iter().zip(text).take_while(|(a, b)| a == b).count();
                longest = longest.max(same);
            }
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_never_prints_its_value() {
        let secret = Secret::new(String::from("hunter2"));
        assert_eq!(format!("{secret:?}"), "[secret]");
    }

    #[test]
    fn an_echoed_secret_is_taken_out_whole_or_cut_short() {
        let mut scrubber = Scrubber::default();
        scrubber.learn(b"EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA");
        assert_eq!(
            scrubber.clean_str(b"535 bad token EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA, sorry"),
            "535 bad token [secret], sorry"
        );
        assert_eq!(scrubber.clean_str(b"you sent BAAUFFpUAo7J3V..."), "you sent [secret]...");
        assert_eq!(scrubber.clean_str(b"535 5.7.3 Authentication"), "535 5.7.3 Authentication");
    }

    #[test]
    fn a_short_secret_is_compared_whole() {
        let mut scrubber = Scrubber::default();
        scrubber.learn(b"hunter22");
        assert_eq!(scrubber.clean_str(b"no hunter22 here"), "no [secret] here");
    }

    #[test]
    fn a_secret_as_short_as_a_word_does_not_spoil_the_answer() {
        let mut scrubber = Scrubber::default();
        scrubber.learn(b"T");
        assert_eq!(scrubber.clean_str(b"-ERR [AUTH] Try later"), "-ERR [AUTH] Try later");
    }

    proptest! {
        #[test]
        fn an_echo_is_found_wherever_it_stands(
            before in "[a-c ]{0,20}",
            (length, from, octets) in (8_usize..40).prop_flat_map(|length| {
                (Just(length), 0..length, 0..=length)
            }),
            behind in "[a-c ]{0,20}",
        ) {
            let secret = &b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-+/="[..length];
            let mut scrubber = Scrubber::default();
            scrubber.learn(secret);
            let echo = &secret[from..length.min(from + octets)];
            let text = [before.as_bytes(), echo, behind.as_bytes()].concat();
            let known = echo.len() >= Scrubber::RUN.min(length);
            let shown = if known { &b"[secret]"[..] } else { echo };
            let clean = [before.as_bytes(), shown, behind.as_bytes()].concat();
            let cleaned = scrubber.clean(&text);
            prop_assert_eq!(cleaned.as_ref(), clean);
        }
    }
}
