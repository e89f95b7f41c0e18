//! One token for many connections.
//!
//! ```text
//!            token()                     launch
//!   no slot ────────▶ refresh in flight ────────▶ a task of its own asks the provider
//!      ▲                   │       ▲                      │
//!      │ rejected()        │ Ok    │ token() finds        │ the task ends without an answer:
//!      │ or expired        ▼       │ it due               ▼ the next waiter launches again
//!      └─────────────── token held ┘
//! ```
//!
//! A slot is what one key of [`Cached::keyed_by`] stands for. The lock is never held across an
//! await, nor while code of the provider, the key function or the runtime runs.

mod event;
mod flight;
mod key;
mod slots;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use self::event::Events;
use self::flight::{Departure, Flight, Landing, Reason, RuntimeEnded};
use self::key::{Key, KeyOf};
use self::slots::{Store, lock};
use super::{AccessToken, Purpose, Rejection, TokenError, TokenProvider, TokenRequest};
use crate::BoxFuture;

pub use self::event::CacheEvent;

type Outcome = Result<AccessToken, TokenError>;

/// Keeps the tokens of another provider while they are good, and renews them ahead of time.
///
/// A clone is cheap and shares the tokens.
///
/// - A token is handed out again while it lives for [`TokenRequest::min_lifetime`] and no server
///   has refused it. One that was just fetched is handed out whatever its lifetime.
/// - Some minutes before that ([`with_margin`](Self::with_margin)), or when the token says so
///   ([`AccessToken::with_refresh_in`]), it is renewed in the background, and handed out until the
///   new one is there. If that fails it is tried again no sooner than after half a minute, or as
///   long as the error says.
/// - However many callers wait, one request is under way. An error goes to all who wait for it,
///   and is forgotten, unless it says how long to wait: until then, but for an hour at most, it is
///   the answer to all who need a new token.
/// - A refused token is replaced by another, and that one too if it is refused, three times within
///   half a minute at most. Then the last is handed out again rather than replaced: many requests
///   for tokens in a short time make a server refuse them all.
/// - The request runs in a task of its own on the caller's Tokio runtime. A caller that gives up
///   does not stop it. If the runtime ends first, a waiter on another runtime starts again. (A
///   current-thread runtime outside `block_on` stands still without having ended, and those who
///   wait for its refresh wait on.)
///
/// # Which requests share a token
///
/// By default those for the same protocol and host. The mailbox does not count, because a shared
/// mailbox is opened with the token of whoever has access to it. **If your provider answers with
/// different tokens for different mailboxes, say so with [`per_mailbox`](Self::per_mailbox)**, or
/// one user's connection gets another's token. If it answers all requests with one token, say so
/// with [`one_token_for_all`](Self::one_token_for_all) and save requests. Anything else can be said
/// with [`keyed_by`](Self::keyed_by).
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use mailbearer::AccessToken;
/// use mailbearer::token::{Cached, from_fn};
///
/// let tokens = Cached::new(from_fn(|_request| async {
///     // Ask somebody.
///     Ok(AccessToken::new("EwBAAl3BAAUF").with_lifetime(Duration::from_secs(3599)))
/// }))
/// .one_token_for_all();
/// ```
///
/// # Cancel safety
///
/// `token` may be dropped at any time; what was fetched for it is kept for the next caller.
pub struct Cached<P> {
    provider: Arc<P>,
    key: Arc<KeyOf>,
    margin: Duration,
    store: Arc<Mutex<Store>>,
    events: Events,
}

