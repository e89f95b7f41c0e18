//! What kind of failure kept a token away.

use std::fmt;
use std::time::Duration;

/// What is in the way of a token: the answer of [`TokenError::kind`](super::TokenError::kind).
///
/// [`Failure::retry`](crate::Failure::retry) says what to do next; this says what to tell, to whom.
///
/// ```
/// use mailbearer::token::{ErrorKind, TokenError};
///
/// fn who_must_act(error: &TokenError) -> &'static str {
///     match error.kind() {
///         ErrorKind::SignInNeeded(_) => "the user: sign in again",
///         ErrorKind::ClientCredential => "the operator: renew the secret or certificate",
///         ErrorKind::Configuration => "the developer: fix the registration or the settings",
///         ErrorKind::Throttled { .. } | ErrorKind::ServerBusy | ErrorKind::Transport => "nobody",
///         _ => "whoever reads the log",
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No HTTP answer: name resolution, connection, TLS, or a deadline.
    Transport,
    /// The server wants fewer requests, and said perhaps how long to wait.
    Throttled {
        /// What `Retry-After` asked for.
        retry_after: Option<Duration>,
    },
    /// The server is unwell and says that it will pass.
    ServerBusy,
    /// A person must sign in, or do something at the next sign-in.
    SignInNeeded(SignInReason),
    /// The application's own credential was refused: a wrong or expired secret, a certificate that
    /// is not registered, a bad assertion.
    ClientCredential,
    /// The registration or the settings are wrong: scope, tenant, cloud, grant, redirect.
    Configuration,
    /// The user, or the owner of the resource, said no.
    Denied,
    /// The device code or authorization code has expired or was used before: start again.
    CodeExpired,
    /// The `TokenStore` failed (feature `oauth`).
    Store,
    /// The other side did not answer as OAuth 2.0 says.
    Protocol,
    /// A provider that is not of this crate failed.
    Other,
}

/// Why a person must sign in (again).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignInReason {
    /// Nobody has signed in yet: there is no refresh token.
    NotSignedIn,
    /// The refresh token has expired: by its age, or because it was not used for long.
    Expired,
    /// The refresh token was revoked: a changed password, a sign-out everywhere, an administrator.
    Revoked,
    /// Consent to the permissions is missing, the user's or the administrator's.
    Consent,
    /// A second factor, or enrolling for one.
    Mfa,
    /// A policy (Conditional Access, security defaults, risk) wants something at the sign-in.
    Policy,
    /// The account: unknown, disabled, locked, of another tenant, or its password is wrong or old.
    Account,
    /// The server gave no reason that is known here.
    Unspecified,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transport => "no answer",
            Self::Throttled { .. } => "throttled",
            Self::ServerBusy => "server busy",
            Self::SignInNeeded(_) => "sign-in needed",
            Self::ClientCredential => "client credential refused",
            Self::Configuration => "configuration",
            Self::Denied => "denied",
            Self::CodeExpired => "code expired",
            Self::Store => "token store",
            Self::Protocol => "not as OAuth 2.0 says",
            Self::Other => "other",
        })
    }
}
