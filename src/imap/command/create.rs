//! CREATE, RFC 9051 section 6.3.4.
//!
//! ```text
//! C: A3 CREATE Projects/2026
//! S: A3 OK CREATE completed
//! ```

use super::Command;
use crate::Misuse;
use crate::imap::proto::encode::Line;
use crate::imap::{Capabilities, Error, ImapClient, MailboxName, Reply};

impl ImapClient {
    /// Makes a mailbox. Levels of the name are parted by the delimiter that [`list`](Self::list)
    /// and [`namespace`](Self::namespace) tell; those that do not exist yet are made too, by most
    /// servers. A delimiter at the end declares that the mailbox is to hold others; leave it out
    /// at Gmail, which takes it for a part of the name.
    ///
    /// # Errors
    /// [`Error::Refused`] if the mailbox exists already ([`Code::AlreadyExists`](crate::imap::Code))
    /// or the server does not want it.
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. The server makes the mailbox all the same.
    pub async fn create(&mut self, name: impl Into<MailboxName>) -> Result<(), Error> {
        self.run(Create { name: name.into() }).await
    }
}

struct Create {
    name: MailboxName,
}

impl Command for Create {
    const NAME: &'static str = "CREATE";

    type Output = ();

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("CREATE ").mailbox(&self.name)?;
        Ok(())
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Code;
    use crate::imap::command::script::play;

    fn create() -> Create {
        Create { name: "owatagusiam/bl\u{fc}rdybloop".into() }
    }

    #[test]
    fn the_name_goes_out_in_modified_utf_7() {
        // RFC 3501 section 6.3.3.
        let script = "
            S: * PREAUTH hi
            C: A1 CREATE owatagusiam/bl&APw-rdybloop
            S: A1 OK CREATE completed
        ";
        play(create, script, |played| assert_eq!(played.output, Ok(())));
    }

    #[test]
    fn a_mailbox_that_exists_is_refused_by_its_code() {
        let script = "
            S: * PREAUTH hi
            C: A1 CREATE owatagusiam/bl&APw-rdybloop
            S: A1 NO [ALREADYEXISTS] Mailbox already exists
        ";
        play(create, script, |played| {
            assert_eq!(played.refusal().code(), Some(&Code::AlreadyExists));
        });
    }
}
