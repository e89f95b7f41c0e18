//! The check of a set-up that can be run: what works, what does not, and why.

mod examine;
mod json;
mod log;
mod report;
mod step;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::auth::Auth;
use crate::connector::Settings;
use crate::net::Dial;
#[cfg(feature = "proxy")]
use crate::net::proxy::Proxy;
use crate::wirelog::Recorder;
use crate::{Endpoint, Timeouts, tls};

use examine::Plan;
use log::Log;

pub use report::{EndpointReport, Report};
pub use step::{Outcome, Progress, Step, StepName};

/// What is to be checked, and how.
///
/// [`diagnose`] takes each endpoint from the name of its host to the first command, by the same code
/// that connects a client, and says of every step how it went:
///
/// | step | what it does |
/// |---|---|
/// | `dns` | finds the addresses of the host |
/// | `tcp` | opens the connection, through the proxy if there is one |
/// | `tls` | shakes hands, and checks the certificate |
/// | `greeting` | waits for the server's first line |
/// | `capabilities` | asks what the server offers, and looks for the mechanism |
/// | `token` | asks the provider for a token |
/// | `claims` | looks at what the token says of itself |
/// | `auth` | logs in |
/// | `mailbox` | opens the mailbox: EXAMINE INBOX, STAT |
/// | `send` | SMTP: asks whether sender and recipient would be refused, and sends nothing |
/// | `message` | SMTP, if asked for: sends a message to oneself |
///
/// What comes behind a step that failed is skipped, but for what does not need it: without a token
/// the connection is still looked at. The endpoints are checked side by side.
///
/// # Example
/// ```
/// use mailbearer::diagnosis::{Checkup, StepName};
/// use mailbearer::testing::Server;
/// use mailbearer::{Auth, diagnose, tls, token::StaticToken};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::start().await?;
/// server.add_mailbox("billing@contoso.example");
/// let tokens = StaticToken::new(server.issue_token("billing@contoso.example"));
///
/// let checkup = Checkup::new(Auth::xoauth2("billing@contoso.example", tokens))
///     .tls(tls::Config::with_root_pem(server.certificate_pem().as_bytes())?)
///     .endpoint(server.imap())
///     .endpoint(server.smtp());
/// let report = diagnose(&checkup).await;
/// assert!(report.passed(), "{report}");
/// let imap = &report.endpoints()[0];
/// assert_eq!(imap.step(StepName::Mailbox).unwrap().summary(), "INBOX opened, 0 messages");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Checkup {
    auth: Auth,
    /// Of all endpoints but for the endpoint.
    settings: Settings,
    endpoints: Vec<Endpoint>,
    /// The user's own dialler looks up names, if it does.
    resolves: bool,
    sender: Option<Arc<str>>,
    recipient: Option<Arc<str>>,
    sends: bool,
    deadline: Duration,
    progress: Option<Listener>,
}

/// Who is told how it goes on.
type Listener = Arc<dyn Fn(&Progress<'_>) + Send + Sync>;

impl Checkup {
    /// A check with these credentials. There is nothing to check until there is an
    /// [`endpoint`](Self::endpoint).
    pub fn new(auth: Auth) -> Self {
        Self {
            auth,
            settings: Settings::new(Endpoint::imap("")),
            endpoints: Vec::new(),
            resolves: true,
            sender: None,
            recipient: None,
            sends: false,
            deadline: Duration::from_secs(120),
            progress: None,
        }
    }

    /// A server to check. There may be several, of any protocol.
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoints.push(endpoint);
        self
    }

    /// Whom to trust; see [`Connector::tls`](crate::Connector::tls).
    pub fn tls(mut self, config: tls::Config) -> Self {
        self.settings.tls = Some(config);
        self
    }

    /// Deadlines of single steps.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.settings.timeouts = timeouts;
        self
    }

    /// How to reach the server. The step `dns` is left out, since only the dialler knows.
    pub fn dial(mut self, dial: impl Dial + 'static) -> Self {
        self.settings.dial = Arc::new(dial);
        self.resolves = false;
        self
    }

    /// Connects through this proxy. The step `dns` is left out, since the proxy resolves names.
    #[cfg(feature = "proxy")]
    #[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.settings.proxy = Some(proxy);
        self
    }

    /// The name given in SMTP's EHLO; see [`Connector::ehlo_name`](crate::Connector::ehlo_name).
    pub fn ehlo_name(mut self, name: &str) -> Self {
        self.settings.ehlo_name = Some(name.into());
        self
    }

    /// Has the dialogues recorded.
    pub fn record(mut self, recorder: Recorder) -> Self {
        self.settings.recorder = Some(recorder);
        self
    }

    /// Who sends, where that is not the mailbox: to ask for the right to send as somebody else.
    pub fn sender(mut self, address: &str) -> Self {
        self.sender = Some(address.into());
        self
    }

    /// Who would receive, in the step `send`. By default the sender itself.
    pub fn recipient(mut self, address: &str) -> Self {
        self.recipient = Some(address.into());
        self
    }

    /// Sends a message from the sender to itself as well. Nothing less is certain where a server,
    /// as Exchange Online does, refuses a sender only behind the content.
    pub const fn send_message(mut self) -> Self {
        self.sends = true;
        self
    }

    /// How long all of it may take. By default two minutes. What is not done by then has failed.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Is told when a step begins and when it ends, while the check runs. It must not block.
    pub fn on_progress(mut self, listener: impl Fn(&Progress<'_>) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(listener));
        self
    }
}

impl fmt::Debug for Checkup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkup")
            .field("auth", &self.auth)
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

/// Checks a set-up, step by step, each endpoint by itself and all at once. It does not fail: what
/// fails is in the report.
///
/// Nothing is changed on the servers: no message is fetched, marked or deleted, and none is sent
/// unless [`Checkup::send_message`] asks for it.
///
/// # Cancel safety
/// Dropping the future closes all connections; the servers may have seen the logins.
pub async fn diagnose(checkup: &Checkup) -> Report {
    let plans: Vec<(Plan<'_>, Log)> = checkup
        .endpoints
        .iter()
        .map(|endpoint| {
            let log = Log::new(endpoint.clone(), &checkup.auth, checkup.sends);
            (Plan::new(checkup, endpoint), log.telling(checkup.progress.clone()))
        })
        .collect();
    let mut running: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = Vec::new();
    for (plan, log) in &plans {
        running.push(Box::pin(plan.examine(log)));
    }
    let all = poll_fn(|cx| {
        running.retain_mut(|examination| examination.as_mut().poll(cx).is_pending());
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    });
    let ended = tokio::time::timeout(checkup.deadline, all).await;
    drop(running);
    let late = ended.is_err().then_some(checkup.deadline);
    Report::new(plans.into_iter().map(|(_, log)| log.finish(late)).collect())
}
