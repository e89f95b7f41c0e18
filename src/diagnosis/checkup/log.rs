//! What is known of an endpoint while it is checked. The connector tells how far it has come.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Listener;
use super::report::EndpointReport;
use super::step::{Outcome, Progress, Step, StepName};
use crate::auth::Auth;
use crate::connector::{Milestone, Watch};
use crate::diagnosis::quote::one_line;
use crate::{Diagnosis, Endpoint, Protocol, Security};

/// The steps of one endpoint. A cheap clone.
#[derive(Clone)]
pub(super) struct Log {
    endpoint: Endpoint,
    mailbox: Arc<str>,
    /// The steps that there are, in the order in which they are taken.
    order: Arc<[StepName]>,
    listener: Option<Listener>,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    steps: Vec<Step>,
    running: Option<(StepName, Instant)>,
    /// What the server offers, until it is known whether that is enough.
    offered: Option<(String, Instant)>,
    connections: usize,
    /// The server knows who it is without a login.
    preauth: bool,
    /// Goes no further than what needs no token.
    stops: bool,
    /// Why the rest is skipped.
    because: Option<String>,
}

/// What a step found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) summary: String,
    pub(super) details: Vec<(&'static str, String)>,
    pub(super) diagnosis: Option<Diagnosis>,
}

impl Found {
    pub(super) fn new(summary: impl Into<String>) -> Self {
        Self { summary: one_line(&summary.into()), ..Self::default() }
    }

    pub(super) fn detail(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, cut(value.into())));
        self
    }

    pub(super) fn diagnosis(mut self, diagnosis: Option<Diagnosis>) -> Self {
        self.diagnosis = diagnosis;
        self
    }
}

/// The most octets that a detail keeps of what a server said.
const LONGEST_DETAIL: usize = 4096;

