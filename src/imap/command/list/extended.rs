//! LIST as an extended one is written and answered, RFC 9051 section 6.3.9 (RFC 5258, RFC 5819, RFC
//! 8440).
//!
//! ```text
//! C: A1 LIST "" "%" RETURN (MYRIGHTS STATUS (MESSAGES UNSEEN))
//! S: * LIST () "." "INBOX"
//! S: * STATUS "INBOX" (MESSAGES 17 UNSEEN 16)
//! S: * MYRIGHTS "INBOX" lrswipkxtecda
//! S: A1 OK List completed.
//! ```

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::Mailboxes;
use super::asked::Asked;
use super::query::ListQuery;
use crate::Misuse;
use crate::imap::command::acl::{Rights, my_rights};
use crate::imap::command::status::{self, MailboxStatus};
use crate::imap::command::{Command, Fit, is_data};
use crate::imap::proto::decode::Parsed;
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Core, Tag};
use crate::imap::{Capabilities, Event, MailboxName, Reply};

pub(super) struct List {
    query: ListQuery,
    found: Mailboxes,
    statuses: HashMap<MailboxName, MailboxStatus>,
    rights: HashMap<MailboxName, Rights>,
    /// The names of those that were found, where the server tells of others in between.
    listed: Option<HashSet<MailboxName>>,
    utf8: bool,
    weight: usize,
}

impl List {
    pub(super) fn new(query: ListQuery) -> Self {
        let (found, statuses, rights, listed, utf8, weight) = Default::default();
        Self { query, found, statuses, rights, listed, utf8, weight }
    }
}

impl Command for List {
    type Output = Mailboxes;

