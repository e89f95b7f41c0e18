//! RENAME, RFC 9051 section 6.3.6.
//!
//! ```text
//! C: A5 RENAME Projects/2025 Archive/2025
//! S: A5 OK RENAME completed
//! ```

use super::Command;
use crate::Misuse;
use crate::imap::proto::encode::Line;
use crate::imap::{Capabilities, Error, ImapClient, MailboxName, Reply};

impl ImapClient {
    /// Gives a mailbox another name, and with it those below it.
    ///
    /// To rename INBOX moves its messages into a new mailbox of that name, and leaves INBOX empty
    /// and the mailboxes below it where they are (RFC 9051 section 6.3.6). Some servers refuse it,
    /// Exchange among them.
    ///
    /// Subscriptions do not follow the name at every server. If the selected mailbox is renamed, or
    /// one above it, it stays selected under its old name, and
    /// [`ensure_selected`](Self::ensure_selected) selects anew, whatever it is asked for.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such mailbox, or one of the new name already.
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. The server renames the mailbox all the same.
    pub async fn rename(
        &mut self,
        from: impl Into<MailboxName>,
        to: impl Into<MailboxName>,
    ) -> Result<(), Error> {
        let (from, to) = (from.into(), to.into());
        self.mailbox.session.displace(&from);
        self.mailbox.session.displace_made(&to);
        self.run(Rename { from, to }).await
    }
}

struct Rename {
    from: MailboxName,
    to: MailboxName,
}

impl Command for Rename {
    type Output = ();

    fn name(&self) -> &'static str {
        "RENAME"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("RENAME ").mailbox(&self.from)?.raw(" ").mailbox(&self.to)?;
        Ok(())
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    #[test]
    fn inbox_can_be_renamed_too() {
        // RFC 3501 section 6.3.5.
        let script = "
            S: * PREAUTH hi
            C: A1 RENAME INBOX \"old mail\"
            S: A1 OK RENAME Completed
        ";
        let rename = || Rename { from: "INBOX".into(), to: "old mail".into() };
        play(rename, script, |played| assert_eq!(played.output, Ok(())));
    }
}
