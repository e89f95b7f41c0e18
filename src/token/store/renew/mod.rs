//! Renewing stored tokens, when others may be doing the same.
//!
//! ```text
//!   load ──▶ good for the request? ── yes ──▶ hand it out
//!                   │ no
//!                   ▼
//!      take the turn in this process, and the store's lock ──▶ load again: good by now? ──▶ …
//!                   │ no
//!                   ▼
//!      spend the refresh token ──▶ store the answer, unless the stored set has changed
//!                   │                                │ it has
//!                   │ invalid_grant                  ▼
//!                   └────────▶ has it changed? ──▶ begin again with theirs
//! ```
//!
//! From the turn on, this runs where neither a caller that gives up nor the end of its runtime can
//! stop it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::keeper::keep;
use super::{Conflict, Revision, StoreError, Stored, TokenSet, TokenStore};
use crate::BoxFuture;
use crate::token::{AccessToken, TokenEndpointError, TokenError, TokenRequest};

/// What a grant does to get new tokens out of those at hand.
pub(crate) trait Refresh: Send + Sync + 'static {
    /// Asks the server. `old` is empty if nobody has signed in. The new set holds what is worth
    /// keeping of the old one, the access token for this scope, and the refresh token to be used
    /// from now on.
    fn refresh<'a>(
        &'a self,
        old: &'a TokenSet,
        scope: &'a str,
    ) -> BoxFuture<'a, Result<TokenSet, TokenError>>;

    /// What can be done without a person once the refresh token of `old` is no longer good, and
    /// nobody else has brought another.
    fn begin_anew<'a>(
        &'a self,
        old: &'a TokenSet,
        scope: &'a str,
    ) -> Option<BoxFuture<'a, Result<TokenSet, TokenError>>> {
        let _ = (old, scope);
        None
    }

    /// Whether this says that the refresh token is no longer good: `invalid_grant` in RFC 6749
    /// section 5.2.
    fn was_spent(&self, error: &TokenError) -> bool {
        let refusal = error.cause().downcast_ref::<TokenEndpointError>();
        refusal.is_some_and(|refusal| refusal.error() == Some("invalid_grant"))
    }

    /// A new refresh token was stored in place of an old one.
    fn rotated(&self) {}

    /// New tokens could not be stored. They are used, and storing them is tried again at the next
    /// request.
    fn not_stored(&self, error: &StoreError) {
        let _ = error;
    }
}

/// The tokens of one sign-in, kept in a store and renewed there. A cheap clone.
///
/// It asks the store at each call, so it belongs behind a [`Cached`](crate::token::Cached).
pub(crate) struct Renewing<R> {
    inner: Arc<Inner<R>>,
}

