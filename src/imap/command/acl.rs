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

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use super::modifier::Need;
use super::{Command, Fit, fit_of, is_data};
use crate::Misuse;
use crate::imap::proto::decode::{Cursor, Malformed, Parsed};
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Tag};
use crate::imap::{Capabilities, Error, ImapClient, MailboxName, Reply};

pub(super) const ACL: Need = Need::offered(&["ACL"]);

/// Something that somebody may do in a mailbox: a letter, or a digit for what only this server has.
///
/// ```
/// use mailbearer::imap::{Right, Rights};
///
/// let rights = Rights::from_iter([Right::LOOKUP, Right::READ, Right::SEEN]);
/// assert!(rights.has(Right::READ) && !rights.has(Right::INSERT));
/// assert_eq!(rights.to_string(), "lrs");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Right(u8);

impl Right {
    /// `l`: LIST shows the mailbox.
    pub const LOOKUP: Self = Self(b'l');
    /// `r`: SELECT opens it, and its messages can be read.
    pub const READ: Self = Self(b'r');
    /// `s`: `\Seen` is kept from session to session.
    pub const SEEN: Self = Self(b's');
    /// `w`: flags can be changed, but for `\Seen` and `\Deleted`.
    pub const WRITE: Self = Self(b'w');
    /// `i`: messages can be put into it.
    pub const INSERT: Self = Self(b'i');
    /// `p`: mail can be sent to its address.
    pub const POST: Self = Self(b'p');
    /// `k`: mailboxes can be made below it.
    pub const CREATE_MAILBOX: Self = Self(b'k');
    /// `x`: the mailbox itself can be removed.
    pub const DELETE_MAILBOX: Self = Self(b'x');
    /// `t`: messages can be marked `\Deleted`.
    pub const DELETE_MESSAGES: Self = Self(b't');
    /// `e`: messages can be expunged.
    pub const EXPUNGE: Self = Self(b'e');
    /// `a`: who may do what can be changed.
    pub const ADMINISTER: Self = Self(b'a');

    /// A right by its letter or digit.
    pub fn new(letter: char) -> Option<Self> {
        let octet = u8::try_from(letter).ok()?;
        (octet.is_ascii_lowercase() || octet.is_ascii_digit()).then_some(Self(octet))
    }

    /// Its letter or digit.
    pub const fn letter(self) -> char {
        self.0 as char
    }
}

/// A set of rights. Two are equal if they hold the same, whatever the order.
///
/// What a server tells is in the letters of RFC 4314. Its `c` and `d`, which stand there for several
/// rights together, are left out; where an older server (RFC 2086) has only these, they are told as what
/// they have become: `c` as [`CREATE_MAILBOX`](Right::CREATE_MAILBOX), `d` as
/// [`DELETE_MESSAGES`](Right::DELETE_MESSAGES) and [`EXPUNGE`](Right::EXPUNGE), and both together as
/// [`DELETE_MAILBOX`](Right::DELETE_MAILBOX), too, which the one server has in `c`, the other in `d`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Rights {
    /// A bit for each letter and behind those one for each digit.
    bits: u64,
}

impl Rights {
    const LETTERS: &'static [u8; 36] = b"lrswipkxteacdbfghjmnoquvyz0123456789";

