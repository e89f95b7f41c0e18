//! The device authorization grant (RFC 8628): the user signs in on another device.
//!
//! ```text
//!   start() ──▶ a code for the user ──▶ wait(): asks every few seconds
//!                                         │ authorization_pending: again
//!                                         │ slow_down: again, five seconds slower from now on
//!                                         │ a fault of server or network: again, slower
//!                                         ▼
//!                                       signed in, declined, or expired
//! ```

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::{Instant, sleep_until};

use super::signed_in::{SignIn, SignedIn};
use crate::secret::{Scrubber, Secret};
use crate::token::oauth::client::refused_with;
use crate::token::oauth::form::Form;
use crate::token::oauth::refusal::one_line;
use crate::token::oauth::settings::{CONSUMERS, Server, Settings, SetupError, user_settings};
use crate::token::token_endpoint::{seconds, send, shown};
use crate::token::{ErrorKind, NoAnswer, TokenEndpointError, TokenError};
use crate::{Failure, Retry};

/// A sign-in with a code that the user types on another device: for programs without a browser.
///
/// Google allows no mail permission in this grant, so there is no preset for it: take
/// [`AuthorizationCode`](super::AuthorizationCode).
///
/// At Microsoft the registration must allow public client flows.
///
/// # Example
///
/// ```no_run
/// use mailbearer::token::{DeviceCode, SignedIn, TokenError};
///
/// # async fn sign_in() -> Result<SignedIn, Box<dyn std::error::Error>> {
/// let device = DeviceCode::entra("contoso.example", "app-id").build()?;
/// // With a store, whoever signed in before need not do so again.
/// if let Some(tokens) = device.resume().await? {
///     return Ok(tokens);
/// }
/// let mut prompt = device.start().await?;
/// println!("{}", prompt.message());
/// let tokens = prompt.wait().await?;
/// # Ok(tokens) }
/// ```
pub struct DeviceCode {
    sign_in: SignIn,
    device_url: String,
    /// Microsoft's device endpoint takes the client's id only, and its secret with the polls.
    id_only: bool,
}

impl DeviceCode {
    /// For users in Microsoft Entra. The tenant is its id, a verified domain, `organizations` or
    /// `common`.
    pub fn entra(tenant: impl Into<String>, client_id: impl Into<String>) -> DeviceCodeBuilder {
        DeviceCodeBuilder { settings: Settings::entra(tenant, client_id) }
    }

    /// For personal accounts: Outlook.com, Hotmail, Live.
    pub fn outlook(client_id: impl Into<String>) -> DeviceCodeBuilder {
        Self::entra(CONSUMERS, client_id)
    }

    /// At any OAuth 2.0 server, by the URLs of its device authorization and token endpoints. No
    /// scope is sent unless one is set; many servers want `offline_access` in it.
    pub fn builder(
        device_authorization_url: impl Into<String>,
        token_url: impl Into<String>,
        client_id: impl Into<String>,
    ) -> DeviceCodeBuilder {
        let mut settings = Settings::other(token_url, client_id);
        settings.device_authorization_url = Some(device_authorization_url.into());
        DeviceCodeBuilder { settings }
    }

    /// The tokens of the user who signed in before, if the store has them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`], if the store cannot be read.
    pub async fn resume(&self) -> Result<Option<SignedIn>, TokenError> {
        self.sign_in.resume().await
    }

    /// Asks the server for a code to show to the user.
    ///
    /// # Errors
    ///
    /// [`TokenError`], if the server refused or gave no code.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves nothing behind but a code that nobody will use.
    pub async fn start(&self) -> Result<DevicePrompt, TokenError> {
        let client = &*self.sign_in.client;
        let form = Form::without_grant_type("device code")
            .field_unless_empty("scope", &client.scope.at_sign_in());
        let form = if self.id_only {
            form.field("client_id", &client.client_id)
        } else {
            client.identify(form).await?
        };
        let outgoing = form.into_request(&self.device_url);
        let begun = Instant::now();
        let asked = send(&*client.http, outgoing.request, client.deadline).await;
        let outcome = asked.map_err(TokenError::from).and_then(|response| {
            let url = || shown(&self.device_url);
            if response.status() != 200 {
                let scrubber = &outgoing.scrubber;
                return Err(TokenEndpointError::read(url(), &response, true, scrubber).into());
            }
            let fields: Map<String, Value> = serde_json::from_slice(response.body())
                .map_err(|_| NoAnswer::Unreadable { url: url() })?;
            if fields.get("device_code").is_none() && fields.contains_key("error") {
                let scrubber = &Scrubber::default();
                return Err(TokenEndpointError::read(url(), &response, true, scrubber).into());
            }
            DevicePrompt::read(&fields, self.sign_in.clone(), begun)
                .ok_or_else(|| NoAnswer::Unreadable { url: url() }.into())
        });
        if let Err(error) = &outcome {
            client.events.failed(outgoing.grant, error, begun.elapsed());
        }
        outcome
    }
}

impl fmt::Debug for DeviceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceCode")
            .field("device_authorization_url", &self.device_url)
            .field("client_id", &self.sign_in.client.client_id)
            .finish_non_exhaustive()
    }
}

/// Settings of [`DeviceCode`].
#[must_use]
pub struct DeviceCodeBuilder {
    settings: Settings,
}

impl DeviceCodeBuilder {
    user_settings!();

    /// Another URL of the device authorization endpoint.
    pub fn device_authorization_url(mut self, url: impl Into<String>) -> Self {
        self.settings.device_authorization_url = Some(url.into());
        self
    }

