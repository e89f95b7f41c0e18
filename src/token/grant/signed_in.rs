//! What every sign-in of a user ends in: access tokens, renewed by a refresh token.

use std::fmt;
use std::sync::Arc;

use crate::provider::OnBehalf;
use crate::token::oauth::client::Client;
use crate::token::oauth::form::Form;
use crate::token::oauth::scope::ScopeRule;
use crate::token::oauth::settings::{Settings, SetupError};
use crate::token::store::renew::{Refresh, Renewing};
use crate::token::store::{StoreError, TokenSet, TokenStore};
use crate::token::token_endpoint::Answer;
use crate::token::{
    AccessToken, Cached, ErrorKind, Rejection, SignInReason, TokenError, TokenProvider,
    TokenRequest,
};
use crate::{BoxFuture, Endpoint, Retry};

/// The tokens of a user who has signed in, renewed by their refresh token (RFC 6749 section 6).
///
/// What the interactive grants end in, and what [`Password`](crate::token::Password),
/// [`RefreshToken`](crate::token::RefreshToken) and [`OnBehalfOf`](crate::token::OnBehalfOf) make
/// at once. Cached, renewed ahead of time, one request at a time; a clone is cheap and shares the
/// tokens. How tokens are kept at hand is described at [`Cached`].
///
/// A server may replace the refresh token at each renewal (rotation); the new one goes to the
/// [`TokenStore`] before its access token is handed out, and programs that share a store do not
/// renew at the same time.
///
/// # Errors
///
/// Getting a token fails with [`ErrorKind::SignInNeeded`] when the refresh token is no longer good,
/// with the reason if the server gave one: then the user has to sign in again.
#[derive(Clone)]
pub struct SignedIn {
    tokens: Cached<Arc<Session>>,
    session: Arc<Session>,
}

impl SignedIn {
    /// Forgets the tokens, those in the store and those at hand: clones have none any more, and the
    /// next start of the program finds nobody signed in. The server is not told; access tokens that
    /// were handed out live to their end.
    ///
    /// # Errors
    ///
    /// A [`TokenError`] of kind [`ErrorKind::Store`], if the store failed.
    pub async fn sign_out(self) -> Result<(), TokenError> {
        let forgotten = self.session.renewing.replace(TokenSet::default()).await;
        self.tokens.forget();
        forgotten
    }
}

impl TokenProvider for SignedIn {
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        let endpoint = request.endpoint();
        // Before the cache, where it would be answered with a token that does not help, or fail
        // those who wait for one that does.
        if !self.session.client.scope.covers(endpoint) {
            let error = NotAskedFor { endpoint: endpoint.clone() };
            return Box::pin(std::future::ready(Err(error.into())));
        }
        self.tokens.token(request)
    }

    fn rejected<'a>(&'a self, token: &'a AccessToken, why: Rejection) -> BoxFuture<'a, ()> {
        self.tokens.rejected(token, why)
    }
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn")
            .field("token_url", &self.session.client.token_url)
            .field("client_id", &self.session.client.client_id)
            .finish_non_exhaustive()
    }
}

/// What sign-ins are made from: a client, and a place for what they bring.
#[derive(Clone)]
pub(crate) struct SignIn {
    pub(crate) client: Arc<Client>,
    store: Arc<dyn TokenStore>,
    key: String,
}

/// A request that brings tokens without a user at hand, for a scope.
pub(crate) type First = dyn Fn(&str) -> Form + Send + Sync;

impl SignIn {
    pub(crate) fn new(settings: &Settings) -> Result<Self, SetupError> {
        let (store, key) = settings.store();
        Ok(Self { client: Arc::new(settings.client(OnBehalf::User)?), store, key })
    }

    /// The session of the user who signed in before, if the store has one.
    pub(crate) async fn resume(&self) -> Result<Option<SignedIn>, TokenError> {
        let stored = self.store.load(&self.key).await?;
        let there = stored.is_some_and(|stored| stored.tokens().refresh_token().is_some());
        Ok(there.then(|| self.session(None)))
    }

    /// The session that begins with this answer.
    pub(crate) async fn begin(&self, answer: Answer) -> Result<SignedIn, TokenError> {
        let signed_in = self.session(None);
        let scope = self.client.scope.at_sign_in();
        let tokens = with_answer(TokenSet::default(), &scope, answer);
        signed_in.session.renewing.replace(tokens).await?;
        Ok(signed_in)
    }

