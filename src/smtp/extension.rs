//! What a server can do beyond plain SMTP, as its answer to EHLO says (RFC 5321 section 4.1.1.1).

use std::fmt;

use crate::smtp::reply::Reply;

/// An extension that this crate uses where a server offers it, and that can be switched off for a
/// server that has it wrong: [`Profile::without`](crate::Profile::without).
///
/// None can be forced on: what a server does not offer it does not understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Extension {
    /// Commands sent ahead of their replies, RFC 2920.
    Pipelining,
    /// Messages declared with their size, RFC 1870.
    Size,
    /// Content with octets above 127, RFC 6152.
    EightBitMime,
    /// Addresses and headers with characters outside ASCII, RFC 6531.
    SmtpUtf8,
    /// Content by BDAT, RFC 3030.
    Chunking,
    /// Content that is no text at all, RFC 3030.
    BinaryMime,
    /// What is to be reported of a delivery and how, RFC 3461.
    Dsn,
    /// Every relay on the way has to use TLS, RFC 8689.
    RequireTls,
    /// `5.7.1` behind the code of a reply, RFC 2034. Switched off, such codes stay in the words.
    EnhancedStatusCodes,
    /// How much the server takes in a session and in a message, RFC 9422.
    Limits,
}

impl Extension {
    pub(crate) const ALL: [Self; 10] = [
        Self::Pipelining,
        Self::Size,
        Self::EightBitMime,
        Self::SmtpUtf8,
        Self::Chunking,
        Self::BinaryMime,
        Self::Dsn,
        Self::RequireTls,
        Self::EnhancedStatusCodes,
        Self::Limits,
    ];

    /// The keyword that announces it.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Pipelining => "PIPELINING",
            Self::Size => "SIZE",
            Self::EightBitMime => "8BITMIME",
            Self::SmtpUtf8 => "SMTPUTF8",
            Self::Chunking => "CHUNKING",
            Self::BinaryMime => "BINARYMIME",
            Self::Dsn => "DSN",
            Self::RequireTls => "REQUIRETLS",
            Self::EnhancedStatusCodes => "ENHANCEDSTATUSCODES",
            Self::Limits => "LIMITS",
        }
    }

    /// One bit of a set.
    pub(crate) const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}

/// Some of the extensions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct ExtensionSet(u16);

impl ExtensionSet {
    const fn has(self, extension: Extension) -> bool {
        self.0 & extension.bit() != 0
    }

    const fn add(&mut self, extension: Extension) {
        self.0 |= extension.bit();
    }
}

