//! What a server has to offer: what it announces, and what IMAP4rev2 has built in.

use crate::imap::types::Capabilities;

/// Extensions that IMAP4rev2 has built in (RFC 9051 appendix E). Parts of others are, which are
/// therefore not among them: the attributes of SPECIAL-USE, and what FETCH has of BINARY (appendix B).
const BUILT_IN: [&str; 13] = [
    "ENABLE",
    "ESEARCH",
    "IDLE",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "LITERAL-",
    "MOVE",
    "NAMESPACE",
    "SASL-IR",
    "SEARCHRES",
    "STATUS=SIZE",
    "UIDPLUS",
    "UNSELECT",
];

/// What a server has to offer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer<'a> {
    /// What it says it can do.
    pub(crate) announced: &'a Capabilities,
    /// What it was asked to do and has confirmed (RFC 5161).
    pub(crate) enabled: &'a Capabilities,
}

impl Offer<'_> {
    /// Whether it has this extension, announced or built in.
    pub(crate) fn has(self, word: &str) -> bool {
        let built_in = || BUILT_IN.iter().any(|known| known.eq_ignore_ascii_case(word));
        self.announced.has(word) || built_in() && self.speaks_rev2()
    }

    /// Whether it speaks IMAP4rev2: it was told to, or knows nothing else. One that announces both
    /// speaks IMAP4rev1 until it is told (RFC 9051 appendix A).
    pub(crate) fn speaks_rev2(self) -> bool {
        const REV2: &str = "IMAP4rev2";
        self.enabled.has(REV2) || self.announced.has(REV2) && !self.announced.has("IMAP4rev1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(announced: &str, enabled: &str, word: &str) -> bool {
        let (announced, enabled) = (announced.into(), enabled.into());
        Offer { announced: &announced, enabled: &enabled }.has(word)
    }

    #[test]
    fn what_is_built_in_is_there_once_it_is_spoken() {
        for word in BUILT_IN {
            assert!(has("IMAP4rev2", "", word), "{word}");
            assert!(has("IMAP4rev1 IMAP4rev2 ENABLE", "IMAP4REV2", word), "{word}");
            assert!(!has("IMAP4rev1 IMAP4rev2", "CONDSTORE", word), "{word}");
            assert!(!has("IMAP4rev1", "", word) && !has("", "", word), "{word}");
            assert!(has(&format!("IMAP4rev1 IMAP4rev2 {word}"), "", word), "{word}");
        }
    }

    #[test]
    fn what_is_not_built_in_must_be_announced() {
        for word in ["SPECIAL-USE", "BINARY", "LITERAL+", "CONDSTORE", "ID", "LIST-MYRIGHTS"] {
            assert!(!has("IMAP4rev2", "", word), "{word}");
            assert!(has(&format!("IMAP4rev2 {word}"), "", word), "{word}");
        }
    }
}
