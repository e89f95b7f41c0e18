//! What only the caller can mend.

use crate::Protocol;

/// The call cannot work as it was made. Nothing was sent; an open connection stays usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// A client was given the endpoint of another protocol.
    #[error("the {client} client was given an {endpoint} endpoint")]
    WrongProtocol {
        /// What the client speaks.
        client: Protocol,
        /// What the endpoint speaks.
        endpoint: Protocol,
    },
    /// A connector without [`auth`](crate::Connector::auth).
    #[error("no credentials: call `auth` on the connector first")]
    NoAuth,
    /// The host is neither a host name nor an address, so no certificate can match it.
    #[error("`{0}` is not a host name")]
    BadHost(String),
    /// The extra root certificates cannot be read.
    #[error("the root certificates cannot be used: {0}")]
    BadRoots(String),
    /// Neither the feature `ring` nor `aws-lc-rs` is on, and no TLS configuration was given.
    #[error(
        "no crypto provider: turn on the feature `ring` or `aws-lc-rs`, or give a configuration \
         by `tls::Config::from_rustls_0_23`"
    )]
    NoCryptoProvider,
    /// Clear text was asked for, and the peer is not on this machine.
    #[error("clear text is allowed to a loopback address only")]
    ClearTextToRemote,
    /// Clear text was asked for, and a proxy stands in between: the peer is the proxy, even if it
    /// is on this machine.
    #[cfg(feature = "proxy")]
    #[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
    #[error("clear text does not go through a proxy")]
    ClearTextThroughProxy,
    /// The settings of the proxy cannot work.
    #[cfg(feature = "proxy")]
    #[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
    #[error(transparent)]
    Proxy(crate::net::proxy::SetupError),
    /// A secret was about to be written to a connection without TLS.
    #[error("a secret may not be written to a clear-text connection")]
    SecretInClearText,
    /// An argument holds a character that would end the command and start another: CR, LF or NUL.
    #[error("a CR, LF or NUL in {what}")]
    LineBreak {
        /// Which argument.
        what: &'static str,
    },
    /// A user name, token, password or host that cannot be sent.
    #[error(transparent)]
    Input(#[from] crate::sasl::InputError),
    /// An argument outside what the protocol can express.
    #[error("{what}: {why}")]
    Argument {
        /// Which argument.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

#[cfg(feature = "proxy")]
impl From<crate::net::proxy::SetupError> for Misuse {
    /// A host is a host, with a proxy or without.
    fn from(error: crate::net::proxy::SetupError) -> Self {
        match error {
            crate::net::proxy::SetupError::Host(host) => Self::BadHost(host),
            error => Self::Proxy(error),
        }
    }
}
