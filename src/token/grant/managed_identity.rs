//! Azure managed identities: the machine vouches for the program, and no credential is kept.

use std::fmt;
use std::sync::Arc;

use oauth2::url::form_urlencoded::Serializer;

use crate::BoxFuture;
use crate::provider::OnBehalf;
use crate::secret::{Scrubber, Secret};
use crate::token::http::{HttpRequest, request_url};
use crate::token::oauth::client::Client;
use crate::token::oauth::form::Outgoing;
use crate::token::oauth::settings::{Server, Settings, SetupError, request_settings};
use crate::token::{AccessToken, Cached, Rejection, TokenError, TokenProvider, TokenRequest};

/// Tokens for a program on an Azure machine that has a managed identity.
///
/// Cached as [`ClientCredentials`](crate::token::ClientCredentials) are. The identity needs the
/// same application permissions, assigned to its service principal, the same registration in
/// Exchange and the same access to mailboxes.
///
/// Requests go in clear text: to a link-local or loopback address, where Azure answers them, and
/// nowhere else.
///
/// Sources: Microsoft Learn, "How to use managed identities for Azure resources on an Azure VM to
/// acquire an access token" and "How to use managed identities for App Service and Azure Functions"
/// (read 2026-11).
///
/// # Example
///
/// ```
/// use mailbearer::token::ManagedIdentity;
///
/// let tokens = ManagedIdentity::virtual_machine()
///     .client_id("11112222-3333-4444-5555-666677778888")
///     .build()?;
/// # Ok::<(), mailbearer::token::SetupError>(())
/// ```
#[derive(Clone)]
pub struct ManagedIdentity {
    tokens: Cached<Arc<Grant>>,
    grant: Arc<Grant>,
}

/// The Instance Metadata Service of every Azure virtual machine.
const IMDS: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

impl ManagedIdentity {
    /// Of the virtual machine or scale set that the program runs on.
    pub fn virtual_machine() -> ManagedIdentityBuilder {
        ManagedIdentityBuilder::new(IMDS.into(), "2018-02-01", "Metadata", "true".into())
    }

    /// Of App Service, Functions or Container Apps, by the values of the environment variables
    /// `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`.
    pub fn app_service(
        endpoint: impl Into<String>,
        header: impl Into<String>,
    ) -> ManagedIdentityBuilder {
        let header = header.into();
        ManagedIdentityBuilder::new(endpoint.into(), "2019-08-01", "X-IDENTITY-HEADER", header)
    }

    /// That of App Service if the environment has `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`, else
    /// that of the virtual machine.
    ///
    /// # Errors
    ///
    /// [`SetupError::ManagedIdentity`], if there is only one of the two variables.
    pub fn from_env() -> Result<ManagedIdentityBuilder, SetupError> {
        Self::by(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn by(variable: impl Fn(&str) -> Option<String>) -> Result<ManagedIdentityBuilder, SetupError> {
        match (variable("IDENTITY_ENDPOINT"), variable("IDENTITY_HEADER")) {
            (Some(endpoint), Some(header)) => Ok(Self::app_service(endpoint, header)),
            (None, None) => Ok(Self::virtual_machine()),
            _ => Err(SetupError::ManagedIdentity(
                "of IDENTITY_ENDPOINT and IDENTITY_HEADER only one is set".into(),
            )),
        }
    }
}

impl TokenProvider for ManagedIdentity {
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

impl fmt::Debug for ManagedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagedIdentity")
            .field("endpoint", &self.grant.endpoint)
            .field("client_id", &self.grant.client_id)
            .finish_non_exhaustive()
    }
}

/// Settings of [`ManagedIdentity`].
#[must_use]
pub struct ManagedIdentityBuilder {
    settings: Settings,
    endpoint: String,
    api_version: &'static str,
    header: (&'static str, Secret<String>),
    client_id: Option<String>,
}

impl ManagedIdentityBuilder {
    request_settings!();

    fn new(
        endpoint: String,
        api_version: &'static str,
        header: &'static str,
        value: String,
    ) -> Self {
        // The tenant and the client are the machine's affair; what is here is never sent.
        let settings = Settings::new(
            Server::Entra { tenant: "managed-identity".into() },
            "managed-identity".into(),
        );
        let header = (header, Secret::new(value));
        Self { settings, endpoint, api_version, header, client_id: None }
    }

    /// One of several identities of the machine (a user-assigned one), by its client id.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Another address of the identity service.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = url.into();
        self
    }

