//! CREATE-SPECIAL-USE, RFC 6154 section 3: a mailbox is made for something.
//!
//! ```text
//! C: A3 CREATE MyDrafts (USE (\Drafts))
//! S: A3 OK MyDrafts created
//! C: A4 CREATE Everything (USE (\All))
//! S: A4 NO [USEATTR] \All not supported
//! ```

use super::Command;
use super::modifier::Need;
use crate::Misuse;
use crate::imap::proto::encode::Line;
use crate::imap::{Capabilities, Error, ImapClient, MailboxName, Reply, Role};

const CREATE_SPECIAL_USE: Need = Need::offered(&["CREATE-SPECIAL-USE"]);

impl ImapClient {
    /// Makes a mailbox as [`create`](Self::create) does, and marks what it is for: every client then
    /// knows it by [`Mailboxes::role`](crate::imap::Mailboxes::role), whatever its name.
    ///
    /// # Errors
    /// As for [`create`](Self::create). [`Error::Unsupported`] if the server does not offer
    /// `CREATE-SPECIAL-USE`; [`Error::Refused`] with [`Code::UseAttr`](crate::imap::Code::UseAttr) if
    /// it does not give that role. [`Error::Misuse`] for [`Role::Inbox`], which is no mark.
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. The server makes the mailbox all the same.
    pub async fn create_for(
        &mut self,
        name: impl Into<MailboxName>,
        roles: impl IntoIterator<Item = Role>,
    ) -> Result<(), Error> {
        let (name, roles) = (name.into(), roles.into_iter().collect());
        self.mailbox.session.displace_made(&name);
        self.run(CreateFor { name, roles }).await
    }
}

struct CreateFor {
    name: MailboxName,
    roles: Vec<Role>,
}

impl Command for CreateFor {
    type Output = ();

    fn name(&self) -> &'static str {
        "CREATE"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        if self.roles.contains(&Role::Inbox) {
            let why = "there is one INBOX, and it has that name".to_owned();
            return Err(Misuse::Argument { what: "role", why });
        }
        let marks: Vec<_> = self.roles.iter().map(|role| format!("\\{}", role.as_str())).collect();
        line.raw("CREATE ").mailbox(&self.name)?;
        if !marks.is_empty() {
            line.raw(format_args!(" (USE ({}))", marks.join(" ")));
        }
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        &[CREATE_SPECIAL_USE]
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Code;
    use crate::imap::command::script::play;

    fn create(name: &'static str, roles: &'static [Role]) -> impl Fn() -> CreateFor {
        move || CreateFor { name: name.into(), roles: roles.to_vec() }
    }

    #[test]
    fn the_examples_of_rfc_6154_are_played() {
        let script = r"
            S: * PREAUTH [CAPABILITY IMAP4rev1 CREATE-SPECIAL-USE] hi
            C: A1 CREATE MySpecial (USE (\Drafts \Sent))
            S: A1 OK MySpecial created
        ";
        play(create("MySpecial", &[Role::Drafts, Role::Sent]), script, |played| {
            assert_eq!(played.output, Ok(()));
        });
        let script = r"
            S: * PREAUTH [CAPABILITY IMAP4rev1 CREATE-SPECIAL-USE] hi
            C: A1 CREATE Everything (USE (\All))
            S: A1 NO [USEATTR] \All not supported
        ";
        play(create("Everything", &[Role::All]), script, |played| {
            assert_eq!(played.refusal().code(), Some(&Code::UseAttr));
        });
    }

    #[test]
    fn a_second_inbox_is_not_asked_for() {
        let mut line = Line::new(Default::default());
        let inbox = create("x", &[Role::Inbox])();
        assert!(inbox.encode(&mut line, &Capabilities::default()).is_err());
    }
}
