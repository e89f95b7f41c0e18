//! Reads the pieces of the response grammar (RFC 9051 section 9, RFC 3501 section 9) off a frame.
//!
//! A [`Cursor`] knows strings, numbers and lists, and nothing of any response. It is as generous
//! as it can be without guessing: more than one space counts as one, an unquoted word counts as a
//! string, and a string ends where something can follow a string.

use std::fmt;

use super::scan::{Row, either, either_in};
use crate::imap::types::Text;

/// Why a piece of a response could not be read: what the grammar wants at that place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

/// What reading a piece of a response gives.
pub(crate) type Parsed<T> = Result<T, Malformed>;

// What nearly all strings end in, and `NIL` with what is behind it: as numbers they are compared at
// once.
const QUOTE_SPACE: u16 = u16::from_le_bytes(*b"\" ");
const QUOTE_CLOSE: u16 = u16::from_le_bytes(*b"\")");
const NIL_SPACE: u32 = u32::from_le_bytes(*b"NIL ");
const NIL_CLOSE: u32 = u32::from_le_bytes(*b"NIL)");

/// A row, and a quotation mark at its end with what is behind it.
const LOOKED_AT: usize = size_of::<Row>() + 2;

/// Where the text of a string lies, and the place behind the string and a space.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) start: usize,
    pub(crate) length: usize,
    pub(crate) behind: usize,
}

