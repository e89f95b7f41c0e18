//! Google service accounts: a signed assertion in place of a sign-in (RFC 7523 section 2.1).

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;

use crate::BoxFuture;
use crate::secret::Secret;
use crate::token::oauth::client::Client;
use crate::token::oauth::form::Form;
use crate::token::oauth::jwt::{SignError, Signer, SigningAlgorithm, numeric_date};
use crate::token::oauth::settings::{OnBehalf, Settings, SetupError, request_settings};
use crate::token::{AccessToken, Cached, Rejection, TokenError, TokenProvider, TokenRequest};

/// Tokens for a service account of Google Workspace that opens the mailboxes of a domain.
///
/// The administrator of the domain delegates to it domain-wide: Admin console, Security, API
/// controls, with the account's client id and the scope `https://mail.google.com/`. Each token is
/// for one user, by default that of the mailbox that is opened; see
/// [`subject`](ServiceAccountBuilder::subject).
///
/// Cached, one token for each user, renewed ahead of time; a clone is cheap and shares the tokens.
///
/// Source: Google, "Using OAuth 2.0 for Server to Server Applications" (read 2026-11).
///
/// # Example
///
/// ```no_run
/// use mailbearer::token::ServiceAccount;
///
/// let key = std::fs::read_to_string("/run/secrets/service-account.json")?;
/// let tokens = ServiceAccount::from_json(&key)?.build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ServiceAccount {
    tokens: Cached<Arc<Grant>>,
    grant: Arc<Grant>,
}

/// The key file that Google gives out.
#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

impl ServiceAccount {
    /// By the JSON of its key file.
    ///
    /// # Errors
    ///
    /// [`SetupError::ServiceAccount`], if it is not such a file.
    pub fn from_json(json: &str) -> Result<ServiceAccountBuilder, SetupError> {
        let wrong = |why: &str| SetupError::ServiceAccount(why.into());
        // Not with serde's own words, which may quote the file.
        let file: KeyFile = serde_json::from_str(json)
            .map_err(|_| wrong("it is not the JSON of a key file of type service_account"))?;
        let pem = Secret::new(file.private_key);
        let key = PrivateKeyDer::from_pem_slice(pem.expose().as_bytes())
            .map_err(|_| wrong("no private key in `private_key`"))?;
        // Google knows no PSS.
        let signer = Signer::new(key, Some(SigningAlgorithm::Rs256))
            .map_err(|error| wrong(&error.to_string()))?;
        let token_url =
            file.token_uri.unwrap_or_else(|| "https://oauth2.googleapis.com/token".into());
        let mut settings = Settings::other(token_url, file.client_email);
        settings.scope = Some("https://mail.google.com/".into());
        let key_id = file.private_key_id;
        Ok(ServiceAccountBuilder { settings, signer, key_id, subject: None })
    }
}

impl TokenProvider for ServiceAccount {
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        self.tokens.token(request)
    }

    fn rejected<'a>(&'a self, token: &'a AccessToken, why: Rejection) -> BoxFuture<'a, ()> {
        self.tokens.rejected(token, why)
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount")
            .field("client_email", &self.grant.client.client_id)
            .field("subject", &self.grant.subject)
            .finish_non_exhaustive()
    }
}

/// Settings of [`ServiceAccount`].
#[must_use]
pub struct ServiceAccountBuilder {
    settings: Settings,
    signer: Signer,
    key_id: Option<String>,
    subject: Option<String>,
}

impl ServiceAccountBuilder {
    request_settings!();

    /// Signs in this user for every mailbox. Needed for a mailbox that is lent to the user by
    /// delegation; by default the mailbox's own user is signed in.
    pub fn subject(mut self, address: impl Into<String>) -> Self {
        self.subject = Some(address.into());
        self
    }

    /// Another URL of the token endpoint than the key file's.
    pub fn token_url(mut self, url: impl Into<String>) -> Self {
        self.settings.token_url = Some(url.into());
        self
    }

    /// Checks the settings. Nothing is sent before the first token is wanted.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if the settings cannot work.
    pub fn build(self) -> Result<ServiceAccount, SetupError> {
        let grant = Arc::new(Grant {
            client: self.settings.client(OnBehalf::User)?,
            signer: self.signer,
            key_id: self.key_id,
            subject: self.subject,
        });
        let keyed_by = grant.clone();
        let mut tokens =
            Cached::new(grant.clone()).keyed_by(move |request| keyed_by.user_of(request).into());
        if let Some(margin) = self.settings.margin {
            tokens = tokens.with_margin(margin);
        }
        Ok(ServiceAccount { tokens, grant })
    }
}

impl fmt::Debug for ServiceAccountBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccountBuilder")
            .field("client_email", &self.settings.client_id)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// Asks for a token each time.
struct Grant {
    client: Client,
    signer: Signer,
    key_id: Option<String>,
    subject: Option<String>,
}

impl Grant {
    /// What Google allows at most.
    const LIFETIME: u64 = 3600;

    fn user_of<'a>(&'a self, request: &'a TokenRequest) -> &'a str {
        self.subject.as_deref().unwrap_or_else(|| request.mailbox())
    }

    fn assertion(&self, user: &str, now: SystemTime) -> Result<Secret<String>, SignError> {
        let issued = numeric_date(now);
        let header = self.key_id.as_ref().map_or_else(|| json!({}), |id| json!({ "kid": id }));
        let claims = json!({
            "iss": self.client.client_id,
            "scope": self.client.scope.at_sign_in(),
            "aud": self.client.token_url,
            "iat": issued,
            "exp": issued + Self::LIFETIME,
            "sub": user,
        });
        self.signer.sign(header, &claims)
    }
}

impl TokenProvider for Grant {
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        Box::pin(async move {
            let assertion = self.assertion(self.user_of(request), SystemTime::now())?;
            let grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
            let form = Form::of_application("service account", grant_type)
                .secret("assertion", assertion.expose());
            Ok(self.client.ask_as_is(form).await?.access_token)
        })
    }
}
