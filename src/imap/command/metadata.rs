//! METADATA, RFC 5464: notes that programs and users attach to mailboxes and to the server.
//!
//! ```text
//! C: A3 GETMETADATA (MAXSIZE 1024) INBOX (/shared/comment /private/comment)
//! S: * METADATA INBOX (/private/comment "My own comment")
//! S: A3 OK [METADATA LONGENTRIES 2199] GETMETADATA complete
//! C: A4 SETMETADATA INBOX (/private/comment "My new comment" /shared/comment NIL)
//! S: A4 OK SETMETADATA complete
//! ```
//!
//! The options of GETMETADATA stand before the mailbox by the grammar and behind it in the examples;
//! the grammar is followed.

use bytes::Bytes;

use super::modifier::Need;
use super::{Command, Fit, fit_of, is_data};
use crate::Misuse;
use crate::imap::proto::decode::{Cursor, Malformed, Parsed};
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Tag};
use crate::imap::{Capabilities, Code, Error, ImapClient, MailboxName, Reply};

const METADATA: Need = Need::offered(&["METADATA"]);
const METADATA_SERVER: Need = Need::offered(&["METADATA-SERVER", "METADATA"]);

/// How far below the entries that are named others are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MetadataDepth {
    /// Those that are named and no others.
    #[default]
    Zero,
    /// Those directly below them, too.
    One,
    /// All below them.
    Infinity,
}

/// Which entries are wanted.
///
/// ```
/// use mailbearer::imap::{GetMetadata, MetadataDepth};
///
/// let comments = GetMetadata::new(["/shared/comment", "/private/comment"]).max_size(1024);
/// let ours = GetMetadata::new(["/private/vendor/example"]).depth(MetadataDepth::Infinity);
/// ```
#[derive(Debug, Clone)]
pub struct GetMetadata {
    entries: Vec<String>,
    max_size: Option<u32>,
    depth: MetadataDepth,
}

impl GetMetadata {
    /// Entries by their names, which begin with `/shared/` or `/private/`.
    pub fn new<N: Into<String>>(entries: impl IntoIterator<Item = N>) -> Self {
        let entries = entries.into_iter().map(Into::into).collect();
        Self { entries, max_size: None, depth: MetadataDepth::Zero }
    }

    /// Values of more octets are left out: [`Metadata::longest`] tells of them.
    pub const fn max_size(mut self, octets: u32) -> Self {
        self.max_size = Some(octets);
        self
    }

    /// How far below these entries others are wanted.
    pub const fn depth(mut self, depth: MetadataDepth) -> Self {
        self.depth = depth;
        self
    }
}

/// Entries and their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    entries: Vec<(String, Option<Bytes>)>,
    longest: Option<u64>,
    unread: usize,
}

impl Metadata {
    /// The value of the entry of this name, in any case. `None` if it has none.
    pub fn get(&self, entry: &str) -> Option<&Bytes> {
        let (_, value) = self.entries.iter().find(|(name, _)| name.eq_ignore_ascii_case(entry))?;
        value.as_ref()
    }

    /// All entries that the server told, and their values; of some `None`: there is no value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&Bytes>)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value.as_ref()))
    }

    /// If values were left out for their size, the size of the largest, in octets.
    pub const fn longest(&self) -> Option<u64> {
        self.longest
    }

    /// How many lines of the answer could not be understood. They are among the events, as
    /// [`Event::Unparsed`](crate::imap::Event::Unparsed).
    pub const fn unread(&self) -> usize {
        self.unread
    }
}

impl ImapClient {
    /// What is noted at a mailbox, or with the mailbox `""` at the server.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer `METADATA`, or for the server itself
    /// `METADATA-SERVER`; [`Error::Refused`] if there is no such mailbox or this user may not see its
    /// notes. [`Error::Misuse`] without entries, and for a name with `*` or `%` in it.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn metadata(
        &mut self,
        mailbox: impl Into<MailboxName>,
        wanted: GetMetadata,
    ) -> Result<Metadata, Error> {
        self.run(Get { mailbox: mailbox.into(), wanted, told: Metadata::default(), utf8: false })
            .await
    }

    /// Notes values at a mailbox, or with the mailbox `""` at the server: all of them or none. `None`
    /// takes an entry away.
    ///
    /// ```no_run
    /// # async fn note(imap: &mut mailbearer::ImapClient) -> Result<(), mailbearer::imap::Error> {
    /// imap.set_metadata("INBOX", [("/private/comment", Some("from the old system"))]).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`metadata`](Self::metadata). [`Error::Refused`] with
    /// [`Code::Metadata`](crate::imap::Code::Metadata) if a value is too large, there are too many
    /// entries, or the mailbox has no private ones.
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. The server notes them all the same.
    pub async fn set_metadata<N: Into<String>, V: Into<Bytes>>(
        &mut self,
        mailbox: impl Into<MailboxName>,
        entries: impl IntoIterator<Item = (N, Option<V>)>,
    ) -> Result<(), Error> {
        let entries = entries.into_iter();
        let entries = entries.map(|(name, value)| (name.into(), value.map(Into::into))).collect();
        self.run(Set { mailbox: mailbox.into(), entries }).await
    }
}

