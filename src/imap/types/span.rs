//! Where something lies in a frame.

use crate::imap::proto::decode::{Cursor, Malformed, Parsed};
use crate::imap::types::Text;

/// A run of octets in a frame of less than 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    start: u32,
    end: u32,
    /// What the run is, to whom the index belongs.
    pub(crate) mark: Mark,
}

/// What a [`Span`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mark {
    /// `NIL`, or nothing at all.
    #[default]
    None,
    /// A string.
    Text,
    /// The inside of a quoted string with escapes in it.
    Escaped,
    /// The name of an item of a FETCH response; its value comes next.
    Name(Kind),
    /// The value of an item.
    Value,
}

/// The items of a FETCH response that [`Message`](crate::imap::Message) has methods for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Uid,
    Flags,
    InternalDate,
    Size,
    Envelope,
    Section,
    Rfc822,
    Rfc822Header,
    Rfc822Text,
    Other,
}

impl Span {
    /// The `length` octets that end where `octets` of a frame have been read.
    pub(crate) fn behind(octets: usize, length: usize, mark: Mark) -> Parsed<Self> {
        const WANTED: Malformed = Malformed("a response of less than 4 GiB");
        let end = u32::try_from(octets).map_err(|_| WANTED)?;
        let start = u32::try_from(octets.saturating_sub(length)).map_err(|_| WANTED)?;
        Ok(Self { start, end, mark })
    }

    /// Reads a string of a list in a frame of `octets`: nothing for `NIL` and where the list is
    /// over. A list in its place is passed over.
    pub(crate) fn read(octets: usize, cursor: &mut Cursor<'_>) -> Parsed<Self> {
        cursor.spaces();
        match cursor.peek() {
            Some(b'"') => {
                let (length, escaped) = cursor.skip_quoted()?;
                let mark = if escaped { Mark::Escaped } else { Mark::Text };
                // The closing quotation mark has been read as well.
                return Self::behind(octets.saturating_sub(cursor.rest().len() + 1), length, mark);
            }
            Some(b')') => return Ok(Self::default()),
            Some(b'(') => return cursor.value().map(|_| Self::default()),
            _ => {}
        }
        let Some(text) = cursor.nstring()? else { return Ok(Self::default()) };
        Self::behind(octets.saturating_sub(cursor.rest().len()), text.raw().len(), Mark::Text)
    }

    /// The string it is.
    pub(crate) fn text(self, frame: &[u8]) -> Option<Text<'_>> {
        match self.mark {
            Mark::Text => Some(Text::plain(self.octets(frame))),
            Mark::Escaped => Some(Text::quoted(self.octets(frame), true)),
            _ => None,
        }
    }

    /// Its octets.
    pub(crate) fn octets(self, frame: &[u8]) -> &[u8] {
        frame.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Where it ends.
    pub(crate) const fn end(self) -> usize {
        self.end as usize
    }
}

impl Kind {
    pub(crate) fn of(name: &[u8]) -> Self {
        if let Some(kind) = Self::exactly(name) {
            return kind;
        }
        if name.iter().any(u8::is_ascii_lowercase) {
            return Self::exactly(&name.to_ascii_uppercase()).unwrap_or(Self::Other);
        }
        Self::Other
    }

    fn exactly(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"UID" => Self::Uid,
            b"FLAGS" => Self::Flags,
            b"INTERNALDATE" => Self::InternalDate,
            b"RFC822.SIZE" => Self::Size,
            b"ENVELOPE" => Self::Envelope,
            b"RFC822" => Self::Rfc822,
            b"RFC822.HEADER" => Self::Rfc822Header,
            b"RFC822.TEXT" => Self::Rfc822Text,
            [b'B', b'O', b'D', b'Y', b'[', ..] => Self::Section,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(frame: &[u8]) -> (Option<Vec<u8>>, usize) {
        let mut cursor = Cursor::new(frame);
        let span = Span::read(frame.len(), &mut cursor).unwrap();
        (span.text(frame).map(|text| text.to_bytes().into_owned()), cursor.rest().len())
    }

    #[test]
    fn strings_of_every_form_are_found() {
        assert_eq!(read(b"  \"ab\" x"), (Some(b"ab".to_vec()), 2));
        assert_eq!(read(b"\"a\\\"b\" x"), (Some(b"a\"b".to_vec()), 2));
        assert_eq!(read(b"{2}\r\nab x"), (Some(b"ab".to_vec()), 2));
        assert_eq!(read(b"ab x"), (Some(b"ab".to_vec()), 2));
        assert_eq!(read(b"\"\" x"), (Some(Vec::new()), 2));
    }

    #[test]
    fn nil_a_list_and_the_end_of_a_list_are_none() {
        assert_eq!(read(b"NIL x"), (None, 2));
        assert_eq!(read(b"(\"a\" b) x"), (None, 2));
        assert_eq!(read(b") x"), (None, 3));
    }

    #[test]
    fn names_are_known_in_any_case() {
        assert_eq!(Kind::of(b"Flags"), Kind::Flags);
        assert_eq!(Kind::of(b"body[TEXT]"), Kind::Section);
        assert_eq!(Kind::of(b"BODYSTRUCTURE"), Kind::Other);
    }
}
