//! The authorization code grant (RFC 6749 section 4.1) with PKCE (RFC 7636), for programs on the
//! user's own machine (RFC 8252) and for web applications.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use oauth2::url::form_urlencoded::{self, Serializer};
use oauth2::{CsrfToken, PkceCodeChallenge};

use super::loopback::Loopback;
use super::signed_in::{SignIn, SignedIn};
use crate::Retry;
use crate::secret::Secret;
use crate::token::oauth::credential::ClientCredential;
use crate::token::oauth::form::Form;
use crate::token::oauth::refusal::one_line;
use crate::token::oauth::settings::{CONSUMERS, Server, Settings, SetupError, user_settings};
use crate::token::store::keeper::keep;
use crate::token::{ErrorKind, TokenEndpointError, TokenError};

/// A sign-in in the user's browser.
///
/// [`start`](Self::start) is for programs on the user's machine: it listens on a loopback port for
/// the browser to come back, and gives the URL to open. No browser is opened by this crate.
/// [`start_at`](Self::start_at) is for web applications, which have their own redirect URI.
///
/// - At Microsoft Entra register the redirect URI `http://localhost` (platform "Mobile and desktop
///   applications"); any port is then allowed.
/// - At Google make a client of type "Desktop app".
///
/// # Example
///
/// ```no_run
/// use mailbearer::token::{AuthorizationCode, SignedIn};
///
/// # async fn sign_in() -> Result<SignedIn, Box<dyn std::error::Error>> {
/// let browser = AuthorizationCode::entra("contoso.example", "app-id").build()?;
/// // With a store, whoever signed in before need not do so again.
/// if let Some(tokens) = browser.resume().await? {
///     return Ok(tokens);
/// }
/// let waiting = browser.start().await?;
/// println!("Open {} to sign in.", waiting.url());
/// let tokens = waiting.finish().await?;
/// # Ok(tokens) }
/// ```
pub struct AuthorizationCode {
    sign_in: SignIn,
    authorization_url: String,
    server: Server,
    login_hint: Option<String>,
    prompt: Option<String>,
    claims: Option<String>,
    issuer: Option<Issuer>,
    port: u16,
    path: String,
    patience: Duration,
}

/// The server's name for itself, by which its answers are told from those of another server that
/// the user was led to (RFC 9207).
#[derive(Clone)]
struct Issuer {
    name: String,
    /// Whether the server names itself in every answer.
    always: bool,
}

impl AuthorizationCode {
    /// For users in Microsoft Entra. The tenant is its id, a verified domain, `organizations` or
    /// `common`.
    pub fn entra(
        tenant: impl Into<String>,
        client_id: impl Into<String>,
    ) -> AuthorizationCodeBuilder {
        AuthorizationCodeBuilder::new(Settings::entra(tenant, client_id))
    }

    /// For personal accounts: Outlook.com, Hotmail, Live.
    pub fn outlook(client_id: impl Into<String>) -> AuthorizationCodeBuilder {
        Self::entra(CONSUMERS, client_id)
    }

    /// For Google accounts. Google gives every client a secret, desktop programs too.
    pub fn google(
        client_id: impl Into<String>,
        client_secret: impl Into<ClientCredential>,
    ) -> AuthorizationCodeBuilder {
        let settings = Settings::google(client_id).with_credential(client_secret);
        AuthorizationCodeBuilder::new(settings)
    }

    /// At any OAuth 2.0 server, by the URLs of its authorization and token endpoints. No scope is
    /// sent unless one is set; many servers want `offline_access` in it.
    pub fn builder(
        authorization_url: impl Into<String>,
        token_url: impl Into<String>,
        client_id: impl Into<String>,
    ) -> AuthorizationCodeBuilder {
        let mut settings = Settings::other(token_url, client_id);
        settings.authorization_url = Some(authorization_url.into());
        AuthorizationCodeBuilder::new(settings)
    }

    /// The tokens of the user who signed in before, if the store has them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`], if the store cannot be read.
    pub async fn resume(&self) -> Result<Option<SignedIn>, TokenError> {
        self.sign_in.resume().await
    }

