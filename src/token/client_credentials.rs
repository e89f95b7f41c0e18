//! The client credentials grant (RFC 6749 section 4.4): a service signs in as itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use oauth2::basic::BasicClient;
use oauth2::{AuthType, ClientId, ClientSecret, RequestTokenError, Scope, TokenUrl};

use super::http::{HttpClient, HttpRequest, UrlError, endpoint_url};
use super::https::Direct;
use super::token_endpoint::exchange;
use super::{AccessToken, Cached, Rejection, TokenError, TokenProvider, TokenRequest};
use crate::secret::{Scrubber, Secret};
use crate::{BoxFuture, tls};

/// Tokens for an application with a client secret: no user signs in.
///
/// Cached, renewed ahead of time, one request at a time; a clone is cheap and shares the tokens.
/// How tokens are kept is described at [`Cached`]. Requests that need the same scope share a token,
/// so one serves SMTP, IMAP and POP3 and all mailboxes that the application may open.
///
/// At Microsoft 365 the application needs the application permissions `SMTP.SendAsApp`,
/// `IMAP.AccessAsApp`, `POP.AccessAsApp` of Office 365 Exchange Online with the administrator's
/// consent, its service principal registered in Exchange, and access to each mailbox:
/// <https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth>.
///
/// # Example
///
/// ```
/// use mailbearer::token::ClientCredentials;
///
/// # fn settings(_: &str) -> String { "contoso.example".into() }
/// let tokens = ClientCredentials::entra(
///     settings("TENANT_ID"),
///     settings("CLIENT_ID"),
///     settings("CLIENT_SECRET"),
/// )
/// .build()?;
/// # Ok::<(), mailbearer::token::SetupError>(())
/// ```
///
/// # Errors
///
/// Getting a token fails with a [`TokenError`] whose cause is a
/// [`TokenEndpointError`](super::TokenEndpointError) if the server refused, or a
/// [`NoAnswer`](super::NoAnswer) if it gave no answer that could be used.
#[derive(Clone)]
pub struct ClientCredentials {
    tokens: Cached<Arc<Grant>>,
    grant: Arc<Grant>,
}

impl ClientCredentials {
    /// An application in Microsoft Entra. The tenant is its id or one of its verified domains; the
    /// secret is the value, not the id, of a client secret.
    ///
    /// The scope follows the endpoint: `https://outlook.office365.com/.default` for Exchange
    /// Online, `https://outlook.office.com/.default` for High Volume Email, and the resources of
    /// the US Government and 21Vianet clouds for their hosts. Those clouds also have another
    /// [`authority`](ClientCredentialsBuilder::authority).
    pub fn entra(
        tenant: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
    ) -> ClientCredentialsBuilder {
        let server = Server::Entra { tenant: tenant.into() };
        ClientCredentialsBuilder::new(server, client_id.into(), client_secret.into())
    }

    /// A client of any OAuth 2.0 server, by the URL of its token endpoint. No scope is sent unless
    /// one is set.
    pub fn builder(
        token_url: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
    ) -> ClientCredentialsBuilder {
        let server = Server::Other { token_url: token_url.into() };
        ClientCredentialsBuilder::new(server, client_id.into(), client_secret.into())
    }
}

impl TokenProvider for ClientCredentials {
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        self.tokens.token(request)
    }

    fn rejected<'a>(&'a self, token: &'a AccessToken, why: Rejection) -> BoxFuture<'a, ()> {
        self.tokens.rejected(token, why)
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("token_url", &self.grant.token_url)
            .field("client_id", &self.grant.client_id)
            .finish_non_exhaustive()
    }
}

/// Settings of [`ClientCredentials`].
///
/// # Example
///
/// ```
/// use mailbearer::token::ClientCredentials;
///
/// let tokens = ClientCredentials::builder("https://login.example.net/token", "mailer", "s3cret")
///     .scope("mail.all")
///     .build()?;
/// # Ok::<(), mailbearer::token::SetupError>(())
/// ```
#[must_use]
pub struct ClientCredentialsBuilder {
    server: Server,
    authority: Option<String>,
    client_id: String,
    client_secret: Secret<String>,
    scope: Option<String>,
    secret_in_body: bool,
    deadline: Duration,
    margin: Option<Duration>,
    tls: Option<tls::Config>,
    http: Option<Arc<dyn HttpClient>>,
}

