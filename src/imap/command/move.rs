//! MOVE and UID MOVE, RFC 9051 section 6.4.8 (RFC 6851).
//!
//! ```text
//! C: A7 UID MOVE 42:69 foo
//! S: * OK [COPYUID 432432 42:69 1202:1229]
//! S: * 22 EXPUNGE
//! S: A7 OK Done
//! ```
//!
//! Where there is no MOVE, three commands do the same (RFC 6851 section 3.3), if the server can
//! expunge some messages and leave others that somebody else has marked:
//!
//! ```text
//! C: A7 UID COPY 42:69 foo
//! S: A7 OK [COPYUID 432432 42:69 1202:1229] COPY completed
//! C: A8 UID STORE 42:69 +FLAGS.SILENT (\Deleted)
//! S: A8 OK STORE completed
//! C: A9 UID EXPUNGE 42:69
//! S: * 22 EXPUNGE
//! S: A9 OK EXPUNGE completed
//! ```
//!
//! Where fewer are told to be expunged than were copied, the server is asked which are still there: it
//! may grant a STORE and keep nothing of it (RFC 9051 section 7.1, PERMANENTFLAGS).
//!
//! At servers without UIDPLUS the last step would expunge what others have marked, so it is left out,
//! and both are for those only who ask for it.
//!
//! All commands must mean the same messages. A set that one delivered meanwhile could enter, such as
//! `42:*`, is therefore turned into UIDs by UID SEARCH first: such a message would be expunged
//! without ever having been copied.

use std::num::NonZeroU32;

use bytes::Bytes;

use super::copy::{CopyResult, Tally};
use super::expunge::{Expunged, NOT_EXPUNGED, Removal, Removals};
use super::message_set::Which;
use super::{Command, Piecewise, is_coded, untagged_code};
use crate::imap::proto::decode::Parsed;
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Core};
use crate::imap::{Capabilities, Error, Mailbox, MailboxName, Reply, Search, SeqSet, Uid, UidSet};
use crate::{Misuse, Stage};

/// What has become of moved messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveResult {
    copied: CopyResult,
    expunged: Expunged,
    way: MoveWay,
}

/// How messages were moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MoveWay {
    /// By MOVE: each of them is in one mailbox or the other at any time.
    Move,
    /// By COPY, STORE and UID EXPUNGE, since the server has no MOVE.
    CopyAndExpunge,
    /// By COPY and STORE, since the server has neither MOVE nor UID EXPUNGE: they are in both
    /// mailboxes now, marked `\Deleted` in the one they were in. Only
    /// [`uid_move_or_mark`](Mailbox::uid_move_or_mark) does so.
    CopyAndMark,
}

impl MoveResult {
    /// The UIDVALIDITY of the mailbox they were moved to, from servers with `UIDPLUS`.
    pub fn uid_validity(&self) -> Option<NonZeroU32> {
        self.copied.uid_validity()
    }

    /// The UID each message had, then the UID it has now. See [`CopyResult::pairs`].
    pub fn pairs(&self) -> impl Iterator<Item = (Uid, Uid)> + '_ {
        self.copied.pairs()
    }

    /// The messages that are gone from the mailbox they were in; none where they were only marked.
    pub const fn expunged(&self) -> &Expunged {
        &self.expunged
    }

    /// How it was done.
    pub const fn way(&self) -> MoveWay {
        self.way
    }
}

impl Mailbox {
    /// Moves messages to another mailbox. UIDs of messages that are gone are passed over by the
    /// server without a word. An empty set moves nothing and asks nothing of the server; one too
    /// long for a line goes in several commands, of which those behind a refused one are not sent.
    ///
    /// Where the server has no MOVE, they are copied, marked `\Deleted` and expunged, and
    /// [`MoveResult::way`] says so. No other message is ever expunged: of a set that new messages
    /// could enter, such as `42:*`, the UIDs are asked for first; and a message stays that the server
    /// does not name where it names what it has copied.
    ///
    /// # Errors
    /// Besides what [all methods](Self#errors) can fail with, [`Error::Unsupported`] if the server
    /// offers neither `MOVE` nor `UIDPLUS`: nothing was done, and
    /// [`uid_move_or_mark`](Self::uid_move_or_mark) is what can be done there. [`Error::Refused`] as for
    /// [`uid_copy`](Self::uid_copy). [`Error::Halfway`] if it failed after some messages had been
    /// moved, or at least copied. Without MOVE, [`Error::ReadOnly`] if nothing can be changed in this
    /// mailbox, [`Error::Undeletable`] if nothing can be removed from it, and [`Error::Illegible`] if
    /// the UIDs are asked for and the answer cannot be read: nothing was done.
    ///
    /// # Cancel safety
    /// See [`ImapClient`](crate::ImapClient). The server moves all the same; without MOVE the
    /// messages may have been copied only.
    pub async fn uid_move(
        &mut self,
        set: impl Into<UidSet>,
        to: impl Into<MailboxName>,
    ) -> Result<MoveResult, Error> {
        self.move_or(None, set.into(), to.into()).await
    }

