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
use crate::secret::Secret;
use crate::token::oauth::client::refused_with;
use crate::token::oauth::form::Form;
use crate::token::oauth::refusal::one_line;
use crate::token::oauth::settings::{CONSUMERS, Server, Settings, SetupError, user_settings};
use crate::token::store::keeper::{Kept, keep};
use crate::token::token_endpoint::{seconds, send, shown};
use crate::token::{ErrorKind, NoAnswer, TokenEndpointError, TokenError};
use crate::{Failure, Retry};

/// A sign-in with a code that the user types on another device: for programs without a browser.
///
/// Google allows no mail permission in this grant, so there is no preset for it: take
/// [`AuthorizationCode`](crate::token::AuthorizationCode).
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
            let refused = || {
                let scrubber = &outgoing.scrubber;
                Err(TokenEndpointError::read(url(), &response, true, scrubber).into())
            };
            if response.status() != 200 {
                return refused();
            }
            let fields: Map<String, Value> = serde_json::from_slice(response.body())
                .map_err(|_| NoAnswer::Unreadable { url: url() })?;
            if fields.get("device_code").is_none() && fields.contains_key("error") {
                return refused();
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
    /// The request under way, which a dropped `wait` left behind.
    asked: Option<Kept<SignedIn>>,
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
    /// It can be dropped at any time and called again, keeps the pace, and loses nothing: a request
    /// under way goes on, and the next call takes its answer. If there is none, because the prompt
    /// was dropped too, tokens that the answer brings are stored all the same, and
    /// [`DeviceCode::resume`] finds them.
    pub async fn wait(&mut self) -> Result<SignedIn, TokenError> {
        loop {
            let asked = match &mut self.asked {
                Some(asked) => asked,
                // Before the code expires; afterwards there is nothing to ask.
                None if self.next >= self.expires => {
                    sleep_until(self.expires).await;
                    return Err(Expired { after: self.lifetime }.into());
                }
                None => {
                    sleep_until(self.next).await;
                    self.next = Instant::now() + self.interval;
                    let request = self.request();
                    self.asked.insert(request?)
                }
            };
            let outcome = asked.await;
            self.asked = None;
            match outcome {
                Ok(signed_in) => return Ok(signed_in),
                Err(error) => self.pace(error)?,
            }
        }
    }

    /// RFC 8628 section 3.4. The device code is spent by the answer that brings the tokens, so they
    /// are stored whoever waits for it.
    fn request(&self) -> Result<Kept<SignedIn>, TokenError> {
        let sign_in = self.sign_in.clone();
        let form = Form::new("device code", "urn:ietf:params:oauth:grant-type:device_code")
            .secret("device_code", self.device_code.expose());
        keep(async move {
            let answer = sign_in.client.ask(form).await?;
            sign_in.begin(answer).await
        })
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
        // No code lives longer, whatever is said: what clocks do not count is of no use.
        const LONGEST: Duration = Duration::from_secs(24 * 3600);
        let time = |name: &str| fields.get(name).and_then(seconds).map(|time| time.min(LONGEST));
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
            expires: begun + lifetime,
            interval,
            next: begun + interval,
            asked: None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::grant::script::{Script, exchange_online, get, json, refusal, tokens};
    use crate::token::store::MemoryStore;

    /// As Microsoft Learn shows it.
    fn code() -> crate::token::http::HttpResponse {
        json(
            200,
            r#"{"user_code":"A1B2C3D4E","device_code":"GAQABAAEAAAD-device-code","verification_uri":"https://microsoft.com/devicelogin","expires_in":"900","interval":5,"message":"To sign in, use a web browser to open the page\r\nhttps://microsoft.com/devicelogin and enter the code A1B2C3D4E to authenticate."}"#,
        )
    }

    fn pending() -> crate::token::http::HttpResponse {
        refusal("authorization_pending", 70016)
    }

    fn device(script: &Script) -> DeviceCode {
        DeviceCode::entra("contoso.example", "app-1").http(script.clone()).build().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn entra_gets_the_forms_its_documents_show() {
        let script = Script::new([code(), pending(), tokens("EwB", "refresh")]);
        let store = MemoryStore::default();
        let device = DeviceCode::entra("contoso.example", "app-1")
            .http(script.clone())
            .store(store, "anna")
            .build()
            .unwrap();
        assert!(device.resume().await.unwrap().is_none());
        let mut prompt = device.start().await.unwrap();
        assert_eq!(prompt.user_code(), "A1B2C3D4E");
        assert_eq!(prompt.verification_uri(), "https://microsoft.com/devicelogin");
        assert_eq!(prompt.expires_in(), Duration::from_secs(900));
        assert!(prompt.message().starts_with("To sign in, use a web browser to open the page h"));
        let tokens = prompt.wait().await.unwrap();
        assert_eq!(get(&tokens, exchange_online()).await.unwrap(), "EwB");
        let poll = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code\
                    &device_code=GAQABAAEAAAD-device-code&client_id=app-1";
        assert_eq!(
            script.bodies(),
            [
                "scope=https%3A%2F%2Foutlook.office.com%2FIMAP.AccessAsUser.All\
                 +https%3A%2F%2Foutlook.office.com%2FPOP.AccessAsUser.All\
                 +https%3A%2F%2Foutlook.office.com%2FSMTP.Send+offline_access&client_id=app-1",
                poll,
                poll,
            ]
        );
        assert_eq!(
            script.asked()[0].line,
            "POST https://login.microsoftonline.com/contoso.example/oauth2/v2.0/devicecode"
        );
        // Another start of the program finds the sign-in.
        let again = device.resume().await.unwrap().unwrap();
        assert_eq!(get(&again, exchange_online()).await.unwrap(), "EwB");
        assert_eq!(script.bodies().len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_down_slows_down_for_good() {
        let slow_down = || json(400, r#"{"error":"slow_down"}"#);
        let script = Script::new([code(), pending(), slow_down(), pending(), slow_down()]);
        script.then(tokens("EwB", "refresh"));
        let mut prompt = device(&script).start().await.unwrap();
        let begun = Instant::now();
        prompt.wait().await.unwrap();
        // 5 pending, 5 slow down, 10 pending, 10 slow down, 15 done.
        assert_eq!(begun.elapsed().as_secs(), 45);
    }

    #[tokio::test(start_paused = true)]
    async fn faults_of_server_and_network_are_waited_out() {
        let html = crate::token::http::HttpResponse::new(503)
            .with_header("Retry-After", "30")
            .with_body("<html><h1>Our services aren't available right now</h1></html>");
        let script = Script::new([code(), html]);
        script.then_fail();
        script.then(json(200, "<html>not JSON</html>"));
        let mut prompt = device(&script).start().await.unwrap();
        let begun = Instant::now();
        let error = prompt.wait().await.unwrap_err();
        // 5 busy, 30 as asked to the fault, 10 by a doubled interval to nonsense, which is final.
        assert_eq!(begun.elapsed().as_secs(), 45);
        assert_eq!(error.kind(), ErrorKind::Protocol);
    }

    #[tokio::test(start_paused = true)]
    async fn absurd_times_end_the_wait_when_the_code_expires() {
        let endless = u64::MAX.to_string();
        let busy = crate::token::http::HttpResponse::new(429).with_header("Retry-After", &*endless);
        let script = Script::new([code(), busy]);
        let mut prompt = device(&script).start().await.unwrap();
        assert_eq!(prompt.wait().await.unwrap_err().kind(), ErrorKind::CodeExpired);
        let script = Script::new([
            json(
                200,
                &format!(
                    r#"{{"user_code":"A","device_code":"D","verification_uri":"https://h/","expires_in":{endless},"interval":"{endless}"}}"#
                ),
            ),
            tokens("EwB", "refresh"),
        ]);
        let mut prompt = device(&script).start().await.unwrap();
        assert_eq!(prompt.wait().await.unwrap_err().kind(), ErrorKind::CodeExpired);
    }

    #[tokio::test]
    async fn a_server_that_echoes_the_secret_of_the_request_is_not_repeated() {
        const SECRET: &str = "s3cret-of-the-client";
        for status in [200, 400] {
            let body =
                format!(r#"{{"error":"invalid_client","error_description":"not {SECRET}"}}"#);
            let device = DeviceCode::builder("https://h/device", "https://h/token", "app-1")
                .client_credential(SECRET)
                .secret_in_body(true)
                .http(Script::new([json(status, &body)]))
                .build()
                .unwrap();
            let error = device.start().await.unwrap_err();
            assert!(error.to_string().contains("not [secret]"), "{status}: {error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_declines_or_is_late_ends_the_wait() {
        for (answer, kind) in [
            (refusal("authorization_declined", 0), ErrorKind::Denied),
            (json(400, r#"{"error":"access_denied"}"#), ErrorKind::Denied),
            (refusal("expired_token", 70019), ErrorKind::CodeExpired),
            (refusal("bad_verification_code", 70018), ErrorKind::CodeExpired),
            (refusal("invalid_client", 7_000_218), ErrorKind::ClientCredential),
        ] {
            let script = Script::new([code(), pending(), answer]);
            let mut prompt = device(&script).start().await.unwrap();
            assert_eq!(prompt.wait().await.unwrap_err().kind(), kind);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_asked_after_the_code_has_expired() {
        let short = json(
            200,
            r#"{"user_code":"A","device_code":"B","verification_url":"https://h/","expires_in":12}"#,
        );
        let script = Script::new([short, pending(), pending()]);
        let mut prompt = device(&script).start().await.unwrap();
        assert_eq!(prompt.message(), "To sign in, open https://h/ and enter A.");
        let begun = Instant::now();
        let error = prompt.wait().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CodeExpired);
        assert_eq!(begun.elapsed().as_secs(), 12);
        assert_eq!(script.bodies().len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_wait_can_be_taken_up_again_and_asks_no_sooner() {
        let script = Script::new([code(), pending(), pending(), tokens("EwB", "refresh")]);
        let mut prompt = device(&script).start().await.unwrap();
        let begun = Instant::now();
        let signed_in = loop {
            let waited = {
                let mut wait = Box::pin(prompt.wait());
                std::future::poll_fn(|context| std::task::Poll::Ready(wait.as_mut().poll(context)))
                    .await
            };
            match waited {
                std::task::Poll::Ready(done) => break done.unwrap(),
                // A request under way is another thread's, whose time is real: the clock stands.
                _ if prompt.asked.is_some() => tokio::task::yield_now().await,
                _ => tokio::time::advance(Duration::from_secs(2)).await,
            }
        };
        assert_eq!(script.bodies().len(), 4);
        assert!(begun.elapsed() >= Duration::from_secs(15));
        assert_eq!(get(&signed_in, exchange_online()).await.unwrap(), "EwB");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_dropped_at_any_poll_loses_no_tokens() {
        for polls in 0..12 {
            let script = Script::new([code(), pending(), tokens("EwB", "refresh")]);
            let mut prompt = device(&script).start().await.unwrap();
            let mut wait = Box::pin(prompt.wait());
            let mut done = false;
            for _ in 0..polls {
                let waited = std::future::poll_fn(|context| {
                    std::task::Poll::Ready(wait.as_mut().poll(context))
                });
                done = waited.await.is_ready();
                if done {
                    break;
                }
                tokio::time::advance(Duration::from_secs(1)).await;
            }
            drop(wait);
            if !done {
                prompt.wait().await.unwrap();
            }
            assert_eq!(script.bodies().len(), 3, "{polls}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_prompt_dropped_while_the_server_answers_leaves_a_sign_in_to_resume() {
        let (script, gate) = Script::gated([code(), tokens("EwB", "refresh")]);
        gate.add_permits(1);
        let device = device(&script);
        let mut prompt = device.start().await.unwrap();
        {
            let mut wait = Box::pin(prompt.wait());
            while script.bodies().len() < 2 {
                let waited = std::future::poll_fn(|context| {
                    std::task::Poll::Ready(wait.as_mut().poll(context))
                });
                assert!(waited.await.is_pending());
                tokio::time::advance(Duration::from_secs(1)).await;
            }
        }
        drop(prompt);
        gate.add_permits(1);
        let tokens = loop {
            match device.resume().await.unwrap() {
                Some(tokens) => break tokens,
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(get(&tokens, exchange_online()).await.unwrap(), "EwB");
    }

    #[tokio::test]
    async fn a_server_that_refuses_or_gives_no_code_is_an_error_without_secrets() {
        let refused = Script::new([refusal("unauthorized_client", 700_016)]);
        let error = device(&refused).start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("devicecode answered 400 unauthorized_client"));
        let empty = Script::new([json(200, r#"{"device_code":"GAQABAAEAAAD"}"#)]);
        let error = device(&empty).start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(!format!("{error:?}").contains("GAQ"));
        let prompt = device(&Script::new([code()])).start().await.unwrap();
        assert!(!format!("{prompt:?}").contains("GAQ"));
    }
}
