//! What a cache does, with a provider that counts, and time that is paused.

mod refused;
mod runtimes;

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, advance};

use super::slots::Held;
use super::*;
use crate::{Endpoint, Failure, Retry};

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
async fn a_token_that_is_due_as_soon_as_it_comes_is_not_asked_for_at_each_call() {
    let Setup { tokens, source, .. } = setup();
    let tokens = tokens.with_margin(Duration::ZERO);
    for _ in 0..3 {
        let old = AccessToken::new("old").with_lifetime(HOUR).with_refresh_in(Duration::ZERO);
        source.will_answer(Ok(old));
    }
    for _ in 0..100 {
        assert_eq!(get(&tokens, request()).await, "old");
        settle().await;
    }
    assert_eq!(source.fetched(), 2);
    advance(MINUTE).await;
    for _ in 0..100 {
        assert_eq!(get(&tokens, request()).await, "old");
        settle().await;
    }
    assert_eq!(source.fetched(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_asks_to_wait_for_no_time_is_not_asked_at_each_call_ahead_of_time() {
    let Setup { tokens, source, .. } = setup();
    get(&tokens, request()).await;
    advance(HOUR - 8 * MINUTE).await;
    for _ in 0..100 {
        source.will_answer(Err(TokenError::later("busy").with_retry_after(Duration::ZERO)));
        assert_eq!(get(&tokens, request()).await, "t1");
        settle().await;
    }
    assert_eq!(source.fetched(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_handed_out_to_nobody_who_did_not_wait_for_it() {
    let Setup { tokens, source, .. } = setup();
    let modest = || request().with_min_lifetime(Duration::ZERO);
    assert_eq!(get(&tokens, modest()).await, "t1");
    advance(HOUR).await;
    assert_eq!(get(&tokens, modest()).await, "t2");
    source.will_answer(Ok(AccessToken::new("stillborn").with_lifetime(Duration::ZERO)));
    advance(HOUR).await;
    assert_eq!(get(&tokens, modest()).await, "stillborn");
    assert_eq!(get(&tokens, modest()).await, "t4");
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

#[cfg(feature = "oauth")]
#[tokio::test(start_paused = true)]
async fn what_was_on_its_way_when_all_was_forgotten_is_not_kept() {
    let Setup { tokens, source, mut started } = setup_with(HOUR, 0);
    let ask = || {
        let tokens = tokens.clone();
        tokio::spawn(async move { get(&tokens, request()).await })
    };
    let before = ask();
    started.recv().await.unwrap();
    tokens.forget();
    let after = ask();
    started.recv().await.unwrap();
    source.gate.add_permits(1);
    assert_eq!(before.await.unwrap(), "t1");
    let later = ask();
    settle().await;
    source.gate.add_permits(1);
    assert_eq!((after.await.unwrap(), later.await.unwrap()), ("t2".into(), "t2".into()));
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
