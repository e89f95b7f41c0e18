//! The examination of one endpoint: the steps before the connector has its turn, the connector, and
//! what comes behind it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::net::lookup_host;
use tokio::time::timeout;

use super::Checkup;
use super::log::{Found, Log};
use super::step::{Outcome, StepName};
use crate::auth::{Auth, Credentials};
use crate::connector::{self, Obstacle, Settings};
use crate::diagnosis::{Check, Context, Diagnosis, check};
use crate::token::{Claims, Rejection, StaticToken, TokenError, TokenRequest};
use crate::{
    AccessToken, BoxFuture, Client, Endpoint, Failure, Protocol, Security, Stage, TokenProvider,
    net,
};

/// One endpoint, and how it is to be examined.
pub(super) struct Plan<'a> {
    checkup: &'a Checkup,
    endpoint: &'a Endpoint,
}

/// Farewells are a courtesy: nothing depends on them.
const FAREWELL: Duration = Duration::from_secs(5);

impl<'a> Plan<'a> {
    pub(super) const fn new(checkup: &'a Checkup, endpoint: &'a Endpoint) -> Self {
        Self { checkup, endpoint }
    }

    /// Takes all steps that can be taken.
    pub(super) async fn examine(&self, log: &Log) {
        let resolved = self.resolve(log).await;
        let token = self.token(log).await;
        if !resolved {
            return;
        }
        match self.endpoint.protocol() {
            #[cfg(feature = "smtp")]
            Protocol::Smtp => self.connect::<crate::SmtpClient>(log, token).await,
            #[cfg(feature = "imap")]
            Protocol::Imap => self.connect::<crate::ImapClient>(log, token).await,
            #[cfg(feature = "pop")]
            Protocol::Pop => self.connect::<crate::PopClient>(log, token).await,
            #[cfg(not(all(feature = "smtp", feature = "imap", feature = "pop")))]
            protocol => log.give_up(&format!("this program was built without {protocol}")),
        }
    }

    fn context(&self) -> Context {
        let user = self.checkup.auth.credentials().user().to_owned();
        Context::new().with_endpoint(self.endpoint.clone()).with_mailbox(&user)
    }

