//! ACL, RFC 4314: who may do what in a mailbox.
//!
//! ```text
//! C: A3 GETACL INBOX/Drafts
//! S: * ACL INBOX/Drafts Fred rwipslxetad Chris lrswi
//! S: A3 OK Getacl complete
//! C: A4 SETACL INBOX/Drafts Chris +cda
//! S: A4 OK Setacl complete
//! C: A5 MYRIGHTS INBOX
//! S: * MYRIGHTS INBOX rwiptsldaex
//! S: A5 OK Myrights complete
//! C: A6 LISTRIGHTS ~/Mail/saved smith
//! S: * LISTRIGHTS ~/Mail/saved smith la r swicdkxte
//! S: A6 OK Listrights completed
//! ```

mod rights;
#[cfg(test)]
mod tests;

pub use rights::{Right, Rights};

use std::borrow::Cow;

use bytes::Bytes;

pub(super) use self::rights::Letters;
use super::modifier::Need;
use super::{Command, Fit, fit_of, is_data};
use crate::Misuse;
use crate::imap::proto::decode::{Cursor, Malformed, Parsed};
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Core, Tag};
use crate::imap::{Capabilities, Error, ImapClient, MailboxName, Reply};

pub(super) const ACL: Need = Need::offered(&["ACL"]);

/// A change of somebody's rights in a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetRights {
    sign: &'static str,
    rights: Rights,
}

impl SetRights {
    /// These and no others.
    pub fn replace(rights: impl IntoIterator<Item = Right>) -> Self {
        Self { sign: "", rights: rights.into_iter().collect() }
    }

    /// These besides those there are.
    pub fn add(rights: impl IntoIterator<Item = Right>) -> Self {
        Self { sign: "+", rights: rights.into_iter().collect() }
    }

    /// These no longer.
    pub fn remove(rights: impl IntoIterator<Item = Right>) -> Self {
        Self { sign: "-", rights: rights.into_iter().collect() }
    }
}

/// Who may do what in a mailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessList {
    entries: Vec<(Vec<u8>, Rights)>,
}

impl AccessList {
    /// Identifiers and what they may. An identifier is a user, a group (`$team`), `anyone`, or with
    /// `-` before it somebody to whom these rights are denied.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, Rights)> {
        self.entries.iter().map(|(who, rights)| (String::from_utf8_lossy(who), *rights))
    }

    /// What a server means by it that has these letters.
    fn by(mut self, letters: Letters) -> Self {
        let letters = letters.and_of(self.entries.iter().map(|(_, rights)| *rights));
        for (_, rights) in &mut self.entries {
            *rights = rights.told_by(letters);
        }
        self
    }

    /// What this identifier is listed with.
    pub fn get(&self, identifier: &str) -> Option<Rights> {
        let found = self.entries.iter().find(|(who, _)| who == identifier.as_bytes());
        found.map(|(_, rights)| *rights)
    }
}

/// What somebody can be given in a mailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedRights {
    required: Rights,
    optional: Vec<Rights>,
}

impl ListedRights {
    /// What cannot be taken away.
    pub const fn required(&self) -> Rights {
        self.required
    }

    /// What can be given; those of one set only together.
    pub fn optional(&self) -> &[Rights] {
        &self.optional
    }

    /// What a server means by it that has these letters.
    fn by(self, letters: Letters) -> Self {
        let Self { required, optional } = self;
        let letters = letters.and_of(optional.iter().copied().chain([required]));
        let mut meant = Vec::with_capacity(optional.len());
        for rights in optional {
            let told = rights.told_by(letters);
            // What was but `c` or `d` is told by others.
            if !told.is_empty() || rights.is_empty() {
                meant.push(told);
            }
        }
        Self { required: required.told_by(letters), optional: meant }
    }
}

