//! One message as a FETCH response describes it (RFC 9051 section 7.5.2).

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use crate::imap::proto::decode::{Cursor, Malformed, Parsed, parse_u32, parse_u64};
use crate::imap::types::envelope::{Fields, Source};
use crate::imap::types::span::{Kind, Mark, Span};
use crate::imap::types::{DateTime, Envelope, Flags, Section, Text, Uid};

/// What the server said about one message.
///
/// It owns the response it was read from and an index of the items in it; the methods give views
/// of it. It holds what was asked for, and at times more or less: servers add FLAGS that changed
/// meanwhile, and leave out what they cannot convert.
#[derive(Clone)]
pub struct Message {
    frame: Bytes,
    seq: u32,
    uid: Option<Uid>,
    /// Of each item its name and its value; behind that of ENVELOPE the strings of its addresses.
    index: Vec<Span>,
    envelope: Option<Fields>,
    fault: Option<Malformed>,
}

impl Message {
    /// Reads what follows `* n FETCH`. What cannot be read ends the list of items; an answer in
    /// which not even one can be read is malformed.
    pub(crate) fn parse(seq: u32, frame: Bytes) -> Parsed<Self> {
        // One span for each 24 octets is what responses with an ENVELOPE have.
        let index = Vec::with_capacity(8 + (frame.len() / 24).min(56));
        let mut message = Self { frame, seq, uid: None, index, envelope: None, fault: None };
        if let Err(fault) = message.read() {
            if message.index.is_empty() {
                return Err(fault);
            }
            message.fault = Some(fault);
        }
        Ok(message)
    }

    /// Each takes more room than its text, and no request asks for so many.
    const MOST_ITEMS: usize = 10_000;

    fn read(&mut self) -> Parsed<()> {
        let octets = self.frame.len();
        let mut cursor = Cursor::new(&self.frame);
        cursor.expect(b'(', "a list of items")?;
        for _ in 0..Self::MOST_ITEMS {
            cursor.spaces();
            if cursor.eat(b')') {
                return Ok(());
            }
            let name = item_name(&mut cursor)?;
            let kind = Kind::of(name);
            let name = Span::behind(octets - cursor.rest().len(), name.len(), Mark::Name(kind))?;
            cursor.spaces();
            let (known, start) = (self.index.len(), cursor.rest().len());
            self.index.extend([name, Span::default()]);
            let value = if kind == Kind::Envelope && cursor.peek() == Some(b'(') {
                Fields::find(octets, &mut cursor, &mut self.index)
                    .map(|fields| self.envelope = Some(fields))
            } else {
                cursor.value().map(|value| {
                    if kind == Kind::Uid {
                        self.uid = parse_u32(value).and_then(Uid::new);
                    }
                })
            };
            let end = octets - cursor.rest().len();
            match (value, self.index.get_mut(known + 1)) {
                (Ok(()), Some(place)) => {
                    *place = Span::behind(end, start - cursor.rest().len(), Mark::Value)?;
                }
                (value, _) => {
                    self.index.truncate(known);
                    return value;
                }
            }
        }
        Err(Malformed("the end of the list of items"))
    }

    /// Its sequence number at the moment the server sent this.
    pub const fn seq(&self) -> u32 {
        self.seq
    }

    /// Its unique identifier, which every answer to a UID FETCH holds.
    pub const fn uid(&self) -> Option<Uid> {
        self.uid
    }

