//! Connections through a proxy: SOCKS5 (RFC 1928, RFC 1929) or CONNECT of HTTP (RFC 9110 section
//! 9.3.6), for all three protocols and for token requests.
//!
//! # Example: mail and tokens through one proxy
//! ```
//! use mailbearer::net::proxy::Proxy;
//! use mailbearer::provider::microsoft365;
//! use mailbearer::token::ClientCredentials;
//! use mailbearer::{Auth, ImapClient, PopClient, SmtpClient};
//!
//! # fn connectors() -> Result<(), Box<dyn std::error::Error>> {
//! let proxy = Proxy::socks5("proxy.example.net", 1080).credentials("user", "password");
//!
//! // Token requests go their own way: they are told too.
//! let tokens = ClientCredentials::entra("contoso.example", "client id", "client secret")
//!     .proxy(proxy.clone())
//!     .build()?;
//! let auth = Auth::xoauth2("billing@contoso.example", tokens);
//!
//! let smtp = SmtpClient::builder(microsoft365::smtp()).proxy(proxy.clone()).auth(auth.clone());
//! let imap = ImapClient::builder(microsoft365::imap()).proxy(proxy.clone()).auth(auth.clone());
//! let pop = PopClient::builder(microsoft365::pop()).proxy(proxy).auth(auth);
//! # Ok(()) }
//! ```
//!
//! # What the proxy sees
//! The name and port of the server, and how many octets go when. TLS runs through the tunnel: the
//! certificate is checked against the name of the server, so that a proxy which answers itself is
//! refused as any impostor is. With STARTTLS, the proxy sees what goes before TLS, as everybody on
//! the way does, and no more. An endpoint in clear text is refused
//! ([`Misuse::ClearTextThroughProxy`](crate::Misuse::ClearTextThroughProxy)), also if the proxy is
//! on this very machine: it is not where the octets stop.
//!
//! The user name and the password of the proxy are sent to it in clear text, which is how both
//! protocols define it; anybody on the way can read them. [`Proxy::https`] speaks to the proxy in
//! TLS.
//!
//! # Who resolves names
//! The proxy does: it is given the server's name, whether the URL says `socks5` or `socks5h`. Only
//! the name of the proxy itself is resolved here; of its addresses, the first that answers is taken
//! as for a server.
//!
//! # The environment
//! Variables such as `HTTPS_PROXY` are not read. A program that wants them reads them:
//! ```
//! use mailbearer::net::proxy::{Proxy, SetupError};
//!
//! fn proxy_of_environment() -> Result<Option<Proxy>, SetupError> {
//!     std::env::var("ALL_PROXY").ok().map(|url| Proxy::parse(&url)).transpose()
//! }
//! ```

mod error;
mod handshake;
mod http;
mod rewound;
mod socks5;
#[cfg(test)]
mod tests;
mod url;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;

use super::driver::{Broken, Driver};
use super::tls::HandshakeError;
use super::{Connection, Dial, Stream};
use crate::secret::{Scrubber, Secret};
use crate::{Limits, Timeouts, net, tls};

pub use error::{Error, Part, SetupError, SocksReply};

use handshake::{Handshake, Host, Target};
use rewound::Rewound;

/// A proxy to connect through. A cheap clone.
///
/// Given to [`Connector::proxy`](crate::Connector::proxy), and to the builders of token sources.
/// See the [module](self) for what it means for names and secrets.
///
/// ```
/// use mailbearer::net::proxy::Proxy;
///
/// let one = Proxy::http("proxy.example.net", 3128).credentials("user", "pa:ss");
/// let same = Proxy::parse("http://user:pa%3Ass@proxy.example.net:3128")?;
/// assert_eq!(one, same);
/// assert_eq!(one.to_string(), "http://proxy.example.net:3128");
/// # Ok::<(), mailbearer::net::proxy::SetupError>(())
/// ```
#[derive(Clone)]
pub struct Proxy {
    kind: Kind,
    host: Arc<str>,
    port: u16,
    credentials: Option<Arc<Credentials>>,
    /// For the proxy itself; of use to `https` only.
    tls: Option<tls::Config>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Socks5,
    Http,
    Https,
}

