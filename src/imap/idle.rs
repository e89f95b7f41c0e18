//! Watching a mailbox.
//!
//! ```text
//!         ┌────────── IDLE ──► idling ──── time is up ──► DONE ──┐
//!  rest ──┤                      │ ended by the server           │
//!    ▲    ├── no IDLE: NOOP ──► quiet ──── time is up            │
//!    │    └── NOTIFY: nothing ────┤              │               │
//!    └───────────────────────────┴───────────────┴───────────────┘
//! ```
//!
//! Who listens (RFC 5465) begins with the silence, and NOOP ends it.

use std::fmt;
use std::time::Duration;

use tokio::time::timeout_at;

use crate::Stage;

use super::command::Command;
use super::command::idle::{Poll, WireIdle};
use super::proto::{Step, Tag};
use super::{Error, Event, Mailbox};

/// RFC 2177: servers may close a connection on which a client has idled for half an hour, so that it
/// must be ended at least every 29 minutes. It takes a moment until that is with the server.
const LONGEST: Duration = Duration::from_secs(28 * 60);
/// Gmail and many a router in between forget a quiet connection after ten minutes.
const RENEW: Duration = Duration::from_secs(9 * 60);
const POLL: Duration = Duration::from_secs(60);
/// What asks more often than this is a mistake.
const SHORTEST: Duration = Duration::from_secs(1);
/// A server that ends IDLE by itself so soon does not mean it.
const TOO_SOON: Duration = Duration::from_secs(60);

impl Mailbox {
    /// Watches the mailbox: [`Idle::next`] waits until the server tells of something.
    ///
    /// It is done by IDLE (RFC 2177). Every nine minutes it is ended and begun anew, which keeps
    /// the server from closing the connection, and finds out whether there still is one: a
    /// connection that was lost without a word answers nothing, and that is an error once
    /// [`Timeouts::reply`](crate::Timeouts::reply) has passed. Where the server has no IDLE, it is
    /// asked by NOOP once a minute. Nothing is sent before the first `next`.
    ///
    /// # Example: each new message
    /// What is new is told by the UID of the last message that was seen:
    /// [`uid_next`](Self::uid_next) is as of the selection, and does not follow what arrives.
    ///
    /// ```no_run
    /// use mailbearer::imap::{Error, Event, Fetch, Mailbox, Uid, UidSet};
    ///
    /// /// `last` is the highest UID that was fetched so far.
    /// async fn watch(inbox: &mut Mailbox, mut last: Uid) -> Result<(), Error> {
    ///     loop {
    ///         let mut idle = inbox.idle();
    ///         loop {
    ///             match idle.next().await? {
    ///                 // What was lost may have been this.
    ///                 Event::Exists(_) | Event::Overflow { .. } => break,
    ///                 // What UIDs were known means nothing any longer: begin anew.
    ///                 Event::UidValidity { .. } => return Ok(()),
    ///                 other => println!("{other:?}"),
    ///             }
    ///         }
    ///         idle.done().await?;
    ///
    ///         let known = last;
    ///         let mut new = inbox.uid_fetch(UidSet::from_on(known), Fetch::envelope()).await?;
    ///         while let Some(message) = new.next().await? {
    ///             // The last message is always in the set, be it an old one.
    ///             if let Some(uid) = message.uid().filter(|uid| *uid > known) {
    ///                 println!("{uid}: {:?}", message.envelope());
    ///                 last = last.max(uid);
    ///             }
    ///         }
    ///     }
    /// }
    /// ```
    pub fn idle(&mut self) -> Idle<'_> {
        let way = if self.session.core().offer().has("IDLE") { Way::Idle } else { Way::Poll };
        Idle::new(self, way)
    }
}

/// A mailbox that is being watched, by [`Mailbox::idle`].
///
/// It may be dropped at any time: the next command ends it. To end it at once, call
/// [`done`](Self::done).
// Nothing in it may need dropping, or the borrow of the mailbox would last to the end of its scope.
#[must_use = "what happens comes from `next`"]
pub struct Idle<'a> {
    mailbox: &'a mut Mailbox,
    round: Round,
    way: Way,
    renew_every: Duration,
    poll_every: Duration,
}

/// How the server is brought to tell what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Idle,
    /// By NOOP again and again: it has no IDLE, or does not mean it.
    Poll,
    /// It does by itself.
    Listen,
}

#[derive(Clone, Copy)]
enum Round {
    /// Nothing is in flight.
    Rest,
    Idling(Tag),
    /// DONE was said.
    Ending(Tag),
    Polling(Tag),
    /// Nothing is in flight until it is time for the next NOOP.
    Quiet,
}

const STAGE: Stage = Stage::Command("IDLE");