    /// Its flags; none as well if they were not asked for.
    pub fn flags(&self) -> Flags<'_> {
        Flags::new(self.value(Kind::Flags).unwrap_or_default())
    }

    /// When the server received it. `None` as well if what the server sent is no date.
    pub fn internal_date(&self) -> Option<DateTime> {
        let text = Cursor::new(self.value(Kind::InternalDate)?).astring().ok()?;
        DateTime::parse(&text.to_bytes())
    }

    /// Its size in octets. `None` as well if what the server sent is no size.
    pub fn size(&self) -> Option<u64> {
        self.value(Kind::Size).and_then(parse_u64)
    }

    /// Date, subject and addresses.
    pub fn envelope(&self) -> Option<Envelope<'_>> {
        let source = Source { frame: &self.frame, spans: &self.index };
        self.envelope.as_ref().map(|fields| Envelope::new(source, fields))
    }

    /// The whole message, octet for octet, as [`Section::full`] or `RFC822` brought it.
    pub fn body(&self) -> Option<&[u8]> {
        self.body_place().and_then(|place| self.frame.get(place))
    }

    /// [`body`](Self::body), sharing the memory of this response instead of borrowing it.
    pub fn body_bytes(&self) -> Option<Bytes> {
        self.body_place().map(|place| self.frame.slice(place))
    }

    /// This piece of the message, if it was fetched. A piece asked for in part is found by the
    /// same partial section.
    pub fn section(&self, section: &Section) -> Option<&[u8]> {
        self.section_place(section).and_then(|place| self.frame.get(place))
    }

    /// [`section`](Self::section), sharing the memory of this response instead of borrowing it.
    pub fn section_bytes(&self, section: &Section) -> Option<Bytes> {
        self.section_place(section).map(|place| self.frame.slice(place))
    }

    /// Every item of the response in the order of the wire, those without a method here too.
    pub fn items(&self) -> impl Iterator<Item = Item<'_>> {
        self.entries().map(|(_, name, value)| Item {
            name: name.octets(&self.frame),
            value: value.octets(&self.frame),
        })
    }

    /// What is left of the response after the last item that could be read; `None` if all of it
    /// could.
    pub fn unparsed(&self) -> Option<&[u8]> {
        self.fault?;
        let read = self.entries().last().map_or(0, |(_, _, value)| value.end());
        self.frame.get(read..)
    }

    /// Copies the response out of the buffer it arrived in, which other messages may share, so
    /// that keeping this message keeps nothing else in memory.
    pub fn detach(&mut self) {
        self.frame = Bytes::copy_from_slice(&self.frame);
        self.index.shrink_to_fit();
    }

    /// [`detach`](Self::detach), by value.
    pub fn into_owned(mut self) -> Self {
        self.detach();
        self
    }

    /// Octets it holds.
    pub(crate) const fn octets(&self) -> usize {
        self.frame.len()
    }

    /// The items with their kinds: names and values.
    fn entries(&self) -> impl Iterator<Item = (Kind, Span, Span)> {
        self.index.windows(2).filter_map(|pair| match pair {
            [name, value] => match name.mark {
                Mark::Name(kind) => Some((kind, *name, *value)),
                _ => None,
            },
            _ => None,
        })
    }

    fn value(&self, wanted: Kind) -> Option<&[u8]> {
        let (_, _, value) = self.entries().find(|(kind, ..)| *kind == wanted)?;
        Some(value.octets(&self.frame))
    }

    fn body_place(&self) -> Option<Range<usize>> {
        let (_, _, value) = self.entries().find(|(kind, name, _)| {
            *kind == Kind::Rfc822
                || *kind == Kind::Section
                    && name.octets(&self.frame).eq_ignore_ascii_case(b"BODY[]")
        })?;
        self.string_place(value)
    }

    fn section_place(&self, section: &Section) -> Option<Range<usize>> {
        let (_, _, value) = self.entries().find(|(kind, name, _)| match kind {
            Kind::Section => split_section(name.octets(&self.frame))
                .is_some_and(|(spec, origin)| section.answers_to(spec, origin)),
            Kind::Rfc822 => section.answers_to(b"", None),
            Kind::Rfc822Header => section.answers_to(b"HEADER", None),
            Kind::Rfc822Text => section.answers_to(b"TEXT", None),
            _ => false,
        })?;
        self.string_place(value)
    }

    /// Where the octets of a string value lie. A quoted string with escapes in it has none in one
    /// piece; no server sends a body so.
    fn string_place(&self, span: Span) -> Option<Range<usize>> {
        let value = span.octets(&self.frame);
        let octets = Cursor::new(value).nstring().ok()??.borrowed()?.len();
        // Only the opening and the closing of the value stand around them: what is announced of a
        // literal is followed by nothing, a quoted string by one quotation mark.
        let end = span.end() - usize::from(value.starts_with(b"\""));
        Some(end.checked_sub(octets)?..end)
    }
}

impl fmt::Debug for Message {
    /// Which items it has, not what is in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.items().map(|item| item.name().escape_ascii().to_string());
        f.debug_struct("Message")
            .field("seq", &self.seq)
            .field("uid", &self.uid)
            .field("items", &names.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// One item of a FETCH response as the server sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    name: &'a [u8],
    value: &'a [u8],
}

impl<'a> Item<'a> {
    /// Its name in the server's spelling: `X-GM-MSGID`, `BODY[HEADER.FIELDS (DATE)]`.
    pub const fn name(&self) -> &'a [u8] {
        self.name
    }

    /// Its value as on the wire, with the quotes, parentheses or `{length}` around it.
    pub const fn value(&self) -> &'a [u8] {
        self.value
    }

    /// Its value as a string; `None` if it is `NIL` or a list.
    pub fn text(&self) -> Option<Text<'a>> {
        Cursor::new(self.value).nstring().ok().flatten()
    }

    /// Its value as a number; `None` if it is none.
    pub fn number(&self) -> Option<u64> {
        parse_u64(self.value)
    }
}

