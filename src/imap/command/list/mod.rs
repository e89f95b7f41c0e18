//! LIST, RFC 9051 section 6.3.9, with the attributes of RFC 3348 and RFC 6154, and LSUB, RFC 3501
//! section 6.3.9.
//!
//! ```text
//! C: A2 LIST "" "*"
//! S: * LIST (\HasNoChildren) "/" INBOX
//! S: * LIST (\HasNoChildren \Sent) "/" "Sent Items"
//! S: A2 OK LIST completed
//! ```
//!
//! Servers with SPECIAL-USE need not tell the use of a mailbox unless they are asked to, and Cyrus
//! does not; where there is also LIST-EXTENDED they are asked:
//!
//! ```text
//! C: A2 LIST "" "*" RETURN (SPECIAL-USE CHILDREN)
//! ```
//!
//! Servers with XLIST and without SPECIAL-USE, as Gmail was before RFC 6154, are asked by XLIST:
//!
//! ```text
//! C: A2 XLIST "" "*"
//! S: * XLIST (\HasNoChildren \Inbox) "/" Posteingang
//! S: * XLIST (\HasNoChildren \Spam) "/" "[Gmail]/Spam"
//! S: A2 OK Success
//! ```
//!
//! Either form is given up where it brings nothing: strato.de answers it with an empty list
//! (MailKit#1957), and others refuse what they announce.

mod asked;
mod attribute;
mod extended;
mod found;
mod query;
mod role;

pub use attribute::Attribute;
pub use found::{ListedMailbox, Mailboxes};
pub use query::ListQuery;
pub use role::Role;

use std::collections::HashSet;

use bytes::Bytes;

use self::asked::Asked;
use super::{Command, Fit, is_data};
use crate::imap::proto::decode::Parsed;
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Core, Tag};
use crate::imap::{Capabilities, Error, ImapClient, MailboxName, Reply};
use crate::{Failure, Misuse, Stage};

impl ImapClient {
    /// Which mailboxes there are. In `pattern`, `*` stands for anything and `%` for anything within
    /// one level; `reference` is what the pattern is relative to, nearly always `""`. So `"", "*"`
    /// gives all mailboxes, and `"", "%"` those of the topmost level.
    ///
    /// ```no_run
    /// # async fn read(imap: &mut mailbearer::ImapClient) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::Role;
    ///
    /// let mailboxes = imap.list("", "*").await?;
    /// for mailbox in &mailboxes {
    ///     println!("{} {:?}", mailbox.name(), mailbox.attributes());
    /// }
    /// if let Some(sent) = mailboxes.role(Role::Sent) {
    ///     imap.select(sent.name()).await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] if the server does not list that reference or name.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn list(
        &mut self,
        reference: impl Into<MailboxName>,
        pattern: impl Into<MailboxName>,
    ) -> Result<Mailboxes, Error> {
        let (reference, pattern) = (reference.into(), pattern.into());
        self.mailbox.session.rest(Stage::Command("LIST")).await?;
        let offered = self.capabilities();
        let rev2 = self.mailbox.session.core().speaks_rev2();
        let extended = rev2 || offered.has("LIST-EXTENDED") && offered.has("SPECIAL-USE");
        let form = match offered.has("XLIST") && !offered.has("SPECIAL-USE") {
            _ if extended => Some(Form::Extended),
            true => Some(Form::Xlist),
            false => None,
        };
        // An empty pattern asks for the delimiter, and has no other form.
        if let Some(form) = form.filter(|_| !pattern.as_wire().is_empty()) {
            match self.run(List::new(form, reference.clone(), pattern.clone())).await {
                Ok(found) if !found.is_empty() || found.unread() > 0 => return Ok(found),
                Err(error) if !is_disliked(&error) => return Err(error),
                _ => {}
            }
        }
        self.run(List::new(Form::List, reference, pattern)).await
    }

    /// Which names are [subscribed](Self::subscribe) to. There need be no mailbox of such a name.
    /// Reference and pattern are as for [`list`](Self::list). IMAP4rev2 has no LSUB; its
    /// `LIST (SUBSCRIBED)` does the same, and is tried where LSUB is refused.
    ///
    /// # Errors
    /// [`Error::Refused`] if the server does not keep such a list.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn lsub(
        &mut self,
        reference: impl Into<MailboxName>,
        pattern: impl Into<MailboxName>,
    ) -> Result<Mailboxes, Error> {
        let (reference, pattern) = (reference.into(), pattern.into());
        self.mailbox.session.rest(Stage::Command("LSUB")).await?;
        let core = self.mailbox.session.core();
        let offered = core.capabilities();
        let extended = offered.has("LIST-EXTENDED") || offered.has("IMAP4rev2");
        if !core.speaks_rev2() {
            let lsub = List::new(Form::Subscribed, reference.clone(), pattern.clone());
            match self.run(lsub).await {
                // Exchange, where it announces IMAP4rev2.
                Err(error) if extended && is_disliked(&error) => {}
                answer => return answer,
            }
        }
        self.run(List::new(Form::SubscribedOnly, reference, pattern)).await
    }
}

