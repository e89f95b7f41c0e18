//! OAUTHBEARER, RFC 7628.
//!
//! ```text
//! C: n,a=user@example.com,^Ahost=server.example.com^Aport=143^Aauth=Bearer vF9dft4…^A^A
//! S: {"status":"invalid_token","scope":"example_scope"}                         (refused)
//! C: ^A
//! ```

use std::borrow::Cow;

use super::input::{InputError, InputField};
use super::{Answer, Mechanism, concat};
use crate::secret::Secret;

#[derive(Debug)]
pub(super) struct OauthBearer {
    user: String,
    host: String,
    port: u16,
    token: Secret<Vec<u8>>,
}

impl OauthBearer {
    pub(super) fn new(user: &str, host: &str, port: u16, token: &str) -> Result<Self, InputError> {
        InputField::User.check_text(user)?;
        InputField::Host.check_visible(host)?;
        InputField::Token.check_visible(token)?;
        Ok(Self {
            user: user.to_owned(),
            host: host.to_owned(),
            port,
            token: Secret::new(token.as_bytes().to_vec()),
        })
    }
}

impl Mechanism for OauthBearer {
    fn name(&self) -> &'static str {
        "OAUTHBEARER"
    }

    fn initial_response(&self) -> Option<Secret<Vec<u8>>> {
        Some(concat(&[
            b"n,a=",
            saslname(&self.user).as_bytes(),
            b",\x01host=",
            self.host.as_bytes(),
            b"\x01port=",
            self.port.to_string().as_bytes(),
            b"\x01auth=Bearer ",
            self.token.expose(),
            b"\x01\x01",
        ]))
    }

    fn answer(&mut self) -> Answer {
        // RFC 7628 section 3.2.3: a lone kvsep ends a failed exchange.
        Answer::Acknowledge(b"\x01")
    }

    fn credential(&self) -> &[u8] {
        self.token.expose()
    }
}

/// RFC 5801 section 4: `=` and `,` have a meaning in the GS2 header.
fn saslname(user: &str) -> Cow<'_, str> {
    if user.contains(['=', ',']) {
        Cow::Owned(user.replace('=', "=3D").replace(',', "=2C"))
    } else {
        Cow::Borrowed(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::{Session, decode};

    const TOKEN: &str = "vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==";

    fn wire(port: u16) -> String {
        let session =
            Session::oauthbearer("user@example.com", "server.example.com", port, TOKEN).unwrap();
        String::from_utf8(session.initial_response().unwrap().expose().clone()).unwrap()
    }

    #[test]
    fn the_rfcs_example_comes_out_as_printed() {
        assert_eq!(
            wire(143),
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVh\
             cmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2c9PQEB"
        );
        assert!(wire(587).contains("AXBvcnQ9NTg3AWF1"));
    }

    #[test]
    fn equals_sign_and_comma_in_a_user_name_are_escaped() {
        assert_eq!(saslname("a=b,c@example.com"), "a=3Db=2Cc@example.com");
        let session = Session::oauthbearer("a=b,c@example.com", "h", 1, "T").unwrap();
        let raw = decode(session.initial_response().unwrap().expose()).unwrap();
        assert_eq!(raw, b"n,a=a=3Db=2Cc@example.com,\x01host=h\x01port=1\x01auth=Bearer T\x01\x01");
    }

    #[test]
    fn the_port_has_no_leading_zeros() {
        let raw = decode(wire(25).as_bytes()).unwrap();
        assert!(raw.windows(8).any(|window| window == b"\x01port=25"));
    }
}
