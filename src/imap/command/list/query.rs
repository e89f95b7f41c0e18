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
//!
//! Exchange, Outlook.com, iCloud and Yahoo have no LIST-EXTENDED. What a plain LIST can be asked
//! instead is asked so, and the rest behind it, in one flight:
//!
//! ```text
//! C: A3 LIST "" "*"
//! S: * LIST (\HasNoChildren) "/" INBOX
//! S: * LIST (\HasNoChildren) "/" Sent
//! S: A3 OK LIST completed
//! C: A4 STATUS INBOX (UNSEEN)
//! C: A5 STATUS Sent (UNSEEN)
//! ```

use super::extended::List;
use super::{ListedMailbox, Mailboxes, is_disliked};
use crate::Stage;
use crate::imap::command::acl::{ACL, Letters, MyRights, Rights};
use crate::imap::command::modifier::Need;
use crate::imap::command::status::{MailboxStatus, StatusItem};
use crate::imap::proto::Core;
use crate::imap::{Error, ImapClient, MailboxName};

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
/// let counted = ListQuery::new("*").with_status([StatusItem::Messages, StatusItem::Unseen]);
/// let some = ListQuery::new("INBOX").or("Archive/%").with_children().with_special_use();
/// ```
#[derive(Debug, Clone)]
pub struct ListQuery {
    pub(super) reference: MailboxName,
    pub(super) patterns: Vec<MailboxName>,
    pub(super) select: Vec<&'static str>,
    pub(super) returns: Vec<&'static str>,
    pub(super) items: Vec<StatusItem>,
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
    pub fn special_use(self) -> Self {
        self.selecting("SPECIAL-USE")
    }

    /// `RECURSIVEMATCH`: those, too, below which there is one that is wanted:
    /// [`ListedMailbox::child_info`] tells. Only beside another selection.
    pub fn recursive_match(self) -> Self {
        self.selecting("RECURSIVEMATCH")
    }

    /// `RETURN (SUBSCRIBED)`: of each, whether it is subscribed to:
    /// [`Attribute::Subscribed`](super::Attribute::Subscribed) tells. A server without `LIST-EXTENDED`
    /// is asked by LSUB behind the list.
    pub fn with_subscribed(self) -> Self {
        self.returning("SUBSCRIBED")
    }

    /// `RETURN (CHILDREN)`: of each, [whether there are others below
    /// it](ListedMailbox::has_children). A server without `LIST-EXTENDED` tells that unasked, or does
    /// not tell.
    pub fn with_children(self) -> Self {
        self.returning("CHILDREN")
    }

    /// `RETURN (SPECIAL-USE)`: of each, its [`Role`](super::Role). A server without `SPECIAL-USE`
    /// does not tell, and [`Mailboxes::role`] goes by names.
    pub fn with_special_use(self) -> Self {
        self.returning("SPECIAL-USE")
    }

    /// `RETURN (MYRIGHTS)`: of each that can be selected, [what this user may do in
    /// it](ListedMailbox::my_rights). A server with `ACL` (RFC 4314) and without `LIST-MYRIGHTS` (RFC
    /// 8440) is asked about each in one flight behind the list.
    pub fn with_my_rights(self) -> Self {
        self.returning("MYRIGHTS")
    }

    /// `RETURN (STATUS (…))`: of each that can be selected, [its status](ListedMailbox::status). A
    /// server without `LIST-STATUS` (RFC 5819) is asked about each in one flight behind the list.
    pub fn with_status(mut self, items: impl IntoIterator<Item = StatusItem>) -> Self {
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
    /// Its status, where [`ListQuery::with_status`] has asked for it and the server tells.
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
    /// round trip where the server has all of it in one command.
    ///
    /// ```no_run
    /// # async fn read(imap: &mut mailbearer::ImapClient) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::{ListQuery, StatusItem};
    ///
    /// let query = ListQuery::new("*").with_status([StatusItem::Unseen]);
    /// for mailbox in &imap.list_query(query).await? {
    ///     let unseen = mailbox.status().and_then(|status| status.unseen());
    ///     println!("{} {unseen:?}", mailbox.name());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`], before anything is sent, for a selection or a second pattern if the
    /// server does not offer `LIST-EXTENDED`, for [`special_use`](ListQuery::special_use) without
    /// `SPECIAL-USE`, for rights without `ACL`, and for what an item of the status belongs to.
    /// IMAP4rev2 has `LIST-EXTENDED` and `LIST-STATUS` built in, once it was
    /// [enabled](crate::imap::Extension::Imap4rev2). [`Error::Misuse`] for `RECURSIVEMATCH` alone.
    /// [`Error::Refused`] if the server refuses LIST, or LSUB where that is asked behind it: a mailbox
    /// without [`Attribute::Subscribed`](super::Attribute::Subscribed) is one that is not subscribed to.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn list_query(&mut self, mut query: ListQuery) -> Result<Mailboxes, Error> {
        const STAGE: Stage = Stage::Command("LIST");
        self.mailbox.session.rest(STAGE).await?;
        let core = self.mailbox.session.core();
        let server = Server::of(core);
        query.items = StatusItem::known_to(core, query.items);
        if let Some(what) = query.lacking(&server, core) {
            return Err(Error::lacks(core.capabilities(), STAGE, what));
        }
        let letters = Letters::of(core.capabilities());
        let (reference, pattern) = (query.reference.clone(), query.patterns.first().cloned());
        let pattern = pattern.unwrap_or(MailboxName::NONE);
        let (mut found, behind) = self.list_split(query, &server).await?;
        for row in found.rows_mut() {
            row.rights = row.rights.map(|rights| rights.told_alone_by(letters));
        }
        if behind.subscribed {
            found.mark_subscribed(&self.lsub(reference, pattern).await?);
        }
        let rows = found.rows_mut().iter_mut();
        let mut rows: Vec<_> = rows.filter(|mailbox| mailbox.is_selectable()).collect();
        let names: Vec<_> = rows.iter().map(|mailbox| mailbox.name.clone()).collect();
        if !behind.items.is_empty() {
            let told = self.status_all(names.clone(), behind.items).await?;
            for (row, status) in rows.iter_mut().zip(told) {
                // One that cannot be asked about is listed all the same.
                row.status = status.ok();
            }
        }
        if behind.rights {
            let asked = names.into_iter().map(MyRights::new).collect();
            let told = self.mailbox.session.run_all(asked, Stage::Command("MYRIGHTS")).await?;
            for (row, rights) in rows.iter_mut().zip(told) {
                row.rights = rights.ok().flatten().map(|rights| rights.told_alone_by(letters));
            }
        }
        for row in &found {
            if let Some(status) = row.status() {
                self.mailbox.session.append_limits.learn(row.name(), status);
            }
        }
        Ok(found)
    }

