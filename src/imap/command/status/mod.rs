//! STATUS, RFC 9051 section 6.3.11.
//!
//! ```text
//! C: A7 STATUS "Sent Items" (MESSAGES UIDNEXT)
//! S: * STATUS "Sent Items" (MESSAGES 231 UIDNEXT 44292)
//! S: A7 OK STATUS completed
//! ```

mod item;

pub use item::StatusItem;

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;

use bytes::Bytes;

use super::modifier::Need;
use super::{Command, Fit, fit_of, is_data};
use crate::imap::proto::decode::{Cursor, Malformed, Parsed, parse_u64};
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Core, Tag};
use crate::imap::{Capabilities, Error, ImapClient, MailboxName, Reply, Uid};
use crate::{Misuse, Stage};

/// What a server says about a mailbox that need not be selected.
///
/// Of what was asked for, servers may leave out what they do not know; at 163.com that may be all.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct MailboxStatus {
    /// Names and values as on the wire.
    items: Vec<(String, Vec<u8>)>,
}

/// RFC 9051 has nine items and extensions a handful.
const MOST: usize = 100;

impl MailboxStatus {
    /// How many messages there are.
    pub fn messages(&self) -> Option<u32> {
        self.number32("MESSAGES")
    }

    /// How many of them no session has seen (RFC 3501 only).
    pub fn recent(&self) -> Option<u32> {
        self.number32("RECENT")
    }

    /// A message to come will have this UID or a greater one.
    pub fn uid_next(&self) -> Option<Uid> {
        self.number32("UIDNEXT").and_then(Uid::new)
    }

    /// Its UIDVALIDITY.
    pub fn uid_validity(&self) -> Option<NonZeroU32> {
        self.number32("UIDVALIDITY").and_then(NonZeroU32::new)
    }

    /// How many messages have not been read.
    pub fn unseen(&self) -> Option<u32> {
        self.number32("UNSEEN")
    }

    /// How many messages are marked `\Deleted`.
    pub fn deleted(&self) -> Option<u32> {
        self.number32("DELETED")
    }

    /// The octets of what is marked `\Deleted`, about: so much room expunging it will give back.
    pub fn deleted_storage(&self) -> Option<u64> {
        self.number("DELETED-STORAGE")
    }

    /// The octets of all messages together.
    pub fn size(&self) -> Option<u64> {
        self.number("SIZE")
    }

    /// The highest modification sequence of a message in it. `None` as well for 0, which means that
    /// none are kept (RFC 7162 section 3.1.7).
    pub fn highest_mod_seq(&self) -> Option<u64> {
        self.number("HIGHESTMODSEQ").filter(|mod_seq| *mod_seq != 0)
    }

    /// The octets of the longest message that it takes (RFC 7889). `None` as well if it takes any
    /// (`NIL`).
    pub fn append_limit(&self) -> Option<u64> {
        self.number("APPENDLIMIT")
    }

    /// Any item that is a number, by its name in any case.
    pub fn number(&self, name: &str) -> Option<u64> {
        parse_u64(self.raw(name)?)
    }

    /// Any item as it is on the wire, by its name in any case: `(F2212ea87-6097-4256)`.
    pub fn raw(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self.items.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// All items as they are on the wire.
    pub fn items(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.items.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Takes over what was told later.
    pub(super) fn renew(&mut self, later: Self) {
        for (name, value) in later.items {
            let has_room = self.items.len() < MOST;
            match self.items.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None if has_room => self.items.push((name, value)),
                None => {}
            }
        }
    }

    /// Octets it holds.
    pub(crate) fn octets(&self) -> usize {
        // A name and a value are put on the heap in pieces of 16 octets or more.
        let item = |(name, value): &(String, Vec<u8>)| {
            size_of::<(String, Vec<u8>)>() + name.len().max(16) + value.len().max(16)
        };
        self.items.iter().map(item).sum()
    }

    fn number32(&self, name: &str) -> Option<u32> {
        self.number(name).and_then(|number| u32::try_from(number).ok())
    }
}

impl fmt::Debug for MailboxStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.items().map(|(name, value)| (name, String::from_utf8_lossy(value)));
        f.debug_map().entries(shown).finish()
    }
}

