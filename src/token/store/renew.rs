//! Renewing stored tokens, when others may be doing the same.
//!
//! ```text
//!   load ──▶ good for the request? ── yes ──▶ hand it out
//!                   │ no
//!                   ▼
//!      take the turn in this process, and the store's lock ──▶ load again: good by now? ──▶ …
//!                   │ no
//!                   ▼
//!      spend the refresh token ──▶ store the answer, unless the stored set has changed
//!                   │                                │ it has
//!                   │ invalid_grant                  ▼
//!                   └────────▶ has it changed? ──▶ begin again with theirs
//! ```
//!
//! From the turn on, this runs where neither a caller that gives up nor the end of its runtime can
//! stop it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::keeper::keep;
use super::{Conflict, Revision, StoreError, Stored, TokenSet, TokenStore};
use crate::BoxFuture;
use crate::token::{AccessToken, TokenEndpointError, TokenError, TokenRequest};

/// What a grant does to get new tokens out of those at hand.
pub(crate) trait Refresh: Send + Sync + 'static {
    /// Asks the server. `old` is empty if nobody has signed in. The new set holds what is worth
    /// keeping of the old one, the access token for this scope, and the refresh token to be used
    /// from now on.
    fn refresh<'a>(
        &'a self,
        old: &'a TokenSet,
        scope: &'a str,
    ) -> BoxFuture<'a, Result<TokenSet, TokenError>>;

    /// Whether this says that the refresh token is no longer good: `invalid_grant` in RFC 6749
    /// section 5.2.
    fn was_spent(&self, error: &TokenError) -> bool {
        let refusal = error.cause().downcast_ref::<TokenEndpointError>();
        refusal.is_some_and(|refusal| refusal.error() == Some("invalid_grant"))
    }

    /// A new refresh token was stored in place of an old one.
    fn rotated(&self) {}

    /// New tokens could not be stored. They are used, and storing them is tried again at the next
    /// request.
    fn not_stored(&self, error: &StoreError) {
        let _ = error;
    }
}

/// The tokens of one sign-in, kept in a store and renewed there. A cheap clone.
///
/// It asks the store at each call, so it belongs behind a [`Cached`](crate::token::Cached).
pub(crate) struct Renewing<R> {
    inner: Arc<Inner<R>>,
}

impl<R: Refresh> Renewing<R> {
    pub(crate) fn new(refresh: R, store: Arc<dyn TokenStore>, key: impl Into<String>) -> Self {
        let inner = Inner {
            refresh,
            store,
            key: key.into(),
            turn: tokio::sync::Mutex::default(),
            unsaved: Mutex::default(),
            refused: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// An access token for this scope that is good for the request.
    pub(crate) async fn token(
        &self,
        scope: &str,
        request: &TokenRequest,
    ) -> Result<AccessToken, TokenError> {
        let inner = self.inner.clone();
        if inner.unsaved().is_none() {
            let stored = inner.store.load(&inner.key).await?;
            let good = |stored: Stored| inner.good(stored.tokens(), scope, request);
            if let Some(token) = stored.and_then(good) {
                return Ok(token);
            }
        }
        let (scope, request) = (scope.to_owned(), request.clone());
        keep(async move { inner.renew(&scope, &request).await }).await
    }

    /// Not to be handed out again: a server refused it.
    pub(crate) fn rejected(&self, token: &AccessToken) {
        const REMEMBERED: usize = 16;
        let mut refused = lock(&self.inner.refused);
        if !refused.iter().any(|other| other.same(token)) {
            refused.push_back(token.clone());
        }
        if refused.len() > REMEMBERED {
            refused.pop_front();
        }
    }

    /// Puts the tokens of a new sign-in in place of whatever is stored; an empty set signs out.
    ///
    /// Only signing out fails where the store does: a sign-in is kept in memory then.
    pub(crate) async fn replace(&self, tokens: TokenSet) -> Result<(), TokenError> {
        let inner = self.inner.clone();
        keep(async move { Ok(inner.replace(tokens).await?) }).await
    }
}

impl<R> Clone for Renewing<R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

struct Inner<R> {
    refresh: R,
    store: Arc<dyn TokenStore>,
    key: String,
    /// One renewal at a time in this process, also where the store has no locks.
    turn: tokio::sync::Mutex<()>,
    unsaved: Mutex<Option<Unsaved>>,
    refused: Mutex<VecDeque<AccessToken>>,
}

/// Tokens that the store did not take: this process has the only copy.
#[derive(Clone)]
struct Unsaved {
    tokens: TokenSet,
    origin: Origin,
}

/// What new tokens come of.
#[derive(Clone)]
struct Origin {
    /// What the store held when it was last seen, which they are to take the place of.
    stored: Option<Stored>,
    /// A new sign-in takes the place of anything.
    of_sign_in: bool,
}

impl Origin {
    fn revision(&self) -> Option<Revision> {
        self.stored.as_ref().map(Stored::revision)
    }

    fn refresh_token(&self) -> Option<&str> {
        self.stored.as_ref().and_then(|stored| stored.tokens().refresh_token())
    }
}

/// How often somebody else may come first. Each time they bring tokens that are no older, so more
/// than a few is a store or a server that contradicts itself.
const ROUNDS: usize = 4;

/// When to look again whether somebody else has stored what they got for our refresh token, if
/// there is no lock that would have made us wait for it.
const LATE: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1000)];