fn needs(mailbox: &MailboxName) -> &'static [Need] {
    match mailbox.as_wire() {
        [] => &[METADATA_SERVER],
        _ => &[METADATA],
    }
}

struct Get {
    mailbox: MailboxName,
    wanted: GetMetadata,
    told: Metadata,
    utf8: bool,
}

impl Command for Get {
    type Output = Metadata;

    fn name(&self) -> &'static str {
        "GETMETADATA"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        let GetMetadata { entries, max_size, depth } = &self.wanted;
        line.raw("GETMETADATA ");
        let depth = match depth {
            MetadataDepth::Zero => None,
            MetadataDepth::One => Some("DEPTH 1"),
            MetadataDepth::Infinity => Some("DEPTH infinity"),
        };
        let max_size = max_size.map(|octets| format!("MAXSIZE {octets}"));
        let options: Vec<_> = max_size.as_deref().into_iter().chain(depth).collect();
        if !options.is_empty() {
            line.raw(format_args!("({}) ", options.join(" ")));
        }
        line.mailbox(&self.mailbox)?;
        let mut separator = " (";
        for name in entries {
            entry(line.raw(separator), name)?;
            separator = " ";
        }
        some(entries)?;
        line.raw(")");
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        needs(&self.mailbox)
    }

    fn claims(&self) -> Claims {
        // One without values tells of a change that somebody else has made.
        Claims::Data(|response| {
            is_data(response, "METADATA")
                && matches!(response, Response::Data { rest, .. } if values(rest).is_ok())
        })
    }

    fn started(&mut self, _: Tag, utf8: bool) {
        self.utf8 = utf8;
    }

    fn fit(&self, response: &Response<'_>) -> Fit {
        match response {
            Response::Data { rest, .. } => {
                values(rest).map_or(Fit::No, |(name, _)| fit_of(&self.mailbox, &name, self.utf8))
            }
            _ => Fit::No,
        }
    }

    fn is_about(&self, response: &Response<'_>) -> bool {
        self.fit(response) > Fit::No
    }

    fn accept(&mut self, response: &Response<'_>, frame: &Bytes) -> Parsed<()> {
        let Response::Data { rest, .. } = response else { return Ok(()) };
        let read = self.take(rest, frame);
        self.told.unread += usize::from(read.is_err());
        read
    }

    fn finish(mut self, reply: Reply) -> Metadata {
        if let Some(Code::Metadata { what, number }) = reply.code() {
            self.told.longest = number.filter(|_| what.eq_ignore_ascii_case("LONGENTRIES"));
        }
        self.told
    }
}

impl Get {
    fn take(&mut self, rest: &[u8], frame: &Bytes) -> Parsed<()> {
        /// No answer has more; each takes more room than its text.
        const MOST: usize = 10_000;
        let (name, mut list) = values(rest)?;
        if fit_of(&self.mailbox, &name, self.utf8) == Fit::No {
            return Err(Malformed("notes at the mailbox that was asked about"));
        }
        loop {
            list.spaces();
            if list.eat(b')') {
                return Ok(());
            }
            if self.told.entries.len() == MOST {
                return Err(Malformed("at most 10,000 entries"));
            }
            let name = list.astring()?.to_str_lossy().into_owned();
            list.spaces();
            let value = list.nstring()?.map(|text| match text.borrowed() {
                Some(octets) => frame.slice_ref(octets),
                None => text.to_bytes().into_owned().into(),
            });
            self.told.entries.push((name, value));
        }
    }
}

/// The name of the mailbox, and the list behind it.
fn values(rest: &[u8]) -> Parsed<(Vec<u8>, Cursor<'_>)> {
    let mut cursor = Cursor::new(rest);
    let name = cursor.astring()?.to_bytes().into_owned();
    cursor.spaces();
    cursor.expect(b'(', "a list of entries and values")?;
    Ok((name, cursor))
}

