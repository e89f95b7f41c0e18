//! The client credentials grant (RFC 6749 section 4.4): a service signs in as itself.

use std::fmt;
use std::sync::Arc;

use crate::BoxFuture;
use crate::provider::OnBehalf;
use crate::token::oauth::client::Client;
use crate::token::oauth::credential::ClientCredential;
use crate::token::oauth::form::Form;
use crate::token::oauth::settings::{Settings, SetupError, client_settings};
use crate::token::{AccessToken, Cached, Rejection, TokenError, TokenProvider, TokenRequest};

/// Tokens for an application with a credential of its own: no user signs in.
///
/// The credential is a client secret, a [`Certificate`](crate::token::Certificate), or a token of
/// another identity provider ([`ClientCredential::federated_token_file`]).
///
/// Cached, renewed ahead of time, one request at a time; a clone is cheap and shares the tokens.
/// How tokens are kept is described at [`Cached`]. Requests that need the same scope share a token,
/// so one serves SMTP, IMAP and POP3 and all mailboxes that the application may open.
///
/// At Microsoft 365 the application needs the application permissions `SMTP.SendAsApp`,
/// `IMAP.AccessAsApp`, `POP.AccessAsApp` of Office 365 Exchange Online with the administrator's
/// consent ([`admin_consent_url`](crate::token::admin_consent_url)), its service principal
/// registered in Exchange, and access to each mailbox. For SMTP alone there is a shorter way, a role
/// in Exchange, with which the token has no permission at all. All steps with their checks are in
/// `docs/setup/microsoft365-applications.md`; Microsoft's page is
/// <https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth>.
///
/// # Example
///
/// ```
/// use mailbearer::token::ClientCredentials;
///
/// # fn settings(_: &str) -> String { "contoso.example".into() }
/// let tokens = ClientCredentials::entra(
///     settings("TENANT_ID"),
///     settings("CLIENT_ID"),
///     settings("CLIENT_SECRET"),
/// )
/// .build()?;
/// # Ok::<(), mailbearer::token::SetupError>(())
/// ```
///
/// # Errors
///
/// Getting a token fails with a [`TokenError`] whose cause is a
/// [`TokenEndpointError`](crate::token::TokenEndpointError) if the server refused, or a
/// [`NoAnswer`](crate::token::NoAnswer) if it gave no answer that could be used.
#[derive(Clone)]
pub struct ClientCredentials {
    tokens: Cached<Arc<Grant>>,
    grant: Arc<Grant>,
}

impl ClientCredentials {
    /// An application in Microsoft Entra. The tenant is its id or one of its verified domains; a
    /// secret is the value, not the id, of a client secret.
    ///
    /// The scope follows the endpoint: `https://outlook.office365.com/.default` for Exchange
    /// Online, `https://outlook.office.com/.default` for High Volume Email, and the resources of
    /// the US Government and 21Vianet clouds for their hosts. Those clouds also have another
    /// authority: see [`cloud`](ClientCredentialsBuilder::cloud), which also decides for a host that
    /// is not Microsoft's, such as a tunnel's.
    pub fn entra(
        tenant: impl Into<String>,
        client_id: impl Into<String>,
        credential: impl Into<ClientCredential>,
    ) -> ClientCredentialsBuilder {
        let settings = Settings::entra(tenant, client_id).with_credential(credential);
        ClientCredentialsBuilder { settings }
    }

    /// A client of any OAuth 2.0 server, by the URL of its token endpoint. No scope is sent unless
    /// one is set.
    pub fn builder(
        token_url: impl Into<String>,
        client_id: impl Into<String>,
        credential: impl Into<ClientCredential>,
    ) -> ClientCredentialsBuilder {
        let settings = Settings::other(token_url, client_id).with_credential(credential);
        ClientCredentialsBuilder { settings }
    }
}

impl TokenProvider for ClientCredentials {
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

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("token_url", &self.grant.0.token_url)
            .field("client_id", &self.grant.0.client_id)
            .finish_non_exhaustive()
    }
}