impl<R: Refresh> Inner<R> {
    async fn renew(&self, scope: &str, request: &TokenRequest) -> Result<AccessToken, TokenError> {
        let _turn = self.turn.lock().await;
        let lock = match self.store.lock(&self.key).await {
            Ok(lock) => lock,
            // A store that fails does not keep back tokens that are in memory.
            Err(_) if self.unsaved().is_some() => None,
            Err(error) => return Err(error.into()),
        };
        let mut outcome = Err(TokenError::later("others change the stored tokens all the time"));
        for _ in 0..ROUNDS {
            let (old, origin) = self.current().await?;
            if let Some(token) = self.good(&old, scope, request) {
                return Ok(token);
            }
            match self.refresh.refresh(&old, scope).await {
                Ok(new) => {
                    let Some(token) = new.access_token(scope).cloned() else {
                        return Err(TokenError::never("the renewed tokens lack the scope"));
                    };
                    match self.save(new, origin).await {
                        Saved::InStore | Saved::InMemory(_) => return Ok(token),
                        Saved::TheirsStand => outcome = Ok(token),
                    }
                }
                // Somebody spent this refresh token before us, and has stored what came of it: no
                // reason to have a person sign in.
                Err(error)
                    if self.refresh.was_spent(&error)
                        && self.has_moved(&origin, lock.is_some()).await =>
                {
                    outcome = Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        outcome
    }

    /// The tokens to go by: those that are nowhere else, else what is stored.
    async fn current(&self) -> Result<(TokenSet, Origin), StoreError> {
        let unsaved = self.unsaved().clone();
        if let Some(Unsaved { tokens, origin }) = unsaved
            && let Saved::InMemory(_) = self.save(tokens, origin).await
            && let Some(Unsaved { tokens, origin }) = self.unsaved().clone()
        {
            return Ok((tokens, origin));
        }
        let stored = self.store.load(&self.key).await?;
        let tokens = stored.as_ref().map(Stored::tokens).cloned().unwrap_or_default();
        Ok((tokens, Origin { stored, of_sign_in: false }))
    }

    /// Stores new tokens, unless somebody else's stand in their place.
    async fn save(&self, mut new: TokenSet, mut origin: Origin) -> Saved {
        for _ in 0..ROUNDS {
            match self.try_save(&new, &origin).await {
                Ok(Attempt::Stored) => {
                    *self.unsaved() = None;
                    let spent = origin.refresh_token();
                    if spent.is_some() && spent != new.refresh_token() {
                        self.refresh.rotated();
                    }
                    return Saved::InStore;
                }
                Ok(Attempt::Found(theirs)) => {
                    let theirs = Origin { stored: theirs, ..origin };
                    // If they kept the refresh token that we have spent, ours is the one that
                    // works from now on, or they are the same.
                    let ours_is_newer = theirs.refresh_token() == origin.refresh_token();
                    if !origin.of_sign_in && !ours_is_newer {
                        *self.unsaved() = None;
                        return Saved::TheirsStand;
                    }
                    if let (false, Some(theirs)) = (origin.of_sign_in, &theirs.stored) {
                        new = with_access_tokens_of(new, theirs.tokens());
                    }
                    origin = theirs;
                }
                Err(failure) => {
                    self.refresh.not_stored(&failure);
                    *self.unsaved() = Some(Unsaved { tokens: new, origin });
                    return Saved::InMemory(failure);
                }
            }
        }
        Saved::TheirsStand
    }

    async fn try_save(&self, new: &TokenSet, origin: &Origin) -> Result<Attempt, StoreError> {
        match self.store.store_if(&self.key, new, origin.revision()).await? {
            Ok(_) => Ok(Attempt::Stored),
            Err(Conflict) => Ok(Attempt::Found(self.store.load(&self.key).await?)),
        }
    }

    async fn replace(&self, tokens: TokenSet) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        // A sign-in is not lost because another process is slow: it wins without the lock too.
        let _lock = self.store.lock(&self.key).await;
        *self.unsaved() = None;
        // What cannot be read is not there, or storing fails as well and says why.
        let stored = self.store.load(&self.key).await.ok().flatten();
        let signs_out = tokens.refresh_token().is_none();
        match self.save(tokens, Origin { stored, of_sign_in: true }).await {
            Saved::InMemory(failure) if signs_out => {
                *self.unsaved() = None;
                Err(failure)
            }
            _ => Ok(()),
        }
    }

    /// Whether what is stored has been changed by somebody else.
    async fn has_moved(&self, origin: &Origin, locked: bool) -> bool {
        let mut pauses = LATE.iter().take(if locked { 0 } else { LATE.len() });
        loop {
            let Ok(now) = self.store.load(&self.key).await else { return false };
            if now.as_ref().map(Stored::revision) != origin.revision() {
                return true;
            }
            let Some(pause) = pauses.next() else { return false };
            tokio::time::sleep(*pause).await;
        }
    }

    fn good(&self, tokens: &TokenSet, scope: &str, request: &TokenRequest) -> Option<AccessToken> {
        let token = tokens.access_token(scope)?;
        let lives = token.remaining().is_none_or(|left| left >= request.min_lifetime());
        let refused = || lock(&self.refused).iter().any(|other| other.same(token));
        (lives && !refused()).then(|| token.clone())
    }

    fn unsaved(&self) -> MutexGuard<'_, Option<Unsaved>> {
        lock(&self.unsaved)
    }
}

/// What one attempt at storing gave.
enum Attempt {
    Stored,
    /// Something else is there, or nothing is any more.
    Found(Option<Stored>),
}

/// What became of new tokens.
enum Saved {
    /// They are stored.
    InStore,
    /// They are the ones to go by, but the store failed.
    InMemory(StoreError),
    /// Somebody stored others meanwhile.
    TheirsStand,
}

/// Ours, and theirs for the scopes that ours has none for.
fn with_access_tokens_of(ours: TokenSet, theirs: &TokenSet) -> TokenSet {
    theirs.access_tokens().fold(ours, |ours, (scope, token)| match ours.access_token(scope) {
        Some(_) => ours,
        None => ours.with_access_token(scope, token.clone()),
    })
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::runtime::{Builder, Runtime};
    use tokio::sync::{Semaphore, mpsc};

    use super::super::MemoryStore;
    use super::*;
    use crate::token::{Cached, Purpose, Rejection, TokenProvider};
    use crate::{Endpoint, Failure, Retry};

    const HOUR: Duration = Duration::from_secs(3600);

    /// Rotates the refresh token at each use, and takes the use of an old one for theft.
    struct Server {
        current: AtomicUsize,
        reused: AtomicUsize,
        rotates: bool,
        lifetime: Duration,
        /// Two permits for each exchange: one before the server has answered, one after.
        gate: Semaphore,
        at: mpsc::UnboundedSender<Step>,
        stored: Mutex<Vec<&'static str>>,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Step {
        Asked,
        Answered,
    }

    struct Grant(Arc<Server>);

    impl Refresh for Grant {
        fn refresh<'a>(
            &'a self,
            old: &'a TokenSet,
            scope: &'a str,
        ) -> BoxFuture<'a, Result<TokenSet, TokenError>> {
            Box::pin(async move {
                let server = &self.0;
                let _ = server.at.send(Step::Asked);
                server.gate.acquire().await.unwrap().forget();
                let current = server.current.load(Ordering::SeqCst);
                if old.refresh_token() != Some(format!("r{current}").as_str()) {
                    server.reused.fetch_add(1, Ordering::SeqCst);
                    return Err(TokenError::administrator("invalid_grant"));
                }
                let next = current + 1;
                server.current.store(next, Ordering::SeqCst);
                let _ = server.at.send(Step::Answered);
                server.gate.acquire().await.unwrap().forget();
                let token = AccessToken::new(format!("{scope}{next}"));
                let new =
                    old.clone().with_access_token(scope, token.with_lifetime(server.lifetime));
                if !server.rotates {
                    server.current.store(current, Ordering::SeqCst);
                    return Ok(new);
                }
                Ok(new.with_refresh_token(format!("r{next}")))
            })
        }