    /// Asks in one command as much as the server does in one. Gives what is left.
    async fn list_split(
        &mut self,
        query: ListQuery,
        server: &Server,
    ) -> Result<(Mailboxes, Behind), Error> {
        let (sent, behind) = query.clone().split(server);
        if !server.extended {
            let pattern = sent.patterns.into_iter().next().unwrap_or(MailboxName::NONE);
            return Ok((self.list(sent.reference, pattern).await?, behind));
        }
        let has_returns = !sent.returns.is_empty() || !sent.items.is_empty();
        let answer = self.run(List::new(sent)).await;
        // As `list` does, where the form brings nothing.
        let brings_nothing = match &answer {
            Ok(found) => found.is_empty() && found.unread() == 0,
            Err(error) => is_disliked(error),
        };
        if has_returns && brings_nothing && !query.must_be_extended() {
            let (sent, behind) = query.split(&Server::default());
            return Ok((self.run(List::new(sent)).await?, behind));
        }
        Ok((answer?, behind))
    }
}

/// What a server does in one command.
#[derive(Default)]
struct Server {
    extended: bool,
    special_use: bool,
    status: bool,
    rights: bool,
}

impl Server {
    fn of(core: &Core) -> Self {
        let offers = |need: Need| need.is_met(core.capabilities(), core.enabled());
        // iCloud announces LIST-STATUS without what it is part of.
        let extended = offers(EXTENDED);
        Self {
            extended,
            special_use: extended && offers(SPECIAL_USE),
            status: extended && offers(LIST_STATUS),
            rights: extended && offers(LIST_MYRIGHTS),
        }
    }
}

/// What is to be asked behind the list.
#[derive(Default)]
struct Behind {
    subscribed: bool,
    rights: bool,
    items: Vec<StatusItem>,
}

impl ListQuery {
    /// Whether a plain LIST does not find the same.
    const fn must_be_extended(&self) -> bool {
        !self.select.is_empty() || self.patterns.len() > 1
    }

    /// What the server would have to offer, and does not.
    fn lacking(&self, server: &Server, core: &Core) -> Option<&'static str> {
        let unmet = |need: &Need| !need.is_met(core.capabilities(), core.enabled());
        if self.must_be_extended() && !server.extended {
            return Some(EXTENDED.what);
        }
        if self.select.contains(&"SPECIAL-USE") && !server.special_use {
            return Some(SPECIAL_USE.what);
        }
        if self.returns.contains(&"MYRIGHTS") && !server.rights && unmet(&ACL) {
            return Some(ACL.what);
        }
        StatusItem::needs(&self.items, core).iter().find(|need| unmet(need)).map(|need| need.what)
    }

    /// What of it this server does in one command, and what is left.
    fn split(mut self, server: &Server) -> (Self, Behind) {
        let mut behind = Behind::default();
        if !server.status {
            behind.items = std::mem::take(&mut self.items);
        }
        behind.subscribed = !server.extended && self.returns.contains(&"SUBSCRIBED");
        behind.rights = !server.rights && self.returns.contains(&"MYRIGHTS");
        self.returns.retain(|option| match *option {
            "MYRIGHTS" => server.rights,
            // Else it is told unasked, or not at all.
            "SPECIAL-USE" => server.special_use,
            _ => server.extended,
        });
        (self, behind)
    }
}
