//! What a server says it can do.

use std::fmt;

use crate::fault::printable;

/// The capabilities of a server (RFC 9051 section 7.2.2), known or not.
///
/// ```
/// # use mailbearer::imap::Capabilities;
/// let capabilities = Capabilities::from("IMAP4rev1 SASL-IR AUTH=XOAUTH2 APPENDLIMIT=35651584");
/// assert!(capabilities.has("sasl-ir"));
/// assert!(capabilities.auth_mechanisms().eq(["XOAUTH2"]));
/// assert_eq!(capabilities.value("APPENDLIMIT"), Some("35651584"));
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// As sent, words parted by one space.
    words: String,
}

impl Capabilities {
    /// Reads the words after `CAPABILITY`.
    pub(crate) fn parse(words: &[u8]) -> Self {
        Self::from(String::from_utf8_lossy(words).as_ref())
    }

    /// Adds those of the words after `ENABLED` that were asked for. Whether these were all.
    pub(crate) fn add_asked(&mut self, words: &[u8], asked: &[&str]) -> bool {
        let mut all = true;
        for word in Self::parse(words).iter() {
            if !asked.iter().any(|asked| asked.eq_ignore_ascii_case(word)) {
                all = false;
            } else if !self.has(word) {
                let separator = if self.words.is_empty() { "" } else { " " };
                self.words.push_str(separator);
                self.words.push_str(word);
            }
        }
        all
    }

    /// Whether the server has this capability, such as `IDLE` or `AUTH=XOAUTH2`, in any case.
    pub fn has(&self, name: &str) -> bool {
        self.iter().any(|word| word.eq_ignore_ascii_case(name))
    }

    /// The SASL mechanisms it offers now.
    pub fn auth_mechanisms(&self) -> impl Iterator<Item = &str> {
        self.values("AUTH")
    }

    /// Whether it offers this SASL mechanism.
    pub fn has_auth(&self, mechanism: &str) -> bool {
        self.auth_mechanisms().any(|offered| offered.eq_ignore_ascii_case(mechanism))
    }

    /// What stands behind `name=` the first time, such as the limit in `APPENDLIMIT=35651584`.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// What stands behind `name=` each time.
    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter()
            .filter_map(|word| word.split_once('='))
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Every capability as the server spells it.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.words.split(' ').filter(|word| !word.is_empty())
    }

    /// Whether the server named none.
    pub const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

impl From<&str> for Capabilities {
    /// Of words parted by spaces.
    fn from(words: &str) -> Self {
        let mut joined = String::with_capacity(words.len());
        for word in words.split_ascii_whitespace() {
            // At least one server sends `LITERAL +` (MailKit#1654).
            if !joined.is_empty() && word != "+" {
                joined.push(' ');
            }
            match word.contains(char::is_control) {
                true => joined.push_str(&printable(word)),
                false => joined.push_str(word),
            }
        }
        Self { words: joined }
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capabilities({})", self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_whole_and_in_any_case() {
        let capabilities =
            Capabilities::parse(b"IMAP4 imap4rev1 AUTH=PLAIN AUTH=XOAUTH2 LITERAL+ ");
        assert!(capabilities.has("IMAP4rev1") && capabilities.has("literal+"));
        assert!(!capabilities.has("IMAP4rev2") && !capabilities.has("LITERAL-"));
        assert!(!capabilities.has("AUTH") && !capabilities.has(""));
        assert!(capabilities.has_auth("xoauth2"));
        assert_eq!(capabilities.iter().count(), 5);
    }

    #[test]
    fn a_space_before_the_plus_of_literal_is_overlooked() {
        assert!(Capabilities::parse(b"IMAP4rev1 LITERAL + IDLE").has("LITERAL+"));
    }

    #[test]
    fn octets_that_are_no_text_do_no_harm() {
        assert!(Capabilities::parse(b"\xff\xfe IDLE").has("IDLE"));
        assert_eq!(
            Capabilities::parse(b"A\x1b[2J\0 IDLE").to_string(),
            "A\u{fffd}[2J\u{fffd} IDLE"
        );
    }

    #[test]
    fn a_long_list_takes_no_more_memory_than_its_text() {
        let words = b" a".repeat(10_000);
        assert!(Capabilities::parse(&words).words.capacity() <= words.len());
    }
}
