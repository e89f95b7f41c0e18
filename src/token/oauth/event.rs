//! What happens on the way to a token, for an application's own metrics.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::Failure;
use crate::token::{CacheEvent, ErrorKind, TokenError};

/// Something that happened at a token endpoint or with stored tokens. No event holds a secret.
///
/// The same are `tracing` events of the target `mailbearer::token`: failures at level WARN, the
/// rest at DEBUG.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use mailbearer::token::{ClientCredentials, TokenEvent};
///
/// let refused = Arc::new(AtomicU64::new(0));
/// let counter = refused.clone();
/// let tokens = ClientCredentials::entra("contoso.example", "app-id", "app-secret")
///     .on_event(move |event| {
///         if let TokenEvent::Failed { .. } = event {
///             counter.fetch_add(1, Ordering::Relaxed);
///         }
///     })
///     .build()?;
/// # Ok::<(), mailbearer::token::SetupError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenEvent {
    /// The server issued an access token.
    Issued {
        /// The grant: `client credentials`, `refresh token`, `device code` and so on.
        grant: &'static str,
        /// How long the token lives, if the server said so.
        lifetime: Option<Duration>,
        /// How long the exchange took.
        took: Duration,
    },
    /// There was no token. A device code that is still pending is not a failure.
    Failed {
        /// The grant.
        grant: &'static str,
        /// What kind of failure.
        kind: ErrorKind,
        /// How long it took.
        took: Duration,
    },
    /// The server replaced the refresh token, and the new one was stored.
    RefreshTokenRotated,
    /// New tokens could not be stored. They are used and kept in memory, and storing is tried again
    /// at the next renewal; until then a restart loses them.
    NotStored {
        /// What the store said.
        reason: String,
    },
    /// What the cache in front of the grant did.
    Cache(CacheEvent),
    /// The certificate's file could not be read or is damaged; the last good one is used.
    CertificateNotReloaded {
        /// What is wrong with it.
        reason: String,
    },
}

/// Where events go.
#[derive(Clone, Default)]
pub(crate) struct Events(Option<Arc<Listener>>);

type Listener = dyn Fn(&TokenEvent) + Send + Sync;

impl Events {
    pub(crate) fn new(listener: impl Fn(&TokenEvent) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    pub(crate) fn issued(&self, grant: &'static str, lifetime: Option<Duration>, took: Duration) {
        tracing::debug!(target: "mailbearer::token", grant, ?lifetime, ?took, "token issued");
        self.tell(TokenEvent::Issued { grant, lifetime, took });
    }

    pub(crate) fn failed(&self, grant: &'static str, error: &TokenError, took: Duration) {
        let retry = error.retry();
        tracing::warn!(target: "mailbearer::token", grant, %error, ?retry, ?took, "no token");
        self.tell(TokenEvent::Failed { grant, kind: error.kind(), took });
    }

    pub(crate) fn rotated(&self) {
        tracing::debug!(target: "mailbearer::token", "the refresh token was replaced and stored");
        self.tell(TokenEvent::RefreshTokenRotated);
    }

    pub(crate) fn not_stored(&self, reason: String) {
        tracing::warn!(target: "mailbearer::token", reason, "tokens could not be stored");
        self.tell(TokenEvent::NotStored { reason });
    }

    pub(crate) fn certificate_not_reloaded(&self, reason: String) {
        tracing::warn!(target: "mailbearer::token", reason, "the certificate was not reloaded");
        self.tell(TokenEvent::CertificateNotReloaded { reason });
    }

    /// The cache has traced it already.
    pub(crate) fn of_cache(&self, event: &CacheEvent) {
        self.tell(TokenEvent::Cache(event.clone()));
    }

    fn tell(&self, event: TokenEvent) {
        if let Some(listener) = &self.0 {
            listener(&event);
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}
