//! One exchange with a token endpoint (RFC 6749 section 5): send, wait, read the answer.
//!
//! The answer is read here rather than by the oauth2 crate, whose errors lose the HTTP status,
//! `Retry-After` and Microsoft's error numbers, and whose `Debug` prints the whole body.

use std::time::{Duration, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::http::{HttpClient, HttpError, HttpRequest, HttpResponse};
use super::oauth::form::Outgoing;
use super::oauth::refusal::one_line;
use super::{AccessToken, ErrorKind, TokenEndpointError, TokenError};
use crate::Retry;
use crate::secret::{Scrubber, Secret};

/// Answers of token endpoints are a few kilobytes; whoever sends more is not one. A client that was
/// lent may have read it all the same; here it goes no further.
pub(crate) const LONGEST_BODY: usize = 1 << 20;

/// What a token endpoint gave.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) access_token: AccessToken,
    pub(crate) refresh_token: Option<Secret<String>>,
}

/// Posts a token request and takes the tokens out of the answer.
pub(crate) async fn exchange(
    http: &dyn HttpClient,
    outgoing: Outgoing,
    deadline: Duration,
) -> Result<Answer, TokenError> {
    let Outgoing { request, mut scrubber, of_user, .. } = outgoing;
    let url = shown(request.url());
    let sent = Instant::now();
    let response = send(http, request, deadline).await?;
    let refused = |scrubber: &Scrubber| {
        Err(TokenEndpointError::read(url.clone(), &response, of_user, scrubber).into())
    };
    if response.status() != 200 {
        return refused(&scrubber);
    }
    let Ok(answer) = serde_json::from_slice::<Fields>(response.body()) else {
        return Err(NoAnswer::Unreadable { url }.into());
    };
    let Some(value) = answer.access_token else {
        // A 200 that carries an error is not in RFC 6749; some proxies and old servers send it.
        if answer.error.is_some() {
            return refused(&scrubber);
        }
        return Err(NoAnswer::Unreadable { url }.into());
    };
    scrubber.learn(value.as_bytes());
    let token = AccessToken::new(value);
    token.check()?;
    // RFC 6749 section 7.1: a client must not use a token whose type it does not understand.
    if let Some(kind) = answer.token_type.filter(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        let kind = one_line(&scrubber.clean_str(kind.as_bytes()));
        return Err(NoAnswer::NotBearer { url, kind }.into());
    }
    // The server counted from before its answer left; this side can only know when it asked.
    let since = |left: Duration| left.saturating_sub(sent.elapsed());
    let lifetime = answer.expires_in.as_ref().and_then(seconds);
    let expires_on = answer.expires_on.as_ref().and_then(seconds);
    let mut token = match (lifetime, expires_on.and_then(|at| UNIX_EPOCH.checked_add(at))) {
        (Some(lifetime), _) => token.with_lifetime(since(lifetime)),
        (None, Some(at)) => token.with_expiry(at),
        (None, None) => token,
    };
    if let Some(renew) = answer.refresh_in.as_ref().and_then(seconds) {
        token = token.with_refresh_in(since(renew));
    }
    Ok(Answer {
        access_token: token,
        refresh_token: answer.refresh_token.filter(|value| !value.is_empty()).map(Secret::new),
    })
}

/// Sends a request and waits for the answer, whatever its status.
pub(crate) async fn send(
    http: &dyn HttpClient,
    request: HttpRequest,
    deadline: Duration,
) -> Result<HttpResponse, NoAnswer> {
    let url = shown(request.url());
    match tokio::time::timeout(deadline, http.send(request)).await {
        Err(_) => Err(NoAnswer::Deadline { url, after: deadline }),
        Ok(Err(cause)) => Err(NoAnswer::Http { url, cause }),
        Ok(Ok(response)) if response.body().len() > LONGEST_BODY => Err(NoAnswer::TooLong { url }),
        Ok(Ok(response)) => Ok(response),
    }
}

/// Without its query, which may hold a key of the server's.
pub(crate) fn shown(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}

