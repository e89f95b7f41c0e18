//! Google service accounts: a signed assertion in place of a sign-in (RFC 7523 section 2.1).

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;

use crate::BoxFuture;
use crate::provider::{OnBehalf, gmail};
use crate::secret::Secret;
use crate::token::oauth::client::Client;
use crate::token::oauth::form::Form;
use crate::token::oauth::jwt::{SignError, Signer, SigningAlgorithm, numeric_date};
use crate::token::oauth::settings::{Settings, SetupError, proxy_setting, request_settings};
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
        let token_url = file.token_uri.unwrap_or_else(|| gmail::SERVER.token_url().into());
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
    proxy_setting!();

    /// Signs in this user, whatever address is named at connect: for an alias of the user's, for
    /// instance. By default the user is the mailbox that is named. A mailbox that is lent by Gmail's
    /// delegation is not opened so; sign in its owner.
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
        let tokens =
            grant.client.cached(grant.clone(), move |request| keyed_by.user_of(request).into());
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
#[cfg(all(test, any(feature = "ring", feature = "aws-lc-rs")))]
mod tests {
    use oauth2::url::form_urlencoded;

    use super::*;
    use crate::token::ErrorKind;
    use crate::token::grant::script::{Script, get, json as answer, token};
    use crate::token::oauth::openssl::Bench;

    fn key_file(bench: &Bench) -> String {
        bench.certificate("google", &["rsa:2048"]);
        let key = std::fs::read_to_string(bench.path("google.key")).unwrap();
        json!({
            "type": "service_account", "project_id": "p", "private_key_id": "key-1",
            "private_key": key, "client_email": "mailer@p.iam.gserviceaccount.com",
            "client_id": "1", "token_uri": "https://oauth2.googleapis.com/token",
        })
        .to_string()
    }

    #[tokio::test]
    async fn each_mailbox_gets_a_token_of_its_user() {
        let bench = Bench::new();
        let script = Script::new([token("anna"), token("group")]);
        let file = key_file(&bench);
        let own = ServiceAccount::from_json(&file).unwrap().http(script.clone());
        let own = own.build().unwrap();
        let imap = gmail::imap;
        assert_eq!(get(&own, imap()).await.unwrap(), "anna");
        assert_eq!(get(&own, gmail::smtp()).await.unwrap(), "anna");
        let fixed = ServiceAccount::from_json(&file).unwrap().subject("boss@contoso.example");
        let fixed = fixed.http(script.clone()).build().unwrap();
        assert_eq!(get(&fixed, imap()).await.unwrap(), "group");

        assert_eq!(script.asked()[0].line, "POST https://oauth2.googleapis.com/token");
        let users = script.bodies().into_iter().map(|body| {
            let fields: Vec<(String, String)> =
                form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            let [(one, grant_type), (two, assertion)] = &fields[..] else { panic!("{body}") };
            assert_eq!((one.as_str(), two.as_str()), ("grant_type", "assertion"));
            assert_eq!(grant_type, "urn:ietf:params:oauth:grant-type:jwt-bearer");
            let (header, claims) = bench.verify(assertion, "google", &[]);
            assert_eq!(header, json!({ "alg": "RS256", "typ": "JWT", "kid": "key-1" }));
            assert_eq!(claims["iss"], "mailer@p.iam.gserviceaccount.com");
            assert_eq!(claims["scope"], "https://mail.google.com/");
            assert_eq!(claims["aud"], "https://oauth2.googleapis.com/token");
            let time = |name: &str| claims[name].as_u64().unwrap();
            assert_eq!(time("exp") - time("iat"), 3600);
            assert_eq!(claims.as_object().unwrap().len(), 6);
            claims["sub"].as_str().unwrap().to_owned()
        });
        assert_eq!(users.collect::<Vec<_>>(), ["anna@contoso.example", "boss@contoso.example"]);
    }

    #[tokio::test]
    async fn a_refused_assertion_is_about_the_client_and_not_a_user() {
        let bench = Bench::new();
        let body = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
        let script = Script::new([answer(400, body)]);
        let tokens = ServiceAccount::from_json(&key_file(&bench)).unwrap().http(script);
        let tokens = tokens.build().unwrap();
        let error = get(&tokens, gmail::pop()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ClientCredential);
    }

    #[test]
    fn another_file_is_refused_without_being_quoted() {
        for json in ["", "{}", r#"{"client_email":"a","private_key":"hunter2-hunter2"}"#] {
            let error = ServiceAccount::from_json(json).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
