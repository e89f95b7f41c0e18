//! What is known beside the error.

use std::sync::Arc;
use std::time::SystemTime;

use crate::token::Claims;
use crate::{AccessToken, Endpoint};

/// What is known beside the error: where the connection went, which mailbox was named, and what the
/// token says of itself. All of it is optional; the more there is, the fewer causes are left. A
/// cheap clone.
///
/// Errors of [`Connector::connect`](crate::Connector::connect) carry theirs where a login was
/// refused ([`AuthError::context`](crate::AuthError::context)), and
/// [`Connector::context`](crate::Connector::context) gives one for all others. It never holds a
/// token or a password.
///
/// # Example
/// ```
/// use mailbearer::{AccessToken, diagnosis::Context, provider::microsoft365};
///
/// let token = AccessToken::new("EwBAAl3BAAUF");
/// let context = Context::new()
///     .with_endpoint(microsoft365::smtp())
///     .with_mailbox("billing@contoso.example")
///     .with_token(&token);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    pub(super) endpoint: Option<Endpoint>,
    pub(super) mailbox: Option<Arc<str>>,
    pub(super) claims: Option<Claims>,
    /// The token's length and end, also where it is opaque.
    pub(super) token: Option<TokenFacts>,
    pub(super) now: Option<SystemTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenFacts {
    pub(super) octets: usize,
    pub(super) expiry: Option<SystemTime>,
}

impl Context {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the connection went.
    pub fn with_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// The mailbox named at the login.
    pub fn with_mailbox(mut self, mailbox: &str) -> Self {
        self.mailbox = Some(mailbox.into());
        self
    }

    /// The access token that was used: its claims, its length and its end. The token itself is not
    /// kept.
    pub fn with_token(mut self, token: &AccessToken) -> Self {
        self.token = Some(TokenFacts { octets: token.len(), expiry: token.expiry() });
        self.claims = Claims::read(token);
        self
    }

    /// Claims that were read before.
    pub fn with_claims(mut self, claims: Claims) -> Self {
        self.claims = Some(claims);
        self
    }

    /// When it failed. By default the time of the diagnosis.
    pub const fn at(mut self, now: SystemTime) -> Self {
        self.now = Some(now);
        self
    }

    /// Where the connection went, if that is known.
    pub const fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// The mailbox named at the login, if that is known.
    pub fn mailbox(&self) -> Option<&str> {
        self.mailbox.as_deref()
    }

    /// What the token says of itself, if it was known and is not opaque.
    pub const fn claims(&self) -> Option<&Claims> {
        self.claims.as_ref()
    }

    /// What is known here, and from `other` what is not.
    pub(super) fn or(mut self, other: &Self) -> Self {
        self.endpoint = self.endpoint.or_else(|| other.endpoint.clone());
        self.mailbox = self.mailbox.or_else(|| other.mailbox.clone());
        // Claims and token are of one token.
        if self.claims.is_none() && self.token.is_none() {
            (self.claims, self.token) = (other.claims.clone(), other.token);
        }
        self.now = self.now.or(other.now);
        self
    }

    /// Octets of the token, if that is known.
    pub(super) fn token_octets(&self) -> Option<usize> {
        let claimed = || self.claims.as_ref().map(Claims::token_octets);
        self.token.map(|token| token.octets).or_else(claimed)
    }

    /// When the token ends, by what it says or by what was said with it.
    pub(super) fn expiry(&self) -> Option<SystemTime> {
        let claimed = self.claims.as_ref().and_then(Claims::expires_at);
        claimed.or_else(|| self.token.and_then(|token| token.expiry))
    }
}
