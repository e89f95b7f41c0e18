//! The names of mailboxes and the modified UTF-7 they are written in.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::fault::printable;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// The name of a mailbox, in the form it has on the wire: modified UTF-7 (RFC 3501 section 5.1.3).
///
/// Made from a `&str` it is encoded, so pass what a person would read: `"Entwürfe"`, not
/// `"Entw&APw-rfe"`. A name read from the server is kept octet for octet, so a mailbox whose name
/// is not valid can still be opened. `INBOX` is the same mailbox in any case.
///
/// ```
/// use mailbearer::imap::MailboxName;
///
/// let drafts = MailboxName::from("Entwürfe");
/// assert_eq!(drafts.as_wire(), b"Entw&APw-rfe");
/// assert_eq!(drafts.to_str_lossy(), "Entwürfe");
/// assert_eq!(MailboxName::from("inbox"), MailboxName::from("INBOX"));
/// ```
#[derive(Clone)]
pub struct MailboxName {
    wire: Vec<u8>,
}

impl MailboxName {
    pub(crate) const NONE: Self = Self { wire: Vec::new() };

    /// A name as it is on the wire.
    pub fn from_wire(wire: impl Into<Vec<u8>>) -> Self {
        Self { wire: wire.into() }
    }

    /// A name that a server has told, which after `ENABLE UTF8=ACCEPT` is in UTF-8 (RFC 6855
    /// section 3). It is kept in the one form all the same, so that names can be compared.
    pub(crate) fn heard(wire: Vec<u8>, utf8: bool) -> Self {
        match std::str::from_utf8(&wire) {
            Ok(name) if utf8 => Self::from(name),
            _ => Self::from_wire(wire),
        }
    }

    /// The name, if it is valid.
    pub(crate) fn decoded(&self) -> Option<Cow<'_, str>> {
        decode(&self.wire)
    }

    /// The octets on the wire.
    pub fn as_wire(&self) -> &[u8] {
        &self.wire
    }

    /// The name as people read it. What is not valid modified UTF-7 in it is shown as it is on the
    /// wire, with U+FFFD for what is no UTF-8; the rest is decoded.
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        self.decoded()
            .unwrap_or_else(|| decode_leniently(&String::from_utf8_lossy(&self.wire)).into())
    }

    /// Whether it is INBOX, in any case.
    pub fn is_inbox(&self) -> bool {
        self.wire.eq_ignore_ascii_case(b"INBOX")
    }

    /// Whether `other` is this mailbox, or may lie below it: what parts the levels of a name, and
    /// whether case counts, is the server's affair.
    pub(crate) fn may_hold(&self, other: &Self) -> bool {
        let spelt = |name: &Self| name.to_str_lossy().to_lowercase();
        spelt(other).starts_with(&spelt(self))
    }

    /// Whether a server that makes `other` may make this mailbox with it, as a level above (RFC 9051
    /// section 6.3.4). INBOX is there in any case.
    pub(crate) fn may_come_with(&self, other: &Self) -> bool {
        !self.is_inbox() && self.may_hold(other)
    }

    fn canonical(&self) -> &[u8] {
        if self.is_inbox() { b"INBOX" } else { &self.wire }
    }
}

impl From<&str> for MailboxName {
    fn from(name: &str) -> Self {
        Self { wire: encode(name) }
    }
}

impl From<String> for MailboxName {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<&String> for MailboxName {
    fn from(name: &String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<&Self> for MailboxName {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}

impl PartialEq for MailboxName {
    fn eq(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }
}

impl Eq for MailboxName {}

impl Hash for MailboxName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical().hash(state);
    }
}

impl fmt::Display for MailboxName {
    /// As people read it, with U+FFFD for control characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.to_str_lossy()))
    }
}

impl fmt::Debug for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailboxName({:?})", self.to_str_lossy())
    }
}

/// Printable ASCII stands for itself, `&` is `&-`, the rest is UTF-16 in base64 between `&` and
/// `-`. CR, LF and NUL are left as they are, so that commands refuse them: no mailbox should be made
/// whose name holds them.
fn encode(name: &str) -> Vec<u8> {
    let is_shifted = |c: char| !matches!(c, ' '..='~' | '\r' | '\n' | '\0');
    let mut wire = Vec::with_capacity(name.len());
    let mut rest = name;
    while !rest.is_empty() {
        let plain = rest.find(|c| c == '&' || is_shifted(c)).unwrap_or(rest.len());
        let (before, after) = rest.split_at(plain);
        wire.extend_from_slice(before.as_bytes());
        rest = match after.strip_prefix('&') {
            Some(after) => {
                wire.extend_from_slice(b"&-");
                after
            }
            None => {
                let end = after.find(|c| !is_shifted(c)).unwrap_or(after.len());
                let (shifted, after) = after.split_at(end);
                if !shifted.is_empty() {
                    let utf16: Vec<u8> =
                        shifted.encode_utf16().flat_map(u16::to_be_bytes).collect();
                    wire.push(b'&');
                    wire.extend_from_slice(BASE64.encode(utf16).as_bytes());
                    wire.push(b'-');
                }
                after
            }
        };
    }
    wire
}

