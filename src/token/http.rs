//! The seam between token flows and HTTP.
//!
//! The grants make small requests: a form, posted to a token endpoint, or a GET at a machine's
//! identity service. The crate does that itself; an application that already has an HTTP client,
//! with its proxies and its certificates, can lend it through [`HttpClient`].

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use oauth2::url::{Host, Url};

use crate::BoxFuture;
use crate::secret::Secret;

/// Sends a request and returns the answer, whatever its status.
///
/// An implementation verifies certificates, does not follow redirects (the request carries a
/// credential), and need not have a deadline: the flows have one and drop the future. A body of more
/// than 1 MiB is no answer to a flow, so that there is no need to read on behind that.
///
/// # Where it is called
///
/// What brings or renews the tokens of a user ([`SignedIn`](super::SignedIn)) is sent on a small
/// Tokio runtime of the crate's own, one thread that goes on when a caller gives up or the program's
/// runtime ends: an answer that nobody reads would be a sign-in or a rotated refresh token lost. All
/// other requests are sent on the caller's runtime. So an implementation
///
/// - may find neither the program's runtime by `Handle::current()` nor its thread-locals and
///   task-locals,
/// - does not use a pooled connection again whose runtime has ended,
/// - does not block: all renewals of the process share that thread.
///
/// The futures are `Send`, as [`BoxFuture`] demands.
///
/// # Example
///
/// A client that answers from memory, for a test that needs no network:
///
/// ```
/// use mailbearer::BoxFuture;
/// use mailbearer::token::ClientCredentials;
/// use mailbearer::token::http::{HttpClient, HttpError, HttpRequest, HttpResponse};
///
/// struct Canned;
///
/// impl HttpClient for Canned {
///     fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
///         assert_eq!(request.method(), "POST");
///         let body = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"EwB"}"#;
///         Box::pin(async move { Ok(HttpResponse::new(200).with_body(body)) })
///     }
/// }
///
/// let tokens = ClientCredentials::entra("contoso.example", "app-id", "app-secret")
///     .http(Canned)
///     .build()?;
/// # Ok::<(), mailbearer::token::SetupError>(())
/// ```
pub trait HttpClient: Send + Sync {
    /// Sends it.
    ///
    /// # Errors
    ///
    /// Only if there was no HTTP answer; an answer of status 400 or 503 is `Ok`. The error's
    /// message must not contain the request's headers or body.
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>>;
}

/// What an [`HttpClient`] fails with: any error type.
pub type HttpError = Box<dyn Error + Send + Sync>;

impl<C: HttpClient + ?Sized> HttpClient for Arc<C> {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        (**self).send(request)
    }
}

/// A request to send. `Debug` shows neither header values nor the body, which hold credentials.
pub struct HttpRequest {
    method: String,
    url: String,
    headers: Vec<(String, Secret<String>)>,
    body: Secret<Vec<u8>>,
}

impl HttpRequest {
    /// A request without headers and body.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Secret::new(Vec::new()),
        }
    }

    /// The same request with one header more.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), Secret::new(value.into())));
        self
    }

    /// The same request with this body.
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Secret::new(body.into());
        self
    }

    /// The method, in capitals.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The absolute URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Names and values of the headers. `Host` and `Content-Length` are not among them.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.expose().as_str()))
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.body.expose()
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("body_len", &self.body().len())
            .finish_non_exhaustive()
    }
}

/// An answer. `Debug` does not show the body, which may hold a token.
pub struct HttpResponse {
    status: u16,
    headers: Vec<(String, String)>,
    body: Secret<Vec<u8>>,
}

impl HttpResponse {
    /// An answer of this status without headers and body.
    pub const fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Secret::new(Vec::new()) }
    }

    /// The same answer with one header more.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same answer with this body.
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Secret::new(body.into());
        self
    }

    /// The status code.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The value of the first header of this name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.body.expose()
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("body_len", &self.body().len())
            .finish_non_exhaustive()
    }
}

