//! A token that is simply there.

use super::{AccessToken, TokenError, TokenProvider, TokenRequest};
use crate::BoxFuture;

/// Always the same token: for scripts and tests.
///
/// It has no way to get another. After a refusal it gives the same token again, and so the
/// connection is not tried a second time.
///
/// # Example
///
/// ```
/// use mailbearer::token::StaticToken;
///
/// let from_the_command_line = String::from("EwBAAl3BAAUF");
/// let tokens = StaticToken::new(from_the_command_line);
/// ```
#[derive(Debug, Clone)]
pub struct StaticToken(AccessToken);

impl StaticToken {
    /// A provider of this token: a string, or an [`AccessToken`] whose expiry is known.
    pub fn new(token: impl Into<AccessToken>) -> Self {
        Self(token.into())
    }
}

impl TokenProvider for StaticToken {
    fn token<'a>(
        &'a self,
        _request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Endpoint;
    use crate::token::{Purpose, Rejection};

    #[tokio::test]
    async fn a_refused_token_is_given_again() {
        let tokens = StaticToken::new("EwB");
        let request = TokenRequest::new(Endpoint::pop("h"), "m");
        let first = tokens.token(&request).await.unwrap();
        tokens.rejected(&first, Rejection::Expired).await;
        let again = tokens.token(&request.with_purpose(Purpose::Retry)).await.unwrap();
        assert!(first.same(&again));
    }
}
