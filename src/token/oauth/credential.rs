//! How an application proves to the server that it is itself.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::certificate::Certificate;
use super::client::Client;
use super::form::Form;
use super::jwt::SignError;
use crate::secret::Secret;
use crate::token::{ErrorKind, TokenError};
use crate::{BoxFuture, Retry};

/// What an application shows the server beside its id.
///
/// A string is a client secret, and a [`Certificate`] is a credential too, so most callers never
/// name this type. `Debug` shows no secret.
///
/// # Example
///
/// ```
/// use mailbearer::token::{ClientCredential, ClientCredentials};
///
/// // A workload in Kubernetes: the token that the cluster projects into the pod.
/// let projected = ClientCredential::federated_token_file("/var/run/secrets/azure/tokens/token");
/// let tokens = ClientCredentials::entra("contoso.example", "app-id", projected).build()?;
/// # Ok::<(), mailbearer::token::SetupError>(())
/// ```
#[derive(Clone)]
pub struct ClientCredential(Kind);

#[derive(Clone)]
enum Kind {
    Secret(Secret<String>),
    Certificate(Certificate),
    TokenFile(PathBuf),
    Token(Arc<TokenFn>),
}

type TokenFn = dyn Fn() -> BoxFuture<'static, Result<String, TokenError>> + Send + Sync;

/// RFC 7523 section 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl ClientCredential {
    /// A client secret. At Entra this is the secret's value, not its id.
    pub fn secret(secret: impl Into<String>) -> Self {
        Self(Kind::Secret(Secret::new(secret.into())))
    }

    /// An assertion signed with a certificate's key.
    pub const fn certificate(certificate: Certificate) -> Self {
        Self(Kind::Certificate(certificate))
    }

    /// A token of another identity provider that the application registration trusts (a federated
    /// credential), from a file. The file is read for every token request, since whoever writes it
    /// replaces it often. White space around the token is no part of it.
    ///
    /// At Entra its audience is `api://AzureADTokenExchange`.
    pub fn federated_token_file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::TokenFile(path.into()))
    }

    /// A token of another identity provider, from a function that is called for every token
    /// request.
    ///
    /// ```
    /// use mailbearer::token::{ClientCredential, TokenError};
    ///
    /// async fn ask_the_cluster() -> std::io::Result<String> {
    ///     Ok("eyJhbGciOi…".into())
    /// }
    ///
    /// let federated = ClientCredential::federated_token(|| async {
    ///     ask_the_cluster().await.map_err(TokenError::later)
    /// });
    /// ```
    pub fn federated_token<F, Fut>(token: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, TokenError>> + Send + 'static,
    {
        Self(Kind::Token(Arc::new(move || Box::pin(token()))))
    }

    /// Whether it is a secret without a single character, which no server has.
    pub(crate) fn is_empty_secret(&self) -> bool {
        matches!(&self.0, Kind::Secret(secret) if secret.expose().is_empty())
    }

    /// Adds the client's id and the proof of it to a request.
    pub(crate) async fn put(&self, form: Form, client: &Client) -> Result<Form, TokenError> {
        let id = client.client_id.as_str();
        let assertion = match &self.0 {
            Kind::Secret(secret) if client.secret_in_body => {
                return Ok(form.field("client_id", id).secret("client_secret", secret.expose()));
            }
            Kind::Secret(secret) => return Ok(form.basic(id, secret.expose())),
            Kind::Certificate(certificate) => {
                let now = SystemTime::now();
                certificate.assertion(id, &client.token_url, now, &client.events).await?
            }
            Kind::TokenFile(path) => read_token(path.clone()).await?,
            Kind::Token(token) => Secret::new(token().await?),
        };
        if assertion.expose().trim().is_empty() {
            let kind = ErrorKind::ClientCredential;
            return Err(TokenError::of_kind(kind, Retry::Later(None), EmptyFederatedToken));
        }
        Ok(form
            .field("client_id", id)
            .field("client_assertion_type", ASSERTION_TYPE)
            .secret("client_assertion", assertion.expose().trim()))
    }
}

impl From<SignError> for TokenError {
    fn from(error: SignError) -> Self {
        Self::of_kind(ErrorKind::ClientCredential, Retry::Never, error)
    }
}

/// The federated token cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("reading the federated token at {path}: {reason}")]
struct NoFederatedToken {
    path: String,
    reason: String,
}

#[derive(Debug, thiserror::Error)]
#[error("the function that gives the federated token gave an empty one")]
struct EmptyFederatedToken;

async fn read_token(path: PathBuf) -> Result<Secret<String>, TokenError> {
    let shown = path.display().to_string();
    let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
    let reason = match read {
        Ok(Ok(token)) if !token.trim().is_empty() => return Ok(Secret::new(token)),
        Ok(Ok(_)) => "the file is empty".into(),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    // Whoever projects the file may be about to write it.
    let cause = NoFederatedToken { path: shown, reason };
    Err(TokenError::of_kind(ErrorKind::ClientCredential, Retry::Later(None), cause))
}

impl From<String> for ClientCredential {
    fn from(secret: String) -> Self {
        Self::secret(secret)
    }
}

impl From<&str> for ClientCredential {
    fn from(secret: &str) -> Self {
        Self::secret(secret)
    }
}

impl From<&String> for ClientCredential {
    fn from(secret: &String) -> Self {
        Self::secret(secret)
    }
}

impl From<Certificate> for ClientCredential {
    fn from(certificate: Certificate) -> Self {
        Self::certificate(certificate)
    }
}

impl fmt::Debug for ClientCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Secret(_) => f.write_str("ClientCredential::secret"),
            Kind::Certificate(certificate) => certificate.fmt(f),
            Kind::TokenFile(path) => {
                write!(f, "ClientCredential::federated_token_file({})", path.display())
            }
            Kind::Token(_) => f.write_str("ClientCredential::federated_token"),
        }
    }
}
