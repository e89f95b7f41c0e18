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
        let client = sign_in.client.clone();
        let first =
            move |scope: &str| refresh_form(&client.scope, self.refresh_token.expose(), scope);
        Ok(sign_in.session(Some(Box::new(first))))
    }
}

impl fmt::Debug for RefreshTokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RefreshTokenBuilder").field(&self.settings).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::BoxFuture;
    use crate::token::grant::script::{Script, exchange_online, get, json, refusal, token, tokens};
    use crate::token::http::{HttpClient, HttpError, HttpRequest, HttpResponse};
    use crate::token::store::{MemoryStore, TokenSet, TokenStore};
    use crate::token::{
        ErrorKind, Rejection, SignInReason, TokenEvent, TokenProvider, TokenRequest,
    };
    use crate::{Endpoint, Failure, Protocol, Retry};

    const SECRET: &str = "0.AXoA-first-refresh-token.AgABAwEAAAA";

    #[tokio::test]
    async fn entra_gets_the_form_its_documents_show() {
        let script = Script::new([tokens("EwB", "0.AXoA-second")]);
        let tokens = RefreshToken::entra("contoso.example", "app-1", SECRET)
            .protocols([Protocol::Imap])
            .http(script.clone())
            .build()
            .unwrap();
        assert_eq!(get(&tokens, exchange_online()).await.unwrap(), "EwB");
        assert_eq!(
            script.asked()[0].line,
            "POST https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"
        );
        assert_eq!(
            script.bodies(),
            [format!(
                "grant_type=refresh_token&refresh_token={SECRET}\
                 &scope=https%3A%2F%2Foutlook.office.com%2FIMAP.AccessAsUser.All+offline_access\
                 &client_id=app-1"
            )]
        );
    }

    #[tokio::test]
    async fn google_gets_its_secret_and_no_scope() {
        let script = Script::new([tokens("ya29", "1//0f"), token("ya30")]);
        let tokens = RefreshToken::google("app-1", "GOCSPX-1", "1//0e")
            .http(script.clone())
            .build()
            .unwrap();
        let request = TokenRequest::new(crate::provider::gmail::imap(), "anna@contoso.example");
        let first = tokens.token(&request).await.unwrap();
        assert_eq!(first.expose(), "ya29");
        tokens.rejected(&first, Rejection::Expired).await;
        assert_eq!(get(&tokens, crate::provider::gmail::imap()).await.unwrap(), "ya30");
        assert_eq!(script.asked()[0].line, "POST https://oauth2.googleapis.com/token");
        assert_eq!(
            script.bodies(),
            [
                "grant_type=refresh_token&refresh_token=1%2F%2F0e&client_id=app-1\
                 &client_secret=GOCSPX-1",
                "grant_type=refresh_token&refresh_token=1%2F%2F0f&client_id=app-1\
                 &client_secret=GOCSPX-1",
            ]
        );
    }

    #[tokio::test]
    async fn a_rotated_token_is_stored_and_used_from_then_on() {
        let script = Script::new([tokens("first", "second-refresh-token"), token("hve")]);
        let (store, seen) = (MemoryStore::default(), Arc::new(Mutex::new(Vec::new())));
        let tokens = RefreshToken::entra("contoso.example", "app-1", SECRET)
            .store(store.clone(), "anna")
            .http(script.clone())
            .on_event({
                let seen = seen.clone();
                move |event| seen.lock().unwrap().push(event.clone())
            })
            .build()
            .unwrap();
        assert_eq!(get(&tokens, exchange_online()).await.unwrap(), "first");
        let stored = store.load("anna").await.unwrap().unwrap().into_tokens();
        assert_eq!(stored.refresh_token(), Some("second-refresh-token"));
        // High Volume Email needs another access token, for which the new one is spent.
        assert_eq!(get(&tokens, crate::provider::hve::smtp()).await.unwrap(), "hve");
        assert!(script.bodies()[1].contains("refresh_token=second-refresh-token&"));
        assert!(
            script.bodies()[1]
                .contains("scope=https%3A%2F%2Foutlook.office.com%2F.default+offline_access")
        );
        let issued = |event: &&TokenEvent| matches!(event, TokenEvent::Issued { .. });
        assert_eq!(seen.lock().unwrap().iter().filter(issued).count(), 2);
    }

    #[tokio::test]
    async fn what_the_store_holds_comes_before_what_was_given() {
        let store = MemoryStore::default();
        let newer = TokenSet::default().with_refresh_token("newer");
        store.store_if("anna", &newer, None).await.unwrap().unwrap();
        let script = Script::new([refusal("invalid_grant", 700_082), tokens("EwB", "newest")]);
        let tokens = RefreshToken::builder("https://login.example/token", "app-1", SECRET)
            .store(store.clone(), "anna")
            .http(script.clone())
            .build()
            .unwrap();
        // The stored one has expired; the given one still works.
        assert_eq!(get(&tokens, Endpoint::imap("h")).await.unwrap(), "EwB");
        assert_eq!(
            script.bodies(),
            [
                "grant_type=refresh_token&refresh_token=newer&client_id=app-1".to_owned(),
                format!("grant_type=refresh_token&refresh_token={SECRET}&client_id=app-1"),
            ]
        );
    }

    /// Refuses the stored refresh token when another program has just stored what it got for it.
    struct Overtaken {
        store: MemoryStore,
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl HttpClient for Overtaken {
        fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
            let body = String::from_utf8(request.body().to_vec()).unwrap();
            self.asked.lock().unwrap().push(body);
            Box::pin(async {
                let revision = self.store.load("anna").await?.map(|stored| stored.revision());
                let theirs = TokenSet::default()
                    .with_refresh_token("theirs")
                    .with_access_token("", crate::AccessToken::new("EwB-theirs"));
                self.store.store_if("anna", &theirs, revision).await?.unwrap();
                Ok(refusal("invalid_grant", 70008))
            })
        }
    }

    #[tokio::test]
    async fn what_another_program_has_just_stored_comes_before_what_was_given() {
        let (store, asked) = (MemoryStore::default(), Arc::new(Mutex::new(Vec::new())));
        let spent = TokenSet::default().with_refresh_token("spent");
        store.store_if("anna", &spent, None).await.unwrap().unwrap();
        let tokens = RefreshToken::builder("https://login.example/token", "app-1", SECRET)
            .store(store.clone(), "anna")
            .http(Overtaken { store, asked: asked.clone() })
            .build()
            .unwrap();
        assert_eq!(get(&tokens, Endpoint::imap("h")).await.unwrap(), "EwB-theirs");
        // The one given, which is older than both, would look stolen.
        let asked = asked.lock().unwrap();
        assert_eq!(*asked, ["grant_type=refresh_token&refresh_token=spent&client_id=app-1"]);
    }

    #[tokio::test]
    async fn a_token_that_is_over_asks_for_a_new_sign_in_and_is_not_shown() {
        let body = format!(
            r#"{{"error":"invalid_grant","error_description":"AADSTS50173: grant {SECRET} is revoked","suberror":"bad_token","error_codes":[50173]}}"#
        );
        let script = Script::new([json(400, &body)]);
        let tokens =
            RefreshToken::entra("contoso.example", "app-1", SECRET).http(script).build().unwrap();
        let error = get(&tokens, exchange_online()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SignInNeeded(SignInReason::Revoked));
        assert_eq!(error.retry(), Retry::Administrator);
        let shown = format!("{error} {error:?} {tokens:?} {:?}", error.reply_text());
        assert!(!shown.contains("first-refresh-token"), "{shown}");
        assert!(shown.contains("sign in again"), "{shown}");
    }

    #[tokio::test]
    async fn a_protocol_that_was_not_signed_in_for_is_named_before_asking() {
        let script = Script::default();
        let tokens = RefreshToken::outlook("app-1", SECRET)
            .protocols([Protocol::Imap])
            .http(script.clone())
            .build()
            .unwrap();
        let error = get(&tokens, crate::provider::outlook::smtp()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("no access by SMTP"), "{error}");
        assert!(script.bodies().is_empty());
    }

    #[tokio::test]
    async fn a_token_at_hand_is_not_given_to_a_protocol_that_was_not_signed_in_for() {
        let script = Script::new([token("EwB")]);
        let tokens = RefreshToken::outlook("app-1", SECRET)
            .protocols([Protocol::Imap])
            .http(script)
            .build()
            .unwrap();
        let smtp = || get(&tokens, crate::provider::outlook::smtp());
        let (imap, early) = tokio::join!(get(&tokens, crate::provider::outlook::imap()), smtp());
        assert_eq!(imap.unwrap(), "EwB");
        for error in [early.unwrap_err(), smtp().await.unwrap_err()] {
            assert!(error.to_string().contains("no access by SMTP"), "{error}");
        }
    }
}