    /// Checks the settings. Nothing is sent before the first token is wanted.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if the settings cannot work.
    pub fn build(self) -> Result<ManagedIdentity, SetupError> {
        request_url(&self.endpoint)?;
        let grant = Arc::new(Grant {
            client: self.settings.client(OnBehalf::Application)?,
            endpoint: self.endpoint,
            api_version: self.api_version,
            header: self.header,
            client_id: self.client_id,
        });
        let keyed_by = grant.clone();
        let tokens = grant.client.cached(grant.clone(), move |request| {
            keyed_by.client.scope.of(request.endpoint()).into_owned()
        });
        Ok(ManagedIdentity { tokens, grant })
    }
}

impl fmt::Debug for ManagedIdentityBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagedIdentityBuilder")
            .field("endpoint", &self.endpoint)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// Asks for a token each time.
struct Grant {
    client: Client,
    endpoint: String,
    api_version: &'static str,
    header: (&'static str, Secret<String>),
    client_id: Option<String>,
}

impl TokenProvider for Grant {
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        let scope = self.client.scope.of(request.endpoint()).into_owned();
        Box::pin(async move { Ok(self.client.send(self.request(&scope)).await?.access_token) })
    }
}

impl Grant {
    fn request(&self, scope: &str) -> Outgoing {
        let mut url = self.endpoint.clone();
        url.push(if url.contains('?') { '&' } else { '?' });
        let at = url.len();
        let mut query = Serializer::for_suffix(url, at);
        query.append_pair("api-version", self.api_version);
        // The resource alone: the `/.default` of scopes belongs to the v2.0 token endpoint.
        query.append_pair("resource", scope.strip_suffix("/.default").unwrap_or(scope));
        if let Some(client_id) = &self.client_id {
            query.append_pair("client_id", client_id);
        }
        let (name, value) = &self.header;
        let mut scrubber = Scrubber::default();
        scrubber.learn(value.expose().as_bytes());
        Outgoing {
            grant: "managed identity",
            of_user: false,
            request: HttpRequest::new("GET", query.finish())
                .with_header(*name, value.expose().as_str()),
            scrubber,
        }
    }
}
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Failure;
    use crate::token::ErrorKind;
    use crate::token::grant::script::{Script, exchange_online, get, json};
    use crate::token::http::HttpResponse;

    #[tokio::test]
    async fn a_virtual_machine_is_asked_as_azure_documents_it() {
        // Numbers arrive as text.
        let answer = r#"{"access_token":"eyJ0","refresh_token":"","expires_in":"3599","expires_on":"1506484173","not_before":"1506480273","resource":"https://outlook.office365.com","token_type":"Bearer"}"#;
        let script = Script::new([json(200, answer)]);
        let tokens = ManagedIdentity::virtual_machine()
            .client_id("app 1")
            .http(script.clone())
            .build()
            .unwrap();
        let request = TokenRequest::new(exchange_online(), "m");
        let token = tokens.token(&request).await.unwrap();
        assert_eq!(token.expose(), "eyJ0");
        assert!(token.remaining() > Some(Duration::from_secs(3500)));
        let asked = &script.asked()[0];
        assert_eq!(
            asked.line,
            "GET http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01\
             &resource=https%3A%2F%2Foutlook.office365.com&client_id=app+1"
        );
        assert_eq!(asked.headers, [("Metadata".to_owned(), "true".to_owned())]);
        assert_eq!(asked.body, "");
    }

    #[tokio::test]
    async fn app_service_is_asked_with_its_header_and_says_when_the_token_ends() {
        let secret = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a";
        let far = r#"{"access_token":"eyJ0","expires_on":"4102444800","token_type":"Bearer"}"#;
        let echo = format!(r#"{{"statusCode":400,"message":"No identity for {secret}"}}"#);
        let script = Script::new([json(200, far), json(400, &echo)]);
        let tokens = ManagedIdentity::app_service("http://127.0.0.1:41741/msi/token/", secret)
            .http(script.clone())
            .build()
            .unwrap();
        let request = TokenRequest::new(exchange_online(), "m");
        let token = tokens.token(&request).await.unwrap();
        assert!(token.remaining().is_some());
        let asked = &script.asked()[0];
        assert_eq!(
            asked.line,
            "GET http://127.0.0.1:41741/msi/token/?api-version=2019-08-01\
             &resource=https%3A%2F%2Foutlook.office365.com"
        );
        assert_eq!(asked.headers, [("X-IDENTITY-HEADER".to_owned(), secret.to_owned())]);
        let error = get(&tokens, crate::provider::hve::smtp()).await.unwrap_err();
        let shown = format!("{error} {error:?} {tokens:?}");
        assert!(shown.contains("No identity for [secret]") && !shown.contains(secret), "{shown}");
        assert!(script.asked()[1].line.ends_with("resource=https%3A%2F%2Foutlook.office.com"));
    }

    #[tokio::test]
    async fn an_identity_service_that_is_updated_is_busy() {
        let script = Script::new([HttpResponse::new(410)]);
        let tokens = ManagedIdentity::virtual_machine().http(script).build().unwrap();
        let error = get(&tokens, exchange_online()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ServerBusy);
        assert_eq!(error.retry(), crate::Retry::Later(None));
    }

    #[test]
    fn the_environment_decides_and_half_of_it_is_an_error() {
        let by = |endpoint: Option<&str>, header: Option<&str>| {
            ManagedIdentity::by(|name| match name {
                "IDENTITY_ENDPOINT" => endpoint.map(str::to_owned),
                _ => header.map(str::to_owned),
            })
        };
        assert_eq!(by(None, None).unwrap().endpoint, IMDS);
        let app = "http://localhost:4141/msi/token";
        assert_eq!(by(Some(app), Some("h")).unwrap().endpoint, app);
        assert!(matches!(by(Some(app), None), Err(SetupError::ManagedIdentity(_))));
        let afar = by(Some("http://identity.example/"), Some("h")).unwrap();
        assert!(matches!(afar.build(), Err(SetupError::Url(_))));
    }
}
