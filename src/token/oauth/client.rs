//! An application at one authorization server, ready to ask.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::credential::ClientCredential;
use super::event::Events;
use super::form::{Form, Outgoing};
use super::scope::ScopeRule;
use crate::token::TokenError;
use crate::token::http::HttpClient;
use crate::token::token_endpoint::{Answer, exchange};

/// Settings that were checked: made by
/// [`Settings::client`](crate::token::settings::Settings::client).
pub(crate) struct Client {
    pub(crate) token_url: String,
    pub(crate) client_id: String,
    /// None for a public client, such as a program on a desktop (RFC 6749 section 2.1).
    pub(crate) credential: Option<ClientCredential>,
    pub(crate) secret_in_body: bool,
    pub(crate) scope: ScopeRule,
    pub(crate) deadline: Duration,
    pub(crate) margin: Option<Duration>,
    pub(crate) http: Arc<dyn HttpClient>,
    pub(crate) events: Events,
}

impl Client {
    /// Asks the token endpoint, as this client.
    pub(crate) async fn ask(&self, form: Form) -> Result<Answer, TokenError> {
        let form = self.identify(form).await?;
        self.ask_as_is(form).await
    }

    /// Asks the token endpoint with a form that says already who asks.
    pub(crate) async fn ask_as_is(&self, form: Form) -> Result<Answer, TokenError> {
        self.send(form.into_request(&self.token_url)).await
    }

    /// Sends a request for a token that is ready.
    pub(crate) async fn send(&self, outgoing: Outgoing) -> Result<Answer, TokenError> {
        let grant = outgoing.grant;
        let begun = Instant::now();
        let outcome = exchange(&*self.http, outgoing, self.deadline).await;
        match &outcome {
            Ok(answer) => {
                self.events.issued(grant, answer.access_token.remaining(), begun.elapsed());
            }
            Err(error) if is_pending(error) => {}
            Err(error) => self.events.failed(grant, error, begun.elapsed()),
        }
        outcome
    }

    /// The form with the client's id and credential (RFC 6749 sections 2.3 and 3.2.1).
    pub(crate) async fn identify(&self, form: Form) -> Result<Form, TokenError> {
        match &self.credential {
            Some(credential) => credential.put(form, self).await,
            None => Ok(form.field("client_id", &self.client_id)),
        }
    }
}

/// RFC 8628 section 3.5: what a device that waits for its user hears all the time.
pub(crate) fn is_pending(error: &TokenError) -> bool {
    refused_with(error).is_some_and(|error| error == "authorization_pending")
}

/// The `error` field, if the token endpoint refused.
pub(crate) fn refused_with(error: &TokenError) -> Option<&str> {
    error.cause().downcast_ref::<crate::token::TokenEndpointError>()?.error()
}