        fn was_spent(&self, error: &TokenError) -> bool {
            error.cause().to_string() == "invalid_grant"
        }

        fn rotated(&self) {
            self.0.stored.lock().unwrap().push("rotated");
        }

        fn not_stored(&self, _error: &StoreError) {
            self.0.stored.lock().unwrap().push("not stored");
        }
    }

    impl Server {
        fn new(permits: usize) -> (Arc<Self>, mpsc::UnboundedReceiver<Step>) {
            Self::with(permits, HOUR, true)
        }

        fn with(
            permits: usize,
            lifetime: Duration,
            rotates: bool,
        ) -> (Arc<Self>, mpsc::UnboundedReceiver<Step>) {
            let (at, steps) = mpsc::unbounded_channel();
            let server = Self {
                current: AtomicUsize::new(0),
                reused: AtomicUsize::new(0),
                rotates,
                lifetime,
                gate: Semaphore::new(permits),
                at,
                stored: Mutex::default(),
            };
            (Arc::new(server), steps)
        }

        fn renewing(
            self: &Arc<Self>,
            store: &(impl TokenStore + Clone + 'static),
        ) -> Renewing<Grant> {
            Renewing::new(Grant(self.clone()), Arc::new(store.clone()), "k")
        }

        fn current(&self) -> String {
            format!("r{}", self.current.load(Ordering::SeqCst))
        }

        fn reused(&self) -> usize {
            self.reused.load(Ordering::SeqCst)
        }
    }

    fn request() -> TokenRequest {
        let endpoint = Endpoint::imap("mail.example.net");
        TokenRequest::new(endpoint, "m").with_min_lifetime(Duration::from_secs(300))
    }

    async fn get(tokens: &Renewing<Grant>, scope: &str) -> String {
        tokens.token(scope, &request()).await.unwrap().expose().to_owned()
    }

    async fn stored(store: &dyn TokenStore) -> String {
        let stored = store.load("k").await.unwrap().unwrap();
        stored.tokens().refresh_token().unwrap().to_owned()
    }

    async fn signed_in() -> MemoryStore {
        let store = MemoryStore::default();
        let first = TokenSet::default().with_refresh_token("r0");
        store.store_if("k", &first, None).await.unwrap().unwrap();
        store
    }

    fn runtime() -> Runtime {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    #[tokio::test]
    async fn a_stored_token_that_is_good_is_handed_out_without_asking() {
        let store = signed_in().await;
        let (server, mut steps) = Server::new(Semaphore::MAX_PERMITS);
        let tokens = server.renewing(&store);
        assert_eq!(get(&tokens, "imap").await, "imap1");
        assert_eq!(get(&server.renewing(&store), "imap").await, "imap1");
        assert_eq!(get(&tokens, "smtp").await, "smtp2");
        assert_eq!(get(&tokens, "imap").await, "imap1");
        assert_eq!(stored(&store).await, "r2");
        assert_eq!(*server.stored.lock().unwrap(), ["rotated", "rotated"]);
        steps.close();
        assert_eq!(std::iter::from_fn(|| steps.try_recv().ok()).count(), 4);
    }

    #[tokio::test]
    async fn a_refused_token_is_not_taken_from_the_store_again() {
        let store = signed_in().await;
        let (server, _steps) = Server::new(Semaphore::MAX_PERMITS);
        let tokens = server.renewing(&store);
        let first = tokens.token("imap", &request()).await.unwrap();
        tokens.rejected(&first);
        assert_eq!(get(&tokens, "imap").await, "imap2");
        // A late report about the first changes nothing.
        tokens.rejected(&first);
        assert_eq!(get(&tokens, "imap").await, "imap2");
    }

    #[tokio::test]
    async fn a_token_shorter_than_asked_for_is_handed_out_to_the_one_who_got_it() {
        let store = signed_in().await;
        let (server, _steps) = Server::with(Semaphore::MAX_PERMITS, Duration::from_secs(2), true);
        let tokens = server.renewing(&store);
        assert_eq!(get(&tokens, "imap").await, "imap1");
        assert_eq!(get(&tokens, "imap").await, "imap2");
    }

    #[tokio::test]
    async fn a_caller_that_gives_up_at_any_step_loses_no_rotated_token() {
        for step in [Step::Asked, Step::Answered] {
            let store = signed_in().await;
            let (server, mut steps) = Server::new(if step == Step::Asked { 0 } else { 1 });
            let tokens = server.renewing(&store);
            let caller = tokio::spawn({
                let tokens = tokens.clone();
                async move { get(&tokens, "imap").await }
            });
            while steps.recv().await != Some(step) {}
            caller.abort();
            assert!(caller.await.unwrap_err().is_cancelled());
            server.gate.add_permits(10);
            // Waits for the one that was begun, and needs no other.
            assert_eq!(get(&tokens, "imap").await, "imap1");
            assert_eq!((stored(&store).await, server.reused()), (server.current(), 0));
        }
    }

    #[tokio::test]
    async fn a_caller_dropped_at_any_poll_loses_no_rotated_token() {
        for polls in 0..20 {
            let store = Slow(signed_in().await);
            let (server, _steps) = Server::new(Semaphore::MAX_PERMITS);
            let tokens = server.renewing(&store);
            let wanted = request();
            let mut call = Box::pin(tokens.token("imap", &wanted));
            let mut left = polls;
            std::future::poll_fn(|context| {
                if left == 0 || call.as_mut().poll(context).is_ready() {
                    return std::task::Poll::Ready(());
                }
                left -= 1;
                context.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
            drop(call);
            assert_eq!(get(&tokens, "imap").await, "imap1", "{polls}");
            assert_eq!((stored(&store).await, server.reused()), ("r1".into(), 0), "{polls}");
        }
    }

    /// As a grant puts it together.
    struct Provider(Renewing<Grant>);

    impl TokenProvider for Provider {
        fn token<'a>(
            &'a self,
            request: &'a TokenRequest,
        ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
            Box::pin(self.0.token("imap", request))
        }

        fn rejected<'a>(&'a self, token: &'a AccessToken, _why: Rejection) -> BoxFuture<'a, ()> {
            self.0.rejected(token);
            Box::pin(std::future::ready(()))
        }
    }

    #[test]
    fn a_runtime_that_ends_at_any_step_loses_no_rotated_token() {
        for step in [Step::Asked, Step::Answered] {
            let (first, second) = (runtime(), runtime());
            let store = second.block_on(signed_in());
            let (server, mut steps) = Server::new(if step == Step::Asked { 0 } else { 1 });
            let tokens = Cached::new(Provider(server.renewing(&store)));
            let leader = first.spawn({
                let tokens = tokens.clone();
                async move { tokens.token(&request()).await }
            });
            second.block_on(async {
                while steps.recv().await != Some(step) {}
                first.shutdown_background();
                assert!(leader.await.unwrap_err().is_cancelled());
                server.gate.add_permits(10);
                let token = tokens.token(&request()).await.unwrap();
                assert_eq!(token.expose(), "imap1");
                assert_eq!((stored(&store).await, server.reused()), (server.current(), 0));
            });
        }
    }

    #[tokio::test]
    async fn a_cache_that_renews_ahead_of_time_gets_another_token() {
        let store = signed_in().await;
        let (server, mut steps) = Server::new(Semaphore::MAX_PERMITS);
        let tokens = Cached::new(Provider(server.renewing(&store)));
        tokens.token(&request()).await.unwrap();
        // Good enough to be handed out, and so close to the end that it is due.
        let close = request().with_min_lifetime(HOUR - Duration::from_secs(60));
        assert_eq!(tokens.token(&close).await.unwrap().expose(), "imap1");
        for expected in [Step::Asked, Step::Answered, Step::Asked, Step::Answered] {
            assert_eq!(steps.recv().await, Some(expected));
        }
        assert_eq!(server.reused(), 0);
    }

    /// Has no locks, so that two can renew at once.
    #[derive(Clone)]
    struct Lockless(MemoryStore);

    impl TokenStore for Lockless {
        fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
            self.0.load(key)
        }

        fn store_if<'a>(
            &'a self,
            key: &'a str,
            tokens: &'a TokenSet,
            since: Option<Revision>,
        ) -> BoxFuture<'a, Result<Result<Revision, Conflict>, StoreError>> {
            self.0.store_if(key, tokens, since)
        }
    }

    #[tokio::test]
    async fn whoever_finds_the_refresh_token_spent_takes_what_came_of_it() {
        let store = Lockless(signed_in().await);
        let (server, mut steps) = Server::new(0);
        let (one, two) = (server.renewing(&store), server.renewing(&store));
        let first = tokio::spawn(async move { get(&one, "imap").await });
        assert_eq!(steps.recv().await, Some(Step::Asked));
        let second = tokio::spawn(async move { get(&two, "imap").await });
        assert_eq!(steps.recv().await, Some(Step::Asked));
        // The server answers the first, and then the second, before the first has its answer.
        server.gate.add_permits(1);
        assert_eq!(steps.recv().await, Some(Step::Answered));
        server.gate.add_permits(10);
        assert_eq!(first.await.unwrap(), "imap1");
        assert_eq!(second.await.unwrap(), "imap1");
        assert_eq!((stored(&store).await, server.reused()), ("r1".into(), 1));
    }

    #[tokio::test]
    async fn a_refresh_token_that_nobody_replaced_is_reported_as_spent() {
        let store = signed_in().await;
        let (server, _steps) = Server::new(Semaphore::MAX_PERMITS);
        server.current.store(7, Ordering::SeqCst);
        let error = server.renewing(&store).token("imap", &request()).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Administrator);
        assert_eq!(server.reused(), 1);
    }

    #[tokio::test]
    async fn a_conflict_between_renewals_of_one_refresh_token_keeps_both_access_tokens() {
        let store = Lockless(signed_in().await);
        let (server, mut steps) = Server::with(0, HOUR, false);
        let (one, two) = (server.renewing(&store), server.renewing(&store));
        let first = tokio::spawn(async move { get(&one, "imap").await });
        assert_eq!(steps.recv().await, Some(Step::Asked));
        server.gate.add_permits(1);
        assert_eq!(steps.recv().await, Some(Step::Answered));
        // While the first waits for its answer, the second stores what it got.
        server.current.store(0, Ordering::SeqCst);
        let other = store.load("k").await.unwrap().unwrap();
        let theirs = other.tokens().clone().with_access_token("smtp", AccessToken::new("theirs"));
        store.store_if("k", &theirs, Some(other.revision())).await.unwrap().unwrap();
        server.gate.add_permits(10);
        assert_eq!(first.await.unwrap(), "imap1");
        assert_eq!(get(&two, "smtp").await, "theirs");
        assert_eq!(get(&two, "imap").await, "imap1");
    }

    #[tokio::test]
    async fn a_rotated_token_outlives_a_conflict_with_its_predecessor() {
        let store = Lockless(signed_in().await);
        let (server, mut steps) = Server::new(0);
        let tokens = server.renewing(&store);
        let renewal = tokio::spawn(async move { get(&tokens, "imap").await });
        assert_eq!(steps.recv().await, Some(Step::Asked));
        // Somebody adds an access token to the set and keeps the refresh token that is being spent.
        let other = store.load("k").await.unwrap().unwrap();
        let theirs = other.tokens().clone().with_access_token("smtp", AccessToken::new("theirs"));
        store.store_if("k", &theirs, Some(other.revision())).await.unwrap().unwrap();
        server.gate.add_permits(10);
        assert_eq!(renewal.await.unwrap(), "imap1");
        let now = store.load("k").await.unwrap().unwrap();
        assert_eq!(now.tokens().refresh_token(), Some("r1"));
        assert!(now.tokens().access_token("smtp").is_some());
    }

    #[tokio::test]
    async fn a_sign_in_that_comes_meanwhile_stands() {
        let store = Lockless(signed_in().await);
        let (server, mut steps) = Server::new(0);
        let tokens = server.renewing(&store);
        let renewal = tokio::spawn(async move { get(&tokens, "imap").await });
        assert_eq!(steps.recv().await, Some(Step::Asked));
        let fresh = TokenSet::default()
            .with_refresh_token("another user's")
            .with_access_token("imap", AccessToken::new("theirs").with_lifetime(HOUR));
        server.renewing(&store).replace(fresh).await.unwrap();
        server.gate.add_permits(10);
        assert_eq!(renewal.await.unwrap(), "theirs");
        assert_eq!(stored(&store).await, "another user's");
    }

    /// Lets its caller wait at each step.
    #[derive(Clone)]
    struct Slow(MemoryStore);

    impl TokenStore for Slow {
        fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
            Box::pin(async move {
                tokio::task::yield_now().await;
                self.0.load(key).await
            })
        }

        fn store_if<'a>(
            &'a self,
            key: &'a str,
            tokens: &'a TokenSet,
            since: Option<Revision>,
        ) -> BoxFuture<'a, Result<Result<Revision, Conflict>, StoreError>> {
            Box::pin(async move {
                tokio::task::yield_now().await;
                self.0.store_if(key, tokens, since).await
            })
        }
    }

    /// Takes nothing while it is full.
    #[derive(Clone)]
    struct Full(MemoryStore, Arc<AtomicBool>);

    impl TokenStore for Full {
        fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
            self.0.load(key)
        }

        fn store_if<'a>(
            &'a self,
            key: &'a str,
            tokens: &'a TokenSet,
            since: Option<Revision>,
        ) -> BoxFuture<'a, Result<Result<Revision, Conflict>, StoreError>> {
            if self.1.load(Ordering::SeqCst) {
                return Box::pin(async { Err(StoreError::later("no space")) });
            }
            self.0.store_if(key, tokens, since)
        }
    }

    #[tokio::test]
    async fn tokens_that_cannot_be_stored_are_used_and_stored_when_they_can_be() {
        let full = Arc::new(AtomicBool::new(true));
        let store = Full(signed_in().await, full.clone());
        let (server, _steps) = Server::new(Semaphore::MAX_PERMITS);
        let tokens = server.renewing(&store);
        assert_eq!(get(&tokens, "imap").await, "imap1");
        assert_eq!(get(&tokens, "imap").await, "imap1");
        // Renewed from what is in memory: the stored refresh token is spent.
        assert_eq!(get(&tokens, "smtp").await, "smtp2");
        assert_eq!(stored(&store).await, "r0");
        full.store(false, Ordering::SeqCst);
        assert_eq!(get(&tokens, "imap").await, "imap1");
        assert_eq!((stored(&store).await, server.reused()), ("r2".into(), 0));
        assert_eq!(server.stored.lock().unwrap().last(), Some(&"rotated"));
    }

    #[tokio::test]
    async fn a_sign_in_that_cannot_be_stored_is_used_and_renewed() {
        let full = Arc::new(AtomicBool::new(true));
        let store = Full(MemoryStore::default(), full.clone());
        let (server, _steps) = Server::new(Semaphore::MAX_PERMITS);
        let tokens = server.renewing(&store);
        tokens.replace(TokenSet::default().with_refresh_token("r0")).await.unwrap();
        assert_eq!(get(&tokens, "imap").await, "imap1");
        assert_eq!(get(&tokens, "smtp").await, "smtp2");
        full.store(false, Ordering::SeqCst);
        assert_eq!(get(&tokens, "smtp").await, "smtp2");
        assert_eq!((stored(&store).await, server.reused()), ("r2".into(), 0));
    }

    #[tokio::test]
    async fn signing_out_is_signing_in_with_nothing() {
        let store = signed_in().await;
        let (server, _steps) = Server::new(Semaphore::MAX_PERMITS);
        let tokens = server.renewing(&store);
        get(&tokens, "imap").await;
        tokens.replace(TokenSet::default()).await.unwrap();
        let retry = request().with_purpose(Purpose::Retry);
        assert!(tokens.token("imap", &retry).await.is_err());
    }

    #[tokio::test]
    async fn signing_out_of_a_store_that_fails_is_an_error() {
        let full = Arc::new(AtomicBool::new(true));
        let store = Full(signed_in().await, full.clone());
        let (server, _steps) = Server::new(Semaphore::MAX_PERMITS);
        let tokens = server.renewing(&store);
        let error = tokens.replace(TokenSet::default()).await.unwrap_err();
        assert!(error.to_string().contains("no space"), "{error}");
        assert_eq!(get(&tokens, "imap").await, "imap1");
    }

    #[tokio::test]
    async fn a_grant_that_panics_is_an_error_and_holds_up_nobody() {
        struct Panics(AtomicBool);

        impl Refresh for Panics {
            fn refresh<'a>(
                &'a self,
                old: &'a TokenSet,
                scope: &'a str,
            ) -> BoxFuture<'a, Result<TokenSet, TokenError>> {
                assert!(self.0.swap(true, Ordering::SeqCst), "a bug in the grant, on purpose");
                let new = old.clone().with_access_token(scope, AccessToken::new("t"));
                Box::pin(std::future::ready(Ok(new)))
            }
        }

        let grant = Panics(AtomicBool::new(false));
        let tokens = Renewing::new(grant, Arc::new(MemoryStore::default()), "k");
        let error = tokens.token("imap", &request()).await.unwrap_err().to_string();
        assert!(error.contains("panicked"), "{error}");
        assert!(tokens.token("imap", &request()).await.is_ok());
    }
}
