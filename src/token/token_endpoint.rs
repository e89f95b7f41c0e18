//! One exchange with a token endpoint (RFC 6749 section 5): send, wait, read the answer.
//!
//! The answer is read here rather than by the oauth2 crate, whose errors lose the HTTP status,
//! `Retry-After` and Microsoft's error numbers, and whose `Debug` prints the whole body.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::http::{HttpClient, HttpError, HttpRequest, HttpResponse};
use super::{AccessToken, TokenError};
use crate::Retry;
use crate::secret::Scrubber;

/// Posts a token request and takes the token out of the answer. `scrubber` knows the credentials
/// that the request carries.
pub(super) async fn exchange(
    http: &dyn HttpClient,
    request: HttpRequest,
    mut scrubber: Scrubber,
    deadline: Duration,
) -> Result<AccessToken, TokenError> {
    // A query may hold a key of the server's.
    let url = request.url().split('?').next().unwrap_or_default().to_owned();
    for (_, value) in
        request.headers().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"))
    {
        scrubber.learn(value.rsplit(' ').next().unwrap_or_default().as_bytes());
    }
    let sent = Instant::now();
    let response = match tokio::time::timeout(deadline, http.send(request)).await {
        Err(_) => {
            return Err(TokenError::later(NoAnswer::Deadline { url, after: deadline }));
        }
        Ok(Err(cause)) => return Err(TokenError::later(NoAnswer::Http { url, cause })),
        Ok(Ok(response)) => response,
    };
    if response.status() != 200 {
        return Err(TokenEndpointError::read(url, &response, &scrubber).into());
    }
    let Ok(answer) = serde_json::from_slice::<Answer>(response.body()) else {
        return Err(TokenError::never(NoAnswer::Unreadable { url }));
    };
    let Some(value) = answer.access_token else {
        // A 200 that carries an error is not in RFC 6749; some proxies and old servers send it.
        if answer.error.is_some() {
            return Err(TokenEndpointError::read(url, &response, &scrubber).into());
        }
        return Err(TokenError::never(NoAnswer::Unreadable { url }));
    };
    scrubber.learn(value.as_bytes());
    let token = AccessToken::new(value);
    token.check()?;
    // RFC 6749 section 7.1: a client must not use a token whose type it does not understand.
    if let Some(kind) = answer.token_type.filter(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        let kind = one_line(&scrubber.clean_str(kind.as_bytes()));
        return Err(TokenError::never(NoAnswer::NotBearer { url, kind }));
    }
    let lifetime = answer.expires_in.as_ref().and_then(seconds);
    // The server counted from before its answer left; this side can only know when it asked.
    Ok(match lifetime {
        Some(lifetime) => token.with_lifetime(lifetime.saturating_sub(sent.elapsed())),
        None => token,
    })
}

/// A successful answer (RFC 6749 section 5.1), and the fields that tell it from an error.
#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    token_type: Option<String>,
    /// A number, but a string from Microsoft's older endpoints.
    expires_in: Option<Value>,
    error: Option<Value>,
}

/// An error answer: RFC 6749 section 5.2, and what Microsoft adds to it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: Option<String>,
    error_description: Option<String>,
    error_codes: Vec<Value>,
    trace_id: Option<String>,
    correlation_id: Option<String>,
}

fn seconds(value: &Value) -> Option<Duration> {
    match value {
        Value::String(text) => text.trim().parse().ok().map(Duration::from_secs),
        Value::Number(number) => Duration::try_from_secs_f64(number.as_f64()?).ok(),
        _ => None,
    }
}

/// A token endpoint refused to give a token (RFC 6749 section 5.2).
///
/// Found as the [`cause`](TokenError::cause) of a [`TokenError`]. The numbers and ids are those of
/// Microsoft Entra; they are empty elsewhere. Every text is the server's, on one line, at most
/// 2,000 characters long, and without the credentials of the request.
///
/// # Example
///
/// ```
/// use mailbearer::token::{TokenEndpointError, TokenError};
///
/// fn explain(error: &TokenError) -> String {
///     match error.cause().downcast_ref::<TokenEndpointError>() {
///         Some(refusal) if refusal.codes().contains(&7000222) => {
///             "the client secret has expired: make a new one in the app registration".into()
///         }
///         Some(refusal) => format!("ask for request {:?}", refusal.correlation_id()),
///         None => error.to_string(),
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenEndpointError {
    url: String,
    status: u16,
    error: Option<String>,
    description: Option<String>,
    codes: Vec<u32>,
    trace_id: Option<String>,
    correlation_id: Option<String>,
    retry_after: Option<Duration>,
}