impl<R: Refresh> Renewing<R> {
    pub(crate) fn new(refresh: R, store: Arc<dyn TokenStore>, key: impl Into<String>) -> Self {
        let inner = Inner {
            refresh,
            store,
            key: key.into(),
            turn: tokio::sync::Mutex::default(),
            unsaved: Mutex::default(),
            refused: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// An access token for this scope that is good for the request.
    pub(crate) async fn token(
        &self,
        scope: &str,
        request: &TokenRequest,
    ) -> Result<AccessToken, TokenError> {
        let inner = self.inner.clone();
        if inner.unsaved().is_none() {
            let stored = inner.store.load(&inner.key).await?;
            let good = |stored: Stored| inner.good(stored.tokens(), scope, request);
            if let Some(token) = stored.and_then(good) {
                return Ok(token);
            }
        }
        let (scope, request) = (scope.to_owned(), request.clone());
        keep(async move { inner.renew(&scope, &request).await })?.await
    }

    /// Not to be handed out again: a server refused it.
    pub(crate) fn rejected(&self, token: &AccessToken) {
        const REMEMBERED: usize = 16;
        let mut refused = lock(&self.inner.refused);
        if !refused.iter().any(|other| other.same(token)) {
            refused.push_back(token.clone());
        }
        if refused.len() > REMEMBERED {
            refused.pop_front();
        }
    }

    /// Puts the tokens of a new sign-in in place of whatever is stored; an empty set signs out.
    ///
    /// Only signing out fails where the store does: a sign-in is kept in memory then.
    pub(crate) async fn replace(&self, tokens: TokenSet) -> Result<(), TokenError> {
        let inner = self.inner.clone();
        keep(async move { Ok(inner.replace(tokens).await?) })?.await
    }
}

impl<R> Clone for Renewing<R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

struct Inner<R> {
    refresh: R,
    store: Arc<dyn TokenStore>,
    key: String,
    /// One renewal at a time in this process, also where the store has no locks.
    turn: tokio::sync::Mutex<()>,
    unsaved: Mutex<Option<Unsaved>>,
    refused: Mutex<VecDeque<AccessToken>>,
}

/// Tokens that the store did not take: this process has the only copy.
#[derive(Clone)]
struct Unsaved {
    tokens: TokenSet,
    origin: Origin,
}

/// What new tokens come of.
#[derive(Clone)]
struct Origin {
    /// What the store held when it was last seen, which they are to take the place of.
    stored: Option<Stored>,
    /// A new sign-in takes the place of anything.
    of_sign_in: bool,
}

impl Origin {
    fn revision(&self) -> Option<Revision> {
        self.stored.as_ref().map(Stored::revision)
    }

    fn refresh_token(&self) -> Option<&str> {
        self.stored.as_ref().and_then(|stored| stored.tokens().refresh_token())
    }
}

/// How often somebody else may come first. Each time they bring tokens that are no older, so more
/// than a few is a store or a server that contradicts itself.
const ROUNDS: usize = 4;

/// When to look again whether somebody else has stored what they got for our refresh token, if
/// there is no lock that would have made us wait for it.
const LATE: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1000)];

impl<R: Refresh> Inner<R> {
    async fn renew(&self, scope: &str, request: &TokenRequest) -> Result<AccessToken, TokenError> {
        let _turn = self.turn.lock().await;
        let lock = match self.store.lock(&self.key).await {
            Ok(lock) => lock,
            // A store that fails does not keep back tokens that are in memory.
            Err(_) if self.unsaved().is_some() => None,
            Err(error) => return Err(error.into()),
        };
        let mut outcome = Err(TokenError::later("others change the stored tokens all the time"));
        for _ in 0..ROUNDS {
            let (old, origin) = self.current().await?;
            if let Some(token) = self.good(&old, scope, request) {
                return Ok(token);
            }
            let mut renewed = self.refresh.refresh(&old, scope).await;
            if let Err(error) = &renewed
                && self.refresh.was_spent(error)
            {
                // Somebody spent this refresh token before us, and has stored what came of it: no
                // reason to have a person sign in, or to spend what is older still.
                if self.has_moved(&origin, lock.is_some()).await {
                    outcome = Err(error.clone());
                    continue;
                }
                if let Some(anew) = self.refresh.begin_anew(&old, scope) {
                    renewed = anew.await;
                }
            }
            let new = renewed?;
            let Some(token) = new.access_token(scope).cloned() else {
                return Err(TokenError::never("the renewed tokens lack the scope"));
            };
            match self.save(new, origin).await {
                Saved::InStore | Saved::InMemory(_) => return Ok(token),
                Saved::TheirsStand => outcome = Ok(token),
            }
        }
        outcome
    }

    /// The tokens to go by: those that are nowhere else, else what is stored.
    async fn current(&self) -> Result<(TokenSet, Origin), StoreError> {
        let unsaved = self.unsaved().clone();
        if let Some(Unsaved { tokens, origin }) = unsaved
            && let Saved::InMemory(_) = self.save(tokens, origin).await
            && let Some(Unsaved { tokens, origin }) = self.unsaved().clone()
        {
            return Ok((tokens, origin));
        }
        let stored = self.store.load(&self.key).await?;
        let tokens = stored.as_ref().map(Stored::tokens).cloned().unwrap_or_default();
        Ok((tokens, Origin { stored, of_sign_in: false }))
    }