impl<P: TokenProvider + 'static> Cached<P> {
    /// How long before it stops being handed out a token is renewed, at least.
    const MARGIN: Duration = Duration::from_secs(5 * 60);

    /// A cache in front of this provider, with one token for each protocol and host, and a margin
    /// of five minutes.
    pub fn new(provider: P) -> Self {
        Self {
            provider: Arc::new(provider),
            key: Arc::new(Key::of_service),
            margin: Self::MARGIN,
            store: Arc::default(),
            events: Events::default(),
        }
    }

    /// One token for every request, whatever its protocol, host and mailbox.
    ///
    /// Right where tokens are issued for one resource that covers all three protocols, as they are
    /// for an application at Microsoft 365. Starts with no tokens.
    pub fn one_token_for_all(self) -> Self {
        self.keyed(|_| Key::default())
    }

    /// One token for each mailbox, protocol and host. Right where each user has signed in. Starts
    /// with no tokens.
    pub fn per_mailbox(self) -> Self {
        let by_service = self.key.clone();
        self.keyed(move |request| Key {
            mailbox: Some(request.shared_mailbox()),
            ..by_service(request)
        })
    }

    /// Requests for which this function gives the same string share a token: the scope they need,
    /// the name of the account that signs in. Starts with no tokens.
    pub fn keyed_by(self, key: impl Fn(&TokenRequest) -> String + Send + Sync + 'static) -> Self {
        self.keyed(move |request| Key { name: key(request), ..Key::default() })
    }

    fn keyed(self, key: impl Fn(&TokenRequest) -> Key + Send + Sync + 'static) -> Self {
        Self { key: Arc::new(key), store: Arc::default(), ..self }
    }

    /// Renews a token this long before it stops being handed out; five minutes by default.
    ///
    /// Up to as much again is added, drawn anew for each token, so that programs started together
    /// do not ask together for ever. Both together are at most a third of the token's lifetime.
    /// Zero means that a token is renewed only when it is too old to be handed out.
    pub fn with_margin(self, margin: Duration) -> Self {
        Self { margin, ..self }
    }

    /// Tells this function of everything but the tokens handed out from memory. It is called in
    /// between, by the task that asks the provider or by a caller, and should be quick.
    pub fn on_event(self, listener: impl Fn(&CacheEvent) + Send + Sync + 'static) -> Self {
        Self { events: Events::new(listener), ..self }
    }

    /// A token at hand, or the refresh that will bring one.
    fn look(&self, request: &TokenRequest) -> Found<P> {
        let key = (self.key)(request);
        let now = Instant::now();
        let mut store = lock(&self.store);
        let slot = store.slots.get(&key);
        if let Some(slot) = slot
            && let Some(held) = &slot.held
            && held.remaining(now) >= request.min_lifetime()
        {
            let token = held.token.clone();
            let renew = slot.flight.is_none()
                && slot.paused_until.is_none_or(|until| until <= now)
                && held.is_due(now, request.min_lifetime());
            if !renew {
                return Found::Token(token);
            }
            // From a provider that has tokens of its own, one that outlives this.
            let longer = held.remaining(now).saturating_add(Duration::from_secs(1));
            let ahead = request.clone().with_purpose(Purpose::Connect).with_min_lifetime(longer);
            let departure = self.take_off(&mut store, key, ahead, Reason::Ahead);
            return Found::Due(token, departure);
        }
        if let Some(slot) = slot {
            if let Some(flight) = &slot.flight {
                return Found::UnderWay(flight.clone());
            }
            if let Some(forced) = slot.forced.as_ref().filter(|forced| forced.until > now)
                && forced.times >= Store::MOST_FORCED
                && forced.held.remaining(now) >= request.min_lifetime()
            {
                return Found::Forced(forced.held.token.clone());
            }
            if let Some((error, until)) = &slot.closed
                && let left = until.saturating_duration_since(now)
                && !left.is_zero()
            {
                return Found::Closed(error.clone().with_retry_after(left), left);
            }
        }
        Found::Nothing(self.take_off(&mut store, key, request.clone(), Reason::Needed))
    }

    /// Registers a refresh. The caller starts it once the lock is free: a runtime that is shutting
    /// down drops the task at once, on this thread, and that takes the lock again.
    fn take_off(
        &self,
        store: &mut Store,
        key: Key,
        request: TokenRequest,
        reason: Reason,
    ) -> Departure<P> {
        let (answer, waiting) = watch::channel(None);
        let purpose = request.purpose();
        let flight = Flight { purpose, answer: waiting };
        store.slots.entry(key.clone()).or_default().flight = Some(flight.clone());
        let landing =
            Landing { store: self.store.clone(), key, purpose, margin: self.margin, answer };
        let events = self.events.clone();
        Departure { provider: self.provider.clone(), request, reason, landing, events, flight }
    }

    async fn fetch(&self, request: &TokenRequest) -> Result<AccessToken, TokenError> {
        loop {
            let (mut flight, own) = match self.look(request) {
                Found::Token(token) => return Ok(token),
                Found::Due(token, departure) => {
                    // No runtime to renew it in is no reason to keep it back.
                    let _ = departure.start();
                    return Ok(token);
                }
                Found::UnderWay(flight) => (flight, false),
                Found::Nothing(departure) => (departure.start()?, true),
                Found::Forced(token) => {
                    self.events.tell(CacheEvent::NotForced);
                    return Ok(token);
                }
                Found::Closed(error, left) => {
                    self.events.tell(CacheEvent::HeldBack { left });
                    return Err(error);
                }
            };
            match flight.outcome().await {
                // A refresh begun for somebody's first connection can bring back the very token
                // that was refused meanwhile: the provider did not know that yet.
                Some(Ok(token))
                    if request.purpose() == Purpose::Retry
                        && flight.purpose != Purpose::Retry
                        && lock(&self.store).was_refused(&token) => {}
                Some(outcome) => return outcome,
                // Only a runtime that ends drops a task of ours, and this one was on our own.
                None if own => return Err(TokenError::later(RuntimeEnded)),
                None => {}
            }
        }
    }
}

impl<P: TokenProvider + 'static> TokenProvider for Cached<P> {
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        Box::pin(self.fetch(request))
    }

    /// Forgets the token, unless another has taken its place, and tells the provider.
    fn rejected<'a>(&'a self, token: &'a AccessToken, why: Rejection) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            lock(&self.store).refuse(token);
            self.events.tell(CacheEvent::Refused);
            self.provider.rejected(token, why).await;
        })
    }
}

impl<P> Clone for Cached<P> {
    fn clone(&self) -> Self {
        Self {
            provider: self.provider.clone(),
            key: self.key.clone(),
            margin: self.margin,
            store: self.store.clone(),
            events: self.events.clone(),
        }
    }
}

impl<P> fmt::Debug for Cached<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("margin", &self.margin).finish_non_exhaustive()
    }
}

/// What [`Cached::look`] found.
enum Found<P> {
    /// A token to hand out.
    Token(AccessToken),
    /// A token to hand out, and a refresh to start behind it.
    Due(AccessToken, Departure<P>),
    /// A refresh to wait for.
    UnderWay(Flight),
    /// A refresh to start and wait for.
    Nothing(Departure<P>),
    /// A refused token, because another has only just been fetched in place of one.
    Forced(AccessToken),
    /// The provider's last error, and how long it wants to be left alone yet.
    Closed(TokenError, Duration),
}
