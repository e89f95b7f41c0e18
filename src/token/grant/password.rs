//! The resource owner password credentials grant (RFC 6749 section 4.3).

use std::fmt;

use super::signed_in::{SignIn, SignedIn};
use crate::secret::Secret;
use crate::token::oauth::form::Form;
use crate::token::oauth::settings::{Settings, SetupError, user_settings};

/// Tokens by a user's name and password: **the last resort**.
///
/// RFC 9700 section 2.4 says that this grant must not be used, and Microsoft advises against it.
/// Take an application's own permissions ([`ClientCredentials`](crate::token::ClientCredentials))
/// or a sign-in by [`DeviceCode`](crate::token::DeviceCode) or
/// [`AuthorizationCode`](crate::token::AuthorizationCode) where you can. What it cannot do at
/// Microsoft Entra:
/// - accounts that need a second factor, which security defaults and most tenants demand;
/// - personal accounts (Outlook.com) and guests;
/// - accounts federated with another identity provider;
/// - passwords that begin or end with a space;
/// - the tenants `common` and `consumers`.
///
/// The registration must allow public client flows, or the application show its credential
/// ([`client_credential`](PasswordBuilder::client_credential)). The user is the mailbox's own; an
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

    /// Asks Entra's older endpoint, `/oauth2/token`, which takes a resource and no scope. The cloud in
    /// China, operated by 21Vianet, may take passwords there only. The token has all the delegated
    /// permissions of Exchange that were consented to. [`scope`](Self::scope) names another resource.
    pub const fn version_1(mut self) -> Self {
        self.settings.version_1 = true;
        self
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
        let client = sign_in.client.clone();
        let first = move |scope: &str| {
            Form::new("password", "password")
                .field("username", &self.username)
                .secret("password", self.password.expose())
                .field_unless_empty(client.scope.field(), scope)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;
    use crate::token::grant::script::{Script, exchange_online, get, refusal, token, tokens};
    use crate::token::{ErrorKind, SignInReason};

    const SECRET: &str = "p&ss wörd-of-the-scanner";

    fn scanner(script: &Script) -> SignedIn {
        let user = "scanner@contoso.example";
        Password::entra("organizations", "app-1", user, SECRET)
            .protocols([crate::Protocol::Smtp])
            .client_credential("app-secret")
            .http(script.clone())
            .build()
            .unwrap()
    }

    #[tokio::test]
    async fn entra_gets_the_form_its_documents_show() {
        let script = Script::new([token("EwB"), token("hve")]);
        let tokens = scanner(&script);
        let endpoint = crate::provider::microsoft365::smtp();
        assert_eq!(get(&tokens, endpoint).await.unwrap(), "EwB");
        assert_eq!(
            script.bodies(),
            ["grant_type=password&username=scanner%40contoso.example\
              &password=p%26ss+w%C3%B6rd-of-the-scanner\
              &scope=https%3A%2F%2Foutlook.office.com%2FSMTP.Send+offline_access\
              &client_id=app-1&client_secret=app-secret"]
        );
        // High Volume Email takes the password of its mail user for another scope.
        assert_eq!(get(&tokens, crate::provider::hve::smtp()).await.unwrap(), "hve");
        assert!(
            script.bodies()[1]
                .contains("&scope=https%3A%2F%2Foutlook.office.com%2F.default+offline_access&")
        );
    }

    #[tokio::test]
    async fn the_older_endpoint_gets_a_resource_and_no_scope() {
        let script = Script::new([tokens("first", "refresh-1"), tokens("second", "refresh-2")]);
        let user = Password::entra("contoso.example", "app-1", "anna", SECRET)
            .cloud(crate::token::Cloud::China)
            .version_1()
            .http(script.clone())
            .build()
            .unwrap();
        let at = || crate::Endpoint::imap("partner.outlook.cn");
        let request = crate::token::TokenRequest::new(at(), "anna@contoso.example");
        let first = crate::TokenProvider::token(&user, &request).await.unwrap();
        crate::TokenProvider::rejected(&user, &first, crate::token::Rejection::Expired).await;
        assert_eq!(get(&user, at()).await.unwrap(), "second");
        let url = "POST https://login.partner.microsoftonline.cn/contoso.example/oauth2/token";
        assert!(script.asked().iter().all(|asked| asked.line == url));
        for body in script.bodies() {
            assert!(body.contains("&resource=https%3A%2F%2Fpartner.outlook.cn&"), "{body}");
            assert!(!body.contains("scope"), "{body}");
        }
    }

    #[tokio::test]
    async fn the_password_is_used_again_when_the_refresh_token_is_over() {
        let script = Script::new([
            tokens("first", "refresh-1"),
            refusal("invalid_grant", 700_082),
            tokens("second", "refresh-2"),
        ]);
        let user = Password::builder("https://login.example/token", "app-1", "anna", SECRET)
            .http(script.clone())
            .build()
            .unwrap();
        let at = || crate::Endpoint::imap("h");
        assert_eq!(get(&user, at()).await.unwrap(), "first");
        let request = crate::token::TokenRequest::new(at(), "anna@contoso.example");
        let first = crate::TokenProvider::token(&user, &request).await.unwrap();
        crate::TokenProvider::rejected(&user, &first, crate::token::Rejection::Expired).await;
        assert_eq!(get(&user, at()).await.unwrap(), "second");
        let grants: Vec<_> =
            script.bodies().iter().map(|body| body.split('&').next().unwrap().to_owned()).collect();
        assert_eq!(
            grants,
            ["grant_type=password", "grant_type=refresh_token", "grant_type=password"]
        );
    }

    #[tokio::test]
    async fn a_second_factor_is_named_and_the_password_is_not_shown() {
        let script = Script::new([refusal("invalid_grant", 50076)]);
        let tokens = Password::entra("contoso.example", "app-1", "anna", SECRET).http(script);
        let shown = format!("{tokens:?}");
        let tokens = tokens.build().unwrap();
        let error = get(&tokens, exchange_online()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SignInNeeded(SignInReason::Mfa));
        assert_eq!(error.retry(), crate::Retry::Administrator);
        let shown = format!("{shown} {error} {error:?} {tokens:?}");
        assert!(shown.contains("second factor") && !shown.contains("scanner"), "{shown}");
    }

    #[test]
    fn tenants_that_have_no_passwords_are_refused() {
        for tenant in ["common", "consumers"] {
            let error = Password::entra(tenant, "a", "u", "p").build().unwrap_err();
            assert!(error.to_string().contains("AADSTS9001023"), "{error}");
        }
        let empty = Password::entra("contoso.example", "a", "u", "").build().unwrap_err();
        assert_eq!(empty, SetupError::NoPassword);
    }
}