/// Of the public cloud: <https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>.
const ENTRA: &str = "https://login.microsoftonline.com";

#[derive(Debug)]
enum Server {
    Entra { tenant: String },
    Other { token_url: String },
}

impl ClientCredentialsBuilder {
    const DEADLINE: Duration = Duration::from_secs(30);

    fn new(server: Server, client_id: String, client_secret: String) -> Self {
        Self {
            // Microsoft documents the form fields; elsewhere RFC 6749 section 2.3.1 makes every
            // server support HTTP Basic and advises against the body.
            secret_in_body: matches!(server, Server::Entra { .. }),
            server,
            authority: None,
            client_id,
            client_secret: Secret::new(client_secret),
            scope: None,
            deadline: Self::DEADLINE,
            margin: None,
            tls: None,
            http: None,
        }
    }

    /// Asks for this scope instead, for every endpoint; several are separated by spaces.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Another Entra authority: `https://login.microsoftonline.us` for US Government,
    /// `https://login.partner.microsoftonline.cn` for 21Vianet. The tenant is appended to it.
    pub fn authority(mut self, url: impl Into<String>) -> Self {
        self.authority = Some(url.into());
        self
    }

    /// Sends the client id and secret as form fields (true; the default for Entra) or by HTTP Basic
    /// authentication (false; the default elsewhere).
    pub const fn secret_in_body(mut self, in_body: bool) -> Self {
        self.secret_in_body = in_body;
        self
    }

    /// How long a token request may take as a whole; 30 seconds by default.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// See [`Cached::with_margin`].
    pub const fn margin(mut self, margin: Duration) -> Self {
        self.margin = Some(margin);
        self
    }

    /// Whom to trust for requests. By default the authorities that browsers trust. Of no use
    /// together with [`http`](Self::http).
    pub fn tls(mut self, config: tls::Config) -> Self {
        self.tls = Some(config);
        self
    }

    /// Sends requests with this HTTP client instead of the crate's own.
    pub fn http(mut self, client: impl HttpClient + 'static) -> Self {
        self.http = Some(Arc::new(client));
        self
    }

    /// Checks the settings. Nothing is sent before the first token is wanted.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if the settings cannot work.
    pub fn build(self) -> Result<ClientCredentials, SetupError> {
        if self.client_id.is_empty() {
            return Err(SetupError::NoClientId);
        }
        if self.client_secret.expose().is_empty() {
            return Err(SetupError::NoClientSecret);
        }
        let scope = match (self.scope, &self.server) {
            (Some(scope), _) => ScopeRule::Fixed(scope),
            (None, Server::Entra { .. }) => ScopeRule::Microsoft,
            (None, Server::Other { .. }) => ScopeRule::Fixed(String::new()),
        };
        let url = self.server.token_url(self.authority.as_deref())?;
        let token_url = TokenUrl::from_url(endpoint_url(&url)?);
        let grant = Arc::new(Grant {
            token_url,
            client_id: ClientId::new(self.client_id),
            client_secret: self.client_secret,
            scope,
            secret_in_body: self.secret_in_body,
            deadline: self.deadline,
            http: self.http.unwrap_or_else(|| Arc::new(Direct::new(self.tls.unwrap_or_default()))),
        });
        let keyed_by = grant.clone();
        let mut tokens =
            Cached::new(grant.clone()).keyed_by(move |request| keyed_by.scope.of(request).into());
        if let Some(margin) = self.margin {
            tokens = tokens.with_margin(margin);
        }
        Ok(ClientCredentials { tokens, grant })
    }
}

impl fmt::Debug for ClientCredentialsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentialsBuilder")
            .field("server", &self.server)
            .field("client_id", &self.client_id)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Server {
    fn token_url(&self, authority: Option<&str>) -> Result<String, SetupError> {
        match (self, authority) {
            (Self::Other { .. }, Some(_)) => Err(SetupError::AuthorityWithoutTenant),
            (Self::Other { token_url }, None) => Ok(token_url.clone()),
            (Self::Entra { tenant }, authority) => {
                check_tenant(tenant)?;
                let authority = authority.unwrap_or(ENTRA).trim_end_matches('/');
                Ok(format!("{authority}/{tenant}/oauth2/v2.0/token"))
            }
        }
    }
}