impl Kind {
    const fn scheme(self) -> &'static str {
        match self {
            Self::Socks5 => "socks5",
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Both parts are secret: with hired proxies, the name is as much a key as the password.
#[derive(PartialEq, Eq)]
struct Credentials {
    user: Secret<String>,
    password: Secret<String>,
}

impl Credentials {
    /// RFC 7617 section 2.
    fn basic(&self) -> Secret<Vec<u8>> {
        let (user, password) = (self.user.expose(), self.password.expose());
        let mut pair = Vec::with_capacity(user.len() + 1 + password.len());
        pair.extend_from_slice(user.as_bytes());
        pair.push(b':');
        pair.extend_from_slice(password.as_bytes());
        Secret::new(STANDARD.encode(Secret::new(pair).expose()).into_bytes())
    }

    /// What the proxy may echo.
    fn scrubber(&self) -> Scrubber {
        let mut scrubber = Scrubber::default();
        scrubber.learn(self.user.expose().as_bytes());
        scrubber.learn(self.password.expose().as_bytes());
        scrubber.learn(self.basic().expose());
        scrubber
    }
}

impl Proxy {
    /// A SOCKS5 proxy. Its port is 1080 by custom.
    pub fn socks5(host: impl Into<String>, port: u16) -> Self {
        Self::new(Kind::Socks5, host.into(), port)
    }

    /// An HTTP proxy that lets CONNECT through to mail ports, which many do only for port 443
    /// unless they are told.
    pub fn http(host: impl Into<String>, port: u16) -> Self {
        Self::new(Kind::Http, host.into(), port)
    }

    /// An HTTP proxy that is spoken to in TLS. Its certificate is checked against its own name.
    pub fn https(host: impl Into<String>, port: u16) -> Self {
        Self::new(Kind::Https, host.into(), port)
    }

    fn new(kind: Kind, host: String, port: u16) -> Self {
        Self { kind, host: host.into(), port, credentials: None, tls: None }
    }

    /// The proxy that a URL names: `socks5://user:password@host:port`, and the same with `socks5h`,
    /// `http` and `https`. Without a port, that is 1080 for SOCKS, 80 and 443 for HTTP. Octets of
    /// the user name and the password may be percent-encoded, and `:`, `/` and `@` must be; IPv6
    /// addresses stand in brackets.
    ///
    /// # Errors
    /// It is not such a URL, or what it names cannot work. The error does not show it.
    pub fn parse(url: &str) -> Result<Self, SetupError> {
        let proxy = url::parse(url)?;
        proxy.check()?;
        Ok(proxy)
    }

    /// Logs in at the proxy: by RFC 1929, which takes 1 to 255 octets for each, or by HTTP's Basic.
    /// A proxy that does not ask for it is not told by SOCKS, but is by HTTP.
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        let (user, password) = (Secret::new(user.into()), Secret::new(password.into()));
        self.credentials = Some(Arc::new(Credentials { user, password }));
        self
    }

    /// Whom to trust as an [`https`](Self::https) proxy. By default the authorities that browsers
    /// trust. It has no bearing on the server behind.
    pub fn tls(mut self, config: tls::Config) -> Self {
        self.tls = Some(config);
        self
    }

    /// The host of the proxy.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether the settings can work, whatever the server.
    pub(crate) fn check(&self) -> Result<(), SetupError> {
        self.route("localhost", 1).map(drop)
    }

    /// The way to a server, ready to be gone.
    pub(crate) fn route<'a>(&'a self, host: &'a str, port: u16) -> Result<Route<'a>, SetupError> {
        host_name(&self.host)?;
        let target = Target { host: named(host)?, port };
        let credentials = self.credentials.as_deref();
        let handshake = match self.kind {
            Kind::Socks5 => Handshake::socks5(target, credentials)?,
            Kind::Http | Kind::Https => Handshake::http(target, credentials)?,
        };
        Ok(Route { proxy: self, host, port, handshake })
    }
}

/// A host name or an address: what a certificate can be for. Nothing else fits in a request without
/// changing it.
fn host_name(host: &str) -> Result<(), SetupError> {
    match ServerName::try_from(host) {
        Ok(_) => Ok(()),
        Err(_) => Err(SetupError::Host(host.to_owned())),
    }
}

fn named(host: &str) -> Result<Host<'_>, SetupError> {
    host_name(host)?;
    Ok(match host.parse() {
        Ok(IpAddr::V4(address)) => Host::V4(address.octets(), host),
        Ok(IpAddr::V6(address)) => Host::V6(address.octets(), host),
        Err(_) => Host::Name(host),
    })
}