/// Decodes what can be decoded, and leaves the rest.
fn decode_leniently(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        name.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        // Up to and with the `-` that ends it. Another `&` comes in nothing valid.
        let end = behind.find(['&', '-']).filter(|end| behind[*end..].starts_with('-'));
        let shifted = end.and_then(|end| rest.get(at..end + at + 2));
        match shifted.and_then(|shifted| decode(shifted.as_bytes())) {
            Some(decoded) => {
                name.push_str(&decoded);
                rest = &rest[at + shifted.map_or(1, str::len)..];
            }
            None => {
                name.push('&');
                rest = behind;
            }
        }
    }
    name.push_str(rest);
    name
}

/// `None` where it is not valid. Octets above 127 are read as UTF-8, which some servers send.
fn decode(wire: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(wire).ok()?;
    if !text.contains('&') {
        return Some(Cow::Borrowed(text));
    }
    let mut name = String::with_capacity(text.len());
    let mut parts = text.split('&');
    name.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (shifted, plain) = part.split_once('-')?;
        if shifted.is_empty() {
            name.push('&');
        } else {
            let utf16 = BASE64.decode(shifted).ok()?;
            let (pairs, rest) = utf16.as_chunks::<2>();
            if !rest.is_empty() {
                return None;
            }
            let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
            for character in char::decode_utf16(units) {
                name.push(character.ok()?);
            }
        }
        name.push_str(plain);
    }
    Some(Cow::Owned(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wire(name: &str) -> String {
        String::from_utf8(MailboxName::from(name).wire).unwrap()
    }

    #[test]
    fn the_example_of_rfc_3501_is_encoded_as_printed_there() {
        assert_eq!(wire("~peter/mail/台北/日本語"), "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
    }

    #[test]
    fn ampersands_and_characters_beyond_the_basic_plane_survive() {
        assert_eq!(wire("R&D"), "R&-D");
        assert_eq!(wire("Lost & Found"), "Lost &- Found");
        assert_eq!(wire("ä&ö"), "&AOQ-&-&APY-");
        assert_eq!(wire("\u{1f4e7}"), "&2D3c5w-");
    }

    #[test]
    fn only_printable_ascii_stands_for_itself() {
        // RFC 3501 section 5.1.3: 0x20 to 0x7e.
        assert_eq!(wire("a\tb ~\u{7f}"), "a&AAk-b ~&AH8-");
        assert_eq!(wire("\u{1}\u{fc}x"), "&AAEA,A-x");
        // What would end a line is for the command to refuse.
        assert_eq!(wire("a\r\nb\0"), "a\r\nb\0");
    }

    #[test]
    fn a_name_with_a_control_character_stays_what_it_was_and_is_shown_without() {
        for listed in ["a\tb", "a&AAk-b"] {
            let name = MailboxName::from_wire(listed);
            assert_eq!((name.as_wire(), &*name.to_str_lossy()), (listed.as_bytes(), "a\tb"));
            assert_eq!(
                (name.to_string(), format!("{name:?}")),
                ("a\u{fffd}b".into(), "MailboxName(\"a\\tb\")".into())
            );
        }
    }

    #[test]
    fn what_is_not_valid_is_shown_as_it_is_and_stays_usable() {
        for bad in ["&", "&AOQ", "a&!!-b", "&2D0-", "&A-"] {
            let name = MailboxName::from_wire(bad);
            assert_eq!(name.to_str_lossy(), bad);
            assert_eq!(name.as_wire(), bad.as_bytes());
        }
        assert_eq!(MailboxName::from_wire(&b"\xff"[..]).to_str_lossy(), "\u{fffd}");
    }

    #[test]
    fn what_is_valid_beside_what_is_not_is_decoded() {
        for (wire, shown) in [
            ("a&b&AOQ-c&-", "a&b\u{e4}c&"),
            ("&&AOQ-", "&\u{e4}"),
            ("&AOQ&-x", "&AOQ&x"),
            ("&!-&AOQ-", "&!-\u{e4}"),
            ("\u{e4}&\u{e4}-&APY-&", "\u{e4}&\u{e4}-\u{f6}&"),
        ] {
            assert_eq!(MailboxName::from_wire(wire).to_str_lossy(), shown);
        }
    }

    #[test]
    fn only_inbox_ignores_case() {
        assert_eq!(MailboxName::from("InBox"), MailboxName::from("INBOX"));
        assert_ne!(MailboxName::from("Sent"), MailboxName::from("SENT"));
    }

    proptest! {
        #[test]
        fn encoding_then_decoding_is_identity(name: String) {
            let encoded = MailboxName::from(name.as_str());
            prop_assert!(encoded.as_wire().is_ascii());
            prop_assert_eq!(encoded.to_str_lossy(), name);
        }

        #[test]
        fn no_octets_make_the_decoder_panic(bytes: Vec<u8>) {
            let _ = MailboxName::from_wire(bytes).to_str_lossy().len();
        }
    }
}