/// Client credentials belong to one tenant; Entra answers AADSTS9001023 to the names that stand for
/// many. The last is the tenant of all personal accounts, to which no application belongs.
fn check_tenant(tenant: &str) -> Result<(), SetupError> {
    const MANY: [&str; 4] =
        ["common", "organizations", "consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"];
    if MANY.iter().any(|many| tenant.eq_ignore_ascii_case(many)) {
        return Err(SetupError::ManyTenants { tenant: tenant.into() });
    }
    // A GUID or a domain name, and nothing that could change the path it is put into.
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.');
    if tenant.is_empty() || tenant.starts_with('.') || !tenant.bytes().all(fits) {
        return Err(SetupError::NotATenant { tenant: tenant.into() });
    }
    Ok(())
}

/// Settings with which no token can be had. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The tenant stands for many, or for personal accounts.
    #[error(
        "client credentials belong to one tenant, and `{tenant}` is none (Entra would answer \
         AADSTS9001023): give the tenant's id or one of its verified domains"
    )]
    ManyTenants {
        /// What was given.
        tenant: String,
    },
    /// The tenant is empty, or neither a GUID nor a domain name.
    #[error("`{tenant}` is not a tenant: give its id or one of its verified domains")]
    NotATenant {
        /// What was given.
        tenant: String,
    },
    /// An authority was set, but the server was given by the URL of its token endpoint.
    #[error("an authority needs a tenant: set it on `entra`, or give the whole token URL")]
    AuthorityWithoutTenant,
    /// The client id is empty.
    #[error("the client id is empty")]
    NoClientId,
    /// The client secret is empty.
    #[error("the client secret is empty")]
    NoClientSecret,
    /// The token endpoint's URL is no place for a secret.
    #[error(transparent)]
    Url(#[from] UrlError),
}

/// Asks for a token each time.
struct Grant {
    token_url: TokenUrl,
    client_id: ClientId,
    client_secret: Secret<String>,
    scope: ScopeRule,
    secret_in_body: bool,
    deadline: Duration,
    http: Arc<dyn HttpClient>,
}

impl TokenProvider for Grant {
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        Box::pin(async move {
            let asked = self.request(self.scope.of(request))?;
            exchange(&*self.http, asked, self.scrubber(), self.deadline).await
        })
    }
}

impl Grant {
    fn request(&self, scope: &str) -> Result<HttpRequest, TokenError> {
        let client = BasicClient::new(self.client_id.clone())
            .set_client_secret(ClientSecret::new(self.client_secret.expose().clone()))
            .set_auth_type(if self.secret_in_body {
                AuthType::RequestBody
            } else {
                AuthType::BasicAuth
            })
            .set_token_uri(self.token_url.clone());
        let mut request = client.exchange_client_credentials();
        for scope in scope.split_whitespace() {
            request = request.add_scope(Scope::new(scope.into()));
        }
        // oauth2 hands its request only to an HTTP client, so this is one that keeps it.
        match request.request(&|request| Err(Kept(Box::new(request)))) {
            Err(RequestTokenError::Request(Kept(request))) => Ok(from_oauth2(*request)),
            _ => Err(TokenError::never("the token request could not be made")),
        }
    }

    /// Knows the secret in the forms that a server could echo.
    fn scrubber(&self) -> Scrubber {
        let secret = self.client_secret.expose();
        let encoded: String =
            oauth2::url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let mut scrubber = Scrubber::default();
        scrubber.learn(secret.as_bytes());
        scrubber.learn(encoded.as_bytes());
        scrubber
    }
}