    /// Listens on a loopback port for the browser (RFC 8252 section 7.3).
    ///
    /// The redirect URI is `http://localhost:PORT` at Entra, which registers that name, and
    /// `http://127.0.0.1:PORT` elsewhere, which cannot be made to mean another machine.
    ///
    /// # Errors
    ///
    /// [`TokenError`], if the port cannot be had.
    pub async fn start(&self) -> Result<BrowserSignIn, TokenError> {
        let name = match self.server {
            Server::Entra { .. } => "localhost",
            _ => "127.0.0.1",
        };
        let loopback = Loopback::open(self.port, &self.path, self.patience)
            .await
            .map_err(|cause| TokenError::later(NoListener { port: self.port, cause }))?;
        // Entra compares the path with the registered one, and `/` is not the empty path.
        let path = if self.path == "/" { "" } else { &self.path };
        let redirect_uri = format!("http://{name}:{}{path}", loopback.port());
        Ok(BrowserSignIn { authorization: self.start_at(redirect_uri), loopback })
    }

    /// Begins a sign-in that comes back to a redirect URI of the application's own.
    pub fn start_at(&self, redirect_uri: impl Into<String>) -> Authorization {
        let redirect_uri = redirect_uri.into();
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let state = CsrfToken::new_random();
        let url = self.url(&redirect_uri, challenge.as_str(), state.secret());
        Authorization {
            sign_in: self.sign_in.clone(),
            authorization_url: self.authorization_url.clone(),
            url,
            redirect_uri,
            state: Secret::new(state.into_secret()),
            verifier: Secret::new(verifier.into_secret()),
            issuer: self.issuer.clone(),
        }
    }

    /// RFC 6749 section 4.1.1, RFC 7636 section 4.3.
    fn url(&self, redirect_uri: &str, challenge: &str, state: &str) -> String {
        let mut url = self.authorization_url.clone();
        url.push(if url.contains('?') { '&' } else { '?' });
        let at = url.len();
        let mut query = Serializer::for_suffix(url, at);
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.sign_in.client.client_id)
            .append_pair("redirect_uri", redirect_uri);
        let scope = self.sign_in.client.scope.at_sign_in();
        if !scope.is_empty() {
            query.append_pair("scope", &scope);
        }
        query
            .append_pair("state", state)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256");
        let mut prompt = self.prompt.as_deref();
        if self.server == Server::Google {
            // Without both of these, Google gives a refresh token at the first consent only.
            query.append_pair("access_type", "offline");
            prompt = prompt.or(Some("consent"));
        }
        if let Some(prompt) = prompt {
            query.append_pair("prompt", prompt);
        }
        let optional = [("login_hint", &self.login_hint), ("claims", &self.claims)];
        for (name, value) in optional {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }
}

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationCode")
            .field("authorization_url", &self.authorization_url)
            .field("client_id", &self.sign_in.client.client_id)
            .finish_non_exhaustive()
    }
}

/// Settings of [`AuthorizationCode`].
#[must_use]
pub struct AuthorizationCodeBuilder {
    settings: Settings,
    login_hint: Option<String>,
    prompt: Option<String>,
    claims: Option<String>,
    issuer: Option<String>,
    port: u16,
    path: String,
    patience: Duration,
}

impl AuthorizationCodeBuilder {
    const PATIENCE: Duration = Duration::from_secs(5 * 60);

    user_settings!();

    fn new(settings: Settings) -> Self {
        let path = String::from("/");
        let patience = Self::PATIENCE;
        Self {
            settings,
            login_hint: None,
            prompt: None,
            claims: None,
            issuer: None,
            port: 0,
            path,
            patience,
        }
    }

    /// Another URL of the authorization endpoint.
    pub fn authorization_url(mut self, url: impl Into<String>) -> Self {
        self.settings.authorization_url = Some(url.into());
        self
    }

    /// The address of the user who is to sign in, so that the right account is offered.
    pub fn login_hint(mut self, address: impl Into<String>) -> Self {
        self.login_hint = Some(address.into());
        self
    }

    /// What the server is to ask for even if it need not: `select_account`, `consent`, `login`.
    pub fn prompt(mut self, prompt: impl Into<String>) -> Self {
        self.prompt = Some(prompt.into());
        self
    }

    /// What a policy wants of this sign-in: the
    /// [`claims`](crate::token::TokenEndpointError::claims) of the refusal that asked for it.
    pub fn claims(mut self, json: impl Into<String>) -> Self {
        self.claims = Some(json.into());
        self
    }