    /// A session; with `first`, one that needs no user to begin.
    pub(crate) fn session(&self, first: Option<Box<First>>) -> SignedIn {
        let client = self.client.clone();
        let renewal = Renewal { client: client.clone(), first };
        let renewing = Renewing::new(renewal, self.store.clone(), self.key.clone());
        let session = Arc::new(Session { client: client.clone(), renewing });
        let by_scope = client.clone();
        let tokens = client.cached(session.clone(), move |request| {
            by_scope.scope.of(request.endpoint()).into_owned()
        });
        SignedIn { tokens, session }
    }
}

/// Asks the store, and renews what lies there, at each call.
struct Session {
    client: Arc<Client>,
    renewing: Renewing<Renewal>,
}

impl TokenProvider for Session {
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        Box::pin(async move {
            self.renewing.token(&self.client.scope.of(request.endpoint()), request).await
        })
    }

    fn rejected<'a>(&'a self, token: &'a AccessToken, _why: Rejection) -> BoxFuture<'a, ()> {
        self.renewing.rejected(token);
        Box::pin(std::future::ready(()))
    }
}

/// How new tokens are had.
struct Renewal {
    client: Arc<Client>,
    first: Option<Box<First>>,
}

impl Refresh for Renewal {
    fn refresh<'a>(
        &'a self,
        old: &'a TokenSet,
        scope: &'a str,
    ) -> BoxFuture<'a, Result<TokenSet, TokenError>> {
        Box::pin(async move {
            let answer = match (old.refresh_token(), &self.first) {
                (Some(token), _) => self.by_refresh_token(token, scope).await?,
                (None, Some(first)) => self.client.ask(first(scope)).await?,
                (None, None) => return Err(NotSignedIn.into()),
            };
            Ok(with_answer(old.clone(), scope, answer))
        })
    }

    fn begin_anew<'a>(
        &'a self,
        old: &'a TokenSet,
        scope: &'a str,
    ) -> Option<BoxFuture<'a, Result<TokenSet, TokenError>>> {
        // Without a refresh token that was tried already.
        let (Some(_), Some(first)) = (old.refresh_token(), &self.first) else { return None };
        Some(Box::pin(async move {
            let answer = self.client.ask(first(scope)).await?;
            Ok(with_answer(old.clone(), scope, answer))
        }))
    }

    fn rotated(&self) {
        self.client.events.rotated();
    }

    fn not_stored(&self, error: &StoreError) {
        self.client.events.not_stored(error.to_string());
    }
}

impl Renewal {
    async fn by_refresh_token(&self, token: &str, scope: &str) -> Result<Answer, TokenError> {
        self.client.ask(refresh_form(&self.client.scope, token, scope)).await
    }
}

/// RFC 6749 section 6.
pub(crate) fn refresh_form(rule: &ScopeRule, token: &str, scope: &str) -> Form {
    let scope = if rule.named_at_renewal() { scope } else { "" };
    Form::new("refresh token", "refresh_token")
        .secret("refresh_token", token)
        .field_unless_empty(rule.field(), scope)
}

/// A server that sends no new refresh token means the old one to be used again.
fn with_answer(old: TokenSet, scope: &str, answer: Answer) -> TokenSet {
    let tokens = old.with_access_token(scope, answer.access_token);
    match answer.refresh_token {
        Some(token) => tokens.with_refresh_token(token.expose().as_str()),
        None => tokens,
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "there is no refresh token: nobody has signed in, or the server gave none (most want \
     `offline_access` in the scope)"
)]
struct NotSignedIn;

impl From<NotSignedIn> for TokenError {
    fn from(cause: NotSignedIn) -> Self {
        let kind = ErrorKind::SignInNeeded(SignInReason::NotSignedIn);
        Self::of_kind(kind, Retry::Administrator, cause)
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "the sign-in asked for no access by {}, which {endpoint} needs: name it in `protocols` and sign \
     in again",
    endpoint.protocol()
)]
struct NotAskedFor {
    endpoint: Endpoint,
}

impl From<NotAskedFor> for TokenError {
    fn from(cause: NotAskedFor) -> Self {
        Self::of_kind(ErrorKind::Configuration, Retry::Never, cause)
    }
}
