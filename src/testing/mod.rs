//! A mail server inside the test process, for SMTP, IMAP and POP3, that behaves like Exchange
//! Online.
//!
//! It listens on loopback with a certificate made at start, takes the tokens it has issued itself,
//! and says what the real servers say, on good days and on bad ones. It shares no code with the
//! clients of this crate, so the two cannot be wrong in the same way. Messages keep every octet.
//!
//! ```
//! use mailbearer::testing::{Fault, Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let server = Server::start().await?;
//! server.add_mailbox("billing@contoso.example");
//! server.add_mailbox("orders@contoso.example");
//!
//! // What your token source has to hand out.
//! let token = server.issue_token("billing@contoso.example");
//! // That token opens a shared mailbox, too.
//! server.allow("billing@contoso.example", "orders@contoso.example");
//! // The first login will be answered `454 4.7.0 Temporary authentication failure`.
//! server.inject(Fault::TemporaryAuthFailure);
//!
//! // Where to connect, and the root that signs the certificate there.
//! let (endpoint, root) = (server.smtp(), server.certificate_pem());
//! assert_eq!(endpoint.host(), "localhost");
//! assert!(root.starts_with("-----BEGIN CERTIFICATE-----"));
//!
//! // … let the program under test connect and send, then look at what arrived and who came.
//! assert!(server.messages("orders@contoso.example").is_empty());
//! assert!(server.logins().is_empty());
//! # drop(token);
//! # Ok(())
//! # }
//! ```
//!
//! A mailbox has the folders INBOX, Sent, Drafts, Deleted and Junk. What is sent by SMTP goes to
//! the INBOX of each recipient and, as at Exchange, to Sent of the mailbox that was logged in.
//!
//! Tokens live by the tokio clock: under a paused clock a test advances it past their end. Nothing
//! else here is timed, except that an IMAP session in IDLE ends by itself when its token does.
//!
//! Not here: passwords, CREATE, DELETE and RENAME, SUBSCRIBE, and time-outs for clients that say
//! nothing.
//!
//! # What can go wrong
//! What a program sees is said of one that uses this crate: the variant of its error or
//! [`stage`](crate::Failure::stage), and what [`retry`](crate::Failure::retry) says.
//!
//! | fault | what the server does | what the program sees |
//! |---|---|---|
//! | **The connection** | | |
//! | [`ClosedBeforeGreeting`](Fault::ClosedBeforeGreeting) | closes the connection before a word | an error of the connection, [`Retry::Later`] |
//! | [`Silence`](Fault::Silence) | takes the connection and says nothing | the deadline for the handshake or the greeting |
//! | [`GreetingRefused`](Fault::GreetingRefused) | `421`, `* BYE` or `-ERR` for a greeting | [`Stage::Greeting`], `Later` |
//! | [`ClearTextWhereTls`](Fault::ClearTextWhereTls) | clear text on the port with TLS | [`Stage::Tls`], the handshake failed |
//! | [`TlsWhereClearText`](Fault::TlsWhereClearText) | TLS on the port with STARTTLS | the deadline for the greeting |
//! | [`CertificateForOtherName`](Fault::CertificateForOtherName) | a certificate for another name | `Tls`, [`Retry::Never`] |
//! | [`CertificateExpired`](Fault::CertificateExpired) | one that ended | the same |
//! | [`CertificateNotYetValid`](Fault::CertificateNotYetValid) | one that has not begun | the same |
//! | [`CertificateOfUnknownIssuer`](Fault::CertificateOfUnknownIssuer) | one of another root | the same |
//! | [`StartTlsNotOffered`](Fault::StartTlsNotOffered) | no STARTTLS among the capabilities | `Unsupported`, `Never`; nothing goes in the clear |
//! | [`StartTlsRefused`](Fault::StartTlsRefused) | `454`, `NO` or `-ERR` to STARTTLS | [`Stage::StartTls`], `Later` by SMTP, else `Never` |
//! | [`StartTlsInjection`](Fault::StartTlsInjection) | a line in the clear behind the go-ahead | `Protocol`, [`Retry::Reconnect`]; the line is not read |
//! | [`MechanismNotOffered`](Fault::MechanismNotOffered) | no mechanism for tokens among the capabilities | `Unsupported`, `Never`; POP3 tries it all the same |
//! | **Logging in** | | |
//! | [`LoginRefused`](Fault::LoginRefused) | its common refusal of a token | [`Stage::Auth`], [`Retry::RefreshToken`] |
//! | [`JsonChallenge`](Fault::JsonChallenge) | a challenge with JSON, then the refusal | the challenge in [`AuthError`] |
//! | [`JsonChallengeWithNewline`](Fault::JsonChallengeWithNewline) | the same, as in Google's documents | the same |
//! | [`Challenge`](Fault::Challenge) | the same, with any text | the same |
//! | [`CapitalAuthRefused`](Fault::CapitalAuthRefused) | takes `Auth=` for malformed | nothing, if it writes `auth=` |
//! | [`NotConnected`](Fault::NotConnected) | IMAP: `NO User is authenticated but not connected` | `Auth`, [`Retry::Administrator`] |
//! | [`NotConnectedAfterLogin`](Fault::NotConnectedAfterLogin) | IMAP: `OK`, then `BAD User is authenticated but not connected.` | the same, from connecting |
//! | [`RefusedAndClosed`](Fault::RefusedAndClosed) | IMAP: a refusal, and `* BYE Connection is closed. 14` | the refusal |
//! | [`PasswordRefused`](Fault::PasswordRefused) | IMAP: `NO LOGIN failed.` | `Auth`, for a password |
//! | [`WebLoginRequired`](Fault::WebLoginRequired) | IMAP and SMTP: Google wants the user in a browser | `Auth`, `Administrator` |
//! | [`TooManyConnections`](Fault::TooManyConnections) | IMAP: Gmail's sixteenth connection | `Auth`, `Later`; the token is good |
//! | [`SmtpAuthDisabledForTenant`](Fault::SmtpAuthDisabledForTenant) | SMTP: `535 5.7.139 … disabled for the Tenant` | `Auth`, `Administrator`; no other token is asked for |
//! | [`SmtpAuthDisabledForMailbox`](Fault::SmtpAuthDisabledForMailbox) | SMTP: `535 5.7.139 … disabled for the Mailbox` | the same |
//! | [`AuthForbiddenByPolicy`](Fault::AuthForbiddenByPolicy) | SMTP: `535 5.7.139 … organization configuration …` | the same |
//! | [`LockedBySecurityDefaults`](Fault::LockedBySecurityDefaults) | SMTP: `535 5.7.139 … security defaults policy` | the same |
//! | [`TemporaryAuthFailure`](Fault::TemporaryAuthFailure) | SMTP: `454 4.7.0` | `Auth`, `Later` |
//! | [`OneLineAuth555`](Fault::OneLineAuth555) | SMTP: `555-5.5.2` to AUTH in one line, and the end | nothing: AUTH goes in two lines |
//! | [`ApplicationPasswordRequired`](Fault::ApplicationPasswordRequired) | SMTP: `534-5.7.9` | `Auth`, `Administrator` |
//! | [`HveMalformed`](Fault::HveMalformed) | SMTP: `501 5.5.121` to `5.5.126` | `Auth`, `Never` |
//! | [`HveInvalidAuthData`](Fault::HveInvalidAuthData) | SMTP: `501 5.5.124` | the same |
//! | [`HveTokenExpiresSoon`](Fault::HveTokenExpiresSoon) | SMTP: `535 5.7.142` | `Auth`, `RefreshToken` |
//! | [`HveTokenExpiresSoonPreview`](Fault::HveTokenExpiresSoonPreview) | SMTP: `501 5.5.127` | the same |
//! | [`HveTokenExpired`](Fault::HveTokenExpired) | SMTP: `535 5.7.143` | the same |
//! | [`HveInvalidPermissions`](Fault::HveInvalidPermissions) | SMTP: `535 5.7.144` | `Auth`, `Administrator` |
//! | [`HveApplicationNotAllowed`](Fault::HveApplicationNotAllowed) | SMTP: `550 5.7.240` | the same |
//! | [`HveNotAnAccount`](Fault::HveNotAnAccount) | SMTP: `550 5.2.240` | the same |
//! | [`PopInUse`](Fault::PopInUse) | POP3: `-ERR [IN-USE]` | `Auth`, `Later`; the token is good |
//! | [`PopLoginDelay`](Fault::PopLoginDelay) | POP3: `-ERR [LOGIN-DELAY]` | the same |
//! | [`PopTemporaryFailure`](Fault::PopTemporaryFailure) | POP3: `-ERR [SYS/TEMP]` | the same |
//! | [`PopPermanentFailure`](Fault::PopPermanentFailure) | POP3: `-ERR [SYS/PERM]` | `Auth`, `Administrator` |
//! | [`PopProtocolError`](Fault::PopProtocolError) | POP3: `-ERR Protocol error. Connection is closed. 10` | `Auth`, `Never`, with the length of the token |
//! | [`PopNotOpened`](Fault::PopNotOpened) | POP3: `+OK`, then `-ERR` to STAT | `Auth`, `Administrator` |
//! | **Sending** | | |
//! | [`SenderNotPermitted`](Fault::SenderNotPermitted) | `550 5.7.60` to MAIL | `Refused`, `Administrator` |
//! | [`NotAuthenticated`](Fault::NotAuthenticated) | `530 5.7.57` to MAIL | `Refused`, `Never` |
//! | [`HelloWanted`](Fault::HelloWanted) | `503 5.5.2` to MAIL | `Refused`, `Never` |
//! | [`ServiceNotActive`](Fault::ServiceNotActive) | `421 4.3.2` to MAIL, and the end | `Closed`, `Later` |
//! | [`TemporaryServerError`](Fault::TemporaryServerError) | `451 4.7.0` to MAIL | `Refused`, `Later` |
//! | [`HveExternalRecipient`](Fault::HveExternalRecipient) | `550 5.5.105` to RCPT | the recipient refused, `Never` |
//! | [`HveForeignSender`](Fault::HveForeignSender) | `550 5.7.62` to MAIL | `Refused`, `Never` |
//! | [`HveForeignFrom`](Fault::HveForeignFrom) | `550 5.6.241` to the message | `Refused`, `Never` |
//! | [`SendAsDenied`](Fault::SendAsDenied) | `554 5.2.252` to the message | `Refused`, `Administrator` |
//! | [`SendAsDeniedOlder`](Fault::SendAsDeniedOlder) | `554 5.2.0 …SendAsDenied…` to the message | the same |
//! | [`SenderThrottled`](Fault::SenderThrottled) | `550 5.2.252` to the message | `Refused`, `Later` |
//! | [`MailboxLogonFailure`](Fault::MailboxLogonFailure) | `430 4.2.0` to the message | `Refused`, `Administrator`, though the code says it passes |
//! | [`ConnectionLimit`](Fault::ConnectionLimit) | `432 4.3.2` to the message | `Refused`, `Later` |
//! | [`SenderThreadLimit`](Fault::SenderThreadLimit) | `432 4.3.2` in other words | the same |
//! | [`SubmissionQuotaExceeded`](Fault::SubmissionQuotaExceeded) | `554 5.2.0 …SubmissionQuotaExceeded…` | `Refused`, `Later`, though the code says never |
//! | [`MailboxFull`](Fault::MailboxFull) | `554 5.2.2 mailbox full` | `Refused`, `Administrator` |
//! | [`OutboundSenderBlocked`](Fault::OutboundSenderBlocked) | `550 5.1.8` | the same |
//! | [`DropAfterData`](Fault::DropAfterData) | delivers, and ends the connection | `Unknown`, [`Retry::MayDuplicate`] |
//! | **A session under way** | | |
//! | [`Throttled`](Fault::Throttled) | IMAP: `BAD Request is throttled. Suggested Backoff Time: …` | `Refused`, `Later` with the time to wait |
//! | [`AccessTokenExpired`](Fault::AccessTokenExpired) | IMAP: `* BYE Session invalidated - AccessTokenExpired` | `Closed`, `RefreshToken` |
//! | [`ConnectionClosed`](Fault::ConnectionClosed) | IMAP: `* BYE Connection is closed.` and a number | `Closed`, `Reconnect` |
//! | [`DropInIdle`](Fault::DropInIdle) | IMAP: the end of the connection in IDLE | `Closed`, `Reconnect` |
//! | [`Reply`](Fault::Reply) | any reply to any command | what that reply means |
//!
//! Much goes wrong without a fault, as it does at the services: tokens that were never issued,
//! [expire](Server::expire_token) or are [taken back](Server::reject_token); mailboxes that were not
//! [lent](Server::allow); one-line AUTH and tokens over 4,096 characters at Exchange's POP3; long
//! AUTH lines at Gmail's SMTP; tokens near their end at High Volume Email; and whatever the claims of
//! a [`Jwt`] are not good for.
//!
//! | variant | what the server does | what the program sees |
//! |---|---|---|
//! | [`Current`](Variant::Current) | speaks as most of Exchange does in 2026 | |
//! | [`Until2025`](Variant::Until2025) | offers `AUTH=PLAIN`, without `LOGINDISABLED` | nothing, if it brings a token |
//! | [`TcpProxy`](Variant::TcpProxy) | greets otherwise, offers IMAP4rev2 and does not have it | nothing, if it does not enable it |
//! | [`LowerCase`](Variant::LowerCase) | statuses and capabilities in lower case | nothing |
//!
//! [`Retry::Later`]: crate::Retry::Later
//! [`Retry::Never`]: crate::Retry::Never
//! [`Retry::Reconnect`]: crate::Retry::Reconnect
//! [`Retry::RefreshToken`]: crate::Retry::RefreshToken
//! [`Retry::Administrator`]: crate::Retry::Administrator
//! [`Retry::MayDuplicate`]: crate::Retry::MayDuplicate
//! [`Stage::Greeting`]: crate::Stage::Greeting
//! [`Stage::Tls`]: crate::Stage::Tls
//! [`Stage::StartTls`]: crate::Stage::StartTls
//! [`Stage::Auth`]: crate::Stage::Auth
//! [`AuthError`]: crate::AuthError

