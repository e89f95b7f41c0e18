//! Providers made of functions.

use std::fmt;

use super::{AccessToken, TokenError, TokenProvider, TokenRequest};
use crate::BoxFuture;

/// A provider that calls an async function.
///
/// The function gets its request by value, so that the future it returns can keep it. It is called
/// for every connection: put it in [`Cached`](super::Cached) if it costs anything. It learns of a
/// refused token by [`TokenRequest::purpose`].
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use mailbearer::AccessToken;
/// use mailbearer::token::{Cached, TokenError, TokenRequest, from_fn};
///
/// async fn ask_the_vault(path: String) -> std::io::Result<String> {
///     Ok(format!("token at {path}"))
/// }
///
/// let tokens = Cached::new(from_fn(|request: TokenRequest| async move {
///     let path = format!("mail/{}", request.protocol().name());
///     let value = ask_the_vault(path).await.map_err(TokenError::later)?;
///     Ok(AccessToken::new(value).with_lifetime(Duration::from_secs(3600)))
/// }));
/// ```
pub const fn from_fn<F, Fut>(function: F) -> FromFn<F>
where
    F: Fn(TokenRequest) -> Fut + Send + Sync,
    Fut: Future<Output = Result<AccessToken, TokenError>> + Send,
{
    FromFn { function }
}

/// A provider that calls an async function with a clone of some state, which saves cloning it by
/// hand for every call.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use mailbearer::AccessToken;
/// use mailbearer::token::{TokenError, from_fn_with};
///
/// struct Vault;
///
/// impl Vault {
///     async fn read(&self, mailbox: &str) -> std::io::Result<String> {
///         Ok(format!("token-of-{mailbox}"))
///     }
/// }
///
/// let tokens = from_fn_with(Arc::new(Vault), |vault, request| async move {
///     let value = vault.read(request.mailbox()).await.map_err(TokenError::later)?;
///     Ok(AccessToken::new(value))
/// });
/// ```
pub const fn from_fn_with<S, F, Fut>(state: S, function: F) -> FromFnWith<S, F>
where
    S: Clone + Send + Sync,
    F: Fn(S, TokenRequest) -> Fut + Send + Sync,
    Fut: Future<Output = Result<AccessToken, TokenError>> + Send,
{
    FromFnWith { state, function }
}

/// What [`from_fn`] returns.
#[derive(Clone, Copy)]
pub struct FromFn<F> {
    function: F,
}

/// What [`from_fn_with`] returns.
#[derive(Clone, Copy)]
pub struct FromFnWith<S, F> {
    state: S,
    function: F,
}

impl<F, Fut> TokenProvider for FromFn<F>
where
    F: Fn(TokenRequest) -> Fut + Send + Sync,
    Fut: Future<Output = Result<AccessToken, TokenError>> + Send,
{
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        Box::pin(async move { (self.function)(request.clone()).await })
    }
}

impl<S, F, Fut> TokenProvider for FromFnWith<S, F>
where
    S: Clone + Send + Sync,
    F: Fn(S, TokenRequest) -> Fut + Send + Sync,
    Fut: Future<Output = Result<AccessToken, TokenError>> + Send,
{
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        Box::pin(async move { (self.function)(self.state.clone(), request.clone()).await })
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").finish_non_exhaustive()
    }
}

impl<S, F> fmt::Debug for FromFnWith<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFnWith").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::Endpoint;

    fn request(mailbox: &str) -> TokenRequest {
        TokenRequest::new(Endpoint::imap("h"), mailbox)
    }

    #[tokio::test]
    async fn the_function_gets_the_request() {
        let tokens = from_fn(|request: TokenRequest| async move {
            Ok(AccessToken::new(format!("for-{}", request.mailbox())))
        });
        let token = tokens.token(&request("billing")).await.unwrap();
        assert_eq!(token.expose(), "for-billing");
    }

    #[tokio::test]
    async fn every_call_gets_the_same_state() {
        let calls = Arc::new(AtomicUsize::new(0));
        let tokens = from_fn_with(calls.clone(), |calls, _| async move {
            Ok(AccessToken::new(format!("t{}", calls.fetch_add(1, Ordering::Relaxed))))
        });
        assert_eq!(tokens.token(&request("m")).await.unwrap().expose(), "t0");
        assert_eq!(tokens.token(&request("m")).await.unwrap().expose(), "t1");
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_function_may_borrow_from_its_surroundings() {
        let value = String::from("borrowed");
        let tokens = from_fn(|_| async { Ok(AccessToken::new(value.as_str())) });
        assert_eq!(tokens.token(&request("m")).await.unwrap().expose(), "borrowed");
    }
}
