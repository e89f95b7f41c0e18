//! Why tokens could not be stored or read.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::Retry;
use crate::token::TokenError;

/// A [`TokenStore`](super::TokenStore) failed.
///
/// Found as the [`cause`](TokenError::cause) of a [`TokenError`] when a provider needed the store.
/// No message holds a token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file system refused.
    #[error("{step} {}: {cause}", path.display())]
    File {
        /// What was being done, such as `reading`.
        step: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Another process has kept the lock for too long.
    #[error("another process has held the lock {} for {after:?}", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long it was waited for.
        after: Duration,
    },
    /// A file holds no tokens that can be read. It was moved aside, so that a new sign-in can take
    /// its place: the next call finds nothing stored.
    #[error("{} is damaged ({why}) and was moved to {}: sign in again", path.display(), moved_to.display())]
    Damaged {
        /// Where the file was.
        path: PathBuf,
        /// Where it is now.
        moved_to: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The text is not what [`TokenSet::to_json`](super::TokenSet::to_json) writes.
    #[error("what is stored are no tokens: {why}")]
    NotTokens {
        /// What is wrong with it.
        why: String,
    },
    /// The keyring of the system refused.
    #[error("{step} the keyring: {cause}")]
    Keyring {
        /// What was being done, such as `reading`.
        step: &'static str,
        /// What the keyring said.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The blocking work was not done because the Tokio runtime is ending.
    #[error("the Tokio runtime has ended")]
    RuntimeEnded,
    /// A store of the program's own failed.
    #[error("{cause}")]
    Other {
        /// What to do next.
        retry: Retry,
        /// What it said.
        cause: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// A passing fault of a store of one's own: the network, a database that restarts.
    pub fn later(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other { retry: Retry::Later(None), cause: cause.into() }
    }

    /// A fault of a store of one's own that will not pass: a missing table, a wrong password.
    pub fn never(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other { retry: Retry::Never, cause: cause.into() }
    }

    /// What to do next: wait where the fault may pass, otherwise have somebody act. That is the
    /// administrator where permissions, space or the keyring are in the way, and whoever can sign in
    /// again where the tokens are lost ([`Damaged`](Self::Damaged), [`NotTokens`](Self::NotTokens)).
    pub fn retry(&self) -> Retry {
        match self {
            Self::Other { retry, .. } => *retry,
            Self::Locked { .. } | Self::RuntimeEnded => Retry::Later(None),
            Self::File { cause, .. } => match cause.kind() {
                io::ErrorKind::Interrupted
                | io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::ResourceBusy => Retry::Later(None),
                _ => Retry::Administrator,
            },
            Self::Damaged { .. } | Self::NotTokens { .. } | Self::Keyring { .. } => {
                Retry::Administrator
            }
        }
    }

    pub(super) fn other_form(form: u32) -> Self {
        Self::NotTokens { why: format!("they are in form {form}, and only form 1 is known") }
    }

    /// What serde found wrong, without what it found: that may be a token.
    pub(super) fn not_tokens(error: &serde_json::Error) -> Self {
        let what = match error.classify() {
            serde_json::error::Category::Eof => "they end too early",
            serde_json::error::Category::Syntax => "they are not JSON",
            _ => "a field is missing or of another type",
        };
        Self::NotTokens {
            why: format!("{what}, at line {} column {}", error.line(), error.column()),
        }
    }
}

impl From<StoreError> for TokenError {
    fn from(error: StoreError) -> Self {
        Self::new(error.retry(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;

    #[test]
    fn a_full_disk_is_for_the_administrator_and_a_held_lock_passes() {
        let full = StoreError::File {
            step: "writing",
            path: "/var/lib/t.json".into(),
            cause: io::ErrorKind::StorageFull.into(),
        };
        assert_eq!(full.retry(), Retry::Administrator);
        let held = StoreError::Locked { path: "t.lock".into(), after: Duration::from_secs(60) };
        assert_eq!(held.retry(), Retry::Later(None));
    }

    #[test]
    fn as_a_token_error_it_keeps_its_advice_and_its_type() {
        let error = TokenError::from(StoreError::later("the database restarts"));
        assert_eq!(error.retry(), Retry::Later(None));
        assert!(error.cause().downcast_ref::<StoreError>().is_some());
        assert_eq!(error.to_string(), "getting an access token failed: the database restarts");
    }
}