/// A place in a frame. Literals lie inline, as on the wire: `{5}` CRLF and five octets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    frame: &'a [u8],
    /// So many octets have been read: never more than there are.
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { frame: bytes, at: 0 }
    }

    /// All it was made of.
    #[inline]
    pub(crate) const fn frame(&self) -> &'a [u8] {
        self.frame
    }

    /// How many octets have been read.
    #[inline]
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// What has not been read.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.frame.get(self.at..).unwrap_or_default()
    }

    /// Whether nothing is left but the end of the line.
    pub(crate) fn at_end(&self) -> bool {
        self.rest().iter().all(|octet| matches!(octet, b' ' | b'\r' | b'\n'))
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.frame.get(self.at).copied()
    }

    /// Steps over `octet` if it comes next.
    #[inline]
    pub(crate) fn eat(&mut self, octet: u8) -> bool {
        if self.peek() != Some(octet) {
            return false;
        }
        self.at += 1;
        true
    }

    /// Steps over these octets if they come next.
    #[inline]
    pub(crate) fn eat_all(&mut self, octets: &[u8]) -> bool {
        let comes = self.rest().starts_with(octets);
        if comes {
            self.at += octets.len();
        }
        comes
    }

    #[inline]
    pub(crate) fn expect(&mut self, octet: u8, what: &'static str) -> Parsed<()> {
        if self.eat(octet) { Ok(()) } else { Err(Malformed(what)) }
    }

    /// Steps over any number of spaces. DavMail and Archiveopteryx send two where the grammar has
    /// one, and many servers send one before a closing parenthesis.
    #[inline]
    pub(crate) fn spaces(&mut self) {
        let mut at = self.at;
        while self.frame.get(at) == Some(&b' ') {
            at += 1;
        }
        self.at = at;
    }

    /// The next `n` octets.
    #[inline]
    pub(crate) fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let taken = self.rest().get(..n)?;
        self.at += n;
        Some(taken)
    }

    /// An atom, and whatever else servers send where an atom belongs: only a space, a parenthesis,
    /// a quotation mark or a control character ends it.
    pub(crate) fn atom(&mut self) -> Parsed<&'a [u8]> {
        let rest = self.rest();
        let end = rest.iter().position(|octet| !is_word_octet(*octet)).unwrap_or(rest.len());
        self.at += end;
        match rest.get(..end) {
            Some(atom @ [_, ..]) => Ok(atom),
            _ => Err(Malformed("an atom")),
        }
    }

    /// Steps over `word`, in any case, if it comes next as a whole atom.
    pub(crate) fn eat_word(&mut self, word: &[u8]) -> bool {
        let matches = self.rest().split_at_checked(word.len()).is_some_and(|(found, behind)| {
            found.eq_ignore_ascii_case(word)
                && !behind.first().is_some_and(|next| is_word_octet(*next))
        });
        if matches {
            self.at += word.len();
        }
        matches
    }

    /// Steps over `NIL`.
    #[inline]
    pub(crate) fn eat_nil(&mut self) -> bool {
        matches!(self.peek(), Some(b'N' | b'n')) && self.eat_word(b"NIL")
    }

    /// A string or a bare word; `NIL` is a word like any other.
    pub(crate) fn astring(&mut self) -> Parsed<Text<'a>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Text::plain),
            Some(b'~') if self.frame.get(self.at + 1) == Some(&b'{') => {
                self.literal().map(Text::plain)
            }
            _ => self.atom().map(Text::plain),
        }
    }

    /// A string, or nothing where the server says `NIL`.
    pub(crate) fn nstring(&mut self) -> Parsed<Option<Text<'a>>> {
        if self.eat_nil() {
            return Ok(None);
        }
        self.astring().map(Some).map_err(|_| Malformed("a string or NIL"))
    }

    /// A quoted string. Octets above 127 are taken as they are.
    pub(crate) fn quoted(&mut self) -> Parsed<Text<'a>> {
        let text = self.rest().get(1..).unwrap_or_default();
        let (length, escaped) = self.skip_quoted()?;
        Ok(Text::quoted(text.get(..length).unwrap_or_default(), escaped))
    }

    /// A string that nothing is odd about, or `NIL`, which lies nowhere. Nothing if the next is
    /// anything else: a string with escapes in it, or with something else than a space or a
    /// parenthesis behind it, or at the end of the frame.
    #[inline(always)]
    pub(crate) fn plain_string(&self) -> Option<Found> {
        let ahead: &[u8; 1 + LOOKED_AT] = self.frame.get(self.at..)?.first_chunk()?;
        let [b'"', text @ ..] = ahead else {
            return Some(Found { start: 0, length: 0, behind: self.at + plain_nil(ahead)? });
        };
        let start = self.at + 1;
        match plain_end(text) {
            Some((length, whole)) => Some(Found { start, length, behind: start + whole? }),
            None => plain_long_string(self.frame, start),
        }
    }

    /// Steps over `NIL`, and over a space behind it, in the spelling that nearly all servers use.
    #[inline]
    pub(crate) fn eat_plain_nil(&mut self) -> bool {
        let octets = plain_nil(self.rest());
        self.at += octets.unwrap_or(0);
        octets.is_some()
    }

    /// Goes on at this place, where [`at`](Self::at) has been or will be.
    #[inline(always)]
    pub(crate) fn go_to(&mut self, at: usize) {
        debug_assert!(at <= self.frame.len());
        self.at = at;
    }

    /// Steps over a quoted string: how many octets are within the quotes, and whether there are
    /// escapes among them.
    #[inline]
    pub(crate) fn skip_quoted(&mut self) -> Parsed<(usize, bool)> {
        let Some((b'"', text)) = self.rest().split_first() else {
            return Err(Malformed("a quoted string"));
        };
        let (length, escaped) = quoted_end(text).ok_or(Malformed("the end of a quoted string"))?;
        self.at += length + 2;
        Ok((length, escaped))
    }

    /// A literal, `{5}` or `{5+}` or `~{5}` (RFC 7888, RFC 3516), without its announcement.
    pub(crate) fn literal(&mut self) -> Parsed<&'a [u8]> {
        const WANTED: Malformed = Malformed("a literal");
        let mut at = *self;
        at.eat(b'~');
        at.expect(b'{', WANTED.0)?;
        let length = at.digits().and_then(|n| usize::try_from(n).ok()).ok_or(WANTED)?;
        at.eat(b'+');
        at.expect(b'}', WANTED.0)?;
        at.eat(b'\r');
        at.expect(b'\n', WANTED.0)?;
        let literal = at.take(length).ok_or(Malformed("a literal as long as announced"))?;
        *self = at;
        Ok(literal)
    }

    /// A number of up to 64 bits; `None` where the server wrote something that is meant for a
    /// number and is none: `-1` (Dovecot in front of Exchange), `3.45027e+06`, `NIL`, or more than
    /// 64 bits.
    pub(crate) fn number(&mut self) -> Parsed<Option<u64>> {
        let mut at = *self;
        let word = at.atom().map_err(|_| Malformed("a number"))?;
        let numeric = |octet: &u8| octet.is_ascii_digit() || b"+-.eE".contains(octet);
        if !word.iter().all(numeric) && !word.eq_ignore_ascii_case(b"NIL") {
            return Err(Malformed("a number"));
        }
        *self = at;
        Ok(parse_u64(word))
    }

    /// Steps over a number that nothing is odd about: a space or a parenthesis follows, and it fits
    /// 64 bits however large its digits are.
    #[inline(always)]
    pub(crate) fn plain_number(&mut self) -> Option<u64> {
        let (mut at, mut number) = (self.at, 0_u64);
        let behind = loop {
            let octet = *self.frame.get(at)?;
            let digit = octet.wrapping_sub(b'0');
            if digit > 9 {
                break octet;
            }
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            at += 1;
        };
        if !(1..=19).contains(&(at - self.at)) || !matches!(behind, b' ' | b')') {
            return None;
        }
        self.at = at;
        Some(number)
    }

    /// The digits that come next, as a number; `None` without a digit or beyond 64 bits.
    pub(crate) fn digits(&mut self) -> Option<u64> {
        let (mut at, mut number) = (self.at, 0_u64);
        while let Some(octet @ b'0'..=b'9') = self.frame.get(at) {
            number = number.checked_mul(10)?.checked_add(u64::from(octet - b'0'))?;
            at += 1;
        }
        let found = at > self.at;
        self.at = at;
        found.then_some(number)
    }

    /// Steps over what is left of a list, and its end.
    pub(crate) fn end_list(&mut self, what: &'static str) -> Parsed<()> {
        loop {
            self.spaces();
            if self.eat(b')') {
                return Ok(());
            }
            self.value().map_err(|_| Malformed(what))?;
        }
    }

    /// Any value as its octets on the wire: a word, a string with its quotes or announcement, or a
    /// list with everything in it.
    pub(crate) fn value(&mut self) -> Parsed<&'a [u8]> {
        let start = self.at;
        match self.peek() {
            Some(b'(') => self.at += list_end(self.rest())?,
            Some(b'"') => drop(self.skip_quoted().map_err(|_| Malformed("a value"))?),
            _ => {
                self.astring().map_err(|_| Malformed("a value"))?;
            }
        }
        Ok(self.frame.get(start..self.at).unwrap_or_default())
    }
}

