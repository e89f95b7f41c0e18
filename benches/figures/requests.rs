//! HTTP requests, counted by the client that would send them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use mailbearer::token::http::{HttpClient, HttpError, HttpRequest, HttpResponse};
use mailbearer::token::{ClientCredentials, TokenRequest};
use mailbearer::{BoxFuture, TokenProvider, provider::microsoft365};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::figure::Measured;
use crate::{said, single_threaded};

const CALLERS: u32 = 1000;

/// What is sent when this many ask at once, none of whom finds a token.
pub(crate) fn of_a_thousand_callers() -> Measured {
    single_threaded(async {
        let server = Server { asking: Arc::new(Semaphore::new(0)), requests: Arc::default() };
        let tokens = ClientCredentials::entra("contoso.example", "app-id", "app-secret");
        let tokens = tokens.http(server.clone()).build().map_err(|error| error.to_string())?;
        let mut callers = JoinSet::new();
        for number in 0..CALLERS {
            let (tokens, asking) = (tokens.clone(), server.asking.clone());
            let mailbox = format!("user-{number}@contoso.example");
            callers.spawn(async move {
                asking.add_permits(1);
                tokens.token(&TokenRequest::new(microsoft365::imap(), mailbox)).await
            });
        }
        while let Some(caller) = callers.join_next().await {
            caller.map_err(|error| error.to_string())?.map_err(said)?;
        }
        Ok(server.requests.load(Relaxed).into())
    })
}

/// Answers once all callers have asked, so that none comes when a token is there already.
#[derive(Clone)]
struct Server {
    asking: Arc<Semaphore>,
    requests: Arc<AtomicU32>,
}

impl HttpClient for Server {
    fn send(&self, _: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        self.requests.fetch_add(1, Relaxed);
        Box::pin(async {
            drop(self.asking.acquire_many(CALLERS).await?);
            let body = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"EwB"}"#;
            Ok(HttpResponse::new(200).with_body(body))
        })
    }
}
