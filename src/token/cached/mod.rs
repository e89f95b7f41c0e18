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

use self::event::Events;
use self::flight::{Departure, Flight, Landing, Reason, RuntimeEnded};
use self::key::{Key, KeyOf};
use self::slots::{Next, Store, lock};
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
/// - A refused token is replaced by another, once, however many connections report it and however
///   late: one that is given in place of itself is handed out again, for half a minute at least.
///   Where every new token is refused too, ten are replaced at once and then one in half a minute:
///   many requests for tokens in a short time make a server refuse them all.
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

    /// Has no tokens at hand any more, and takes none that is on its way.
    #[cfg(feature = "oauth")]
    pub(super) fn forget(&self) {
        lock(&self.store).slots.clear();
    }

    /// A token at hand, or the refresh that will bring one.
    fn look(&self, request: &TokenRequest) -> Found<P> {
        let key = (self.key)(request);
        let mut store = lock(&self.store);
        match store.next(&key, request.min_lifetime()) {
            Next::Give(token) => Found::Token(token),
            Next::GiveAndRenew(token, left) => {
                // From a provider that has tokens of its own, one that outlives this.
                let longer = left.saturating_add(Duration::from_secs(1));
                let ahead =
                    request.clone().with_purpose(Purpose::Connect).with_min_lifetime(longer);
                Found::Due(token, self.take_off(&mut store, key, ahead, Reason::Ahead))
            }
            Next::Keep(token) => Found::Kept(token),
            Next::Wait(flight) => Found::UnderWay(flight),
            Next::Ask => {
                let departure = self.take_off(&mut store, key, request.clone(), Reason::Needed);
                Found::Nothing(departure)
            }
            Next::Replace(token) => {
                let request = request.clone().with_purpose(store.force(&token));
                let reason = Reason::Refused(token);
                Found::Nothing(self.take_off(&mut store, key, request, reason))
            }
            Next::Closed(error, left) => Found::Closed(error, left),
        }
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
        let flight = Flight::new(waiting);
        store.begin(key.clone(), flight.clone());
        let ahead = matches!(reason, Reason::Ahead);
        let instead_of = match reason {
            Reason::Refused(token) => Some(token),
            Reason::Needed | Reason::Ahead => None,
        };
        let landing =
            Landing { store: self.store.clone(), key, instead_of, margin: self.margin, answer };
        let events = self.events.clone();
        Departure { provider: self.provider.clone(), request, ahead, landing, events, flight }
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
                Found::Kept(token) => {
                    self.events.tell(CacheEvent::NotForced);
                    return Ok(token);
                }
                Found::Closed(error, left) => {
                    self.events.tell(CacheEvent::HeldBack { left });
                    return Err(error);
                }
            };
            match flight.outcome().await {
                // A refresh begun before the refusal can bring back the very token that was
                // refused: the provider did not know that yet.
                Some(Ok(token)) if lock(&self.store).is_to_be_replaced(&token) => {}
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
    /// A token to hand out although a server refused it.
    Kept(AccessToken),
    /// The provider's last error, and how long it wants to be left alone yet.
    Closed(TokenError, Duration),
}