    /// Whether this right is among them.
    pub fn has(self, right: Right) -> bool {
        self.bits & Self::bit(right) != 0
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// Each of them, those of RFC 4314 first.
    pub fn iter(self) -> impl Iterator<Item = Right> {
        Self::LETTERS.iter().map(|l| Right(*l)).filter(move |r| self.bits & Self::bit(*r) != 0)
    }

    const CREATE: Right = Right(b'c');
    const DELETE: Right = Right(b'd');

    fn has_all<const N: usize>(self, rights: [Right; N]) -> bool {
        rights.into_iter().all(|right| self.has(right))
    }

    fn has_any<const N: usize>(self, rights: [Right; N]) -> bool {
        rights.into_iter().any(|right| self.has(right))
    }

    fn with<const N: usize>(self, rights: [Right; N]) -> Self {
        Self { bits: self.bits | Self::from_iter(rights).bits }
    }

    fn without<const N: usize>(self, rights: [Right; N]) -> Self {
        Self { bits: self.bits & !Self::from_iter(rights).bits }
    }

    /// What a server means that says so (RFC 4314 section 2.1.1).
    pub(super) fn told_by(self, letters: Letters) -> Self {
        let (create, delete) = (self.has(Self::CREATE), self.has(Self::DELETE));
        let mut told = self.without([Self::CREATE, Self::DELETE]);
        if letters == Letters::Old {
            if create {
                told = told.with([Right::CREATE_MAILBOX]);
            }
            if delete {
                told = told.with([Right::DELETE_MESSAGES, Right::EXPUNGE]);
            }
            if create && delete {
                told = told.with([Right::DELETE_MAILBOX]);
            }
        }
        told
    }

    /// What to say to a server to mean this. `c` and `d` would give more than is meant beside one of
    /// the rights that they stand for. What an older server has no letter for it refuses.
    fn said_to(self, letters: Letters) -> Self {
        let mut said = self;
        if letters == Letters::Old {
            let (create, delete) =
                ([Right::CREATE_MAILBOX], [Right::DELETE_MESSAGES, Right::EXPUNGE]);
            let (creates, deletes) = (self.has_all(create), self.has_all(delete));
            if creates {
                said = said.without(create).with([Self::CREATE]);
            }
            if deletes {
                said = said.without(delete).with([Self::DELETE]);
            }
            if creates && deletes {
                said = said.without([Right::DELETE_MAILBOX]);
            }
            return said;
        }
        if self.has_any([Right::CREATE_MAILBOX, Right::DELETE_MAILBOX]) {
            said = said.without([Self::CREATE]);
        }
        if self.has_any([Right::DELETE_MAILBOX, Right::DELETE_MESSAGES, Right::EXPUNGE]) {
            said = said.without([Self::DELETE]);
        }
        said
    }

    fn bit(right: Right) -> u64 {
        let at = Self::LETTERS.iter().position(|letter| *letter == right.0);
        at.map_or(0, |at| 1 << at)
    }

    /// Of letters and digits.
    fn parse(letters: &[u8]) -> Parsed<Self> {
        let rights = letters.iter().map(|letter| Right::new((*letter).into()));
        rights.collect::<Option<Self>>().ok_or(Malformed("rights, which are letters and digits"))
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        Self { bits: rights.into_iter().fold(0, |bits, right| bits | Self::bit(right)) }
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|right| write!(f, "{}", right.letter()))
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({self})")
    }
}

/// Which letters a server has for rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    /// `c` and `d` in place of `k`, `x`, `t` and `e` (RFC 2086).
    Old,
    /// Those, and `c` and `d` beside them for older clients (RFC 4314).
    New,
}

impl Letters {
    /// A server of RFC 4314 names those that it has besides (section 2).
    pub(super) fn of(offered: &Capabilities) -> Self {
        if offered.value("RIGHTS").is_some() { Self::New } else { Self::Old }
    }

    /// The same, where an answer shows it in any case.
    pub(super) fn and_of(self, told: impl IntoIterator<Item = Rights>) -> Self {
        const NEW: [Right; 4] =
            [Right::CREATE_MAILBOX, Right::DELETE_MAILBOX, Right::DELETE_MESSAGES, Right::EXPUNGE];
        if told.into_iter().any(|rights| rights.has_any(NEW)) { Self::New } else { self }
    }
}

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
        Ok(self.ask(Ask::my_rights(mailbox.into())).await?.my_rights())
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
        Ok(self.ask(Ask::new("GETACL", mailbox.into(), None)).await?.list)
    }

    /// What somebody can be given in a mailbox; `None` as for [`my_rights`](Self::my_rights).
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
        let asked = Ask::new("LISTRIGHTS", mailbox.into(), Some(identifier.to_owned()));
        Ok(self.ask(asked).await?.rights)
    }

    async fn ask(&mut self, asked: Ask) -> Result<Told, Error> {
        let letters = Letters::of(self.capabilities());
        Ok(self.run(asked).await?.by(letters))
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
        let mut asked = Ask::new("SETACL", mailbox.into(), Some(identifier.to_owned()));
        asked.change = Some(change);
        self.run(asked).await.map(drop)
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
        let asked = Ask::new("DELETEACL", mailbox.into(), Some(identifier.to_owned()));
        self.run(asked).await.map(drop)
    }
}

