//! EHLO, RFC 5321 section 4.1.1.1. Only on the way to a client: before TLS, and once after it,
//! since TLS undoes what was said before (RFC 3207 section 4.2). Not after AUTH: nothing changes by
//! it without a security layer (RFC 4954 section 4), and some servers take it for a reset.
//!
//! ```text
//! C: EHLO [127.0.0.1]
//! S: 250-mail.example.com Hello
//! S: 250-PIPELINING
//! S: 250 AUTH XOAUTH2
//! ```

use crate::Misuse;

/// What a client says that has no name of its own; a private address says no more (RFC 5321
/// section 4.1.3).
const ADDRESS_LITERAL: &str = "[127.0.0.1]";

/// The command line. An underscore, which many host names have and no domain may (RFC 5321 section
/// 4.1.2), becomes a hyphen: some servers refuse the name otherwise (MailKit#1501).
///
/// # Errors
/// The name could not be one argument of a command.
pub(crate) fn line(name: Option<&str>) -> Result<String, Misuse> {
    let name = name.unwrap_or(ADDRESS_LITERAL);
    if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Err(Misuse::Argument {
            what: "the EHLO name",
            why: format!("{name:?} is neither a domain nor an address literal"),
        });
    }
    Ok(format!("EHLO {}", name.replace('_', "-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_one_word() {
        assert_eq!(line(None).unwrap(), "EHLO [127.0.0.1]");
        assert_eq!(line(Some("robot.example")).unwrap(), "EHLO robot.example");
        assert_eq!(line(Some("my_host.example")).unwrap(), "EHLO my-host.example");
        for name in ["", "a b", "a\r\nMAIL FROM:<x@y>", "bücher.example", "a\0"] {
            assert!(line(Some(name)).is_err(), "{name:?}");
        }
    }
}
