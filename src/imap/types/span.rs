//! Where something lies in a frame: the index of what a FETCH response says.

use std::fmt;

use crate::imap::proto::decode::{Cursor, Malformed, Parsed, parse_u64};
use crate::imap::types::Text;

/// A run of octets in a frame of less than 2 GiB, or none.
///
/// It has eight octets, so that it is passed on in a register: reading the strings of a response is
/// mostly that. So the topmost bit of its length says that a string has escapes in it. With that bit
/// it ends beyond its frame, so that one comparison finds both out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    start: u32,
    length: u32,
}

/// The items of a FETCH response that [`Message`](crate::imap::Message) has methods for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Uid,
    Flags,
    InternalDate,
    Size,
    Envelope,
    BodyStructure,
    Body,
    ModSeq,
    Section,
    Binary,
    BinarySize,
    Rfc822,
    Rfc822Header,
    Rfc822Text,
    Other,
}

impl Span {
    /// `NIL`, or nothing at all: no string begins where the frame does, which is a list.
    pub(crate) const NONE: Self = Self { start: 0, length: 0 };

    /// All of a frame that is the inside of a quoted string with escapes.
    pub(crate) const ESCAPED: Self = Self { start: 0, length: u32::MAX };

    /// In the length of a string with escapes.
    const MARK: u32 = 1 << 31;

    /// So many octets of a frame from this place on.
    #[inline]
    pub(crate) const fn new(start: usize, length: usize) -> Self {
        Self { start: narrow(start), length: narrow(length) }
    }

    /// The octets between two places of a frame.
    #[inline]
    pub(crate) const fn between(start: usize, end: usize) -> Self {
        Self::new(start, end - start)
    }

    /// The same, of a quoted string with escapes in it.
    const fn marked(self) -> Self {
        Self { length: self.length | Self::MARK, ..self }
    }

    /// The same without what says that there are escapes.
    pub(crate) const fn unmarked(self) -> Self {
        Self { length: self.length & !Self::MARK, ..self }
    }

    /// Whether it is `NIL`, or nothing at all.
    #[inline]
    pub(crate) const fn is_none(self) -> bool {
        self.start == Self::NONE.start
    }

    /// The string it is.
    #[inline]
    pub(crate) fn text(self, frame: &[u8]) -> Option<Text<'_>> {
        if self.is_none() { None } else { Some(Text::at(self, frame)) }
    }

    /// Its octets; none if it is a string with escapes.
    #[inline]
    pub(crate) fn octets(self, frame: &[u8]) -> &[u8] {
        self.plain(frame).unwrap_or_default()
    }

    /// Its octets, if it is no string with escapes.
    #[inline]
    pub(crate) fn plain(self, frame: &[u8]) -> Option<&[u8]> {
        frame.get(self.start()..self.end())
    }

    /// Where it begins.
    pub(crate) const fn start(self) -> usize {
        self.start as usize
    }

    /// Where it ends; of a string with escapes, beyond its frame.
    pub(crate) const fn end(self) -> usize {
        self.start().saturating_add(self.length as usize)
    }
}

/// Spans that follow each other in an index.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Run {
    first: u32,
    end: u32,
}

/// A frame and the index of its strings.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) frame: &'a [u8],
    pub(crate) spans: &'a [Span],
}

impl fmt::Debug for Source<'_> {
    /// How much it is. What is in it, whole bodies among it, is nothing for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({} octets, {} strings)", self.frame.len(), self.spans.len())
    }
}

impl Run {
    /// No spans.
    pub(crate) const NONE: Self = Self { first: 0, end: 0 };

    /// Where in the index it begins.
    pub(crate) const fn first(self) -> u32 {
        self.first
    }

    /// Where in the index it ends.
    pub(crate) const fn end(self) -> usize {
        self.end as usize
    }
}

impl From<Run> for Span {
    /// To be kept in an index itself.
    fn from(run: Run) -> Self {
        Self { start: run.first, length: run.end }
    }
}

impl From<Span> for Run {
    fn from(span: Span) -> Self {
        Self { first: span.start, end: span.length }
    }
}