    /// The server's issuer identifier, for a server whose metadata say
    /// `authorization_response_iss_parameter_supported`: an answer that does not name it as `iss` is
    /// refused (RFC 9207), since it is that of another server. Needed by programs that sign users in
    /// at several.
    ///
    /// Without it, an answer of Google's or of an Entra tenant that is given by its id may name the
    /// right one or none.
    pub fn issuer(mut self, identifier: impl Into<String>) -> Self {
        self.issuer = Some(identifier.into());
        self
    }

    /// Listens on this port, for a server that allows only the registered one; by default on any
    /// that is free.
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The path of the loopback redirect URI; `/` by default.
    pub fn redirect_path(mut self, path: impl Into<String>) -> Self {
        let path: String = path.into();
        self.path = if path.starts_with('/') { path } else { format!("/{path}") };
        self
    }

    /// How long the user has to sign in; five minutes by default.
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Checks the settings. Nothing is sent, and nothing listens yet.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if the settings cannot work.
    pub fn build(self) -> Result<AuthorizationCode, SetupError> {
        let issuer = match self.issuer {
            Some(name) => Some(Issuer { name, always: true }),
            None => self.settings.issuer().map(|name| Issuer { name, always: false }),
        };
        Ok(AuthorizationCode {
            issuer,
            sign_in: SignIn::new(&self.settings)?,
            authorization_url: self.settings.checked_authorization_url()?,
            server: self.settings.server,
            login_hint: self.login_hint,
            prompt: self.prompt,
            claims: self.claims,
            port: self.port,
            path: self.path,
            patience: self.patience,
        })
    }
}

impl fmt::Debug for AuthorizationCodeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuthorizationCodeBuilder").field(&self.settings).finish()
    }
}

/// A sign-in that waits on a loopback port for the browser to come back.
#[derive(Debug)]
pub struct BrowserSignIn {
    authorization: Authorization,
    loopback: Loopback,
}

impl BrowserSignIn {
    /// The URL to open in the user's browser.
    pub fn url(&self) -> &str {
        self.authorization.url()
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.loopback.port()
    }

    /// Waits for the browser, and stores what the sign-in gave. When that is done or has failed, the
    /// browser is shown one page, which says whether the user is signed in.
    ///
    /// # Errors
    ///
    /// A [`TokenError`] of kind [`ErrorKind::Denied`] if the user declined,
    /// [`ErrorKind::CodeExpired`] if the browser did not come back in time, or whatever else the
    /// server refused for. A request with another `state` is none of ours and is turned away. See
    /// [`Authorization::redeem`] for answers of another server.
    ///
    /// # Cancel safety
    ///
    /// A dropped future closes the port and ends the sign-in. If the browser has come back by then,
    /// the exchange of its code goes on, and [`AuthorizationCode::resume`] finds the tokens.
    pub async fn finish(self) -> Result<SignedIn, TokenError> {
        let Self { authorization, loopback } = self;
        let browser = loopback.wait(|query| authorization.is_ours(query)).await?;
        let outcome = authorization.redeem(browser.query.expose()).await;
        browser.tell(outcome.is_ok()).await;
        outcome
    }
}

/// A sign-in that was begun, for a web application: send the user to its [`url`](Self::url), and
/// bring what they come back with.
pub struct Authorization {
    sign_in: SignIn,
    authorization_url: String,
    url: String,
    redirect_uri: String,
    state: Secret<String>,
    verifier: Secret<String>,
    issuer: Option<Issuer>,
}

impl Authorization {
    /// The URL to open in the user's browser.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The `state` in that URL, by which the application finds this value again when the user comes
    /// back. Keep it in the user's own session: it protects against a sign-in of somebody else's.
    pub fn state(&self) -> &str {
        self.state.expose()
    }

