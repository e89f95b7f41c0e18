//! Runtimes that end, and providers that panic.

use super::*;

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
    let tokens = Cached::new(crate::token::from_fn_with(calls.clone(), |calls, _| async move {
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
