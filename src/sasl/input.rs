//! What may not stand in a user name, a token or a password.
//!
//! A line end would start a command of its own, a NUL would split a PLAIN response, an octet 1 a
//! field of XOAUTH2 or OAUTHBEARER. They are refused before anything is dialled.

use std::fmt;

/// Something the caller gave that cannot be sent in a SASL exchange. No message shows the value of
/// a token or a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// There is nothing in it.
    #[error("{0} is empty")]
    Empty(InputField),
    /// It contains a character that has no place there.
    #[error("{input} contains {} at octet {offset}", Named(*found))]
    #[non_exhaustive]
    Forbidden {
        /// Which of the values.
        input: InputField,
        /// The first such character.
        found: char,
        /// Octets before it.
        offset: usize,
    },
    /// The extra field is one that the mechanism writes itself.
    #[error("{0} is reserved for the mechanism itself")]
    Reserved(InputField),
}

/// One of the values that go into a SASL exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InputField {
    /// The user name; for a token, the mailbox that is to be opened.
    User,
    /// The access token.
    Token,
    /// The password.
    Password,
    /// The host name of the server.
    Host,
    /// The name of an additional XOAUTH2 field.
    ExtraKey,
    /// The value of an additional XOAUTH2 field.
    ExtraValue,
}

impl fmt::Display for InputField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "the user name",
            Self::Token => "the access token",
            Self::Password => "the password",
            Self::Host => "the host name",
            Self::ExtraKey => "the name of an extra field",
            Self::ExtraValue => "the value of an extra field",
        })
    }
}

impl InputField {
    /// Text of any language without control characters.
    pub(super) fn check_text(self, value: &str) -> Result<(), InputError> {
        self.check(value, |c| !c.is_control())
    }

    /// Visible ASCII, no spaces: what RFC 6750 section 2.1 allows in a token and more.
    pub(super) fn check_visible(self, value: &str) -> Result<(), InputError> {
        self.check(value, |c| c.is_ascii_graphic())
    }

    /// RFC 7628 section 3.1 has letters only; providers may be freer, but never with a separator.
    pub(super) fn check_key(self, value: &str) -> Result<(), InputError> {
        self.check(value, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))?;
        if ["user", "auth"].iter().any(|own| own.eq_ignore_ascii_case(value)) {
            return Err(InputError::Reserved(self));
        }
        Ok(())
    }

    fn check(self, value: &str, allowed: impl Fn(char) -> bool) -> Result<(), InputError> {
        if value.is_empty() {
            return Err(InputError::Empty(self));
        }
        match value.char_indices().find(|(_, c)| !allowed(*c)) {
            Some((offset, found)) => Err(InputError::Forbidden { input: self, found, offset }),
            None => Ok(()),
        }
    }
}

/// A character by name, since most of the forbidden ones cannot be seen.
struct Named(char);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            '\r' => f.write_str("CR"),
            '\n' => f.write_str("LF"),
            '\0' => f.write_str("NUL"),
            ' ' => f.write_str("a space"),
            other => write!(f, "U+{:04X}", u32::from(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::Session;

    fn refused(result: Result<Session, InputError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_line_end_a_nul_or_a_separator_is_refused_in_every_input() {
        for bad in ['\r', '\n', '\0', '\x01', '\x1b', '\x7f', '\u{85}'] {
            let bad = format!("x{bad}y");
            let refused = [
                Session::xoauth2(&bad, "T", &[]),
                Session::xoauth2("u", &bad, &[]),
                Session::xoauth2("u", "T", &[(&bad, "v")]),
                Session::xoauth2("u", "T", &[("k", &bad)]),
                Session::oauthbearer(&bad, "h", 1, "T"),
                Session::oauthbearer("u", &bad, 1, "T"),
                Session::oauthbearer("u", "h", 1, &bad),
                Session::plain(&bad, "p"),
                Session::plain("u", &bad),
                Session::login(&bad, "p"),
                Session::login("u", &bad),
            ];
            for result in refused {
                assert!(matches!(result, Err(InputError::Forbidden { offset: 1, .. })), "{bad:?}");
            }
        }
    }

    #[test]
    fn the_message_names_the_input_and_the_character_and_never_shows_a_secret() {
        assert_eq!(
            refused(Session::xoauth2("someuser@example.com", "hunter2\n", &[])),
            "the access token contains LF at octet 7"
        );
        assert_eq!(
            refused(Session::xoauth2("someuser@example.com", "Bearer hunter2", &[])),
            "the access token contains a space at octet 6"
        );
        assert_eq!(
            refused(Session::plain("a\x01b", "hunter2")),
            "the user name contains U+0001 at octet 1"
        );
        assert_eq!(refused(Session::login("u", "")), "the password is empty");
    }

    #[test]
    fn an_empty_input_is_refused() {
        for result in [
            Session::xoauth2("", "T", &[]),
            Session::xoauth2("u", "", &[]),
            Session::oauthbearer("u", "", 1, "T"),
            Session::plain("", "p"),
        ] {
            assert!(matches!(result, Err(InputError::Empty(_))));
        }
    }

    #[test]
    fn an_extra_field_cannot_take_the_place_of_user_or_auth() {
        assert_eq!(
            refused(Session::xoauth2("u", "T", &[("Auth", "Bearer other")])),
            "the name of an extra field is reserved for the mechanism itself"
        );
        assert!(Session::xoauth2("u", "T", &[("a=b", "v")]).is_err());
    }

    #[test]
    fn user_names_may_be_in_any_language_and_tokens_may_not() {
        assert!(Session::xoauth2("почта@пример.рф", "T", &[]).is_ok());
        assert!(Session::xoauth2("u", "tökén", &[]).is_err());
    }
}