/// Any of the five commands: they differ in little but their names.
pub(super) struct Ask {
    verb: &'static str,
    mailbox: MailboxName,
    identifier: Option<String>,
    change: Option<SetRights>,
    told: Told,
    utf8: bool,
}

/// That nobody may do anything is not what an answer means that is missing or cannot be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    list: Option<AccessList>,
    rights: Option<ListedRights>,
}

impl Told {
    /// What a server means by it that has these letters.
    pub(super) fn by(self, letters: Letters) -> Self {
        let list = self.list.map(|mut list| {
            let letters = letters.and_of(list.entries.iter().map(|(_, rights)| *rights));
            for (_, rights) in &mut list.entries {
                *rights = rights.told_by(letters);
            }
            list
        });
        let rights = self.rights.map(|ListedRights { required, optional }| {
            let letters = letters.and_of(optional.iter().copied().chain([required]));
            let mut meant = Vec::with_capacity(optional.len());
            for rights in optional {
                let told = rights.told_by(letters);
                // What was but `c` or `d` is told by others.
                if !told.is_empty() || rights.is_empty() {
                    meant.push(told);
                }
            }
            ListedRights { required: required.told_by(letters), optional: meant }
        });
        Self { list, rights }
    }

    pub(super) fn my_rights(self) -> Option<Rights> {
        self.rights.map(|rights| rights.required)
    }
}

impl Ask {
    fn new(verb: &'static str, mailbox: MailboxName, identifier: Option<String>) -> Self {
        Self { verb, mailbox, identifier, change: None, told: Told::default(), utf8: false }
    }

    /// What this user may do.
    pub(super) fn my_rights(mailbox: MailboxName) -> Self {
        Self::new("MYRIGHTS", mailbox, None)
    }
}

impl Command for Ask {
    type Output = Told;

