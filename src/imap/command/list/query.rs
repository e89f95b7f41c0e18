//! LIST with selection and return options, RFC 9051 section 6.3.9 (RFC 5258, RFC 5819, RFC 6154, RFC
//! 8440).
//!
//! ```text
//! C: A3 LIST (SUBSCRIBED RECURSIVEMATCH) "" ("INBOX" "Sent/%") RETURN (CHILDREN STATUS (UNSEEN) MYRIGHTS)
//! S: * LIST (\Subscribed \HasNoChildren) "/" INBOX
//! S: * STATUS INBOX (UNSEEN 3)
//! S: * MYRIGHTS INBOX lrswi
//! S: * LIST (\HasChildren) "/" Sent/2026 ("CHILDINFO" ("SUBSCRIBED"))
//! S: A3 OK LIST completed
//! ```

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::asked::Asked;
use super::{ListedMailbox, Mailboxes};
use crate::imap::command::acl::{ACL, Ask, Letters, Rights, Told, my_rights};
use crate::imap::command::modifier::Need;
use crate::imap::command::status::{self, MailboxStatus, StatusItem};
use crate::imap::command::{Command, Fit, is_data};
use crate::imap::proto::decode::Parsed;
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Core, Tag};
use crate::imap::{Capabilities, Error, Event, ImapClient, MailboxName, Reply};
use crate::{Misuse, Stage};

const EXTENDED: Need = Need::offered(&["LIST-EXTENDED"]);
const SPECIAL_USE: Need = Need::offered(&["SPECIAL-USE"]);
const LIST_STATUS: Need = Need::offered(&["LIST-STATUS"]);
const LIST_MYRIGHTS: Need = Need::offered(&["LIST-MYRIGHTS"]);

/// Which mailboxes are wanted, and what of them.
///
/// ```
/// use mailbearer::imap::{ListQuery, StatusItem};
///
/// let subscribed = ListQuery::new("*").subscribed().recursive_match();
/// let counted = ListQuery::new("*").status([StatusItem::Messages, StatusItem::Unseen]);
/// let some = ListQuery::new("INBOX").or("Archive/%").with_children().with_special_use();
/// ```
#[derive(Debug, Clone)]
pub struct ListQuery {
    reference: MailboxName,
    patterns: Vec<MailboxName>,
    select: Vec<&'static str>,
    returns: Vec<&'static str>,
    items: Vec<StatusItem>,
    needs: Vec<Need>,
}

impl ListQuery {
    /// Mailboxes whose names match this pattern, in which `*` stands for anything and `%` for
    /// anything within one level.
    pub fn new(pattern: impl Into<MailboxName>) -> Self {
        Self {
            reference: MailboxName::NONE,
            patterns: vec![pattern.into()],
            select: Vec::new(),
            returns: Vec::new(),
            items: Vec::new(),
            needs: vec![EXTENDED],
        }
    }

    /// Or this pattern.
    pub fn or(mut self, pattern: impl Into<MailboxName>) -> Self {
        self.patterns.push(pattern.into());
        self
    }

    /// What patterns are relative to; nothing by default.
    pub fn reference(mut self, reference: impl Into<MailboxName>) -> Self {
        self.reference = reference.into();
        self
    }

    /// `SUBSCRIBED`: names that are subscribed to, of which there need be no mailbox:
    /// [`Attribute::NonExistent`](super::Attribute::NonExistent) tells.
    pub fn subscribed(self) -> Self {
        self.selecting("SUBSCRIBED")
    }

    /// `REMOTE`: mailboxes on other servers, too.
    pub fn remote(self) -> Self {
        self.selecting("REMOTE")
    }

    /// `SPECIAL-USE`: mailboxes that have a [`Role`](super::Role) only.
    pub fn special_use(mut self) -> Self {
        self.needs.push(SPECIAL_USE);
        self.selecting("SPECIAL-USE")
    }

    /// `RECURSIVEMATCH`: those, too, below which there is one that is wanted:
    /// [`ListedMailbox::child_info`] tells. Only beside another selection.
    pub fn recursive_match(self) -> Self {
        self.selecting("RECURSIVEMATCH")
    }

    /// `RETURN (SUBSCRIBED)`: of each, whether it is subscribed to.
    pub fn with_subscribed(self) -> Self {
        self.returning("SUBSCRIBED")
    }

    /// `RETURN (CHILDREN)`: of each, [whether there are others below
    /// it](ListedMailbox::has_children).
    pub fn with_children(self) -> Self {
        self.returning("CHILDREN")
    }

    /// `RETURN (SPECIAL-USE)`: of each, its [`Role`](super::Role).
    pub fn with_special_use(mut self) -> Self {
        self.needs.push(SPECIAL_USE);
        self.returning("SPECIAL-USE")
    }

    /// `RETURN (MYRIGHTS)`: of each that can be selected, [what this user may do in
    /// it](ListedMailbox::my_rights). A server with `ACL` (RFC 4314) and without `LIST-MYRIGHTS` (RFC
    /// 8440) is asked about each in one flight behind the list.
    pub fn with_my_rights(mut self) -> Self {
        self.needs.push(LIST_MYRIGHTS);
        self.returning("MYRIGHTS")
    }