/// What follows `* METADATA` where notes have changed: the name of the mailbox, and those of the
/// entries, maybe with their values (RFC 5465 section 5.6).
pub(crate) fn changed(rest: &[u8]) -> Parsed<(Vec<u8>, Vec<String>)> {
    let mut cursor = Cursor::new(rest);
    let mailbox = cursor.astring()?.to_bytes().into_owned();
    cursor.spaces();
    let with_values = cursor.eat(b'(');
    let mut entries = Vec::new();
    loop {
        cursor.spaces();
        match (with_values, cursor.at_end()) {
            (true, false) if cursor.eat(b')') => break,
            (false, true) => break,
            _ => {}
        }
        entries.push(cursor.astring()?.to_str_lossy().into_owned());
        if with_values {
            cursor.spaces();
            cursor.nstring()?;
        }
    }
    match entries[..] {
        [] => Err(Malformed("the name of an entry")),
        _ => Ok((mailbox, entries)),
    }
}

struct Set {
    mailbox: MailboxName,
    entries: Vec<(String, Option<Bytes>)>,
}

impl Command for Set {
    type Output = ();

    fn name(&self) -> &'static str {
        "SETMETADATA"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("SETMETADATA ").mailbox(&self.mailbox)?;
        let mut separator = " (";
        for (name, value) in &self.entries {
            entry(line.raw(separator), name)?.raw(" ");
            match value {
                None => line.raw("NIL"),
                // What a quoted string cannot hold.
                Some(value) if memchr::memchr(0, value).is_some() => line.literal8(value.clone()),
                Some(value) if memchr::memchr2(b'\r', b'\n', value).is_some() => {
                    line.literal(value.clone())
                }
                Some(value) => line.string("value", value)?,
            };
            separator = " ";
        }
        some(&self.entries)?;
        line.raw(")");
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        needs(&self.mailbox)
    }

    fn finish(self, _: Reply) {}
}

/// The name of an entry (RFC 5464 section 3.2).
fn entry<'a>(line: &'a mut Line, name: &str) -> Result<&'a mut Line, Misuse> {
    let odd = |why: &str| Misuse::Argument { what: "metadata entry", why: why.to_owned() };
    if !name.starts_with('/') || name.ends_with('/') || name.contains("//") {
        return Err(odd("its name is no path"));
    }
    if !name.is_ascii() || name.contains(['*', '%']) {
        return Err(odd("`*`, `%` and what is not ASCII may not be in its name"));
    }
    if name.contains(|c| c < '\u{1a}' && !matches!(c, '\r' | '\n' | '\0')) {
        return Err(odd("control characters may not be in its name"));
    }
    line.astring("metadata entry", name.as_bytes())
}

