//! The items of a FETCH response as they are on the wire.

use crate::imap::proto::decode::{Cursor, Malformed, Parsed, parse_u64};
use crate::imap::types::Text;

/// One item of a FETCH response as the server sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

impl<'a> Item<'a> {
    /// Its name in the server's spelling: `X-GM-MSGID`, `BODY[HEADER.FIELDS (DATE)]`.
    pub const fn name(&self) -> &'a [u8] {
        self.name
    }

    /// Its value as on the wire, with the quotes, parentheses or `{length}` around it.
    pub const fn value(&self) -> &'a [u8] {
        self.value
    }

    /// Its value as a string; `None` if it is `NIL` or a list.
    pub fn text(&self) -> Option<Text<'a>> {
        Cursor::new(self.value).nstring().ok().flatten()
    }

    /// Its value as a number; `None` if it is none.
    pub fn number(&self) -> Option<u64> {
        parse_u64(self.value)
    }
}

/// What of a FETCH response could not be read, or not to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unparsed<'a> {
    pub(super) octets: &'a [u8],
    pub(super) reason: UnparsedReason,
}

impl<'a> Unparsed<'a> {
    /// The item with its name, or all that is left of the response from the first octet on behind
    /// which nothing can be found.
    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// Why it could not be read.
    pub const fn reason(&self) -> UnparsedReason {
        self.reason
    }
}

/// Why something in a response could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnparsedReason {
    /// It does not follow the grammar.
    Malformed {
        /// What the grammar would have had there.
        expected: &'static str,
    },
    /// The parts of a message lie within each other too often.
    TooDeep {
        /// So many levels are read.
        limit: u32,
    },
    /// It has too many parts, strings or items for any message.
    TooMany {
        /// So many are read.
        limit: usize,
    },
}

impl From<Malformed> for UnparsedReason {
    fn from(why: Malformed) -> Self {
        Self::Malformed { expected: why.0 }
    }
}

impl std::fmt::Display for UnparsedReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed { expected } => write!(f, "expected {expected}"),
            Self::TooDeep { limit } => write!(f, "parts lie more than {limit} levels deep"),
            Self::TooMany { limit } => write!(f, "there are more than {limit} of them"),
        }
    }
}

/// Whether a line ends here, and with how many octets.
pub(crate) fn octets_of_line_end(text: &[u8]) -> usize {
    match text {
        [b'\r', b'\n', ..] => 2,
        [b'\n', ..] => 1,
        _ => 0,
    }
}

/// The name of an item: a word, and with it any `[…]` and `<…>`.
pub(crate) fn name<'a>(cursor: &mut Cursor<'a>) -> Parsed<&'a [u8]> {
    const WANTED: Malformed = Malformed("the name of an item");
    let rest = cursor.rest();
    let plain = rest.iter().position(|octet| ends_plain_name(*octet)).ok_or(WANTED)?;
    let length = match rest.get(plain) {
        Some(b'[') => plain + bracketed(rest.get(plain..).unwrap_or_default()).ok_or(WANTED)?,
        _ => plain,
    };
    cursor.take(length).filter(|name| !name.is_empty()).ok_or(WANTED)
}

const fn ends_plain_name(octet: u8) -> bool {
    const ENDS: [bool; 256] = {
        let mut table = [false; 256];
        let mut octet = 0;
        while octet < 256 {
            table[octet] = matches!(octet as u8, b' ' | b'(' | b')' | b'[' | b'"' | b'\r' | b'\n');
            octet += 1;
        }
        table
    };
    ENDS[octet as usize]
}

/// The length of `[…]` and of `<…>` behind it. A bracket in the name of a header field that comes in
/// quotes or as a literal does not count.
fn bracketed(text: &[u8]) -> Option<usize> {
    let mut cursor = Cursor::new(text);
    loop {
        let next = cursor.rest().iter().position(|octet| matches!(octet, b']' | b'"' | b'{'))?;
        cursor.take(next)?;
        match cursor.peek()? {
            b'"' if cursor.quoted().is_ok() => {}
            b'{' if cursor.literal().is_ok() => {}
            b'{' => drop(cursor.take(1)?),
            b']' => break,
            // What begins here has no end.
            _ => {
                cursor.take(memchr::memchr(b']', cursor.rest())?)?;
                break;
            }
        }
    }
    let close = cursor.at();
    let behind = text.get(close + 1..)?;
    let origin = behind.iter().position(|octet| matches!(octet, b' ' | b'(' | b')' | b'"'))?;
    Some(close + 1 + origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_behind_the_bracket_that_is_not_in_the_name_of_a_header_field() {
        for named in [
            "FLAGS",
            "BODY[]",
            "BODY[1.HEADER.FIELDS (DATE)]<0>",
            "BODY[HEADER.FIELDS (\"a]b\" \"c\\\"]\" {3}\r\na]b)]",
            "BODY[HEADER.FIELDS (\"a)]",
            "BODY[HEADER.FIELDS (a{2)]<7>",
        ] {
            let frame = format!("{named} {{1}}\r\n]");
            assert_eq!(name(&mut Cursor::new(frame.as_bytes())), Ok(named.as_bytes()), "{named}");
        }
        for bad in ["", " x", "BODY[", "BODY[1]", "BODY[\"a"] {
            assert!(name(&mut Cursor::new(bad.as_bytes())).is_err(), "{bad}");
        }
    }
}