/// Whether a quoted string ends within a row: how long its text is, and that with what is behind
/// it, if nothing is odd.
#[inline(always)]
fn plain_end(ahead: &[u8; LOOKED_AT]) -> Option<(usize, Option<usize>)> {
    let length = either(ahead.first_chunk()?, b'"', b'\\')?;
    let last = u16::from_le_bytes(*ahead.get(length..)?.first_chunk()?);
    let whole = match last {
        QUOTE_SPACE => Some(length + 2),
        QUOTE_CLOSE => Some(length + 1),
        _ => None,
    };
    Some((length, whole))
}

/// See [`Cursor::plain_string`], for a text that begins here and does not end within a row.
fn plain_long_string(frame: &[u8], start: usize) -> Option<Found> {
    let mut row = start + size_of::<Row>();
    loop {
        match plain_end(frame.get(row..)?.first_chunk()?) {
            Some((length, whole)) => {
                return Some(Found { start, length: row + length - start, behind: row + whole? });
            }
            None => row += size_of::<Row>(),
        }
    }
}

/// The octets of a `NIL` in the usual spelling, with the space behind it.
#[inline(always)]
fn plain_nil(ahead: &[u8]) -> Option<usize> {
    match u32::from_le_bytes(*ahead.first_chunk()?) {
        NIL_SPACE => Some(4),
        NIL_CLOSE => Some(3),
        _ => None,
    }
}

