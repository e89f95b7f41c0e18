//! DELETE, RFC 9051 section 6.3.5.
//!
//! ```text
//! C: A4 DELETE Projects/2025
//! S: A4 OK DELETE completed
//! ```

use super::Command;
use crate::Misuse;
use crate::imap::proto::encode::Line;
use crate::imap::{Capabilities, Error, ImapClient, MailboxName, Reply};

impl ImapClient {
    /// Removes a mailbox with all its messages. Mailboxes below it stay: its name then remains as a
    /// level that holds no messages. Do not remove the selected one: what the server says of its
    /// messages afterwards is its own affair. [`ensure_selected`](Self::ensure_selected) then selects
    /// anew.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is none, if it is INBOX, or if the server keeps it for those
    /// below it ([`Code::HasChildren`](crate::imap::Code)).
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. The server removes the mailbox all the same.
    pub async fn delete(&mut self, name: impl Into<MailboxName>) -> Result<(), Error> {
        let name = name.into();
        self.mailbox.session.displace(&name);
        self.run(Delete { name }).await
    }
}

struct Delete {
    name: MailboxName,
}

impl Command for Delete {
    type Output = ();

    fn name(&self) -> &'static str {
        "DELETE"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("DELETE ").mailbox(&self.name)?;
        Ok(())
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Code;
    use crate::imap::command::script::play;

    #[test]
    fn a_mailbox_with_children_may_be_refused_and_the_code_says_so() {
        // RFC 3501 section 6.3.4, with the code of RFC 5530.
        let script = "
            S: * PREAUTH hi
            C: A1 DELETE foo
            S: A1 NO [HASCHILDREN] Name \"foo\" has inferior hierarchical names
        ";
        let foo = || Delete { name: "foo".into() };
        play(foo, script, |played| {
            assert_eq!(played.refusal().code(), Some(&Code::HasChildren));
        });
        let script = "
            S: * PREAUTH hi
            C: A1 DELETE foo/bar
            S: A1 OK DELETE Completed
        ";
        let bar = || Delete { name: "foo/bar".into() };
        play(bar, script, |played| assert_eq!(played.output, Ok(())));
    }
}