mod date;
mod fault;
mod header;
mod imap;
mod jwt;
mod line_io;
mod listen;
mod mime;
mod pop;
mod sasl;
mod service;
mod smtp;
mod store;
mod tls;
mod tokens;
mod world;

#[cfg(all(test, any(feature = "ring", feature = "aws-lc-rs")))]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::endpoint::{Endpoint, Protocol, Security};
use crate::secret::Secret;
use listen::Listeners;
use tls::Identity;
use world::{World, lock};

pub use fault::Fault;
pub use jwt::Jwt;
pub use service::{Service, Variant};

/// How long a token lives that was issued without saying so: one hour, as Microsoft's do at least.
const LIFETIME: Duration = Duration::from_secs(3600);

/// How long a token is, in characters, if nothing else is asked for: as long as one of Microsoft
/// 365 with few claims, too long for one line of SMTP or POP3.
const TOKEN_LENGTH: usize = 1500;

/// The server. It stops when it is dropped: its listeners and every connection.
pub struct Server {
    world: Arc<World>,
    listeners: Listeners,
    token_length: usize,
}

/// Settings of a [`Server`] that are made before it starts.
#[derive(Debug, Clone)]
pub struct Builder {
    service: Service,
    variant: Variant,
    faults: Vec<Fault>,
    token_length: usize,
}

