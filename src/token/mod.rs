//! Where access tokens come from.
//!
//! A [`TokenProvider`] is asked for a token at every connect and reconnect, and told when a server
//! refused one. Nothing else in the crate knows how tokens are obtained; nothing here knows how
//! they are sent.
//!
//! | you have | take |
//! |---|---|
//! | a token in a variable, for a script or a test | [`StaticToken`] |
//! | a function that gets tokens | [`from_fn`], [`from_fn_with`] |
//! | a service's own credentials at an OAuth 2.0 server | `ClientCredentials` (feature `oauth`) |
//! | a type of your own | implement [`TokenProvider`] |
//!
//! Getting a token costs a request to some server, so everything but a fixed token belongs in
//! [`Cached`], which asks once, keeps the token while it is good, renews it ahead of time and lets
//! any number of connections wait for one request. `ClientCredentials` is cached already.
//!
//! A shared mailbox is opened with the token of the application or user that has access to it; it
//! is another mailbox name with the same provider.

mod access_token;
mod cached;
mod error;
mod fixed;
mod from_fn;
mod request;

use std::sync::Arc;

pub use access_token::{AccessToken, MalformedToken};
pub use cached::Cached;
pub use error::TokenError;
pub use fixed::StaticToken;
pub use from_fn::{FromFn, FromFnWith, from_fn, from_fn_with};
pub use request::{Purpose, Rejection, TokenRequest};

use crate::BoxFuture;

/// A source of access tokens.
///
/// References, `Arc` and `Box` of a provider are providers too, so a `&dyn TokenProvider` parameter
/// takes `&tokens` whether `tokens` is a [`Cached`] value or an `Arc<dyn TokenProvider>`.
///
/// Most programs need no implementation of their own: see [`from_fn`].
///
/// # Example
///
/// ```
/// use mailbearer::token::{Rejection, TokenError, TokenRequest};
/// use mailbearer::{AccessToken, BoxFuture, TokenProvider};
///
/// /// Asks the daemon that keeps the company's tokens.
/// struct TokenDaemon;
///
/// impl TokenDaemon {
///     async fn ask(&self, mailbox: &str) -> std::io::Result<String> {
///         Ok(format!("token-for-{mailbox}"))
///     }
/// }
///
/// impl TokenProvider for TokenDaemon {
///     fn token<'a>(
///         &'a self,
///         request: &'a TokenRequest,
///     ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
///         Box::pin(async move {
///             let value = self.ask(request.mailbox()).await.map_err(TokenError::later)?;
///             Ok(AccessToken::new(value))
///         })
///     }
/// }
/// ```
pub trait TokenProvider: Send + Sync {
    /// An access token for a new connection.
    ///
    /// It should live for [`TokenRequest::min_lifetime`] at least. If [`TokenRequest::purpose`] is
    /// [`Purpose::Retry`], a server has just refused what this provider gave; answering with the
    /// same token again means that there is no other, and the connection is not tried again.
    ///
    /// # Errors
    ///
    /// [`TokenError`] carries the cause and says whether trying later can help.
    ///
    /// # Cancel safety
    ///
    /// The caller may drop the future at any time, for instance when its own deadline is over. An
    /// implementation that must not be interrupted, say because it stores a new refresh token,
    /// does that work in a task or is put in [`Cached`], which does so.
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>>;

    /// A server refused this token.
    ///
    /// Called before the request with [`Purpose::Retry`], and only when it was the credential that
    /// was refused, not when the server was busy or a mailbox setting forbade the login. Many
    /// connections may report the same token, some of them late: compare with
    /// [`AccessToken::same`] before forgetting a token that has been replaced meanwhile.
    ///
    /// By default it does nothing.
    fn rejected<'a>(&'a self, token: &'a AccessToken, why: Rejection) -> BoxFuture<'a, ()> {
        let _ = (token, why);
        Box::pin(std::future::ready(()))
    }
}

macro_rules! forward {
    ($($pointer:ty),+) => {$(
        impl<P: TokenProvider + ?Sized> TokenProvider for $pointer {
            fn token<'a>(
                &'a self,
                request: &'a TokenRequest,
            ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
                (**self).token(request)
            }

            fn rejected<'a>(
                &'a self,
                token: &'a AccessToken,
                why: Rejection,
            ) -> BoxFuture<'a, ()> {
                (**self).rejected(token, why)
            }
        }
    )+};
}

forward!(&P, Arc<P>, Box<P>);
