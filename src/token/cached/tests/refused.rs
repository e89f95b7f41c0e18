//! Tokens that a server has refused.

use super::*;

#[tokio::test(start_paused = true)]
async fn where_every_token_is_refused_ten_are_replaced_and_then_one_in_half_a_minute() {
    let Setup { tokens, source, .. } = setup();
    let mut refused = tokens.token(&request()).await.unwrap();
    for number in 2..=11 {
        tokens.rejected(&refused, Rejection::Expired).await;
        refused = tokens.token(&retry()).await.unwrap();
        assert_eq!(refused.expose(), format!("t{number}"));
    }
    tokens.rejected(&refused, Rejection::Expired).await;
    // The connections that come now are told by the same token that there is no other.
    for asked in [retry(), request(), retry()] {
        assert_eq!(get(&tokens, asked).await, "t11");
    }
    assert_eq!(source.fetched(), 11);
    advance(Duration::from_secs(31)).await;
    let next = tokens.token(&request()).await.unwrap();
    assert_eq!(next.expose(), "t12");
    tokens.rejected(&next, Rejection::Expired).await;
    assert_eq!(get(&tokens, retry()).await, "t12");
    advance(10 * MINUTE).await;
    assert_eq!(get(&tokens, retry()).await, "t13");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_reports_of_one_token_cost_one_refresh_and_late_ones_none() {
    let Setup { tokens, source, .. } = setup();
    let report_and_retry = || {
        let tokens = tokens.clone();
        tokio::spawn(async move {
            let first = tokens.token(&request()).await.unwrap();
            if first.expose() == "t1" {
                tokens.rejected(&first, Rejection::Expired).await;
            }
            get(&tokens, retry()).await
        })
    };
    let clients: Vec<_> = (0..100).map(|_| report_and_retry()).collect();
    for client in clients {
        assert_eq!(client.await.unwrap(), "t2");
    }
    assert_eq!(source.fetched(), 2);
    for _ in 0..100 {
        tokens.rejected(&AccessToken::new("t1"), Rejection::Expired).await;
        assert_eq!(get(&tokens, retry()).await, "t2");
    }
    assert_eq!(source.fetched(), 2);
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_first_after_a_refusal_the_provider_hears_of_it_once() {
    let Setup { tokens, source, .. } = setup();
    let first = tokens.token(&request()).await.unwrap();
    for _ in 0..3 {
        source.will_answer(Ok(first.clone()));
    }
    // A new connection comes before the refused one tries again; the provider has no other token.
    for asked in [request(), retry(), request(), retry()] {
        tokens.rejected(&first, Rejection::Expired).await;
        assert_eq!(get(&tokens, asked).await, "t1");
    }
    let asked =
        || source.asked.lock().unwrap().iter().map(TokenRequest::purpose).collect::<Vec<_>>();
    assert_eq!(asked(), [Purpose::Connect, Purpose::Retry]);
    // Later it may have, and is asked as if nothing had been.
    advance(Duration::from_secs(31)).await;
    assert_eq!(get(&tokens, retry()).await, "t1");
    assert_eq!(asked(), [Purpose::Connect, Purpose::Retry, Purpose::Connect]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_counts_once_for_all_keys_that_share_the_token() {
    let Setup { tokens, source, .. } = setup();
    let at = |host| TokenRequest::new(Endpoint::imap(host), "m");
    let shared = AccessToken::new("shared").with_lifetime(HOUR);
    for host in ["a", "b"] {
        source.will_answer(Ok(shared.clone()));
        get(&tokens, at(host)).await;
    }
    tokens.rejected(&shared, Rejection::Expired).await;
    assert_eq!(get(&tokens, at("a").with_purpose(Purpose::Retry)).await, "t3");
    assert_eq!(get(&tokens, at("b").with_purpose(Purpose::Retry)).await, "t4");
    let asked = source.asked.lock().unwrap();
    let forced = asked.iter().filter(|asked| asked.purpose() == Purpose::Retry);
    assert_eq!(forced.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_replacement_that_fails_is_tried_again() {
    let Setup { tokens, source, .. } = setup();
    let first = tokens.token(&request()).await.unwrap();
    tokens.rejected(&first, Rejection::Expired).await;
    source.will_answer(Err(TokenError::later("down")));
    assert!(tokens.token(&retry()).await.is_err());
    // By a connection that knows nothing, from a provider that has not seen the refusal.
    source.will_answer(Ok(first.clone()));
    assert_eq!(get(&tokens, request()).await, "t4");
    assert_eq!(source.asked.lock().unwrap()[3].purpose(), Purpose::Retry);
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