#[derive(thiserror::Error)]
#[error("the request was kept")]
struct Kept(Box<oauth2::HttpRequest>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

fn from_oauth2(request: oauth2::HttpRequest) -> HttpRequest {
    let (head, body) = request.into_parts();
    let start = HttpRequest::new(head.method.as_str(), head.uri.to_string());
    let with_headers = head.headers.iter().fold(start, |request, (name, value)| {
        request.with_header(name.as_str(), value.to_str().unwrap_or_default())
    });
    with_headers.with_body(body)
}

/// Which scope a request needs.
enum ScopeRule {
    Fixed(String),
    Microsoft,
}

impl ScopeRule {
    fn of(&self, request: &TokenRequest) -> &str {
        match self {
            Self::Fixed(scope) => scope,
            Self::Microsoft => microsoft_scope(request.endpoint().host()),
        }
    }
}

/// The resource whose application permissions open a host.
/// Exchange Online: <https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth>;
/// High Volume Email: <https://learn.microsoft.com/exchange/mail-flow-best-practices/high-volume-mails-m365>.
fn microsoft_scope(host: &str) -> &'static str {
    let host = host.to_ascii_lowercase();
    let within = |domain: &str| {
        host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if within("hve.mx.microsoft") || host == "smtp-hve.office365.com" {
        "https://outlook.office.com/.default"
    } else if within("office365.us") {
        "https://outlook.office365.us/.default"
    } else if within("partner.outlook.cn") {
        "https://partner.outlook.cn/.default"
    } else {
        "https://outlook.office365.com/.default"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::https::tests::{answer, serve};
    use crate::token::{Purpose, TokenEndpointError};
    use crate::{Endpoint, Failure};

    const SECRET: &str = "8Q~wJ x+&=secret-value";

    fn token_answer(token: &str) -> Vec<u8> {
        let body = format!(
            r#"{{"token_type":"Bearer","expires_in":"3599","ext_expires_in":3599,"access_token":"{token}"}}"#
        );
        answer("200 OK", "content-type: application/json; charset=utf-8\r\n", &body)
    }

    fn request(endpoint: Endpoint) -> TokenRequest {
        TokenRequest::new(endpoint, "billing@contoso.example")
    }

    #[tokio::test]
    async fn entra_gets_the_form_its_documents_show() {
        let (url, server) = serve(vec![token_answer("EwB")]).await;
        let tokens = ClientCredentials::entra("contoso.example", "app-1", SECRET)
            .authority(url.trim_end_matches("token"))
            .build()
            .unwrap();
        let token = tokens.token(&request(Endpoint::imap("outlook.office365.com"))).await.unwrap();
        assert_eq!(token.expose(), "EwB");
        assert!(token.remaining().is_some());
        let asked = &server.await.unwrap()[0];
        assert!(asked.starts_with("POST /contoso.example/oauth2/v2.0/token HTTP/1.1\r\n"));
        assert!(asked.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"));
        assert!(!asked.to_ascii_lowercase().contains("authorization"));
        let (_, form) = asked.split_once("\r\n\r\n").unwrap();
        let fields: Vec<(String, String)> =
            oauth2::url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        let field = |name: &str| {
            let mut found = fields.iter().filter(|(other, _)| other == name);
            let value = found.next().map(|(_, value)| value.as_str());
            assert!(found.next().is_none(), "{name} twice");
            value
        };
        assert_eq!(field("grant_type"), Some("client_credentials"));
        assert_eq!(field("client_id"), Some("app-1"));
        assert_eq!(field("client_secret"), Some(SECRET));
        assert_eq!(field("scope"), Some("https://outlook.office365.com/.default"));
        assert_eq!(fields.len(), 4);
    }

    #[tokio::test]
    async fn other_servers_get_http_basic_with_encoded_credentials() {
        let (url, server) = serve(vec![token_answer("EwB")]).await;
        let tokens =
            ClientCredentials::builder(url, "app 1", SECRET).scope("one  two").build().unwrap();
        tokens.token(&request(Endpoint::smtp("mail.example.net"))).await.unwrap();
        let asked = &server.await.unwrap()[0];
        // base64 of `app+1:8Q%7EwJ+x%2B%26%3Dsecret-value` (RFC 6749 section 2.3.1)
        let basic = "authorization: Basic YXBwKzE6OFElN0V3Sit4JTJCJTI2JTNEc2VjcmV0LXZhbHVl\r\n";
        assert!(asked.contains(basic), "{asked}");
        assert!(asked.ends_with("\r\n\r\ngrant_type=client_credentials&scope=one+two"), "{asked}");
    }

    #[tokio::test]
    async fn one_token_serves_three_protocols_and_another_high_volume_email() {
        let (url, server) = serve(vec![token_answer("exchange"), token_answer("hve")]).await;
        let tokens = ClientCredentials::entra("contoso.example", "app-1", SECRET)
            .authority(url.trim_end_matches("/token"))
            .build()
            .unwrap();
        for (endpoint, expected) in [
            (Endpoint::smtp_starttls("smtp.office365.com"), "exchange"),
            (Endpoint::imap("outlook.office365.com"), "exchange"),
            (Endpoint::pop("outlook.office365.com"), "exchange"),
            (Endpoint::smtp_starttls("smtp.hve.mx.microsoft"), "hve"),
            (Endpoint::smtp_starttls("smtp-hve.office365.com"), "hve"),
        ] {
            let token = tokens.clone().token(&request(endpoint)).await.unwrap();
            assert_eq!(token.expose(), expected);
        }
        let asked = server.await.unwrap();
        assert!(asked[0].contains("scope=https%3A%2F%2Foutlook.office365.com%2F.default"));
        assert!(asked[1].contains("scope=https%3A%2F%2Foutlook.office.com%2F.default"));
    }

    #[tokio::test]
    async fn a_refused_token_is_asked_for_again() {
        let (url, _server) = serve(vec![token_answer("first"), token_answer("second")]).await;
        let tokens = ClientCredentials::builder(url, "app-1", SECRET).build().unwrap();
        let request = request(Endpoint::imap("mail.example.net"));
        let first = tokens.token(&request).await.unwrap();
        tokens.rejected(&first, Rejection::Expired).await;
        let second = tokens.token(&request.with_purpose(Purpose::Retry)).await.unwrap();
        assert_eq!(second.expose(), "second");
    }

    #[tokio::test]
    async fn a_refusal_says_why_and_never_repeats_the_secret() {
        let body = format!(
            r#"{{"error":"invalid_client","error_description":"AADSTS7000215: bad secret {SECRET} 8Q%7EwJ+x%2B%26%3Dsecret-value YXBwLTE6OFElN0V3Sit4","error_codes":[7000215]}}"#
        );
        let (url, _server) = serve(vec![answer("401 Unauthorized", "", &body)]).await;
        let tokens = ClientCredentials::builder(url, "app-1", SECRET).build().unwrap();
        let error = tokens.token(&request(Endpoint::imap("mail.example.net"))).await.unwrap_err();
        let refusal: &TokenEndpointError = error.cause().downcast_ref().unwrap();
        assert_eq!(
            refusal.description(),
            Some("AADSTS7000215: bad secret [secret] [secret] [secret]")
        );
        assert_eq!(error.retry(), crate::Retry::Never);
        assert!(!format!("{error} {error:?} {refusal:?}").contains("secret-value"));
    }

    #[test]
    fn a_tenant_that_stands_for_many_is_refused() {
        for tenant in ["common", "Organizations", "consumers"] {
            let error = ClientCredentials::entra(tenant, "a", "s").build().unwrap_err();
            assert_eq!(error, SetupError::ManyTenants { tenant: tenant.into() });
        }
        for tenant in ["", "..", "contoso/../common", "a?b", "contoso.example "] {
            let error = ClientCredentials::entra(tenant, "a", "s").build().unwrap_err();
            assert_eq!(error, SetupError::NotATenant { tenant: tenant.into() });
        }
        let id = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        assert!(ClientCredentials::entra(id, "a", "s").build().is_ok());
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let build = |url, id, secret| ClientCredentials::builder(url, id, secret).build();
        let url = "https://login.example/token";
        assert_eq!(build(url, "", "s").unwrap_err(), SetupError::NoClientId);
        assert_eq!(build(url, "a", "").unwrap_err(), SetupError::NoClientSecret);
        assert!(matches!(
            build("http://login.example/token", "a", "s").unwrap_err(),
            SetupError::Url(UrlError::Clear { .. })
        ));
        let authority = ClientCredentials::builder(url, "a", "s").authority("https://b.example");
        assert_eq!(authority.build().unwrap_err(), SetupError::AuthorityWithoutTenant);
    }

    #[test]
    fn debug_shows_no_secret() {
        let builder = ClientCredentials::entra("contoso.example", "app-1", SECRET);
        let shown = format!("{builder:?}");
        let shown = format!("{shown} {:?}", builder.build().unwrap());
        assert!(shown.contains("app-1") && !shown.contains("secret-value"), "{shown}");
    }

    #[test]
    fn the_scope_follows_the_cloud() {
        for (host, scope) in [
            ("outlook.office365.us", "https://outlook.office365.us/.default"),
            ("SMTP.office365.us", "https://outlook.office365.us/.default"),
            ("outlook-dod.office365.us", "https://outlook.office365.us/.default"),
            ("partner.outlook.cn", "https://partner.outlook.cn/.default"),
            ("smtp.partner.outlook.cn", "https://partner.outlook.cn/.default"),
            ("notoffice365.us", "https://outlook.office365.com/.default"),
        ] {
            assert_eq!(microsoft_scope(host), scope, "{host}");
        }
    }
}
