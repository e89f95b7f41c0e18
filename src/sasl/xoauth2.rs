//! XOAUTH2, as Google and Microsoft have it.
//!
//! ```text
//! C: user=someuser@example.com^Aauth=Bearer ya29.vF9dft4…^A^A
//! S: {"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}    (refused, optional)
//! C:                                                                           (an empty line)
//! ```
//!
//! <https://developers.google.com/workspace/gmail/imap/xoauth2-protocol>,
//! <https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth>

use super::input::{InputError, InputField};
use super::{Answer, Mechanism, concat};
use crate::secret::Secret;

#[derive(Debug)]
pub(super) struct Xoauth2 {
    user: String,
    token: Secret<Vec<u8>>,
    extra: Vec<(String, String)>,
}

impl Xoauth2 {
    pub(super) fn new(user: &str, token: &str, extra: &[(&str, &str)]) -> Result<Self, InputError> {
        InputField::User.check_text(user)?;
        InputField::Token.check_visible(token)?;
        for (key, value) in extra {
            InputField::ExtraKey.check_key(key)?;
            InputField::ExtraValue.check_text(value)?;
        }
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Ok(Self {
            user: user.to_owned(),
            token: Secret::new(token.as_bytes().to_vec()),
            extra: extra.iter().map(own).collect(),
        })
    }
}

impl Mechanism for Xoauth2 {
    fn name(&self) -> &'static str {
        "XOAUTH2"
    }

    fn initial_response(&self) -> Option<Secret<Vec<u8>>> {
        let mut parts: Vec<&[u8]> =
            vec![b"user=", self.user.as_bytes(), b"\x01auth=Bearer ", self.token.expose(), b"\x01"];
        for (key, value) in &self.extra {
            parts.extend([key.as_bytes(), b"=", value.as_bytes(), b"\x01"]);
        }
        parts.push(b"\x01");
        Some(concat(&parts))
    }

    fn answer(&mut self) -> Answer {
        // Gmail's POP3 takes anything but an empty line for a bad command.
        Answer::Acknowledge(b"")
    }

    fn credential(&self) -> &[u8] {
        self.token.expose()
    }
}

#[cfg(test)]
mod tests {
    use crate::sasl::{Session, decode};

    const HVE_TOKEN: &str = "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA";

    fn wire(user: &str, token: &str, extra: &[(&str, &str)]) -> String {
        let session = Session::xoauth2(user, token, extra).unwrap();
        String::from_utf8(session.initial_response().unwrap().expose().clone()).unwrap()
    }

    #[test]
    fn microsofts_worked_example_comes_out_as_printed() {
        assert_eq!(
            wire("test@contoso.onmicrosoft.com", HVE_TOKEN, &[]),
            "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFBbDNCQUFVRkZwVUFv\
             N0ozVmUwYmpMQldaV0NjbFJDM0VvQUEBAQ=="
        );
    }

    const GOOGLE_TOKEN: &str = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg";

    /// The response in the documents' IMAP, POP and SMTP exchanges.
    const GOOGLE_WIRE: &str = "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhk\
         SFJoZG1semRHRXVZMjl0Q2cBAQ==";

    #[test]
    fn the_exchange_of_the_documents_comes_out_as_printed() {
        assert_eq!(wire("someuser@example.com", GOOGLE_TOKEN, &[]), GOOGLE_WIRE);
    }

    #[test]
    fn the_documents_pop_failure_sample_lacks_its_padding_and_is_not_base64() {
        let printed = GOOGLE_WIRE.strip_suffix('=').unwrap();
        assert_eq!(printed.len(), 115);
        assert_eq!(decode(printed.as_bytes()), None);
        assert!(decode(GOOGLE_WIRE.as_bytes()).is_some());
    }

    #[test]
    fn the_high_volume_sample_is_a_misprint_of_one_octet() {
        let printed = "dXNlcj1hcHBsaWNhdGlvbkBjb250b3NvLm9ubWljcm9zb2Z0LmNvbQFBdXRoPUJlYXJlciBFd0JBQWwzQkFB\
             VUZGcFVBbzdKM1ZlMGJqTEJXWldDY2xSQzNFb0FBAQE=";
        let ours = wire("application@contoso.onmicrosoft.com", HVE_TOKEN, &[]);
        assert_eq!(
            ours,
            "dXNlcj1hcHBsaWNhdGlvbkBjb250b3NvLm9ubWljcm9zb2Z0LmNvbQFhdXRoPUJlYXJlciBFd0JBQWwzQkFB\
             VUZGcFVBbzdKM1ZlMGJqTEJXWldDY2xSQzNFb0FBAQE="
        );
        let (ours, printed) = (decode(ours.as_bytes()), decode(printed.as_bytes()));
        let pairs: Vec<_> = ours.unwrap().into_iter().zip(printed.unwrap()).collect();
        let differing: Vec<_> = pairs.into_iter().filter(|(a, b)| a != b).collect();
        assert_eq!(differing, [(b'a', b'A')]);
    }

    #[test]
    fn extra_fields_stand_before_the_last_separator() {
        assert_eq!(wire("a@b.c", "T", &[]), "dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUAQE=");
        assert_eq!(
            wire("a@b.c", "T", &[("vendor", "V")]),
            "dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUAXZlbmRvcj1WAQE="
        );
    }
}