    /// Exchanges the code for tokens (RFC 6749 section 4.1.3) and stores them. `answer` is the URL
    /// to which the browser came back, or its query alone.
    ///
    /// # Errors
    ///
    /// A [`TokenError`] of kind [`ErrorKind::Denied`] if the user declined,
    /// [`ErrorKind::Protocol`] if the `state` is not ours, another server answered
    /// ([`AuthorizationCodeBuilder::issuer`]) or there is no code, or whatever else the server
    /// refused for.
    ///
    /// # Cancel safety
    ///
    /// Once begun, the exchange goes on if the future is dropped, and its tokens are stored:
    /// [`AuthorizationCode::resume`] finds them.
    pub async fn redeem(self, answer: &str) -> Result<SignedIn, TokenError> {
        let query = query_of(answer);
        if !self.is_ours(query) {
            return Err(RedirectError::State.into());
        }
        let field = |name| field(query, name);
        if let Some(expected) = &self.issuer {
            match field("iss") {
                Some(found) if found == expected.name => {}
                None if !expected.always => {}
                found => {
                    let found = found.map(|found| one_line(&found));
                    return Err(RedirectError::Issuer { found }.into());
                }
            }
        }
        if let Some(error) = field("error") {
            let description = field("error_description");
            let url = self.authorization_url.clone();
            let refusal = TokenEndpointError::of_redirect(url, &error, description.as_deref());
            return Err(refusal.into());
        }
        let code = Secret::new(field("code").ok_or(RedirectError::NoCode)?.into_owned());
        let form = Form::new("authorization code", "authorization_code")
            .secret("code", code.expose())
            .field("redirect_uri", &self.redirect_uri)
            .secret("code_verifier", self.verifier.expose());
        let sign_in = self.sign_in;
        // The code is spent by the answer that brings the tokens.
        keep(async move {
            let answer = sign_in.client.ask(form).await?;
            sign_in.begin(answer).await
        })?
        .await
    }

    /// Whether the answer is to this sign-in. RFC 6749 section 10.12.
    fn is_ours(&self, query: &str) -> bool {
        field(query, "state").is_some_and(|state| state == self.state.expose().as_str())
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("authorization_url", &self.authorization_url)
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

/// What is between `?` and `#`.
fn query_of(answer: &str) -> &str {
    let query = answer.split_once('?').map_or(answer, |(_, query)| query);
    query.split('#').next().unwrap_or_default()
}

fn field<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(found, value)| found == name && !value.is_empty()).map(|(_, value)| value)
}

/// The browser came back with something else than an answer to this sign-in.
#[derive(Debug, thiserror::Error)]
enum RedirectError {
    #[error("the browser came back with another `state`: not an answer to this sign-in")]
    State,
    #[error(
        "the browser came back from another authorization server: its `iss` is {}",
        found.as_deref().unwrap_or("missing")
    )]
    Issuer { found: Option<String> },
    #[error("the browser came back with neither a code nor an error")]
    NoCode,
}

impl From<RedirectError> for TokenError {
    fn from(cause: RedirectError) -> Self {
        Self::of_kind(ErrorKind::Protocol, Retry::Never, cause)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("listening on loopback port {port}: {cause}")]
struct NoListener {
    port: u16,
    cause: std::io::Error,
}

#[cfg(test)]
mod tests {
    use oauth2::PkceCodeVerifier;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::token::grant::script::{Script, exchange_online, get, refusal, tokens};
    use crate::{Failure, Protocol};

    fn entra(script: &Script) -> AuthorizationCodeBuilder {
        AuthorizationCode::entra("contoso.example", "app-1")
            .protocols([Protocol::Imap])
            .http(script.clone())
    }

    /// What a browser sends, and the status line and body it gets.
    async fn browse(port: u16, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        page
    }

