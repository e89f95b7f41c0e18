//! MULTIAPPEND, RFC 3502: several messages stored by one command, all of them or none.
//!
//! ```text
//! C: A3 APPEND saved-messages (\Seen) {329}
//! S: + Ready for literal data
//! C: (a message)
//! C:  (\Seen) " 7-Feb-1994 22:43:04 -0800" {295}
//! S: + Ready for literal data
//! C: (another)
//! S: A3 OK [APPENDUID 38505 3955:3956] APPEND completed
//! ```

use super::append::{Append, AppendOptions, AppendResult, Content, Data};
use super::modifier::Need;
use crate::Misuse;
use crate::imap::{Error, ImapClient, MailboxName, Upload};

const MULTIAPPEND: Need = Need::offered(&["MULTIAPPEND"]);

impl ImapClient {
    /// Stores messages in a mailbox by one command: all of them or, if anything goes wrong, none.
    /// Their UIDs are [`AppendResult::uids`], in the order of `messages`, from servers with
    /// `UIDPLUS`. No messages are no error, and nothing is sent then.
    ///
    /// # Errors
    /// As for [`append`](Self::append), and what is said there of the message holds for all of them
    /// together. [`Error::Unsupported`] if the server does not offer `MULTIAPPEND`: then
    /// [`append`](Self::append) stores them one by one, and may stop between two.
    /// [`Error::Misuse`] for a message without octets, by which a server would cancel the command.
    ///
    /// # Cancel safety
    /// As for [`append`](Self::append).
    pub async fn append_all<'a, U: Into<Upload<'a>>>(
        &mut self,
        mailbox: impl Into<MailboxName>,
        messages: impl IntoIterator<Item = (U, AppendOptions)>,
    ) -> Result<AppendResult, Error> {
        let (mut contents, mut uploads) = (Vec::new(), Vec::new());
        for (message, options) in messages {
            let message = message.into();
            if message.octets() == 0 {
                let why = "it has no octets, by which the command would be cancelled".to_owned();
                return Err(Misuse::Argument { what: "message", why }.into());
            }
            contents.push((options, Data::Message(Content::of(&message))));
            uploads.push(message);
        }
        if contents.is_empty() {
            return Ok(AppendResult::default());
        }
        let command = Append::new(mailbox.into(), contents).needing(MULTIAPPEND);
        self.mailbox.session.store(command, uploads).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;
    use std::num::NonZeroU32;

    use crate::imap::{DateTime, Flag};

    fn two() -> Append {
        let date = DateTime::parse(b" 7-Feb-1994 22:43:04 -0800").unwrap();
        let options = || AppendOptions::new().flags([Flag::Seen]);
        let data = |message: &'static str| Data::Message(Content::of(&message.into()));
        let messages =
            vec![(options(), data("one\r\n")), (options().date(date), data("two, too\r\n"))];
        Append::new("saved-messages".into(), messages).needing(MULTIAPPEND)
    }

    #[test]
    fn the_example_of_rfc_3502_is_written() {
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1 MULTIAPPEND] hi
            C: A1 APPEND saved-messages (\\Seen) {5}
            S: + Ready for literal data
            C: one
            C:  (\\Seen) \" 7-Feb-1994 22:43:04 -0800\" {10}
            S: + Ready for literal data
            C: two, too
            C:
            S: A1 OK [APPENDUID 38505 3955:3956] APPEND completed
        ";
        play(two, script, |played| {
            let stored = played.output.unwrap();
            let uids: Vec<_> = stored.uids().map(|uid| uid.get()).collect();
            assert_eq!(uids, [3955, 3956]);
        });
    }

    #[test]
    fn a_command_refused_between_two_messages_sends_no_more() {
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1 MULTIAPPEND] hi
            C: A1 APPEND saved-messages (\\Seen) {5}
            S: + Ready for literal data
            C: one
            C:  (\\Seen) \" 7-Feb-1994 22:43:04 -0800\" {10}
            S: A1 NO APPEND failed: Disk quota exceeded
        ";
        play(two, script, |played| {
            assert!(played.core.takes_commands());
            assert_eq!(played.refusal().text(), "APPEND failed: Disk quota exceeded");
        });
    }

    #[test]
    fn uids_that_are_not_as_many_as_the_messages_are_those_of_none() {
        for uids in ["3955", "3955:3957", "3955,3955", "3955:*", "3955,*"] {
            let script = format!(
                "
                S: * PREAUTH [CAPABILITY IMAP4rev1 MULTIAPPEND LITERAL+] hi
                C: A1 APPEND saved-messages (\\Seen) {{5+}}
                C: one
                C:  (\\Seen) \" 7-Feb-1994 22:43:04 -0800\" {{10+}}
                C: two, too
                C:
                S: A1 OK [APPENDUID 38505 {uids}] done
                "
            );
            play(two, &script, |played| {
                let stored = played.output.unwrap();
                assert_eq!((stored.uids().count(), stored.uid()), (0, None), "{uids}");
                // `*` is no number that a message was given, and the code none of its kind.
                let told = (!uids.contains('*')).then_some(38505);
                assert_eq!(stored.uid_validity().map(NonZeroU32::get), told, "{uids}");
            });
        }
    }
}