impl Builder {
    /// The service to behave like. Exchange Online unless said otherwise.
    pub const fn service(mut self, service: Service) -> Self {
        self.service = service;
        self
    }

    /// How the service speaks, where its servers differ.
    pub const fn variant(mut self, variant: Variant) -> Self {
        self.variant = variant;
        self
    }

    /// A fault that happens at each occasion from the start.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// How many characters the tokens have: 1,500 unless said otherwise, never fewer than 11.
    /// Exchange takes no tokens over 4,096 in POP3.
    pub const fn token_length(mut self, characters: usize) -> Self {
        self.token_length = characters;
        self
    }

    /// Makes the certificate and opens the ports. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// No free port on 127.0.0.1, or no crypto provider in the features.
    pub async fn start(self) -> io::Result<Server> {
        let world = Arc::new(World {
            service: self.service,
            variant: self.variant,
            identity: Identity::generate()?,
            tokens: Default::default(),
            store: Default::default(),
            faults: Default::default(),
            logins: Default::default(),
            transcript: Default::default(),
            bell: Default::default(),
            epoch: Default::default(),
            queued: Default::default(),
        });
        for fault in self.faults {
            lock(&world.faults).arm(fault, false);
        }
        let listeners = Listeners::open(&world).await?;
        Ok(Server { world, listeners, token_length: self.token_length })
    }
}

