//! What a proxy can do wrong, and what can be wrong with the settings of one.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::fault::{Fault, Unwritable};
use crate::{Retry, net};

/// A proxy that did not let the connection through, or was not reached itself.
///
/// Found as the source of [`net::Error::Proxy`](crate::net::Error::Proxy), which names the proxy and
/// the server. A server behind a proxy that fails later, in TLS or in its protocol, fails as if
/// there were none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No address of the proxy could be reached, or it has none.
    #[error("the proxy cannot be reached: {0}")]
    Unreachable(#[source] io::Error),
    /// The TLS handshake with an `https` proxy failed.
    #[error("the proxy itself: {0}")]
    Tls(#[source] Box<net::Error>),
    /// The proxy wants a user name and a password, and there are none.
    #[error("the proxy demands a user name and a password")]
    CredentialsRequired,
    /// The proxy refused the user name or the password.
    #[error("the proxy refused the user name or the password")]
    CredentialsRefused,
    /// The proxy knows clients by other means than a user name and a password.
    #[error("the proxy takes no password{}", offers(.offered))]
    NoCommonMethod {
        /// What it takes instead, such as `Negotiate, NTLM`. Empty for SOCKS, whose proxies do not
        /// say.
        offered: String,
    },
    /// A SOCKS proxy refused, or could not reach the server.
    #[error("the proxy answered: {0}")]
    Socks(SocksReply),
    /// An HTTP proxy refused, or could not reach the server.
    #[error("the proxy answered: HTTP {status}{}{reason}", if reason.is_empty() { "" } else { " " })]
    Http {
        /// The status code: 403 for what the proxy's rules forbid, 502 to 504 where it could not
        /// reach the server; proxies differ.
        status: u16,
        /// The reason phrase, cut to a readable length.
        reason: String,
        /// `Retry-After`, where it gives seconds.
        retry_after: Option<Duration>,
    },
    /// It does not answer as a proxy of its kind does. Perhaps it is of the other kind.
    #[error("the proxy did not answer as one: expected {expected}, got `{got}`")]
    Malformed {
        /// What the protocol allows here.
        expected: &'static str,
        /// What came, cut to a readable length.
        got: String,
    },
    /// The answer does not end.
    #[error("the proxy sent an answer of more than {limit} octets")]
    TooLong {
        /// The limit in octets.
        limit: usize,
    },
    /// The proxy closed the connection before it had answered.
    #[error("the proxy closed the connection without an answer")]
    Closed,
    /// The proxy took the connection and did not answer in time. Most wait themselves for the
    /// server then.
    #[error("the proxy did not answer within {} s", after.as_secs_f32())]
    Deadline {
        /// The time allowed, [`Timeouts::dial`](crate::Timeouts::dial).
        after: Duration,
    },
    /// Reading or writing failed.
    #[error("the connection to the proxy broke: {0}")]
    Io(#[source] io::Error),
}

impl Error {
    /// What to do next.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unreachable(_) | Self::Closed | Self::Deadline { .. } | Self::Io(_) => {
                Retry::Later(None)
            }
            Self::Tls(error) => error.retry(),
            Self::Socks(reply) => reply.retry(),
            Self::Http { status: 403 | 451, .. } => Retry::Administrator,
            Self::Http { status: 501 | 505, .. } => Retry::Never,
            Self::Http { status: 408 | 429 | 500.., retry_after, .. } => Retry::Later(*retry_after),
            Self::CredentialsRequired
            | Self::CredentialsRefused
            | Self::NoCommonMethod { .. }
            | Self::Http { .. }
            | Self::Malformed { .. }
            | Self::TooLong { .. } => Retry::Never,
        }
    }

    /// Quotes what came: as text if it is, else its octets.
    pub(super) fn malformed(expected: &'static str, got: &[u8]) -> Self {
        const OCTETS: usize = 16;
        if got.iter().all(|octet| octet.is_ascii_graphic() || b" \r\n".contains(octet)) {
            return Fault::unexpected(expected, got).into();
        }
        let octets: Vec<_> = got.iter().take(OCTETS).map(|octet| format!("{octet:02x}")).collect();
        Self::Malformed { expected, got: octets.join(" ") }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unexpected { expected, got } => Self::Malformed { expected, got },
            fault => Self::Malformed { expected: "an answer", got: fault.to_string() },
        }
    }
}

impl From<Unwritable> for Error {
    fn from(error: Unwritable) -> Self {
        Self::Io(io::Error::other(error))
    }
}

/// How the message of a missing method ends.
fn offers(offered: &str) -> String {
    if offered.is_empty() { String::new() } else { format!(" (it offers: {offered})") }
}

