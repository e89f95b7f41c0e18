//! A connection asks for its token.

use std::time::Duration;

use mailbearer::token::{Cached, TokenRequest, from_fn};
use mailbearer::{AccessToken, Endpoint, TokenProvider};

use super::Workload;
use crate::{said, single_threaded};

/// The token is at hand.
pub(crate) static HIT: Workload =
    Workload::new("token-hit", |items| single_threaded(hits(cached(), items)));

/// The same where the cache need not ask which token.
pub(crate) static HIT_ONE_FOR_ALL: Workload = Workload::new("token-hit-one-for-all", |items| {
    single_threaded(hits(cached().one_token_for_all(), items))
});

fn cached() -> Cached<impl TokenProvider + 'static> {
    Cached::new(from_fn(|_request| async {
        Ok(AccessToken::new("EwBAAl3BAAUF").with_lifetime(Duration::from_secs(3600)))
    }))
}

async fn hits(tokens: Cached<impl TokenProvider + 'static>, items: u64) -> Result<(), String> {
    let request = TokenRequest::new(Endpoint::smtp("mail.example"), "billing@contoso.example");
    // The first is no hit.
    for _ in 0..=items {
        tokens.token(&request).await.map_err(said)?;
    }
    Ok(())
}
