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
//! | a type of your own | implement [`TokenProvider`] |
//!
//! With the feature `oauth`, from an OAuth 2.0 server, with presets for Microsoft Entra,
//! Outlook.com and Google:
//!
//! | you have | take |
//! |---|---|
//! | a service with a secret, a certificate or a federated token | `ClientCredentials` |
//! | a program on an Azure machine | `ManagedIdentity` |
//! | a Google service account that may act for a domain's users | `ServiceAccount` |
//! | a user with a browser on this machine, or a web application | `AuthorizationCode` |
//! | a user with a browser elsewhere | `DeviceCode` |
//! | a refresh token from elsewhere | `RefreshToken` |
//! | a web service that is called with users' tokens | `OnBehalfOf` |
//! | a user's name and password, and no other way | `Password` |
//!
//! None of them needs to be told a scope: it follows from the service, the protocol and the grant.
//! Where a user signs in, that is once for all three protocols, and the `store` module keeps what
//! it gave. When it fails, [`TokenError::kind`] says whose turn it is.
//!
//! Getting a token costs a request to some server, so everything but a fixed token belongs in
//! [`Cached`], which asks once, keeps the token while it is good, renews it ahead of time and lets
//! any number of connections wait for one request. The grants are cached already.
//!
//! A shared mailbox is opened with the token of the application or user that has access to it; it
//! is another mailbox name with the same provider.
//!
//! What has to be done at Microsoft or Google before a mailbox takes a token, step by step and each
//! with its check: `docs/setup/README.md` in the repository and in the package.

mod access_token;
mod cached;
#[cfg(feature = "diagnosis")]
mod claims;
mod error;
mod fixed;
mod from_fn;
#[cfg(feature = "oauth")]
mod grant;
#[cfg(feature = "oauth")]
#[cfg_attr(docsrs, doc(cfg(feature = "oauth")))]
pub mod http;
#[cfg(feature = "oauth")]
mod https;
mod kind;
#[cfg(feature = "oauth")]
mod oauth;
mod request;
#[cfg(feature = "oauth")]
#[cfg_attr(docsrs, doc(cfg(feature = "oauth")))]
pub mod store;
#[cfg(feature = "oauth")]
mod token_endpoint;

use std::sync::Arc;

pub use access_token::{AccessToken, MalformedToken};
pub use cached::{CacheEvent, Cached};
#[cfg(feature = "diagnosis")]
#[cfg_attr(docsrs, doc(cfg(feature = "diagnosis")))]
pub use claims::Claims;
pub use error::TokenError;
pub use fixed::StaticToken;
pub use from_fn::{FromFn, FromFnWith, from_fn, from_fn_with};
pub use kind::{ErrorKind, SignInReason};
pub use request::{Purpose, Rejection, TokenRequest};
#[cfg(feature = "oauth")]
#[cfg_attr(docsrs, doc(cfg(feature = "oauth")))]
pub use with_oauth::*;

/// What the feature `oauth` brings.
#[cfg(feature = "oauth")]
mod with_oauth {
    pub use super::grant::authorization_code::{
        Authorization, AuthorizationCode, AuthorizationCodeBuilder, BrowserSignIn,
    };
    pub use super::grant::client_credentials::{ClientCredentials, ClientCredentialsBuilder};
    pub use super::grant::device_code::{DeviceCode, DeviceCodeBuilder, DevicePrompt};
    pub use super::grant::managed_identity::{ManagedIdentity, ManagedIdentityBuilder};
    pub use super::grant::on_behalf_of::{OnBehalfOf, OnBehalfOfBuilder};
    pub use super::grant::password::{Password, PasswordBuilder};
    pub use super::grant::refresh_token::{RefreshToken, RefreshTokenBuilder};
    pub use super::grant::service_account::{ServiceAccount, ServiceAccountBuilder};
    pub use super::grant::signed_in::SignedIn;
    pub use super::oauth::certificate::{Certificate, CertificateError};
    pub use super::oauth::consent::{admin_consent_url, high_volume_email_consent_url};
    pub use super::oauth::credential::ClientCredential;
    pub use super::oauth::event::TokenEvent;
    pub use super::oauth::jwt::SigningAlgorithm;
    pub use super::oauth::refusal::TokenEndpointError;
    pub use super::oauth::settings::SetupError;
    pub use super::token_endpoint::NoAnswer;
    pub use crate::provider::Cloud;
}