/// The name of an item: a word, and with it any `[…]` and `<…>`.
fn item_name<'a>(cursor: &mut Cursor<'a>) -> Parsed<&'a [u8]> {
    const WANTED: Malformed = Malformed("the name of an item");
    let rest = cursor.rest();
    let is_plain = |octet: &u8| !matches!(octet, b' ' | b'(' | b')' | b'[' | b'"' | b'\r' | b'\n');
    let plain = rest.iter().position(|octet| !is_plain(octet)).ok_or(WANTED)?;
    let length = match rest.get(plain) {
        Some(b'[') => plain + bracketed(rest.get(plain..).unwrap_or_default()).ok_or(WANTED)?,
        _ => plain,
    };
    cursor.take(length).filter(|name| !name.is_empty()).ok_or(WANTED)
}

/// The length of `[…]` and of `<…>` behind it. A bracket within quotes does not count.
fn bracketed(text: &[u8]) -> Option<usize> {
    let mut in_quotes = false;
    let close = text.iter().position(|octet| {
        in_quotes ^= *octet == b'"';
        *octet == b']' && !in_quotes
    })?;
    let behind = text.get(close + 1..)?;
    let origin = behind.iter().position(|octet| matches!(octet, b' ' | b'(' | b')' | b'"'))?;
    Some(close + 1 + origin)
}