/// A successful answer (RFC 6749 section 5.1), and the field that tells it from an error.
#[derive(Deserialize)]
struct Fields {
    access_token: Option<String>,
    token_type: Option<String>,
    /// A number, but a string from Microsoft's older endpoints.
    expires_in: Option<Value>,
    /// In place of the former, as seconds since 1970: Azure App Service.
    expires_on: Option<Value>,
    /// When Microsoft wants it renewed, for tokens that live for a day.
    refresh_in: Option<Value>,
    refresh_token: Option<String>,
    error: Option<Value>,
}

/// A number of seconds, also as a string.
pub(crate) fn seconds(value: &Value) -> Option<Duration> {
    match value {
        Value::String(text) => text.trim().parse().ok().map(Duration::from_secs),
        Value::Number(number) => Duration::try_from_secs_f64(number.as_f64()?).ok(),
        _ => None,
    }
}

/// A token endpoint gave no answer that could be used. Found as the [`cause`](TokenError::cause) of
/// a [`TokenError`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// The HTTP request failed: name resolution, connection, TLS, or HTTP itself.
    #[error("asking {url}: {}", whole_story(&**cause))]
    Http {
        /// The token endpoint.
        url: String,
        /// What the HTTP client said.
        cause: HttpError,
    },
    /// The whole exchange took too long.
    #[error("{url} did not answer within {after:?}")]
    Deadline {
        /// The token endpoint.
        url: String,
        /// How long it was given.
        after: Duration,
    },
    /// It answered 200, but not with the JSON of RFC 6749 section 5.1, or of RFC 8628 section 3.2
    /// where a device code was asked for. The body is not shown, since it may hold a token.
    #[error("{url} answered 200 without a token or code that can be read")]
    Unreadable {
        /// The token endpoint.
        url: String,
    },
    /// It answered with more than 1 MiB, of whatever status. None of it was read.
    #[error("{url} answered with more than {LONGEST_BODY} octets")]
    TooLong {
        /// The token endpoint.
        url: String,
    },
    /// The token is of another type than Bearer (RFC 6750).
    #[error("{url} gave a token of type `{kind}`, not Bearer")]
    NotBearer {
        /// The token endpoint.
        url: String,
        /// The `token_type` field.
        kind: String,
    },
}

impl NoAnswer {
    /// [`ErrorKind::Transport`] if there was no answer, [`ErrorKind::Protocol`] if it was no use.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Http { .. } | Self::Deadline { .. } => ErrorKind::Transport,
            Self::Unreadable { .. } | Self::TooLong { .. } | Self::NotBearer { .. } => {
                ErrorKind::Protocol
            }
        }
    }
}

impl NoAnswer {
    /// The network's faults pass, but a proxy's may not.
    fn after_transport(&self) -> Retry {
        #[cfg(feature = "proxy")]
        if let Self::Http { cause, .. } = self {
            let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&**cause);
            while let Some(error) = next {
                if let Some(proxy) = error.downcast_ref::<Box<crate::net::proxy::Error>>() {
                    return proxy.retry();
                }
                next = error.source();
            }
        }
        Retry::Later(None)
    }
}

impl From<NoAnswer> for TokenError {
    fn from(cause: NoAnswer) -> Self {
        match cause.kind() {
            ErrorKind::Transport => Self::new(cause.after_transport(), cause),
            _ => Self::never(cause),
        }
    }
}

