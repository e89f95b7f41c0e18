//! What a cache of tokens did.

use std::sync::Arc;
use std::time::Duration;

use crate::Retry;

/// Something that a [`Cached`](crate::token::Cached) did, for an application's own metrics. It holds no
/// secret. A token handed out from memory is no event.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use mailbearer::AccessToken;
/// use mailbearer::token::{CacheEvent, Cached, from_fn};
///
/// let refused = Arc::new(AtomicU64::new(0));
/// let counter = refused.clone();
/// let tokens = Cached::new(from_fn(async |_| Ok(AccessToken::new("EwBAAl3BAAUF"))))
///     .on_event(move |event| {
///         if let CacheEvent::Refused = event {
///             counter.fetch_add(1, Ordering::Relaxed);
///         }
///     });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheEvent {
    /// The provider gave a token.
    Fetched {
        /// Whether it was renewed ahead of time, with nobody waiting.
        ahead: bool,
        /// How long the token lives, if that is known.
        lifetime: Option<Duration>,
        /// How long the provider took.
        took: Duration,
    },
    /// The provider gave none.
    Failed {
        /// Whether it was to be renewed ahead of time, with nobody waiting.
        ahead: bool,
        /// What the error says can be done.
        retry: Retry,
        /// How long the provider took.
        took: Duration,
    },
    /// A token just fetched lives for less than the request asked for. It is handed out to those
    /// who wait for it, since there is no better, and not again. Once in a while it is the last of
    /// a server's own cache; if it comes with every token, each connection costs a token request,
    /// and the servers that want a longer life (High Volume Email) refuse them all.
    ShortLived {
        /// How long the token lives.
        lifetime: Duration,
        /// How long the request wanted it to live.
        wanted: Duration,
    },
    /// A server refused a token that was handed out.
    Refused,
    /// A refused token is handed out again: the provider gave it in place of itself, or many had
    /// just been fetched in place of refused ones. Asking for more of them at once would not help.
    NotForced,
    /// The provider asked to be left alone for a while, and so the caller got its last error.
    HeldBack {
        /// How much of the while is left.
        left: Duration,
    },
}

/// Where events go.
#[derive(Clone, Default)]
pub(super) struct Events(Option<Arc<Listener>>);

type Listener = dyn Fn(&CacheEvent) + Send + Sync;

impl Events {
    pub(super) fn new(listener: impl Fn(&CacheEvent) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    pub(super) fn tell(&self, event: CacheEvent) {
        if let Some(listener) = &self.0 {
            listener(&event);
        }
    }
}
