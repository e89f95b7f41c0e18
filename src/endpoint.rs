//! Where to connect, and what is known of the service that answers there.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::danger::LoopbackOnly;

/// One of the three protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Protocol {
    /// Message submission, RFC 6409.
    Smtp,
    /// IMAP4rev1 and rev2, RFC 3501 and RFC 9051.
    Imap,
    /// POP3, RFC 1939.
    Pop,
}

impl Protocol {
    /// The lower-case name, as it appears in traces: `smtp`, `imap`, `pop`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop => "pop",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp => "SMTP",
            Self::Imap => "IMAP",
            Self::Pop => "POP3",
        })
    }
}

/// How the connection is protected. There is no "TLS if offered".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Security {
    /// TLS from the first octet (RFC 8314; ports 465, 993, 995).
    ImplicitTls,
    /// A clear-text greeting, then STARTTLS or STLS, then everything else. If the server does not
    /// offer it, connecting fails.
    StartTls,
    /// Clear text, to this very machine only. The permit comes from
    /// [`danger::plaintext_on_loopback`](crate::danger::plaintext_on_loopback).
    ClearText(LoopbackOnly),
}

/// A server's address and what is known of its service.
///
/// ```
/// use mailbearer::{Endpoint, provider::microsoft365};
///
/// let exchange = microsoft365::imap();
/// assert_eq!((exchange.host(), exchange.port()), ("outlook.office365.com", 993));
/// let own = Endpoint::smtp("mail.example.net").with_port(2465);
/// assert_eq!(own.port(), 2465);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    protocol: Protocol,
    host: Arc<str>,
    port: u16,
    security: Security,
    profile: Profile,
}

impl Endpoint {
    /// An endpoint with the cautious [`Profile::generic`].
    pub fn new(protocol: Protocol, host: &str, port: u16, security: Security) -> Self {
        Self { protocol, host: host.into(), port, security, profile: Profile::generic() }
    }

    /// SMTP submission over implicit TLS on port 465 (RFC 8314 section 3.3).
    pub fn smtp(host: &str) -> Self {
        Self::new(Protocol::Smtp, host, 465, Security::ImplicitTls)
    }

    /// SMTP submission with STARTTLS on port 587 (RFC 6409, RFC 3207).
    pub fn smtp_starttls(host: &str) -> Self {
        Self::new(Protocol::Smtp, host, 587, Security::StartTls)
    }

    /// IMAP over implicit TLS on port 993.
    pub fn imap(host: &str) -> Self {
        Self::new(Protocol::Imap, host, 993, Security::ImplicitTls)
    }

    /// IMAP with STARTTLS on port 143.
    pub fn imap_starttls(host: &str) -> Self {
        Self::new(Protocol::Imap, host, 143, Security::StartTls)
    }

    /// POP3 over implicit TLS on port 995.
    pub fn pop(host: &str) -> Self {
        Self::new(Protocol::Pop, host, 995, Security::ImplicitTls)
    }

    /// POP3 with STLS on port 110.
    pub fn pop_starttls(host: &str) -> Self {
        Self::new(Protocol::Pop, host, 110, Security::StartTls)
    }

    /// The protocol spoken there.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The host name, also the name the certificate must carry.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn shared_host(&self) -> Arc<str> {
        self.host.clone()
    }

    /// The TCP port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How the connection is protected.
    pub const fn security(&self) -> Security {
        self.security
    }

    /// What is known of the service.
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The same service on another host.
    pub fn with_host(mut self, host: &str) -> Self {
        self.host = host.into();
        self
    }

    /// The same service on another port.
    pub const fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The same service, protected otherwise.
    pub const fn with_security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// The same address with other knowledge of the service.
    pub fn with_profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// The same service, of which this SMTP extension is not used; see [`Profile::without`].
    #[cfg(feature = "smtp")]
    pub const fn without(mut self, extension: crate::smtp::Extension) -> Self {
        self.profile = self.profile.without(extension);
        self
    }
}

impl fmt::Display for Endpoint {
    /// `imap://outlook.office365.com:993`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.protocol.name(), self.host, self.port)
    }
}

/// What is known of a mail service beyond its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    name: &'static str,
    inline_auth: bool,
    least_token_lifetime: Duration,
    demands_id: bool,
    command_line: usize,
    /// SMTP extensions that are not to be used, a bit each.
    smtp_off: u16,
}

impl Profile {
    /// Nothing is known: authenticate in two steps, five minutes of token lifetime, no ID.
    pub const fn generic() -> Self {
        Self {
            name: "generic",
            inline_auth: false,
            least_token_lifetime: Duration::from_secs(5 * 60),
            demands_id: false,
            command_line: 8000,
            smtp_off: 0,
        }
    }

    /// The same knowledge under another name.
    pub const fn with_name(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Whether the service is known to take the SASL initial response on the AUTH line of SMTP and
    /// POP3. It is then sent so if the line fits RFC 4954 section 4 (512 octets) or RFC 5034
    /// section 4 (255 octets); otherwise authentication takes one round trip more. IMAP goes by
    /// the SASL-IR capability instead.
    pub const fn with_inline_auth(mut self, inline: bool) -> Self {
        self.inline_auth = inline;
        self
    }

    /// How long an access token must still live to be used for a new connection.
    pub const fn with_least_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.least_token_lifetime = lifetime;
        self
    }

    /// Whether an IMAP session must begin with ID (RFC 2971) before the server cooperates.
    pub const fn with_id_demanded(mut self, demanded: bool) -> Self {
        self.demands_id = demanded;
        self
    }

    /// Never use this SMTP extension, though the server offers it: for servers that have it wrong.
    ///
    /// ```
    /// use mailbearer::{Endpoint, Profile, smtp::Extension};
    ///
    /// let profile = Profile::generic().without(Extension::Chunking).without(Extension::BinaryMime);
    /// let endpoint = Endpoint::smtp("mail.example.net").with_profile(profile);
    /// ```
    #[cfg(feature = "smtp")]
    pub const fn without(mut self, extension: crate::smtp::Extension) -> Self {
        self.smtp_off |= extension.bit();
        self
    }

    /// Whether this SMTP extension is not to be used; see [`without`](Self::without).
    #[cfg(feature = "smtp")]
    pub const fn is_without(&self, extension: crate::smtp::Extension) -> bool {
        self.smtp_off & extension.bit() != 0
    }

    #[cfg(feature = "smtp")]
    pub(crate) const fn smtp_off(&self) -> u16 {
        self.smtp_off
    }

    /// How many octets a line of an IMAP command may have before the set of messages in it is split
    /// and sent in several commands. 8,000, which servers should take (RFC 2683 section 3.2.1.5);
    /// Yahoo takes 1,000, and is known by its capabilities.
    pub const fn with_command_line(mut self, octets: usize) -> Self {
        self.command_line = octets;
        self
    }

    /// A short name, for traces and errors.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// See [`with_inline_auth`](Self::with_inline_auth).
    pub const fn inline_auth(&self) -> bool {
        self.inline_auth
    }

    /// See [`with_least_token_lifetime`](Self::with_least_token_lifetime).
    pub const fn least_token_lifetime(&self) -> Duration {
        self.least_token_lifetime
    }

    /// See [`with_id_demanded`](Self::with_id_demanded).
    pub const fn demands_id(&self) -> bool {
        self.demands_id
    }

    /// See [`with_command_line`](Self::with_command_line).
    pub const fn command_line(&self) -> usize {
        self.command_line
    }
}
