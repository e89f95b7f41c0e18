//! The words of replies, in one buffer for many.

use std::borrow::Cow;
use std::ops::Range;

use crate::secret::Scrubber;

/// The words of replies, one behind the other.
///
/// They are UTF-8, and no control character is among them but the LF between two lines. Most are
/// never read, so they are kept as octets: only who reads them pays for text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words(Vec<u8>);

impl Words {
    pub(crate) fn with_room(octets: usize) -> Self {
        Self(Vec::with_capacity(octets))
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Begins another line of the same reply.
    pub(crate) fn begin_line(&mut self) {
        self.0.push(b'\n');
    }

    /// Appends words. Control characters, which would garble the log they end up in, and what is
    /// not UTF-8 become U+FFFD.
    pub(crate) fn push(&mut self, words: &[u8]) {
        // Without a branch for each octet: this runs for every reply.
        let plain = words.iter().fold(true, |plain, octet| plain & matches!(octet, b' '..=b'~'));
        if plain {
            self.0.extend_from_slice(words);
        } else {
            self.push_shown(words);
        }
    }

    #[cold]
    fn push_shown(&mut self, words: &[u8]) {
        for shown in String::from_utf8_lossy(words).chars() {
            let shown = if shown.is_control() { char::REPLACEMENT_CHARACTER } else { shown };
            self.0.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    /// The words at a place.
    pub(crate) fn get(&self, at: Range<usize>) -> &str {
        let words = self.0.get(at).and_then(|words| std::str::from_utf8(words).ok());
        words.unwrap_or_default()
    }

    /// Keeps only the words before `mark`.
    pub(crate) fn truncate(&mut self, mark: usize) {
        self.0.truncate(mark);
    }

    /// Takes the words since `mark` away.
    pub(crate) fn take_since(&mut self, mark: usize) -> String {
        let since = if mark == 0 {
            std::mem::take(&mut self.0)
        } else {
            self.0.split_off(mark.min(self.0.len()))
        };
        String::from_utf8(since).unwrap_or_default()
    }

    /// Takes echoes of the credential out of the words since `mark`.
    pub(crate) fn scrub_since(&mut self, mark: usize, scrubber: &Scrubber) {
        let Some(since) = self.0.get(mark..) else { return };
        if let Cow::Owned(clean) = scrubber.clean(since) {
            let clean = String::from_utf8_lossy(&clean).into_owned();
            self.0.truncate(mark);
            self.0.extend_from_slice(clean.as_bytes());
        }
    }
}

#[cfg(test)]
impl Words {
    pub(crate) const fn room(&self) -> usize {
        self.0.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_shown_is_shown_as_such() {
        let mut words = Words::default();
        words.push(b"plain ");
        words.push("größe \u{7}\t".as_bytes());
        words.begin_line();
        words.push(b"\xe9t\xe9");
        assert_eq!(words.get(0..words.len()), "plain größe \u{fffd}\u{fffd}\n\u{fffd}t\u{fffd}");
    }

    #[test]
    fn words_are_taken_and_forgotten_from_a_mark_on() {
        let mut words = Words::default();
        words.push(b"first");
        let mark = words.len();
        words.push(b"second");
        assert_eq!(words.take_since(mark), "second");
        words.push(b"third");
        words.truncate(mark);
        assert_eq!(words.take_since(0), "first");
        assert_eq!((words.len(), words.get(3..9)), (0, ""));
    }

    #[test]
    fn an_echo_between_letters_beyond_ascii_is_taken_out() {
        let mut scrubber = Scrubber::default();
        scrubber.learn(b"EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA");
        let mut words = Words::default();
        words.push(b"EwBAAl3BAAUFFpUAo7J3Ve0bj ");
        let mark = words.len();
        words.push("é EwBAAl3BAAUFFpUAo7J3Ve0bj é".as_bytes());
        words.scrub_since(mark, &scrubber);
        assert_eq!(words.get(mark..words.len()), "é [secret] é");
        assert_eq!(words.get(0..mark), "EwBAAl3BAAUFFpUAo7J3Ve0bj ");
    }
}
