//! REPLACE, RFC 8508: a message is stored and the one that it replaces is removed, in one step.
//!
//! ```text
//! C: A4 UID REPLACE 2000 Drafts (\Seen \Draft) {350}
//! S: + Ready for literal data
//! C: (the message)
//! S: * OK [APPENDUID 1 2001] Replacement Message ready
//! S: * 5 EXISTS
//! S: * 4 EXPUNGE
//! S: A4 OK Replace completed
//! ```
//!
//! Where there is no REPLACE, three commands do the same (section 3.4), one after the other so that no
//! message is lost, if the server can expunge one message and leave others that somebody else has
//! marked:
//!
//! ```text
//! C: A4 UID SEARCH UID 2000
//! S: * SEARCH 2000
//! S: A4 OK SEARCH completed
//! C: A5 APPEND Drafts (\Seen \Draft) {350}
//! S: + Ready for literal data
//! C: (the message)
//! S: A5 OK [APPENDUID 1 2001] APPEND completed
//! C: A6 UID STORE 2000 +FLAGS.SILENT (\Deleted)
//! S: A6 OK STORE completed
//! C: A7 UID EXPUNGE 2000
//! S: * 4 EXPUNGE
//! S: A7 OK EXPUNGE completed
//! ```
//!
//! Where no EXPUNGE is told, the server is asked whether the old message is still there: it may grant
//! a STORE and keep nothing of it (RFC 9051 section 7.1, PERMANENTFLAGS).

use std::num::NonZeroU32;

use super::append::{Append, AppendOptions, AppendResult, Content, Data};
use super::expunge::{NOT_EXPUNGED, Removal};
use super::message_set::Which;
use super::modifier::Need;
use super::r#move::ILLEGIBLE;
use crate::imap::{Error, Mailbox, MailboxName, Search, SeqSet, Uid, UidSet, Upload};
use crate::{Failure, Stage};

const REPLACE: Need = Need::offered(&["REPLACE"]);

/// What has come of a message that was stored in place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplaceResult {
    stored: AppendResult,
    way: ReplaceWay,
}

/// How a message was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReplaceWay {
    /// By REPLACE: one of the two is there at any time, and never both.
    Replace,
    /// By APPEND, STORE and UID EXPUNGE, since the server has no REPLACE: both were there for a
    /// moment.
    AppendAndExpunge,
}

impl ReplaceResult {
    /// The UIDVALIDITY of the mailbox that the new message is in, from servers with `UIDPLUS`.
    pub fn uid_validity(&self) -> Option<NonZeroU32> {
        self.stored.uid_validity()
    }

    /// The UID of the new message, from servers with `UIDPLUS`.
    pub fn uid(&self) -> Option<Uid> {
        self.stored.uid()
    }

    /// Where the new message went, as by [`append`](crate::ImapClient::append).
    pub const fn stored(&self) -> &AppendResult {
        &self.stored
    }

    /// How it was done.
    pub const fn way(&self) -> ReplaceWay {
        self.way
    }
}

impl Mailbox {
    /// Stores a message in a mailbox, this or another, and removes the message with this UID from
    /// this mailbox, as one step: a draft gives way to its next version or to what was sent. The
    /// EXPUNGE that the server tells is found among the events.
    ///
    /// Where the server has no REPLACE, the new message is stored, and then the old one is marked
    /// `\Deleted` and expunged: [`ReplaceResult::way`] says so. Both can be seen meanwhile, and both
    /// must have room.
    ///
    /// # Errors
    /// As for [`append`](crate::ImapClient::append), and what [all methods](Self#errors) can fail
    /// with. [`Error::Unsupported`] if the server offers
    /// neither `REPLACE` nor `UIDPLUS`. [`Error::Refused`] if there is no such message, or the mailbox
    /// is read-only. Without REPLACE, [`Error::NotFound`] and [`Error::ReadOnly`] say so,
    /// [`Error::Undeletable`] if nothing can be removed from the mailbox, and [`Error::Illegible`] if the server was asked for the message and its answer cannot be read. With
    /// any of these nothing was changed. [`Error::NotRemoved`] if the new message was stored and the
    /// old one is still there.
    ///
    /// # Cancel safety
    /// As for [`append`](crate::ImapClient::append). Without REPLACE, both messages may be there, and
    /// the old one may be marked.
    pub async fn uid_replace(
        &mut self,
        uid: Uid,
        mailbox: impl Into<MailboxName>,
        message: impl Into<Upload<'_>>,
        options: AppendOptions,
    ) -> Result<ReplaceResult, Error> {
        let (mailbox, message) = (mailbox.into(), message.into());
        if self.replaces().await? {
            let old = Which::Uids(uid.into());
            return self.replaced(old, mailbox, message, options).await;
        }
        const STAGE: Stage = Stage::Command("UID REPLACE");
        self.check_deletes(STAGE)?;
        let found = self.found_now(Search::all().uids(uid)).await?;
        match sole(&found) {
            Some(found) if found == uid => {
                self.append_and_expunge(uid, mailbox, message, options).await
            }
            None if found.is_empty() => Err(Error::NotFound { stage: STAGE }),
            _ => Err(ILLEGIBLE),
        }
    }

