//! CREATE, RFC 9051 section 6.3.4.
//!
//! ```text
//! C: A3 CREATE Projects/2026
//! S: A3 OK CREATE completed
//! ```
//!
//! A server with OBJECTID (RFC 8474 section 4.1) tells what it will be known by, whatever its name:
//!
//! ```text
//! C: A4 CREATE foo
//! S: A4 OK [MAILBOXID (F2212ea87-6097-4256-9d51-71338625)] Completed
//! ```

use super::Command;
use crate::Misuse;
use crate::imap::proto::encode::Line;
use crate::imap::{Capabilities, Code, Error, ImapClient, MailboxName, Reply};

impl ImapClient {
    /// Makes a mailbox. Levels of the name are parted by the delimiter that [`list`](Self::list)
    /// and [`namespace`](Self::namespace) tell; those that do not exist yet are made too, by most
    /// servers. A delimiter at the end declares that the mailbox is to hold others; it is left out
    /// at Gmail, which would take it for a part of the name.
    ///
    /// # Errors
    /// [`Error::Refused`] if the mailbox exists already ([`Code::AlreadyExists`](crate::imap::Code))
    /// or the server does not want it.
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. The server makes the mailbox all the same.
    pub async fn create(&mut self, name: impl Into<MailboxName>) -> Result<(), Error> {
        self.create_identified(name).await.map(drop)
    }

    /// Makes a mailbox as [`create`](Self::create) does, and gives its identifier, which renaming does
    /// not change (RFC 8474). `None` from servers without `OBJECTID`.
    ///
    /// # Errors
    /// As for [`create`](Self::create).
    ///
    /// # Cancel safety
    /// As for [`create`](Self::create).
    pub async fn create_identified(
        &mut self,
        name: impl Into<MailboxName>,
    ) -> Result<Option<String>, Error> {
        let name = name.into();
        self.mailbox.session.displace_made(&name);
        self.run(Create { name }).await
    }
}

struct Create {
    name: MailboxName,
}

impl Command for Create {
    /// Its identifier, if the server tells one.
    type Output = Option<String>;

    fn name(&self) -> &'static str {
        "CREATE"
    }

    fn encode(&self, line: &mut Line, offered: &Capabilities) -> Result<(), Misuse> {
        let stem = self.name.as_wire().strip_suffix(b"/").filter(|stem| !stem.is_empty());
        match stem.filter(|_| offered.has("X-GM-EXT-1")) {
            Some(stem) => line.raw("CREATE ").mailbox(&MailboxName::from_wire(stem))?,
            None => line.raw("CREATE ").mailbox(&self.name)?,
        };
        Ok(())
    }

    fn finish(self, reply: Reply) -> Option<String> {
        match reply.code() {
            Some(Code::MailboxId(id)) => Some(id.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    #[test]
    fn at_gmail_no_delimiter_ends_the_name() {
        for (offered, name, sent) in [
            ("IMAP4rev1 X-GM-EXT-1", "a/b/", "a/b"),
            ("IMAP4rev1 X-GM-EXT-1", "/", "/"),
            ("IMAP4rev1", "a/b/", "a/b/"),
        ] {
            let script = format!(
                "
                S: * PREAUTH [CAPABILITY {offered}] hi
                C: A1 CREATE {sent}
                S: A1 OK Success
                "
            );
            let create = || Create { name: name.into() };
            play(create, &script, |played| assert_eq!(played.output, Ok(None)));
        }
    }

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
        play(create, script, |played| assert_eq!(played.output, Ok(None)));
    }

    #[test]
    fn the_identifier_of_a_new_mailbox_is_told() {
        // RFC 8474 section 4.1.
        let script = "
            S: * PREAUTH hi
            C: A1 CREATE foo
            S: A1 OK [MAILBOXID (F2212ea87-6097-4256-9d51-71338625)] Completed
        ";
        let create = || Create { name: "foo".into() };
        play(create, script, |played| {
            let id = "F2212ea87-6097-4256-9d51-71338625".to_owned();
            assert_eq!(played.output, Ok(Some(id)));
        });
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
