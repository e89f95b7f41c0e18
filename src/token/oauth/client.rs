//! An application at one authorization server, ready to ask.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::credential::ClientCredential;
use super::event::Events;
use super::form::{Form, Outgoing};
use super::scope::ScopeRule;
use crate::token::http::HttpClient;
use crate::token::token_endpoint::{Answer, exchange};
use crate::token::{Cached, TokenError, TokenProvider, TokenRequest};

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
        let (grant, begun) = (form.grant, Instant::now());
        match self.identify(form).await {
            Ok(form) => self.ask_as_is(form).await,
            Err(error) => {
                self.events.failed(grant, &error, begun.elapsed());
                Err(error)
            }
        }
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

    /// A cache in front of a grant of this client, with one token for each answer of `key`.
    pub(crate) fn cached<P: TokenProvider + 'static>(
        &self,
        grant: P,
        key: impl Fn(&TokenRequest) -> String + Send + Sync + 'static,
    ) -> Cached<P> {
        let events = self.events.clone();
        let cached = Cached::new(grant).keyed_by(key).on_event(move |event| events.of_cache(event));
        match self.margin {
            Some(margin) => cached.with_margin(margin),
            None => cached,
        }
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