    fn name(&self) -> &'static str {
        "LIST"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        let ListQuery { reference, patterns, select, returns, items, .. } = &self.query;
        let recursive = select.contains(&"RECURSIVEMATCH");
        if recursive && !select.iter().any(|option| !["RECURSIVEMATCH", "REMOTE"].contains(option))
        {
            let why = "RECURSIVEMATCH says something only beside another selection".to_owned();
            return Err(Misuse::Argument { what: "list", why });
        }
        line.raw("LIST ");
        if !select.is_empty() {
            line.raw(format_args!("({}) ", select.join(" ")));
        }
        line.pattern("the reference", reference)?;
        let mut separator = if patterns.len() > 1 { " (" } else { " " };
        for pattern in patterns {
            line.raw(separator).pattern("the pattern", pattern)?;
            separator = " ";
        }
        line.raw(if patterns.len() > 1 { ")" } else { "" });
        let mut separator = " RETURN (";
        for option in returns {
            line.raw(separator).raw(option);
            separator = " ";
        }
        if !items.is_empty() {
            line.raw(separator).raw("STATUS");
            let mut separator = " (";
            for item in items {
                line.raw(separator).atom("a STATUS item", item.as_str())?;
                separator = " ";
            }
            line.raw(")");
        }
        if !returns.is_empty() || !items.is_empty() {
            line.raw(")");
        }
        Ok(())
    }

    fn claims(&self) -> Claims {
        // What is told besides is claimed, too: nobody else waits for it.
        Claims::Data(|response| {
            ["LIST", "STATUS", "MYRIGHTS"].iter().any(|name| is_data(response, name))
        })
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
        let ListQuery { reference, patterns, select, items, .. } = &self.query;
        let subscribed = select.contains(&"SUBSCRIBED");
        match is_data(response, "STATUS") {
            true if items.is_empty() => Fit::No,
            false if is_data(response, "LIST") => {
                Asked { reference, patterns, subscribed }.fit(rest, self.utf8, listed)
            }
            _ => Fit::Exact,
        }
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        let Response::Data { name, rest } = response else { return Ok(()) };
        if name.eq_ignore_ascii_case(b"LIST") {
            self.found.take(rest, self.utf8, &mut self.listed)?;
            self.weight = self.found.weight();
            return Ok(());
        }
        if name.eq_ignore_ascii_case(b"STATUS") {
            let (name, status, whole) = status::parse_front(rest)?;
            let name = MailboxName::heard(name.into_owned(), self.utf8);
            self.weight = size_of::<(MailboxName, MailboxStatus)>() + status.octets();
            self.statuses.entry(name).or_default().renew(status);
            return whole;
        } else {
            let (name, rights) = my_rights(rest)?;
            self.weight = size_of::<(MailboxName, Rights)>();
            self.rights.insert(MailboxName::heard(name, self.utf8), rights);
        }
        Ok(())
    }

    fn weight(&self) -> usize {
        self.weight
    }

    fn give_back(&mut self, core: &mut Core) {
        let Some(listed) = &self.listed else { return };
        self.found.tell_renamed(core);
        // Of mailboxes that are not in the list it was told for another reason.
        let others = std::mem::take(&mut self.statuses).into_iter();
        let (these, others): (Vec<_>, Vec<_>) = others.partition(|(name, _)| listed.contains(name));
        self.statuses.extend(these);
        for (mailbox, status) in others {
            core.keep(Event::Status { mailbox, status });
        }
    }

    fn finish(mut self, _: Reply) -> Mailboxes {
        for row in self.found.rows_mut() {
            row.status = self.statuses.remove(&row.name);
            row.rights = self.rights.remove(&row.name);
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::StatusItem;
    use crate::imap::command::list::Attribute;
    use crate::imap::command::script::play;

    fn list(query: ListQuery) -> impl Fn() -> List {
        move || List::new(query.clone())
    }

    #[test]
    fn the_ninth_example_of_rfc_5258_is_read() {
        let script = r#"
            S: * PREAUTH [CAPABILITY LIST-EXTENDED] hi
            C: A1 LIST (RECURSIVEMATCH SUBSCRIBED) "" "*2"
            S: * LIST () "/" "foo2" ("CHILDINFO" ("SUBSCRIBED"))
            S: * LIST (\Subscribed) "/" "foo2/bar2"
            S: * LIST () "/" Top (CHILDINFO ("SUBSCRIBED"))
            S: * LIST (\NonExistent) "/" "qux2" (X-A ("b" (c)) CHILDINFO ("SUBSCRIBED" SPECIAL-USE))
            S: A1 OK done
        "#;
        let query = ListQuery::new("*2").recursive_match().subscribed();
        play(list(query), script, |played| {
            let found = played.output.unwrap();
            assert_eq!(found.get("foo2").unwrap().child_info(), ["SUBSCRIBED"]);
            // As Dovecot writes it.
            assert_eq!(found.get("Top").unwrap().child_info(), ["SUBSCRIBED"]);
            assert_eq!(found.get("qux2").unwrap().child_info(), ["SUBSCRIBED", "SPECIAL-USE"]);
            let bar = found.get("foo2/bar2").unwrap();
            assert!(
                bar.attributes().contains(&Attribute::Subscribed) && bar.child_info().is_empty()
            );
        });
    }

    #[test]
    fn the_examples_of_rfc_5819_and_rfc_8440_are_read() {
        let script = r#"
            S: * PREAUTH [CAPABILITY LIST-EXTENDED LIST-STATUS] hi
            C: A1 LIST "" "%" RETURN (MYRIGHTS STATUS (MESSAGES UNSEEN))
            S: * LIST () "."  "INBOX"
            S: * STATUS "inbox" (MESSAGES 17 UNSEEN 16)
            S: * MYRIGHTS "INBOX" lrswipkxtecda
            S: * STATUS "foo" (MESSAGES 30 UNSEEN 29)
            S: * LIST () "." "foo"
            S: * LIST (\NoSelect) "." "bar"
            S: A1 OK List completed.
        "#;
        let items = [StatusItem::Messages, StatusItem::Unseen];
        let query = ListQuery::new("%").with_my_rights().with_status(items);
        play(list(query), script, |played| {
            let found = played.output.unwrap();
            let inbox = found.get("INBOX").unwrap();
            assert_eq!(inbox.status().unwrap().unseen(), Some(16));
            assert_eq!(inbox.my_rights().unwrap().to_string(), "lrswipkxteacd");
            assert_eq!(found.get("foo").unwrap().status().unwrap().messages(), Some(30));
            let bar = found.get("bar").unwrap();
            assert_eq!((bar.status(), bar.my_rights()), (None, None));
        });
    }

    #[test]
    fn several_patterns_stand_in_parentheses() {
        // The tenth example of RFC 5258, and RFC 9051 section 6.3.9.7.
        let script = r#"
            S: * PREAUTH [CAPABILITY LIST-EXTENDED SPECIAL-USE] hi
            C: A1 LIST (SPECIAL-USE REMOTE) "" ("INBOX" "Drafts" "Sent/%") RETURN (CHILDREN)
            S: * LIST () "/" "INBOX" ("OLDNAME" ("inb&APY-x"))
            S: * LIST (\NoInferiors) "/" "Drafts"
            S: A1 OK done
        "#;
        let query = ListQuery::new("INBOX").or("Drafts").or("Sent/%");
        play(list(query.special_use().remote().with_children()), script, |played| {
            let found = played.output.unwrap();
            let old = found.get("INBOX").unwrap().old_name().unwrap();
            assert_eq!(old.to_str_lossy(), "inb\u{f6}x");
            assert_eq!(found.get("Drafts").unwrap().has_children(), Some(false));
            assert_eq!(found.get("Drafts").unwrap().old_name(), None);
        });
    }

    #[test]
    fn a_former_name_in_utf_8_is_the_same_as_one_in_modified_utf_7() {
        // RFC 9051 section 6.3.9.7, as a server of IMAP4rev2 writes it.
        let script = r#"
            S: * PREAUTH [CAPABILITY IMAP4rev2 LIST-EXTENDED] hi
            C: A1 LIST "" "%"
            S: * LIST () "/" "Entwürfe" ("OLDNAME" ("A&b Entwürfe"))
            S: A1 OK done
        "#;
        play(list(ListQuery::new("%")), script, |played| {
            let found = played.output.unwrap();
            let row = found.get("Entw\u{fc}rfe").unwrap();
            assert_eq!(row.old_name(), Some(MailboxName::from("A&b Entw\u{fc}rfe")));
        });
    }

    #[test]
    fn what_is_no_status_is_an_event_and_the_mailbox_is_listed() {
        let script = r#"
            S: * PREAUTH [CAPABILITY LIST-EXTENDED LIST-STATUS] hi
            C: A1 LIST "" "%" RETURN (STATUS (SIZE))
            S: * LIST () "/" a ("OLDNAME" 
            S: * STATUS a (SIZE
            S: * MYRIGHTS a (l)
            S: A1 OK done
        "#;
        play(list(ListQuery::new("%").with_status([StatusItem::Size])), script, |mut played| {
            let found = played.output.unwrap();
            let row = found.get("a").unwrap();
            assert_eq!((row.status(), row.old_name()), (None, None));
            assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })));
            assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })));
        });
    }

    #[test]
    fn recursive_match_alone_is_not_sent() {
        for query in
            [ListQuery::new("*").recursive_match(), ListQuery::new("*").recursive_match().remote()]
        {
            let mut line = Line::new(Default::default());
            assert!(List::new(query).encode(&mut line, &Capabilities::default()).is_err());
        }
        let marked = ListQuery::new("*").recursive_match().special_use();
        let mut line = Line::new(Default::default());
        assert!(List::new(marked).encode(&mut line, &Capabilities::default()).is_ok());
    }
}
