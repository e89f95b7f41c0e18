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
use super::modifier::{Modifiers, Need};
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
        self.run(Select::new(name.into())).await?;
        Ok(&mut self.mailbox)
    }

    /// Opens a mailbox as [`options`](SelectOptions) say.
    ///
    /// # Errors
    /// As for [`select`](Self::select), and [`Error::Unsupported`] if the server does not offer what
    /// an option needs; nothing was sent then.
    ///
    /// # Cancel safety
    /// As for [`select`](Self::select).
    pub async fn select_with(
        &mut self,
        name: impl Into<MailboxName>,
        options: SelectOptions,
    ) -> Result<&mut Mailbox, Error> {
        self.run(Select::with(name.into(), options)).await?;
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
        self.run(Select::with(name.into(), SelectOptions::new().read_only())).await?;
        Ok(&mut self.mailbox)
    }

    /// Opens a mailbox for reading and writing unless it is so selected already, which costs no
    /// round trip. After [`create`](Self::create), [`rename`](Self::rename) or
    /// [`delete`](Self::delete) with the name of the selected mailbox, or one that its name begins
    /// with, it selects anew.
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
            self.run(Select::new(name)).await?;
        }
        Ok(&mut self.mailbox)
    }
}

/// How a mailbox is opened. The default: for reading and writing.
#[derive(Debug, Clone, Default)]
pub struct SelectOptions {
    read_only: bool,
    parameters: Modifiers,
    needs: Vec<Need>,
}

impl SelectOptions {
    /// For reading and writing.
    pub fn new() -> Self {
        Self::default()
    }

    /// For reading only, as [`examine`](ImapClient::examine) does.
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// With a parameter, for which the server must offer something.
    pub(super) fn with(mut self, name: &'static str, value: Option<String>, need: Need) -> Self {
        self.parameters.set(name, value);
        self.needs.push(need);
        self
    }
}

#[derive(Debug)]
pub(crate) struct Select {
    pub(super) name: MailboxName,
    pub(super) options: SelectOptions,
}

impl Select {
    pub(crate) fn new(name: MailboxName) -> Self {
        Self::with(name, SelectOptions::new())
    }

    pub(super) const fn with(name: MailboxName, options: SelectOptions) -> Self {
        Self { name, options }
    }
}

impl Command for Select {
    type Output = ();

    fn name(&self) -> &'static str {
        if self.options.read_only { "EXAMINE" } else { "SELECT" }
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        let verb = if self.options.read_only { "EXAMINE " } else { "SELECT " };
        self.options.parameters.encode(line.raw(verb).mailbox(&self.name)?)
    }

    fn needs(&self) -> &[Need] {
        &self.options.needs
    }

    fn effect(&self) -> Effect {
        Effect::Select { name: self.name.clone(), read_only: self.options.read_only }
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;
    use crate::imap::{Event, Flag, Uid};

    fn select(name: &str) -> Select {
        Select::new(MailboxName::from(name))
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
        let read_only = || SelectOptions::new().read_only();
        let examine = || Select::with("Entw\u{fc}rfe 1".into(), read_only());
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
        let raw = || Select::new(MailboxName::from_wire("\u{20ac}"));
        play(raw, script, |played| assert_eq!(played.output, Ok(())));
    }

    #[test]
    fn a_literal_that_the_server_refuses_is_not_sent() {
        let script = "
            S: * PREAUTH hi
            C: A1 SELECT {3}
            S: A1 BAD no 8-bit names
        ";
        let raw = || Select::new(MailboxName::from_wire("\u{20ac}"));
        play(raw, script, |played| {
            assert_eq!(played.refusal().to_string(), "BAD no 8-bit names");
        });
    }
}