/// An error and those beneath it, on one line. Many HTTP clients say what went wrong only in the
/// last of them.
fn whole_story(error: &(dyn std::error::Error + 'static)) -> String {
    let mut story = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let more = error.to_string();
        if !story.contains(&more) {
            story.push_str(": ");
            story.push_str(&more);
        }
        next = error.source();
    }
    story
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::token::MalformedToken;
    use crate::token::oauth::form::Form;
    use crate::{BoxFuture, Failure};

    const SECRET: &str = "8Q~wJx.secret-value-of-the-application_42";
    const DEADLINE: Duration = Duration::from_secs(30);

    struct Canned(Mutex<Option<Result<HttpResponse, HttpError>>>);

    impl HttpClient for Canned {
        fn send(&self, _request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
            let answer = self.0.lock().unwrap().take();
            Box::pin(async move {
                match answer {
                    Some(answer) => answer,
                    None => std::future::pending().await,
                }
            })
        }
    }

    async fn play(
        answer: Option<Result<HttpResponse, HttpError>>,
    ) -> Result<AccessToken, TokenError> {
        let form = Form::new("test", "password").secret("client_secret", SECRET);
        let outgoing = form.into_request("https://login.example/token");
        let answer = exchange(&Canned(Mutex::new(answer)), outgoing, DEADLINE).await?;
        Ok(answer.access_token)
    }

    async fn answered(status: u16, body: &str) -> Result<AccessToken, TokenError> {
        play(Some(Ok(HttpResponse::new(status).with_body(body)))).await
    }

    /// Answers after twenty seconds.
    struct Slow;

    impl HttpClient for Slow {
        fn send(&self, _request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
            Box::pin(async {
                tokio::time::advance(Duration::from_secs(20)).await;
                let body = r#"{"access_token":"EwB","expires_in":3600}"#;
                Ok(HttpResponse::new(200).with_body(body))
            })
        }
    }

    fn refusal(error: &TokenError) -> &TokenEndpointError {
        error.cause().downcast_ref().unwrap()
    }

    fn about(expected: u64, token: &AccessToken) -> bool {
        let left = token.remaining().unwrap();
        left <= Duration::from_secs(expected) && left > Duration::from_secs(expected - 60)
    }

    #[tokio::test]
    async fn a_lifetime_is_read_as_number_and_as_string() {
        for lifetime in ["3599", "\"3599\"", "3599.0"] {
            let body = format!(
                r#"{{"token_type":"bearer","expires_in":{lifetime},"ext_expires_in":3599,"access_token":"EwB"}}"#
            );
            let token = answered(200, &body).await.unwrap();
            assert_eq!(token.expose(), "EwB");
            assert!(about(3599, &token), "{lifetime}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lifetime_counts_from_when_the_request_was_sent() {
        let outgoing = Form::new("test", "x").into_request("https://login.example/token");
        let token = exchange(&Slow, outgoing, DEADLINE).await.unwrap().access_token;
        assert!(token.remaining() <= Some(Duration::from_secs(3580)));
    }

    #[tokio::test]
    async fn a_lifetime_that_is_missing_or_nonsense_is_unknown() {
        for field in ["", r#","expires_in":null"#, r#","expires_in":"soon""#, r#","expires_in":-1"#]
        {
            let token =
                answered(200, &format!(r#"{{"access_token":"EwB"{field}}}"#)).await.unwrap();
            assert_eq!(token.remaining(), None, "{field}");
        }
    }

    #[tokio::test]
    async fn an_answer_without_end_is_none_whoever_has_read_it() {
        for status in [200, 400] {
            let token = r#"{"access_token":"EwB"}"#;
            let fits = token.to_owned() + &" ".repeat(LONGEST_BODY - token.len());
            let read = answered(status, &fits).await;
            assert_eq!(read.is_ok(), status == 200);
            let error = answered(status, &(fits + " ")).await.unwrap_err();
            assert!(matches!(error.cause().downcast_ref(), Some(NoAnswer::TooLong { .. })));
            assert_eq!((error.kind(), error.retry()), (ErrorKind::Protocol, Retry::Never));
            assert_eq!(
                error.to_string(),
                "getting an access token failed: https://login.example/token answered with more \
                 than 1048576 octets"
            );
        }
    }

    #[tokio::test]
    async fn a_refusal_by_entra_is_read_whole() {
        let body = format!(
            r#"{{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided: {SECRET}.\r\nTrace ID: 1f5e\r\nCorrelation ID: 9c2b","error_codes":[7000215],"timestamp":"2026-11-21 10:00:00Z","trace_id":"1f5e","correlation_id":"9c2b","error_uri":"https://login.example/error?code=7000215"}}"#
        );
        let error = answered(401, &body).await.unwrap_err();
        let refusal = refusal(&error);
        assert_eq!(refusal.status(), 401);
        assert_eq!(refusal.error(), Some("invalid_client"));
        assert_eq!(refusal.codes(), [7000215]);
        assert_eq!(refusal.trace_id(), Some("1f5e"));
        assert_eq!(refusal.correlation_id(), Some("9c2b"));
        assert_eq!(error.retry(), Retry::Never);
        assert_eq!(
            error.to_string(),
            "getting an access token failed: https://login.example/token answered 401 \
             invalid_client: AADSTS7000215: Invalid client secret provided: [secret]. Trace ID: 1f5e \
             Correlation ID: 9c2b (hint: the client secret is wrong: take its value, not its id)"
        );
        assert_eq!(error.reply_text().as_deref(), refusal.description());
    }

    #[tokio::test]
    async fn numbers_are_found_in_the_description_alone() {
        let body = r#"{"error":"unauthorized_client","error_description":"AADSTS700016: no app. See AADSTS500011, AADSTSx"}"#;
        let error = answered(400, body).await.unwrap_err();
        assert_eq!(refusal(&error).codes(), [700_016, 500_011]);
        assert_eq!(error.retry(), Retry::Administrator);
    }

    #[tokio::test]
    async fn faults_and_throttles_ask_to_wait() {
        let answer = HttpResponse::new(429).with_header("Retry-After", "17");
        let error = play(Some(Ok(answer))).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Later(Some(Duration::from_secs(17))));
        for (status, body) in [
            (503, "<html>busy</html>"),
            (400, r#"{"error":"temporarily_unavailable"}"#),
            (400, r#"{"error":"invalid_grant","error_codes":["50196"]}"#),
        ] {
            let error = answered(status, body).await.unwrap_err();
            assert_eq!(error.retry(), Retry::Later(None), "{body}");
        }
    }

    #[tokio::test]
    async fn an_expired_secret_is_for_the_administrator() {
        let body = r#"{"error":"invalid_client","error_codes":[7000222]}"#;
        assert_eq!(answered(401, body).await.unwrap_err().retry(), Retry::Administrator);
    }

    #[tokio::test]
    async fn a_refusal_that_is_not_json_is_quoted_shortly_on_one_line() {
        let page = format!("<html>\r\n\x1b[31m{SECRET}\n{}", "x".repeat(5_000));
        let error = answered(403, &page).await.unwrap_err();
        let description = refusal(&error).description().unwrap();
        assert!(description.starts_with("<html> [31m[secret] xxx"), "{description}");
        assert_eq!(description.chars().count(), 2_001);
        assert!(!format!("{error} {error:?}").contains(SECRET));
    }

    #[tokio::test]
    async fn a_redirect_is_an_error_that_says_so() {
        let error = answered(302, "").await.unwrap_err();
        assert!(error.to_string().ends_with("answered 302, and redirects are not followed"));
    }

    #[tokio::test]
    async fn a_success_that_cannot_be_read_is_not_quoted() {
        for body in ["", "EwB", "[]", r#"{"access_token":"EwB""#, r#"{"access_token":7}"#, "{}"] {
            let error = answered(200, body).await.unwrap_err();
            assert!(matches!(error.cause().downcast_ref(), Some(NoAnswer::Unreadable { .. })));
            assert!(!format!("{error} {error:?}").contains("EwB"), "{body}");
        }
    }

    #[tokio::test]
    async fn an_error_with_status_200_is_still_a_refusal() {
        let error = answered(200, r#"{"error":"invalid_scope"}"#).await.unwrap_err();
        assert_eq!(refusal(&error).error(), Some("invalid_scope"));
    }

    #[tokio::test]
    async fn a_token_of_another_type_is_not_used() {
        let token = "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA";
        let body = format!(r#"{{"token_type":"pop {token}","access_token":"{token}"}}"#);
        let error = answered(200, &body).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "getting an access token failed: https://login.example/token gave a token of type \
             `pop [secret]`, not Bearer"
        );
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_sent_is_refused_here_already() {
        let error = answered(200, r#"{"access_token":"Ew\u0001B"}"#).await.unwrap_err();
        assert!(matches!(error.cause().downcast_ref(), Some(MalformedToken::Octet { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_meets_the_deadline() {
        let error = play(None).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "getting an access token failed: https://login.example/token did not answer within 30s"
        );
        assert_eq!(error.retry(), Retry::Later(None));
    }

    #[tokio::test]
    async fn a_failed_request_says_what_failed() {
        #[derive(Debug, thiserror::Error)]
        #[error("sending failed")]
        struct Terse(#[source] std::io::Error);

        let cause = Terse(std::io::Error::other("no route to host"));
        let error = play(Some(Err(cause.into()))).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "getting an access token failed: asking https://login.example/token: sending failed: \
             no route to host"
        );
        assert_eq!(error.retry(), Retry::Later(None));
    }
}
