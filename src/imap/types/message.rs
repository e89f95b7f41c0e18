//! One message as a FETCH response describes it (RFC 9051 section 7.5.2).

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use crate::imap::proto::decode::{Cursor, Malformed, Parsed, parse_u32, parse_u64};
use crate::imap::types::envelope::Fields;
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
    items: Vec<Entry>,
    envelope: Option<Fields>,
    fault: Option<Malformed>,
}

/// Where one item lies in the frame. A frame of 4 GiB or more is not taken, so 32 bits will do.
#[derive(Debug, Clone, Copy)]
struct Entry {
    kind: Kind,
    name: (u32, u32),
    value: (u32, u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Uid,
    Flags,
    InternalDate,
    Size,
    Envelope,
    Section,
    Rfc822,
    Rfc822Header,
    Rfc822Text,
    Other,
}

impl Message {
    /// Reads what follows `* n FETCH`. What cannot be read ends the list of items; an answer in
    /// which not even one can be read is malformed.
    pub(crate) fn parse(seq: u32, frame: Bytes) -> Parsed<Self> {
        u32::try_from(frame.len()).map_err(|_| Malformed("a response of less than 4 GiB"))?;
        let mut message = Self {
            frame: Bytes::new(),
            seq,
            uid: None,
            items: Vec::with_capacity(8),
            envelope: None,
            fault: None,
        };
        if let Err(fault) = message.index(&frame) {
            if message.items.is_empty() {
                return Err(fault);
            }
            message.fault = Some(fault);
        }
        message.frame = frame;
        Ok(message)
    }

    fn index(&mut self, frame: &[u8]) -> Parsed<()> {
        let mut cursor = Cursor::new(frame);
        let place = |rest: &[u8], length: usize| {
            let start = frame.len() - rest.len();
            Ok((offset(start)?, offset(start + length)?))
        };
        cursor.expect(b'(', "a list of items")?;
        loop {
            cursor.spaces();
            if cursor.eat(b')') {
                return Ok(());
            }
            let start = cursor.rest();
            let name = item_name(&mut cursor)?;
            let name_place = place(start, name.len())?;
            cursor.spaces();
            let start = cursor.rest();
            let kind = Kind::of(name);
            if kind == Kind::Envelope && cursor.peek() == Some(b'(') {
                self.envelope = Some(Fields::find(frame, &mut cursor)?);
            } else {
                let value = cursor.value()?;
                if kind == Kind::Uid {
                    self.uid = parse_u32(value).and_then(Uid::new);
                }
            }
            let value_place = place(start, start.len() - cursor.rest().len())?;
            self.items.push(Entry { kind, name: name_place, value: value_place });
        }
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
        self.envelope.map(|fields| Envelope::new(&self.frame, fields))
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
        self.items
            .iter()
            .map(|entry| Item { name: self.at(entry.name), value: self.at(entry.value) })
    }

    /// What is left of the response after the last item that could be read; `None` if all of it
    /// could.
    pub fn unparsed(&self) -> Option<&[u8]> {
        self.fault?;
        let read = self.items.last().map_or(0, |entry| entry.value.1);
        self.frame.get(read as usize..)
    }

    /// Copies the response out of the buffer it arrived in, which other messages may share, so
    /// that keeping this message keeps nothing else in memory.
    pub fn detach(&mut self) {
        self.frame = Bytes::copy_from_slice(&self.frame);
        self.items.shrink_to_fit();
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

    fn value(&self, kind: Kind) -> Option<&[u8]> {
        self.items.iter().find(|entry| entry.kind == kind).map(|entry| self.at(entry.value))
    }

    fn at(&self, place: (u32, u32)) -> &[u8] {
        self.frame.get(place.0 as usize..place.1 as usize).unwrap_or_default()
    }

    fn body_place(&self) -> Option<Range<usize>> {
        let entry = self.items.iter().find(|entry| {
            entry.kind == Kind::Rfc822
                || entry.kind == Kind::Section
                    && self.at(entry.name).eq_ignore_ascii_case(b"BODY[]")
        })?;
        self.string_place(entry)
    }

    fn section_place(&self, section: &Section) -> Option<Range<usize>> {
        let entry = self.items.iter().find(|entry| match entry.kind {
            Kind::Section => split_section(self.at(entry.name))
                .is_some_and(|(spec, origin)| section.answers_to(spec, origin)),
            Kind::Rfc822 => section.answers_to(b"", None),
            Kind::Rfc822Header => section.answers_to(b"HEADER", None),
            Kind::Rfc822Text => section.answers_to(b"TEXT", None),
            _ => false,
        })?;
        self.string_place(entry)
    }

    /// Where the octets of a string value lie. A quoted string with escapes in it has none in one
    /// piece; no server sends a body so.
    fn string_place(&self, entry: &Entry) -> Option<Range<usize>> {
        let value = self.at(entry.value);
        let octets = Cursor::new(value).nstring().ok()??.borrowed()?.len();
        // Only the opening and the closing of the value stand around them: what is announced of a
        // literal is followed by nothing, a quoted string by one quotation mark.
        let end = entry.value.1 as usize - usize::from(value.starts_with(b"\""));
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

impl Kind {
    fn of(name: &[u8]) -> Self {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name.len() {
            3 if is("UID") => Self::Uid,
            5 if is("FLAGS") => Self::Flags,
            12 if is("INTERNALDATE") => Self::InternalDate,
            11 if is("RFC822.SIZE") => Self::Size,
            8 if is("ENVELOPE") => Self::Envelope,
            6 if is("RFC822") => Self::Rfc822,
            13 if is("RFC822.HEADER") => Self::Rfc822Header,
            11 if is("RFC822.TEXT") => Self::Rfc822Text,
            6.. if name.get(..5).is_some_and(|head| head.eq_ignore_ascii_case(b"BODY[")) => {
                Self::Section
            }
            _ => Self::Other,
        }
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

fn offset(at: usize) -> Parsed<u32> {
    u32::try_from(at).map_err(|_| Malformed("a response of less than 4 GiB"))
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
