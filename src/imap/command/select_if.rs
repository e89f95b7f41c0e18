//! SELECT for a program that has kept UIDs, RFC 9051 section 2.3.1.1.

use std::num::NonZeroU32;

use crate::Stage;
use crate::imap::{Error, ImapClient, Mailbox, MailboxName};

impl ImapClient {
    /// Opens a mailbox as [`select`](Self::select) does, if its UIDs are still those of
    /// `uid_validity`. A server that gives it another UIDVALIDITY has given the messages other UIDs,
    /// and what was kept under the old ones must be forgotten.
    ///
    /// # Errors
    /// [`Error::Changed`] if the UIDVALIDITY is another one, or the server tells none. The mailbox
    /// is then open, and [`selected`](Self::selected) has it. Otherwise as for
    /// [`select`](Self::select).
    ///
    /// # Cancel safety
    /// As for [`select`](Self::select).
    pub async fn select_if(
        &mut self,
        name: impl Into<MailboxName>,
        uid_validity: NonZeroU32,
    ) -> Result<&mut Mailbox, Error> {
        let mailbox = self.select(name).await?;
        match mailbox.uid_validity() {
            Some(found) if found == uid_validity => Ok(mailbox),
            found => Err(Error::Changed {
                stage: Stage::Command("SELECT"),
                expected: uid_validity,
                found,
            }),
        }
    }
}