impl<'a> Source<'a> {
    /// The spans of one run alone.
    #[inline]
    pub(crate) fn run(self, run: Run) -> Self {
        let spans = self.spans.get(run.first as usize..run.end as usize).unwrap_or_default();
        Self { spans, ..self }
    }
}

/// Reads lists of a frame, and notes where their strings lie.
#[derive(Debug)]
pub(crate) struct Reader<'f> {
    pub(crate) cursor: Cursor<'f>,
    pub(crate) spans: Vec<Span>,
}

impl<'f> Reader<'f> {
    /// A span takes more room than the least it can stand for. So many are enough for 250,000
    /// addresses.
    const MOST_SPANS: usize = 1 << 20;

    /// With room for so many spans before more must be made.
    ///
    /// # Errors
    /// The frame has 2 GiB or more: spans could not tell its places apart.
    pub(crate) fn new(frame: &'f [u8], room: usize) -> Parsed<Self> {
        if i32::try_from(frame.len()).is_err() {
            return Err(Malformed("a response of less than 2 GiB"));
        }
        Ok(Self { cursor: Cursor::new(frame), spans: Vec::with_capacity(room) })
    }

    /// The whole frame.
    pub(crate) const fn frame(&self) -> &'f [u8] {
        self.cursor.frame()
    }

    /// How many octets of the frame have been read.
    #[inline]
    pub(crate) const fn at(&self) -> usize {
        self.cursor.at()
    }

    /// Steps over spaces, and shows what comes behind them.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<u8> {
        self.cursor.spaces();
        self.cursor.peek()
    }

    /// Steps over the parenthesis that ends a list, and over a space behind it, if it comes next.
    #[inline]
    pub(crate) fn closes(&mut self) -> bool {
        let closes = self.next() == Some(b')') && self.cursor.eat(b')');
        if closes {
            self.cursor.eat(b' ');
        }
        closes
    }

    /// A string of a list: nothing for `NIL` and where the list is over. A list in its place is
    /// passed over.
    #[inline(always)]
    pub(crate) fn string(&mut self) -> Parsed<Span> {
        self.string_or_list(|_| true)
    }

    /// The same where no list may be in its place but one in which there is nothing.
    #[inline(always)]
    pub(crate) fn strict_string(&mut self) -> Parsed<Span> {
        self.string_or_list(holds_nothing)
    }

    /// See [`string`](Self::string); `passes` says of a list in its place whether it is passed over.
    ///
    /// What nearly every string is costs little, and the space behind it is passed over as well,
    /// so that the next one comes at once.
    // What is odd gets a copy of the cursor, so that the cursor itself can stay in registers.
    #[inline(always)]
    fn string_or_list(&mut self, passes: fn(&[u8]) -> bool) -> Parsed<Span> {
        let (span, behind) = match self.cursor.plain_string() {
            Some(found) => (Span::new(found.start, found.length), found.behind),
            None => odd_string(self.cursor, passes)?,
        };
        self.cursor.go_to(behind);
        Ok(span)
    }

    /// A number; none where something else is in its place, such as `-1` (Dovecot in front of
    /// Exchange), `3.45027e+06` (Mail.ru) or `NIL`.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Parsed<Option<u64>> {
        let number = match self.cursor.plain_number() {
            None => {
                let (number, behind) = odd_number(self.cursor)?;
                self.cursor.go_to(behind);
                number
            }
            number => number,
        };
        self.cursor.eat(b' ');
        Ok(number)
    }

    /// Adds spans to the index.
    #[inline]
    pub(crate) fn note_all<const N: usize>(&mut self, spans: [Span; N]) -> Parsed<()> {
        self.check_room()?;
        self.spans.extend_from_slice(&spans);
        Ok(())
    }

    #[inline]
    fn check_room(&self) -> Parsed<()> {
        if self.spans.len() < Self::MOST_SPANS { Ok(()) } else { Err(Malformed("fewer strings")) }
    }

    /// The spans noted since the index had `first` of them.
    pub(crate) fn run_from(&self, first: usize) -> Run {
        Run { first: narrow(first), end: narrow(self.spans.len()) }
    }
}