impl ImapClient {
    /// What this user may do in a mailbox; `None` if the server says OK and tells nothing that can be
    /// read. What cannot is among the events, as
    /// [`Event::Unparsed`](crate::imap::Event::Unparsed).
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer `ACL`; [`Error::Refused`] if there is no
    /// such mailbox.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn my_rights(
        &mut self,
        mailbox: impl Into<MailboxName>,
    ) -> Result<Option<Rights>, Error> {
        let letters = Letters::of(self.capabilities());
        let told = self.run(MyRights::new(mailbox.into())).await?;
        Ok(told.map(|rights| rights.told_alone_by(letters)))
    }

    /// Who may do what in a mailbox; `None` as for [`my_rights`](Self::my_rights).
    ///
    /// # Errors
    /// As for [`my_rights`](Self::my_rights), and if this user may not
    /// [administer](Right::ADMINISTER) it.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn acl(
        &mut self,
        mailbox: impl Into<MailboxName>,
    ) -> Result<Option<AccessList>, Error> {
        let letters = Letters::of(self.capabilities());
        let told = self.run(GetAcl { mailbox: mailbox.into(), told: None, utf8: false }).await?;
        Ok(told.map(|list| list.by(letters)))
    }

    /// What somebody can be given in a mailbox; `None` as for [`my_rights`](Self::my_rights). A server
    /// may write the identifier in a way of its own.
    ///
    /// # Errors
    /// As for [`acl`](Self::acl).
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn list_rights(
        &mut self,
        mailbox: impl Into<MailboxName>,
        identifier: &str,
    ) -> Result<Option<ListedRights>, Error> {
        let letters = Letters::of(self.capabilities());
        let told = self.run(ListRights::new(mailbox.into(), identifier.to_owned())).await?;
        Ok(told.map(|rights| rights.by(letters)))
    }

    /// Changes what somebody may do in a mailbox. To a server of RFC 2086 its letters are written:
    /// `c` for [`CREATE_MAILBOX`](Right::CREATE_MAILBOX), `d` for
    /// [`DELETE_MESSAGES`](Right::DELETE_MESSAGES) with [`EXPUNGE`](Right::EXPUNGE).
    ///
    /// # Errors
    /// As for [`acl`](Self::acl), and [`Error::Refused`] for a right that the server does not know.
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. The server changes it all the same.
    pub async fn set_acl(
        &mut self,
        mailbox: impl Into<MailboxName>,
        identifier: &str,
        change: SetRights,
    ) -> Result<(), Error> {
        let (mailbox, identifier) = (mailbox.into(), identifier.to_owned());
        self.run(SetAcl { mailbox, identifier, change }).await
    }

    /// Takes somebody off the list.
    ///
    /// # Errors
    /// As for [`acl`](Self::acl).
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. The server changes it all the same.
    pub async fn delete_acl(
        &mut self,
        mailbox: impl Into<MailboxName>,
        identifier: &str,
    ) -> Result<(), Error> {
        let (mailbox, identifier) = (mailbox.into(), identifier.to_owned());
        self.run(DeleteAcl { mailbox, identifier }).await
    }
}

/// No mailbox has more identifiers or sets of rights; each takes more room than its text.
const MOST: usize = 10_000;

struct GetAcl {
    mailbox: MailboxName,
    /// That nobody may do anything is not what an answer means that is missing or cannot be read.
    told: Option<AccessList>,
    utf8: bool,
}

impl Command for GetAcl {
    type Output = Option<AccessList>;

    fn name(&self) -> &'static str {
        "GETACL"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("GETACL ").mailbox(&self.mailbox)?;
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        &[ACL]
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_data(response, "ACL"))
    }

    fn started(&mut self, _: Tag, utf8: bool) {
        self.utf8 = utf8;
    }

    fn fit(&self, response: &Response<'_>) -> Fit {
        fit_of_mailbox(&self.mailbox, response, self.utf8)
    }

    fn is_about(&self, response: &Response<'_>) -> bool {
        self.fit(response) > Fit::No
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        let mut strings = Strings::of(response);
        strings.next()?;
        let mut entries = Vec::new();
        while let Some(who) = strings.more()? {
            if entries.len() == MOST {
                return Err(Malformed("at most 10,000 identifiers"));
            }
            entries.push((who, Rights::parse(&strings.next()?)?));
        }
        self.told = Some(AccessList { entries });
        Ok(())
    }

    fn finish(self, _: Reply) -> Option<AccessList> {
        self.told
    }
}

/// What this user may do, in the letters of the server.
pub(super) struct MyRights {
    mailbox: MailboxName,
    told: Option<Rights>,
    utf8: bool,
}

impl MyRights {
    pub(super) const fn new(mailbox: MailboxName) -> Self {
        Self { mailbox, told: None, utf8: false }
    }
}

impl Command for MyRights {
    type Output = Option<Rights>;

    fn name(&self) -> &'static str {
        "MYRIGHTS"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("MYRIGHTS ").mailbox(&self.mailbox)?;
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        &[ACL]
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_data(response, "MYRIGHTS"))
    }

    fn started(&mut self, _: Tag, utf8: bool) {
        self.utf8 = utf8;
    }

    fn fit(&self, response: &Response<'_>) -> Fit {
        fit_of_mailbox(&self.mailbox, response, self.utf8)
    }

    fn is_about(&self, response: &Response<'_>) -> bool {
        self.fit(response) > Fit::No
    }

    fn is_served(&self) -> bool {
        self.told.is_some()
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        let Response::Data { rest, .. } = response else { return Ok(()) };
        let (_, rights) = my_rights(rest)?;
        self.told = Some(rights);
        Ok(())
    }

    fn finish(self, _: Reply) -> Option<Rights> {
        self.told
    }
}

struct ListRights {
    mailbox: MailboxName,
    identifier: String,
    told: Option<ListedRights>,
    /// What was told of other identifiers, with its octets. If nothing else was, one alone is the
    /// answer: the server writes the identifier in another case, or with its domain.
    others: Vec<(ListedRights, Bytes)>,
    utf8: bool,
}

