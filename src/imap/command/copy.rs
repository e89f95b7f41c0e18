//! COPY and UID COPY, RFC 9051 sections 6.4.7 and 6.4.9, with COPYUID (RFC 4315).
//!
//! ```text
//! C: A6 UID COPY 87:90 Archive
//! S: A6 OK [COPYUID 38505 87:90 304:307] COPY completed
//! ```
//!
//! COPYUID may also come untagged, and at Exchange even without `* OK`.

use std::num::NonZeroU32;

use bytes::Bytes;

use super::expunge::Expunged;
use super::message_set::Which;
use super::{Command, Piecewise, is_coded, untagged_code};
use crate::imap::proto::decode::Parsed;
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Core};
use crate::imap::{
    Capabilities, Code, CopyUid, Error, Mailbox, MailboxName, Reply, SeqSet, Uid, UidSet,
};
use crate::{Misuse, Stage};

/// Where copied messages went, as far as the server tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CopyResult {
    copied: Vec<CopyUid>,
}

impl CopyResult {
    /// The UIDVALIDITY of the mailbox they were copied to, from servers with `UIDPLUS`. `None` also
    /// if it has changed while a long set was copied in several commands.
    pub fn uid_validity(&self) -> Option<NonZeroU32> {
        let mut told = self.copied.iter().map(CopyUid::uid_validity);
        let first = told.next()?;
        told.all(|other| other == first).then_some(first)
    }

    /// The UID of each message, then the UID of its copy. None at all from servers without
    /// `UIDPLUS`, from those that do not tell where the user may not read, and at times from
    /// Outlook.com; nor where the server names more copies than messages, or fewer: see
    /// [`CopyUid::pairs`].
    pub fn pairs(&self) -> impl Iterator<Item = (Uid, Uid)> + '_ {
        self.copied.iter().flat_map(CopyUid::pairs)
    }

    /// What the server told, command by command.
    pub fn told(&self) -> &[CopyUid] {
        &self.copied
    }

    /// Takes a response code, if it is of this kind.
    pub(super) fn take(&mut self, code: Option<&Code>) {
        if let Some(Code::CopyUid(copied)) = code {
            self.copied.push(copied.clone());
        }
    }
}

/// What has come of a copy or a move so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// The messages of the commands that were granted: those that the server names, where it names
    /// any, and else all.
    pub(super) known_copied: UidSet,
    /// How many codes were told for the commands before the running one.
    counted: usize,
    pub(super) copied: CopyResult,
    pub(super) expunged: Expunged,
}

impl Tally {
    /// A command was granted.
    pub(super) fn grant(mut self, which: Which, reply: &Reply) -> Self {
        self.copied.take(reply.code());
        let named = self.named();
        self.counted = self.copied.copied.len();
        match (&which, named.is_empty()) {
            (Which::Uids(uids), true) => self.known_copied.add(uids),
            _ => self.known_copied.add(&named),
        }
        self
    }

    /// The messages that the server names as those of the running command.
    pub(super) fn named(&self) -> UidSet {
        let mut named = UidSet::default();
        self.copied.copied.iter().skip(self.counted).for_each(|told| named.add(&told.sources()));
        named
    }

    /// It went no further. `moves`: what was copied is gone from where it was.
    pub(super) fn stopped(mut self, error: Error, moves: bool) -> Error {
        self.copied.take(error.code());
        let mut done = self.known_copied.clone();
        done.add(&self.named());
        if done.is_empty() && self.expunged.is_empty() {
            return error;
        }
        let Self { copied, expunged, .. } = self;
        let kept = if moves { UidSet::default() } else { done.without(expunged.uids()) };
        Error::Halfway { done, kept, copied, expunged: Box::new(expunged), cause: Box::new(error) }
    }

    /// All was copied, and these are known to be still where they were.
    pub(super) fn left(self, kept: UidSet, error: Error) -> Error {
        let Self { known_copied: done, copied, expunged, .. } = self;
        Error::Halfway { done, kept, copied, expunged: Box::new(expunged), cause: Box::new(error) }
    }
}

impl Mailbox {
    /// Copies messages to another mailbox, with their flags and dates. UIDs of messages that are
    /// gone are passed over by the server without a word. An empty set copies nothing and asks
    /// nothing of the server; one too long for a line goes in several commands, of which those
    /// behind a refused one are not sent.
    ///
    /// # Errors
    /// Besides what [all methods](Self#errors) can fail with, [`Error::Refused`] if the server cannot
    /// copy all of them; then it has copied none. With
    /// [`Code::TryCreate`] it would, were the mailbox created first. [`Error::Halfway`] if a command
    /// failed after others had been carried out.
    ///
    /// # Cancel safety
    /// See [`ImapClient`](crate::ImapClient). The server copies all the same.
    pub async fn uid_copy(
        &mut self,
        set: impl Into<UidSet>,
        to: impl Into<MailboxName>,
    ) -> Result<CopyResult, Error> {
        Ok(self.uid_copy_all(&set.into(), to.into()).await?.copied)
    }