/// Where the quoted string ends whose text begins here, and whether anything is escaped in it. A
/// quotation mark that nothing can follow belongs to the text: qiye.163.com does not escape them
/// (go-imap#659).
fn quoted_end(text: &[u8]) -> Option<(usize, bool)> {
    let mut escaped = false;
    let mut at = 0;
    loop {
        let hit = at + either_in(text.get(at..)?, b'"', b'\\')?;
        let next = text.get(hit + 1).copied();
        if text.get(hit) == Some(&b'\\') {
            let escape = matches!(next, Some(b'"' | b'\\'));
            escaped |= escape;
            at = hit + 1 + usize::from(escape);
        } else if next.is_none_or(ends_string) {
            return Some((hit, escaped));
        } else {
            at = hit + 1;
        }
    }
}

/// A bit in the top of each octet of `word` that equals `octet`, and no other.
const fn equal(word: u64, octet: u8) -> u64 {
    const LOWS: u64 = u64::from_ne_bytes([0x7f; 8]);
    let word = word ^ u64::from_ne_bytes([octet; 8]);
    !((word & LOWS).wrapping_add(LOWS) | word | LOWS)
}

/// Where the list ends that begins here. It does not recurse, so no depth of nesting is too much.
fn list_end(list: &[u8]) -> Parsed<usize> {
    if let Some(end) = flat_list_end(list) {
        return Ok(end);
    }
    // Where nothing is escaped and no literal follows, quotes and parentheses are all there is. No
    // more is looked at than a few times the list, for many lists may follow each other.
    let mut most = 256;
    loop {
        let near = list.get(..most).unwrap_or(list);
        let odd = memchr::memchr2(b'\\', b'{', near);
        match plain_list_end(near.get(..odd.unwrap_or(near.len())).unwrap_or_default()) {
            Some(end) => return Ok(end),
            None if odd.is_none() && near.len() < list.len() => most *= 4,
            None => return odd_list_end(list),
        }
    }
}

/// The same for a list of words alone, such as flags.
fn flat_list_end(list: &[u8]) -> Option<usize> {
    let words = list.get(1..)?;
    for (at, row) in words.as_chunks::<{ size_of::<Row>() }>().0.iter().enumerate() {
        let close = either(row, b'(', b')');
        let other = either(row, b'"', b'{');
        match (close, other) {
            (None, None) => {}
            (Some(close), other)
                if row.get(close) == Some(&b')') && other.is_none_or(|other| close < other) =>
            {
                return Some(1 + at * row.len() + close + 1);
            }
            _ => return None,
        }
    }
    None
}