fn cut(mut text: String) -> String {
    if text.len() > LONGEST_DETAIL {
        let end = (0..=LONGEST_DETAIL).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
}

impl Log {
    pub(super) fn new(endpoint: Endpoint, auth: &Auth, sends: bool) -> Self {
        use StepName::{
            Auth, Capabilities, Claims, Dns, Greeting, Mailbox, Message, Send, Tcp, Tls, Token,
        };
        let mut order = vec![Dns, Token, Claims, Tcp];
        order.extend_from_slice(match endpoint.security() {
            Security::ImplicitTls => &[Tls, Greeting],
            Security::StartTls => &[Greeting, Tls],
            Security::ClearText(_) => &[Greeting],
        });
        order.extend([Capabilities, Auth]);
        match endpoint.protocol() {
            Protocol::Smtp => order.push(Send),
            Protocol::Imap | Protocol::Pop => order.push(Mailbox),
        }
        if sends && endpoint.protocol() == Protocol::Smtp {
            order.push(Message);
        }
        Self {
            mailbox: auth.credentials().user().into(),
            endpoint,
            order: order.into(),
            listener: None,
            known: Arc::default(),
        }
    }

    pub(super) fn telling(mut self, listener: Option<Listener>) -> Self {
        self.listener = listener;
        self
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A listener that panics leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, progress: &Progress<'_>) {
        if let Some(listener) = &self.listener {
            listener(progress);
        }
    }

    pub(super) fn begin(&self, step: StepName) {
        self.known().running = Some((step, Instant::now()));
        self.tell(&Progress::Began { endpoint: &self.endpoint, step });
    }

    /// Ends the step that runs.
    pub(super) fn end(&self, outcome: Outcome, found: Found) {
        self.end_at(Instant::now(), outcome, found);
    }

    fn end_at(&self, at: Instant, outcome: Outcome, found: Found) {
        let running = self.known().running.take();
        let Some((name, since)) = running else { return };
        self.add(Step {
            name,
            outcome,
            duration: at.saturating_duration_since(since),
            summary: found.summary,
            details: found.details,
            diagnosis: found.diagnosis,
        });
    }

    fn add(&self, step: Step) {
        self.tell(&Progress::Ended { endpoint: &self.endpoint, step: &step });
        self.known().steps.push(step);
    }

    pub(super) fn pass(&self, found: Found) {
        self.end(Outcome::Passed, found);
    }

    pub(super) fn skip(&self, name: StepName, why: &str) {
        let (duration, details, diagnosis) = (Duration::ZERO, Vec::new(), None);
        let summary = why.to_owned();
        self.add(Step { name, outcome: Outcome::Skipped, duration, summary, details, diagnosis });
    }

    /// Why what is not done will not be tried, unless that is known already.
    pub(super) fn give_up(&self, because: &str) {
        self.known().because.get_or_insert_with(|| because.to_owned());
    }

    /// A step failed, and those behind it will not be tried. If another is running that it does not
    /// know of, that has passed.
    pub(super) fn fail(&self, step: StepName, found: Found) {
        // What went well on the first connection may fail on a second one, which is for the login.
        let again = step != StepName::Capabilities && self.done(step);
        let step = if again { StepName::Auth } else { step };
        if step > StepName::Capabilities {
            self.offered_enough();
        }
        self.known().offered = None;
        self.go_to(step);
        self.end(Outcome::Failed, found);
        self.give_up(&format!("the step {step} failed"));
    }

    /// What was offered is enough.
    pub(super) fn offered_enough(&self) {
        let offered = self.known().offered.take();
        if let Some((offered, at)) = offered {
            self.go_to(StepName::Capabilities);
            let found = self.of_offered(&offered);
            self.end_at(at, Outcome::Passed, found);
            // The login began when that had ended.
            self.known().running = Some((StepName::Auth, at));
            if !self.known().stops {
                self.tell(&Progress::Began { endpoint: &self.endpoint, step: StepName::Auth });
            }
        }
    }

    /// What of it decides how the login goes.
    fn of_offered(&self, offered: &str) -> Found {
        let words: Vec<&str> = offered.split([' ', ',']).collect();
        let has = |wanted: &str| words.iter().any(|word| word.eq_ignore_ascii_case(wanted));
        let offers = |name: &str| match self.endpoint.protocol() {
            Protocol::Imap => has(&format!("AUTH={name}")),
            Protocol::Smtp | Protocol::Pop => has(name),
        };
        let tell = |offered: bool| if offered { "offered" } else { "not offered" };
        let found = Found::new(offered)
            .detail("offered", offered)
            .detail("xoauth2", tell(offers("XOAUTH2")))
            .detail("oauthbearer", tell(offers("OAUTHBEARER")));
        match self.endpoint.protocol() {
            Protocol::Imap => found
                .detail("sasl_ir", tell(has("SASL-IR")))
                .detail("login", if has("LOGINDISABLED") { "disabled" } else { "not disabled" }),
            Protocol::Smtp | Protocol::Pop => found,
        }
    }

    /// Makes this step the one that runs.
    fn go_to(&self, step: StepName) {
        let running = self.known().running.map(|(running, _)| running);
        if running != Some(step) && !self.done(step) {
            self.begin(step);
        }
    }

    pub(super) fn done(&self, step: StepName) -> bool {
        self.known().steps.iter().any(|done| done.name == step)
    }

    /// Goes on to what needs no token, and no further.
    pub(super) fn stop_before_login(&self) {
        self.known().stops = true;
    }

    /// Whether that is where it was to end. `misused`: the connector was told to stop.
    pub(super) fn stopped_at_login(&self, misused: bool) -> bool {
        let stopped = misused && self.known().stops && self.known().offered.is_some();
        if stopped {
            self.offered_enough();
            self.known().running = None;
        }
        stopped
    }

    /// Connections that were opened.
    pub(super) fn connections(&self) -> usize {
        self.known().connections
    }

    /// Whether the server wanted no login (RFC 9051 section 7.1.4).
    pub(super) fn preauth(&self) -> bool {
        self.known().preauth
    }

    /// The step that the connector takes next.
    fn next(&self, behind: StepName) {
        let at = self.order.iter().position(|step| *step == behind);
        let next = at.and_then(|at| self.order.get(at + 1));
        if let Some(next) = next.filter(|next| !self.done(**next)) {
            self.begin(*next);
        }
    }

    /// The report, in which every step has an outcome. `late`: the deadline that passed.
    pub(super) fn finish(self, late: Option<Duration>) -> EndpointReport {
        if let Some(deadline) = late {
            let why =
                format!("not done within the {} s that the check may take", deadline.as_secs_f32());
            self.offered_enough();
            let running = self.known().running;
            if let Some((step, _)) = running {
                self.end(Outcome::Failed, Found::new(why));
                self.give_up(&format!("the step {step} was not done in time"));
            }
            self.give_up("there was no time left");
        }
        self.known().running = None;
        let because = self.known().because.clone().unwrap_or_else(|| "not needed".to_owned());
        for step in self.order.iter().filter(|step| !self.done(**step)) {
            self.skip(*step, &because);
        }
        let mut steps = std::mem::take(&mut self.known().steps);
        steps.sort_by_key(Step::name);
        EndpointReport { endpoint: self.endpoint, mailbox: self.mailbox.to_string(), steps }
    }
}

impl Watch for Log {
    fn reached(&self, milestone: Milestone) -> bool {
        if let Milestone::Dialled(_) = milestone {
            self.known().connections += 1;
        }
        // A second connection tells nothing new.
        if self.known().connections > 1 {
            return true;
        }
        match milestone {
            Milestone::Dialled(peer) => {
                let peer = peer.map(|peer| peer.to_string());
                let found = Found::new(match &peer {
                    Some(peer) => format!("connected to {peer}"),
                    None => "connected".to_owned(),
                });
                self.pass(match peer {
                    Some(peer) => found.detail("address", peer),
                    None => found,
                });
                self.next(StepName::Tcp);
            }
            Milestone::Secured(version) => {
                self.pass(
                    Found::new(format!("{version}, the certificate was accepted"))
                        .detail("version", version),
                );
                self.next(StepName::Tls);
            }
            Milestone::Greeted(greeting) => {
                let imap = self.endpoint.protocol() == Protocol::Imap;
                self.known().preauth = imap && greeting.starts_with("PREAUTH");
                self.pass(Found::new(greeting.clone()).detail("greeting", greeting));
                self.next(StepName::Greeting);
            }
            Milestone::Offered(offered) => {
                self.go_to(StepName::Capabilities);
                self.known().offered = Some((offered, Instant::now()));
                return !self.known().stops;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_one_line_that_ends_and_turns_no_terminal_around() {
        let found = Found::new("220 mail\r\n\u{202E}evil\u{2066}\u{1b}[2J");
        assert_eq!(found.summary, "220 mail \u{FFFD}evil\u{FFFD}\u{FFFD}[2J");
        let long = "é".repeat(1 << 20);
        let found = Found::new(&*long).detail("greeting", &*long);
        assert_eq!(found.summary.chars().count(), 501);
        let kept = &found.details[0].1;
        assert!(kept.len() <= LONGEST_DETAIL + '…'.len_utf8() && kept.ends_with('…'));
    }

    #[test]
    fn what_decides_the_login_is_found_behind_what_is_cut_off() {
        let endpoint = Endpoint::imap("mail.example");
        let auth = Auth::plain("a@b.example", "secret");
        let log = Log::new(endpoint, &auth, false);
        let offered = format!("{} AUTH=XOAUTH2", "X-FILLING ".repeat(1000));
        let found = log.of_offered(&offered);
        assert!(found.details.contains(&("xoauth2", "offered".to_owned())));
    }
}