    /// False if there is no address.
    async fn resolve(&self, log: &Log) -> bool {
        let (host, port) = (self.endpoint.host(), self.endpoint.port());
        #[cfg(feature = "proxy")]
        if self.checkup.settings.proxy.is_some() {
            log.skip(StepName::Dns, "the proxy resolves names");
            return true;
        }
        if !self.checkup.resolves {
            log.skip(StepName::Dns, "only the dialler knows");
            return true;
        }
        if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
            log.skip(StepName::Dns, "the host is an address");
            return true;
        }
        log.begin(StepName::Dns);
        let limit = self.checkup.settings.timeouts.dial;
        let dial = |source| net::Error::Dial { host: host.to_owned(), port, source };
        let found = match timeout(limit, lookup_host((host, port))).await {
            Ok(Ok(addresses)) => Ok(addresses.map(|found| found.ip().to_string()).collect()),
            Ok(Err(source)) => Err(dial(source)),
            Err(_) => Err(net::Error::Deadline { after: limit }),
        };
        let found = found.and_then(|mut addresses: Vec<String>| {
            addresses.dedup();
            let none = || std::io::Error::new(std::io::ErrorKind::NotFound, "it has no address");
            if addresses.is_empty() { Err(dial(none())) } else { Ok(addresses.join(", ")) }
        });
        match found {
            Ok(addresses) => {
                log.pass(Found::new(addresses.clone()).detail("addresses", addresses));
                true
            }
            Err(error) => {
                let diagnosis = Diagnosis::with(&error, &self.context());
                log.fail(StepName::Dns, Found::new(error.to_string()).diagnosis(diagnosis));
                false
            }
        }
    }

    /// A token, and what it says of itself. `Err` if there should be one and is none.
    async fn token(&self, log: &Log) -> Result<Option<AccessToken>, ()> {
        let Credentials::Token { mailbox, provider, .. } = self.checkup.auth.credentials() else {
            log.skip(StepName::Token, "a password is used");
            log.skip(StepName::Claims, "a password is used");
            return Ok(None);
        };
        log.begin(StepName::Token);
        let request = TokenRequest::new(self.endpoint.clone(), mailbox);
        let token = match connector::fetch(&self.settings(), provider, &request).await {
            Ok(token) => token,
            Err(obstacle) => {
                let (message, diagnosis) = self.no_token(obstacle);
                log.fail(StepName::Token, Found::new(message).diagnosis(diagnosis));
                log.skip(StepName::Claims, "there is no token");
                return Err(());
            }
        };
        let now = SystemTime::now();
        let octets = token.len();
        let mut found = Found::new(match life(token.expiry(), now) {
            Some(life) => format!("{octets} octets, {life}"),
            None => format!("{octets} octets"),
        });
        found = found.detail("octets", octets.to_string());
        log.pass(found);
        log.begin(StepName::Claims);
        let checked = check(&token, self.endpoint, mailbox, now);
        let (outcome, found) = claims(&checked, now);
        log.end(outcome, found);
        Ok(Some(token))
    }

    fn no_token(&self, obstacle: Obstacle) -> (String, Option<Diagnosis>) {
        match obstacle {
            Obstacle::Token(error) => (error.to_string(), Diagnosis::with(&error, &self.context())),
            Obstacle::Net(_, error) => {
                (error.to_string(), Diagnosis::with(&error, &self.context()))
            }
            Obstacle::Misuse(error) => {
                (error.to_string(), Diagnosis::with(&error, &self.context()))
            }
        }
    }

    fn settings(&self) -> Settings {
        Settings { endpoint: self.endpoint.clone(), ..self.checkup.settings.clone() }
    }

    async fn connect<C: Patient>(&self, log: &Log, token: Result<Option<AccessToken>, ()>) {
        let mut settings = self.settings();
        settings.watch = Some(Arc::new(log.clone()));
        let credentials = self.checkup.auth.credentials();
        log.begin(StepName::Tcp);
        let mut context = self.context();
        let (connected, asked) = match (token, credentials) {
            (Ok(Some(token)), Credentials::Token { mechanism, mailbox, vendor, provider }) => {
                let first = First { given: Mutex::new((token, 0)), provider };
                let credentials =
                    Credentials::Token { mechanism, mailbox, vendor, provider: &first };
                let connected = connector::connect::<C>(&settings, credentials).await;
                let (last, asked) = &*first.given();
                context = context.with_token(last);
                (connected, *asked)
            }
            (Err(()), _) => {
                // All that needs no token is looked at all the same.
                log.stop_before_login();
                settings.recorder = None;
                let nobody = Auth::xoauth2("nobody", StaticToken::new("none"));
                (connector::connect::<C>(&settings, nobody.credentials()).await, 0)
            }
            (Ok(_), credentials) => (connector::connect::<C>(&settings, credentials).await, 0),
        };
        match connected {
            Ok(client) => {
                log.offered_enough();
                let (outcome, found) = self.logged_in(log, asked);
                log.end(outcome, found);
                client.follow(self, log, &context).await;
            }
            Err(error) => self.not_connected::<C>(log, &error, &context),
        }
    }

    fn logged_in(&self, log: &Log, asked: usize) -> (Outcome, Found) {
        let credentials = self.checkup.auth.credentials();
        let mechanism = credentials.mechanism().to_uppercase();
        let found = |summary: String| {
            Found::new(summary)
                .detail("mechanism", mechanism.clone())
                .detail("connections", log.connections().to_string())
        };
        let user = credentials.user();
        if log.preauth() {
            let summary = "the server wanted no login: it knows the client by other means";
            return (Outcome::Passed, Found::new(summary));
        }
        if asked > 1 {
            let summary = "the first token was refused, and a new one was accepted";
            return (Outcome::Hint, found(summary.to_owned()));
        }
        (Outcome::Passed, found(format!("logged in as {user} by {mechanism}")))
    }

    fn not_connected<C: Patient>(&self, log: &Log, error: &C::Error, context: &Context) {
        if log.stopped_at_login(C::misused(error)) {
            return;
        }
        let step = match error.stage() {
            // For TLS, which was not reached.
            Stage::Capabilities | Stage::StartTls
                if C::lacks(error)
                    && self.endpoint.security() == Security::StartTls
                    && !log.done(StepName::Tls) =>
            {
                StepName::Tls
            }
            // The mechanism.
            _ if C::lacks(error) => StepName::Capabilities,
            Stage::Dial => StepName::Tcp,
            Stage::Tls | Stage::StartTls => StepName::Tls,
            Stage::Greeting => StepName::Greeting,
            Stage::Capabilities => StepName::Capabilities,
            _ => StepName::Auth,
        };
        let diagnosis = Diagnosis::with(error, context);
        let mut found = Found::new(error.to_string()).diagnosis(diagnosis);
        if let Some(reply) = error.reply_text() {
            found = found.detail("reply", reply);
        }
        log.fail(step, found);
    }

    /// Ends a step behind the login.
    fn conclude<E: Failure>(log: &Log, context: &Context, result: Result<Found, E>) -> bool {
        match result {
            Ok(found) => {
                log.pass(found);
                true
            }
            Err(error) => {
                let diagnosis = Diagnosis::with(&error, context);
                let mut found = Found::new(error.to_string()).diagnosis(diagnosis);
                if let Some(reply) = error.reply_text() {
                    found = found.detail("reply", reply);
                }
                log.end(Outcome::Failed, found);
                log.give_up("the step before it failed");
                false
            }
        }
    }
}