impl Server {
    /// Starts a server that behaves like Exchange Online.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Starts with other settings.
    pub const fn builder() -> Builder {
        Builder {
            service: Service::ExchangeOnline,
            variant: Variant::Current,
            faults: Vec::new(),
            token_length: TOKEN_LENGTH,
        }
    }

    /// Closes the listeners and all connections, and returns when they are gone.
    ///
    /// # Cancel safety
    /// Dropping the future stops the server too, without waiting.
    pub async fn shutdown(self) {
        self.listeners.close().await;
    }

    /// SMTP submission with STARTTLS, as Exchange has it on port 587.
    pub fn smtp(&self) -> Endpoint {
        self.endpoint(Protocol::Smtp, Security::StartTls)
    }

    /// SMTP submission with TLS from the start, as Gmail has it on port 465.
    pub fn smtp_implicit(&self) -> Endpoint {
        self.endpoint(Protocol::Smtp, Security::ImplicitTls)
    }

    /// IMAP with TLS from the start.
    pub fn imap(&self) -> Endpoint {
        self.endpoint(Protocol::Imap, Security::ImplicitTls)
    }

    /// IMAP with STARTTLS.
    pub fn imap_starttls(&self) -> Endpoint {
        self.endpoint(Protocol::Imap, Security::StartTls)
    }

