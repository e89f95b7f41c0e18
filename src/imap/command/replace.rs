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

use std::num::NonZeroU32;

use super::append::{Append, AppendOptions, AppendResult, Content, Data};
use super::copy::Which;
use super::modifier::Need;
use crate::imap::{Error, Flag, Mailbox, MailboxName, Search, SeqSet, StoreFlags, Uid, Upload};
use crate::{Misuse, Stage};

const REPLACE: Need = Need::offered(&["REPLACE"]);

impl Mailbox {
    /// Stores a message in a mailbox, this or another, and removes the message with this UID from
    /// this mailbox, as one step: a draft gives way to its next version or to what was sent. The
    /// EXPUNGE that the server tells is found among the events.
    ///
    /// Where the server has no REPLACE, the new message is stored, and then the old one is marked
    /// `\Deleted` and expunged. Both can be seen meanwhile, and both must have room.
    ///
    /// # Errors
    /// As for [`append`](crate::ImapClient::append). [`Error::Unsupported`] if the server offers
    /// neither `REPLACE` nor `UIDPLUS`. [`Error::Refused`] or [`Error::Misuse`] if there is no such
    /// message, or the mailbox is read-only. With any of these nothing was changed.
    /// [`Error::NotRemoved`] if the new message was stored and the old one is still there.
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
    ) -> Result<AppendResult, Error> {
        let (mailbox, message) = (mailbox.into(), message.into());
        if self.replaces()? {
            let old = Which::Uids(uid.into());
            return self.replaced(old, mailbox, message, options).await;
        }
        let old = Search::all().uids(uid);
        self.append_and_expunge(old, Some(uid), mailbox, message, options).await
    }

    /// The same by sequence number: see [`uid_replace`](Self::uid_replace), which is nearly always
    /// the one to use.
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
    ) -> Result<AppendResult, Error> {
        let (mailbox, message) = (mailbox.into(), message.into());
        if self.replaces()? {
            let old = Which::Numbers(SeqSet::range(number, number));
            return self.replaced(old, mailbox, message, options).await;
        }
        let old = Search::all().numbers(SeqSet::range(number, number));
        self.append_and_expunge(old, None, mailbox, message, options).await
    }

    /// Whether the server does it by itself.
    fn replaces(&self) -> Result<bool, Error> {
        let offered = self.session.core().capabilities();
        if offered.has("REPLACE") {
            Ok(true)
        } else if offered.has("UIDPLUS") || offered.has("IMAP4rev2") {
            Ok(false)
        } else {
            Err(Error::lacks(offered, Stage::Command("REPLACE"), "REPLACE or UIDPLUS"))
        }
    }

    async fn replaced(
        &mut self,
        old: Which,
        mailbox: MailboxName,
        message: Upload<'_>,
        options: AppendOptions,
    ) -> Result<AppendResult, Error> {
        let content = (options, Data::Message(Content::of(&message)));
        let command = Append::new(mailbox, vec![content]).replacing(old).needing(REPLACE);
        self.session.store(command, vec![message]).await
    }

    /// `old` finds the message that is replaced, of which the UID may be known.
    async fn append_and_expunge(
        &mut self,
        old: Search,
        known: Option<Uid>,
        mailbox: MailboxName,
        message: Upload<'_>,
        options: AppendOptions,
    ) -> Result<AppendResult, Error> {
        let refuse = |why: &str| Misuse::Argument { what: "message", why: why.to_owned() }.into();
        // What cannot be done to its end is not begun.
        if self.is_read_only() {
            return Err(refuse("it is in a mailbox that is open for reading only"));
        }
        let found = self.uid_search(old).await?;
        let mut found = found.iter();
        let (first, more) = (found.next(), found.next());
        let alone = first.filter(|uid| more.is_none() && known.is_none_or(|known| known == *uid));
        let Some(old) = alone else { return Err(refuse("there is none to be replaced")) };
        let content = (options, Data::Message(Content::of(&message)));
        let command = Append::new(mailbox, vec![content]);
        let stored = self.session.store(command, vec![message]).await?;
        match self.remove_replaced(old).await {
            Ok(()) => Ok(stored),
            Err(cause) => Err(Error::NotRemoved { stored, cause: Box::new(cause) }),
        }
    }

    async fn remove_replaced(&mut self, old: Uid) -> Result<(), Error> {
        let deleted = StoreFlags::add([Flag::Deleted]).silent();
        self.uid_store(old, deleted).await?;
        let expunged = self.uid_expunge(old).await?;
        // As if by REPLACE.
        expunged.tell(self.session.core_mut());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Event;
    use crate::imap::command::script::play;

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