impl PartialEq for Proxy {
    /// By kind, address and credentials.
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.host, self.port, &self.credentials)
            == (other.kind, &other.host, other.port, &other.credentials)
    }
}

impl Eq for Proxy {}

impl fmt::Display for Proxy {
    /// The URL without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = (self.kind.scheme(), &self.host, self.port);
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("url", &format_args!("{self}"))
            .field("credentials", &self.credentials.as_ref().map(|_| format_args!("[secret]")))
            .finish_non_exhaustive()
    }
}

/// A way to one server through one proxy.
pub(crate) struct Route<'a> {
    proxy: &'a Proxy,
    host: &'a str,
    port: u16,
    handshake: Handshake,
}

impl Route<'_> {
    /// Goes it, all within `limit`: `dial` to the proxy, then the handshake with it. The connection
    /// has no peer: whose address it is could only be said by the proxy.
    pub(crate) async fn open(
        self,
        dial: &dyn Dial,
        limit: Duration,
    ) -> Result<Connection, net::Error> {
        let Self { proxy, host, port, handshake } = self;
        let mut reached = false;
        let opened = tokio::time::timeout(limit, async {
            let dialled = dial.dial(&proxy.host, proxy.port).await;
            let connection = dialled.map_err(Error::Unreachable)?;
            reached = true;
            let stream = proxy.greet(connection).await?;
            proxy.tunnel(stream, handshake).await
        })
        .await;
        let stream = match opened {
            Ok(opened) => opened,
            Err(_) if reached => Err(Error::Deadline { after: limit }),
            Err(_) => Err(Error::Unreachable(io::ErrorKind::TimedOut.into())),
        };
        match stream {
            Ok(stream) => Ok(Connection { stream, peer: None }),
            Err(source) => {
                let (proxy, host) = (proxy.to_string(), host.to_owned());
                Err(net::Error::Proxy { proxy, host, port, source: Box::new(source) })
            }
        }
    }
}

impl Proxy {
    /// TLS with the proxy itself, if it speaks it.
    async fn greet(&self, connection: Connection) -> Result<Box<dyn Stream>, Error> {
        if self.kind != Kind::Https {
            return Ok(connection.stream);
        }
        let config = self.tls.clone().unwrap_or_default();
        // The whole has a deadline.
        let greeted = config.handshake(connection, &self.host, Duration::MAX).await;
        greeted.map(|(stream, _)| stream).map_err(|error| {
            Error::Tls(match error {
                HandshakeError::Net(error) => Box::new(error),
                HandshakeError::Misuse(misuse) => Box::new(net::Error::Tls {
                    host: self.host.to_string(),
                    source: io::Error::other(misuse),
                }),
            })
        })
    }

    async fn tunnel(
        &self,
        stream: Box<dyn Stream>,
        handshake: Handshake,
    ) -> Result<Box<dyn Stream>, Error> {
        let name = self.kind.scheme();
        let mut driver =
            Driver::new(stream, handshake, name, Timeouts::default(), &Limits::default());
        if let Some(credentials) = &self.credentials {
            driver.scrub(credentials.scrubber());
        }
        match driver.event().await {
            Ok(ended) => ended?,
            Err(Broken::Net(net::Error::Io(error))) => return Err(Error::Io(error)),
            Err(Broken::Net(_)) => return Err(Error::Closed),
            Err(Broken::Fault(fault)) => return Err(fault.into()),
        }
        let (stream, handshake) = driver.into_parts();
        Ok(Rewound::to(handshake.into_rest(), stream))
    }
}