    /// Moves messages to another mailbox as [`uid_move`](Self::uid_move) does; and where the server has
    /// neither `MOVE` nor `UIDPLUS`, copies them and marks them `\Deleted`, which is all that can be
    /// done there without touching others: EXPUNGE removes whatever is marked, by whomever. Then
    /// [`MoveResult::way`] is [`MoveWay::CopyAndMark`], and they are in this mailbox, too, until
    /// somebody expunges it. Who moves again and again what is found in it should look for what is
    /// [`undeleted`](Search::undeleted), or will copy the same messages each time.
    ///
    /// # Errors
    /// As for [`uid_move`](Self::uid_move), but for [`Error::Unsupported`].
    ///
    /// # Cancel safety
    /// As for [`uid_move`](Self::uid_move).
    pub async fn uid_move_or_mark(
        &mut self,
        set: impl Into<UidSet>,
        to: impl Into<MailboxName>,
    ) -> Result<MoveResult, Error> {
        self.move_or(Some(MoveWay::CopyAndMark), set.into(), to.into()).await
    }

    /// Moves messages by their sequence numbers, which move whenever a message is expunged: see
    /// [`uid_move`](Self::uid_move), which is nearly always the one to use. Where the server has
    /// no MOVE, the UIDs of the messages are asked for first.
    ///
    /// # Errors
    /// As for [`uid_move`](Self::uid_move).
    ///
    /// # Cancel safety
    /// As for [`uid_move`](Self::uid_move).
    pub async fn move_numbers(
        &mut self,
        set: impl Into<SeqSet>,
        to: impl Into<MailboxName>,
    ) -> Result<MoveResult, Error> {
        let (numbers, to) = (set.into(), to.into());
        if numbers.is_empty() {
            return Ok(MoveResult::nothing());
        }
        match self.way_to_move().await?.ok_or_else(|| self.cannot_move())? {
            MoveWay::Move => {
                let tally = self.run(Move::new(Which::Numbers(numbers), to)).await?;
                Ok(MoveResult::new(tally, MoveWay::Move))
            }
            way => {
                self.check_deletes(Stage::Command("MOVE"))?;
                let before = self.exists();
                let uids = self.found_now(Search::all().numbers(numbers.clone())).await?;
                // More than there are numbers is no answer to what was asked.
                if uids.count() > numbers.most(before.max(self.exists())) {
                    return Err(ILLEGIBLE);
                }
                self.copy_and_remove(way, uids, to).await
            }
        }
    }

    /// None if there is none by which messages leave the mailbox, and no others.
    async fn way_to_move(&mut self) -> Result<Option<MoveWay>, Error> {
        self.session.rest(Stage::Command("MOVE")).await?;
        let offer = self.session.core().offer();
        Ok(if offer.has("MOVE") {
            Some(MoveWay::Move)
        } else {
            offer.has("UIDPLUS").then_some(MoveWay::CopyAndExpunge)
        })
    }

    fn cannot_move(&self) -> Error {
        let offered = self.session.core().capabilities();
        Error::lacks(offered, Stage::Command("MOVE"), "MOVE or UIDPLUS")
    }

    /// `otherwise`: by what, where there is no way by which they leave the mailbox.
    async fn move_or(
        &mut self,
        otherwise: Option<MoveWay>,
        uids: UidSet,
        to: MailboxName,
    ) -> Result<MoveResult, Error> {
        const STAGE: Stage = Stage::Command("UID MOVE");
        if uids.is_empty() {
            return Ok(MoveResult::nothing());
        }
        let way = self.way_to_move().await?.or(otherwise).ok_or_else(|| self.cannot_move())?;
        if way == MoveWay::Move {
            let moves = |uids| Move::new(Which::Uids(uids), to.clone());
            let tally = self.session.run_split(&uids, STAGE, moves).await?;
            return Ok(MoveResult::new(tally.unwrap_or_default(), way));
        }
        self.check_deletes(STAGE)?;
        let uids = self.named_now(uids).await?;
        self.copy_and_remove(way, uids, to).await
    }

    /// The UIDs of the messages that a set names now, so that it goes on naming them and no others.
    async fn named_now(&mut self, uids: UidSet) -> Result<UidSet, Error> {
        // New messages have UIDs from UIDNEXT on (RFC 9051 section 2.3.1.1).
        let next = self.uid_next().map_or(0, Uid::get);
        if uids.ends_below(next) {
            return Ok(uids);
        }
        let found = self.found_now(Search::all().uids(uids.clone())).await?;
        Ok(found.within(&uids))
    }

