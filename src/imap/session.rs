//! A connection and its core: how a command is run, before login and after.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::auth::AuthCause;
use crate::connector::Settings;
use crate::machine::Machine;
use crate::net::Stream;
use crate::net::driver::{Broken, Driver};
use crate::{AuthError, Misuse, Protocol, Stage};

use super::command::append_limit::AppendLimits;
use super::command::{Command, Fit};
use super::proto::encode::Line;
use super::proto::response::Response;
use super::proto::{Core, Step, Tag};
use super::{Error, MailboxName, Reply, Status};

pub(crate) struct Session {
    driver: Driver<Core>,
    /// When the last command was sent.
    last_command: Instant,
    /// What the connection was made with, but for the credentials.
    pub(super) settings: Arc<Settings>,
    pub(super) append_limits: AppendLimits,
    #[cfg(feature = "compress")]
    pub(super) compressed: bool,
}

impl Session {
    pub(crate) fn new(stream: Box<dyn Stream>, settings: &Settings, confidential: bool) -> Self {
        let core = Core::new(&settings.limits, confidential);
        let (timeouts, limits) = (settings.timeouts.clone(), &settings.limits);
        let driver = Driver::new(stream, core, Protocol::Imap.name(), timeouts, limits);
        Self {
            driver: driver.recorded(settings.dialogue.clone()),
            last_command: Instant::now(),
            // Who follows how a connection is opened is done with it then.
            settings: Arc::new(Settings { watch: None, ..settings.clone() }),
            append_limits: AppendLimits::default(),
            #[cfg(feature = "compress")]
            compressed: false,
        }
    }

    pub(crate) const fn core(&self) -> &Core {
        self.driver.core()
    }

    pub(crate) const fn core_mut(&mut self) -> &mut Core {
        self.driver.core_mut()
    }

    pub(crate) const fn driver_mut(&mut self) -> &mut Driver<Core> {
        &mut self.driver
    }

    /// A mailbox of this name comes, goes, or gets another name, and with it maybe those below it:
    /// what is known of the name may be true no longer.
    pub(crate) fn displace(&mut self, name: &MailboxName) {
        self.core_mut().displace(name);
        self.append_limits.forget_below(name);
    }

    /// A mailbox of this name is made. Another client may have removed the one that had the name, or
    /// those above it, which then come with it.
    pub(crate) fn displace_made(&mut self, name: &MailboxName) {
        self.displace(name);
        self.core_mut().displace_above(name);
        self.append_limits.forget_above(name);
    }

    pub(crate) fn into_parts(self) -> (Box<dyn Stream>, Core) {
        self.driver.into_parts()
    }

    pub(crate) const fn last_command(&self) -> Instant {
        self.last_command
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.driver.is_open() && self.core().takes_commands()
    }

    /// Runs a command: brings the connection to rest, writes it, reads its answer.
    pub(crate) async fn run<C: Command>(
        &mut self,
        command: C,
        stage: Stage,
    ) -> Result<C::Output, Error> {
        match self.begin(&command, stage).await {
            Ok(tag) => self.finish(tag, command, stage).await,
            Err(error) => Err(command.failed(error, self.core_mut())),
        }
    }

    async fn begin<C: Command>(&mut self, command: &C, stage: Stage) -> Result<Tag, Error> {
        self.rest(stage).await?;
        let line = self.encode(command)?;
        self.settle(stage).await?;
        self.start(line, command)
    }

    /// Ends what a dropped future has left, if it has left anything. How a command is written, and
    /// which one it is, may depend on what has come of that: an ENABLE, a SELECT.
    pub(crate) async fn rest(&mut self, stage: Stage) -> Result<(), Error> {
        if self.core().in_flight() { self.settle(stage).await } else { Ok(()) }
    }

    /// Ends what a dropped future has left, and finds out whether the server still listens.
    pub(crate) async fn settle(&mut self, stage: Stage) -> Result<(), Error> {
        let settled = self.driver.settle().await;
        // What may have been stored was another command's.
        settled.map_err(|broken| Error::before(self.core(), stage, broken))?;
        if self.core().takes_commands() {
            return Ok(());
        }
        // A server that has said goodbye has closed it already.
        if self.core().last_words().is_none() {
            self.driver.close_after(&"the server refused a message that was on its way");
        }
        Err(Error::before(self.core(), stage, self.driver.gone()))
    }

    pub(crate) fn encode<C: Command>(&self, command: &C) -> Result<Line, Error> {
        let (offered, enabled) = (self.core().capabilities(), self.core().enabled());
        if let Some(need) = command.needs().iter().find(|need| !need.is_met(offered, enabled)) {
            return Err(need.unmet(offered, Stage::Command(command.name())));
        }
        let mut line = self.core().line();
        command.encode(&mut line, offered)?;
        Ok(line)
    }

