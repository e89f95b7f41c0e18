//! USER and PASS, RFC 1939 section 7, and LOGIN, RFC 9051 section 6.2.3: POP3's and IMAP's own
//! logins, which are no SASL and have no base64.
//!
//! ```text
//! C: USER mrose
//! S: +OK
//! C: PASS secret
//! S: +OK
//! ```
//!
//! It is carried like a mechanism, so that what is known of a login is known of this one, too.
//! Other protocols find it offered nowhere.

use super::input::{InputError, InputField};
use super::{Answer, Mechanism};
use crate::secret::Secret;

#[derive(Debug)]
pub(super) struct UserPass {
    #[cfg_attr(
        not(any(feature = "imap", feature = "pop")),
        expect(dead_code, reason = "SMTP has no such login")
    )]
    user: String,
    password: Secret<Vec<u8>>,
}

impl UserPass {
    pub(super) fn new(user: &str, password: &str) -> Result<Self, InputError> {
        InputField::User.check_text(user)?;
        InputField::Password.check_text(password)?;
        let password = Secret::new(password.as_bytes().to_vec());
        Ok(Self { user: user.to_owned(), password })
    }
}

impl Mechanism for UserPass {
    fn name(&self) -> &'static str {
        "USER"
    }

    fn initial_response(&self) -> Option<Secret<Vec<u8>>> {
        None
    }

    fn answer(&mut self) -> Answer {
        Answer::Cancel
    }

    fn credential(&self) -> &[u8] {
        self.password.expose()
    }

    #[cfg(any(feature = "imap", feature = "pop"))]
    fn user_pass(&self) -> Option<(&str, &Secret<Vec<u8>>)> {
        Some((&self.user, &self.password))
    }
}