    fn name(&self) -> &'static str {
        self.verb
    }

    fn encode(&self, line: &mut Line, offered: &Capabilities) -> Result<(), Misuse> {
        line.raw(self.verb).raw(" ").mailbox(&self.mailbox)?;
        if let Some(identifier) = &self.identifier {
            line.raw(" ").astring("identifier", identifier.as_bytes())?;
        }
        if let Some(SetRights { sign, rights }) = self.change {
            let rights = rights.said_to(Letters::of(offered));
            line.raw(" ").astring("rights", format!("{sign}{rights}").as_bytes())?;
        }
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        &[ACL]
    }

    fn claims(&self) -> Claims {
        match self.verb {
            "GETACL" => Claims::Data(|response| is_data(response, "ACL")),
            "MYRIGHTS" => Claims::Data(|response| is_data(response, "MYRIGHTS")),
            "LISTRIGHTS" => Claims::Data(|response| is_data(response, "LISTRIGHTS")),
            _ => Claims::Nothing,
        }
    }

    fn started(&mut self, _: Tag, utf8: bool) {
        self.utf8 = utf8;
    }

    fn fit(&self, response: &Response<'_>) -> Fit {
        let Response::Data { rest, .. } = response else { return Fit::No };
        let mut strings = Strings(Cursor::new(rest));
        let Ok(name) = strings.next() else { return Fit::Loose };
        match &self.identifier {
            Some(who) if strings.next().is_ok_and(|told| told != who.as_bytes()) => Fit::No,
            _ => fit_of(&self.mailbox, &name, self.utf8),
        }
    }

    fn is_about(&self, response: &Response<'_>) -> bool {
        self.fit(response) > Fit::No
    }

    fn is_served(&self) -> bool {
        self.told != Told::default()
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        /// No mailbox has more; each takes more room than its text.
        const MOST: usize = 10_000;
        let Response::Data { rest, .. } = response else { return Ok(()) };
        let mut strings = Strings(Cursor::new(rest));
        strings.next()?;
        match self.verb {
            "GETACL" => {
                let mut entries = Vec::new();
                while let Some(who) = strings.more()? {
                    if entries.len() == MOST {
                        return Err(Malformed("at most 10,000 identifiers"));
                    }
                    entries.push((who, Rights::parse(&strings.next()?)?));
                }
                self.told.list = Some(AccessList { entries });
            }
            "LISTRIGHTS" => {
                strings.next()?;
                let required = Rights::parse(&strings.next()?)?;
                let mut optional = Vec::new();
                while let Some(rights) = strings.more()? {
                    if optional.len() == MOST {
                        return Err(Malformed("at most 10,000 sets of rights"));
                    }
                    optional.push(Rights::parse(&rights)?);
                }
                self.told.rights = Some(ListedRights { required, optional });
            }
            _ => {
                let (_, required) = my_rights(rest)?;
                self.told.rights = Some(ListedRights { required, optional: Vec::new() });
            }
        }
        Ok(())
    }

    fn finish(self, _: Reply) -> Told {
        self.told
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

impl Strings<'_> {
    fn next(&mut self) -> Parsed<Vec<u8>> {
        self.0.spaces();
        Ok(self.0.astring()?.to_bytes().into_owned())
    }

    fn more(&mut self) -> Parsed<Option<Vec<u8>>> {
        self.0.spaces();
        if self.0.at_end() { Ok(None) } else { self.next().map(Some) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Event;
    use crate::imap::command::script::play;

    fn ask(verb: &'static str, mailbox: &'static str, who: Option<&str>) -> impl Fn() -> Ask {
        let who = who.map(str::to_owned);
        move || Ask::new(verb, mailbox.into(), who.clone())
    }

    fn rights(letters: &str) -> Rights {
        Rights::parse(letters.as_bytes()).unwrap()
    }

    #[test]
    fn the_examples_of_rfc_4314_are_played() {
        let script = "
            S: * PREAUTH [CAPABILITY ACL RIGHTS=texk] hi
            C: A1 GETACL INBOX
            S: * ACL INBOX Fred rwipslxetad -Fred wetd $team w
            S: A1 OK Getacl complete
        ";
        play(ask("GETACL", "INBOX", None), script, |played| {
            let list = played.output.unwrap().list.unwrap();
            let found: Vec<_> =
                list.iter().map(|(who, rights)| format!("{who}={rights}")).collect();
            assert_eq!(found, ["Fred=lrswipxtead", "-Fred=wted", "$team=w"]);
            assert_eq!((list.get("$team"), list.get("fred")), (Some(rights("w")), None));
        });
        let script = "
            S: * PREAUTH [CAPABILITY ACL] hi
            C: A1 MYRIGHTS INBOX
            S: * MYRIGHTS INBOX rwiptsldaex
            S: A1 OK Myrights complete
        ";
        play(ask("MYRIGHTS", "INBOX", None), script, |played| {
            let listed = played.output.unwrap().rights.unwrap();
            assert_eq!(listed.required, rights("rwiptsldaex"));
        });
        let script = r#"
            S: * PREAUTH [CAPABILITY ACL] hi
            C: A1 LISTRIGHTS archive/imap anyone
            S: * LISTRIGHTS archive.imap anyone "" l r s w i p k x t e c d a 0 1 2 3 4 5 6 7 8 9
            S: A1 OK Listrights successful
        "#;
        play(ask("LISTRIGHTS", "archive/imap", Some("anyone")), script, |played| {
            let listed = played.output.unwrap().rights.unwrap();
            assert!(listed.required().is_empty());
            assert_eq!(listed.optional().len(), 23);
        });
        let script = "
            S: * PREAUTH [CAPABILITY ACL] hi
            C: A1 LISTRIGHTS ~/Mail/saved smith
            S: * LISTRIGHTS ~/Mail/saved smith la r swicdkxte
            S: A1 OK Listrights completed
        ";
        play(ask("LISTRIGHTS", "~/Mail/saved", Some("smith")), script, |played| {
            let listed = played.output.unwrap().rights.unwrap();
            assert_eq!(listed.required(), rights("la"));
            assert_eq!(listed.optional(), [rights("r"), rights("swicdkxte")]);
        });
        let script = "
            S: * PREAUTH [CAPABILITY ACL] hi
            C: A1 SETACL INBOX/Drafts Chris +acd
            S: A1 OK Setacl complete
        ";
        let set = || {
            let mut set = ask("SETACL", "INBOX/Drafts", Some("Chris"))();
            set.change = Some(SetRights::add("cda".chars().filter_map(Right::new)));
            set
        };
        play(set, script, |played| assert!(played.output.is_ok()));
        let script = "
            S: * PREAUTH [CAPABILITY ACL] hi
            C: A1 DELETEACL INBOX Fred
            S: A1 OK Deleteacl complete
        ";
        play(ask("DELETEACL", "INBOX", Some("Fred")), script, |played| {
            assert!(played.output.is_ok());
        });
    }

    #[test]
    fn nobody_with_no_rights_is_an_empty_string() {
        let script = "
            S: * PREAUTH [CAPABILITY ACL] hi
            C: A1 SETACL INBOX \"\" \"\"
            S: A1 OK Setacl complete
        ";
        let set = || {
            let mut set = ask("SETACL", "INBOX", Some(""))();
            set.change = Some(SetRights::replace([]));
            set
        };
        play(set, script, |played| assert!(played.output.is_ok()));
    }

    #[test]
    fn rights_that_are_no_letters_are_an_event_and_no_answer() {
        for odd in ["l\0r", "lR", "l\u{e4}", "(lr)", "{3}\r\nl\0r"] {
            for (verb, who) in [("GETACL", ""), ("MYRIGHTS", ""), ("LISTRIGHTS", "Chris")] {
                let script = format!(
                    "
                    S: * PREAUTH [CAPABILITY ACL] hi
                    C: A1 {}
                    S: * {} INBOX {} {}
                    S: A1 OK done
                    ",
                    format!("{verb} INBOX {who}").trim_end(),
                    verb.trim_start_matches("GET"),
                    if verb == "MYRIGHTS" { "" } else { "Chris" },
                    odd.replace("\r\n", "\r\nS: "),
                );
                let asked = ask(verb, "INBOX", Some(who).filter(|who| !who.is_empty()));
                play(asked, &script, |mut played| {
                    assert_eq!(played.output.unwrap(), Told::default(), "{script}");
                    let event = played.core.take_event();
                    assert!(matches!(event, Some(Event::Unparsed { .. })), "{script}");
                });
            }
        }
    }

    #[test]
    fn an_empty_list_is_an_answer_and_none_is_not() {
        let told = |answer: &str, expected: Option<AccessList>| {
            let script = format!(
                "
                S: * PREAUTH [CAPABILITY ACL] hi
                C: A1 GETACL INBOX
                {answer}
                S: A1 OK done
                "
            );
            play(ask("GETACL", "INBOX", None), &script, |played| {
                assert_eq!(played.output.unwrap().list, expected);
            });
        };
        told("S: * ACL INBOX", Some(AccessList::default()));
        told("S: * ACL INBOX \x20", Some(AccessList::default()));
        told("", None);
    }

    #[test]
    fn create_and_delete_are_no_rights_beside_those_that_they_stand_for() {
        // RFC 4314 section 2.1.1.
        let told = |letters: &str| rights(letters).told_by(Letters::New).to_string();
        assert_eq!(told("lrswipkcda"), "lrswipka");
        assert_eq!(
            (told("cd"), told("lrtd"), told("lrxcd")),
            ("".into(), "lrt".into(), "lrx".into())
        );
        // An older server has nothing else.
        let told = |letters: &str| rights(letters).told_by(Letters::Old).to_string();
        assert_eq!((told("lrc"), told("lrd")), ("lrk".to_owned(), "lrte".to_owned()));
        assert_eq!(told("lrswipcda"), "lrswipkxtea");
        assert!(!rights("c").has(Right::CREATE_MAILBOX));
    }

    #[test]
    fn an_answer_shows_what_letters_a_server_has() {
        let by = |letters, entries: &[&str]| -> Vec<_> {
            let entries = entries.iter().map(|letters| (Vec::new(), rights(letters)));
            let list = AccessList { entries: entries.collect() };
            let told = Told { list: Some(list), rights: None }.by(letters);
            told.list.unwrap().iter().map(|(_, rights)| rights.to_string()).collect()
        };
        assert_eq!(by(Letters::Old, &["lrcd", "lr"]), ["lrkxte", "lr"]);
        assert_eq!(by(Letters::Old, &["lrc", "lrk"]), ["lr", "lrk"]);
        assert_eq!(by(Letters::New, &["lrcd", "lr"]), ["lr", "lr"]);
        let by = |letters, sets: &[&str]| -> Vec<_> {
            let optional = sets.iter().map(|letters| rights(letters)).collect();
            let listed = ListedRights { required: rights("lc"), optional };
            let told = Told { list: None, rights: Some(listed) }.by(letters).rights.unwrap();
            assert_eq!(told.required.has(Right::CREATE_MAILBOX), letters == Letters::Old);
            told.optional.iter().map(Rights::to_string).collect()
        };
        assert_eq!(by(Letters::New, &["r", "swicdkxte", "c", "d", "t"]), ["r", "swikxte", "t"]);
        assert_eq!(by(Letters::Old, &["r", "c", "d"]), ["r", "k", "te"]);
    }

    #[test]
    fn what_was_told_is_written_back_as_no_more_than_that() {
        for (offered, told, letters, said) in [
            ("ACL RIGHTS=texk", "lrkcd", "lrk", "lrk"),
            ("ACL RIGHTS=texk", "lrtcd", "lrt", "lrt"),
            ("ACL", "lrc", "lrk", "lrc"),
            ("ACL", "lrd", "lrte", "lrd"),
            ("ACL", "lrcd", "lrkxte", "lrcd"),
        ] {
            let dialect = Letters::of(&offered.into());
            let told = rights(told).told_by(dialect);
            assert_eq!(
                (told.to_string(), told.said_to(dialect).to_string()),
                (letters.into(), said.into())
            );
        }
        let said = |letters: &str, to| rights(letters).said_to(to).to_string();
        // The letter alone is what was asked for; beside others it would be more.
        assert_eq!(
            (said("lcd", Letters::New), said("lkcd", Letters::New)),
            ("lcd".into(), "lkd".into())
        );
        assert_eq!(
            (said("lecd", Letters::New), said("lxcd", Letters::New)),
            ("lec".into(), "lx".into())
        );
        // An older server cannot give one without the other, and says so.
        assert_eq!(
            (said("lt", Letters::Old), said("lkx", Letters::Old)),
            ("lt".into(), "lxc".into())
        );
    }

    #[test]
    fn rights_are_equal_in_any_order() {
        assert_eq!(rights("srl"), rights("lrs"));
        assert_eq!(Right::new('A'), None);
        assert_eq!(
            Rights::LETTERS.iter().filter(|l| Right::new((**l).into()).is_some()).count(),
            36
        );
    }
}