    fn state_of(url: &str) -> String {
        field(query_of(url), "state").unwrap().into_owned()
    }

    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let verifier = PkceCodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        assert_eq!(challenge.as_str(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[tokio::test]
    async fn a_browser_signs_in_over_loopback() {
        let script = Script::new([tokens("EwB", "refresh")]);
        let claims = r#"{"id":1}"#;
        let browser = entra(&script).login_hint("anna@contoso.example").claims(claims);
        let browser = browser.build().unwrap();
        let waiting = browser.start().await.unwrap();
        let (port, url) = (waiting.port(), waiting.url().to_owned());
        let state = state_of(&url);
        let challenge = field(query_of(&url), "code_challenge").unwrap().into_owned();
        assert_eq!(
            url,
            format!(
                "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/authorize\
                 ?response_type=code&client_id=app-1&redirect_uri=http%3A%2F%2Flocalhost%3A{port}\
                 &scope=https%3A%2F%2Foutlook.office.com%2FIMAP.AccessAsUser.All+offline_access\
                 &state={state}&code_challenge={challenge}&code_challenge_method=S256\
                 &login_hint=anna%40contoso.example&claims=%7B%22id%22%3A1%7D"
            )
        );
        let finished = tokio::spawn(waiting.finish());
        // A connection that is opened and never used, as browsers do.
        let _idle = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let icon = browse(port, "GET /favicon.ico HTTP/1.1\r\n\r\n").await;
        assert!(icon.starts_with("HTTP/1.1 404 "), "{icon}");
        let forged = "GET /?code=evil&state=another HTTP/1.1\r\nHost: localhost\r\n\r\n";
        assert!(browse(port, forged).await.starts_with("HTTP/1.1 400 "));
        let posted = format!("POST /?code=evil&state={state} HTTP/1.1\r\n\r\n");
        assert!(browse(port, &posted).await.starts_with("HTTP/1.1 400 "));
        let real =
            format!("GET /?code=0.AXoA-code%2F1&state={state}&session_state=x HTTP/1.1\r\n\r\n");
        let page = browse(port, &real).await;
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("You are signed in."));
        assert!(page.contains("Referrer-Policy: no-referrer") && !page.contains("AXoA"));

        let tokens = finished.await.unwrap().unwrap();
        assert_eq!(get(&tokens, exchange_online()).await.unwrap(), "EwB");
        let body = &script.bodies()[0];
        let verifier = field(body, "code_verifier").unwrap().into_owned();
        assert_eq!(
            *body,
            format!(
                "grant_type=authorization_code&code=0.AXoA-code%2F1\
                 &redirect_uri=http%3A%2F%2Flocalhost%3A{port}&code_verifier={verifier}\
                 &client_id=app-1"
            )
        );
        let verifier = PkceCodeVerifier::new(verifier);
        assert_eq!(PkceCodeChallenge::from_code_verifier_sha256(&verifier).as_str(), challenge);
        assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    }

    #[tokio::test]
    async fn the_browser_is_not_told_of_a_success_that_is_none() {
        for (answer, query) in [
            (refusal("invalid_grant", 54005), "code=0.AXoA"),
            (tokens("EwB", "refresh"), "error=access_denied"),
        ] {
            let waiting = entra(&Script::new([answer])).build().unwrap().start().await.unwrap();
            let (port, state) = (waiting.port(), state_of(waiting.url()));
            let finished = tokio::spawn(waiting.finish());
            let page = browse(port, &format!("GET /?{query}&state={state} HTTP/1.1\r\n\r\n")).await;
            assert!(page.contains("You are not signed in."), "{page}");
            finished.await.unwrap().unwrap_err();
        }
    }

    #[tokio::test]
    async fn google_is_asked_for_a_refresh_token_every_time() {
        let browser = AuthorizationCode::google("app-1", "GOCSPX-1").build().unwrap();
        let waiting = browser.start().await.unwrap();
        let port = waiting.port();
        assert!(waiting.url().starts_with(&format!(
            "https://accounts.google.com/o/oauth2/v2/auth?response_type=code&client_id=app-1\
             &redirect_uri=http%3A%2F%2F127.0.0.1%3A{port}&scope=https%3A%2F%2Fmail.google.com%2F&"
        )));
        assert!(waiting.url().ends_with("&access_type=offline&prompt=consent"));
    }

    #[tokio::test]
    async fn a_user_who_declines_is_told_from_a_failure() {
        let browser = entra(&Script::default()).build().unwrap();
        let begin = || browser.start_at("https://app.example/callback");
        let declined = begin();
        let url = format!(
            "https://app.example/callback?error=access_denied&error_description=AADSTS65004%3a+User\
             +declined%0d%0aTrace+ID&state={}",
            declined.state()
        );
        let error = declined.redeem(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert_eq!(error.reply_text().unwrap(), "AADSTS65004: User declined Trace ID");
        let forged = begin().redeem("code=evil&state=another").await.unwrap_err();
        assert_eq!(forged.kind(), ErrorKind::Protocol);
        let bare = begin();
        let query = format!("state={}", bare.state());
        let error = bare.redeem(&query).await.unwrap_err().to_string();
        assert!(error.contains("neither a code nor an error"), "{error}");
    }

    #[tokio::test]
    async fn an_answer_of_another_server_is_refused_before_anything_is_sent() {
        let tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        let ours = format!("https%3A%2F%2Flogin.microsoftonline.com%2F{tenant}%2Fv2.0");
        let theirs = "https%3A%2F%2Fevil.example";
        for (always, iss, good) in [
            (false, None, true),
            (false, Some(&*ours), true),
            (false, Some(theirs), false),
            (true, None, false),
            (true, Some(""), false),
            (true, Some(theirs), false),
            (true, Some(&*ours), true),
        ] {
            let script = Script::new([tokens("EwB", "refresh")]);
            let mut browser = AuthorizationCode::entra(tenant, "app-1").http(script.clone());
            if always {
                let name = format!("https://login.microsoftonline.com/{tenant}/v2.0");
                browser = browser.issuer(name);
            }
            let begun = browser.build().unwrap().start_at("https://app.example/callback");
            let iss = iss.map(|iss| format!("&iss={iss}")).unwrap_or_default();
            let query = format!("code=0.AXoA&state={}{iss}", begun.state());
            let outcome = begun.redeem(&query).await;
            assert_eq!(outcome.is_ok(), good, "{always} {iss}");
            assert_eq!(script.bodies().len(), usize::from(good), "{always} {iss}");
            if let Err(error) = outcome {
                assert_eq!(error.kind(), ErrorKind::Protocol);
                assert!(error.to_string().contains("another authorization server"), "{error}");
            }
        }
    }

    #[tokio::test]
    async fn an_exchange_that_nobody_waits_for_leaves_a_sign_in_to_resume() {
        let (script, gate) = Script::gated([tokens("EwB", "refresh")]);
        let browser = entra(&script).build().unwrap();
        let begun = browser.start_at("https://app.example/callback");
        let query = format!("code=0.AXoA&state={}", begun.state());
        let exchange = tokio::spawn(async move { begun.redeem(&query).await });
        while script.bodies().is_empty() {
            tokio::task::yield_now().await;
        }
        exchange.abort();
        assert!(exchange.await.unwrap_err().is_cancelled());
        gate.add_permits(1);
        let tokens = loop {
            match browser.resume().await.unwrap() {
                Some(tokens) => break tokens,
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(get(&tokens, exchange_online()).await.unwrap(), "EwB");
    }

    #[tokio::test]
    async fn whoever_signs_out_signs_out_every_clone() {
        let script = Script::new([tokens("EwB", "refresh")]);
        let browser = entra(&script).build().unwrap();
        let begun = browser.start_at("https://app.example/callback");
        let query = format!("code=0.AXoA&state={}", begun.state());
        let tokens = begun.redeem(&query).await.unwrap();
        let clone = tokens.clone();
        assert_eq!(get(&clone, exchange_online()).await.unwrap(), "EwB");
        tokens.sign_out().await.unwrap();
        let error = get(&clone, exchange_online()).await.unwrap_err();
        let nobody = crate::token::SignInReason::NotSignedIn;
        assert_eq!(error.kind(), ErrorKind::SignInNeeded(nobody));
        assert!(browser.resume().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_code_used_twice_means_to_start_again_and_is_not_shown() {
        let script = Script::new([refusal("invalid_grant", 54005)]);
        let browser = entra(&script).build().unwrap();
        let begun = browser.start_at("https://app.example/callback");
        let shown = format!("{begun:?} {browser:?}");
        assert!(!shown.contains(begun.state()), "{shown}");
        let query = format!("code=0.AXoA-the-code&state={}", begun.state());
        let error = begun.redeem(&query).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CodeExpired);
        assert!(!format!("{error} {error:?}").contains("the-code"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_browser_that_never_comes_ends_the_wait() {
        let browser = entra(&Script::default()).build().unwrap();
        let error = browser.start().await.unwrap().finish().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CodeExpired);
        assert!(error.to_string().contains("did not come back within 300s"), "{error}");
    }

    #[tokio::test]
    async fn an_endless_request_is_cut() {
        let browser = entra(&Script::default()).redirect_path("callback").build().unwrap();
        let waiting = browser.start().await.unwrap();
        assert!(waiting.url().contains("%2Fcallback&"));
        let port = waiting.port();
        let finished = tokio::spawn(waiting.finish());
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let endless = "x".repeat(1 << 20);
        // Closed by the other side, with or without having read all of it.
        let _ = stream.write_all(endless.as_bytes()).await;
        let mut left = Vec::new();
        let _ = stream.read_to_end(&mut left).await;
        assert!(left.is_empty());
        finished.abort();
    }
}
