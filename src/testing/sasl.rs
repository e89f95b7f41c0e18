//! What the client says in XOAUTH2 and OAUTHBEARER, read from the server's side.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The SASL mechanisms that carry a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// Google's and Microsoft's own.
    Xoauth2,
    /// RFC 7628.
    Oauthbearer,
}

impl Mechanism {
    /// By its name, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "XOAUTH2" => Some(Self::Xoauth2),
            "OAUTHBEARER" => Some(Self::Oauthbearer),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Xoauth2 => "XOAUTH2",
            Self::Oauthbearer => "OAUTHBEARER",
        }
    }

    /// What the client has to send after an error challenge, before it hears the refusal: nothing
    /// in XOAUTH2, one 0x01 octet in OAUTHBEARER (RFC 7628 section 3.2.3).
    pub(super) const fn answer_to_error(self) -> &'static [u8] {
        match self {
            Self::Xoauth2 => b"",
            Self::Oauthbearer => b"AQ==",
        }
    }
}

/// Who wants in, and with what.
#[derive(PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) mailbox: String,
    pub(super) token: String,
}

/// What is wrong with an initial response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malformed {
    /// Not base64, not UTF-8, or not ended by its two 0x01 octets.
    Encoding,
    /// No user, or one that is no address.
    User,
    /// No `auth` field.
    Auth,
    /// An `auth` field that is not `Bearer` and a token.
    Bearer,
}

/// Takes an initial response apart.
///
/// Microsoft's sample for High Volume Email spells the key `Auth`: it is taken in any case, unless
/// `strict` says otherwise.
pub(super) fn parse(
    mechanism: Mechanism,
    line: &[u8],
    strict: bool,
) -> Result<Credentials, Malformed> {
    let raw = STANDARD.decode(line).map_err(|_| Malformed::Encoding)?;
    let text = String::from_utf8(raw).map_err(|_| Malformed::Encoding)?;
    let fields = text.strip_suffix("\x01\x01").ok_or(Malformed::Encoding)?;
    let mut fields = fields.split('\x01');
    let mailbox = match mechanism {
        Mechanism::Xoauth2 => {
            let user = fields.next().and_then(|first| first.strip_prefix("user="));
            user.ok_or(Malformed::User)?.to_owned()
        }
        Mechanism::Oauthbearer => {
            // RFC 7628 section 3.1, RFC 5801 section 4: `n,a=<escaped>,`.
            let header = fields.next().and_then(|first| first.strip_prefix("n,a="));
            let name = header.and_then(|name| name.strip_suffix(','));
            name.ok_or(Malformed::User)?.replace("=2C", ",").replace("=3D", "=")
        }
    };
    if !mailbox.contains('@') {
        return Err(Malformed::User);
    }
    let auth = fields
        .filter_map(|field| field.split_once('='))
        .find(|(key, _)| *key == "auth" || !strict && key.eq_ignore_ascii_case("auth"))
        .map(|(_, value)| value)
        .ok_or(Malformed::Auth)?;
    let (scheme, token) = auth.split_once(' ').ok_or(Malformed::Bearer)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Malformed::Bearer);
    }
    Ok(Credentials { mailbox, token: token.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xoauth2(line: &str) -> Result<(String, String), Malformed> {
        parse(Mechanism::Xoauth2, line.as_bytes(), false).map(|known| (known.mailbox, known.token))
    }

    #[test]
    fn the_worked_example_of_microsoft_is_understood() {
        let line = "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFBbDNCQUFVR\
                    kZwVUFvN0ozVmUwYmpMQldaV0NjbFJDM0VvQUEBAQ==";
        let (user, token) = xoauth2(line).unwrap();
        assert_eq!(user, "test@contoso.onmicrosoft.com");
        assert_eq!(token, "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA");
    }

    #[test]
    fn a_response_without_its_padding_is_refused() {
        // The failing POP3 sample of Microsoft's page on OAuth is one `=` short.
        let line = "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52Y\
                    jNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ=";
        assert_eq!(xoauth2(line), Err(Malformed::Encoding));
        assert!(xoauth2(&format!("{line}=")).is_ok());
    }

    #[test]
    fn the_sample_for_high_volume_email_is_taken_in_spite_of_its_capital_letter() {
        let line = "dXNlcj1hcHBsaWNhdGlvbkBjb250b3NvLm9ubWljcm9zb2Z0LmNvbQFBdXRoPUJlYXJlciBFd0JBQ\
                    WwzQkFBVUZGcFVBbzdKM1ZlMGJqTEJXWldDY2xSQzNFb0FBAQE=";
        assert_eq!(xoauth2(line).unwrap().0, "application@contoso.onmicrosoft.com");
        let strict = parse(Mechanism::Xoauth2, line.as_bytes(), true);
        assert_eq!(strict.err(), Some(Malformed::Auth));
    }

    #[test]
    fn oauthbearer_names_are_unescaped() {
        let line = b"bixhPWE9M0RiPTJDY0BleGFtcGxlLmNvbSwBYXV0aD1CZWFyZXIgVAEB";
        let known = parse(Mechanism::Oauthbearer, line, true).ok().unwrap();
        assert_eq!((known.mailbox.as_str(), known.token.as_str()), ("a=b,c@example.com", "T"));
    }

    #[test]
    fn each_missing_part_is_told_apart() {
        let encoded = |text: &str| xoauth2(&STANDARD.encode(text)).unwrap_err();
        assert_eq!(encoded("user=nobody\x01auth=Bearer T\x01\x01"), Malformed::User);
        assert_eq!(encoded("user=a@b.c\x01\x01"), Malformed::Auth);
        assert_eq!(encoded("user=a@b.c\x01auth=Basic T\x01\x01"), Malformed::Bearer);
        assert_eq!(encoded("user=a@b.c\x01auth=Bearer T\x01"), Malformed::Encoding);
    }
}