/// How long it still lives.
fn life(expiry: Option<SystemTime>, now: SystemTime) -> Option<String> {
    Some(match expiry?.duration_since(now) {
        Ok(left) if left.as_secs() >= 120 => format!("good for {} minutes", left.as_secs() / 60),
        Ok(left) => format!("good for {} seconds", left.as_secs()),
        Err(past) => format!("expired {} seconds ago", past.duration().as_secs()),
    })
}

fn claims(checked: &Check, now: SystemTime) -> (Outcome, Found) {
    let mut found = match checked.claims() {
        None => Found::new("the token is opaque, so there are no claims to read"),
        Some(claims) => Found::new(told(claims, now)),
    };
    if let Some(claims) = checked.claims() {
        let list = |words: Option<&[String]>| words.map(|words| words.join(" "));
        let known = [
            ("audience", claims.audience().map(str::to_owned)),
            ("tenant", claims.tenant().map(str::to_owned)),
            ("appid", claims.app_id().map(str::to_owned)),
            ("oid", claims.object_id().map(str::to_owned)),
            ("user", claims.user().map(str::to_owned)),
            ("scopes", list(claims.scopes())),
            ("roles", list(claims.roles())),
        ];
        for (name, value) in known {
            if let Some(value) = value {
                found = found.detail(name, value);
            }
        }
    }
    if checked.findings().is_empty() {
        let outcome = if checked.claims().is_some() { Outcome::Passed } else { Outcome::Skipped };
        return (outcome, found);
    }
    let diagnosis = Diagnosis::of_findings(checked.findings().to_vec());
    if let Some(diagnosis) = &diagnosis {
        let details = std::mem::take(&mut found.details);
        found = Found::new(diagnosis.first().cause().to_string());
        found.details = details;
    }
    (Outcome::Hint, found.diagnosis(diagnosis))
}

/// Whose token it is, and for how long.
fn told(claims: &Claims, now: SystemTime) -> String {
    let whose = match (claims.app_only(), claims.user()) {
        (true, _) => "an application's token".to_owned(),
        (false, Some(user)) => format!("a token of {user}"),
        (false, None) => "a token".to_owned(),
    };
    match life(claims.expires_at(), now) {
        Some(life) => format!("{whose}, {life}, and nothing speaks against it"),
        None => format!("{whose}, and nothing speaks against it"),
    }
}

/// The token that was looked at goes first; for another the provider itself is asked.
struct First<'a> {
    /// The last token that was given, and how often one was asked for.
    given: Mutex<(AccessToken, usize)>,
    provider: &'a dyn TokenProvider,
}

impl First<'_> {
    fn given(&self) -> MutexGuard<'_, (AccessToken, usize)> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenProvider for First<'_> {
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        Box::pin(async move {
            {
                let (first, asked) = &mut *self.given();
                *asked += 1;
                if *asked == 1 {
                    return Ok(first.clone());
                }
            }
            let token = self.provider.token(request).await?;
            self.given().0 = token.clone();
            Ok(token)
        })
    }

    fn rejected<'a>(&'a self, token: &'a AccessToken, why: Rejection) -> BoxFuture<'a, ()> {
        self.provider.rejected(token, why)
    }
}

/// A client, and what is tried with it.
pub(super) trait Patient: Client {
    /// Whether the server lacks something.
    fn lacks(error: &Self::Error) -> bool;

    /// Whether the call was wrong, as it is where no more was to be done.
    fn misused(error: &Self::Error) -> bool;

    /// The steps behind the login. `context` knows the token that was accepted.
    fn follow(
        self,
        plan: &Plan<'_>,
        log: &Log,
        context: &Context,
    ) -> impl Future<Output = ()> + Send;
}

#[cfg(feature = "imap")]
impl Patient for crate::ImapClient {
    fn lacks(error: &Self::Error) -> bool {
        matches!(error, crate::imap::Error::Unsupported { .. })
    }