/// Settings of [`ClientCredentials`].
///
/// # Example
///
/// ```
/// use mailbearer::token::ClientCredentials;
///
/// let tokens = ClientCredentials::builder("https://login.example.net/token", "mailer", "s3cret")
///     .scope("mail.all")
///     .build()?;
/// # Ok::<(), mailbearer::token::SetupError>(())
/// ```
#[must_use]
pub struct ClientCredentialsBuilder {
    settings: Settings,
}

impl ClientCredentialsBuilder {
    client_settings!();

    /// Checks the settings. Nothing is sent before the first token is wanted.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if the settings cannot work.
    pub fn build(self) -> Result<ClientCredentials, SetupError> {
        self.settings.one_tenant()?;
        let grant = Arc::new(Grant(self.settings.client(OnBehalf::Application)?));
        let keyed_by = grant.clone();
        let tokens = grant.0.cached(grant.clone(), move |request| {
            keyed_by.0.scope.of(request.endpoint()).into_owned()
        });
        Ok(ClientCredentials { tokens, grant })
    }
}

impl fmt::Debug for ClientCredentialsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCredentialsBuilder").field(&self.settings).finish()
    }
}

/// Asks for a token each time.
struct Grant(Client);

impl TokenProvider for Grant {
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        Box::pin(async move {
            let form = Form::of_application("client credentials", "client_credentials")
                .field_unless_empty("scope", &self.0.scope.of(request.endpoint()));
            Ok(self.0.ask(form).await?.access_token)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::https::tests::{answer, serve};
    use crate::token::{Purpose, TokenEndpointError};
    use crate::{Endpoint, Failure};

    const SECRET: &str = "8Q~wJ x+&=secret-value";

    fn token_answer(token: &str) -> Vec<u8> {
        let body = format!(
            r#"{{"token_type":"Bearer","expires_in":"3599","ext_expires_in":3599,"access_token":"{token}"}}"#
        );
        answer("200 OK", "content-type: application/json; charset=utf-8\r\n", &body)
    }

    fn request(endpoint: Endpoint) -> TokenRequest {
        TokenRequest::new(endpoint, "billing@contoso.example")
    }

    #[tokio::test]
    async fn entra_gets_the_form_its_documents_show() {
        let (url, server) = serve(vec![token_answer("EwB")]).await;
        let tokens = ClientCredentials::entra("contoso.example", "app-1", SECRET)
            .authority(url.trim_end_matches("token"))
            .build()
            .unwrap();
        let token = tokens.token(&request(Endpoint::imap("outlook.office365.com"))).await.unwrap();
        assert_eq!(token.expose(), "EwB");
        assert!(token.remaining().is_some());
        let asked = &server.await.unwrap()[0];
        assert!(asked.starts_with("POST /contoso.example/oauth2/v2.0/token HTTP/1.1\r\n"));
        assert!(asked.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"));
        assert!(!asked.to_ascii_lowercase().contains("authorization"));
        let (_, form) = asked.split_once("\r\n\r\n").unwrap();
        let fields: Vec<(String, String)> =
            oauth2::url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        let field = |name: &str| {
            let mut found = fields.iter().filter(|(other, _)| other == name);
            let value = found.next().map(|(_, value)| value.as_str());
            assert!(found.next().is_none(), "{name} twice");
            value
        };
        assert_eq!(field("grant_type"), Some("client_credentials"));
        assert_eq!(field("client_id"), Some("app-1"));
        assert_eq!(field("client_secret"), Some(SECRET));
        assert_eq!(field("scope"), Some("https://outlook.office365.com/.default"));
        assert_eq!(fields.len(), 4);
    }

    #[tokio::test]
    async fn other_servers_get_http_basic_with_encoded_credentials() {
        let (url, server) = serve(vec![token_answer("EwB")]).await;
        let tokens =
            ClientCredentials::builder(url, "app 1", SECRET).scope("one  two").build().unwrap();
        tokens.token(&request(Endpoint::smtp("mail.example.net"))).await.unwrap();
        let asked = &server.await.unwrap()[0];
        // base64 of `app+1:8Q%7EwJ+x%2B%26%3Dsecret-value` (RFC 6749 section 2.3.1)
        let basic = "authorization: Basic YXBwKzE6OFElN0V3Sit4JTJCJTI2JTNEc2VjcmV0LXZhbHVl\r\n";
        assert!(asked.contains(basic), "{asked}");
        assert!(asked.ends_with("\r\n\r\ngrant_type=client_credentials&scope=one+two"), "{asked}");
    }

    #[tokio::test]
    async fn one_token_serves_three_protocols_and_another_high_volume_email() {
        let (url, server) = serve(vec![token_answer("exchange"), token_answer("hve")]).await;
        let tokens = ClientCredentials::entra("contoso.example", "app-1", SECRET)
            .authority(url.trim_end_matches("/token"))
            .build()
            .unwrap();
        for (endpoint, expected) in [
            (Endpoint::smtp_starttls("smtp.office365.com"), "exchange"),
            (Endpoint::imap("outlook.office365.com"), "exchange"),
            (Endpoint::pop("outlook.office365.com"), "exchange"),
            (Endpoint::smtp_starttls("smtp.hve.mx.microsoft"), "hve"),
            (Endpoint::smtp_starttls("smtp-hve.office365.com"), "hve"),
        ] {
            let token = tokens.clone().token(&request(endpoint)).await.unwrap();
            assert_eq!(token.expose(), expected);
        }
        let asked = server.await.unwrap();
        assert!(asked[0].contains("scope=https%3A%2F%2Foutlook.office365.com%2F.default"));
        assert!(asked[1].contains("scope=https%3A%2F%2Foutlook.office.com%2F.default"));
    }

    #[tokio::test]
    async fn a_refused_token_is_asked_for_again() {
        let (url, _server) = serve(vec![token_answer("first"), token_answer("second")]).await;
        let tokens = ClientCredentials::builder(url, "app-1", SECRET).build().unwrap();
        let request = request(Endpoint::imap("mail.example.net"));
        let first = tokens.token(&request).await.unwrap();
        tokens.rejected(&first, Rejection::Expired).await;
        let second = tokens.token(&request.with_purpose(Purpose::Retry)).await.unwrap();
        assert_eq!(second.expose(), "second");
    }

    #[tokio::test]
    async fn a_refusal_says_why_and_never_repeats_the_secret() {
        let body = format!(
            r#"{{"error":"invalid_client","error_description":"AADSTS7000215: bad secret {SECRET} 8Q%7EwJ+x%2B%26%3Dsecret-value YXBwLTE6OFElN0V3Sit4","error_codes":[7000215]}}"#
        );
        let (url, _server) = serve(vec![answer("401 Unauthorized", "", &body)]).await;
        let tokens = ClientCredentials::builder(url, "app-1", SECRET).build().unwrap();
        let error = tokens.token(&request(Endpoint::imap("mail.example.net"))).await.unwrap_err();
        let refusal: &TokenEndpointError = error.cause().downcast_ref().unwrap();
        assert_eq!(
            refusal.description(),
            Some("AADSTS7000215: bad secret [secret] [secret] [secret]")
        );
        assert_eq!(error.retry(), crate::Retry::Never);
        assert!(!format!("{error} {error:?} {refusal:?}").contains("secret-value"));
    }

    #[test]
    fn a_tenant_that_stands_for_many_is_refused() {
        for tenant in ["common", "Organizations", "consumers"] {
            let error = ClientCredentials::entra(tenant, "a", "s").build().unwrap_err();
            let shown = error.to_string();
            assert!(matches!(error, SetupError::ManyTenants { .. }), "{error:?}");
            assert!(shown.contains(tenant) && shown.contains("AADSTS9001023"), "{shown}");
        }
        let id = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        assert!(ClientCredentials::entra(id, "a", "s").build().is_ok());
    }

    #[test]
    fn debug_shows_no_secret() {
        let builder = ClientCredentials::entra("contoso.example", "app-1", SECRET);
        let shown = format!("{builder:?}");
        let shown = format!("{shown} {:?}", builder.build().unwrap());
        assert!(shown.contains("app-1") && !shown.contains("secret-value"), "{shown}");
    }

    #[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
    #[tokio::test]
    async fn a_certificate_takes_the_place_of_the_secret() {
        use crate::token::Certificate;
        use crate::token::grant::script::{Script, token};
        use crate::token::oauth::openssl::Bench;

        let bench = Bench::new();
        bench.certificate("app", &["rsa:2048"]);
        let script = Script::new([token("EwB")]);
        let certificate = Certificate::from_pem(bench.pem("app")).unwrap();
        let tokens = ClientCredentials::entra("contoso.example", "app-1", certificate)
            .http(script.clone())
            .build()
            .unwrap();
        tokens.token(&request(Endpoint::imap("outlook.office365.com"))).await.unwrap();
        let body = script.bodies().remove(0);
        let (form, assertion) = body.split_once("&client_assertion=").unwrap();
        assert_eq!(
            form,
            "grant_type=client_credentials&scope=https%3A%2F%2Foutlook.office365.com%2F.default\
             &client_id=app-1&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A\
             client-assertion-type%3Ajwt-bearer"
        );
        let pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
        let (_, claims) = bench.verify(assertion, "app", &pss);
        assert_eq!(
            claims["aud"],
            "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"
        );
    }

    #[tokio::test]
    async fn a_federated_token_without_a_character_is_not_sent() {
        use crate::token::grant::script::{Script, exchange_online, get};
        use crate::token::{ClientCredential, ErrorKind};

        let script = Script::default();
        let federated = ClientCredential::federated_token(|| async { Ok("\n".into()) });
        let tokens = ClientCredentials::entra("contoso.example", "app-1", federated)
            .http(script.clone())
            .build()
            .unwrap();
        let error = get(&tokens, exchange_online()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ClientCredential);
        assert!(script.bodies().is_empty());
    }

    #[tokio::test]
    async fn a_federated_token_is_read_anew_for_every_request() {
        use crate::token::grant::script::{Script, exchange_online, get, token};
        use crate::token::{ClientCredential, ErrorKind, TokenEvent};

        let file = std::env::temp_dir().join(format!("mailbearer-fed-{}", std::process::id()));
        let script = Script::new([token("one"), token("two")]);
        let federated = ClientCredential::federated_token_file(&file);
        let failed = Arc::new(std::sync::Mutex::new(Vec::new()));
        let heard = failed.clone();
        let tokens = ClientCredentials::entra("contoso.example", "app-1", federated)
            .http(script.clone())
            .on_event(move |event| {
                if let TokenEvent::Failed { grant, kind, .. } = event {
                    heard.lock().unwrap().push((*grant, *kind));
                }
            })
            .build()
            .unwrap();
        for (written, expected) in [("eyJ.first.a\n", "one"), ("eyJ.second.b", "two")] {
            std::fs::write(&file, written).unwrap();
            let token = tokens.token(&request(exchange_online())).await.unwrap();
            assert_eq!(token.expose(), expected);
            tokens.rejected(&token, Rejection::Expired).await;
        }
        assert!(script.bodies()[0].ends_with("&client_assertion=eyJ.first.a"));
        assert!(script.bodies()[1].ends_with("&client_assertion=eyJ.second.b"));
        std::fs::remove_file(&file).unwrap();
        let error = get(&tokens, exchange_online()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ClientCredential);
        assert!(error.to_string().contains("mailbearer-fed-"), "{error}");
        assert_eq!(script.bodies().len(), 2);
        let told = [("client credentials", ErrorKind::ClientCredential)];
        assert_eq!(*failed.lock().unwrap(), told);
    }
}
