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

mod address;
mod envelope;
mod fields;

use fields::Fields;

/// Whether a header is UTF-8 beyond ASCII (RFC 6532). Octets that are no UTF-8 are of some older
/// charset, which SMTPUTF8 is not about.
pub(crate) fn is_utf8(message: &[u8]) -> bool {
    let mut fields = Fields::of(message);
    (&mut fields).for_each(drop);
    let header = message.get(..message.len() - fields.rest().len()).unwrap_or_default();
    !header.is_ascii() && std::str::from_utf8(header).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_header_in_utf_8_needs_smtputf8() {
        assert!(is_utf8("Subject: grün\r\n\r\ntext".as_bytes()));
        assert!(!is_utf8("Subject: plain\r\n\r\ngrün".as_bytes()));
        assert!(!is_utf8(b"Subject: gr\xfcn\r\n\r\ntext"));
        assert!(!is_utf8("Subject: =?utf-8?q?gr=C3=BCn?=\r\n\r\ngr\u{fc}n".as_bytes()));
        assert!(!is_utf8("no header: grün".replace(' ', "\u{a0}").as_bytes()));
    }
}