fn plain_list_end(list: &[u8]) -> Option<usize> {
    const LOWEST: u64 = u64::from_ne_bytes([0x01; 8]);
    let (mut depth, mut in_quotes) = (0_usize, false);
    let (words, rest) = list.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quotes = equal(word, b'"');
        // An opening and a closing parenthesis differ in their lowest bit.
        let mut marks = quotes | equal(word | LOWEST, b')');
        while marks != 0 {
            let mark = marks & marks.wrapping_neg();
            marks ^= mark;
            if quotes & mark != 0 {
                in_quotes = !in_quotes;
            } else if !in_quotes {
                if word & (mark >> 7) == 0 {
                    depth += 1;
                    continue;
                }
                depth -= 1;
                if depth == 0 {
                    return Some(at * 8 + mark.trailing_zeros() as usize / 8 + 1);
                }
            }
        }
    }
    for (at, octet) in rest.iter().enumerate() {
        match octet {
            b'"' => in_quotes = !in_quotes,
            b'(' if !in_quotes => depth += 1,
            b')' if !in_quotes => {
                depth -= 1;
                if depth == 0 {
                    return Some(words.len() * 8 + at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The same for a list with escapes or literals in it, or one that does not end.
fn odd_list_end(list: &[u8]) -> Parsed<usize> {
    const UNENDED: Malformed = Malformed("the end of a list");
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match list.get(at).ok_or(UNENDED)? {
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
            b'"' => {
                let text = list.get(at + 1..).ok_or(UNENDED)?;
                at += 1 + quoted_end(text).ok_or(UNENDED)?.0;
            }
            b'{' => {
                let mut literal = Cursor::new(list.get(at..).ok_or(UNENDED)?);
                literal.literal()?;
                // The loop steps over the last octet.
                at += literal.at() - 1;
            }
            b'\r' | b'\n' | 0 => return Err(UNENDED),
            _ => {}
        }
        at += 1;
    }
}

/// `digits` as a number; `None` if it is none or has more than 64 bits.
pub(crate) fn parse_u64(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    if digits.len() < 20 {
        // Beyond 64 bits is only what has more digits.
        let mut number = 0_u64;
        for octet in digits {
            let digit = octet.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        }
        return Some(number);
    }
    digits.iter().try_fold(0_u64, |number, octet| {
        let digit = octet.is_ascii_digit().then(|| u64::from(octet - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// [`parse_u64`] for what must fit 32 bits.
pub(crate) fn parse_u32(digits: &[u8]) -> Option<u32> {
    parse_u64(digits).and_then(|number| u32::try_from(number).ok())
}

/// Whether an unquoted word goes on with this octet.
const fn is_word_octet(octet: u8) -> bool {
    const WORD: [bool; 256] = {
        let mut table = [true; 256];
        let mut octet = 0;
        while octet < 256 {
            table[octet] = !matches!(octet as u8, 0..=b' ' | b'(' | b')' | b'"' | 0x7f);
            octet += 1;
        }
        table
    };
    WORD[octet as usize]
}

/// Whether a quoted string can be over before this octet.
const fn ends_string(octet: u8) -> bool {
    matches!(octet, b' ' | b'(' | b')' | b']' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(input: &[u8]) -> Vec<u8> {
        Cursor::new(input).astring().unwrap().to_bytes().into_owned()
    }

    #[test]
    fn strings_come_quoted_as_literals_and_as_bare_words() {
        assert_eq!(text(b"\"a \\\"b\\\" c\\\\\" rest"), b"a \"b\" c\\");
        assert_eq!(text(b"{3}\r\na)( rest"), b"a)(");
        assert_eq!(text(b"{3+}\r\nabc"), b"abc");
        assert_eq!(text(b"~{3}\r\na\0c"), b"a\0c");
        assert_eq!(text(b"{3}\nabc"), b"abc");
        assert_eq!(text(b"INBOX.ARCH rest"), b"INBOX.ARCH");
        assert_eq!(text(b"\"\""), b"");
    }

    #[test]
    fn a_backslash_before_an_ordinary_letter_is_kept() {
        assert_eq!(text(b"\"C:\\temp\" x"), b"C:\\temp");
    }

    #[test]
    fn eight_bit_octets_in_a_quoted_string_are_kept() {
        assert_eq!(text(b"\"G\xf6r\xfcnt\xfc1\")"), b"G\xf6r\xfcnt\xfc1");
    }

    #[test]
    fn unescaped_quotes_belong_to_the_text() {
        assert_eq!(text(b"\"\"\"\" \"BASE64\""), b"\"\"");
        assert_eq!(text(b"\"a \"b\"c\") NIL"), b"a \"b\"c");
    }

    #[test]
    fn nil_is_no_string_but_a_word_that_begins_like_it_is() {
        assert_eq!(Cursor::new(b"NIL)").nstring(), Ok(None));
        assert_eq!(Cursor::new(b"nil ").nstring(), Ok(None));
        let word = Cursor::new(b"NILS ").nstring().unwrap().unwrap();
        assert_eq!(word, "NILS");
    }

    #[test]
    fn a_number_that_is_none_is_reported_as_nonsense() {
        for nonsense in ["-1", "3.45027e+06", "NIL", "18446744073709551616"] {
            let mut cursor = Cursor::new(nonsense.as_bytes());
            assert_eq!(cursor.number(), Ok(None), "{nonsense}");
            assert!(cursor.at_end());
        }
        assert_eq!(Cursor::new(b"4294967296)").number(), Ok(Some(4_294_967_296)));
        assert_eq!(Cursor::new(b"abc").number(), Err(Malformed("a number")));
    }

    #[test]
    fn a_literal_longer_than_the_frame_is_malformed_and_nothing_is_consumed() {
        for bad in [&b"{9}\r\nabc"[..], b"{x}\r\n", b"{3} abc", b"{99999999999999999999}\r\n"] {
            let mut cursor = Cursor::new(bad);
            assert!(cursor.literal().is_err());
            assert_eq!(cursor.rest(), bad);
        }
    }

    #[test]
    fn a_value_is_taken_with_everything_in_it() {
        let frame = b"((\"a)\" {3}\r\n)((  NIL) x) UID 4";
        let mut cursor = Cursor::new(frame);
        assert_eq!(cursor.value(), Ok(&b"((\"a)\" {3}\r\n)((  NIL) x)"[..]));
        assert_eq!(cursor.rest(), b" UID 4");
    }

    #[test]
    fn a_hundred_thousand_levels_of_nesting_are_read_without_a_stack() {
        let mut deep = vec![b'('; 100_000];
        deep.extend(vec![b')'; 100_000]);
        assert_eq!(Cursor::new(&deep).value(), Ok(&deep[..]));
        deep.pop();
        assert_eq!(Cursor::new(&deep).value(), Err(Malformed("the end of a list")));
    }

    #[test]
    fn the_end_of_a_list_of_any_length_is_found() {
        for words in [0, 1, 60, 80, 300, 100_000] {
            for odd in ["", "\"\\)\"", "{1}\r\n)"] {
                let list = format!("({odd}{}(NIL){odd})", "(a)".repeat(words));
                for behind in ["", " {1", "\\) x"] {
                    let frame = format!("{list}{behind}");
                    assert_eq!(Cursor::new(frame.as_bytes()).value(), Ok(list.as_bytes()));
                }
            }
        }
    }

    #[test]
    fn a_literal_is_found_wherever_the_framer_finds_one() {
        let frame = b"(a{2}\r\n)) ~{1}\n( x) rest";
        assert_eq!(Cursor::new(frame).value(), Ok(&frame[..frame.len() - 5]));
    }

    proptest! {
        #[test]
        fn a_list_ends_where_it_does_without_short_cuts(list in "\\([a-z \\\\()\"{}0-9]{0,60}") {
            let slowly = odd_list_end(list.as_bytes());
            if let Some(end) = flat_list_end(list.as_bytes()) {
                prop_assert_eq!(slowly, Ok(end));
            }
        }

        #[test]
        fn no_octets_make_a_cursor_panic(bytes: Vec<u8>) {
            let _ = Cursor::new(&bytes).value();
            let _ = Cursor::new(&bytes).nstring().map(|text| text.map(|t| t.to_bytes()));
            let _ = Cursor::new(&bytes).number();
            let _ = Cursor::new(&bytes).literal();
            let _ = Cursor::new(&bytes).quoted();
        }

        #[test]
        fn what_is_read_and_what_is_left_make_the_whole(bytes in "[ ()\"\\\\{}0-9a-z\r\n]{0,40}") {
            let mut cursor = Cursor::new(bytes.as_bytes());
            if let Ok(value) = cursor.value() {
                prop_assert_eq!([value, cursor.rest()].concat(), bytes.as_bytes());
            }
        }
    }
}
