//! Microsoft's on-behalf-of grant: a service acts for the user who called it.

use std::fmt;

use super::signed_in::{SignIn, SignedIn};
use crate::secret::Secret;
use crate::token::oauth::credential::ClientCredential;
use crate::token::oauth::form::Form;
use crate::token::oauth::settings::{CONSUMERS, Settings, SetupError, user_settings};

/// Tokens for the user who called a web service, by the access token that the user's program
/// presented to it.
///
/// That token must have been issued for the service itself (its `aud` is the service's client id or
/// its URI), and the service needs the delegated permissions and consent to them. One value is one
/// user's.
///
/// Source: Microsoft Learn, "Microsoft identity platform and OAuth2.0 On-Behalf-Of flow" (read
/// 2026-11).
///
/// # Example
///
/// ```
/// use mailbearer::token::{OnBehalfOf, SignedIn, SetupError};
///
/// fn for_caller(authorization: &str) -> Result<SignedIn, SetupError> {
///     let presented = authorization.trim_start_matches("Bearer ");
///     OnBehalfOf::entra("contoso.example", "service-id", "service-secret", presented).build()
/// }
/// # for_caller("Bearer eyJ0…").unwrap();
/// ```
#[derive(Debug)]
pub struct OnBehalfOf;

impl OnBehalfOf {
    /// A service registered in Microsoft Entra, its credential, and what the user presented.
    pub fn entra(
        tenant: impl Into<String>,
        client_id: impl Into<String>,
        credential: impl Into<ClientCredential>,
        user_token: impl Into<String>,
    ) -> OnBehalfOfBuilder {
        let settings = Settings::entra(tenant, client_id).with_credential(credential);
        OnBehalfOfBuilder { settings, user_token: Secret::new(user_token.into()) }
    }
}

/// Settings of [`OnBehalfOf`].
#[must_use]
pub struct OnBehalfOfBuilder {
    settings: Settings,
    user_token: Secret<String>,
}

impl OnBehalfOfBuilder {
    user_settings!();

    /// Checks the settings. Nothing is sent before the first token is wanted.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if the settings cannot work.
    pub fn build(self) -> Result<SignedIn, SetupError> {
        if self.user_token.expose().is_empty() {
            return Err(SetupError::NoToken);
        }
        self.settings.no_tenant_of(&[CONSUMERS], "the on-behalf-of grant")?;
        let sign_in = SignIn::new(&self.settings)?;
        let first = move |scope: &str| {
            Form::new("on-behalf-of", "urn:ietf:params:oauth:grant-type:jwt-bearer")
                .secret("assertion", self.user_token.expose())
                .field("requested_token_use", "on_behalf_of")
                .field_unless_empty("scope", scope)
        };
        Ok(sign_in.session(Some(Box::new(first))))
    }
}

impl fmt::Debug for OnBehalfOfBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnBehalfOfBuilder").field(&self.settings).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::ErrorKind;
    use crate::token::grant::script::{Script, exchange_online, get, refusal, tokens};

    #[tokio::test]
    async fn entra_gets_the_form_its_documents_show() {
        let script = Script::new([tokens("EwB", "refresh"), refusal("invalid_grant", 65001)]);
        let user = || {
            OnBehalfOf::entra("contoso.example", "service-1", "service-secret", "eyJ0.user.token")
                .protocols([crate::Protocol::Imap])
                .http(script.clone())
        };
        assert!(!format!("{:?}", user()).contains("user.token"));
        assert_eq!(get(&user().build().unwrap(), exchange_online()).await.unwrap(), "EwB");
        assert_eq!(
            script.bodies(),
            ["grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer\
              &assertion=eyJ0.user.token&requested_token_use=on_behalf_of\
              &scope=https%3A%2F%2Foutlook.office.com%2FIMAP.AccessAsUser.All+offline_access\
              &client_id=service-1&client_secret=service-secret"]
        );
        let error = get(&user().build().unwrap(), exchange_online()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::SignInNeeded(_)), "{error:?}");
    }

    #[test]
    fn an_empty_token_is_refused() {
        let error = OnBehalfOf::entra("contoso.example", "a", "s", "").build().unwrap_err();
        assert_eq!(error, SetupError::NoToken);
    }
}
