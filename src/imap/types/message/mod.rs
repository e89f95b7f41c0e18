//! One message as a FETCH response describes it (RFC 9051 section 7.5.2).

mod read;

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use self::read::{Found, Index};
use crate::imap::proto::decode::{Cursor, Malformed, Parsed, parse_u64};
use crate::imap::types::item::{Item, Unparsed};
use crate::imap::types::span::{Kind, Run, Source, Span};
use crate::imap::types::{BodyStructure, DateTime, Envelope, Flags, Section, Uid};

/// What the server said about one message.
///
/// It owns the response it was read from and an index of the items in it; the methods give views
/// of it. It holds what was asked for, and at times more or less: servers add FLAGS that changed
/// meanwhile, and leave out what they cannot convert. Where an item comes twice, the first counts.
#[derive(Clone)]
pub struct Message {
    frame: Bytes,
    seq: u32,
    /// The server spoke UTF-8 when it sent it, in names, too.
    utf8: bool,
    index: Index,
}

impl Message {
    /// Reads what follows `* n FETCH`. What cannot be read is kept with its reason; an answer in
    /// which not even one item can be found is malformed.
    // A figure counts what it costs by its name.
    #[inline(never)]
    pub(crate) fn parse(seq: u32, frame: Bytes) -> Parsed<Self> {
        let index = Index::read(&frame)?;
        Ok(Self { frame, seq, utf8: false, index })
    }

    /// Says whether names in it are in UTF-8 (RFC 6855).
    #[inline]
    pub(crate) const fn heard(&mut self, utf8: bool) {
        self.utf8 = utf8;
    }

    /// Whether names in it are in UTF-8.
    pub(crate) const fn speaks_utf8(&self) -> bool {
        self.utf8
    }

    /// What follows `* n FETCH`, where nothing of it can be read.
    pub(crate) fn unreadable(seq: u32, frame: Bytes, why: Malformed) -> Self {
        // An index knows no place beyond 2 GiB.
        let frame = if i32::try_from(frame.len()).is_ok() { frame } else { Bytes::new() };
        let index = Index::of_nothing(&frame, why.into());
        Self { frame, seq, utf8: false, index }
    }

    /// Something should be in it that is not.
    pub(crate) fn lacks(&mut self, what: &'static str) {
        let end = self.frame.len();
        self.index.fault(Span::between(end, end), Malformed(what).into());
    }

    /// Its sequence number at the moment the server sent this; 0 if the server told none that is one,
    /// as Courier does at times.
    pub const fn seq(&self) -> u32 {
        self.seq
    }

    /// Its unique identifier. Every answer to a UID FETCH holds it; `None` if it cannot be found in
    /// one, which is not [`complete`](Self::is_complete) then.
    pub const fn uid(&self) -> Option<Uid> {
        self.index.uid
    }

    /// Whether all could be read that the server said here. If not, [`unparsed`](Self::unparsed) has
    /// what could not, with the reason.
    pub fn is_complete(&self) -> bool {
        self.index.odd.as_ref().is_none_or(|odd| odd.faults.is_empty())
    }

    /// Whether it has anything besides what servers tell unasked.
    pub(crate) fn answers(&self) -> bool {
        self.entries().any(|(kind, ..)| kind.is_asked_for())
    }