/// Whether there is nothing in a list but `NIL`: `()` (hydroxide, rust-imap#166).
fn holds_nothing(list: &[u8]) -> bool {
    let inside = list.get(1..list.len() - 1).unwrap_or_default();
    inside.split(|octet| *octet == b' ').all(|word| matches!(word, b"" | b"NIL" | b"nil"))
}

/// See [`Reader::string_or_list`]; the string, and the place behind it.
#[cold]
fn odd_string(mut cursor: Cursor<'_>, passes: fn(&[u8]) -> bool) -> Parsed<(Span, usize)> {
    cursor.spaces();
    let span = match cursor.peek() {
        Some(b'"') => {
            let start = cursor.at() + 1;
            let (length, escaped) = cursor.skip_quoted()?;
            let span = Span::new(start, length);
            if escaped { span.marked() } else { span }
        }
        Some(b')') => Span::NONE,
        Some(b'(') if passes(cursor.value()?) => Span::NONE,
        Some(b'(') => return Err(Malformed("a string or NIL")),
        _ => cursor.nstring()?.map_or(Span::NONE, |text| {
            let end = cursor.at();
            Span::between(end.saturating_sub(text.raw().len()), end)
        }),
    };
    cursor.eat(b' ');
    Ok((span, cursor.at()))
}

/// See [`Reader::number`]; the number, and the place behind it.
#[cold]
fn odd_number(mut cursor: Cursor<'_>) -> Parsed<(Option<u64>, usize)> {
    cursor.spaces();
    let number = match cursor.peek() {
        Some(b')') => None,
        Some(b'(' | b'"') => cursor.value().map(|_| None)?,
        _ => parse_u64(cursor.atom()?),
    };
    Ok((number, cursor.at()))
}

/// A place in a frame, or in an index. Both have less than 2^31 of them: see [`Reader`].
#[inline]
const fn narrow(place: usize) -> u32 {
    debug_assert!(place <= i32::MAX as usize);
    place as u32
}

impl Kind {
    /// Whether it is a piece of the message.
    pub(crate) const fn is_section(self) -> bool {
        matches!(
            self,
            Self::Section | Self::Binary | Self::Rfc822 | Self::Rfc822Header | Self::Rfc822Text
        )
    }

    /// Whether it is told only to whoever asks for it: not of flags that have changed.
    pub(crate) const fn is_asked_for(self) -> bool {
        !matches!(self, Self::Uid | Self::Flags | Self::ModSeq | Self::Other)
    }

    pub(crate) fn of(name: &[u8]) -> Self {
        if let Some(kind) = Self::exactly(name) {
            return kind;
        }
        if name.iter().any(u8::is_ascii_lowercase) {
            return Self::exactly(&name.to_ascii_uppercase()).unwrap_or(Self::Other);
        }
        Self::Other
    }

    /// The item whose name this is, as the RFC spells it and without brackets.
    // A name is compared as a whole, and as a pattern it would be octet by octet.
    #[inline]
    pub(crate) fn plain(name: &[u8]) -> Option<Self> {
        Some(match name.len() {
            3 if name == b"UID" => Self::Uid,
            4 if name == b"BODY" => Self::Body,
            5 if name == b"FLAGS" => Self::Flags,
            6 if name == b"MODSEQ" => Self::ModSeq,
            6 if name == b"RFC822" => Self::Rfc822,
            8 if name == b"ENVELOPE" => Self::Envelope,
            11 if name == b"RFC822.SIZE" => Self::Size,
            11 if name == b"RFC822.TEXT" => Self::Rfc822Text,
            12 if name == b"INTERNALDATE" => Self::InternalDate,
            13 if name == b"BODYSTRUCTURE" => Self::BodyStructure,
            13 if name == b"RFC822.HEADER" => Self::Rfc822Header,
            _ => return None,
        })
    }

