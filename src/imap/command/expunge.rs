//! EXPUNGE, RFC 9051 section 6.4.3, and UID EXPUNGE, RFC 4315 section 2.1.
//!
//! ```text
//! C: A5 UID EXPUNGE 3000:3002
//! S: * 3 EXPUNGE
//! S: * 3 EXPUNGE
//! S: * 3 EXPUNGE
//! S: A5 OK UID EXPUNGE completed
//! ```
//!
//! After ENABLE QRESYNC, RFC 7162 section 3.2.10, UIDs are told instead, and others' may be among
//! them:
//!
//! ```text
//! C: A6 UID EXPUNGE 3000:3002
//! S: * VANISHED 405,3000:3002
//! S: A6 OK UID EXPUNGE completed
//! ```

use bytes::Bytes;

use super::{Command, Piecewise, is_data, is_numbered};
use crate::imap::proto::answer::vanished;
use crate::imap::proto::decode::Parsed;
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Core};
use crate::imap::types::NumberSet;
use crate::imap::{Capabilities, Error, Event, Flag, Mailbox, Reply, Search, StoreFlags, UidSet};
use crate::{Misuse, Stage};

/// The messages that were removed: by sequence number, or by UID after
/// [`Extension::QResync`](crate::imap::Extension::QResync).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expunged {
    numbers: Vec<u32>,
    uids: UidSet,
}

impl Expunged {
    /// The sequence numbers that were freed, in their order: each is that of its message after the
    /// removals before it. None where the server tells UIDs.
    pub fn numbers(&self) -> &[u32] {
        &self.numbers
    }

    /// The UIDs of the messages. None where the server tells sequence numbers.
    pub const fn uids(&self) -> &UidSet {
        &self.uids
    }

    /// How many messages were removed.
    pub fn len(&self) -> usize {
        self.numbers.len() + self.uids.count() as usize
    }

    /// Whether none was.
    pub const fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.uids.is_empty()
    }

    /// Tells of them as events.
    pub(super) fn tell(self, core: &mut Core) {
        self.numbers.into_iter().for_each(|number| core.keep(Event::Expunge(number)));
        if !self.uids.is_empty() {
            core.keep(Event::Vanished { uids: self.uids, earlier: false });
        }
    }
}

impl Mailbox {
    /// Removes every message that is marked `\Deleted`, whoever marked it.
    ///
    /// # Errors
    /// Besides what [all methods](Self#errors) can fail with, [`Error::Refused`] if the mailbox is
    /// read-only. What was expunged before a refusal is found among the events.
    ///
    /// # Cancel safety
    /// See [`ImapClient`](crate::ImapClient). The server expunges all the same. What it has told of
    /// before the future was dropped is not told again.
    pub async fn expunge(&mut self) -> Result<Expunged, Error> {
        self.run(Expunge::of(None)).await
    }

    /// Removes those of the given messages that are marked `\Deleted`, and no others. An empty set
    /// removes nothing and asks nothing of the server; one too long for a line goes in several
    /// commands, of which those behind a refused one are not sent; what was expunged before is found
    /// among the events. So is [`Event::Vanished`] of messages that are gone and not in the set.
    ///
    /// # Errors
    /// Besides what [all methods](Self#errors) can fail with, [`Error::Unsupported`] if the server does
    /// not offer `UIDPLUS`; [`Error::Refused`] if the mailbox is read-only.
    ///
    /// # Cancel safety
    /// See [`ImapClient`](crate::ImapClient). The server expunges all the same. What it has told of
    /// before the future was dropped is not told again.
    pub async fn uid_expunge(&mut self, set: impl Into<UidSet>) -> Result<Expunged, Error> {
        let uids = set.into();
        if uids.is_empty() {
            return Ok(Expunged::default());
        }
        let stage = Stage::Command("UID EXPUNGE");
        self.session.rest(stage).await?;
        let offer = self.session.core().offer();
        if !offer.has("UIDPLUS") {
            return Err(Error::lacks(offer.announced, stage, "UIDPLUS"));
        }
        let expunge = |uids| Expunge::of(Some(uids));
        Ok(self.session.run_split(&uids, stage, expunge).await?.unwrap_or_default())
    }
}

/// How far the removal of some messages has come.
pub(super) struct Removal {
    /// All of them were marked `\Deleted`.
    pub(super) marked: bool,
    pub(super) expunged: Expunged,
    pub(super) ended: Result<(), Error>,
}

pub(super) const NOT_EXPUNGED: Error = Error::NotExpunged { stage: Stage::Command("UID EXPUNGE") };

