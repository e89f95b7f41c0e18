//! What a server can do beyond plain SMTP, as its answer to EHLO says (RFC 5321 section 4.1.1.1).

use crate::smtp::reply::Reply;

/// The extensions a server announced in its answer to EHLO.
///
/// Those that this crate uses have a method; all of them, known or not, are found by
/// [`parameters`](Self::parameters).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions {
    /// One keyword with its parameters in each line, as received.
    lines: Vec<String>,
    pipelining: bool,
    size: Option<u64>,
    eight_bit_mime: bool,
    smtp_utf8: bool,
    start_tls: bool,
    auth: Vec<String>,
}

impl Extensions {
    /// Reads the answer to EHLO. Its first line names the server, every other line an extension.
    pub(crate) fn from_reply(reply: &Reply<'_>) -> Self {
        let mut found = Self::default();
        for line in reply.lines().skip(1).map(str::trim).filter(|line| !line.is_empty()) {
            found.learn(line);
            found.lines.push(line.to_owned());
        }
        found
    }

    /// Whether commands may be sent ahead of their replies (RFC 2920).
    pub const fn pipelining(&self) -> bool {
        self.pipelining
    }

    /// Whether messages may be declared with their size (RFC 1870).
    pub const fn size(&self) -> bool {
        self.size.is_some()
    }

    /// The largest message the server takes, in octets, if it announced a limit (RFC 1870).
    ///
    /// The limit of the mailbox may be lower: Exchange Online announces 150 MiB.
    pub fn size_limit(&self) -> Option<u64> {
        // RFC 1870 section 4: zero, or no number, is no fixed limit.
        self.size.filter(|limit| *limit > 0)
    }

    /// Whether message content may have octets above 127 (RFC 6152).
    pub const fn eight_bit_mime(&self) -> bool {
        self.eight_bit_mime
    }

    /// Whether addresses may have characters outside ASCII (RFC 6531).
    pub const fn smtp_utf8(&self) -> bool {
        self.smtp_utf8
    }

    /// Whether the server can change to TLS (RFC 3207).
    pub const fn start_tls(&self) -> bool {
        self.start_tls
    }

    /// The SASL mechanisms on offer (RFC 4954), upper case, in the server's order.
    pub fn auth_mechanisms(&self) -> impl Iterator<Item = &str> {
        self.auth.iter().map(String::as_str)
    }

    /// Whether this SASL mechanism is on offer; upper and lower case are the same.
    pub fn auth(&self, mechanism: &str) -> bool {
        self.auth.iter().any(|offered| offered.eq_ignore_ascii_case(mechanism))
    }

    /// What follows the keyword of an extension, empty if nothing does; `None` if the server did
    /// not announce it. Upper and lower case are the same.
    pub fn parameters(&self, keyword: &str) -> Option<&str> {
        self.all().find(|(word, _)| word.eq_ignore_ascii_case(keyword)).map(|(_, rest)| rest)
    }

    /// Every announced keyword with its parameters, as the server spelled them.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().map(|line| split(line))
    }

    fn learn(&mut self, line: &str) {
        let (keyword, parameters) = split(line);
        match keyword.to_ascii_uppercase().as_str() {
            "PIPELINING" => self.pipelining = true,
            "SIZE" => {
                let limit = parameters.split_ascii_whitespace().next();
                // A limit that is no number is one we do not know.
                self.size = Some(limit.and_then(|limit| limit.parse().ok()).unwrap_or(0));
            }
            "8BITMIME" => self.eight_bit_mime = true,
            // `8 BITMIME`: smtp.mail.yahoo.com, 2015.
            "8" if parameters.eq_ignore_ascii_case("BITMIME") => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtp_utf8 = true,
            "STARTTLS" => self.start_tls = true,
            // `AUTH=LOGIN PLAIN` is from a draft of RFC 2554 and still sent beside the right form.
            // Exchange lists what it takes from its own kind as X-EXPS.
            "AUTH" | "X-EXPS" => {
                for mechanism in parameters.split_ascii_whitespace() {
                    if !self.auth(mechanism) {
                        self.auth.push(mechanism.to_ascii_uppercase());
                    }
                }
            }
            _ => {}
        }
    }
}

fn split(line: &str) -> (&str, &str) {
    let end = line.find([' ', '\t', '=']).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    (keyword, rest.get(1..).unwrap_or_default().trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::reply::Head;

    fn read(lines: &[&str]) -> Extensions {
        Extensions::from_reply(&Reply::new(Head { code: 250, enhanced: None }, lines.join("\n")))
    }

    #[test]
    fn exchange_online_before_and_after_tls() {
        let before = read(&[
            "TYCP286CA0192.outlook.office365.com Hello [192.0.2.1]",
            "SIZE 157286400",
            "PIPELINING",
            "DSN",
            "ENHANCEDSTATUSCODES",
            "STARTTLS",
            "8BITMIME",
            "BINARYMIME",
            "CHUNKING",
            "SMTPUTF8",
        ]);
        assert_eq!(before.size_limit(), Some(157_286_400));
        assert!(before.pipelining() && before.eight_bit_mime() && before.smtp_utf8());
        assert!(before.start_tls());
        assert_eq!(before.auth_mechanisms().count(), 0);
        assert_eq!(before.parameters("chunking"), Some(""));

        let after = read(&["mail.test Hello", "AUTH LOGIN XOAUTH2", "SMTPUTF8"]);
        assert!(after.auth("xoauth2") && !after.auth("OAUTHBEARER") && !after.start_tls());
        assert_eq!(after.auth_mechanisms().collect::<Vec<_>>(), ["LOGIN", "XOAUTH2"]);
    }

    #[test]
    fn spellings_that_servers_use_are_understood() {
        let seen = read(&[
            "mail.test",
            "pipelining ",
            "8 BITMIME",
            "AUTH=LOGIN PLAIN",
            "auth login xoauth2",
            "X-EXPS GSSAPI NTLM",
            "",
            "STARTTLS",
        ]);
        assert!(seen.pipelining() && seen.eight_bit_mime() && seen.start_tls());
        assert_eq!(
            seen.auth_mechanisms().collect::<Vec<_>>(),
            ["LOGIN", "PLAIN", "XOAUTH2", "GSSAPI", "NTLM"]
        );
    }

    #[test]
    fn a_size_without_a_usable_number_is_no_limit() {
        for line in ["SIZE", "SIZE 0", "SIZE lots"] {
            let seen = read(&["mail.test", line]);
            assert!(seen.size(), "{line}");
            assert_eq!(seen.size_limit(), None, "{line}");
        }
        assert!(!read(&["mail.test"]).size());
    }

    #[test]
    fn unknown_extensions_are_kept_and_the_first_line_is_none() {
        let seen = read(&["PIPELINING", "XYMCOOKIE", "LIMITS RCPTMAX=50 MAILMAX=9"]);
        assert!(!seen.pipelining());
        assert_eq!(seen.parameters("xymcookie"), Some(""));
        assert_eq!(seen.parameters("LIMITS"), Some("RCPTMAX=50 MAILMAX=9"));
        assert_eq!(seen.parameters("STARTTLS"), None);
        assert_eq!(seen.all().count(), 2);
    }
}