    fn exactly(name: &[u8]) -> Option<Self> {
        if let Some(kind) = Self::plain(name) {
            return Some(kind);
        }
        Some(match name {
            [b'B', b'O', b'D', b'Y', b'[', ..] => Self::Section,
            [b'B', b'I', b'N', b'A', b'R', b'Y', b'[', ..] => Self::Binary,
            [b'B', ..] if name.starts_with(b"BINARY.SIZE[") => Self::BinarySize,
            // Some servers repeat the request.
            [b'B', ..] if name.starts_with(b"BODY.PEEK[") => Self::Section,
            [b'B', ..] if name.starts_with(b"BINARY.PEEK[") => Self::Binary,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(frame: &[u8]) -> (Option<Vec<u8>>, usize) {
        let mut reader = Reader::new(frame, 0).unwrap();
        let span = reader.string().unwrap();
        (span.text(frame).map(|text| text.to_bytes().into_owned()), reader.cursor.rest().len())
    }

    #[test]
    fn what_a_message_says_is_not_in_its_debug_output() {
        let source = Source { frame: b"* 1 FETCH (BODY[] {6}\r\nsecret)", spans: &[] };
        assert_eq!(format!("{source:?}"), "Source(30 octets, 0 strings)");
    }

    #[test]
    fn strings_of_every_form_are_found() {
        assert_eq!(read(b"  \"ab\" x"), (Some(b"ab".to_vec()), 1));
        assert_eq!(read(b"\"a\\\"b\" x"), (Some(b"a\"b".to_vec()), 1));
        assert_eq!(read(b"{2}\r\nab x"), (Some(b"ab".to_vec()), 1));
        assert_eq!(read(b" ab x"), (Some(b"ab".to_vec()), 1));
        assert_eq!(read(b"\"\" x"), (Some(Vec::new()), 1));
    }

    #[test]
    fn nil_a_list_and_the_end_of_a_list_are_none() {
        assert_eq!(read(b"NIL x"), (None, 1));
        assert_eq!(read(b"(\"a\" b) x"), (None, 1));
        assert_eq!(read(b") x"), (None, 3));
    }

    #[test]
    fn a_list_is_no_string_unless_there_is_nothing_in_it() {
        let strict = |frame: &'static [u8]| Reader::new(frame, 0).unwrap().strict_string();
        for nothing in [&b"() x"[..], b"( ) x", b"(NIL) x", b"(NIL nil) x", b"NIL x", b") x"] {
            assert_eq!(strict(nothing), Ok(Span::NONE));
        }
        for list in [&b"(a) x"[..], b"(()) x", b"(\"\") x", b"(NIL (NIL)) x"] {
            assert_eq!(strict(list), Err(Malformed("a string or NIL")));
        }
    }

    proptest! {
        #[test]
        fn a_plain_string_is_read_as_an_odd_one_would_be(
            text in "[a-z]{0,34}[a-z\"\\\\]{0,2}", behind in "[ )(a\"]{0,2}", nils in 0_usize..6
        ) {
            for value in [format!("\"{text}\""), "NIL".into(), text] {
                let frame = format!("{value}{behind}{}", " NIL".repeat(nils));
                let cursor = Cursor::new(frame.as_bytes());
                if let Some(found) = cursor.plain_string() {
                    let found = (Span::new(found.start, found.length), found.behind);
                    prop_assert_eq!(odd_string(cursor, |_| true), Ok(found), "{}", frame);
                }
            }
        }

        #[test]
        fn a_plain_number_is_read_as_an_odd_one_would_be(number in "[0-9]{0,21}[ )a-]{0,2}") {
            let mut cursor = Cursor::new(number.as_bytes());
            let odd = odd_number(cursor);
            if let Some(number) = cursor.plain_number() {
                prop_assert_eq!(odd, Ok((Some(number), cursor.at())));
            }
        }
    }

    #[test]
    fn names_are_known_in_any_case() {
        assert_eq!(Kind::of(b"Flags"), Kind::Flags);
        assert_eq!(Kind::of(b"body[TEXT]"), Kind::Section);
        assert_eq!(Kind::of(b"binary.size[1]"), Kind::BinarySize);
        assert_eq!(Kind::of(b"BODYSTRUCTUREX"), Kind::Other);
    }
}
