//! What the network did, whatever the protocol.

use std::io;
use std::time::Duration;

use rustls::AlertDescription::{HandshakeFailure, InsufficientSecurity, ProtocolVersion};

use crate::Retry;

/// A failure below the protocol.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No address of the host could be reached, or it has none.
    #[error("cannot reach {host}:{port}: {source}")]
    Dial {
        /// The host that was dialled.
        host: String,
        /// Its port.
        port: u16,
        /// Why, for the last address tried; its text names them all.
        source: io::Error,
    },
    /// The server was not reached, because of the proxy in between.
    #[cfg(feature = "proxy")]
    #[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
    #[error("cannot reach {host}:{port} through {proxy}: {source}")]
    Proxy {
        /// The proxy, as a URL without credentials.
        proxy: String,
        /// The server.
        host: String,
        /// Its port.
        port: u16,
        /// What the proxy did.
        source: Box<super::proxy::Error>,
    },
    /// The server's certificate does not show that it is the host that was asked for.
    #[error("the certificate of {host} was refused: {reason}")]
    Certificate {
        /// The name that the certificate should carry.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS handshake failed for another reason than the certificate.
    #[error("the TLS handshake with {host} failed: {source}")]
    Tls {
        /// The host.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// A wait came to its deadline.
    #[error("no answer within {} s", after.as_secs_f32())]
    Deadline {
        /// The deadline that passed; see [`Timeouts`](crate::Timeouts).
        after: Duration,
    },
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The connection was closed on this side, because an earlier failure had made it useless.
    #[error("the client closed this connection after an earlier failure, `{after}`")]
    ClosedByClient {
        /// What the first error said that came of it.
        after: String,
    },
    /// A future was dropped, and what it had begun could not be brought to an end within the
    /// bounds of [`Limits`](crate::Limits) and [`Timeouts`](crate::Timeouts), or must not be.
    #[error("the connection was closed because an operation on it was dropped half way")]
    Abandoned,
    /// Reading or writing failed.
    #[error("the connection broke: {0}")]
    Io(#[source] io::Error),
}

impl Error {
    /// What to do next.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Tls { source, .. } if never_fits(source) => Retry::Never,
            Self::Dial { .. } | Self::Tls { .. } => Retry::Later(None),
            #[cfg(feature = "proxy")]
            Self::Proxy { source, .. } => source.retry(),
            Self::Certificate { .. } => Retry::Never,
            Self::Deadline { .. }
            | Self::Closed
            | Self::ClosedByClient { .. }
            | Self::Abandoned
            | Self::Io(_) => Retry::Reconnect,
        }
    }
}

/// Whether it is no accident of one handshake: the peer does not speak TLS, or has no version and no
/// cipher in common with us.
fn never_fits(source: &io::Error) -> bool {
    let rustls = source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(
        rustls,
        Some(
            rustls::Error::InvalidMessage(_)
                | rustls::Error::PeerIncompatible(_)
                | rustls::Error::AlertReceived(
                    ProtocolVersion | HandshakeFailure | InsufficientSecurity
                )
        )
    )
}

#[cfg(test)]
mod tests {
    use rustls::AlertDescription::InternalError;
    use rustls::{InvalidMessage, PeerIncompatible};

    use super::*;

    #[test]
    fn a_handshake_is_repeated_only_where_it_may_come_to_another_end() {
        use rustls::Error as Tls;
        for (inner, retry) in [
            // `2` of 220, where a record was to begin.
            (Tls::InvalidMessage(InvalidMessage::InvalidContentType), Retry::Never),
            (Tls::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon), Retry::Never),
            (Tls::AlertReceived(ProtocolVersion), Retry::Never),
            (Tls::AlertReceived(InternalError), Retry::Later(None)),
            (Tls::General("?".into()), Retry::Later(None)),
        ] {
            let source = io::Error::new(io::ErrorKind::InvalidData, inner);
            let error = Error::Tls { host: "mail.example".into(), source };
            assert_eq!(error.retry(), retry, "{error}");
        }
        let source = io::ErrorKind::UnexpectedEof.into();
        let error = Error::Tls { host: "mail.example".into(), source };
        assert_eq!(error.retry(), Retry::Later(None));
    }
}
