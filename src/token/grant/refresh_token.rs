//! The refresh token grant (RFC 6749 section 6), with a refresh token that was had elsewhere.

use std::fmt;

use super::signed_in::{SignIn, SignedIn, refresh_form};
use crate::secret::Secret;
use crate::token::oauth::credential::ClientCredential;
use crate::token::oauth::settings::{CONSUMERS, Settings, SetupError, user_settings};

/// Tokens by a refresh token that another program or an earlier version obtained.
///
/// With a [store](RefreshTokenBuilder::store), the token given here is only the first: what lies in
/// the store is newer and comes before it. If the server no longer takes the stored one, the one
/// given here is tried.
///
/// # Example
///
/// ```
/// use mailbearer::token::RefreshToken;
/// use mailbearer::token::store::MemoryStore;
///
/// # fn settings(_: &str) -> String { "0.AXoA…".into() }
/// let tokens = RefreshToken::entra("contoso.example", "app-id", settings("REFRESH_TOKEN"))
///     .store(MemoryStore::default(), "anna@contoso.example")
///     .build()?;
/// # Ok::<(), mailbearer::token::SetupError>(())
/// ```
#[derive(Debug)]
pub struct RefreshToken;

impl RefreshToken {
    /// Of a user in Microsoft Entra. The tenant is its id, a verified domain, `organizations` or
    /// `common`.
    pub fn entra(
        tenant: impl Into<String>,
        client_id: impl Into<String>,
        refresh_token: impl Into<String>,
    ) -> RefreshTokenBuilder {
        RefreshTokenBuilder::new(Settings::entra(tenant, client_id), refresh_token)
    }

    /// Of a personal account: Outlook.com, Hotmail, Live.
    pub fn outlook(
        client_id: impl Into<String>,
        refresh_token: impl Into<String>,
    ) -> RefreshTokenBuilder {
        Self::entra(CONSUMERS, client_id, refresh_token)
    }

    /// Of a Google account. Google gives every client a secret, desktop programs too.
    pub fn google(
        client_id: impl Into<String>,
        client_secret: impl Into<ClientCredential>,
        refresh_token: impl Into<String>,
    ) -> RefreshTokenBuilder {
        let settings = Settings::google(client_id).with_credential(client_secret);
        RefreshTokenBuilder::new(settings, refresh_token)
    }

    /// At any OAuth 2.0 server, by the URL of its token endpoint.
    pub fn builder(
        token_url: impl Into<String>,
        client_id: impl Into<String>,
        refresh_token: impl Into<String>,
    ) -> RefreshTokenBuilder {
        RefreshTokenBuilder::new(Settings::other(token_url, client_id), refresh_token)
    }
}

/// Settings of [`RefreshToken`].
#[must_use]
pub struct RefreshTokenBuilder {
    settings: Settings,
    refresh_token: Secret<String>,
}

impl RefreshTokenBuilder {
    user_settings!();

    fn new(settings: Settings, refresh_token: impl Into<String>) -> Self {
        Self { settings, refresh_token: Secret::new(refresh_token.into()) }
    }

    /// Checks the settings. Nothing is sent before the first token is wanted.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if the settings cannot work.
    pub fn build(self) -> Result<SignedIn, SetupError> {
        if self.refresh_token.expose().is_empty() {
            return Err(SetupError::NoToken);
        }
        let sign_in = SignIn::new(&self.settings)?;
        let names_scope = sign_in.client.scope.named_at_renewal();
        let first = move |scope: &str| {
            let scope = if names_scope { scope } else { "" };
            refresh_form(self.refresh_token.expose(), scope)
        };
        Ok(sign_in.session(Some(Box::new(first))))
    }
}

impl fmt::Debug for RefreshTokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RefreshTokenBuilder").field(&self.settings).finish()
    }
}