    /// POP3 with TLS from the start.
    pub fn pop(&self) -> Endpoint {
        self.endpoint(Protocol::Pop, Security::ImplicitTls)
    }

    /// POP3 with STLS.
    pub fn pop_starttls(&self) -> Endpoint {
        self.endpoint(Protocol::Pop, Security::StartTls)
    }

    fn endpoint(&self, protocol: Protocol, security: Security) -> Endpoint {
        Endpoint::new(protocol, "localhost", self.listeners.port(protocol, security), security)
            .with_profile(self.world.service.profile())
    }

    /// The root that signs the server's certificate for `localhost` and 127.0.0.1, as PEM: add it to
    /// the roots of the client.
    pub fn certificate_pem(&self) -> &str {
        &self.world.identity.pem
    }

    /// The same root as DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.world.identity.der
    }

    /// Adds an empty mailbox. One that exists already is left as it is.
    pub fn add_mailbox(&self, address: &str) {
        lock(&self.world.store).add(address);
    }

    /// The messages in the INBOX of `address`, oldest first; none if there is no such mailbox.
    pub fn messages(&self, address: &str) -> Vec<Vec<u8>> {
        self.messages_in(address, "INBOX")
    }

    /// The messages in a folder: INBOX, Sent, Drafts, Deleted or Junk.
    pub fn messages_in(&self, address: &str, folder: &str) -> Vec<Vec<u8>> {
        let mut store = lock(&self.world.store);
        let Some(folder) = store.folder(address, folder) else { return Vec::new() };
        folder.messages.iter().map(|message| message.bytes.to_vec()).collect()
    }

    /// Puts a message into the INBOX of `address`, as it is, adding the mailbox if needed. IMAP
    /// clients that wait in IDLE hear of it.
    pub fn deliver(&self, address: &str, message: impl Into<Vec<u8>>) {
        self.add_mailbox(address);
        self.world.deliver(address, "INBOX", Bytes::from(message.into()));
    }

    /// A new token of `user`, good for one hour. It opens the mailbox of that name, if there is
    /// one, and those named by [`allow`](Self::allow).
    pub fn issue_token(&self, user: &str) -> String {
        self.issue_token_with_lifetime(user, LIFETIME)
    }

    /// Issues a token with claims. It opens the mailbox of the user it names, if there is one and
    /// the claims are right, and those named by [`allow`](Self::allow): for the user, or for the
    /// object id of an application.
    pub fn issue_jwt(&self, jwt: Jwt) -> String {
        lock(&self.world.tokens).issue_jwt(jwt)
    }

    /// Registers an application with Exchange, as `New-ServicePrincipal -AppId … -ObjectId …` does.
    /// Its tokens are refused before that, and also if the object id registered is another than the
    /// `oid` in them: the classic mistake is to take that of the app registration.
    pub fn register_service_principal(&self, application_id: &str, object_id: &str) {
        lock(&self.world.tokens).register(application_id, object_id);
    }

    /// A new token of `user`, good for `lifetime` by the tokio clock.
    pub fn issue_token_with_lifetime(&self, user: &str, lifetime: Duration) -> String {
        lock(&self.world.tokens).issue(user, lifetime, self.token_length)
    }

    /// Lets a token run out now. IMAP sessions opened with it end, as they do at Exchange (but not
    /// at Gmail), with `* BYE Session invalidated - AccessTokenExpired`.
    pub fn expire_token(&self, token: &str) {
        lock(&self.world.tokens).expire(token);
        self.world.ring();
    }

    /// Takes a token back: it opens no new session. Those it has opened go on.
    pub fn reject_token(&self, token: &str) {
        lock(&self.world.tokens).reject(token);
    }

    /// Lets `user` open `mailbox` and send as it, with tokens issued before or after.
    pub fn allow(&self, user: &str, mailbox: &str) {
        lock(&self.world.tokens).allow(user, mailbox);
    }

    /// Ends all logged-in IMAP sessions with `* BYE Session invalidated - AccessTokenExpired`,
    /// whatever the service; their tokens stay good.
    pub fn expire_sessions(&self) {
        self.world.end_sessions();
    }

    /// Lets `fault` happen once, at the next occasion.
    pub fn inject(&self, fault: Fault) {
        lock(&self.world.faults).arm(fault, true);
    }

    /// Lets `fault` happen at every occasion, until [`clear_faults`](Self::clear_faults).
    pub fn inject_always(&self, fault: Fault) {
        lock(&self.world.faults).arm(fault, false);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        lock(&self.world.faults).clear();
    }

    /// Every attempt to log in so far, oldest first.
    pub fn logins(&self) -> Vec<Login> {
        lock(&self.world.logins).clone()
    }

    /// The last 10,000 lines of all connections, such as `imap-3 C: a1 SELECT INBOX`. Secrets,
    /// what clients upload, and replies over 4 KiB are told by their length.
    pub fn transcript(&self) -> Vec<String> {
        self.world.transcript.lines()
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("service", &self.world.service).finish_non_exhaustive()
    }
}

/// One attempt to log in with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    protocol: Protocol,
    mechanism: &'static str,
    mailbox: String,
    token: Secret<String>,
    accepted: bool,
}

impl Login {
    fn new(
        protocol: Protocol,
        mechanism: &'static str,
        mailbox: String,
        token: String,
        accepted: bool,
    ) -> Self {
        Self { protocol, mechanism, mailbox, token: Secret::new(token), accepted }
    }

    /// Where.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// How: `XOAUTH2` or `OAUTHBEARER`.
    pub const fn mechanism(&self) -> &'static str {
        self.mechanism
    }

    /// The mailbox named, as the client spelt it; empty if what it sent could not be read.
    pub fn mailbox(&self) -> &str {
        &self.mailbox
    }

    /// Whether the mailbox was opened. False also for an IMAP login that was answered OK without
    /// opening it.
    pub const fn accepted(&self) -> bool {
        self.accepted
    }

    /// Whether this token was presented.
    pub fn used(&self, token: &str) -> bool {
        self.token.expose() == token
    }
}