    fn misused(error: &Self::Error) -> bool {
        matches!(error, crate::imap::Error::Misuse(_))
    }

    async fn follow(mut self, _: &Plan<'_>, log: &Log, context: &Context) {
        log.begin(StepName::Mailbox);
        // EXAMINE changes nothing.
        let opened = self.examine("INBOX").await.map(|inbox| {
            let messages = inbox.exists();
            Found::new(format!("INBOX opened, {messages} messages"))
                .detail("messages", messages.to_string())
        });
        if Plan::conclude(log, context, opened) {
            let _ = timeout(FAREWELL, self.logout()).await;
        }
    }
}

#[cfg(feature = "pop")]
impl Patient for crate::PopClient {
    fn lacks(error: &Self::Error) -> bool {
        matches!(error, crate::pop::Error::Unsupported { .. })
    }

    fn misused(error: &Self::Error) -> bool {
        matches!(error, crate::pop::Error::Misuse(_))
    }

    async fn follow(mut self, _: &Plan<'_>, log: &Log, context: &Context) {
        log.begin(StepName::Mailbox);
        let opened = self.stat().await.map(|maildrop| {
            let messages = maildrop.messages();
            Found::new(format!("the maildrop opened, {messages} messages"))
                .detail("messages", messages.to_string())
        });
        if Plan::conclude(log, context, opened) {
            // Nothing is marked, so that QUIT deletes nothing.
            let _ = timeout(FAREWELL, self.quit()).await;
        }
    }
}

#[cfg(feature = "smtp")]
impl Patient for crate::SmtpClient {
    fn lacks(error: &Self::Error) -> bool {
        matches!(error, crate::smtp::Error::Unsupported { .. })
    }

    fn misused(error: &Self::Error) -> bool {
        matches!(error, crate::smtp::Error::Misuse(_))
    }

    async fn follow(mut self, plan: &Plan<'_>, log: &Log, context: &Context) {
        use crate::smtp::Envelope;

        let checkup = plan.checkup;
        let credentials = checkup.auth.credentials();
        let user = credentials.user();
        let sender = checkup.sender.as_deref().unwrap_or(user);
        let recipient = checkup.recipient.as_deref().unwrap_or(sender);
        log.begin(StepName::Send);
        let envelope = match Envelope::new(sender, [recipient]) {
            Ok(envelope) => envelope,
            Err(error) => {
                log.end(Outcome::Failed, Found::new(error.to_string()));
                log.give_up("there is no address to send from");
                return;
            }
        };
        let rehearsed = self.rehearse(&envelope).await;
        let accepted = match rehearsed {
            Ok(rehearsal) => match rehearsal.refused().next() {
                None => {
                    log.pass(
                        Found::new(format!("{sender} to {recipient}: not refused so far"))
                            .detail("sender", sender)
                            .detail("recipient", recipient),
                    );
                    true
                }
                Some((_, reply)) => {
                    let stage = Stage::Command("RCPT");
                    let reply = reply.to_string();
                    let diagnosis = Diagnosis::of_line(Protocol::Smtp, stage, &reply, context);
                    log.end(
                        Outcome::Failed,
                        Found::new(format!("the recipient {recipient} was refused: {reply}"))
                            .detail("reply", reply)
                            .diagnosis(diagnosis),
                    );
                    log.give_up("the recipient was refused");
                    false
                }
            },
            Err(error) => Plan::conclude(log, context, Err(error)),
        };
        if accepted && checkup.sends {
            log.begin(StepName::Message);
            let sent = match Envelope::new(sender, [sender]) {
                Ok(envelope) => self.send(&envelope, message(sender)).await,
                // It is the address that was just used.
                Err(_) => return,
            };
            let sent = sent.map(|receipt| {
                let reply = receipt.reply().map(|reply| reply.to_string()).unwrap_or_default();
                Found::new(format!("the server took a message to {sender}: {reply}"))
                    .detail("reply", reply)
            });
            Plan::conclude(log, context, sent);
        }
        let _ = timeout(FAREWELL, self.quit()).await;
    }
}

/// A message to oneself. The sender's address is one that SMTP took.
#[cfg(feature = "smtp")]
fn message(sender: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!(
        "From: <{sender}>\r\nTo: <{sender}>\r\nSubject: A test of the settings, {}\r\n\
         Auto-Submitted: auto-generated\r\n\r\nThis message was sent to see whether messages can \
         be sent. Nothing is to be done.\r\n",
        now.as_secs()
    )
}