impl ImapClient {
    /// Asks about a mailbox without selecting it. For some servers that is much work: for the
    /// selected mailbox ask [`Mailbox`](crate::imap::Mailbox), which knows without asking.
    ///
    /// ```no_run
    /// # async fn read(imap: &mut mailbearer::ImapClient) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::StatusItem;
    ///
    /// let sent = imap.status("Sent Items", [StatusItem::Messages, StatusItem::UidNext]).await?;
    /// println!("{:?} messages", sent.messages());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer what an item belongs to; nothing is sent
    /// then. [`Error::Refused`] if there is no such mailbox, or the server does not know an item of
    /// one's own. [`Error::Misuse`] without items, or for the name of an item that is no atom.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn status(
        &mut self,
        name: impl Into<MailboxName>,
        items: impl IntoIterator<Item = StatusItem>,
    ) -> Result<MailboxStatus, Error> {
        let (name, items) = (name.into(), items.into_iter().collect());
        self.mailbox.session.rest(STAGE).await?;
        let status = Status::new(name.clone(), items, self.mailbox.session.core());
        let status = self.run(status).await?;
        self.mailbox.session.append_limits.learn(&name, &status);
        Ok(status)
    }

    /// Asks about many mailboxes in one flight: what the server says of each, in the order of
    /// `names`. That one of them is refused is its own result, and the others have theirs.
    ///
    /// ```no_run
    /// # async fn read(imap: &mut mailbearer::ImapClient) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::StatusItem;
    ///
    /// let names = ["INBOX", "Archive", "Sent Items"];
    /// let all = imap.status_all(names, [StatusItem::Unseen]).await?;
    /// for (name, status) in names.iter().zip(all) {
    ///     println!("{name}: {:?} unread", status?.unseen());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`status`](Self::status), but for refusals; [`Error::Closed`] and [`Error::Net`] if the
    /// connection breaks, and then there are no results at all.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn status_all<N: Into<MailboxName>>(
        &mut self,
        names: impl IntoIterator<Item = N>,
        items: impl IntoIterator<Item = StatusItem>,
    ) -> Result<Vec<Result<MailboxStatus, Error>>, Error> {
        let items: Vec<_> = items.into_iter().collect();
        let names: Vec<MailboxName> = names.into_iter().map(Into::into).collect();
        let session = &mut self.mailbox.session;
        session.rest(STAGE).await?;
        let ask = |name: &MailboxName| Status::new(name.clone(), items.clone(), session.core());
        let commands = names.iter().map(ask).collect();
        let told = session.run_all(commands, STAGE).await?;
        for (name, status) in names.iter().zip(&told) {
            if let Ok(status) = status {
                self.mailbox.session.append_limits.learn(name, status);
            }
        }
        Ok(told)
    }
}

const STAGE: Stage = Stage::Command("STATUS");

struct Status {
    name: MailboxName,
    items: Vec<StatusItem>,
    needs: Vec<Need>,
    /// What was said, and how well the name fits of which it was said.
    found: Option<(Fit, MailboxStatus)>,
    utf8: bool,
}

impl Status {
    fn new(name: MailboxName, items: Vec<StatusItem>, core: &Core) -> Self {
        let items = StatusItem::known_to(core, items);
        let needs = StatusItem::needs(&items, core);
        Self { name, items, needs, found: None, utf8: false }
    }
}

impl Command for Status {
    type Output = MailboxStatus;

