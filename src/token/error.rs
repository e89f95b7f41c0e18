//! Why there is no token.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{ErrorKind, MalformedToken};
use crate::{Failure, Retry, Stage};

/// A [`TokenProvider`](super::TokenProvider) could not give a token.
///
/// It wraps the cause, whatever its type, with the answer to what a caller may do. A cheap clone:
/// all connections that waited for one token get the same error.
///
/// Both `Display` and `Debug` show the message of the cause, and nothing of its `Debug`: errors of
/// other crates print whole responses there.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use mailbearer::{Failure, Retry, token::TokenError};
///
/// let busy = std::io::Error::other("the vault is sealed");
/// let error = TokenError::later(busy).with_retry_after(Duration::from_secs(30));
/// assert_eq!(error.to_string(), "getting an access token failed: the vault is sealed");
/// assert_eq!(error.retry(), Retry::Later(Some(Duration::from_secs(30))));
/// assert!(error.cause().downcast_ref::<std::io::Error>().is_some());
/// ```
#[derive(Clone)]
pub struct TokenError {
    kind: ErrorKind,
    retry: Retry,
    cause: Arc<dyn Error + Send + Sync>,
}

impl TokenError {
    /// A passing fault: the network, a throttle, a service that is down.
    pub fn later(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Retry::Later(None), cause)
    }

    /// The same request will fail again: a wrong secret, a malformed scope.
    pub fn never(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Retry::Never, cause)
    }

    /// Nothing helps until somebody grants a permission, gives consent or renews a credential.
    pub fn administrator(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Retry::Administrator, cause)
    }

    /// The same error with the time that the other side asked to wait. It changes nothing about an
    /// error that no waiting helps.
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        if let Retry::Later(after) = &mut self.retry {
            *after = Some(wait);
        }
        self
    }

    /// What was wrapped, for `downcast_ref`.
    pub fn cause(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.cause
    }

    /// What kind of failure it is. [`ErrorKind::Other`] unless a provider of this crate failed.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn new(retry: Retry, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        let kind = kind_of(&*cause);
        Self { kind, retry, cause: Arc::from(cause) }
    }

    #[cfg(feature = "oauth")]
    pub(crate) fn of_kind(
        kind: ErrorKind,
        retry: Retry,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { kind, ..Self::new(retry, cause) }
    }
}

/// What a cause of this crate is about, also when a caller wrapped it.
fn kind_of(cause: &(dyn Error + Send + Sync + 'static)) -> ErrorKind {
    #[cfg(feature = "oauth")]
    {
        if let Some(refusal) = cause.downcast_ref::<super::TokenEndpointError>() {
            return refusal.kind();
        }
        if let Some(no_answer) = cause.downcast_ref::<super::NoAnswer>() {
            return no_answer.kind();
        }
        if cause.is::<super::store::StoreError>() {
            return ErrorKind::Store;
        }
    }
    if cause.is::<MalformedToken>() { ErrorKind::Protocol } else { ErrorKind::Other }
}

impl From<MalformedToken> for TokenError {
    fn from(cause: MalformedToken) -> Self {
        Self::never(cause)
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "getting an access token failed: {}", self.cause)
    }
}

impl fmt::Debug for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenError")
            .field("retry", &self.retry)
            .field("cause", &format_args!("{}", self.cause))
            .finish()
    }
}

impl Error for TokenError {
    /// What caused the cause, whose own message is part of this error's.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

impl Failure for TokenError {
    fn retry(&self) -> Retry {
        self.retry
    }

    fn stage(&self) -> Stage {
        Stage::Token
    }

    /// There was no connection yet.
    fn connection_usable(&self) -> bool {
        false
    }

    /// The token endpoint's description, if it was one that refused.
    fn reply_text(&self) -> Option<Cow<'_, str>> {
        #[cfg(feature = "oauth")]
        if let Some(refusal) = self.cause.downcast_ref::<super::TokenEndpointError>() {
            return refusal.description().map(Cow::Borrowed);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("it answered nonsense")]
    struct Talkative {
        _body: &'static str,
    }

    #[test]
    fn debug_never_shows_the_debug_of_the_cause() {
        let error = TokenError::never(Talkative { _body: "access_token=EwB" });
        assert_eq!(
            format!("{error:?}"),
            "TokenError { retry: Never, cause: it answered nonsense }"
        );
    }

    #[test]
    fn no_waiting_time_makes_a_final_error_a_passing_one() {
        let error = TokenError::never("no").with_retry_after(Duration::from_secs(1));
        assert_eq!(error.retry(), Retry::Never);
    }

    #[test]
    fn clones_share_the_cause() {
        let error = TokenError::later(Talkative { _body: "" });
        assert!(error.clone().cause().downcast_ref::<Talkative>().is_some());
    }
}
