//! A server for tests: it answers in turn and keeps what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use crate::token::http::{HttpClient, HttpError, HttpRequest, HttpResponse};
use crate::token::{AccessToken, TokenError, TokenProvider, TokenRequest};
use crate::{BoxFuture, Endpoint};

#[derive(Clone, Default)]
pub(crate) struct Script {
    state: Arc<Mutex<State>>,
    gate: Option<Arc<Semaphore>>,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Result<HttpResponse, HttpError>>,
    asked: Vec<Asked>,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Script {
    pub(crate) fn new<const N: usize>(answers: [HttpResponse; N]) -> Self {
        let script = Self::default();
        script.state.lock().unwrap().answers.extend(answers.into_iter().map(Ok));
        script
    }

    /// One that takes a permit for each answer, after it has seen the request.
    pub(crate) fn gated<const N: usize>(answers: [HttpResponse; N]) -> (Self, Arc<Semaphore>) {
        let gate = Arc::new(Semaphore::new(0));
        (Self { gate: Some(gate.clone()), ..Self::new(answers) }, gate)
    }

    /// What comes next is no answer at all.
    pub(crate) fn then_fail(&self) {
        self.state.lock().unwrap().answers.push_back(Err("no route to host".into()));
    }

    pub(crate) fn then(&self, answer: HttpResponse) {
        self.state.lock().unwrap().answers.push_back(Ok(answer));
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.body).collect()
    }
}

impl HttpClient for Script {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        let mut state = self.state.lock().unwrap();
        state.asked.push(Asked {
            line: format!("{} {}", request.method(), request.url()),
            headers: request.headers().map(|(name, value)| (name.into(), value.into())).collect(),
            body: String::from_utf8(request.body().to_vec()).unwrap(),
        });
        let answer = state.answers.pop_front().unwrap_or_else(|| Err("asked too often".into()));
        let gate = self.gate.clone();
        Box::pin(async move {
            if let Some(gate) = gate {
                gate.acquire().await?.forget();
            }
            answer
        })
    }
}

/// A token in the form in which Entra gives it.
pub(crate) fn token(value: &str) -> HttpResponse {
    json(
        200,
        &format!(
            r#"{{"token_type":"Bearer","scope":"https://outlook.office.com/IMAP.AccessAsUser.All","expires_in":3599,"ext_expires_in":3599,"access_token":"{value}"}}"#
        ),
    )
}

/// One with a refresh token.
pub(crate) fn tokens(value: &str, refresh_token: &str) -> HttpResponse {
    json(
        200,
        &format!(
            r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{value}","refresh_token":"{refresh_token}"}}"#
        ),
    )
}

pub(crate) fn json(status: u16, body: &str) -> HttpResponse {
    HttpResponse::new(status).with_header("content-type", "application/json").with_body(body)
}

/// A refusal in the form in which Entra gives it.
pub(crate) fn refusal(error: &str, code: u32) -> HttpResponse {
    json(
        400,
        &format!(
            r#"{{"error":"{error}","error_description":"AADSTS{code}: It did not work.\r\nTrace ID: 1f5e\r\nCorrelation ID: 9c2b\r\nTimestamp: 2026-11-21 10:00:00Z","error_codes":[{code}],"timestamp":"2026-11-21 10:00:00Z","trace_id":"1f5e","correlation_id":"9c2b","error_uri":"https://login.microsoftonline.com/error?code={code}"}}"#
        ),
    )
}

pub(crate) async fn get(
    tokens: &dyn TokenProvider,
    endpoint: Endpoint,
) -> Result<String, TokenError> {
    let request = TokenRequest::new(endpoint, "anna@contoso.example");
    tokens.token(&request).await.map(|token: AccessToken| token.expose().to_owned())
}

pub(crate) fn exchange_online() -> Endpoint {
    crate::provider::microsoft365::imap()
}