impl Mailbox {
    /// What cannot be done to its end is not begun: messages must be marked `\Deleted` for it.
    pub(super) fn check_deletes(&self, stage: Stage) -> Result<(), Error> {
        if self.is_read_only() {
            return Err(Error::ReadOnly { stage });
        }
        match self.permanent_flags() {
            Some(flags) if !flags.contains(&Flag::Deleted) => Err(Error::Undeletable { stage }),
            _ => Ok(()),
        }
    }

    /// Those of some messages that are still there after a UID EXPUNGE that was granted. A server may
    /// have ignored the mark, and another client may have taken it off.
    pub(super) async fn left_of(
        &mut self,
        uids: &UidSet,
        expunged: &Expunged,
    ) -> Result<UidSet, Error> {
        let told = expunged.uids().within(uids).count() as usize;
        if told + expunged.numbers().len() >= uids.count() as usize {
            return Ok(UidSet::default());
        }
        // That fewer were told proves nothing: Gmail may expunge at STORE, and some may have been gone
        // before.
        let left = uids.without(expunged.uids());
        let found = self.uid_search(Search::all().uids(left.clone())).await?;
        let unread = found.unread() > 0;
        let found = found.into_set();
        // An answer about other messages is none.
        let makes_sense = !unread && found.within(&left).count() == found.count();
        Ok(if makes_sense { found } else { left })
    }

    /// Marks messages `\Deleted` and expunges them and no others, at a server that has UIDPLUS. What
    /// is gone is not among the events, even if it fails.
    pub(super) async fn remove(&mut self, uids: &UidSet) -> Removal {
        const STAGE: Stage = Stage::Command("UID EXPUNGE");
        if let Err(error) = self.mark(uids).await {
            return Removal { marked: false, expunged: Expunged::default(), ended: Err(error) };
        }
        let expunge = |uids| Expunge { reports: true, ..Expunge::of(Some(uids)) };
        let (expunged, ended) = match self.session.run_split(uids, STAGE, expunge).await {
            Ok(expunged) => (expunged.unwrap_or_default(), Ok(())),
            Err(Error::Halfway { expunged, cause, .. }) => (*expunged, Err(*cause)),
            Err(error) => (Expunged::default(), Err(error)),
        };
        Removal { marked: true, expunged, ended }
    }

    /// Marks messages `\Deleted`.
    pub(super) async fn mark(&mut self, uids: &UidSet) -> Result<(), Error> {
        let deleted = StoreFlags::add([Flag::Deleted]).silent();
        self.uid_store(uids, deleted).await.map(drop)
    }
}

/// What a command is told of messages that it removes.
#[derive(Default)]
pub(super) struct Removals {
    numbers: Vec<u32>,
    vanished: Vec<(u32, u32)>,
}

impl Removals {
    /// Whether a response tells of messages that are gone, and not of those that had gone before.
    pub(super) fn are_told_by(response: &Response<'_>) -> bool {
        match *response {
            Response::Data { rest, .. } if is_data(response, "VANISHED") => {
                matches!(vanished(rest), Ok((_, false)))
            }
            _ => is_numbered(response, "EXPUNGE"),
        }
    }

    pub(super) fn take(&mut self, response: &Response<'_>) -> Parsed<()> {
        match *response {
            Response::Numbered { number, .. } => self.numbers.push(number),
            Response::Data { rest, .. } => self.vanished.extend(vanished(rest)?.0.closed()),
            _ => {}
        }
        Ok(())
    }

    /// Leaves those of a set, or all if there is none, and tells of the others as an event. `known`
    /// are messages that the server has said to be in it.
    pub(super) fn give_back(&mut self, set: Option<&UidSet>, known: &UidSet, core: &mut Core) {
        let Some(set) = set else { return };
        let all = UidSet::of(NumberSet::of_ranges(std::mem::take(&mut self.vanished)));
        let (named, uids) = all.parted_by(set, known);
        self.vanished.extend(named.closed());
        if !uids.is_empty() {
            core.keep(Event::Vanished { uids, earlier: false });
        }
    }

    /// Those of the commands before, and these.
    pub(super) fn behind(self, mut before: Expunged) -> Expunged {
        before.numbers.extend(self.numbers);
        before.uids.add(&UidSet::of(NumberSet::of_ranges(self.vanished)));
        before
    }
}

struct Expunge {
    uids: Option<UidSet>,
    before: Expunged,
    removals: Removals,
    /// If it fails, the error says what is gone, and no event.
    reports: bool,
}