/// Why a URL is not one that credentials may be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It is not an absolute URL.
    #[error("the token endpoint's URL is malformed: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// It is neither `https` nor `http` to this machine.
    #[error("`{url}` is not https: credentials are sent in the clear to loopback only")]
    Clear {
        /// What was given.
        url: String,
    },
    /// It is `http` to this machine, which a proxy cannot be asked for: what the proxy calls by
    /// that name is another, and secrets would lie open on the way.
    #[cfg(feature = "proxy")]
    #[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
    #[error("`{url}` is not https: clear text does not go through a proxy")]
    ClearThroughProxy {
        /// What was given.
        url: String,
    },
    /// It carries a user name, a password or a fragment.
    #[error("the URL of a token endpoint has no user name, password or fragment")]
    Adorned,
}

/// An endpoint that credentials may be sent to: `https`, or `http` on this machine. RFC 6749
/// section 3.2 demands TLS and forbids a fragment.
pub(super) fn endpoint_url(text: &str) -> Result<Url, UrlError> {
    let url =
        Url::parse(text).map_err(|error| UrlError::Malformed { reason: error.to_string() })?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(UrlError::Adorned);
    }
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if is_loopback(&host) => Ok(url),
        _ => Err(UrlError::Clear { url: text.into() }),
    }
}

/// A URL that a request may go to: an [`endpoint_url`], or `http` to a link-local address. That is
/// where Azure's identity services listen, which speak no TLS; [`ManagedIdentity`] alone lets such
/// a URL pass to here.
///
/// [`ManagedIdentity`]: super::ManagedIdentity
pub(super) fn request_url(text: &str) -> Result<Url, UrlError> {
    match Url::parse(text) {
        Ok(url) if url.scheme() == "http" && is_link_local(&url) => Ok(url),
        _ => endpoint_url(text),
    }
}

fn is_link_local(url: &Url) -> bool {
    matches!(url.host(), Some(Host::Ipv4(address)) if address.is_link_local())
}

/// Whether clear text to this address leaves no further than the machine and its host.
pub(super) const fn is_next_door(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback(),
    }
}

/// Whether the name means this machine. What `localhost` resolves to is checked after dialling.
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => IpAddr::from(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::from(*address).is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_header_value_and_no_body() {
        let request = HttpRequest::new("POST", "https://h/token")
            .with_header("authorization", "Basic c2VjcmV0")
            .with_body("client_secret=hunter2");
        let response = HttpResponse::new(200).with_body("hunter2").with_header("x", "c2VjcmV0");
        let shown = format!("{request:?} {response:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("c2VjcmV0"), "{shown}");
    }

    #[test]
    fn headers_of_an_answer_are_found_in_any_case() {
        let response = HttpResponse::new(429).with_header("Retry-After", "7");
        assert_eq!(response.header("retry-after"), Some("7"));
    }

    #[test]
    fn clear_text_to_a_link_local_address_is_for_managed_identities_alone() {
        let imds = "http://169.254.169.254/metadata/identity/oauth2/token?resource=x";
        assert!(request_url(imds).is_ok());
        assert!(matches!(endpoint_url(imds), Err(UrlError::Clear { .. })));
        for clear in ["http://192.0.2.1/", "http://169.254.169.254.evil.example/"] {
            assert!(request_url(clear).is_err(), "{clear}");
        }
    }

    #[test]
    fn credentials_go_over_https_or_stay_on_this_machine() {
        for good in [
            "https://login.example/token",
            "http://127.0.0.1:8080/token",
            "http://[::1]/token",
            "http://localhost/token",
        ] {
            assert!(endpoint_url(good).is_ok(), "{good}");
        }
        for clear in ["http://login.example/", "http://localhost.evil.example/", "ftp://h/"] {
            assert!(matches!(endpoint_url(clear), Err(UrlError::Clear { .. })), "{clear}");
        }
        for adorned in ["https://u@h/", "https://u:p@h/", "https://h/#f"] {
            assert_eq!(endpoint_url(adorned), Err(UrlError::Adorned), "{adorned}");
        }
        assert!(matches!(endpoint_url("login.example"), Err(UrlError::Malformed { .. })));
    }
}