/// The extensions a server announced in its answer to EHLO.
///
/// Those that this crate uses have a method, which answers no where the extension was
/// [switched off](Extension); all of them, known or not, are found by
/// [`parameters`](Self::parameters) as the server announced them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions {
    /// One keyword with its parameters in each line, as received.
    lines: Vec<String>,
    offered: ExtensionSet,
    off: ExtensionSet,
    size: u64,
    limits: SessionLimits,
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

    /// Switches extensions off; `bits` are those of [`Extension::bit`].
    pub(crate) const fn without(mut self, bits: u16) -> Self {
        self.off.0 |= bits;
        self
    }

    /// Whether this extension is used: the server announced it, and it was not switched off.
    pub const fn has(&self, extension: Extension) -> bool {
        self.offered.has(extension) && !self.off.has(extension)
    }

    /// Whether commands may be sent ahead of their replies (RFC 2920).
    pub const fn pipelining(&self) -> bool {
        self.has(Extension::Pipelining)
    }

    /// Whether messages may be declared with their size (RFC 1870).
    pub const fn size(&self) -> bool {
        self.has(Extension::Size)
    }

    /// The largest message the server takes, in octets, if it announced a limit (RFC 1870).
    ///
    /// The limit of the mailbox may be lower: Exchange Online announces 150 MiB.
    pub fn size_limit(&self) -> Option<u64> {
        // RFC 1870 section 4: zero, or no number, is no fixed limit.
        Some(self.size).filter(|limit| *limit > 0 && self.size())
    }

    /// Whether message content may have octets above 127 (RFC 6152).
    pub const fn eight_bit_mime(&self) -> bool {
        self.has(Extension::EightBitMime)
    }

    /// Whether addresses and headers may have characters outside ASCII (RFC 6531).
    pub const fn smtp_utf8(&self) -> bool {
        self.has(Extension::SmtpUtf8)
    }

    /// Whether content may be sent by BDAT (RFC 3030 section 2).
    pub const fn chunking(&self) -> bool {
        self.has(Extension::Chunking)
    }

    /// Whether content may be no text at all (RFC 3030 section 3). It needs BDAT, so this is no
    /// where [`chunking`](Self::chunking) is.
    pub const fn binary_mime(&self) -> bool {
        self.has(Extension::BinaryMime) && self.chunking()
    }

    /// Whether it can be said what is to be reported of a delivery (RFC 3461).
    pub const fn dsn(&self) -> bool {
        self.has(Extension::Dsn)
    }

    /// Whether TLS can be demanded of every relay on the way (RFC 8689).
    pub const fn require_tls(&self) -> bool {
        self.has(Extension::RequireTls)
    }

    /// Whether the server announced enhanced status codes (RFC 2034). They are read from the replies
    /// of servers too that send them unannounced; see [`Reply::enhanced`].
    pub const fn enhanced_status_codes(&self) -> bool {
        self.has(Extension::EnhancedStatusCodes)
    }

    /// How much the server takes in a session and in a message (RFC 9422); without limits if it did
    /// not say.
    pub fn limits(&self) -> SessionLimits {
        if self.has(Extension::Limits) { self.limits } else { SessionLimits::default() }
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

    /// Every announced keyword with its parameters, as the server spelled them, switched off or not.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().map(|line| split(line))
    }

    fn learn(&mut self, line: &str) {
        let (keyword, parameters) = split(line);
        let known = |extension: &Extension| keyword.eq_ignore_ascii_case(extension.keyword());
        if let Some(extension) = Extension::ALL.into_iter().find(known) {
            self.offered.add(extension);
        }
        match keyword.to_ascii_uppercase().as_str() {
            "SIZE" => {
                let limit = parameters.split_ascii_whitespace().next();
                // A limit that is no number is one we do not know.
                self.size = limit.and_then(|limit| limit.parse().ok()).unwrap_or(0);
            }
            // `8 BITMIME`: smtp.mail.yahoo.com, 2015.
            "8" if parameters.eq_ignore_ascii_case("BITMIME") => {
                self.offered.add(Extension::EightBitMime);
            }
            "LIMITS" => self.limits = SessionLimits::read(parameters),
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

/// How much a server takes, as it says by LIMITS (RFC 9422 section 4). `None` is "it did not say".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionLimits {
    /// RCPTMAX: recipients of one message.
    /// [`Envelope::split_within`](crate::smtp::Envelope::split_within) makes envelopes that fit.
    pub recipients: Option<u32>,
    /// MAILMAX: messages over one connection.
    pub messages: Option<u32>,
    /// RCPTDOMAINMAX: different domains among the recipients of one message.
    pub domains: Option<u32>,
}

impl SessionLimits {
    /// `RCPTMAX=20 RCPTDOMAINMAX=5`. What is unknown, or no number above zero, is passed over.
    fn read(parameters: &str) -> Self {
        let mut limits = Self::default();
        for parameter in parameters.split_ascii_whitespace() {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            let value = value.parse().ok().filter(|value| *value > 0);
            match name.to_ascii_uppercase().as_str() {
                "RCPTMAX" => limits.recipients = value,
                "MAILMAX" => limits.messages = value,
                "RCPTDOMAINMAX" => limits.domains = value,
                _ => {}
            }
        }
        limits
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

    #[test]
    fn limits_are_read_and_nonsense_in_them_is_passed_over() {
        let limits = |line: &str| read(&["mail.test", line]).limits();
        let seen = limits("LIMITS RCPTMAX=50 mailmax=9 RCPTDOMAINMAX=3 FUTURE=x");
        assert_eq!((seen.recipients, seen.messages, seen.domains), (Some(50), Some(9), Some(3)));
        for line in ["LIMITS", "LIMITS RCPTMAX", "LIMITS RCPTMAX=0 MAILMAX=many", "X-LIMITS A=1"] {
            assert_eq!(limits(line), SessionLimits::default(), "{line}");
        }
        assert_eq!(limits("LIMITS RCPTMAX=99999999999").recipients, None);
    }

    #[test]
    fn what_is_switched_off_is_not_used_and_still_shown() {
        let lines = [
            "mail.test",
            "PIPELINING",
            "SIZE 1000",
            "8BITMIME",
            "SMTPUTF8",
            "CHUNKING",
            "BINARYMIME",
            "DSN",
            "REQUIRETLS",
            "ENHANCEDSTATUSCODES",
            "LIMITS RCPTMAX=5",
        ];
        let all = read(&lines);
        for extension in Extension::ALL {
            assert!(all.has(extension), "{extension}");
            let without = all.clone().without(extension.bit());
            assert!(!without.has(extension), "{extension}");
            assert!(without.parameters(extension.keyword()).is_some(), "{extension}");
            let others = Extension::ALL.into_iter().filter(|other| *other != extension);
            assert!(others.into_iter().all(|other| without.has(other)), "{extension}");
        }
        assert_eq!(all.clone().without(Extension::Size.bit()).size_limit(), None);
        assert!(!all.clone().without(Extension::Chunking.bit()).binary_mime());
        let unlimited = all.without(Extension::Limits.bit()).limits();
        assert_eq!(unlimited, SessionLimits::default());
        // What was not offered cannot be had by switching anything.
        assert!(Extension::ALL.iter().all(|extension| !read(&["mail.test"]).has(*extension)));
    }
}
