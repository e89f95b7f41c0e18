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
mod tests;