impl ListRights {
    const fn new(mailbox: MailboxName, identifier: String) -> Self {
        Self { mailbox, identifier, told: None, others: Vec::new(), utf8: false }
    }
}

impl Command for ListRights {
    type Output = Option<ListedRights>;

    fn name(&self) -> &'static str {
        "LISTRIGHTS"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("LISTRIGHTS ").mailbox(&self.mailbox)?.raw(" ");
        line.astring("identifier", self.identifier.as_bytes())?;
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        &[ACL]
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_data(response, "LISTRIGHTS"))
    }

    fn started(&mut self, _: Tag, utf8: bool) {
        self.utf8 = utf8;
    }

    fn fit(&self, response: &Response<'_>) -> Fit {
        fit_of_mailbox(&self.mailbox, response, self.utf8)
    }

    fn is_about(&self, response: &Response<'_>) -> bool {
        self.fit(response) > Fit::No
    }

    fn accept(&mut self, response: &Response<'_>, frame: &Bytes) -> Parsed<()> {
        let mut strings = Strings::of(response);
        strings.next()?;
        let who = strings.next()?;
        let required = Rights::parse(&strings.next()?)?;
        let mut optional = Vec::new();
        while let Some(rights) = strings.more()? {
            if optional.len() == MOST {
                return Err(Malformed("at most 10,000 sets of rights"));
            }
            optional.push(Rights::parse(&rights)?);
        }
        let rights = ListedRights { required, optional };
        match who == self.identifier.as_bytes() {
            true => self.told = Some(rights),
            false => self.others.push((rights, frame.clone())),
        }
        Ok(())
    }

    fn give_back(&mut self, core: &mut Core) {
        if self.told.is_none() && self.others.len() == 1 {
            self.told = self.others.pop().map(|(rights, _)| rights);
        }
        for (_, frame) in self.others.drain(..) {
            core.unclaimed(&Response::parse(&frame), &frame);
        }
    }

    fn finish(self, _: Reply) -> Option<ListedRights> {
        self.told
    }
}

struct SetAcl {
    mailbox: MailboxName,
    identifier: String,
    change: SetRights,
}

impl Command for SetAcl {
    type Output = ();

    fn name(&self) -> &'static str {
        "SETACL"
    }

    fn encode(&self, line: &mut Line, offered: &Capabilities) -> Result<(), Misuse> {
        let SetRights { sign, rights } = self.change;
        let rights = rights.said_to(Letters::of(offered));
        line.raw("SETACL ").mailbox(&self.mailbox)?.raw(" ");
        line.astring("identifier", self.identifier.as_bytes())?.raw(" ");
        line.astring("rights", format!("{sign}{rights}").as_bytes())?;
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        &[ACL]
    }

    fn finish(self, _: Reply) {}
}

struct DeleteAcl {
    mailbox: MailboxName,
    identifier: String,
}

impl Command for DeleteAcl {
    type Output = ();

    fn name(&self) -> &'static str {
        "DELETEACL"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("DELETEACL ").mailbox(&self.mailbox)?.raw(" ");
        line.astring("identifier", self.identifier.as_bytes())?;
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        &[ACL]
    }

    fn finish(self, _: Reply) {}
}

/// How well the mailbox fits that the first string names.
fn fit_of_mailbox(mailbox: &MailboxName, response: &Response<'_>, utf8: bool) -> Fit {
    match Strings::of(response).next() {
        Ok(name) => fit_of(mailbox, &name, utf8),
        Err(_) => Fit::Loose,
    }
}

/// What follows `* MYRIGHTS`: the name of a mailbox and what this user may do in it.
pub(super) fn my_rights(rest: &[u8]) -> Parsed<(Vec<u8>, Rights)> {
    let mut strings = Strings(Cursor::new(rest));
    let told = (strings.next()?, Rights::parse(&strings.next()?)?);
    match strings.more()? {
        None => Ok(told),
        Some(_) => Err(Malformed("nothing behind the rights")),
    }
}

/// Strings parted by spaces.
struct Strings<'a>(Cursor<'a>);

impl<'a> Strings<'a> {
    /// Those behind the name of the data.
    const fn of(response: &Response<'a>) -> Self {
        match response {
            Response::Data { rest, .. } => Self(Cursor::new(rest)),
            _ => Self(Cursor::new(b"")),
        }
    }

    fn next(&mut self) -> Parsed<Vec<u8>> {
        self.0.spaces();
        Ok(self.0.astring()?.to_bytes().into_owned())
    }

    fn more(&mut self) -> Parsed<Option<Vec<u8>>> {
        self.0.spaces();
        if self.0.at_end() { Ok(None) } else { self.next().map(Some) }
    }
}