    /// Stores a message in a mailbox and removes the one with this sequence number from this mailbox:
    /// see [`uid_replace`](Self::uid_replace), which is nearly always the one to use.
    ///
    /// # Errors
    /// As for [`uid_replace`](Self::uid_replace).
    ///
    /// # Cancel safety
    /// As for [`uid_replace`](Self::uid_replace).
    pub async fn replace(
        &mut self,
        number: NonZeroU32,
        mailbox: impl Into<MailboxName>,
        message: impl Into<Upload<'_>>,
        options: AppendOptions,
    ) -> Result<ReplaceResult, Error> {
        let (mailbox, message) = (mailbox.into(), message.into());
        if self.replaces().await? {
            let old = Which::Numbers(SeqSet::range(number, number));
            return self.replaced(old, mailbox, message, options).await;
        }
        const STAGE: Stage = Stage::Command("REPLACE");
        self.check_deletes(STAGE)?;
        let found = self.found_now(Search::all().numbers(SeqSet::range(number, number))).await?;
        match sole(&found) {
            Some(old) => self.append_and_expunge(old, mailbox, message, options).await,
            None if found.is_empty() => Err(Error::NotFound { stage: STAGE }),
            None => Err(ILLEGIBLE),
        }
    }

    /// Whether the server does it by itself.
    async fn replaces(&mut self) -> Result<bool, Error> {
        const STAGE: Stage = Stage::Command("REPLACE");
        self.session.rest(STAGE).await?;
        let offer = self.session.core().offer();
        if offer.has("REPLACE") {
            Ok(true)
        } else if offer.has("UIDPLUS") {
            Ok(false)
        } else {
            Err(Error::lacks(offer.announced, STAGE, "REPLACE or UIDPLUS"))
        }
    }

    async fn replaced(
        &mut self,
        old: Which,
        mailbox: MailboxName,
        message: Upload<'_>,
        options: AppendOptions,
    ) -> Result<ReplaceResult, Error> {
        let content = (options, Data::Message(Content::of(&message)));
        let command = Append::new(mailbox, vec![content]).replacing(old).needing(REPLACE);
        let stored = self.session.store(command, vec![message]).await?;
        Ok(ReplaceResult { stored, way: ReplaceWay::Replace })
    }

    async fn append_and_expunge(
        &mut self,
        old: Uid,
        mailbox: MailboxName,
        message: Upload<'_>,
        options: AppendOptions,
    ) -> Result<ReplaceResult, Error> {
        let content = (options, Data::Message(Content::of(&message)));
        let command = Append::new(mailbox, vec![content]);
        let stored = self.session.store(command, vec![message]).await?;
        let Removal { marked, expunged, ended } = self.remove(&old.into()).await;
        // As if by REPLACE.
        expunged.clone().tell(self.session.core_mut());
        let removed = match ended {
            Ok(()) => match self.left_of(&old.into(), &expunged).await {
                Ok(left) if left.is_empty() => Ok(()),
                Ok(_) => Err(NOT_EXPUNGED),
                Err(error) => Err(error),
            },
            Err(_) if expunged.uids().contains(old) => Ok(()),
            // A server may fail once it has removed the message.
            Err(cause) => {
                let asks = !expunged.numbers().is_empty() && cause.connection_usable();
                if asks && self.lacks(old).await { Ok(()) } else { Err(cause) }
            }
        };
        match removed {
            Ok(()) => Ok(ReplaceResult { stored, way: ReplaceWay::AppendAndExpunge }),
            Err(cause) => Err(Error::NotRemoved { stored, marked, cause: Box::new(cause) }),
        }
    }

    /// Whether it is certain that there is no message of this UID.
    async fn lacks(&mut self, uid: Uid) -> bool {
        let found = self.found_now(Search::all().uids(uid)).await;
        found.is_ok_and(|found| found.is_empty())
    }
}

/// The only UID in a set.
fn sole(found: &UidSet) -> Option<Uid> {
    let first = found.ranges().next().map(|range| *range.start());
    first.filter(|_| found.count() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;
    use crate::imap::{Event, Flag};

    #[test]
    fn the_example_of_rfc_8508_is_played() {
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1 REPLACE] hi
            C: A1 UID REPLACE 2000 Drafts (\\Seen \\Draft) {5}
            S: + Ready for literal data
            C: hello
            S: * OK [APPENDUID 1 2001] Replacement Message ready
            S: * 5 EXISTS
            S: * 4 EXPUNGE
            S: A1 OK Replace completed
        ";
        let replace = || {
            let options = AppendOptions::new().flags([Flag::Seen, Flag::Draft]);
            let content = (options, Data::Message(Content::of(&"hello".into())));
            let old = Which::Uids(Uid::new(2000).unwrap().into());
            Append::new("Drafts".into(), vec![content]).replacing(old)
        };
        play(replace, script, |mut played| {
            assert_eq!(played.output.unwrap().uid(), Uid::new(2001));
            assert!(matches!(played.core.take_event(), Some(Event::Expunge(4))));
        });
    }
}
