//! What an ESEARCH response belongs to: `(TAG "A4" MAILBOX INBOX UIDVALIDITY 1)`, RFC 4466 section
//! 2.6.2 and RFC 7377 section 2.1.

use std::borrow::Cow;
use std::num::NonZeroU32;

use crate::imap::proto::Tag;
use crate::imap::proto::decode::{Cursor, Malformed, Parsed, parse_u32};

/// What stands in the parentheses, as far as it is there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::imap::command) struct Correlators<'a> {
    /// [`Tag::NONE`] for one that is none of ours.
    pub(in crate::imap::command) tag: Option<Tag>,
    pub(in crate::imap::command) mailbox: Option<Cow<'a, [u8]>>,
    pub(in crate::imap::command) uid_validity: Option<NonZeroU32>,
}

impl<'a> Correlators<'a> {
    /// Reads them, if there are any.
    pub(in crate::imap::command) fn read(cursor: &mut Cursor<'a>) -> Parsed<Self> {
        let mut read = Self::default();
        cursor.spaces();
        if !cursor.eat(b'(') {
            return Ok(read);
        }
        loop {
            cursor.spaces();
            if cursor.eat(b')') {
                cursor.spaces();
                return Ok(read);
            }
            let name = cursor.atom()?;
            cursor.spaces();
            match name.to_ascii_uppercase().as_slice() {
                b"TAG" => {
                    read.tag = Some(Tag::parse(&cursor.astring()?.to_bytes()).unwrap_or(Tag::NONE));
                }
                b"MAILBOX" => read.mailbox = Some(cursor.astring()?.to_bytes()),
                b"UIDVALIDITY" => {
                    let validity = parse_u32(cursor.atom()?).and_then(NonZeroU32::new);
                    read.uid_validity = Some(validity.ok_or(Malformed("a UIDVALIDITY"))?);
                }
                _ => drop(cursor.value()?),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_in_any_order_and_what_is_to_come_is_passed_over() {
        for (text, tag, rest) in [
            ("(TAG \"A4\") UID ALL 1", Some(Tag::NONE.next(4)), "UID ALL 1"),
            ("( X-NEW (a b) tag A4 )", Some(Tag::NONE.next(4)), ""),
            ("(TAG \"B4\") COUNT 2", Some(Tag::NONE), "COUNT 2"),
            ("UID ALL 1", None, "UID ALL 1"),
        ] {
            let mut cursor = Cursor::new(text.as_bytes());
            assert_eq!(Correlators::read(&mut cursor).unwrap().tag, tag, "{text}");
            assert_eq!(cursor.rest(), rest.as_bytes(), "{text}");
        }
        let mut cursor = Cursor::new(b"(UIDVALIDITY 9 MAILBOX \"a b\" TAG A1) UID");
        let read = Correlators::read(&mut cursor).unwrap();
        assert_eq!(
            (read.mailbox.as_deref(), read.tag),
            (Some(&b"a b"[..]), Some(Tag::NONE.next(1)))
        );
        assert_eq!(read.uid_validity.map(NonZeroU32::get), Some(9));
    }

    #[test]
    fn what_is_none_is_refused() {
        for bad in ["(TAG A1 UIDVALIDITY 0)", "(UIDVALIDITY x)", "(TAG A1", "(TAG)", "(\"x\" y)"] {
            assert!(Correlators::read(&mut Cursor::new(bad.as_bytes())).is_err(), "{bad}");
        }
    }
}