    /// `RETURN (STATUS (…))`: of each that can be selected, [its status](ListedMailbox::status). A
    /// server without `LIST-STATUS` (RFC 5819) is asked about each in one flight behind the list.
    pub fn status(mut self, items: impl IntoIterator<Item = StatusItem>) -> Self {
        self.items.extend(items);
        self
    }

    fn selecting(mut self, option: &'static str) -> Self {
        if !self.select.contains(&option) {
            self.select.push(option);
        }
        self
    }

    fn returning(mut self, option: &'static str) -> Self {
        if !self.returns.contains(&option) {
            self.returns.push(option);
        }
        self
    }
}

impl ListedMailbox {
    /// Its status, where [`ListQuery::status`] has asked for it and the server tells.
    pub const fn status(&self) -> Option<&MailboxStatus> {
        self.status.as_ref()
    }

    /// What this user may do in it, where [`ListQuery::with_my_rights`] has asked for it.
    pub const fn my_rights(&self) -> Option<Rights> {
        self.rights
    }

    /// Of what there are mailboxes below it, after [`ListQuery::recursive_match`]: `SUBSCRIBED`,
    /// `SPECIAL-USE`.
    pub fn child_info(&self) -> Vec<String> {
        let words = self.extended_item("CHILDINFO");
        words.into_iter().map(|word| String::from_utf8_lossy(&word).into_owned()).collect()
    }

    /// The name that it had before, or in another form, where the server tells (RFC 9051 section
    /// 6.3.9.7).
    pub fn old_name(&self) -> Option<MailboxName> {
        let told = self.extended_item("OLDNAME").into_iter().next();
        told.map(|name| MailboxName::heard(name, self.utf8))
    }
}

impl ImapClient {
    /// Which mailboxes there are, of those that `query` selects, and what it asks of them, in one
    /// round trip.
    ///
    /// ```no_run
    /// # async fn read(imap: &mut mailbearer::ImapClient) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::{ListQuery, StatusItem};
    ///
    /// for mailbox in &imap.list_query(ListQuery::new("*").status([StatusItem::Unseen])).await? {
    ///     let unseen = mailbox.status().and_then(|status| status.unseen());
    ///     println!("{} {unseen:?}", mailbox.name());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer `LIST-EXTENDED`, or what an option needs
    /// besides, or is done without: IMAP4rev2 has all but `LIST-MYRIGHTS` built in, once it was
    /// [enabled](crate::imap::Extension::Imap4rev2). [`Error::Misuse`] for `RECURSIVEMATCH` alone.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn list_query(&mut self, mut query: ListQuery) -> Result<Mailboxes, Error> {
        self.mailbox.session.rest(Stage::Command("LIST")).await?;
        let rev2 = self.mailbox.session.core().speaks_rev2();
        if rev2 {
            query.needs.retain(|need| *need == LIST_MYRIGHTS);
        }
        let counted = rev2 || LIST_STATUS.is_met(self.capabilities(), self.enabled());
        let items = match counted {
            true => Vec::new(),
            false => std::mem::take(&mut query.items),
        };
        let letters = Letters::of(self.capabilities());
        let by_one = query.needs.contains(&LIST_MYRIGHTS)
            && !LIST_MYRIGHTS.is_met(self.capabilities(), self.enabled())
            && ACL.is_met(self.capabilities(), self.enabled());
        if by_one {
            query.needs.retain(|need| *need != LIST_MYRIGHTS);
            query.returns.retain(|option| *option != "MYRIGHTS");
        }
        let mut found = self.run(List::new(query)).await?;
        for row in found.rows_mut() {
            row.rights = row.rights.map(|rights| rights.told_by(letters.and_of([rights])));
        }
        if !items.is_empty() {
            let rows = found.rows_mut().iter_mut().filter(|mailbox| mailbox.is_selectable());
            let mut rows: Vec<_> = rows.collect();
            let names: Vec<_> = rows.iter().map(|mailbox| mailbox.name.clone()).collect();
            for (row, status) in rows.iter_mut().zip(self.status_all(names, items).await?) {
                // One that cannot be asked about is listed all the same.
                row.status = status.ok();
            }
        }
        if by_one {
            let rows = found.rows_mut().iter_mut().filter(|mailbox| mailbox.is_selectable());
            let mut rows: Vec<_> = rows.collect();
            let asked = rows.iter().map(|mailbox| Ask::my_rights(mailbox.name.clone())).collect();
            let told = self.mailbox.session.run_all(asked, Stage::Command("MYRIGHTS")).await?;
            for (row, rights) in rows.iter_mut().zip(told) {
                row.rights = rights.ok().map(|told| told.by(letters)).and_then(Told::my_rights);
            }
        }
        for row in &found {
            if let Some(status) = row.status() {
                self.mailbox.session.append_limits.learn(row.name(), status);
            }
        }
        Ok(found)
    }
}

struct List {
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
    fn new(query: ListQuery) -> Self {
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

    fn needs(&self) -> &[Need] {
        &self.query.needs
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
        let query = ListQuery::new("%").with_my_rights().status(items);
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
        play(list(ListQuery::new("%").status([StatusItem::Size])), script, |mut played| {
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