    /// Stores new tokens, unless somebody else's stand in their place.
    async fn save(&self, mut new: TokenSet, mut origin: Origin) -> Saved {
        for _ in 0..ROUNDS {
            match self.try_save(&new, &origin).await {
                Ok(Attempt::Stored) => {
                    *self.unsaved() = None;
                    let spent = origin.refresh_token();
                    if spent.is_some() && spent != new.refresh_token() {
                        self.refresh.rotated();
                    }
                    return Saved::InStore;
                }
                Ok(Attempt::Found(theirs)) => {
                    let theirs = Origin { stored: theirs, ..origin };
                    // If they kept the refresh token that we have spent, ours is the one that
                    // works from now on, or they are the same.
                    let ours_is_newer = theirs.refresh_token() == origin.refresh_token();
                    if !origin.of_sign_in && !ours_is_newer {
                        *self.unsaved() = None;
                        return Saved::TheirsStand;
                    }
                    if let (false, Some(theirs)) = (origin.of_sign_in, &theirs.stored) {
                        new = with_access_tokens_of(new, theirs.tokens());
                    }
                    origin = theirs;
                }
                Err(failure) => {
                    self.refresh.not_stored(&failure);
                    *self.unsaved() = Some(Unsaved { tokens: new, origin });
                    return Saved::InMemory(failure);
                }
            }
        }
        Saved::TheirsStand
    }

    async fn try_save(&self, new: &TokenSet, origin: &Origin) -> Result<Attempt, StoreError> {
        match self.store.store_if(&self.key, new, origin.revision()).await? {
            Ok(_) => Ok(Attempt::Stored),
            Err(Conflict) => Ok(Attempt::Found(self.store.load(&self.key).await?)),
        }
    }

    async fn replace(&self, tokens: TokenSet) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        // A sign-in is not lost because another process is slow: it wins without the lock too.
        let _lock = self.store.lock(&self.key).await;
        *self.unsaved() = None;
        // What cannot be read is not there, or storing fails as well and says why.
        let stored = self.store.load(&self.key).await.ok().flatten();
        let signs_out = tokens.refresh_token().is_none();
        match self.save(tokens, Origin { stored, of_sign_in: true }).await {
            Saved::InMemory(failure) if signs_out => {
                *self.unsaved() = None;
                Err(failure)
            }
            _ => Ok(()),
        }
    }

    /// Whether what is stored has been changed by somebody else.
    async fn has_moved(&self, origin: &Origin, locked: bool) -> bool {
        let mut pauses = LATE.iter().take(if locked { 0 } else { LATE.len() });
        loop {
            let Ok(now) = self.store.load(&self.key).await else { return false };
            if now.as_ref().map(Stored::revision) != origin.revision() {
                return true;
            }
            let Some(pause) = pauses.next() else { return false };
            tokio::time::sleep(*pause).await;
        }
    }

    fn good(&self, tokens: &TokenSet, scope: &str, request: &TokenRequest) -> Option<AccessToken> {
        let token = tokens.access_token(scope)?;
        let wanted = request.min_lifetime().max(AccessToken::SHORTEST);
        let lives = token.remaining().is_none_or(|left| left >= wanted);
        let refused = || lock(&self.refused).iter().any(|other| other.same(token));
        (lives && !refused()).then(|| token.clone())
    }

    fn unsaved(&self) -> MutexGuard<'_, Option<Unsaved>> {
        lock(&self.unsaved)
    }
}

/// What one attempt at storing gave.
enum Attempt {
    Stored,
    /// Something else is there, or nothing is any more.
    Found(Option<Stored>),
}

/// What became of new tokens.
enum Saved {
    /// They are stored.
    InStore,
    /// They are the ones to go by, but the store failed.
    InMemory(StoreError),
    /// Somebody stored others meanwhile.
    TheirsStand,
}

/// Ours, and theirs for the scopes that ours has none for.
fn with_access_tokens_of(ours: TokenSet, theirs: &TokenSet) -> TokenSet {
    theirs.access_tokens().fold(ours, |ours, (scope, token)| match ours.access_token(scope) {
        Some(_) => ours,
        None => ours.with_access_token(scope, token.clone()),
    })
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