    pub(crate) fn start<C: Command>(&mut self, line: Line, command: &C) -> Result<Tag, Error> {
        // Since it was encoded, the answer to a dropped search may have come.
        line.check_saved(self.core().saved())?;
        if line.names_numbers() && self.core().notifying().expunges {
            let why = "since NOTIFY a number may mean another message at any time: name UIDs, or \
                       ask by `selected_delayed`";
            return Err(Misuse::Argument { what: "sequence number", why: why.to_owned() }.into());
        }
        // And the server may have said what the caller does not know.
        if line.names_numbers() && self.core().events().tell_of_removals() {
            return Err(Error::Renumbered { stage: Stage::Command(command.name()) });
        }
        if let Some((expected, found)) = self.core().events().tell_of_uid_validity()
            && line.names_uids()
        {
            return Err(Error::Changed {
                stage: Stage::Command(command.name()),
                expected,
                found: Some(found),
            });
        }
        self.last_command = Instant::now();
        let started = self.core_mut().start(line, command.claims(), command.effect());
        started.map_err(|error| Error::unwritable(command.name(), error))
    }

    /// Encodes and sends a command at once, to share a flight with others.
    pub(crate) fn send<C: Command>(&mut self, command: &C) -> Result<Tag, Error> {
        let line = self.encode(command)?;
        self.start(line, command)
    }

    async fn finish<C: Command>(
        &mut self,
        tag: Tag,
        mut command: C,
        stage: Stage,
    ) -> Result<C::Output, Error> {
        command.started(tag, self.core().takes_utf8());
        if self.core().notifying().tells {
            command.beware();
        }
        let ended = self.serve(tag, &mut command, stage).await;
        match ended.and_then(|reply| self.judge(reply, stage)) {
            Ok(reply) => {
                command.give_back(self.core_mut());
                Ok(command.finish(reply))
            }
            Err(error) => Err(command.failed(error, self.core_mut())),
        }
    }

    /// Hands a command what it claims until it is answered.
    async fn serve<C: Command>(
        &mut self,
        tag: Tag,
        command: &mut C,
        stage: Stage,
    ) -> Result<Reply, Error> {
        loop {
            match self.step(stage).await? {
                Step::Data { tag: whose, frame } if whose == tag => self.hand(command, frame),
                Step::Fetched { tag: whose } if whose == tag => {
                    if let Some(message) = self.core_mut().take_fetched() {
                        command.fetched(message);
                    }
                }
                Step::Done { tag: whose, reply } if whose == tag => return Ok(reply),
                _ => {}
            }
        }
    }

    /// Hands a command what it claims. What makes no sense is kept as an event, and so is what tells
    /// of something else.
    pub(crate) fn hand<C: Command>(&mut self, command: &mut C, frame: Bytes) {
        let response = Response::parse(&frame);
        // A server that tells of changes unasked may mean one that looks like the answer.
        let stray = self.core().notifying().tells && command.fit(&response) < Fit::Exact;
        if stray || !command.is_about(&response) {
            return self.core_mut().unclaimed(&response, &frame);
        }
        match command.accept(&response, &frame) {
            Ok(()) => self.core_mut().charge(command.weight()),
            Err(why) => self.core_mut().keep_unparsed(frame, why),
        }
    }

    pub(crate) async fn step(&mut self, stage: Stage) -> Result<Step, Error> {
        let event = self.driver.event().await;
        self.heard(event, stage)
    }

    /// What it means that the driver reports this.
    #[inline]
    pub(crate) fn heard(&self, event: Result<Step, Broken>, stage: Stage) -> Result<Step, Error> {
        match event {
            Ok(Step::Gone) => Err(Error::closed(self.core(), stage).or_unknown(self.core())),
            Ok(step) => Ok(step),
            Err(broken) => Err(Error::broken(self.core(), stage, broken)),
        }
    }

    /// What a tagged answer means to the caller.
    pub(crate) fn judge(&self, reply: Reply, stage: Stage) -> Result<Reply, Error> {
        if reply.says_not_connected() {
            return Err(self.refused(reply, AuthCause::NotConnected, false));
        }
        match reply.status() {
            Status::Ok => Ok(reply),
            _ => Err(Error::refused(self.core(), stage, reply)),
        }
    }

    /// The login failed, or proves now to have failed. `inline`: the initial response stood on the
    /// command line.
    pub(crate) fn refused(&self, reply: Reply, cause: AuthCause, inline: bool) -> Error {
        let Some(session) = self.core().session() else {
            return Error::refused(self.core(), Stage::Auth, reply);
        };
        let mut error = AuthError::new(session, cause, reply);
        error.try_two_step = inline && cause == AuthCause::Malformed;
        Error::Auth(Box::new(error))
    }
}
