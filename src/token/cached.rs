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

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{AccessToken, CacheEvent, Purpose, Rejection, TokenError, TokenProvider, TokenRequest};
use crate::{BoxFuture, Failure, Protocol, Retry};

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

type KeyOf = dyn Fn(&TokenRequest) -> Key + Send + Sync;

/// Requests with the same key share a token. It is made for every request, so it shares what the
/// request holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Key {
    service: Option<(Protocol, Arc<str>)>,
    mailbox: Option<Arc<str>>,
    name: String,
}

impl Key {
    fn of_service(request: &TokenRequest) -> Self {
        let service = (request.protocol(), request.endpoint().shared_host());
        Self { service: Some(service), ..Self::default() }
    }
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
        Self { events: Events(Some(Arc::new(listener))), ..self }
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

type Outcome = Result<AccessToken, TokenError>;

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

/// Where events go.
#[derive(Clone, Default)]
struct Events(Option<Arc<Listener>>);

type Listener = dyn Fn(&CacheEvent) + Send + Sync;

impl Events {
    fn tell(&self, event: CacheEvent) {
        if let Some(listener) = &self.0 {
            listener(&event);
        }
    }
}

#[derive(Default)]
struct Store {
    slots: HashMap<Key, Slot>,
    /// The last few tokens that servers refused. They are never held again, even if the provider
    /// goes on giving them.
    refused: VecDeque<AccessToken>,
}

#[derive(Default)]
struct Slot {
    held: Option<Held>,
    flight: Option<Flight>,
    /// No refresh ahead of time before this.
    paused_until: Option<Instant>,
    /// No refresh at all before this: the provider said so, with this error.
    closed: Option<(TokenError, Instant)>,
    forced: Option<Forced>,
}

/// The last token that was fetched because another was refused. Only looked at when it is refused
/// too.
struct Forced {
    held: Held,
    /// How many were fetched so until then.
    times: u32,
    /// When counting begins anew.
    until: Instant,
}

impl Store {
    const REFUSED: usize = 16;
    /// How long a token that is still good is left alone after a refresh failed.
    const PAUSE: Duration = Duration::from_secs(30);
    const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
    /// How many refused tokens are replaced within one pause.
    const MOST_FORCED: u32 = 3;

    fn refuse(&mut self, token: &AccessToken) {
        for slot in self.slots.values_mut() {
            slot.held.take_if(|held| held.token.same(token));
        }
        if !self.was_refused(token) {
            self.refused.push_back(token.clone());
        }
        if self.refused.len() > Self::REFUSED {
            self.refused.pop_front();
        }
    }

    fn was_refused(&self, token: &AccessToken) -> bool {
        self.refused.iter().any(|refused| refused.same(token))
    }