/// Whether the server says no to the form of the command, and not for a reason of its own.
fn is_disliked(error: &Error) -> bool {
    matches!(error, Error::Refused { usable: true, .. }) && error.retry() == crate::Retry::Never
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    List,
    Extended,
    Subscribed,
    /// By selection, where there is no LSUB.
    SubscribedOnly,
    Xlist,
}

impl Form {
    /// The command, and what it is answered by.
    const fn verb(self) -> &'static str {
        match self {
            Self::List | Self::Extended | Self::SubscribedOnly => "LIST",
            Self::Subscribed => "LSUB",
            Self::Xlist => "XLIST",
        }
    }
}

struct List {
    form: Form,
    reference: MailboxName,
    pattern: MailboxName,
    found: Mailboxes,
    /// The names of those, where the server tells of others in between.
    listed: Option<HashSet<MailboxName>>,
    utf8: bool,
}

impl List {
    fn new(form: Form, reference: MailboxName, pattern: MailboxName) -> Self {
        let (found, listed, utf8) = Default::default();
        Self { form, reference, pattern, found, listed, utf8 }
    }
}

impl Command for List {
    type Output = Mailboxes;

    fn name(&self) -> &'static str {
        self.form.verb()
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw(self.name()).raw(" ");
        if self.form == Form::SubscribedOnly {
            line.raw("(SUBSCRIBED) ");
        }
        line.pattern("the reference", &self.reference)?.raw(" ");
        line.pattern("the pattern", &self.pattern)?;
        if self.form == Form::Extended {
            line.raw(" RETURN (SPECIAL-USE CHILDREN)");
        }
        Ok(())
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| ["LIST", "LSUB", "XLIST"].iter().any(|n| is_data(response, n)))
    }

    fn started(&mut self, _: Tag, utf8: bool) {
        self.utf8 = utf8;
    }

    fn beware(&mut self) {
        self.listed = Some(HashSet::new());
    }

    fn fit(&self, response: &Response<'_>) -> Fit {
        let (Some(listed), Response::Data { rest, .. }) = (&self.listed, response) else {
            return Fit::Exact;
        };
        let asked = Asked {
            reference: &self.reference,
            patterns: std::slice::from_ref(&self.pattern),
            subscribed: self.form == Form::SubscribedOnly,
        };
        match is_data(response, self.form.verb()) {
            true => asked.fit(rest, self.utf8, listed),
            false => Fit::No,
        }
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        match response {
            Response::Data { rest, .. } => self.found.take(rest, self.utf8, &mut self.listed),
            _ => Ok(()),
        }
    }

    fn weight(&self) -> usize {
        self.found.weight()
    }

    fn give_back(&mut self, core: &mut Core) {
        if self.listed.is_some() {
            self.found.tell_renamed(core);
        }
    }

    fn finish(self, _: Reply) -> Mailboxes {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    fn list(form: Form) -> impl Fn() -> List {
        move || List::new(form, "".into(), "*".into())
    }

    fn names(found: &Mailboxes) -> Vec<String> {
        found.iter().map(|mailbox| mailbox.name().to_string()).collect()
    }

    #[test]
    fn the_examples_of_rfc_3501_are_read() {
        let script = r#"
            S: * PREAUTH hi
            C: A1 LIST "~/Mail/" "%"
            S: * LIST (\Noselect) "/" ~/Mail/foo
            S: * LIST () "/" ~/Mail/meetings
            S: A1 OK LIST completed
        "#;
        let list = || List::new(Form::List, "~/Mail/".into(), "%".into());
        play(list, script, |played| {
            let found = played.output.unwrap();
            assert_eq!(names(&found), ["~/Mail/foo", "~/Mail/meetings"]);
            assert!(!found.iter().next().unwrap().is_selectable());
        });
        let script = r##"
            S: * PREAUTH hi
            C: A1 LSUB "#news." "comp.mail.*"
            S: * LSUB () "." #news.comp.mail.mime
            S: * LSUB () "." #news.comp.mail.misc
            S: A1 OK LSUB completed
        "##;
        let lsub = || List::new(Form::Subscribed, "#news.".into(), "comp.mail.*".into());
        play(lsub, script, |played| assert_eq!(played.output.unwrap().len(), 2));
    }

    #[test]
    fn a_pattern_beyond_ascii_goes_out_in_modified_utf_7_and_names_come_back() {
        let script = r#"
            S: * PREAUTH hi
            C: A1 LIST "" "Entw&APw-rfe*"
            S: * LIST () "/" Entw&APw-rfe
            S: * LIST () "/" {10}
            S: Entwürfe2
            S: A1 OK LIST completed
        "#;
        let list = || List::new(Form::List, "".into(), "Entw\u{fc}rfe*".into());
        play(list, script, |played| {
            assert_eq!(names(&played.output.unwrap()), ["Entw\u{fc}rfe", "Entw\u{fc}rfe2"]);
        });
    }

    #[test]
    fn the_use_of_mailboxes_is_asked_for_where_servers_tell_it_only_then() {
        let script = r#"
            S: * PREAUTH hi
            C: A1 LIST "" "*" RETURN (SPECIAL-USE CHILDREN)
            S: * LIST (\HasNoChildren \Sent) "/" Sent
            S: A1 OK done
        "#;
        play(list(Form::Extended), script, |played| {
            let found = played.output.unwrap();
            assert_eq!(found.role(Role::Sent).unwrap().name().to_string(), "Sent");
        });
    }

    #[test]
    fn what_xlist_says_counts_as_what_list_says() {
        let script = r#"
            S: * PREAUTH [CAPABILITY XLIST X-GM-EXT-1] hi
            C: A1 XLIST "" "*"
            S: * XLIST (\HasNoChildren \Inbox) "/" Posteingang
            S: * XLIST (\HasChildren \Noselect) "/" "[Gmail]"
            S: * XLIST (\HasNoChildren \AllMail) "/" "[Gmail]/Alle Nachrichten"
            S: * XLIST (\HasNoChildren \Spam) "/" "[Gmail]/Spam"
            S: A1 OK Success
        "#;
        play(list(Form::Xlist), script, |played| {
            let found = played.output.unwrap();
            let of = |role| found.role(role).map(|mailbox| mailbox.name().to_string());
            // There is no other name for it (Gmail, of mailboxes in German).
            assert_eq!(of(Role::Inbox).as_deref(), Some("Posteingang"));
            assert_eq!(of(Role::All).as_deref(), Some("[Gmail]/Alle Nachrichten"));
            assert_eq!(of(Role::Junk).as_deref(), Some("[Gmail]/Spam"));
        });
    }

    #[test]
    fn a_row_that_cannot_be_read_is_counted_and_becomes_an_event() {
        let script = r#"
            S: * PREAUTH hi
            C: A1 LIST "" "*"
            S: * LIST (\HasNoChildren) "/" INBOX
            S: * LIST \HasNoChildren
            S: A1 OK LIST completed
        "#;
        play(list(Form::List), script, |mut played| {
            let found = played.output.unwrap();
            assert_eq!((found.len(), found.unread()), (1, 1));
            let event = played.core.take_event().unwrap();
            assert!(matches!(event, crate::imap::Event::Unparsed { .. }), "{event:?}");
        });
    }
}