impl<'a> Idle<'a> {
    pub(super) const fn new(mailbox: &'a mut Mailbox, way: Way) -> Self {
        let poll_every = match way {
            Way::Listen => RENEW,
            Way::Idle | Way::Poll => POLL,
        };
        Self { mailbox, round: Round::Rest, way, renew_every: RENEW, poll_every }
    }

    /// Ends IDLE and begins it anew so often, in place of every nine minutes. Less than a second is
    /// taken for a second, more than 28 minutes for 28: RFC 2177 wants it within 29. The less it is,
    /// the sooner a lost connection is noticed.
    pub fn renew_every(mut self, interval: Duration) -> Self {
        self.renew_every = interval.clamp(SHORTEST, LONGEST);
        self
    }

    /// Asks by NOOP so often where there is no IDLE, in place of once a minute. Less than a second is
    /// taken for a second, more than 28 minutes for 28.
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.poll_every = interval.clamp(SHORTEST, LONGEST);
        self
    }

    /// The mailbox as far as it is known by now.
    pub const fn mailbox(&self) -> &Mailbox {
        self.mailbox
    }

    /// The next event, in the order in which the server tells them; those that nobody has taken
    /// before come first. While nothing happens, it waits.
    ///
    /// # Errors
    /// [`Error::Closed`] if the server closes the connection, in which case
    /// [`retry`](crate::Failure::retry) tells whether the token is to blame; [`Error::Net`] if the
    /// connection is lost; [`Error::Refused`] if the server does not want to be asked. After one
    /// that leaves the [connection usable](crate::Failure::connection_usable), the next call asks
    /// anew.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped: the next call goes on where this one stopped. Time
    /// in which nobody waits counts as well, so come back before the half hour is over after which
    /// servers close the connection.
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.mailbox.take_event() {
                return Ok(event);
            }
            if let Err(error) = self.turn().await {
                self.round = Round::Rest;
                // What was told before is not kept back.
                return self.mailbox.take_event().ok_or(error);
            }
        }
    }

    /// Ends it and waits until the server has said so. What it told meanwhile is found by
    /// [`Mailbox::take_event`].
    ///
    /// # Errors
    /// As for [`next`](Self::next).
    ///
    /// # Cancel safety
    /// See [`ImapClient`](crate::ImapClient).
    pub async fn done(mut self) -> Result<(), Error> {
        if let Round::Idling(tag) = self.round {
            self.let_go(tag);
        }
        while !matches!(self.round, Round::Rest | Round::Quiet) {
            self.turn().await?;
        }
        Ok(())
    }

    /// One step of the state picture above.
    async fn turn(&mut self) -> Result<(), Error> {
        match self.round {
            Round::Rest => match self.way {
                Way::Idle => self.round = Round::Idling(self.send(&WireIdle).await?),
                Way::Poll => self.round = Round::Polling(self.send(&Poll).await?),
                Way::Listen => {
                    self.mailbox.session.settle(STAGE).await?;
                    self.mailbox.session.core_mut().watch();
                    self.round = Round::Quiet;
                }
            },
            Round::Idling(tag) => match self.step_until(self.renew_every).await {
                None => self.let_go(tag),
                Some(step) => {
                    if self.is_over(tag, step?)? {
                        if self.mailbox.session.last_command().elapsed() < TOO_SOON {
                            self.way = Way::Poll;
                        }
                        self.round = Round::Rest;
                    }
                }
            },
            Round::Ending(tag) => {
                let step = self.mailbox.session.step(STAGE).await?;
                if self.is_over(tag, step)? {
                    self.round = Round::Rest;
                }
            }
            Round::Polling(tag) => {
                let step = self.mailbox.session.step(STAGE).await?;
                if self.is_over(tag, step)? {
                    self.round = Round::Quiet;
                }
            }
            Round::Quiet => match self.step_until(self.poll_every).await {
                None => self.round = Round::Polling(self.send(&Poll).await?),
                Some(step) => drop(step?),
            },
        }
        Ok(())
    }

    async fn send<C: Command>(&mut self, command: &C) -> Result<Tag, Error> {
        let session = &mut self.mailbox.session;
        session.settle(STAGE).await?;
        session.send(command)
    }

    /// Nothing if so much time has passed since the last command.
    async fn step_until(&mut self, passed: Duration) -> Option<Result<Step, Error>> {
        let since = self.mailbox.session.last_command();
        timeout_at(since + passed, self.mailbox.session.step(STAGE)).await.ok()
    }

    fn let_go(&mut self, tag: Tag) {
        self.mailbox.session.core_mut().let_go();
        self.round = Round::Ending(tag);
    }

    fn is_over(&self, of: Tag, step: Step) -> Result<bool, Error> {
        match step {
            Step::Done { tag, reply } if tag == of => {
                self.mailbox.session.judge(reply, STAGE).map(|_| true)
            }
            _ => Ok(false),
        }
    }
}

impl fmt::Debug for Idle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").field("mailbox", &self.mailbox).finish_non_exhaustive()
    }
}