    fn name(&self) -> &'static str {
        "STATUS"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        if self.items.is_empty() {
            return Err(Misuse::Argument {
                what: "STATUS",
                why: "no item is asked for".to_owned(),
            });
        }
        line.raw("STATUS ").mailbox(&self.name)?;
        let mut separator = " (";
        for item in &self.items {
            line.raw(separator).atom("a STATUS item", item.as_str())?;
            separator = " ";
        }
        line.raw(")");
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        &self.needs
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_data(response, "STATUS"))
    }

    fn started(&mut self, _: Tag, utf8: bool) {
        self.utf8 = utf8;
    }

    fn fit(&self, response: &Response<'_>) -> Fit {
        match response {
            Response::Data { rest, .. } => name(&mut Cursor::new(rest))
                .map_or(Fit::Perhaps, |name| fit_of(&self.name, &name, self.utf8)),
            _ => Fit::No,
        }
    }

    fn is_about(&self, response: &Response<'_>) -> bool {
        self.fit(response) > Fit::No
    }

    fn is_served(&self) -> bool {
        self.found.is_some()
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        if let Response::Data { rest, .. } = response {
            let (name, status, whole) = parse_front(rest)?;
            match (fit_of(&self.name, &name, self.utf8), &mut self.found) {
                // One of them may tell of a change, and of less than was asked (RFC 5465).
                (Fit::Exact, Some((Fit::Exact, found))) => found.renew(status),
                (fit, Some((found, _))) if fit < *found => {}
                (fit, found) => *found = Some((fit, status)),
            }
            return whole;
        }
        Ok(())
    }

    fn weight(&self) -> usize {
        self.found.as_ref().map_or(0, |(_, status)| status.octets())
    }

    fn finish(self, _: Reply) -> MailboxStatus {
        self.found.map(|(_, status)| status).unwrap_or_default()
    }
}

/// A name, and items with their values in one list.
pub(crate) fn parse(rest: &[u8]) -> Parsed<(Cow<'_, [u8]>, MailboxStatus)> {
    let (name, status, whole) = parse_front(rest)?;
    whole.map(|()| (name, status))
}

/// The same as far as it can be read, and whether that was all. What stands in front of a broken item
/// is as good as ever: for MAILBOXID, which it tells last, Cyrus 3.6.1 sends octets out of memory
/// that it has freed.
pub(super) fn parse_front(rest: &[u8]) -> Parsed<(Cow<'_, [u8]>, MailboxStatus, Parsed<()>)> {
    let mut cursor = Cursor::new(rest);
    let name = name(&mut cursor)?;
    cursor.spaces();
    let (status, whole) = list(&mut cursor)?;
    Ok((name, status, whole))
}

fn list(cursor: &mut Cursor<'_>) -> Parsed<(MailboxStatus, Parsed<()>)> {
    cursor.expect(b'(', "a list of items")?;
    let mut items = Vec::new();
    match read_items(cursor, &mut items) {
        Err(nothing) if items.is_empty() => Err(nothing),
        whole => Ok((MailboxStatus { items }, whole)),
    }
}

fn read_items(cursor: &mut Cursor<'_>, items: &mut Vec<(String, Vec<u8>)>) -> Parsed<()> {
    loop {
        cursor.spaces();
        if cursor.eat(b')') {
            return Ok(());
        }
        let item = String::from_utf8_lossy(cursor.atom()?).to_ascii_uppercase();
        cursor.spaces();
        let value = cursor.value()?.to_vec();
        if items.len() == MOST {
            return Err(Malformed("at most 100 items of STATUS"));
        }
        items.push((item, value));
    }
}

fn is_number(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_digit)
}