    /// Its flags; none as well if they were not asked for.
    pub fn flags(&self) -> Flags<'_> {
        Flags::new(self.index.flags.octets(&self.frame))
    }

    /// When the server received it. `None` as well if what the server sent is no date.
    pub fn internal_date(&self) -> Option<DateTime> {
        match self.index.internal_date.octets(&self.frame) {
            // No date has anything to be escaped.
            [b'"', date @ .., b'"'] => DateTime::parse(date),
            value => DateTime::parse(&Cursor::new(value).nstring().ok()??.to_bytes()),
        }
    }

    /// Its size in octets. `None` as well if what the server sent is no size.
    pub const fn size(&self) -> Option<u64> {
        self.index.size
    }

    /// Date, subject and addresses.
    pub fn envelope(&self) -> Option<Envelope<'_>> {
        self.index.envelope.map(|fields| Envelope::new(self.source(), fields))
    }

    /// The parts it consists of, as BODYSTRUCTURE tells, or BODY, which leaves some things out.
    /// `None` as well if what the server sent cannot be read: see [`unparsed`](Self::unparsed).
    pub fn body_structure(&self) -> Option<BodyStructure<'_>> {
        let Found { structure, place, .. } = self.index.structure.as_ref()?;
        Some(BodyStructure::new(self.source(), structure, place.octets(&self.frame)))
    }

    /// Its modification sequence (RFC 7162). `None` as well if what the server sent is none: Zoho
    /// sends -1.
    pub fn mod_seq(&self) -> Option<u64> {
        let list = self.value(Kind::ModSeq)?.strip_prefix(b"(")?.strip_suffix(b")")?;
        parse_u64(list.trim_ascii())
    }

    /// The whole message, octet for octet, as [`Section::full`] or `RFC822` brought it.
    pub fn body(&self) -> Option<&[u8]> {
        self.section(&Section::full())
    }

    /// [`body`](Self::body), sharing the memory of this response instead of borrowing it.
    pub fn body_bytes(&self) -> Option<Bytes> {
        self.section_bytes(&Section::full())
    }

    /// This piece of the message, if it was fetched. A piece asked for in part is found by the
    /// same partial section, or any that begins at the same octet.
    pub fn section(&self, section: &Section) -> Option<&[u8]> {
        self.section_place(section).and_then(|(octets, place)| octets.get(place))
    }

    /// [`section`](Self::section), sharing the memory of this response instead of borrowing it.
    pub fn section_bytes(&self, section: &Section) -> Option<Bytes> {
        self.section_place(section).map(|(octets, place)| octets.slice(place))
    }

    /// Whether it says what is in this section, or that there is none (`NIL`).
    pub(crate) fn tells_section(&self, section: &Section) -> bool {
        self.section_place(section).is_some()
            || self.entries().any(|(kind, name, value)| {
                kind == Kind::Section && section.answers_to(name.octets(&self.frame)) && {
                    let value = value.octets(&self.frame);
                    value.is_empty() || value.eq_ignore_ascii_case(b"NIL")
                }
            })
    }

    /// The content of this part with its transfer encoding undone by the server, if it was fetched
    /// with [`FetchItems::binary`](crate::imap::FetchItems::binary).
    pub fn binary(&self, part: &Section) -> Option<&[u8]> {
        self.binary_place(part).and_then(|(octets, place)| octets.get(place))
    }

    /// [`binary`](Self::binary), sharing the memory of this response instead of borrowing it.
    pub fn binary_bytes(&self, part: &Section) -> Option<Bytes> {
        self.binary_place(part).map(|(octets, place)| octets.slice(place))
    }

    /// The size in octets of the content of the part with this number without its transfer encoding
    /// (RFC 3516), as [`FetchItems::binary_size`](crate::imap::FetchItems::binary_size) asks for it.
    pub fn binary_size(&self, part: impl IntoIterator<Item = u32>) -> Option<u64> {
        let part = Section::part(part);
        self.entries().find_map(|(kind, name, value)| {
            let matches = kind == Kind::BinarySize && part.answers_to(name.octets(&self.frame));
            matches.then(|| parse_u64(value.octets(&self.frame))).flatten()
        })
    }

    /// Every item of the response in the order of the wire, those without a method here too.
    pub fn items(&self) -> impl Iterator<Item = Item<'_>> {
        self.entries().map(|(_, name, value)| Item {
            name: name.octets(&self.frame),
            value: value.octets(&self.frame),
        })
    }

    /// The item with this name in any case, such as `X-GM-MSGID` or `EMAILID`.
    pub fn item(&self, name: &str) -> Option<Item<'_>> {
        self.items().find(|item| item.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// What of the response could not be read. A list among it that has an end is found by
    /// [`items`](Self::items), too; what comes before it and behind it is good. Where something is
    /// missing, such as the UID in the answer to a UID FETCH, it has no octets.
    pub fn unparsed(&self) -> impl Iterator<Item = Unparsed<'_>> {
        let faults = self.index.odd.iter().flat_map(|odd| &odd.faults);
        faults
            .map(|(place, reason)| Unparsed { octets: place.octets(&self.frame), reason: *reason })
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

    /// Octets it holds, its index included.
    pub(crate) fn octets(&self) -> usize {
        self.frame.len() + self.index.octets()
    }

    fn source(&self) -> Source<'_> {
        Source { frame: &self.frame, spans: &self.index.spans }
    }

    /// The items: what is known of them, their names and their values.
    fn entries(&self) -> impl Iterator<Item = (Kind, Span, Span)> {
        let mut rest = 0;
        std::iter::from_fn(move || {
            let Some([name, value, all, ..]) = self.index.spans.get(rest..) else { return None };
            rest = Run::from(*all).end();
            Some((Kind::of(name.octets(&self.frame)), *name, *value))
        })
    }

    fn value(&self, wanted: Kind) -> Option<&[u8]> {
        let (_, _, value) = self.entries().find(|(kind, ..)| *kind == wanted)?;
        Some(value.octets(&self.frame))
    }

    fn section_place(&self, section: &Section) -> Option<(&Bytes, Range<usize>)> {
        self.place(|kind, name| match kind {
            Kind::Section => section.answers_to(name),
            Kind::Rfc822 => section.answers_to(b"[]"),
            Kind::Rfc822Header => section.answers_to(b"[HEADER]"),
            Kind::Rfc822Text => section.answers_to(b"[TEXT]"),
            _ => false,
        })
    }

    fn binary_place(&self, part: &Section) -> Option<(&Bytes, Range<usize>)> {
        self.place(|kind, name| kind == Kind::Binary && part.answers_to(name))
    }

    /// Where the string lies that is the value of the first such item that has one.
    fn place(&self, is_wanted: impl Fn(Kind, &[u8]) -> bool) -> Option<(&Bytes, Range<usize>)> {
        let wanted =
            self.entries().filter(|(kind, name, _)| is_wanted(*kind, name.octets(&self.frame)));
        wanted.map(|(.., value)| value).find_map(|value| self.string_place(value))
    }

    fn string_place(&self, span: Span) -> Option<(&Bytes, Range<usize>)> {
        let value = span.octets(&self.frame);
        let Some(octets) = Cursor::new(value).nstring().ok()??.borrowed() else {
            let mut unescaped = self.index.odd.iter().flat_map(|odd| &odd.unescaped);
            let (_, octets) = unescaped.find(|(place, _)| place.start() == span.start())?;
            return Some((octets, 0..octets.len()));
        };
        // Only the opening and the closing of the value stand around them: what is announced of a
        // literal is followed by nothing, a quoted string by one quotation mark.
        let end = span.end() - usize::from(value.starts_with(b"\""));
        Some((&self.frame, end.checked_sub(octets.len())?..end))
    }
}