/// `BODY[spec]<origin>` in its pieces.
fn split_section(name: &[u8]) -> Option<(&[u8], Option<u64>)> {
    let start = memchr::memchr(b'[', name)? + 1;
    let end = memchr::memrchr(b']', name)?;
    let origin = name.get(end + 1..)?.strip_prefix(b"<");
    Some((name.get(start..end)?, origin.and_then(|origin| Cursor::new(origin).digits())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::types::Flag;
    use proptest::prelude::*;

    fn message(items: &str) -> Message {
        Message::parse(1, Bytes::copy_from_slice(items.as_bytes())).unwrap()
    }

    fn names(message: &Message) -> Vec<String> {
        message.items().map(|item| String::from_utf8_lossy(item.name()).into_owned()).collect()
    }

    #[test]
    fn the_items_of_a_usual_answer_are_all_found() {
        let message = message(
            "(UID 87567 FLAGS (\\Seen $Forwarded) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" \
             RFC822.SIZE 4294967296 ENVELOPE (NIL \"hi\" NIL NIL NIL NIL NIL NIL NIL \"<1@x>\") \
             BODY[] {11}\r\nA: b\r\n\r\nc)()",
        );
        assert_eq!((message.seq(), message.uid()), (1, Uid::new(87567)));
        assert!(message.flags().contains(&Flag::Seen));
        assert_eq!(message.internal_date().unwrap().year(), 1996);
        assert_eq!(message.size(), Some(4_294_967_296));
        assert_eq!(message.envelope().unwrap().subject().unwrap(), "hi");
        assert_eq!(message.body(), Some(&b"A: b\r\n\r\nc)("[..]));
        assert_eq!(message.body_bytes().as_deref(), message.body());
        assert_eq!(message.unparsed(), None);
    }

    #[test]
    fn a_space_too_many_is_no_fault() {
        // QQ (jakartaee/mail-api#209).
        let message = message("(UID 87567 RFC822.SIZE 5799845 )");
        assert_eq!((message.size(), message.unparsed()), (Some(5_799_845), None));
        // DavMail (imap-proto#25).
        let message = self::message("(UID 1 RFC822.HEADER  {6}\r\nA: b\r\n)");
        assert_eq!(message.section(&Section::header()), Some(&b"A: b\r\n"[..]));
    }

    #[test]
    fn items_nobody_knows_are_kept_as_they_are() {
        let message = message(
            "(X-GM-LABELS (\\Inbox \"a b\") X-GM-MSGID 1278455344230334865 X-GM-THRID 12 \
             EMAILID (M1) THREADID NIL MODSEQ (0) PREVIEW \"x\" BINARY[1] ~{3}\r\na\0b \
             BINARY.SIZE[1] 3 SAVEDATE \"1-Jan-2020 00:00:00 +0000\" UID 9)",
        );
        assert_eq!(message.uid(), Uid::new(9));
        assert_eq!(names(&message).len(), 11);
        let item = |name: &str| message.items().find(|i| i.name() == name.as_bytes()).unwrap();
        assert_eq!(item("X-GM-MSGID").number(), Some(1_278_455_344_230_334_865));
        assert_eq!(item("X-GM-LABELS").value(), b"(\\Inbox \"a b\")");
        assert_eq!(item("BINARY[1]").text().unwrap().to_bytes().as_ref(), b"a\0b");
        assert_eq!(item("THREADID").text(), None);
    }

    #[test]
    fn sections_are_found_whatever_their_spelling() {
        let message = message(
            "(BODY[HEADER.FIELDS (\"DATE\" FROM)] {8}\r\nDate: x\n BODY[1.2]<10> \"part\" \
             body[] NIL BODY[TEXT] \"\")",
        );
        let fields = Section::header_fields(["Date", "From"]);
        assert_eq!(message.section(&fields), Some(&b"Date: x\n"[..]));
        assert_eq!(message.section(&Section::part([1, 2]).partial(10, 50)), Some(&b"part"[..]));
        assert_eq!(message.section(&Section::part([1, 2])), None);
        assert_eq!(message.section(&Section::text()), Some(&b""[..]));
        assert_eq!(message.body(), None);
    }

    #[test]
    fn a_quoted_body_is_found_too() {
        assert_eq!(message("(BODY[] \"abc\" UID 1)").body(), Some(&b"abc"[..]));
        assert_eq!(message("(RFC822 {3}\nabc)").body(), Some(&b"abc"[..]));
        let fetched = message("(RFC822.TEXT \"t\")");
        assert_eq!(fetched.section(&Section::text()), Some(&b"t"[..]));
    }

    #[test]
    fn nonsense_values_read_as_none() {
        let message = message("(UID 0 RFC822.SIZE -1 INTERNALDATE \"00-Jan-0000\" ENVELOPE NIL)");
        assert_eq!((message.uid(), message.size()), (None, None));
        assert!(message.internal_date().is_none() && message.envelope().is_none());
        assert_eq!(message.unparsed(), None);
    }

    #[test]
    fn what_can_be_read_before_a_fault_is_kept_with_the_rest() {
        let message = message("(UID 5 FLAGS (\\Seen) BODY[] {99}\r\nshort)");
        assert_eq!(message.uid(), Uid::new(5));
        assert_eq!(message.unparsed(), Some(&b" BODY[] {99}\r\nshort)"[..]));
        assert!(Message::parse(1, Bytes::from_static(b"garbage")).is_err());
    }

    #[test]
    fn of_items_without_end_the_first_are_kept() {
        let message = message(&format!("(UID 5 {}FLAGS ())", "A B ".repeat(20_000)));
        assert_eq!((message.uid(), message.items().count()), (Uid::new(5), 10_000));
        assert!(message.unparsed().unwrap().ends_with(b" FLAGS ())"));
    }

    #[test]
    fn a_detached_message_holds_a_buffer_of_its_own() {
        let big = Bytes::from(b"xxxx(UID 5 BODY[] \"abc\")".to_vec());
        let mut message = Message::parse(1, big.slice(4..)).unwrap();
        message.detach();
        assert!(big.is_unique());
        assert_eq!(message.into_owned().body(), Some(&b"abc"[..]));
    }

    #[test]
    fn debug_names_the_items_but_shows_no_content() {
        let shown = format!("{:?}", message("(UID 5 BODY[] \"private\")"));
        assert!(shown.contains("BODY[]") && !shown.contains("private"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(bytes: Vec<u8>) {
            read_everything(Bytes::from(bytes));
        }

        #[test]
        fn nothing_like_an_answer_makes_it_panic(
            line in "\\((UID 1 |FLAGS |BODY|ENVELOPE |\\[|\\]|[ ()\"{}0-9A-Z<>\\\\\r\n]){0,20}\\)?"
        ) {
            read_everything(Bytes::from(line));
        }

        #[test]
        fn a_body_comes_back_exact(body: Vec<u8>) {
            let mut frame = format!("(UID 3 BODY[] {{{}}}\r\n", body.len()).into_bytes();
            frame.extend_from_slice(&body);
            frame.extend_from_slice(b" FLAGS ())\r\n");
            let message = Message::parse(1, Bytes::from(frame)).unwrap();
            prop_assert_eq!(message.body(), Some(&body[..]));
            prop_assert_eq!(message.unparsed(), None);
        }
    }

    fn read_everything(frame: Bytes) {
        let Ok(message) = Message::parse(1, frame) else { return };
        let _ = (message.internal_date(), message.size(), message.body(), message.unparsed());
        let _ = message.section(&Section::header());
        let _ = (message.flags().count(), format!("{message:?} {:?}", message.envelope()));
    }
}
