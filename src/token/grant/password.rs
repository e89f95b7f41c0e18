//! The resource owner password credentials grant (RFC 6749 section 4.3).

use std::fmt;

use super::signed_in::{SignIn, SignedIn};
use crate::secret::Secret;
use crate::token::oauth::form::Form;
use crate::token::oauth::settings::{Settings, SetupError, user_settings};

/// Tokens by a user's name and password: **the last resort**.
///
/// RFC 9700 section 2.4 says that this grant must not be used, and Microsoft advises against it.
/// Take an application's own permissions ([`ClientCredentials`](super::ClientCredentials)) or a
/// sign-in by [`DeviceCode`](super::DeviceCode) or [`AuthorizationCode`](super::AuthorizationCode)
/// where you can. What it cannot do at Microsoft Entra:
/// - accounts that need a second factor, which security defaults and most tenants demand;
/// - personal accounts (Outlook.com) and guests;
/// - accounts federated with another identity provider;
/// - passwords that begin or end with a space;
/// - the tenants `common` and `consumers`.
///
/// The registration must allow public client flows. The user is the mailbox's own; an
/// administrator's password is never needed. Google has no such grant.
///
/// The password stays in memory while this lives, and is used again when the refresh token is no
/// longer good.
///
/// Source: Microsoft Learn, "OAuth 2.0 Resource Owner Password Credentials" (read 2026-11).
///
/// # Example
///
/// ```
/// use mailbearer::token::Password;
///
/// # fn settings(_: &str) -> String { "secret".into() }
/// let user = "scanner@contoso.example";
/// let tokens =
///     Password::entra("contoso.example", "app-id", user, settings("PASSWORD")).build()?;
/// # Ok::<(), mailbearer::token::SetupError>(())
/// ```
#[derive(Debug)]
pub struct Password;

impl Password {
    /// Of a user in Microsoft Entra. The tenant is its id, a verified domain, or `organizations`.
    pub fn entra(
        tenant: impl Into<String>,
        client_id: impl Into<String>,
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> PasswordBuilder {
        PasswordBuilder::new(Settings::entra(tenant, client_id), username, password)
    }

    /// At any OAuth 2.0 server that still has the grant, by the URL of its token endpoint.
    pub fn builder(
        token_url: impl Into<String>,
        client_id: impl Into<String>,
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> PasswordBuilder {
        PasswordBuilder::new(Settings::other(token_url, client_id), username, password)
    }
}

/// Settings of [`Password`].
#[must_use]
pub struct PasswordBuilder {
    settings: Settings,
    username: String,
    password: Secret<String>,
}

impl PasswordBuilder {
    user_settings!();

    fn new(settings: Settings, username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { settings, username: username.into(), password: Secret::new(password.into()) }
    }

    /// Checks the settings. Nothing is sent before the first token is wanted.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if the settings cannot work.
    pub fn build(self) -> Result<SignedIn, SetupError> {
        if self.username.is_empty() || self.password.expose().is_empty() {
            return Err(SetupError::NoPassword);
        }
        self.settings.tenant_for_passwords()?;
        let sign_in = SignIn::new(&self.settings)?;
        let first = move |scope: &str| {
            Form::new("password", "password")
                .field("username", &self.username)
                .secret("password", self.password.expose())
                .field_unless_empty("scope", scope)
        };
        Ok(sign_in.session(Some(Box::new(first))))
    }
}

impl fmt::Debug for PasswordBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordBuilder")
            .field("settings", &self.settings)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