    /// All that a search finds, or nothing is begun.
    pub(super) async fn found_now(&mut self, search: Search) -> Result<UidSet, Error> {
        let found = self.uid_search(search).await?;
        if found.unread() > 0 { Err(ILLEGIBLE) } else { Ok(found.into_set()) }
    }

    /// Moves messages that have these UIDs, of which none can be that of a message to come.
    async fn copy_and_remove(
        &mut self,
        way: MoveWay,
        uids: UidSet,
        to: MailboxName,
    ) -> Result<MoveResult, Error> {
        if uids.is_empty() {
            return Ok(MoveResult::new(Tally::default(), way));
        }
        let mut tally = self.uid_copy_all(&uids, to).await?;
        // What is not among the copied is left where it is.
        let copied = tally.known_copied.within(&uids);
        let left = if way == MoveWay::CopyAndMark {
            self.mark(&copied).await.map(|()| UidSet::default())
        } else {
            let Removal { expunged, ended, .. } = self.remove(&copied).await;
            tally.expunged = expunged;
            match ended {
                Ok(()) => self.left_of(&copied, &tally.expunged).await,
                Err(error) => Err(error),
            }
        };
        match left {
            Ok(left) if left.is_empty() => Ok(MoveResult::new(tally, way)),
            Ok(left) => Err(tally.left(left, NOT_EXPUNGED)),
            Err(error) => Err(tally.stopped(error, false)),
        }
    }
}

pub(super) const ILLEGIBLE: Error = Error::Illegible { stage: Stage::Command("UID SEARCH") };

impl MoveResult {
    fn new(tally: Tally, way: MoveWay) -> Self {
        let Tally { copied, expunged, .. } = tally;
        Self { copied, expunged, way }
    }

    fn nothing() -> Self {
        Self::new(Tally::default(), MoveWay::Move)
    }
}

struct Move {
    which: Which,
    to: MailboxName,
    tally: Tally,
    removals: Removals,
}

impl Move {
    fn new(which: Which, to: MailboxName) -> Self {
        Self { which, to, tally: Tally::default(), removals: Removals::default() }
    }
}

impl Command for Move {
    type Output = Tally;

    fn name(&self) -> &'static str {
        self.which.name("UID MOVE", "MOVE")
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        self.which.encode(line, "MOVE")?.raw(" ").mailbox(&self.to)?;
        Ok(())
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| Removals::are_told_by(response) || is_coded(response, "COPYUID"))
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        self.tally.copied.take(untagged_code(response).as_ref());
        self.removals.take(response)
    }

    fn give_back(&mut self, core: &mut Core) {
        self.removals.give_back(self.which.uids(), &self.tally.named(), core);
    }

    fn finish(mut self, reply: Reply) -> Tally {
        self.tally.expunged = self.removals.behind(self.tally.expunged);
        self.tally.grant(self.which, &reply)
    }

    /// What was moved before stays moved (RFC 6851 section 3.3).
    fn failed(mut self, error: Error, core: &mut Core) -> Error {
        self.give_back(core);
        self.tally.expunged = self.removals.behind(self.tally.expunged);
        self.tally.stopped(error, true)
    }
}

impl Piecewise for Move {
    const REMOVES: bool = true;

    fn go_on_from(&mut self, before: Tally) {
        self.tally = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    #[test]
    fn the_example_of_rfc_6851_tells_where_the_messages_went() {
        let script = "
            S: * PREAUTH hi
            C: A1 UID MOVE 42:69 foo
            S: * OK [COPYUID 432432 42:69 1202:1229]
            S: * 22 EXPUNGE
            S: * 22 EXPUNGE
            S: A1 OK Done
        ";
        let uids = || Move::new(Which::Uids(UidSet::parse("42:69").unwrap()), "foo".into());
        play(uids, script, |mut played| {
            let result = MoveResult::new(played.output.unwrap(), MoveWay::Move);
            assert_eq!((result.way(), result.expunged().numbers()), (MoveWay::Move, &[22, 22][..]));
            assert_eq!(result.pairs().next(), Uid::new(42).zip(Uid::new(1202)));
            assert_eq!(result.pairs().count(), 28);
            assert!(played.core.take_event().is_none());
        });
    }

    #[test]
    fn exchange_leaves_out_the_status_before_the_code() {
        let script = "
            S: * PREAUTH hi
            C: A1 MOVE 3 Archive
            S: [COPYUID 124 10 233]
            S: * 3 EXPUNGE
            S: A1 OK MOVE completed.
        ";
        let numbers = || Move::new(Which::Numbers(SeqSet::parse("3").unwrap()), "Archive".into());
        play(numbers, script, |played| {
            let result = played.output.unwrap().copied;
            assert!(result.pairs().eq(Uid::new(10).zip(Uid::new(233))));
        });
    }
}
