//! What LIST has found.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use super::{Attribute, Role};
use crate::imap::command::acl::Rights;
use crate::imap::proto::Core;
use crate::imap::proto::decode::{Cursor, Malformed, Parsed};
use crate::imap::types::Flags;
use crate::imap::{Event, MailboxName, MailboxStatus};
use crate::wire::bare_name::name_end;

/// The mailboxes that [`list`](crate::ImapClient::list) has found, in the order of the server.
#[derive(Debug, Clone, Default)]
pub struct Mailboxes {
    found: Vec<ListedMailbox>,
    unread: usize,
}

impl Mailboxes {
    /// The mailbox of this role: the one the server marks so (RFC 6154), else the one whose name
    /// says so in one of some twenty languages. A mark counts wherever the mailbox is, a name only
    /// at the top or under INBOX, `[Gmail]` or a personal prefix of one level. `None` if nothing
    /// says so, or only a mailbox that cannot be selected.
    ///
    /// List all mailboxes, or at least those of two levels, before asking.
    pub fn role(&self, role: Role) -> Option<&ListedMailbox> {
        let candidates = || self.found.iter().filter(|mailbox| mailbox.is_selectable());
        let marked = || candidates().find(|mailbox| mailbox.role() == Some(role));
        if role == Role::Inbox {
            // Every server has it by this name (RFC 9051 section 5.1) but those that only mark it.
            return candidates().find(|mailbox| mailbox.name.is_inbox()).or_else(marked);
        }
        if let Some(marked) = marked() {
            return Some(marked);
        }
        // What is marked for something else is not this, whatever it is called.
        let unmarked = candidates().filter(|mailbox| mailbox.role().is_none());
        let rank = |mailbox: &ListedMailbox| {
            let name = mailbox.level();
            role.rank(&name.to_str_lossy(), mailbox.delimiter)
        };
        unmarked
            .filter_map(|mailbox| Some((rank(mailbox)?, mailbox)))
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, mailbox)| mailbox)
    }

    /// The mailbox of this name. Exchange tells of a level that holds others only with the delimiter
    /// at its end: it is found without, too.
    pub fn get(&self, name: impl Into<MailboxName>) -> Option<&ListedMailbox> {
        let name = name.into();
        let told = self.found.iter().find(|mailbox| mailbox.name == name);
        told.or_else(|| self.found.iter().find(|mailbox| *mailbox.level() == name))
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, ListedMailbox> {
        self.found.iter()
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many lines of the answer could not be understood. They are among the events, as
    /// [`Event::Unparsed`](crate::imap::Event); unless this is 0, the list lacks mailboxes.
    pub const fn unread(&self) -> usize {
        self.unread
    }

    /// Tells of those that have another name now than they had: a row may be there for that, too.
    pub(super) fn tell_renamed(&self, core: &mut Core) {
        let renamed = self.found.iter().filter(|mailbox| mailbox.old_name().is_some());
        renamed.for_each(|mailbox| core.keep(Event::Listed(mailbox.clone())));
    }

    /// Marks those that are among these. A name that is only a level above others may be listed, too
    /// (RFC 3501 section 6.3.9).
    pub(super) fn mark_subscribed(&mut self, subscribed: &Self) {
        let names = subscribed.found.iter().filter(|row| !row.has(&Attribute::NoSelect));
        let names: HashSet<_> = names.map(|row| &row.name).collect();
        let unmarked = |row: &&mut ListedMailbox| !row.has(&Attribute::Subscribed);
        for row in self.found.iter_mut().filter(unmarked) {
            if names.contains(&row.name) {
                row.attributes.push(Attribute::Subscribed);
            }
        }
    }

    /// The rows, to add to them what was told besides.
    pub(super) fn rows_mut(&mut self) -> &mut [ListedMailbox] {
        &mut self.found
    }

    /// Octets that the last row holds beside what it was told in.
    pub(super) fn weight(&self) -> usize {
        self.found.last().map_or(0, ListedMailbox::weight)
    }

    /// Takes what follows `* LIST`. `listed`: where the names are noted, if they must be.
    pub(super) fn take(
        &mut self,
        rest: &[u8],
        utf8: bool,
        listed: &mut Option<HashSet<MailboxName>>,
    ) -> Parsed<()> {
        match ListedMailbox::parse(rest, utf8) {
            Ok(mailbox) => {
                if let Some(listed) = listed {
                    listed.insert(mailbox.name.clone());
                }
                self.found.push(mailbox);
                Ok(())
            }
            Err(why) => {
                self.unread += 1;
                Err(why)
            }
        }
    }
}

impl<'a> IntoIterator for &'a Mailboxes {
    type Item = &'a ListedMailbox;
    type IntoIter = std::slice::Iter<'a, ListedMailbox>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Mailboxes {
    type Item = ListedMailbox;
    type IntoIter = std::vec::IntoIter<ListedMailbox>;

    fn into_iter(self) -> Self::IntoIter {
        self.found.into_iter()
    }
}

/// One mailbox of a list.
#[derive(Clone, PartialEq, Eq)]
pub struct ListedMailbox {
    pub(super) name: MailboxName,
    delimiter: Option<char>,
    attributes: Vec<Attribute>,
    extended: Vec<u8>,
    /// The server writes names in UTF-8.
    pub(super) utf8: bool,
    pub(super) status: Option<MailboxStatus>,
    pub(super) rights: Option<Rights>,
}

impl ListedMailbox {
    /// Its name, octet for octet as the server has it, so that it can be selected even if it is not
    /// valid. The [delimiter](Self::delimiter) may end it.
    pub const fn name(&self) -> &MailboxName {
        &self.name
    }

    /// What parts the levels of the name; `None` if there are none.
    pub const fn delimiter(&self) -> Option<char> {
        self.delimiter
    }

    /// Octets it holds.
    pub(crate) fn octets(&self) -> usize {
        let attributes = self.attributes.len() * size_of::<Attribute>();
        self.name.as_wire().len() + self.extended.len() + attributes
    }

    /// What the server says of it.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Whether it holds messages: it is more than a level of other names.
    pub fn is_selectable(&self) -> bool {
        !self.has(&Attribute::NoSelect) && !self.has(&Attribute::NonExistent)
    }

    /// Whether there are mailboxes below it; `None` if the server does not say.
    pub fn has_children(&self) -> Option<bool> {
        if self.has(&Attribute::HasChildren) {
            return Some(true);
        }
        let none = self.has(&Attribute::HasNoChildren) || self.has(&Attribute::NoInferiors);
        none.then_some(false)
    }

    /// What the server marks it to be for; INBOX needs no mark. Not by its name: for that see
    /// [`Mailboxes::role`].
    pub fn role(&self) -> Option<Role> {
        if self.name.is_inbox() {
            return Some(Role::Inbox);
        }
        self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::Role(role) => Some(*role),
            _ => None,
        })
    }

    /// Extended data behind the name (RFC 5258), such as `("CHILDINFO" ("SUBSCRIBED"))`, as on the
    /// wire. Empty if there are none.
    pub fn extended(&self) -> &[u8] {
        &self.extended
    }

    /// The strings of the extended item of this name; none if there is no such item.
    pub(super) fn extended_item(&self, wanted: &str) -> Vec<Vec<u8>> {
        /// No item has more; each takes more room than its text.
        const MOST: usize = 100;
        let mut items = Cursor::new(&self.extended);
        items.eat(b'(');
        loop {
            items.spaces();
            let Ok(name) = items.astring() else { return Vec::new() };
            items.spaces();
            let Ok(value) = items.value() else { return Vec::new() };
            if name.eq_ignore_ascii_case(wanted) {
                let mut list = Cursor::new(value);
                list.eat(b'(');
                let strings = std::iter::from_fn(|| {
                    list.spaces();
                    list.astring().ok()
                });
                return strings.take(MOST).map(|text| text.to_bytes().into_owned()).collect();
            }
        }
    }

    /// Octets that it holds beside what it was told in.
    pub(super) fn weight(&self) -> usize {
        let attribute = |attribute: &Attribute| match attribute {
            // It is put on the heap in a piece of 16 octets or more.
            Attribute::Other(name) => size_of::<Attribute>() + name.len().max(16),
            _ => size_of::<Attribute>(),
        };
        size_of::<Self>() + self.attributes.iter().map(attribute).sum::<usize>()
    }

    /// Its name without a delimiter at the end, as Exchange has it: `Public Folders/`.
    fn level(&self) -> Cow<'_, MailboxName> {
        let wire = self.name.as_wire();
        let delimiter = self.delimiter.map(String::from);
        let stem = delimiter.and_then(|delimiter| wire.strip_suffix(delimiter.as_bytes()));
        match stem.filter(|stem| !stem.is_empty()) {
            Some(stem) => Cow::Owned(MailboxName::from_wire(stem)),
            None => Cow::Borrowed(&self.name),
        }
    }

    pub(super) fn has(&self, attribute: &Attribute) -> bool {
        self.attributes.contains(attribute)
    }

    /// Reads what follows `* LIST`: attributes, delimiter, name, maybe more.
    pub(crate) fn parse(rest: &[u8], utf8: bool) -> Parsed<Self> {
        /// RFC 9051 knows sixteen.
        const MOST: usize = 100;
        let mut cursor = Cursor::new(rest);
        cursor.spaces();
        let attributes = match cursor.eat_nil() {
            true => Vec::new(),
            false if cursor.peek() == Some(b'(') => {
                let list = Flags::new(attribute_list(&mut cursor)?);
                let attributes: Vec<_> =
                    list.take(MOST + 1).map(|word| Attribute::parse(word.as_str())).collect();
                if attributes.len() > MOST {
                    return Err(Malformed("at most 100 attributes of a mailbox"));
                }
                attributes
            }
            false => return Err(Malformed("a list of mailbox attributes")),
        };
        cursor.spaces();
        let delimiter = match cursor.nstring()? {
            Some(delimiter) => delimiter.to_str_lossy().chars().next(),
            None => None,
        };
        cursor.spaces();
        let name = match cursor.peek() {
            Some(b'"' | b'{') => cursor.astring()?.to_bytes().into_owned(),
            // Exchange leaves names unquoted in which there are spaces, tabs and other control
            // characters, and which a tab may end (MailKit#945).
            Some(_) if !cursor.at_end() => {
                let name = cursor.take(name_end(cursor.rest())).unwrap_or_default();
                let end = name.iter().rposition(|octet| *octet != b' ').map_or(0, |last| last + 1);
                name.get(..end).unwrap_or_default().to_vec()
            }
            _ => return Err(Malformed("the name of a mailbox")),
        };
        cursor.spaces();
        let extended = cursor.rest().trim_ascii_end().to_vec();
        let name = MailboxName::heard(name, utf8);
        let (status, rights) = (None, None);
        Ok(Self { name, delimiter, attributes, extended, utf8, status, rights })
    }
}