fn some<T>(entries: &[T]) -> Result<(), Misuse> {
    match entries {
        [] => Err(Misuse::Argument { what: "metadata", why: "no entry is named".to_owned() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Event;
    use crate::imap::command::script::play;

    fn get(wanted: GetMetadata) -> impl Fn() -> Get {
        move || Get {
            mailbox: "INBOX".into(),
            wanted: wanted.clone(),
            told: Metadata::default(),
            utf8: false,
        }
    }

    #[test]
    fn a_change_names_entries_with_values_or_without() {
        let read = |line: &str| {
            changed(line.as_bytes()).ok().map(|(name, entries)| {
                format!("{} {}", String::from_utf8(name).unwrap(), entries.join(","))
            })
        };
        // RFC 5465 section 5.6 and RFC 5464 section 4.4.1.
        let told = |text: &str| Some(text.to_owned());
        assert_eq!(read("\"INBOX\" /shared/comment"), told("INBOX /shared/comment"));
        assert_eq!(read("\"\" /shared/a /shared/b "), told(" /shared/a,/shared/b"));
        assert_eq!(read("a (/shared/a \"x\" /shared/b NIL)"), told("a /shared/a,/shared/b"));
        for bad in ["", "INBOX", "INBOX ()", "INBOX (/a", "INBOX (/a \"", "INBOX /a \"", "a (/a)"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_examples_of_rfc_5464_are_read() {
        let script = r#"
            S: * PREAUTH [CAPABILITY METADATA] hi
            C: A1 GETMETADATA (MAXSIZE 1024) INBOX (/shared/comment /private/comment)
            S: * METADATA "INBOX" (/private/comment "My own comment")
            S: A1 OK [METADATA LONGENTRIES 2199] GETMETADATA complete
        "#;
        let wanted = GetMetadata::new(["/shared/comment", "/private/comment"]).max_size(1024);
        play(get(wanted), script, |played| {
            let told = played.output.unwrap();
            assert_eq!(told.get("/private/COMMENT").unwrap(), "My own comment");
            assert_eq!((told.get("/shared/comment"), told.longest()), (None, Some(2199)));
        });
        let script = r#"
            S: * PREAUTH [CAPABILITY METADATA] hi
            C: A1 GETMETADATA (DEPTH 1) INBOX (/private/filters/values)
            S: * METADATA "INBOX" (/private/filters/values/small "SMALLER 5000" /private/filters/values/boss "FROM \"boss@example.com\"")
            S: * METADATA inbox (/private/filters/values/x NIL /private/filters/values/y ~{3}
            S: a)b)
            S: A1 OK GETMETADATA complete
        "#;
        let wanted = GetMetadata::new(["/private/filters/values"]).depth(MetadataDepth::One);
        play(get(wanted), script, |played| {
            let told = played.output.unwrap();
            assert_eq!(
                told.get("/private/filters/values/boss").unwrap(),
                "FROM \"boss@example.com\""
            );
            assert_eq!(told.get("/private/filters/values/y").unwrap(), "a)b");
            assert_eq!((told.iter().count(), told.longest(), told.unread()), (4, None, 0));
        });
    }

    #[test]
    fn a_change_by_somebody_else_is_an_event_and_no_answer() {
        let script = r#"
            S: * PREAUTH [CAPABILITY METADATA] hi
            C: A1 GETMETADATA INBOX (/shared/comment)
            S: * METADATA "INBOX" /shared/comment /private/comment
            S: * METADATA "other" (/shared/comment "x")
            S: * METADATA "INBOX" (/shared/comment
            S: A1 OK done
        "#;
        play(get(GetMetadata::new(["/shared/comment"])), script, |mut played| {
            let told = played.output.unwrap();
            assert_eq!((told.iter().count(), told.unread()), (0, 2));
            assert!(matches!(played.core.take_event(), Some(Event::Metadata { .. })));
            assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })));
            assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })));
        });
    }

    #[test]
    fn values_are_written_in_the_form_that_can_carry_them() {
        let script = "
            S: * PREAUTH [CAPABILITY METADATA LITERAL+ BINARY] hi
            C: A1 SETMETADATA INBOX (/private/comment \"My new comment\" /shared/comment NIL /private/a {4+}
            C: a
            C: b /private/b ~{1+}
            C: \0)
            S: A1 NO [METADATA MAXSIZE 3] too large
        ";
        let entries: Vec<(String, Option<Bytes>)> = vec![
            ("/private/comment".to_owned(), Some("My new comment".into())),
            ("/shared/comment".to_owned(), None),
            ("/private/a".to_owned(), Some("a\r\nb".into())),
            ("/private/b".to_owned(), Some("\0".into())),
        ];
        let set = || Set { mailbox: "INBOX".into(), entries: entries.clone() };
        play(set, script, |played| {
            let expected = Code::Metadata { what: "MAXSIZE".to_owned(), number: Some(3) };
            assert_eq!(played.refusal().code(), Some(&expected));
        });
    }

    #[test]
    fn a_value_with_nul_is_no_command_at_a_server_without_binary() {
        let script = "
            S: * PREAUTH [CAPABILITY METADATA LITERAL+] hi
            C: A1 SETMETADATA INBOX (/private/comment ~{22}
            S: A1 BAD no such literal
        ";
        let value = Bytes::from_static(b"\0\r\nA9 DELETE Archive\r\n");
        let entries = vec![("/private/comment".to_owned(), Some(value))];
        let set = || Set { mailbox: "INBOX".into(), entries: entries.clone() };
        play(set, script, |played| {
            assert!(played.core.takes_commands());
            assert_eq!(played.refusal().text(), "no such literal");
        });
    }

    #[test]
    fn what_is_no_name_of_an_entry_is_not_sent() {
        for bad in [
            "",
            "comment",
            "/shared/*",
            "/a%",
            "/a//b",
            "/a/",
            "/\u{e4}",
            "/a\r\nb",
            "/a\0",
            "/a\u{1}",
            "/a\tb",
            "/\u{19}",
        ] {
            let mut line = Line::new(Default::default());
            assert!(
                get(GetMetadata::new([bad]))().encode(&mut line, &Capabilities::default()).is_err()
            );
        }
        let mut line = Line::new(Default::default());
        let none = get(GetMetadata::new([""; 0]))();
        assert!(none.encode(&mut line, &Capabilities::default()).is_err());
    }

    #[test]
    fn notes_at_the_server_have_a_capability_of_their_own() {
        assert_eq!(needs(&"".into()), [METADATA_SERVER]);
        assert_eq!(needs(&"INBOX".into()), [METADATA]);
    }
}
