//! OBJECTID, RFC 8474: identifiers that stay the same where names and UIDs do not.
//!
//! ```text
//! C: A3 SELECT foo
//! S: * OK [MAILBOXID (F2212ea87-6097-4256-9d51-71338625)] Ok
//! S: A3 OK [READ-WRITE] Completed
//! C: A4 UID FETCH 1:* (EMAILID THREADID)
//! S: * 1 FETCH (UID 4 EMAILID (M6d99ac3275bb4e) THREADID (T64b478a75b7ea9))
//! S: A4 OK Completed
//! ```

use super::modifier::Need;
use crate::imap::proto::code::object_id;
use crate::imap::{FetchItems, Mailbox, MailboxStatus, Message, Search};

const OBJECTID: Need = Need::offered(&["OBJECTID"]);

impl FetchItems {
    /// `EMAILID`: found by [`Message::email_id`].
    pub fn email_id(self) -> Self {
        self.named("EMAILID", OBJECTID)
    }

    /// `THREADID`: found by [`Message::thread_id`].
    pub fn thread_id(self) -> Self {
        self.named("THREADID", OBJECTID)
    }
}

impl Message {
    /// The identifier of its content, which is the same in every mailbox it is copied to.
    pub fn email_id(&self) -> Option<&str> {
        object_id(self.item("EMAILID")?.value())
    }

    /// The identifier of the thread it belongs to. `None` as well if the server knows of none.
    pub fn thread_id(&self) -> Option<&str> {
        object_id(self.item("THREADID")?.value())
    }
}

impl Mailbox {
    /// Its identifier, which renaming does not change, from servers with `OBJECTID`.
    pub fn mailbox_id(&self) -> Option<&str> {
        self.state().mailbox_id.as_deref()
    }
}

impl MailboxStatus {
    /// Its identifier, as [`Mailbox::mailbox_id`].
    pub fn mailbox_id(&self) -> Option<&str> {
        object_id(self.raw("MAILBOXID")?)
    }
}

impl Search {
    /// `EMAILID`: those of this content.
    pub fn email_id(self, id: impl Into<String>) -> Self {
        self.extension("EMAILID", OBJECTID).atom(id.into())
    }

    /// `THREADID`: those of this thread.
    pub fn thread_id(self, id: impl Into<String>) -> Self {
        self.extension("THREADID", OBJECTID).atom(id.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;
    use crate::imap::command::select::Select;

    fn message(items: &'static str) -> Message {
        Message::parse(1, items.into()).unwrap()
    }

    #[test]
    fn the_examples_of_rfc_8474_are_read() {
        let told = message("(EMAILID (M6d99ac3275bb4e) THREADID (T64b478a75b7ea9))");
        let ids = (told.email_id(), told.thread_id());
        assert_eq!(ids, (Some("M6d99ac3275bb4e"), Some("T64b478a75b7ea9")));
        let told = message("(EMAILID (M00000001) THREADID NIL)");
        assert_eq!((told.email_id(), told.thread_id()), (Some("M00000001"), None));
    }

    #[test]
    fn what_is_no_identifier_is_none() {
        for odd in ["(EMAILID ())", "(EMAILID (a b))", "(EMAILID (\"a\nb\"))", "(UID 1)"] {
            assert_eq!(message(odd).email_id(), None, "{odd}");
        }
        // Without parentheses, and with spaces.
        assert_eq!(message("(EMAILID M1)").email_id(), Some("M1"));
        assert_eq!(message("(EMAILID ( M1 ))").email_id(), Some("M1"));
        let long: &'static str = format!("(EMAILID ({}))", "x".repeat(256)).leak();
        assert_eq!(message(long).email_id(), None);
    }

    #[test]
    fn a_mailbox_tells_its_identifier_when_it_is_opened() {
        let script = "
            S: * PREAUTH hi
            C: A1 SELECT foo
            S: * OK [MAILBOXID (F2212ea87-6097-4256-9d51-71338625)] Ok
            S: * OK [MAILBOXID (not one)] odd
            S: A1 OK [READ-WRITE] Completed
        ";
        play(
            || Select::new("foo".into()),
            script,
            |mut played| {
                let id = played.core.selected().unwrap().mailbox_id.as_deref();
                assert_eq!(id, Some("F2212ea87-6097-4256-9d51-71338625"));
                assert!(matches!(played.core.take_event(), Some(crate::imap::Event::Notice(_))));
            },
        );
    }
}
