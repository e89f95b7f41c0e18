//! What every store must do, tried on each of them.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::{Conflict, TokenSet, TokenStore};

pub(super) async fn holds_for(store: &dyn TokenStore) {
    only_the_expected_state_is_replaced(store).await;
    keys_do_not_touch_each_other(store).await;
    one_of_many_wins(store).await;
    a_lock_is_held_by_one(store).await;
}

fn tokens(refresh: &str) -> TokenSet {
    TokenSet::default().with_refresh_token(refresh)
}

async fn held(store: &dyn TokenStore, key: &str) -> String {
    let stored = store.load(key).await.unwrap().unwrap();
    stored.tokens().refresh_token().unwrap().to_owned()
}

async fn only_the_expected_state_is_replaced(store: &dyn TokenStore) {
    assert!(store.load("a").await.unwrap().is_none());
    let first = store.store_if("a", &tokens("one"), None).await.unwrap().unwrap();
    assert_eq!(store.load("a").await.unwrap().unwrap().revision(), first);
    assert_eq!(store.store_if("a", &tokens("x"), None).await.unwrap(), Err(Conflict));
    let second = store.store_if("a", &tokens("two"), Some(first)).await.unwrap().unwrap();
    assert_ne!(first, second);
    assert_eq!(store.store_if("a", &tokens("x"), Some(first)).await.unwrap(), Err(Conflict));
    assert_eq!(held(store, "a").await, "two");
}

async fn keys_do_not_touch_each_other(store: &dyn TokenStore) {
    for key in ["b", "B", "b/../b", ""] {
        store.store_if(key, &tokens(key), None).await.unwrap().unwrap();
    }
    for key in ["b", "B", "b/../b", ""] {
        assert_eq!(held(store, key).await, key);
    }
    let revision = store.load("b").await.unwrap().unwrap().revision();
    let elsewhere = store.store_if("never stored", &tokens("x"), Some(revision)).await;
    assert_eq!(elsewhere.unwrap(), Err(Conflict));
}

async fn one_of_many_wins(store: &dyn TokenStore) {
    let names: Vec<_> = (0..8).map(|number| number.to_string()).collect();
    let sets: Vec<_> = names.iter().map(|name| tokens(name)).collect();
    let mut writers: Vec<_> = sets.iter().map(|set| Some(store.store_if("c", set, None))).collect();
    let mut winners = Vec::new();
    poll_fn(|context| {
        for (name, writer) in names.iter().zip(&mut writers) {
            let Some(Poll::Ready(outcome)) = writer.as_mut().map(|w| w.as_mut().poll(context))
            else {
                continue;
            };
            *writer = None;
            if outcome.unwrap().is_ok() {
                winners.push(name.clone());
            }
        }
        if writers.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    assert_eq!(winners, [held(store, "c").await]);
}

async fn a_lock_is_held_by_one(store: &dyn TokenStore) {
    let first = store.lock("d").await.unwrap();
    assert!(first.is_some());
    let mut second = pin!(store.lock("d"));
    let waits = poll_fn(|context| Poll::Ready(second.as_mut().poll(context).is_pending())).await;
    assert!(waits);
    drop(first);
    assert!(second.await.unwrap().is_some());
}
