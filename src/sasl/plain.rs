//! PLAIN, RFC 4616: `authzid NUL authcid NUL passwd`, here with an empty authzid.

use super::input::{InputError, InputField};
use super::{Answer, Mechanism, concat};
use crate::secret::Secret;

#[derive(Debug)]
pub(super) struct Plain {
    user: String,
    password: Secret<Vec<u8>>,
}

impl Plain {
    pub(super) fn new(user: &str, password: &str) -> Result<Self, InputError> {
        InputField::User.check_text(user)?;
        InputField::Password.check_text(password)?;
        Ok(Self { user: user.to_owned(), password: Secret::new(password.as_bytes().to_vec()) })
    }
}

impl Mechanism for Plain {
    fn name(&self) -> &'static str {
        "PLAIN"
    }

    fn initial_response(&self) -> Option<Secret<Vec<u8>>> {
        Some(concat(&[b"\0", self.user.as_bytes(), b"\0", self.password.expose()]))
    }

    fn answer(&mut self) -> Answer {
        Answer::Cancel
    }

    fn credential(&self) -> &[u8] {
        self.password.expose()
    }
}

#[cfg(test)]
mod tests {
    use crate::sasl::{Session, decode};

    #[test]
    fn the_rfcs_example_has_an_empty_authorization_identity() {
        let session = Session::plain("tim", "tanstaaftanstaaf").unwrap();
        let wire = session.initial_response().unwrap().expose();
        assert_eq!(wire, b"AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
        assert_eq!(decode(wire).unwrap(), b"\0tim\0tanstaaftanstaaf");
    }

    #[test]
    fn names_and_passwords_are_utf_8() {
        let session = Session::plain("jürgen", "pässword").unwrap();
        let raw = decode(session.initial_response().unwrap().expose()).unwrap();
        assert_eq!(raw, "\0jürgen\0pässword".as_bytes());
    }
}