/// The list of attributes. home.pl ends it with a lone backslash (Mailspring#967).
fn attribute_list<'a>(cursor: &mut Cursor<'a>) -> Parsed<&'a [u8]> {
    const UNENDED: Malformed = Malformed("the end of the mailbox attributes");
    let end = memchr::memchr(b')', cursor.rest()).ok_or(UNENDED)?;
    cursor.take(end + 1).ok_or(UNENDED)
}

impl fmt::Debug for ListedMailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListedMailbox")
            .field("name", &self.name)
            .field("delimiter", &self.delimiter)
            .field("attributes", &self.attributes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> ListedMailbox {
        ListedMailbox::parse(line.as_bytes(), false).unwrap()
    }

    fn listed(lines: &[&str]) -> Mailboxes {
        let mut mailboxes = Mailboxes::default();
        lines.iter().for_each(|line| mailboxes.take(line.as_bytes(), false, &mut None).unwrap());
        mailboxes
    }

    fn role(lines: &[&str], role: Role) -> Option<String> {
        listed(lines).role(role).map(|mailbox| mailbox.name().to_string())
    }

    #[test]
    fn lines_as_servers_send_them_are_read() {
        for (line, name, delimiter, attributes) in [
            ("(\\HasNoChildren \\) \".\" \"INBOX.ARCH\"", "INBOX.ARCH", Some('.'), 1),
            ("() NIL INBOX", "INBOX", None, 0),
            ("NIL \"/\" INBOX", "INBOX", Some('/'), 0),
            ("(\\Noselect) \"\\\\\" \"a\\\\b\"", "a\\b", Some('\\'), 1),
            ("(\\Marked NIL \\X-y) \"/\" Sent Items ", "Sent Items", Some('/'), 2),
            ("() \"/\" a\tb", "a\tb", Some('/'), 0),
            (
                "() \"/\" INBOX/Da\tOggetto\tCategorie\t",
                "INBOX/Da\tOggetto\tCategorie\t",
                Some('/'),
                0,
            ),
            // MailKit#1914.
            ("() \"/\" +x", "+x", Some('/'), 0),
            ("() \"\" NIL", "NIL", None, 0),
            ("() / x(1)", "x(1)", Some('/'), 0),
            ("() \"/\" \"\"", "", Some('/'), 0),
            ("()  \"/\"  [Gmail]/All", "[Gmail]/All", Some('/'), 0),
        ] {
            let mailbox = read(line);
            assert_eq!(mailbox.name().to_str_lossy(), name, "{line}");
            assert_eq!(mailbox.delimiter(), delimiter, "{line}");
            assert_eq!(mailbox.attributes().len(), attributes, "{line}");
        }
        for bad in ["", "()", "() \"/\"", "() \"/\" ", "(", "() \"/\" \"a", "x", "\\A \"/\" a"] {
            assert!(ListedMailbox::parse(bad.as_bytes(), false).is_err(), "{bad}");
        }
    }

    #[test]
    fn extended_data_are_kept_apart_from_the_name() {
        for line in [
            "() \"/\" \"a\" (\"CHILDINFO\" (\"SUBSCRIBED\"))",
            "() \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\"))",
        ] {
            let mailbox = read(line);
            assert_eq!(mailbox.name().as_wire(), b"a");
            assert_eq!(mailbox.extended(), b"(\"CHILDINFO\" (\"SUBSCRIBED\"))");
        }
    }

    #[test]
    fn the_names_of_extended_items_need_no_quotes() {
        // RFC 9051 section 6.3.9.8, example 10.
        let tables = "(tablecloth ((\"edge\" \"lacy\") (\"color\" \"red\")) Sample \"text\")";
        let mailbox = read(&format!("(\\Marked) \":\" Tables {tables}"));
        assert_eq!(mailbox.name(), &MailboxName::from("Tables"));
        assert_eq!(mailbox.extended(), tables.as_bytes());
        assert_eq!(mailbox.extended_item("sample"), [b"text"]);
        assert_eq!(read("() \"/\" foo ()").name(), &MailboxName::from("foo"));
        for bare in ["a (b {5}", "a(b {5}", "a (b) {5}", "x (y {200000000}", "Alt (von Ann)"] {
            let mailbox = read(&format!("() \"/\" {bare}"));
            assert_eq!((mailbox.name().as_wire(), mailbox.extended()), (bare.as_bytes(), &b""[..]));
        }
    }

    #[test]
    fn more_attributes_than_any_mailbox_has_are_not_read() {
        for (count, read) in [(100, true), (101, false)] {
            let row = format!("({}) \"/\" a", "\\Marked ".repeat(count));
            assert_eq!(ListedMailbox::parse(row.as_bytes(), false).is_ok(), read, "{count}");
        }
    }

    #[test]
    fn a_level_is_found_without_the_delimiter_that_ends_its_name() {
        let found = listed(&[
            "(\\Noselect) \"/\" \"Public Folders/\"",
            "() \"/\" \"Sent/\"",
            "() \"/\" a/",
            "() \"/\" a",
            "() \"/\" /",
        ]);
        let get = |name: &str| found.get(name).map(|row| row.name().to_string());
        assert_eq!(get("Public Folders").as_deref(), Some("Public Folders/"));
        assert_eq!(get("Public Folders/").as_deref(), Some("Public Folders/"));
        assert_eq!((get("a").as_deref(), get("a/").as_deref()), (Some("a"), Some("a/")));
        assert_eq!((get("").as_deref(), get("/").as_deref()), (None, Some("/")));
        assert_eq!(found.role(Role::Sent).unwrap().name().to_string(), "Sent/");
    }

    #[test]
    fn what_is_known_of_a_mailbox() {
        let level = read("(\\NonExistent \\HasChildren) \"/\" a");
        assert_eq!((level.is_selectable(), level.has_children()), (false, Some(true)));
        let leaf = read("(\\Noinferiors) \"/\" a");
        assert_eq!((leaf.is_selectable(), leaf.has_children()), (true, Some(false)));
        assert_eq!(read("() \"/\" inbox").role(), Some(Role::Inbox));
        assert_eq!(read("() \"/\" a").has_children(), None);
    }

    #[test]
    fn a_mark_outweighs_a_name_and_a_name_does_where_there_is_no_mark() {
        let marked = [
            "() \"/\" INBOX",
            "() \"/\" Sent",
            "(\\HasNoChildren \\Sent) \"/\" \"[Gmail]/Gesendet\"",
            "(\\Trash) \"/\" \"Archive\"",
        ];
        assert_eq!(role(&marked, Role::Sent).as_deref(), Some("[Gmail]/Gesendet"));
        assert_eq!(role(&marked, Role::Trash).as_deref(), Some("Archive"));
        assert_eq!(role(&marked, Role::Archive), None);
        assert_eq!(role(&marked, Role::Inbox).as_deref(), Some("INBOX"));
        let exchange = [
            "(\\HasNoChildren) \"/\" Gel&APY-schte Elemente",
            "(\\HasNoChildren) \"/\" \"Gesendete Elemente\"",
            "(\\HasNoChildren) \"/\" Junk-E-Mail",
            "(\\HasNoChildren) \"/\" Entw&APw-rfe",
            "(\\Noselect) \"/\" Archiv",
        ];
        assert_eq!(role(&exchange, Role::Trash).as_deref(), Some("Gel\u{f6}schte Elemente"));
        assert_eq!(role(&exchange, Role::Sent).as_deref(), Some("Gesendete Elemente"));
        assert_eq!(role(&exchange, Role::Junk).as_deref(), Some("Junk-E-Mail"));
        assert_eq!(role(&exchange, Role::Drafts).as_deref(), Some("Entw\u{fc}rfe"));
        assert_eq!(role(&exchange, Role::Archive), None);
        let courier = ["() \".\" INBOX", "() \".\" INBOX.Sent", "() \".\" INBOX.a.Trash"];
        assert_eq!(role(&courier, Role::Sent).as_deref(), Some("INBOX.Sent"));
        assert_eq!(role(&courier, Role::Trash), None);
    }

    #[test]
    fn of_two_names_the_more_usual_one_is_meant() {
        let both = ["() \"/\" Sent", "() \"/\" \"Sent Items\""];
        assert_eq!(role(&both, Role::Sent).as_deref(), Some("Sent Items"));
        let icloud = ["() \"/\" \"Sent Messages\"", "() \"/\" \"Deleted Messages\""];
        assert_eq!(role(&icloud, Role::Trash).as_deref(), Some("Deleted Messages"));
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(line in "[\\(\\)\\\\ \"{}/a-c0-9NIL&-]{0,40}", octets: Vec<u8>) {
            let _ = ListedMailbox::parse(line.as_bytes(), false).map(|m| m.name().to_string());
            let _ = ListedMailbox::parse(&octets, true);
        }
    }
}