    /// Takes what a refresh brought and makes room for the next one.
    fn settle(&mut self, key: &Key, purpose: Purpose, margin: Duration, outcome: Option<&Outcome>) {
        let now = Instant::now();
        let fetched = outcome.and_then(|outcome| outcome.as_ref().ok());
        let held = fetched.map(|token| Held::new(token, margin));
        let refused = fetched.is_some_and(|token| self.was_refused(token));
        if let Some(slot) = self.slots.get_mut(key) {
            slot.flight = None;
            slot.closed = match outcome {
                Some(Err(error)) => match error.retry() {
                    Retry::Later(Some(wait)) => {
                        Some((error.clone(), now + wait.min(Self::LONGEST_PAUSE)))
                    }
                    _ => None,
                },
                _ => None,
            };
            slot.paused_until = match outcome {
                Some(Err(error)) => match error.retry() {
                    Retry::Later(Some(wait)) => Some(now + wait.min(Self::LONGEST_PAUSE)),
                    _ => Some(now + Self::PAUSE),
                },
                _ => None,
            };
            if let Some(held) = held {
                let before = slot.forced.take().filter(|forced| forced.until > now);
                let times = before.as_ref().map_or(0, |before| before.times) + 1;
                slot.forced = (purpose == Purpose::Retry).then(|| Forced {
                    held: held.clone(),
                    // A provider that gives what was refused has no other.
                    times: if refused { Self::MOST_FORCED } else { times },
                    until: before.map_or_else(|| now + Self::PAUSE, |before| before.until),
                });
                slot.held = (!refused).then_some(held);
            }
        }
        // A cache keyed by mailbox must not grow with every mailbox it has ever seen.
        self.slots.retain(|_, slot| {
            slot.flight.is_some()
                || slot.closed.as_ref().is_some_and(|(_, until)| *until > now)
                || slot.forced.as_ref().is_some_and(|forced| forced.until > now)
                || slot.held.as_ref().is_some_and(|held| !held.remaining(now).is_zero())
        });
    }
}

fn lock(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A token that may be handed out again.
#[derive(Clone)]
struct Held {
    token: AccessToken,
    /// The expiry on Tokio's clock, beside those that the token itself goes by.
    deadline: Option<Instant>,
    /// How long before it stops being handed out it is renewed. Drawn once: were it drawn at each
    /// look, the earliest of many draws would win and the spread be gone.
    lead: Duration,
    /// When the token itself says that it should be renewed, and a little later: a server says the
    /// same to all whom it answers at the same time.
    due_at: Option<Instant>,
}

impl Held {
    fn new(token: &AccessToken, margin: Duration) -> Self {
        let lifetime = token.remaining();
        let deadline = lifetime.and_then(|lifetime| Instant::now().checked_add(lifetime));
        let lead = margin.saturating_add(random_part_of(margin));
        let longest = lifetime.map_or(Duration::ZERO, |lifetime| lifetime / 3);
        let due_at = token.refresh_in().and_then(|wait| {
            let spread = random_part_of(margin.min(lifetime.unwrap_or(margin) / 8));
            Instant::now().checked_add(wait.saturating_add(spread))
        });
        Self { token: token.clone(), deadline, lead: lead.min(longest), due_at }
    }

    fn remaining(&self, now: Instant) -> Duration {
        let here = self.deadline.map(|at| at.saturating_duration_since(now));
        here.into_iter().chain(self.token.remaining()).min().unwrap_or(Duration::MAX)
    }

    fn is_due(&self, now: Instant, min_lifetime: Duration) -> bool {
        self.remaining(now) < min_lifetime.saturating_add(self.lead)
            || self.due_at.is_some_and(|at| at <= now)
    }
}

/// From nothing to just under the whole. The standard library seeds its hash maps from the system's
/// source of randomness, which is all that spreading requests needs.
fn random_part_of(whole: Duration) -> Duration {
    const PARTS: u32 = 1 << 10;
    let random = RandomState::new().hash_one(()) as u32;
    (whole / PARTS) * (random % PARTS)
}

/// A refresh, as those see it who wait for it.
#[derive(Clone)]
struct Flight {
    purpose: Purpose,
    answer: watch::Receiver<Option<Outcome>>,
}

impl Flight {
    /// What came of it; `None` if its task was dropped before it had an answer.
    async fn outcome(&mut self) -> Option<Outcome> {
        let answer = self.answer.wait_for(Option::is_some).await.ok()?;
        answer.clone()
    }
}

/// A refresh that is registered and not yet started.
struct Departure<P> {
    provider: Arc<P>,
    request: TokenRequest,
    reason: Reason,
    landing: Landing,
    events: Events,
    flight: Flight,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Needed,
    Ahead,
}

impl<P: TokenProvider + 'static> Departure<P> {
    fn start(self) -> Result<Flight, TokenError> {
        let Self { provider, request, reason, landing, events, flight } = self;
        let runtime = Handle::try_current().map_err(TokenError::never)?;
        runtime.spawn(async move {
            let begun = Instant::now();
            let outcome = provider.token(&request).await;
            let report = Report { reason, wanted: request.min_lifetime(), took: begun.elapsed() };
            report.tell(&outcome, &events);
            landing.settle(Some(outcome));
        });
        Ok(flight)
    }
}

/// What is told of a refresh.
struct Report {
    reason: Reason,
    wanted: Duration,
    took: Duration,
}

impl Report {
    fn tell(&self, outcome: &Outcome, events: &Events) {
        let (ahead, took) = (self.reason == Reason::Ahead, self.took);
        let token = match outcome {
            Ok(token) => token,
            Err(error) => {
                if ahead {
                    tracing::warn!(%error, "could not renew an access token ahead of time");
                }
                events.tell(CacheEvent::Failed { ahead, retry: error.retry(), took });
                return;
            }
        };
        let lifetime = token.remaining();
        events.tell(CacheEvent::Fetched { ahead, lifetime, took });
        // One fetched ahead of time is wanted to outlive another, and nobody waits for it.
        if let Some(lifetime) = lifetime.filter(|lifetime| !ahead && *lifetime < self.wanted) {
            let wanted = self.wanted;
            tracing::warn!(?lifetime, ?wanted, "a new access token lives shorter than is wanted");
            events.tell(CacheEvent::ShortLived { lifetime, wanted });
        }
    }
}

/// Where a refresh delivers its outcome. Dropped without one, it makes room for the next refresh.
struct Landing {
    store: Arc<Mutex<Store>>,
    key: Key,
    purpose: Purpose,
    margin: Duration,
    answer: watch::Sender<Option<Outcome>>,
}

impl Landing {
    fn settle(&self, outcome: Option<Outcome>) {
        lock(&self.store).settle(&self.key, self.purpose, self.margin, outcome.as_ref());
        if outcome.is_some() {
            self.answer.send_replace(outcome);
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if self.answer.borrow().is_some() {
            return;
        }
        // A provider that panics once will do so again: its waiters must not try in turn.
        let panicked = std::thread::panicking().then(|| Err(TokenError::never(Panicked)));
        self.settle(panicked);
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the token provider panicked")]
struct Panicked;

#[derive(Debug, thiserror::Error)]
#[error("the Tokio runtime that was asking for it has ended")]
struct RuntimeEnded;

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Waker};

    use tokio::runtime::{Builder, Runtime};
    use tokio::sync::{Semaphore, mpsc};
    use tokio::time::advance;

    use super::*;
    use crate::Endpoint;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    /// Gives `t1`, `t2`, … or whatever was put in, counts, and can be held up.
    struct Source {
        fetched: AtomicUsize,
        lifetime: Duration,
        answers: Mutex<VecDeque<Outcome>>,
        gate: Semaphore,
        asked: Mutex<Vec<TokenRequest>>,
        refused: Mutex<Vec<(AccessToken, Rejection)>>,
        started: mpsc::UnboundedSender<()>,
    }

    struct Setup {
        tokens: Cached<Arc<Source>>,
        source: Arc<Source>,
        started: mpsc::UnboundedReceiver<()>,
    }

    /// Tokens that live for an hour, given at once.
    fn setup() -> Setup {
        setup_with(HOUR, Semaphore::MAX_PERMITS)
    }

    fn setup_with(lifetime: Duration, permits: usize) -> Setup {
        let (sender, started) = mpsc::unbounded_channel();
        let source = Arc::new(Source {
            fetched: AtomicUsize::new(0),
            lifetime,
            answers: Mutex::default(),
            gate: Semaphore::new(permits),
            asked: Mutex::default(),
            refused: Mutex::default(),
            started: sender,
        });
        Setup { tokens: Cached::new(source.clone()), source, started }
    }

    impl Source {
        fn fetched(&self) -> usize {
            self.fetched.load(Ordering::SeqCst)
        }

        fn will_answer(&self, outcome: Outcome) {
            self.answers.lock().unwrap().push_back(outcome);
        }
    }

    impl TokenProvider for Source {
        fn token<'a>(&'a self, request: &'a TokenRequest) -> BoxFuture<'a, Outcome> {
            Box::pin(async move {
                let number = self.fetched.fetch_add(1, Ordering::SeqCst) + 1;
                self.asked.lock().unwrap().push(request.clone());
                let _ = self.started.send(());
                self.gate.acquire().await.unwrap().forget();
                let answer = self.answers.lock().unwrap().pop_front();
                answer.unwrap_or_else(|| {
                    Ok(AccessToken::new(format!("t{number}")).with_lifetime(self.lifetime))
                })
            })
        }

        fn rejected<'a>(&'a self, token: &'a AccessToken, why: Rejection) -> BoxFuture<'a, ()> {
            Box::pin(async move {
                self.refused.lock().unwrap().push((token.clone(), why));
            })
        }
    }

    fn request() -> TokenRequest {
        TokenRequest::new(Endpoint::imap("mail.example.net"), "m").with_min_lifetime(5 * MINUTE)
    }

    fn retry() -> TokenRequest {
        request().with_purpose(Purpose::Retry)
    }

    async fn get(tokens: &Cached<Arc<Source>>, request: TokenRequest) -> String {
        tokens.token(&request).await.unwrap().expose().to_owned()
    }

    /// Lets every task that can run do so.
    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_time().build().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_fetched_once_and_handed_out_again() {
        let Setup { tokens, source, .. } = setup();
        assert_eq!(get(&tokens, request()).await, "t1");
        assert_eq!(get(&tokens.clone(), request()).await, "t1");
        assert_eq!(source.fetched(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_callers_wait_for_one_fetch() {
        let Setup { tokens, source, mut started } = setup_with(HOUR, 0);
        let callers: Vec<_> = (0..100)
            .map(|_| {
                let tokens = tokens.clone();
                tokio::spawn(async move { get(&tokens, request()).await })
            })
            .collect();
        started.recv().await.unwrap();
        settle().await;
        source.gate.add_permits(1);
        for caller in callers {
            assert_eq!(caller.await.unwrap(), "t1");
        }
        assert_eq!(source.fetched(), 1);
    }

    #[test]
    fn callers_on_many_threads_wait_for_one_fetch() {
        let Setup { tokens, source, mut started } = setup_with(HOUR, 0);
        let runtime = Builder::new_multi_thread().worker_threads(4).build().unwrap();
        runtime.block_on(async {
            let callers: Vec<_> = (0..100)
                .map(|_| {
                    let tokens = tokens.clone();
                    tokio::spawn(async move { get(&tokens, request()).await })
                })
                .collect();
            started.recv().await.unwrap();
            source.gate.add_permits(1);
            for caller in callers {
                assert_eq!(caller.await.unwrap(), "t1");
            }
        });
        assert_eq!(source.fetched(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_gives_up_does_not_stop_the_refresh() {
        let Setup { tokens, source, mut started } = setup_with(HOUR, 0);
        let caller = tokio::spawn({
            let tokens = tokens.clone();
            async move { get(&tokens, request()).await }
        });
        started.recv().await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        source.gate.add_permits(1);
        settle().await;
        assert_eq!(get(&tokens, request()).await, "t1");
        assert_eq!(source.fetched(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_goes_to_all_who_wait_and_is_forgotten() {
        let Setup { tokens, source, mut started } = setup_with(HOUR, 0);
        source.will_answer(Err(TokenError::later("down")));
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let tokens = tokens.clone();
                tokio::spawn(async move { tokens.token(&request()).await })
            })
            .collect();
        started.recv().await.unwrap();
        settle().await;
        source.gate.add_permits(2);
        for caller in callers {
            let error = caller.await.unwrap().unwrap_err();
            assert_eq!(error.to_string(), "getting an access token failed: down");
        }
        assert_eq!(source.fetched(), 1);
        assert_eq!(get(&tokens, request()).await, "t2");
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_just_fetched_is_handed_out_whatever_its_lifetime() {
        let Setup { tokens, source, .. } = setup_with(MINUTE, Semaphore::MAX_PERMITS);
        assert_eq!(get(&tokens, request()).await, "t1");
        // It was good enough once, but is not handed out again.
        assert_eq!(get(&tokens, request()).await, "t2");
        // Unless less is asked of it.
        let modest = request().with_min_lifetime(MINUTE / 2);
        assert_eq!(get(&tokens, modest).await, "t2");
        assert_eq!(source.fetched(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_too_old_for_the_request_is_replaced_before_it_is_handed_out() {
        let Setup { tokens, .. } = setup();
        assert_eq!(get(&tokens, request()).await, "t1");
        advance(HOUR - 5 * MINUTE + Duration::from_secs(1)).await;
        assert_eq!(get(&tokens, request()).await, "t2");
    }

    #[tokio::test(start_paused = true)]
    async fn within_the_margin_the_old_token_is_handed_out_while_a_new_one_is_fetched() {
        let Setup { tokens, source, mut started } = setup_with(HOUR, 1);
        assert_eq!(get(&tokens, request()).await, "t1");
        started.recv().await.unwrap();
        // Ten minutes are the least lifetime and the margin; the jitter can only be more.
        advance(HOUR - 10 * MINUTE + Duration::from_secs(1)).await;
        assert_eq!(get(&tokens, request()).await, "t1");
        started.recv().await.unwrap();
        assert_eq!(get(&tokens, request()).await, "t1");
        source.gate.add_permits(1);
        settle().await;
        assert_eq!(get(&tokens, request()).await, "t2");
        assert_eq!(source.fetched(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_ahead_of_time_is_never_a_retry() {
        let Setup { tokens, source, .. } = setup();
        get(&tokens, request()).await;
        advance(HOUR - 9 * MINUTE).await;
        // Another token than this one was refused: it is handed out, and renewed as usual.
        assert_eq!(get(&tokens, retry()).await, "t1");
        settle().await;
        assert_eq!(source.asked.lock().unwrap()[1].purpose(), Purpose::Connect);
    }

    #[tokio::test(start_paused = true)]
    async fn outside_margin_and_jitter_nothing_is_fetched() {
        let Setup { tokens, source, .. } = setup();
        assert_eq!(get(&tokens, request()).await, "t1");
        advance(HOUR - 16 * MINUTE).await;
        assert_eq!(get(&tokens, request()).await, "t1");
        settle().await;
        assert_eq!(source.fetched(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_margin_leaves_two_thirds_of_a_short_life() {
        let Setup { tokens, source, .. } = setup_with(12 * MINUTE, Semaphore::MAX_PERMITS);
        assert_eq!(get(&tokens, request()).await, "t1");
        advance(2 * MINUTE).await;
        assert_eq!(get(&tokens, request()).await, "t1");
        settle().await;
        assert_eq!(source.fetched(), 1);
    }

    #[test]
    fn jitter_is_drawn_once_for_each_token() {
        let token = AccessToken::new("t").with_lifetime(24 * HOUR);
        let leads: Vec<_> = (0..64).map(|_| Held::new(&token, HOUR).lead).collect();
        assert!(leads.iter().all(|lead| (HOUR..2 * HOUR).contains(lead)), "{leads:?}");
        assert!(leads.iter().any(|lead| *lead != leads[0]), "{leads:?}");

        let held = Held::new(&token, HOUR);
        let now = Instant::now();
        let turns = (0..100_000_u64).map(|second| now + Duration::from_secs(second));
        let due: Vec<_> = turns.map(|at| held.is_due(at, Duration::ZERO)).collect();
        assert!(due.is_sorted() && !due[0] && due[99_999]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_renewal_is_not_seen_and_is_tried_again_after_a_pause() {
        let Setup { tokens, source, .. } = setup();
        get(&tokens, request()).await;
        advance(HOUR - 9 * MINUTE).await;
        source.will_answer(Err(TokenError::later("down")));
        assert_eq!(get(&tokens, request()).await, "t1");
        settle().await;
        assert_eq!(get(&tokens, request()).await, "t1");
        settle().await;
        assert_eq!(source.fetched(), 2);
        advance(Duration::from_secs(31)).await;
        assert_eq!(get(&tokens, request()).await, "t1");
        settle().await;
        assert_eq!(get(&tokens, request()).await, "t3");
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_asks_to_wait_is_left_alone_so_long() {
        let Setup { tokens, source, .. } = setup();
        source.will_answer(Err(TokenError::later("busy").with_retry_after(MINUTE)));
        assert!(tokens.token(&request()).await.is_err());
        advance(MINUTE / 4).await;
        for asked in [request(), retry()] {
            let error = tokens.token(&asked).await.unwrap_err();
            assert_eq!(error.retry(), Retry::Later(Some(MINUTE * 3 / 4)));
        }
        assert_eq!(source.fetched(), 1);
        // Another service is not meant.
        let elsewhere = TokenRequest::new(Endpoint::smtp("another.example.net"), "m");
        assert_eq!(get(&tokens, elsewhere).await, "t2");
        advance(MINUTE * 3 / 4).await;
        assert_eq!(get(&tokens, request()).await, "t3");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_without_a_waiting_time_does_not_hold_up_the_next_caller() {
        let Setup { tokens, source, .. } = setup();
        source.will_answer(Err(TokenError::later("busy")));
        assert!(tokens.token(&request()).await.is_err());
        assert_eq!(get(&tokens, request()).await, "t2");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_left_alone_for_ever() {
        let Setup { tokens, source, .. } = setup();
        source.will_answer(Err(TokenError::later("busy").with_retry_after(Duration::MAX)));
        assert!(tokens.token(&request()).await.is_err());
        assert!(tokens.token(&request()).await.is_err());
        advance(HOUR).await;
        assert_eq!(get(&tokens, request()).await, "t2");
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_says_when_to_renew_it_is_renewed_then() {
        let Setup { tokens, source, .. } = setup();
        let day = 24 * HOUR;
        let long = AccessToken::new("long").with_lifetime(day).with_refresh_in(day / 2);
        source.will_answer(Ok(long));
        assert_eq!(get(&tokens, request()).await, "long");
        advance(day / 2 - MINUTE).await;
        assert_eq!(get(&tokens, request()).await, "long");
        settle().await;
        assert_eq!(source.fetched(), 1);
        advance(7 * MINUTE).await;
        assert_eq!(get(&tokens, request()).await, "long");
        settle().await;
        assert_eq!(get(&tokens, request()).await, "t2");
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_ahead_of_time_asks_for_a_token_that_lives_longer() {
        let Setup { tokens, source, .. } = setup();
        get(&tokens, request()).await;
        advance(HOUR - 9 * MINUTE).await;
        get(&tokens, request()).await;
        settle().await;
        let wanted = source.asked.lock().unwrap()[1].min_lifetime();
        assert!(wanted > 9 * MINUTE - Duration::from_secs(1) && wanted < 10 * MINUTE, "{wanted:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn events_tell_what_the_cache_did() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let Setup { tokens, source, .. } = setup();
        let tokens = tokens.on_event({
            let told = told.clone();
            move |event| told.lock().unwrap().push(event.clone())
        });
        let said = || std::mem::take(&mut *told.lock().unwrap());
        let brief = AccessToken::new("brief").with_expiry(std::time::SystemTime::now());
        source.will_answer(Ok(brief.clone()));
        get(&tokens, request()).await;
        let none = Duration::ZERO;
        let fetched = |lifetime| CacheEvent::Fetched { ahead: false, lifetime, took: none };
        let short = CacheEvent::ShortLived { lifetime: none, wanted: 5 * MINUTE };
        assert_eq!(said(), [fetched(Some(none)), short]);

        source.will_answer(Ok(AccessToken::new("endless")));
        get(&tokens, request()).await;
        get(&tokens, request()).await;
        assert_eq!(said(), [fetched(None)]);

        tokens.rejected(&AccessToken::new("endless"), Rejection::Expired).await;
        source.will_answer(Err(TokenError::later("busy").with_retry_after(MINUTE)));
        assert!(tokens.token(&request()).await.is_err());
        assert!(tokens.token(&request()).await.is_err());
        let retry = Retry::Later(Some(MINUTE));
        let failed = CacheEvent::Failed { ahead: false, retry, took: none };
        assert_eq!(said(), [CacheEvent::Refused, failed, CacheEvent::HeldBack { left: MINUTE }]);
    }

    #[tokio::test(start_paused = true)]
    async fn refused_tokens_are_replaced_three_times_in_half_a_minute_at_most() {
        let Setup { tokens, source, .. } = setup();
        let mut refused = tokens.token(&request()).await.unwrap();
        for next in ["t2", "t3", "t4"] {
            tokens.rejected(&refused, Rejection::Expired).await;
            refused = tokens.token(&retry()).await.unwrap();
            assert_eq!(refused.expose(), next);
        }
        tokens.rejected(&refused, Rejection::Expired).await;
        // The connections that come now are told by the same token that there is no other.
        for asked in [retry(), request(), retry()] {
            assert_eq!(get(&tokens, asked).await, "t4");
        }
        assert_eq!(source.fetched(), 4);
        advance(Duration::from_secs(31)).await;
        assert_eq!(get(&tokens, request()).await, "t5");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rejected_token_is_replaced_and_the_provider_is_told() {
        let Setup { tokens, source, .. } = setup();
        let first = tokens.token(&request()).await.unwrap();
        let why = Rejection::Refused { reply: "535 5.7.3".into() };
        tokens.rejected(&first, why.clone()).await;
        assert_eq!(get(&tokens, retry()).await, "t2");
        assert_eq!(source.asked.lock().unwrap()[1].purpose(), Purpose::Retry);
        let refused = source.refused.lock().unwrap();
        assert_eq!(refused.len(), 1);
        assert!(refused[0].0.same(&first));
        assert_eq!(refused[0].1, why);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_rejection_leaves_the_token_that_took_its_place() {
        let Setup { tokens, source, .. } = setup();
        let first = tokens.token(&request()).await.unwrap();
        // Three connections were refused with the same token, one after the other.
        for _ in 0..3 {
            tokens.rejected(&first, Rejection::Expired).await;
            assert_eq!(get(&tokens, retry()).await, "t2");
        }
        assert_eq!(source.fetched(), 2);
        assert_eq!(source.refused.lock().unwrap().len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_that_is_given_again_is_not_kept() {
        let Setup { tokens, source, .. } = setup();
        let first = tokens.token(&request()).await.unwrap();
        tokens.rejected(&first, Rejection::Expired).await;
        source.will_answer(Ok(first.clone()));
        assert_eq!(get(&tokens, retry()).await, "t1");
        // Not asked for again at once, but not for long either.
        assert_eq!(get(&tokens, retry()).await, "t1");
        assert_eq!(source.fetched(), 2);
        advance(Duration::from_secs(31)).await;
        assert_eq!(get(&tokens, retry()).await, "t3");
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_does_not_take_the_refused_token_from_a_refresh_begun_before() {
        let Setup { tokens, source, mut started } = setup_with(HOUR, 1);
        let first = tokens.token(&request()).await.unwrap();
        started.recv().await.unwrap();
        advance(HOUR - 9 * MINUTE).await;
        // A renewal ahead of time is under way and will bring the same token again.
        assert_eq!(get(&tokens, request()).await, "t1");
        started.recv().await.unwrap();
        source.will_answer(Ok(first.clone()));
        tokens.rejected(&first, Rejection::Expired).await;
        let again = tokio::spawn({
            let tokens = tokens.clone();
            async move { get(&tokens, retry()).await }
        });
        settle().await;
        source.gate.add_permits(2);
        assert_eq!(again.await.unwrap(), "t3");
        assert_eq!(source.asked.lock().unwrap()[2].purpose(), Purpose::Retry);
    }

    #[test]
    fn if_the_runtime_of_the_refresh_ends_a_waiter_on_another_starts_again() {
        let Setup { tokens, source, mut started } = setup_with(HOUR, 0);
        let (first, second) = (runtime(), runtime());
        let lost = first.spawn({
            let tokens = tokens.clone();
            async move { get(&tokens, request()).await }
        });
        first.block_on(started.recv()).unwrap();
        second.block_on(async {
            let waiters: Vec<_> = (0..10)
                .map(|_| {
                    let tokens = tokens.clone();
                    tokio::spawn(async move { get(&tokens, request()).await })
                })
                .collect();
            settle().await;
            assert_eq!(source.fetched(), 1);
            first.shutdown_background();
            started.recv().await.unwrap();
            source.gate.add_permits(1);
            for waiter in waiters {
                assert_eq!(waiter.await.unwrap(), "t2");
            }
            assert!(lost.await.unwrap_err().is_cancelled());
        });
        assert_eq!(source.fetched(), 2);
    }

    #[test]
    fn a_caller_whose_own_runtime_ends_gets_an_error_and_leaves_no_refresh_behind() {
        let Setup { tokens, source, .. } = setup();
        let first = runtime();
        let request = request();
        let mut call = pin!(tokens.token(&request));
        let mut context = Context::from_waker(Waker::noop());
        {
            let _inside = first.enter();
            assert!(call.as_mut().poll(&mut context).is_pending());
        }
        drop(first);
        let Poll::Ready(Err(error)) = call.as_mut().poll(&mut context) else {
            panic!("the runtime of the refresh is gone");
        };
        assert_eq!(error.retry(), Retry::Later(None));
        assert_eq!(runtime().block_on(get(&tokens, request.clone())), "t1");
        assert_eq!(source.fetched(), 1);
    }

    #[test]
    fn starting_on_a_runtime_that_has_ended_is_an_error_and_no_deadlock() {
        let Setup { tokens, .. } = setup();
        let ended = runtime();
        let handle = ended.handle().clone();
        drop(ended);
        let _inside = handle.enter();
        let request = request();
        let mut call = pin!(tokens.token(&request));
        let answer = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(answer, Poll::Ready(Err(_))));
    }

    #[test]
    fn without_a_runtime_there_is_an_error_and_no_panic() {
        let Setup { tokens, .. } = setup();
        let request = request();
        let mut call = pin!(tokens.token(&request));
        let answer = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(answer, Poll::Ready(Err(_))));
        assert_eq!(runtime().block_on(get(&tokens, request.clone())), "t1");
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_panics_is_an_error_for_all_who_wait() {
        let calls = Arc::new(AtomicUsize::new(0));
        let tokens =
            Cached::new(crate::token::from_fn_with(calls.clone(), |calls, _| async move {
                if calls.fetch_add(1, Ordering::SeqCst) == 0 {
                    panic!("a bug in the provider, on purpose");
                }
                Ok(AccessToken::new("t"))
            }));
        let (one, two) = (request(), request());
        let (first, second) = tokio::join!(tokens.token(&one), tokens.token(&two));
        for outcome in [first, second] {
            let error = outcome.unwrap_err().to_string();
            assert_eq!(error, "getting an access token failed: the token provider panicked");
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert!(tokens.token(&request()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn mailboxes_share_a_token_and_services_do_not() {
        let Setup { tokens, .. } = setup();
        let at = |endpoint, mailbox| TokenRequest::new(endpoint, mailbox);
        assert_eq!(get(&tokens, at(Endpoint::imap("a"), "one")).await, "t1");
        assert_eq!(get(&tokens, at(Endpoint::imap("a"), "two")).await, "t1");
        assert_eq!(get(&tokens, at(Endpoint::imap("b"), "one")).await, "t2");
        assert_eq!(get(&tokens, at(Endpoint::smtp("a"), "one")).await, "t3");
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_decides_which_requests_share_a_token() {
        let at = |endpoint, mailbox| TokenRequest::new(endpoint, mailbox);
        let tokens = setup().tokens.per_mailbox();
        assert_eq!(get(&tokens, at(Endpoint::imap("a"), "one")).await, "t1");
        assert_eq!(get(&tokens, at(Endpoint::imap("a"), "two")).await, "t2");
        assert_eq!(get(&tokens, at(Endpoint::imap("a"), "one")).await, "t1");
        let tokens = setup().tokens.one_token_for_all();
        assert_eq!(get(&tokens, at(Endpoint::imap("a"), "one")).await, "t1");
        assert_eq!(get(&tokens, at(Endpoint::smtp("b"), "two")).await, "t1");
    }

    #[tokio::test(start_paused = true)]
    async fn slots_of_expired_tokens_do_not_pile_up() {
        let tokens = setup().tokens.per_mailbox();
        for mailbox in 0..50 {
            get(&tokens, TokenRequest::new(Endpoint::imap("a"), format!("{mailbox}"))).await;
        }
        assert_eq!(lock(&tokens.store).slots.len(), 50);
        advance(HOUR).await;
        get(&tokens, request()).await;
        assert_eq!(lock(&tokens.store).slots.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_of_unknown_lifetime_is_kept_until_it_is_refused() {
        let Setup { tokens, source, .. } = setup();
        source.will_answer(Ok(AccessToken::new("endless")));
        assert_eq!(get(&tokens, request()).await, "endless");
        advance(1000 * HOUR).await;
        assert_eq!(get(&tokens, request()).await, "endless");
        tokens.rejected(&AccessToken::new("endless"), Rejection::Expired).await;
        assert_eq!(get(&tokens, request()).await, "t2");
    }
}