/// Why a SOCKS5 proxy did not connect (RFC 1928 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocksReply {
    /// 1: something failed; many proxies say no more.
    GeneralFailure,
    /// 2: the proxy's rules forbid it.
    NotAllowed,
    /// 3: there is no route to the server's network.
    NetworkUnreachable,
    /// 4: there is no route to the server, or its name has no address.
    HostUnreachable,
    /// 5: nothing listens at the port.
    ConnectionRefused,
    /// 6: the server is too far away, or did not answer in time.
    TtlExpired,
    /// 7: the proxy does not connect at all.
    CommandNotSupported,
    /// 8: the proxy takes no names, or no IPv6 addresses.
    AddressTypeNotSupported,
    /// Another number.
    Unassigned(u8),
}

impl SocksReply {
    pub(super) const fn of(reply: u8) -> Self {
        match reply {
            1 => Self::GeneralFailure,
            2 => Self::NotAllowed,
            3 => Self::NetworkUnreachable,
            4 => Self::HostUnreachable,
            5 => Self::ConnectionRefused,
            6 => Self::TtlExpired,
            7 => Self::CommandNotSupported,
            8 => Self::AddressTypeNotSupported,
            other => Self::Unassigned(other),
        }
    }

    const fn retry(self) -> Retry {
        match self {
            Self::NotAllowed => Retry::Administrator,
            Self::CommandNotSupported | Self::AddressTypeNotSupported => Retry::Never,
            _ => Retry::Later(None),
        }
    }
}

impl fmt::Display for SocksReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GeneralFailure => "general failure",
            Self::NotAllowed => "connection not allowed by its rules",
            Self::NetworkUnreachable => "network unreachable",
            Self::HostUnreachable => "host unreachable",
            Self::ConnectionRefused => "connection refused",
            Self::TtlExpired => "TTL expired",
            Self::CommandNotSupported => "command not supported",
            Self::AddressTypeNotSupported => "address type not supported",
            Self::Unassigned(reply) => return write!(f, "SOCKS reply {reply}"),
        })
    }
}

/// Settings of a proxy that cannot work. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The text is not the URL of a proxy. It is not shown, since it may hold a password.
    #[error("not the URL of a proxy: {why}")]
    Url {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The proxy or the server behind it is neither a host name nor an address.
    #[error("`{0}` is not a host name")]
    Host(String),
    /// The user name or the password does not fit RFC 1929.
    #[error("{part} has {octets} octets; SOCKS5 takes 1 to 255")]
    Length {
        /// Which of the two.
        part: Part,
        /// Its length.
        octets: usize,
    },
    /// The user name or the password has a character that HTTP's Basic does not take (RFC 7617
    /// section 2).
    #[error("{part} contains {}", found.escape_debug())]
    Forbidden {
        /// Which of the two.
        part: Part,
        /// A control character, or a colon in the name.
        found: char,
    },
}

/// One half of a proxy's credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The user name.
    User,
    /// The password.
    Password,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "the user name for the proxy",
            Self::Password => "the password for the proxy",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(status: u16) -> Error {
        let retry_after = Some(Duration::from_secs(7));
        Error::Http { status, reason: "Because".into(), retry_after }
    }

    #[test]
    fn what_passes_is_tried_again_and_what_does_not_is_not() {
        let io = || io::Error::from(io::ErrorKind::ConnectionRefused);
        for passing in [Error::Unreachable(io()), Error::Closed, Error::Io(io())] {
            assert_eq!(passing.retry(), Retry::Later(None), "{passing}");
        }
        for status in [408, 429, 500, 502, 503, 504] {
            assert_eq!(
                http(status).retry(),
                Retry::Later(Some(Duration::from_secs(7))),
                "{status}"
            );
        }
        for status in [403, 451] {
            assert_eq!(http(status).retry(), Retry::Administrator, "{status}");
        }
        for status in [301, 400, 404, 405, 501] {
            assert_eq!(http(status).retry(), Retry::Never, "{status}");
        }
        let replies: Vec<_> = (1..=9).map(|reply| SocksReply::of(reply).retry()).collect();
        let (later, never) = (Retry::Later(None), Retry::Never);
        let expected =
            [later, Retry::Administrator, later, later, later, later, never, never, later];
        assert_eq!(replies, expected);
        assert_eq!(Error::CredentialsRefused.retry(), Retry::Never);
    }

    #[test]
    fn octets_that_are_no_text_are_shown_as_numbers() {
        let text = |got: &[u8]| Error::malformed("x", got).to_string();
        assert!(text(b"HTTP/1.1 400").ends_with("got `HTTP/1.1 400`"));
        assert!(text(&[5, 9]).ends_with("got `05 09`"));
    }
}