    /// Copies messages by their sequence numbers, which move whenever a message is expunged: see
    /// [`uid_copy`](Self::uid_copy), which is nearly always the one to use.
    ///
    /// # Errors
    /// As for [`uid_copy`](Self::uid_copy).
    ///
    /// # Cancel safety
    /// As for [`uid_copy`](Self::uid_copy).
    pub async fn copy(
        &mut self,
        set: impl Into<SeqSet>,
        to: impl Into<MailboxName>,
    ) -> Result<CopyResult, Error> {
        let numbers = set.into();
        if numbers.is_empty() {
            return Ok(CopyResult::default());
        }
        Ok(self.run(Copy::new(Which::Numbers(numbers), to.into())).await?.copied)
    }
}

impl Mailbox {
    pub(super) async fn uid_copy_all(
        &mut self,
        uids: &UidSet,
        to: MailboxName,
    ) -> Result<Tally, Error> {
        let copy = |uids| Copy::new(Which::Uids(uids), to.clone());
        let tally = self.session.run_split(uids, Stage::Command("UID COPY"), copy).await?;
        Ok(tally.unwrap_or_default())
    }
}

struct Copy {
    which: Which,
    to: MailboxName,
    tally: Tally,
}

impl Copy {
    fn new(which: Which, to: MailboxName) -> Self {
        Self { which, to, tally: Tally::default() }
    }
}

impl Command for Copy {
    type Output = Tally;

    fn name(&self) -> &'static str {
        self.which.name("UID COPY", "COPY")
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        self.which.encode(line, "COPY")?.raw(" ").mailbox(&self.to)?;
        Ok(())
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_coded(response, "COPYUID"))
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        self.tally.copied.take(untagged_code(response).as_ref());
        Ok(())
    }

    fn finish(self, reply: Reply) -> Tally {
        self.tally.grant(self.which, &reply)
    }

    fn failed(self, error: Error, _: &mut Core) -> Error {
        self.tally.stopped(error, false)
    }
}

impl Piecewise for Copy {
    fn go_on_from(&mut self, before: Tally) {
        self.tally = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    fn copy() -> Copy {
        Copy::new(Which::Uids(UidSet::parse("304,319:320").unwrap()), "meeting".into())
    }

    fn pairs(result: &CopyResult) -> Vec<(u32, u32)> {
        result.pairs().map(|(from, to)| (from.get(), to.get())).collect()
    }

    #[test]
    fn each_message_has_the_uid_of_its_copy() {
        // RFC 4315 section 3.
        let script = "
            S: * PREAUTH hi
            C: A1 UID COPY 304,319:320 meeting
            S: A1 OK [COPYUID 38505 304,319:320 3956:3958] Done
        ";
        play(copy, script, |played| {
            let result = played.output.unwrap().copied;
            assert_eq!(result.uid_validity().map(NonZeroU32::get), Some(38505));
            assert_eq!(pairs(&result), [(304, 3956), (319, 3957), (320, 3958)]);
        });
    }

    #[test]
    fn the_code_counts_wherever_it_stands() {
        for line in
            ["* OK [COPYUID 124 304 233]", "[COPYUID 124 304 233]", "* ok [copyuid 124 304 233] x"]
        {
            let script = format!(
                "
                S: * PREAUTH hi
                C: A1 UID COPY 304,319:320 meeting
                S: {line}
                S: A1 OK COPY completed.
                "
            );
            play(copy, &script, |mut played| {
                assert_eq!(pairs(&played.output.unwrap().copied), [(304, 233)], "{line}");
                assert!(played.core.take_event().is_none());
            });
        }
    }

    #[test]
    fn empty_sets_and_no_code_at_all_are_no_fault() {
        for code in ["[COPYUID 14  ] ", "[COPYUID] ", ""] {
            let script = format!(
                "
                S: * PREAUTH hi
                C: A1 UID COPY 304,319:320 meeting
                S: A1 OK {code}COPY completed.
                "
            );
            play(copy, &script, |played| assert_eq!(pairs(&played.output.unwrap().copied), []));
        }
    }

    #[test]
    fn a_mailbox_that_is_missing_is_named_by_its_code() {
        // RFC 3501 section 6.4.7.
        let script = "
            S: * PREAUTH hi
            C: A1 COPY 2:4 MEETING
            S: A1 NO [TRYCREATE] no such mailbox
        ";
        let copy = || Copy::new(Which::Numbers(SeqSet::parse("2:4").unwrap()), "MEETING".into());
        play(copy, script, |played| {
            assert_eq!(played.refusal().code(), Some(&Code::TryCreate));
        });
    }
}
