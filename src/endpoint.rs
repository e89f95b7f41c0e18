//! Where to connect, and what is known of the service that answers there.

use std::fmt;
use std::sync::Arc;

use crate::Profile;
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
    /// A place in an array of three.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Smtp => 0,
            Self::Imap => 1,
            Self::Pop => 2,
        }
    }

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
