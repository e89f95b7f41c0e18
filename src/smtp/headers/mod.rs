//! The header of a message, as far as its envelope is written there (RFC 5322).
//!
//! Bytes in, and none of MIME: fields are found by their names, addresses by their brackets and
//! at-signs, and everything else is passed over.
//!
//! | file | what |
//! |---|---|
//! | `fields` | a header cut into fields |
//! | `address` | a list of addresses, as RFC 5322 section 3.4 and real messages have them |
//! | `envelope` | which fields make the envelope |
//! | `bcc` | the header without the fields that name hidden recipients, as it streams past |

mod address;
mod bcc;
mod envelope;
mod fields;

pub(crate) use bcc::WithoutBcc;
use fields::Fields;

/// Whether a header is UTF-8 beyond ASCII (RFC 6532). Octets that are no UTF-8 are of some older
/// charset, which SMTPUTF8 is not about.
pub(crate) fn is_utf8(message: &[u8]) -> bool {
    let mut fields = Fields::of(message);
    (&mut fields).for_each(drop);
    let header = message.get(..message.len() - fields.rest().len()).unwrap_or_default();
    !header.is_ascii() && std::str::from_utf8(header).is_ok()
}

/// The message without the fields that name hidden recipients; `None` if it has none.
pub(crate) fn without_bcc(message: &[u8]) -> Option<Vec<u8>> {
    let hidden = |field: fields::Field<'_>| field.is("Bcc") || field.is("Resent-Bcc");
    if !Fields::of(message).any(hidden) {
        return None;
    }
    let mut kept = Vec::with_capacity(message.len());
    let mut filter = WithoutBcc::default();
    let taken = filter.pass(message, &mut kept);
    filter.finish(&mut kept);
    kept.extend_from_slice(message.get(taken..).unwrap_or_default());
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_hidden_recipients_is_not_copied() {
        assert_eq!(without_bcc(b"To: a@b.example\r\n\r\nBcc: text\r\n"), None);
        let hidden = b"To: a@b.example\r\nBcc: c@d.example\r\n\r\nBcc: text\r\n";
        let kept = without_bcc(hidden).unwrap();
        assert_eq!(kept, b"To: a@b.example\r\n\r\nBcc: text\r\n");
    }

    #[test]
    fn only_a_header_in_utf_8_needs_smtputf8() {
        assert!(is_utf8("Subject: grün\r\n\r\ntext".as_bytes()));
        assert!(!is_utf8("Subject: plain\r\n\r\ngrün".as_bytes()));
        assert!(!is_utf8(b"Subject: gr\xfcn\r\n\r\ntext"));
        assert!(!is_utf8("Subject: =?utf-8?q?gr=C3=BCn?=\r\n\r\ngr\u{fc}n".as_bytes()));
        assert!(!is_utf8("no header: grün".replace(' ', "\u{a0}").as_bytes()));
    }
}