    /// Checks the settings. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if the settings cannot work.
    pub fn build(self) -> Result<DeviceCode, SetupError> {
        Ok(DeviceCode {
            sign_in: SignIn::new(&self.settings)?,
            device_url: self.settings.checked_device_authorization_url()?,
            id_only: matches!(self.settings.server, Server::Entra { .. }),
        })
    }
}

impl fmt::Debug for DeviceCodeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DeviceCodeBuilder").field(&self.settings).finish()
    }
}

/// What to show the user, and the way to wait for them (RFC 8628 section 3.2).
pub struct DevicePrompt {
    sign_in: SignIn,
    device_code: Secret<String>,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    message: Option<String>,
    lifetime: Duration,
    expires: Instant,
    interval: Duration,
    next: Instant,
}

impl DevicePrompt {
    /// RFC 8628 section 3.2, for a server that does not say.
    const INTERVAL: Duration = Duration::from_secs(5);
    /// What Microsoft gives; RFC 8628 leaves no server without it.
    const LIFETIME: Duration = Duration::from_secs(15 * 60);
    /// What each `slow_down` adds (RFC 8628 section 3.5).
    const SLOWER: Duration = Duration::from_secs(5);
    /// The longest pause that faults of the network lead to.
    const SLOWEST: Duration = Duration::from_secs(60);

    /// The code that the user types.
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// Where the user types it.
    pub fn verification_uri(&self) -> &str {
        &self.verification_uri
    }

    /// An address with the code in it, for a QR code. Microsoft gives none.
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.verification_uri_complete.as_deref()
    }

    /// A sentence to show as it is: the server's, if it sent one, else one in English.
    pub fn message(&self) -> String {
        self.message.clone().unwrap_or_else(|| {
            format!("To sign in, open {} and enter {}.", self.verification_uri, self.user_code)
        })
    }

    /// How long the user still has.
    pub fn expires_in(&self) -> Duration {
        self.expires.saturating_duration_since(Instant::now())
    }

    /// Waits until the user has signed in, and stores what that gave.
    ///
    /// The server is asked as often as it allows. A server that is down for a while, or answers
    /// with a page of HTML, is asked again until the code expires.
    ///
    /// # Errors
    ///
    /// A [`TokenError`] of kind [`ErrorKind::Denied`] if the user declined,
    /// [`ErrorKind::CodeExpired`] if the code was not used in time, or whatever else the server
    /// refused for.
    ///
    /// # Cancel safety
    ///
    /// It can be dropped and called again, and keeps the pace. Dropped in the very moment in which
    /// the server answers with tokens, these are lost, and the user has to sign in again.
    pub async fn wait(&mut self) -> Result<SignedIn, TokenError> {
        loop {
            // Before the code expires; afterwards there is nothing to ask.
            if self.next >= self.expires {
                sleep_until(self.expires).await;
                return Err(Expired { after: self.lifetime }.into());
            }
            sleep_until(self.next).await;
            self.next = Instant::now() + self.interval;
            // RFC 8628 section 3.4.
            let form = Form::new("device code", "urn:ietf:params:oauth:grant-type:device_code")
                .secret("device_code", self.device_code.expose());
            match self.sign_in.client.ask(form).await {
                Ok(answer) => return self.sign_in.begin(answer).await,
                Err(error) => self.pace(error)?,
            }
        }
    }

    /// When to ask again after this error, unless it is final.
    fn pace(&mut self, error: TokenError) -> Result<(), TokenError> {
        match refused_with(&error) {
            Some("authorization_pending") => {}
            Some("slow_down") => self.interval += Self::SLOWER,
            _ => match (error.kind(), error.retry()) {
                // RFC 8628 section 3.5 recommends to double the interval.
                (ErrorKind::Transport, _) => {
                    self.interval = (self.interval * 2).min(Self::SLOWEST.max(self.interval));
                }
                (ErrorKind::Throttled { .. } | ErrorKind::ServerBusy, Retry::Later(asked)) => {
                    let pause = asked.unwrap_or_default().max(self.interval);
                    self.next = Instant::now() + pause;
                    return Ok(());
                }
                _ => return Err(error),
            },
        }
        self.next = Instant::now() + self.interval;
        Ok(())
    }

    fn read(fields: &Map<String, Value>, sign_in: SignIn, begun: Instant) -> Option<Self> {
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let time = |name: &str| fields.get(name).and_then(seconds);
        let lifetime = time("expires_in").unwrap_or(Self::LIFETIME);
        let interval = time("interval").unwrap_or(Self::INTERVAL).max(Duration::from_secs(1));
        Some(Self {
            sign_in,
            device_code: Secret::new(text("device_code")?.to_owned()),
            user_code: one_line(text("user_code")?),
            // Google says `verification_url`.
            verification_uri: one_line(
                text("verification_uri").or_else(|| text("verification_url"))?,
            ),
            verification_uri_complete: text("verification_uri_complete").map(one_line),
            message: text("message").map(one_line).filter(|message| !message.is_empty()),
            lifetime,
            expires: begun.checked_add(lifetime)?,
            interval,
            next: begun.checked_add(interval)?,
        })
    }
}

impl fmt::Debug for DevicePrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevicePrompt")
            .field("verification_uri", &self.verification_uri)
            .field("expires_in", &self.expires_in())
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("nobody entered the device code within {after:?}: begin again")]
struct Expired {
    after: Duration,
}

impl From<Expired> for TokenError {
    fn from(cause: Expired) -> Self {
        Self::of_kind(ErrorKind::CodeExpired, Retry::Never, cause)
    }
}
