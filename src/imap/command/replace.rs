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

use std::num::NonZeroU32;

use super::append::{Append, AppendOptions, AppendResult, Content, Data};
use super::modifier::Need;
use crate::Stage;
use crate::imap::{Error, Mailbox, MailboxName, Uid, Upload};

const REPLACE: Need = Need::offered(&["REPLACE"]);

impl Mailbox {
    /// Stores a message in a mailbox, this or another, and removes the message with this UID from
    /// this mailbox, as one step: a draft gives way to its next version or to what was sent. The
    /// EXPUNGE that the server tells is found among the events.
    ///
    /// # Errors
    /// As for [`append`](crate::ImapClient::append). [`Error::Unsupported`] if the server does not
    /// offer `REPLACE`; `append` and then [`uid_expunge`](Self::uid_expunge) do the same in two
    /// steps. [`Error::Refused`] if there is no such message; nothing was changed then.
    ///
    /// # Cancel safety
    /// As for [`append`](crate::ImapClient::append).
    pub async fn uid_replace(
        &mut self,
        uid: Uid,
        mailbox: impl Into<MailboxName>,
        message: impl Into<Upload<'_>>,
        options: AppendOptions,
    ) -> Result<AppendResult, Error> {
        let verb = format!("UID REPLACE {uid}");
        self.replaced(verb, mailbox.into(), message.into(), options, "UID REPLACE").await
    }

    /// The same by sequence number: see [`uid_replace`](Self::uid_replace), which is nearly always
    /// the one to use.
    ///
    /// # Errors
    /// As for [`uid_replace`](Self::uid_replace).
    ///
    /// # Cancel safety
    /// As for [`append`](crate::ImapClient::append).
    pub async fn replace(
        &mut self,
        number: NonZeroU32,
        mailbox: impl Into<MailboxName>,
        message: impl Into<Upload<'_>>,
        options: AppendOptions,
    ) -> Result<AppendResult, Error> {
        let verb = format!("REPLACE {number}");
        self.replaced(verb, mailbox.into(), message.into(), options, "REPLACE").await
    }

    async fn replaced(
        &mut self,
        verb: String,
        mailbox: MailboxName,
        message: Upload<'_>,
        options: AppendOptions,
        name: &'static str,
    ) -> Result<AppendResult, Error> {
        let content = (options, Data::Message(Content::of(&message)));
        let command = Append::new(mailbox, vec![content]).by(verb).needing(REPLACE);
        self.session.run_upload(command, vec![message], Stage::Command(name)).await
    }
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
            Append::new("Drafts".into(), vec![content]).by("UID REPLACE 2000".to_owned())
        };
        play(replace, script, |mut played| {
            assert_eq!(played.output.unwrap().uid(), Uid::new(2001));
            assert!(matches!(played.core.take_event(), Some(Event::Expunge(4))));
        });
    }
}