impl TokenEndpointError {
    /// The URL of the token endpoint, without a query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The `error` field, such as `invalid_client`. Program logic should go by this.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// The `error_description` field; the start of the body if it was not JSON.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The numbers of the `AADSTS…` errors, from `error_codes` and from the description. Microsoft
    /// may change their meaning: take them as hints.
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The `trace_id` field, which Microsoft's support asks for.
    pub fn trace_id(&self) -> Option<&str> {
        self.trace_id.as_deref()
    }

    /// The `correlation_id` field, under which the sign-in log of the tenant lists the request.
    pub fn correlation_id(&self) -> Option<&str> {
        self.correlation_id.as_deref()
    }

    /// How long the server asked to wait (`Retry-After` in seconds; its form as a date is not
    /// read).
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What to do next: wait after a throttle or a fault of the server, ask the administrator where
    /// consent, a policy or a renewed secret is missing, otherwise change the request.
    pub fn retry(&self) -> Retry {
        // Throttled, looping, busy or unwell; all are temporary by Microsoft's own list.
        const PASSING: [u32; 5] = [90006, 90024, 90033, 90055, 50196];
        // An expired or disabled credential, missing consent, a policy in the way.
        const ADMINISTRATOR: [u32; 14] = [
            7000222, 7000112, 70001, 65001, 650_056, 650_057, 53000, 53001, 53002, 53003, 530_032,
            530_035, 50131, 53011,
        ];
        let error = self.error.as_deref().unwrap_or_default();
        let has = |list: &[u32]| self.codes.iter().any(|code| list.contains(code));
        if matches!(self.status, 408 | 429 | 500..)
            || matches!(error, "temporarily_unavailable" | "server_error" | "slow_down")
            || has(&PASSING)
        {
            Retry::Later(self.retry_after)
        } else if has(&ADMINISTRATOR)
            || matches!(
                error,
                "unauthorized_client"
                    | "access_denied"
                    | "consent_required"
                    | "interaction_required"
            )
        {
            Retry::Administrator
        } else {
            Retry::Never
        }
    }

    fn read(url: String, response: &HttpResponse, scrubber: &Scrubber) -> Self {
        let clean = |text: &str| one_line(&scrubber.clean_str(text.as_bytes()));
        let refusal = serde_json::from_slice::<Refusal>(response.body()).ok();
        let is_json = refusal.is_some();
        let refusal = refusal.unwrap_or_default();
        let mut description = refusal.error_description.as_deref().map(clean);
        if !is_json && !response.body().is_empty() {
            description = Some(clean(&String::from_utf8_lossy(response.body())));
        }
        let mut codes: Vec<u32> = refusal.error_codes.iter().filter_map(number).collect();
        for code in description.iter().flat_map(|text| aadsts(text)) {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        let retry_after = response.header("retry-after");
        Self {
            url,
            status: response.status(),
            error: refusal.error.as_deref().map(clean),
            description,
            codes,
            trace_id: refusal.trace_id.as_deref().map(clean),
            correlation_id: refusal.correlation_id.as_deref().map(clean),
            retry_after: retry_after
                .and_then(|value| value.trim().parse().ok())
                .map(Duration::from_secs),
        }
    }
}

impl fmt::Display for TokenEndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered {}", self.url, self.status)?;
        if (300..400).contains(&self.status) {
            f.write_str(", and redirects are not followed")?;
        }
        if let Some(error) = &self.error {
            write!(f, " {error}")?;
        }
        if let Some(description) = &self.description {
            write!(f, ": {description}")?;
        }
        Ok(())
    }
}

impl std::error::Error for TokenEndpointError {}

impl From<TokenEndpointError> for TokenError {
    fn from(refusal: TokenEndpointError) -> Self {
        Self::new(refusal.retry(), refusal)
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
    /// It answered 200, but not with the JSON of RFC 6749 section 5.1. The body is not shown, since
    /// it may hold a token.
    #[error("{url} answered 200 without an access token that can be read")]
    Unreadable {
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

fn number(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        value => u32::try_from(value.as_u64()?).ok(),
    }
}

/// The numbers after each `AADSTS` in a text.
fn aadsts(text: &str) -> impl Iterator<Item = u32> {
    text.split("AADSTS").skip(1).filter_map(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..digits)?.parse().ok()
    })
}

/// Text of a server's, fit for a line of a log: no line ends or control characters, not endless.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 2_000;
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let mut line = String::new();
    for word in words.filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::token::MalformedToken;
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
        let mut scrubber = Scrubber::default();
        scrubber.learn(SECRET.as_bytes());
        let request = HttpRequest::new("POST", "https://login.example/token");
        exchange(&Canned(Mutex::new(answer)), request, scrubber, DEADLINE).await
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
        let request = HttpRequest::new("POST", "https://login.example/token");
        let token = exchange(&Slow, request, Scrubber::default(), DEADLINE).await.unwrap();
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
             Correlation ID: 9c2b"
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