fn name<'a>(cursor: &mut Cursor<'a>) -> Parsed<Cow<'a, [u8]>> {
    Ok(match cursor.peek() {
        Some(b'"' | b'{') => cursor.astring()?.to_bytes(),
        // Exchange leaves names unquoted in which there are spaces (MailKit#945), and maybe
        // parentheses. The list is what reaches to the end of the line; one that does not, since
        // something in it cannot be read, still begins with an item and its number.
        _ => {
            /// A name has fewer, and each is tried.
            const MOST: usize = 16;
            let line = cursor.rest();
            let ends: Vec<_> = memchr::memmem::find_iter(line, b" (").take(MOST).collect();
            let read = |end: &usize| {
                let mut rest = Cursor::new(line.get(end + 1..).unwrap_or_default());
                let (status, whole) = list(&mut rest).ok()?;
                let counts = status.items().next().is_some_and(|(_, value)| is_number(value));
                Some((counts, whole.is_ok() && rest.rest().trim_ascii().is_empty()))
            };
            let first = |wanted| ends.iter().copied().find(|end| read(end) == Some(wanted));
            let cut_short = || ends.first().copied().filter(|end| read(end) == Some((true, false)));
            let end = first((true, true)).or_else(cut_short).or_else(|| first((false, true)));
            let end = end.ok_or(Malformed("a list of items"))?;
            Cow::Borrowed(cursor.take(end).unwrap_or_default())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::imap::Event;
    use crate::imap::command::script::play;

    fn of(name: &str, items: Vec<StatusItem>) -> Status {
        Status::new(name.into(), items, &Core::new(&Limits::default(), true))
    }

    fn status() -> Status {
        of("blurdybloop", vec![StatusItem::UidNext, StatusItem::Messages])
    }

    #[test]
    fn the_example_of_rfc_9208_is_read() {
        let script = "
            S: * PREAUTH [CAPABILITY QUOTA QUOTA=RES-MESSAGE QUOTA=RES-STORAGE] hi
            C: A1 STATUS INBOX (MESSAGES DELETED DELETED-STORAGE)
            S: * STATUS INBOX (MESSAGES 12 DELETED 4 DELETED-STORAGE 8)
            S: A1 OK Status complete.
        ";
        let items = vec![StatusItem::Messages, StatusItem::Deleted, StatusItem::DeletedStorage];
        play(
            || of("INBOX", items.clone()),
            script,
            |played| {
                let told = played.output.unwrap();
                assert_eq!((told.deleted(), told.deleted_storage()), (Some(4), Some(8)));
            },
        );
    }

    #[test]
    fn the_example_of_rfc_3501_is_read() {
        let script = "
            S: * PREAUTH hi
            C: A1 STATUS blurdybloop (UIDNEXT MESSAGES)
            S: * STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)
            S: A1 OK STATUS completed
        ";
        play(status, script, |played| {
            let status = played.output.unwrap();
            assert_eq!((status.messages(), status.uid_next()), (Some(231), Uid::new(44292)));
            assert_eq!(status.unseen(), None);
        });
    }

    #[test]
    fn what_servers_make_of_it_is_read_too() {
        let read = |line: &str| {
            let (name, status) = parse(line.as_bytes()).unwrap();
            (String::from_utf8_lossy(&name).into_owned(), status)
        };
        // Exchange ends with a space, 163.com tells nothing, Exchange leaves out quotes.
        assert_eq!(read("INBOX (MESSAGES 0) ").1.messages(), Some(0));
        assert_eq!(read("\"INBOX\" ()"), ("INBOX".to_owned(), MailboxStatus::default()));
        assert_eq!(read("Sent Items (unseen 3)").1.unseen(), Some(3));
        assert_eq!(read("Sent Items (UNSEEN 3)").0, "Sent Items");
        let (name, status) = read("Foo (bar) (MESSAGES 3 MAILBOXID (F1)) ");
        assert_eq!((name.as_str(), status.messages()), ("Foo (bar)", Some(3)));
        let (name, status) = read("a (b 1) (MESSAGES 3)");
        assert_eq!((name.as_str(), status.messages()), ("a (b 1)", Some(3)));
        let (_, status) = read("x (SIZE 9223372036854775807 MAILBOXID (F1 F2) UIDVALIDITY 0)");
        assert_eq!((status.size(), status.uid_validity()), (Some(i64::MAX as u64), None));
        assert_eq!(status.raw("mailboxid"), Some(&b"(F1 F2)"[..]));
        let (_, status) = read("x (MESSAGES -1 UNSEEN NIL X-NEW \"a b\" DELETED 4)");
        assert_eq!((status.messages(), status.unseen(), status.deleted()), (None, None, Some(4)));
        assert_eq!(status.items().count(), 4);
        let many = |items: usize| format!("x ({})", "A 1 ".repeat(items));
        assert_eq!(read(&many(100)).1.items().count(), 100);
        assert!(parse(many(101).as_bytes()).is_err());
        for bad in ["", "x", "x MESSAGES 1", "x (MESSAGES", "x (MESSAGES)"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_stands_in_front_of_an_item_that_cannot_be_read_is_told() {
        for bad in [
            "x (MESSAGES 1",
            "x (MESSAGES 1 UNSEEN)",
            "x (MESSAGES 1 MAILBOXID (:O(d\u{e9}U))",
            "x (MESSAGES 1 MAILBOXID (~\"V))",
        ] {
            let (name, status, whole) = parse_front(bad.as_bytes()).unwrap();
            assert!(whole.is_err() && *name == *b"x", "{bad}");
            assert_eq!((status.messages(), status.mailbox_id()), (Some(1), None), "{bad}");
        }
        // With parentheses in an unquoted name as well.
        let (name, told) = parse(b"Budget (FY 2024 final) (UNSEEN 3)").unwrap();
        assert_eq!((&*name, told.unseen()), (&b"Budget (FY 2024 final)"[..], Some(3)));
        let script = "
            S: * PREAUTH hi
            C: A1 STATUS blurdybloop (UIDNEXT MESSAGES)
            S: * STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)
            S: * STATUS blurdybloop (MESSAGES 232 MAILBOXID (~(V))
            S: A1 OK STATUS completed
        ";
        play(status, script, |mut played| {
            let told = played.output.unwrap();
            assert_eq!((told.messages(), told.uid_next()), (Some(232), Uid::new(44292)));
            assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })));
        });
    }

    #[test]
    fn names_may_be_spelt_otherwise_and_still_be_the_same_or_another() {
        let fit = |asked: &str, told: &str| fit_of(&asked.into(), told.as_bytes(), false);
        for same in ["Entw&APw-rfe", "Entw\u{fc}rfe"] {
            assert_eq!(fit("Entw\u{fc}rfe", same), Fit::Exact, "{same}");
        }
        for loose in ["entw&APw-rfe", "Entwu\u{308}rfe", "ENTW\u{dc}RFE", "ENTWU\u{308}RFE"] {
            assert_eq!(fit("Entw\u{fc}rfe", loose), Fit::Loose, "{loose}");
        }
        // The first three are no modified UTF-7.
        for perhaps in ["Entw&rfe", "&", "&AP", "Entw&APw-&"] {
            assert_eq!(fit("Entw\u{fc}rfe", perhaps), Fit::Perhaps, "{perhaps}");
        }
        for other in ["Entwurfe", "Entw\u{e9}rfe", "Entw\u{fc}rf", "Sent", ""] {
            assert_eq!(fit("Entw\u{fc}rfe", other), Fit::No, "{other}");
        }
        // Far too long for any spelling, so that it is not even looked at.
        assert_eq!(fit("x", &"&".repeat(200)), Fit::No);
    }

    #[test]
    fn an_answer_about_another_mailbox_does_not_displace_the_right_one() {
        let script = "
            S: * PREAUTH hi
            C: A1 STATUS blurdybloop (UIDNEXT MESSAGES)
            S: * STATUS blurdybloop (MESSAGES 1)
            S: * STATUS other (MESSAGES 2)
            S: A1 OK STATUS completed
        ";
        play(status, script, |played| {
            assert_eq!(played.output.unwrap().messages(), Some(1));
        });
    }

    #[test]
    fn no_item_and_a_broken_item_are_refused_before_anything_is_written() {
        for items in [vec![], vec!["A B".into()], vec!["A)\r\nB".into()]] {
            let mut line = Line::new(Default::default());
            let status = of("x", items);
            assert!(status.encode(&mut line, &Capabilities::default()).is_err());
        }
    }
}