impl Expunge {
    fn of(uids: Option<UidSet>) -> Self {
        let (before, removals, reports) = Default::default();
        Self { uids, before, removals, reports }
    }
}

impl Command for Expunge {
    type Output = Expunged;

    fn name(&self) -> &'static str {
        if self.uids.is_some() { "UID EXPUNGE" } else { "EXPUNGE" }
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        match &self.uids {
            None => line.raw("EXPUNGE"),
            Some(uids) => line.raw("UID EXPUNGE ").uids(uids)?,
        };
        Ok(())
    }

    fn claims(&self) -> Claims {
        Claims::Data(Removals::are_told_by)
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        self.removals.take(response)
    }

    fn give_back(&mut self, core: &mut Core) {
        self.removals.give_back(self.uids.as_ref(), &UidSet::default(), core);
    }

    fn finish(self, _: Reply) -> Expunged {
        self.removals.behind(self.before)
    }

    /// What is gone must not be lost.
    fn failed(mut self, error: Error, core: &mut Core) -> Error {
        if !self.reports {
            self.removals.behind(self.before).tell(core);
            return error;
        }
        self.give_back(core);
        let expunged = Box::new(self.removals.behind(self.before));
        let (done, kept, copied) = Default::default();
        Error::Halfway { done, kept, copied, expunged, cause: Box::new(error) }
    }
}

impl Piecewise for Expunge {
    const REMOVES: bool = true;

    fn go_on_from(&mut self, before: Expunged) {
        self.before = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    #[test]
    fn the_numbers_come_in_the_order_of_the_wire() {
        // RFC 3501 section 6.4.3.
        let script = "
            S: * PREAUTH hi
            C: A1 EXPUNGE
            S: * 3 EXPUNGE
            S: * 3 EXPUNGE
            S: * 5 EXPUNGE
            S: * 8 EXPUNGE
            S: A1 OK EXPUNGE completed
        ";
        play(
            || Expunge::of(None),
            script,
            |mut played| {
                let expunged = played.output.unwrap();
                assert_eq!((expunged.numbers(), expunged.len()), (&[3, 3, 5, 8][..], 4));
                assert!(played.core.take_event().is_none());
            },
        );
    }

    #[test]
    fn uids_are_named_in_ascending_order() {
        let script = "
            S: * PREAUTH hi
            C: A1 UID EXPUNGE 3000:3002,3007
            S: A1 OK done
        ";
        let uids = || UidSet::parse("3007,3002:3000").ok();
        play(|| Expunge::of(uids()), script, |played| assert!(played.output.unwrap().is_empty()));
    }

    #[test]
    fn of_what_vanishes_the_highest_is_taken_for_the_last_message() {
        for (set, gone, ours, others) in [
            ("*", "3,5", "5", "3"),
            ("7:*", "3,5", "5", "3"),
            ("7:*", "5,9", "9", "5"),
            ("3,*", "3:5", "3,5", "4"),
        ] {
            let script = format!(
                "
                S: * PREAUTH hi
                C: A1 UID EXPUNGE {set}
                S: * VANISHED {gone}
                S: A1 OK done
                "
            );
            let uids = || UidSet::parse(set).ok();
            play(
                || Expunge::of(uids()),
                &script,
                |mut played| {
                    assert_eq!(played.output.unwrap().uids().to_string(), ours, "{set} {gone}");
                    let Some(Event::Vanished { uids, .. }) = played.core.take_event() else {
                        panic!("{set} {gone}")
                    };
                    assert_eq!(uids.to_string(), others, "{set} {gone}");
                },
            );
        }
    }

    #[test]
    fn uids_that_were_not_named_stay_events() {
        let script = "
            S: * PREAUTH hi
            C: A1 UID EXPUNGE 3000:3002,4000:*
            S: * VANISHED 405,2999:3000,4711
            S: * VANISHED (EARLIER) 3001
            S: * VANISHED 3002:3003
            S: A1 OK done
        ";
        let uids = || UidSet::parse("3000:3002,4000:*").ok();
        play(
            || Expunge::of(uids()),
            script,
            |mut played| {
                let expunged = played.output.unwrap();
                assert_eq!(expunged.uids().to_string(), "3000,3002,4711");
                assert_eq!((expunged.len(), expunged.numbers()), (3, &[][..]));
                let mut told = Vec::new();
                while let Some(event) = played.core.take_event() {
                    let Event::Vanished { uids, earlier } = event else { panic!("{event:?}") };
                    told.push(format!("{uids} {earlier}"));
                }
                assert_eq!(told, ["3001 true", "405,2999,3003 false"]);
            },
        );
    }
}
