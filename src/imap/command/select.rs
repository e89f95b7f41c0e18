//! SELECT and EXAMINE, RFC 9051 sections 6.3.2 and 6.3.3.
//!
//! ```text
//! C: A3 SELECT INBOX
//! S: * 172 EXISTS
//! S: * OK [UIDVALIDITY 3857529045] UIDs valid
//! S: * OK [UIDNEXT 4392] Predicted next UID
//! S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
//! S: * OK [PERMANENTFLAGS (\Deleted \Seen \*)] Limited
//! S: A3 OK [READ-WRITE] SELECT completed
//! ```
//!
//! All that a server tells about a mailbox may come at any time, so the core takes it.

use super::Command;
use crate::Misuse;
use crate::imap::proto::Effect;
use crate::imap::proto::encode::Line;
use crate::imap::{Capabilities, Error, ImapClient, Mailbox, MailboxName, Reply};

impl ImapClient {
    /// Opens a mailbox for reading and writing. The one that was selected before is left as it is;
    /// nothing in it is expunged.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such mailbox or it does not open for this user. Then no
    /// mailbox is selected, nor the one from before.
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. After a dropped one, nothing is selected until the next command finds
    /// out.
    pub async fn select(&mut self, name: impl Into<MailboxName>) -> Result<&mut Mailbox, Error> {
        self.run(Select { name: name.into(), read_only: false }).await?;
        Ok(&mut self.mailbox)
    }

    /// Opens a mailbox for reading only: nothing in it changes, not even `\Recent` and `\Seen`.
    ///
    /// # Errors
    /// As for [`select`](Self::select).
    ///
    /// # Cancel safety
    /// As for [`select`](Self::select).
    pub async fn examine(&mut self, name: impl Into<MailboxName>) -> Result<&mut Mailbox, Error> {
        self.run(Select { name: name.into(), read_only: true }).await?;
        Ok(&mut self.mailbox)
    }

    /// Opens a mailbox for reading and writing unless it is so selected already, which costs no
    /// round trip.
    ///
    /// # Errors
    /// As for [`select`](Self::select).
    ///
    /// # Cancel safety
    /// As for [`select`](Self::select).
    pub async fn ensure_selected(
        &mut self,
        name: impl Into<MailboxName>,
    ) -> Result<&mut Mailbox, Error> {
        let name = name.into();
        if !self.has_selected(&name) {
            self.run(Select { name, read_only: false }).await?;
        }
        Ok(&mut self.mailbox)
    }
}

pub(crate) struct Select {
    name: MailboxName,
    read_only: bool,
}

impl Select {
    pub(crate) const fn new(name: MailboxName) -> Self {
        Self { name, read_only: false }
    }
}

impl Command for Select {
    const NAME: &'static str = "SELECT";

    type Output = ();

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw(if self.read_only { "EXAMINE " } else { "SELECT " }).mailbox(&self.name)?;
        Ok(())
    }

    fn effect(&self) -> Effect {
        Effect::Select { name: self.name.clone(), read_only: self.read_only }
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;
    use crate::imap::{Event, Flag, Uid};

    fn select(name: &str) -> Select {
        Select { name: MailboxName::from(name), read_only: false }
    }

    #[test]
    fn the_example_of_rfc_3501_sets_the_whole_state() {
        let script = r"
            S: * PREAUTH hi
            C: A1 SELECT INBOX
            S: * 172 EXISTS
            S: * 1 RECENT
            S: * OK [UNSEEN 12] Message 12 is first unseen
            S: * OK [UIDVALIDITY 3857529045] UIDs valid
            S: * OK [UIDNEXT 4392] Predicted next UID
            S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
            S: * OK [PERMANENTFLAGS (\Deleted \Seen \*)] Limited
            S: A1 OK [READ-WRITE] SELECT completed
        ";
        play(
            || select("INBOX"),
            script,
            |mut played| {
                assert_eq!(played.output, Ok(()));
                let state = played.core.selected().unwrap();
                assert_eq!((state.exists, state.recent, state.read_only), (172, 1, false));
                assert_eq!(state.first_unseen.unwrap().get(), 12);
                assert_eq!(state.uid_validity.unwrap().get(), 3_857_529_045);
                assert_eq!(state.uid_next, Uid::new(4392));
                assert_eq!(state.flags.len(), 5);
                assert!(state.permanent_flags.as_ref().unwrap().contains(&Flag::Any));
                assert!(played.core.take_event().is_none());
            },
        );
    }

    #[test]
    fn what_a_server_leaves_out_is_unknown_and_no_fault() {
        // Winmail omits UIDNEXT (chatmail/core#4842); UIDVALIDITY 0 is none (MailKit#150).
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1 LITERAL+] hi
            C: A1 EXAMINE \"Entw&APw-rfe 1\"
            S: * OK [UIDVALIDITY 0] UIDs
            S: *  3 EXISTS
            S: A1 OK [READ-ONLY] done
        ";
        let examine = || Select { read_only: true, ..select("Entw\u{fc}rfe 1") };
        play(examine, script, |mut played| {
            let state = played.core.selected().unwrap();
            assert_eq!((state.exists, state.read_only), (3, true));
            assert!(state.uid_validity.is_none() && state.uid_next.is_none());
            assert!(matches!(played.core.take_event(), Some(Event::Notice(_))));
        });
    }

    #[test]
    fn a_refusal_leaves_nothing_selected() {
        let script = "
            S: * PREAUTH hi
            C: A1 SELECT nowhere
            S: A1 NO [NONEXISTENT] Unknown Mailbox: nowhere (Failure)
        ";
        play(
            || select("nowhere"),
            script,
            |played| {
                assert!(played.core.selected().is_none());
                assert_eq!(played.refusal().code(), Some(&crate::imap::Code::NonExistent));
            },
        );
    }

    #[test]
    fn a_name_that_quotes_cannot_carry_waits_as_a_literal() {
        let script = "
            S: * PREAUTH hi
            C: A1 SELECT {3}
            S: + go ahead
            C: \u{20ac}
            S: A1 OK done
        ";
        let raw = || Select { name: MailboxName::from_wire("\u{20ac}"), read_only: false };
        play(raw, script, |played| assert_eq!(played.output, Ok(())));
    }

    #[test]
    fn a_literal_that_the_server_refuses_is_not_sent() {
        let script = "
            S: * PREAUTH hi
            C: A1 SELECT {3}
            S: A1 BAD no 8-bit names
        ";
        let raw = || Select { name: MailboxName::from_wire("\u{20ac}"), read_only: false };
        play(raw, script, |played| {
            assert_eq!(played.refusal().to_string(), "BAD no 8-bit names");
        });
    }
}