#[cfg(all(feature = "oauth", feature = "diagnosis"))]
pub(crate) use oauth::hint::hint as hint_for;
#[cfg(all(test, feature = "oauth", feature = "diagnosis"))]
pub(crate) use oauth::hint::numbers as numbers_with_hints;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Endpoint;

    /// As the three clients take a provider: borrowed for one connection.
    async fn connect(
        endpoint: Endpoint,
        mailbox: impl Into<String>,
        tokens: &dyn TokenProvider,
    ) -> Result<String, TokenError> {
        let request = TokenRequest::new(endpoint, mailbox);
        let token = tokens.token(&request).await?;
        tokens.rejected(&token, Rejection::Expired).await;
        let token = tokens.token(&request.with_purpose(Purpose::Retry)).await?;
        token.check()?;
        Ok(token.expose().to_owned())
    }

    /// As a connector takes one: owned, for many connections.
    #[derive(Clone)]
    struct Auth {
        tokens: Arc<dyn TokenProvider>,
    }

    impl Auth {
        fn xoauth2(tokens: impl TokenProvider + 'static) -> Self {
            Self { tokens: Arc::new(tokens) }
        }
    }

    struct Service {
        tokens: Arc<dyn TokenProvider>,
    }

    impl Service {
        async fn check_mail(&self) -> Result<String, TokenError> {
            connect(Endpoint::imap("h"), "m", &self.tokens).await
        }
    }

    fn is_a_good_citizen<T: Send + Sync + 'static>() {}

    #[test]
    fn types_can_be_shared_and_sent() {
        is_a_good_citizen::<AccessToken>();
        is_a_good_citizen::<TokenRequest>();
        is_a_good_citizen::<TokenError>();
        is_a_good_citizen::<Rejection>();
        is_a_good_citizen::<StaticToken>();
        is_a_good_citizen::<Cached<StaticToken>>();
        is_a_good_citizen::<Auth>();
        #[cfg(feature = "oauth")]
        {
            is_a_good_citizen::<ClientCredentials>();
            is_a_good_citizen::<SignedIn>();
            is_a_good_citizen::<DeviceCode>();
            is_a_good_citizen::<DevicePrompt>();
            is_a_good_citizen::<AuthorizationCode>();
            is_a_good_citizen::<BrowserSignIn>();
            is_a_good_citizen::<Authorization>();
            is_a_good_citizen::<ManagedIdentity>();
            is_a_good_citizen::<ServiceAccount>();
            is_a_good_citizen::<Certificate>();
            is_a_good_citizen::<ClientCredential>();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_kind_of_provider_works_inside_a_spawned_task() {
        let shared: Arc<dyn TokenProvider> = Arc::new(StaticToken::new("shared"));
        let boxed: Box<dyn TokenProvider> = Box::new(StaticToken::new("boxed"));
        let closure = from_fn(|request: TokenRequest| async move {
            tokio::task::yield_now().await;
            Ok(AccessToken::new(request.mailbox()))
        });
        let cached = Cached::new(closure).per_mailbox();
        let stacked = Cached::new(shared.clone());
        let auth = Auth::xoauth2(shared.clone());
        let again = Auth::xoauth2(cached.clone());
        let service = Arc::new(Service { tokens: shared.clone() });

        let answers = tokio::spawn(async move {
            let at = || Endpoint::smtp("h");
            let in_place = from_fn(async |_| Ok(AccessToken::new("in-place")));
            [
                connect(at(), "m", &shared).await,
                connect(at(), "m", &*shared).await,
                connect(at(), "m", shared.as_ref()).await,
                connect(at(), "m", &boxed).await,
                connect(at(), String::from("closure"), &cached).await,
                connect(at(), "m", &stacked).await,
                connect(at(), "m", &auth.tokens).await,
                connect(at(), "again", &again.clone().tokens).await,
                connect(at(), "m", &in_place).await,
                connect(at(), "m", &&StaticToken::new("referred")).await,
                service.check_mail().await,
            ]
        })
        .await
        .unwrap();

        assert_eq!(
            answers.map(Result::unwrap),
            [
                "shared", "shared", "shared", "boxed", "closure", "shared", "shared", "again",
                "in-place", "referred", "shared",
            ]
        );
    }

    #[tokio::test]
    async fn a_refusal_passes_through_every_pointer() {
        struct Told(std::sync::Mutex<usize>);

        impl TokenProvider for Told {
            fn token<'a>(
                &'a self,
                _request: &'a TokenRequest,
            ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
                Box::pin(async { Ok(AccessToken::new("t")) })
            }

            fn rejected<'a>(
                &'a self,
                _token: &'a AccessToken,
                _why: Rejection,
            ) -> BoxFuture<'a, ()> {
                Box::pin(async { *self.0.lock().unwrap() += 1 })
            }
        }

        let told = Arc::new(Told(std::sync::Mutex::new(0)));
        let shared: Arc<dyn TokenProvider> = told.clone();
        let boxed: Box<dyn TokenProvider> = Box::new(shared.clone());
        let cached = Cached::new(shared.clone());
        for tokens in [&shared as &dyn TokenProvider, &boxed, &&boxed, &cached] {
            tokens.rejected(&AccessToken::new("t"), Rejection::Expired).await;
        }
        assert_eq!(*told.0.lock().unwrap(), 4);
    }
}
