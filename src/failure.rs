//! What the errors of all three protocols have in common: where it failed and what to do next.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// What a caller can do after a failure. Answered by [`Failure::retry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// The same request will fail again: it is wrong, or what it is about is no longer there. Change the
    /// request, or look again at what the server has.
    Never,
    /// A passing fault or a throttle: try again later, after this long if the server said how long.
    Later(Option<Duration>),
    /// This connection is gone or unfit; the same request may succeed on a new one at once.
    Reconnect,
    /// The access token, or the password, was refused or has expired: get another, then connect
    /// again. With a token the `connect_…` functions have done so once already when they return
    /// this.
    RefreshToken,
    /// It is not known whether the server carried the request out. Repeating it may do it twice.
    MayDuplicate,
    /// No retry helps until somebody changes a permission, a policy or a mailbox setting.
    Administrator,
}

/// The step during which something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Getting an access token from the [`TokenProvider`](crate::TokenProvider).
    Token,
    /// Resolving the host name and opening the connection.
    Dial,
    /// The TLS handshake, including the check of the certificate.
    Tls,
    /// Waiting for the server's greeting.
    Greeting,
    /// Asking what the server can do: EHLO, CAPABILITY or CAPA.
    Capabilities,
    /// Asking for TLS: STARTTLS or STLS.
    StartTls,
    /// The SASL exchange.
    Auth,
    /// The first command after login, which finds out whether the mailbox really opened.
    Probe,
    /// The named command of an authenticated session.
    Command(&'static str),
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "getting a token",
            Self::Dial => "dialling",
            Self::Tls => "TLS handshake",
            Self::Greeting => "greeting",
            Self::Capabilities => "asking for capabilities",
            Self::StartTls => "STARTTLS",
            Self::Auth => "authentication",
            Self::Probe => "the first command after login",
            Self::Command(name) => name,
        })
    }
}

impl Stage {
    /// When it happened, in a sentence.
    pub(crate) fn when(self) -> String {
        match self {
            Self::Token | Self::Dial | Self::Capabilities => format!("while {self}"),
            Self::Tls | Self::Greeting => format!("during the {self}"),
            _ => format!("during {self}"),
        }
    }

    /// How the message of a refusal begins.
    pub(crate) fn refused(self) -> String {
        match self {
            Self::Greeting => "the server turned the connection away".to_owned(),
            Self::Capabilities | Self::Probe => format!("{self} was refused"),
            _ => format!("{self} refused"),
        }
    }
}

/// The questions every error of this crate answers, whatever its protocol.
///
/// ```
/// use mailbearer::{Failure, Retry};
///
/// fn advice(error: &dyn Failure) -> &'static str {
///     match error.retry() {
///         Retry::Later(_) => "wait and try again",
///         Retry::Reconnect => "connect again",
///         Retry::RefreshToken => "sign in again",
///         Retry::MayDuplicate => "look before you repeat it",
///         Retry::Administrator => "ask the administrator",
///         _ => "give up",
///     }
/// }
/// ```
pub trait Failure: std::error::Error + Send + Sync + 'static {
    /// What to do next.
    fn retry(&self) -> Retry;

    /// The step that failed.
    fn stage(&self) -> Stage;

    /// Whether the connection on which this happened can go on being used.
    fn connection_usable(&self) -> bool;

    /// The server's own words, if it said any, without the secrets it may have echoed.
    fn reply_text(&self) -> Option<Cow<'_, str>>;
}

/// How the message of a closed connection ends: with the server's last words, and during
/// authentication with the length of the credential, since servers close on those that are too
/// long for them.
pub(crate) fn closing_words(
    reply: &Option<impl fmt::Display>,
    credential_octets: &Option<usize>,
) -> String {
    let mut words = String::new();
    if let Some(octets) = credential_octets {
        words.push_str(&format!(", after a credential of {octets} octets"));
    }
    if let Some(reply) = reply {
        words.push_str(&format!(": {reply}"));
    }
    words
}

/// What a server offers, in the message of an error that wants more.
pub(crate) fn offers(offered: &str) -> &str {
    if offered.is_empty() { "nothing" } else { offered }
}