impl fmt::Debug for Message {
    /// Which items it has, not what is in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.items().map(|item| item.name().escape_ascii().to_string());
        f.debug_struct("Message")
            .field("seq", &self.seq)
            .field("uid", &self.index.uid)
            .field("items", &names.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::types::Flag;
    use crate::imap::types::item::UnparsedReason;
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
        assert_eq!(message.unparsed().count(), 0);
    }

    #[test]
    fn a_space_too_many_is_no_fault() {
        // QQ (jakartaee/mail-api#209).
        let message = message("(UID 87567 RFC822.SIZE 5799845 )");
        assert_eq!((message.size(), message.unparsed().count()), (Some(5_799_845), 0));
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
    fn a_date_is_read_in_every_form_of_a_string() {
        for date in [r#""17-Jul-1996 02:44:25 -0700""#, "{26}\r\n17-Jul-1996 02:44:25 -0700"] {
            let message = message(&format!("(UID 1 INTERNALDATE {date} UID 2)"));
            assert_eq!(message.internal_date().unwrap().to_string(), "17-Jul-1996 02:44:25 -0700");
            assert_eq!(message.item("INTERNALDATE").unwrap().value(), date.as_bytes());
            assert_eq!(names(&message), ["UID", "INTERNALDATE", "UID"]);
        }
    }

    #[test]
    fn nonsense_values_read_as_none() {
        let message = message("(UID 0 RFC822.SIZE -1 INTERNALDATE \"00-Jan-0000\" ENVELOPE NIL)");
        assert_eq!((message.uid(), message.size()), (None, None));
        assert!(message.internal_date().is_none() && message.envelope().is_none());
        // Without a UID nobody knows which message that is.
        assert_eq!(
            message.unparsed().map(|unparsed| unparsed.octets()).collect::<Vec<_>>(),
            [b"UID 0"]
        );
    }

    #[test]
    fn what_can_be_read_before_a_fault_is_kept_with_the_rest() {
        let message = message("(UID 5 FLAGS (\\Seen) BODY[] {99}\r\nshort)");
        assert_eq!(message.uid(), Uid::new(5));
        let unparsed: Vec<_> = message.unparsed().collect();
        let reason = UnparsedReason::Malformed { expected: "a value" };
        assert_eq!(unparsed, [Unparsed { octets: b"BODY[] {99}\r\nshort)", reason }]);
        assert!(Message::parse(1, Bytes::from_static(b"garbage")).is_err());
    }

    #[test]
    fn of_items_without_end_the_first_are_kept() {
        let message = message(&format!("(UID 5 {}FLAGS ())", "A B ".repeat(20_000)));
        assert_eq!((message.uid(), message.items().count()), (Uid::new(5), 10_000));
        let unparsed = message.unparsed().next().unwrap();
        assert!(unparsed.octets().ends_with(b" FLAGS ())"));
        assert_eq!(unparsed.reason(), UnparsedReason::TooMany { limit: 10_000 });
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
            prop_assert_eq!(message.unparsed().count(), 0);
        }
    }

    fn read_everything(frame: Bytes) {
        let Ok(message) = Message::parse(1, frame) else { return };
        let _ =
            (message.internal_date(), message.size(), message.body(), message.unparsed().count());
        let _ = message.section(&Section::header());
        let _ = (message.flags().count(), format!("{message:?} {:?}", message.envelope()));
    }
}
