//! Renewals that meet, that are cut, and that find the store changed or full.

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
            let new = old.clone().with_access_token(scope, token.with_lifetime(server.lifetime));
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

    fn renewing(self: &Arc<Self>, store: &(impl TokenStore + Clone + 'static)) -> Renewing<Grant> {
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
