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

struct Select {
    name: MailboxName,
    read_only: bool,
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
