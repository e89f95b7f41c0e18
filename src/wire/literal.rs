//! IMAP responses: lines whose end may announce a literal, `{n}`, that belongs to them.
//!
//! A response is cut before it is understood (RFC 9051 section 4.3): what a malformed response
//! says inside cannot make the session lose its place. The frame is one run of octets as it came,
//! literals inline, so that a parser needs no second buffer.

use bytes::Bytes;
use memchr::memrchr;

use super::bare_name::takes_literal;
use super::{Heard, Input};
use crate::fault::Fault;

/// Limits of one response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameLimits {
    /// Octets of a status line without a response code, and of a continuation line.
    pub(crate) status: usize,
    /// Octets outside literals of any other response: COPYUID may name as many messages as SEARCH.
    pub(crate) text: usize,
    /// Octets of all literals of one response together.
    pub(crate) literal: u64,
}

/// What was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A whole response, or the rest of one whose beginning was cut off before.
    Frame(Bytes),
    /// A response, or the rest of one, as far as the announcement of a literal of so many octets,
    /// which is handed on in chunks.
    Head(Bytes, u64),
    /// A piece of that literal.
    Chunk(Bytes),
}

/// Cuts responses. Holds where it stopped, so that more octets cost only themselves.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    /// Where the current line of the response begins, counted from the start of the response, or
    /// of what is left of it.
    line: usize,
    /// Octets of the literals so far.
    literals: u64,
    /// Octets to come of a literal that is handed on in chunks.
    chunks: u64,
    /// Octets of text that were cut off already, if the response is being handed on in pieces.
    handed_on: Option<u64>,
    /// How many literals of it were not divided off although they might have been.
    kept: u32,
    /// It was seen to be one that may be long.
    is_long: bool,
}

impl Framer {
    /// As much of a literal is handed on at a time.
    const CHUNK: u64 = 64 * 1024;
    /// Room behind a literal: for the end of its response, without which all of it would have to
    /// move to a larger buffer, and mostly for the beginning of the next up to its literal.
    const BEHIND: usize = 1024;
    /// To ask whether a literal is to be divided off may cost as much as the text before it is
    /// long. No server sends as many of them in places where it is not.
    const MOST_KEPT: u32 = 64;
    /// By so many octets it can be told what a response is: a tag of ours and the status.
    const BEGINNING: usize = 32;

    /// The next response with its line ends and literals, or nothing until all of it has come. A
    /// literal comes in chunks, and without a limit, if `divides` is true of the text before it, and
    /// of whether that is the rest of a response.
    ///
    /// # Errors
    /// The response exceeds one of `limits`.
    pub(crate) fn cut(
        &mut self,
        input: &mut Input,
        limits: FrameLimits,
        divides: impl Fn(&[u8], bool) -> bool,
    ) -> Result<Option<Cut>, Fault> {
        if self.chunks > 0 {
            return Ok(self.chunk(input));
        }
        loop {
            if input.unread().len() < self.line {
                input.expect(self.line - input.unread().len() + Self::BEHIND);
                return Ok(None);
            }
            let Some(end) = input.line_feed(self.line) else {
                self.check_text(input.unread(), input.unread().len(), limits)?;
                return Ok(None);
            };
            self.check_text(input.unread(), end, limits)?;
            let Some(octets) = self.announced(input.unread(), end) else {
                if self.ends_at_literal(input.unread(), end) {
                    match input.unread().get(end + 1) {
                        Some(b' ' | b')') => {
                            self.line = end + 1;
                            continue;
                        }
                        Some(_) => {}
                        None => return Ok(None),
                    }
                }
                let frame = input.cut(end + 1);
                let is_rest = std::mem::take(self).is_within();
                input.hear(|| {
                    let literals = is_rest || may_hold_literals(&frame);
                    Heard::response(&frame, !is_rest, literals, announced_literal)
                });
                return Ok(Some(Cut::Frame(frame)));
            };
            if self.kept < Self::MOST_KEPT {
                if divides(&input.unread()[..=end], self.handed_on.is_some()) {
                    return Ok(Some(self.head(input, end, octets)));
                }
                self.kept += 1;
            }
            self.literals = self.literals.saturating_add(octets);
            if self.literals > limits.literal {
                return Err(Fault::ResponseTooLong { limit: limits.literal, unit: "octets" });
            }
            self.line = usize::try_from(octets)
                .ok()
                .and_then(|octets| octets.checked_add(end + 1))
                .ok_or(Fault::ResponseTooLong { limit: limits.literal, unit: "octets" })?;
        }
    }

    /// The literal that the line before `end` announces.
    fn announced(&self, unread: &[u8], end: usize) -> Option<u64> {
        let octets = announced_literal(&unread[self.line..end])?;
        let may_be = self.handed_on.is_some()
            || may_hold_literals(unread) && (self.line > 0 || !ends_a_bare_name(&unread[..end]));
        may_be.then_some(octets)
    }

    /// Whether a FETCH response ends before `end`, directly behind a literal, so that its list is still
    /// open: a server that does not count the last line end of a message (MailKit#954). Then a line
    /// that cannot begin a response is the rest of it.
    fn ends_at_literal(&self, unread: &[u8], end: usize) -> bool {
        if !matches!(unread[self.line..end], [] | [b'\r']) {
            return false;
        }
        self.handed_on.is_some() || self.line > 0 && is_fetch(unread)
    }

    /// Cuts off the text up to `end`, behind which `octets` of a literal come.
    fn head(&mut self, input: &mut Input, end: usize, octets: u64) -> Cut {
        let head = input.cut(end + 1);
        let begins = self.handed_on.is_none();
        let text = (head.len() as u64).saturating_sub(self.literals);
        let handed_on = self.handed_on.unwrap_or(0).saturating_add(text);
        *self = Self { chunks: octets, handed_on: Some(handed_on), ..Self::default() };
        input.hear(|| Heard::response(&head, begins, true, announced_literal));
        Cut::Head(head, octets)
    }

    fn chunk(&mut self, input: &mut Input) -> Option<Cut> {
        let most = self.chunks.min(Self::CHUNK) as usize;
        let here = most.min(input.unread().len());
        if here == 0 {
            input.expect(most);
            return None;
        }
        self.chunks -= here as u64;
        Some(Cut::Chunk(input.cut(here)))
    }

    /// Whether the response whose beginning was cut off has not come to its end.
    pub(crate) const fn is_within(&self) -> bool {
        self.handed_on.is_some()
    }

    /// Checks the length of the text up to `end`, of which the current line may be a part only.
    #[inline]
    fn check_text(&mut self, frame: &[u8], end: usize, limits: FrameLimits) -> Result<(), Fault> {
        // Mostly all of it is short, be it text or not. This is asked with every octet that comes.
        if self.handed_on.is_none() && end <= limits.status.min(limits.text) {
            return Ok(());
        }
        self.check_long_text(frame, end, limits)
    }

    fn check_long_text(
        &mut self,
        frame: &[u8],
        end: usize,
        limits: FrameLimits,
    ) -> Result<(), Fault> {
        let handed_on = self.handed_on.unwrap_or(0);
        let text = (end as u64).saturating_sub(self.literals).saturating_add(handed_on);
        // Two octets more may be the line end.
        let fits = |limit: usize| text <= (limit as u64).saturating_add(2);
        // What keeps the smaller limit need not be looked at.
        if fits(limits.status.min(limits.text)) {
            return Ok(());
        }
        let is_long = self.is_long
            || self.handed_on.is_some()
            || may_hold_literals(frame)
            || begins_with_code(frame);
        // What it is seen to be by its beginning it stays.
        self.is_long = is_long && frame.len() >= Self::BEGINNING;
        let limit = if is_long { limits.text } else { limits.status };
        if fits(limit) { Ok(()) } else { Err(Fault::LineTooLong { limit }) }
    }
}

/// Status lines hold human-readable text, which may end in `{5}` and mean nothing by it; they
/// never hold a literal (RFC 9051 section 9, `resp-text`).
fn may_hold_literals(frame: &[u8]) -> bool {
    let Some(rest) = frame.strip_prefix(b"* ") else { return false };
    let rest = rest.trim_ascii_start();
    // No status word is longer than PREAUTH.
    let rest = rest.get(..8).unwrap_or(rest);
    let word = rest.split(|octet| matches!(octet, b' ' | b'\r' | b'\n')).next().unwrap_or(rest);
    !is_status(word)
}

/// Whether this is a status line that begins with a response code, be it tagged or not.
fn begins_with_code(frame: &[u8]) -> bool {
    let begin = frame.get(..Framer::BEGINNING).unwrap_or(frame);
    let mut words = begin.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
    // Exchange 2013 leaves out `* OK` before COPYUID.
    frame.first() == Some(&b'[')
        || words.nth(1).is_some_and(is_status)
            && words.next().is_some_and(|word| word.first() == Some(&b'['))
}

fn is_status(word: &[u8]) -> bool {
    [&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"]
        .iter()
        .any(|status| word.eq_ignore_ascii_case(status))
}

/// Whether this begins a response about a message.
fn is_fetch(frame: &[u8]) -> bool {
    let mut words = frame.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
    words.next() == Some(b"*")
        && words.next().is_some_and(|number| number.iter().all(u8::is_ascii_digit))
        && words.next().is_some_and(|name| name.eq_ignore_ascii_case(b"FETCH"))
}

/// Whether the braces at the end of this line belong to a name that should be in quotes and is not,
/// as Exchange leaves those of mailboxes (MailKit#945): `* LIST () "/" Rechnungen {2024}`. A name that
/// comes as a literal stands alone behind the delimiter, or, of quota roots, behind a space.
fn ends_a_bare_name(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"* ").map(<[u8]>::trim_ascii_start) else { return false };
    // No name of these is longer than QUOTAROOT.
    let verb = rest.iter().take(10).position(|octet| *octet == b' ');
    let (verb, rest) = rest.split_at(verb.unwrap_or(0));
    if verb.eq_ignore_ascii_case(b"QUOTAROOT") {
        let before = memrchr(b'{', rest).and_then(|brace| rest.get(..brace));
        return before.is_some_and(|before| !before.ends_with(b" "));
    }
    if ![&b"LIST"[..], b"LSUB", b"XLIST"].iter().any(|name| verb.eq_ignore_ascii_case(name)) {
        return false;
    }
    let Some(end) = memchr::memchr(b')', rest) else { return false };
    let rest = rest[end + 1..].trim_ascii_start();
    let delimiter = match rest {
        [b'"', b'\\', _, b'"', ..] => 4,
        [b'"', _, b'"', ..] => 3,
        [b'N' | b'n', b'I' | b'i', b'L' | b'l', b' ', ..] => 3,
        _ => return false,
    };
    let name = rest[delimiter..].trim_ascii_start();
    !matches!(name.first(), None | Some(b'"' | b'{' | b'~' | b'(')) && !takes_literal(name)
}

/// The length in `{n}` or `{n+}` at the end of a line (also of `~{n}`, RFC 3516).
fn announced_literal(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let inside = line.strip_suffix(b"}")?;
    let digits = &inside[memrchr(b'{', inside)? + 1..];
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().try_fold(0_u64, |number, octet| {
        number.checked_mul(10)?.checked_add(u64::from(octet - b'0'))
    });
    // One too large for 64 bits is beyond any limit.
    Some(number.unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Framer {
        /// The next response, whole.
        fn frame(
            &mut self,
            input: &mut Input,
            limits: FrameLimits,
        ) -> Result<Option<Bytes>, Fault> {
            Ok(self.cut(input, limits, |_, _| false)?.map(|cut| match cut {
                Cut::Frame(octets) => octets,
                other => panic!("{other:?}"),
            }))
        }
    }

    #[test]
    fn braces_at_the_end_of_a_name_without_quotes_are_part_of_it() {
        for bare in [
            "* LIST () \"/\" Rechnungen {2024}",
            "* LIST (\\HasNoChildren) \"\\\\\" a {5}",
            "* lsub () NIL x{5}",
            "* LIST () \"/\" a (b) {5}",
            "* LIST () \"/\" a(b {5}",
            "* LIST () \"/\" a (b {5}",
            "* LIST () \"/\" x (y {200000000}",
            "* XLIST (\\Inbox) \"/\" a {5}",
            "* QUOTAROOT x{5}",
            "* QUOTAROOT INBOX ours{5}",
            "* LIST () \"/\" a (\"OLDNAME\" (\"b\")) {5}",
            "*  OK text {5}",
            "*   BYE text {5}",
        ] {
            let whole = format!("{bare}\r\n");
            assert_eq!(frames(&[whole.as_bytes()]), [Ok(whole.clone().into())], "{bare}");
        }
        for announced in [
            "* LIST () \"/\" ",
            "* XLIST () NIL ",
            "* LIST () ",
            "* LIST (",
            "*  ID (",
            "* QUOTAROOT ",
            "* QUOTAROOT INBOX \"a{5}\" ",
        ] {
            let whole = format!("{announced}{{2}}\r\nab\r\n");
            assert_eq!(frames(&[whole.as_bytes()]), [Ok(whole.clone().into())], "{announced}");
        }
        // Behind a name in quotes there may be more.
        let whole = "* LIST () \"/\" \"a\" (\"OLDNAME\" ({2}\r\nab))\r\n";
        assert_eq!(frames(&[whole.as_bytes()]), [Ok(Bytes::from(whole))]);
    }

    #[test]
    fn a_literal_in_a_list_behind_a_name_without_quotes_is_no_response() {
        for before in ["(\"OLDNAME\" (", "(\"OLDNAME\" (\"a)\\\"b)\" ", "(OLDNAME (\"a\") "] {
            let whole = format!("* LIST () \"/\" 5\" disk {before}{{8}}\r\nA1 OK hi))\r\n");
            assert_eq!(frames(&[whole.as_bytes()]), [Ok(whole.clone().into())], "{before}");
        }
    }

    const LIMITS: FrameLimits = FrameLimits { status: 100, text: 200, literal: 1000 };

    fn frames(chunks: &[&[u8]]) -> Vec<Result<Bytes, Fault>> {
        let mut input = Input::default();
        let mut framer = Framer::default();
        let mut frames = Vec::new();
        for chunk in chunks {
            input.push(chunk);
            loop {
                match framer.frame(&mut input, LIMITS) {
                    Ok(Some(frame)) => frames.push(Ok(frame)),
                    Ok(None) => break,
                    Err(fault) => {
                        frames.push(Err(fault));
                        return frames;
                    }
                }
            }
        }
        frames
    }

    /// What is cut where every literal behind `BODY[]` is divided off.
    fn cuts(chunks: &[&[u8]]) -> Vec<Result<Cut, Fault>> {
        let mut input = Input::default();
        let mut framer = Framer::default();
        let mut cuts = Vec::new();
        for chunk in chunks {
            input.push(chunk);
            loop {
                let behind_body =
                    |text: &[u8], _| memchr::memmem::find(text, b"BODY[] {").is_some();
                match framer.cut(&mut input, LIMITS, behind_body) {
                    Ok(Some(cut)) => cuts.push(Ok(cut)),
                    Ok(None) => break,
                    Err(fault) => {
                        cuts.push(Err(fault));
                        return cuts;
                    }
                }
            }
        }
        cuts
    }

    fn head(text: &'static str, octets: u64) -> Result<Cut, Fault> {
        Ok(Cut::Head(Bytes::from_static(text.as_bytes()), octets))
    }

    fn rest(text: &'static str) -> Result<Cut, Fault> {
        Ok(Cut::Frame(Bytes::from_static(text.as_bytes())))
    }

    #[test]
    fn a_literal_that_is_divided_off_comes_in_chunks_and_the_rest_behind_it() {
        let octets = b"* 1 FETCH (BODY[] {5}\r\na\r\nb\n UID 7)\r\n* 2 FETCH (BODY[] {0}\r\n)\r\n";
        let chunk = |octets: &'static [u8]| Ok(Cut::Chunk(Bytes::from_static(octets)));
        let first = head("* 1 FETCH (BODY[] {5}\r\n", 5);
        let second = head("* 2 FETCH (BODY[] {0}\r\n", 0);
        let whole =
            [first.clone(), chunk(b"a\r\nb\n"), rest(" UID 7)\r\n"), second.clone(), rest(")\r\n")];
        assert_eq!(cuts(&[octets]), whole);
        let single = [
            first,
            chunk(b"a"),
            chunk(b"\r"),
            chunk(b"\n"),
            chunk(b"b"),
            chunk(b"\n"),
            rest(" UID 7)\r\n"),
            second,
            rest(")\r\n"),
        ];
        assert_eq!(cuts(&octets.chunks(1).collect::<Vec<_>>()), single);
    }

    #[test]
    fn what_is_divided_off_has_no_limit_and_the_text_around_it_has() {
        let announced = "* 1 FETCH (BODY[] {18446744073709551615}\r\n";
        assert_eq!(cuts(&[announced.as_bytes()]), [head(announced, u64::MAX)]);
        // Text on both sides counts together.
        let before = b"* 1 FETCH (BODY[] {1}\r\n";
        let long = [&before[..], b"x ", &[b'y'; 190], b")\r\n"].concat();
        assert_eq!(cuts(&[&long]).pop(), Some(Err(Fault::LineTooLong { limit: 200 })));
        let long = [&before[..], b"x ", &[b'y'; 150], b")\r\n"].concat();
        assert!(matches!(cuts(&[&long])[..], [Ok(_), Ok(_), Ok(Cut::Frame(_))]));
        // A literal in the rest that is not divided off belongs to it.
        let more = b"* 1 FETCH (BODY[] {1}\r\nx X {2}\r\n\r\n)\r\n";
        assert_eq!(cuts(&[more]).pop(), Some(rest(" X {2}\r\n\r\n)\r\n")));
    }

    #[test]
    fn whether_to_divide_is_not_asked_for_ever() {
        let limits = FrameLimits { status: 100, text: 100_000, literal: 100_000 };
        let mut input = Input::default();
        input.push(&[&b"* X "[..], &b"{1}\r\nx".repeat(1000), b"\r\n"].concat());
        let asked = std::cell::Cell::new(0);
        let divides = |_: &[u8], _| {
            asked.set(asked.get() + 1);
            false
        };
        assert!(matches!(Framer::default().cut(&mut input, limits, divides), Ok(Some(_))));
        assert_eq!(asked.get(), Framer::MOST_KEPT);
    }

    /// Asserts the frames, whole and octet by octet.
    fn assert_frames(octets: &[u8], expected: &[&[u8]]) {
        let expected: Vec<_> =
            expected.iter().map(|frame| Ok(Bytes::copy_from_slice(frame))).collect();
        assert_eq!(frames(&[octets]), expected);
        assert_eq!(frames(&octets.chunks(1).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn a_literal_belongs_to_its_response() {
        assert_frames(
            b"* 1 FETCH (BODY[] {5}\r\na\r\nb\n UID 7)\r\n* 2 EXISTS\r\n",
            &[b"* 1 FETCH (BODY[] {5}\r\na\r\nb\n UID 7)\r\n", b"* 2 EXISTS\r\n"],
        );
    }

    #[test]
    fn several_literals_of_one_response_stay_together() {
        assert_frames(
            b"* LIST () {1}\r\n/ {3+}\r\na{1\r\n* X ~{0}\r\n\r\n",
            &[b"* LIST () {1}\r\n/ {3+}\r\na{1\r\n", b"* X ~{0}\r\n\r\n"],
        );
    }

    #[test]
    fn a_status_text_that_ends_in_braces_announces_nothing() {
        assert_frames(
            b"* OK hi {5}\r\nA1 NO no {7}\r\n+ {3}\r\n",
            &[b"* OK hi {5}\r\n", b"A1 NO no {7}\r\n", b"+ {3}\r\n"],
        );
    }

    #[test]
    fn a_server_that_ends_lines_in_a_bare_line_feed_is_understood() {
        assert_frames(b"* OK hi\n* LIST () {1}\nx\n", &[b"* OK hi\n", b"* LIST () {1}\nx\n"]);
    }

    #[test]
    fn braces_without_a_number_announce_nothing() {
        assert_frames(
            b"* X {a}\r\n* Y {}\r\n* Z }\r\n",
            &[b"* X {a}\r\n", b"* Y {}\r\n", b"* Z }\r\n"],
        );
    }

    #[test]
    fn a_literal_beyond_the_limit_is_refused_before_it_is_read() {
        let fault = Err(Fault::ResponseTooLong { limit: 1000, unit: "octets" });
        assert_eq!(frames(&[b"* 1 FETCH (BODY[] {1001}\r\n"]), std::slice::from_ref(&fault));
        assert_eq!(frames(&[b"* 1 FETCH (BODY[] {99999999999999999999999}\r\n"]), [fault]);
    }

    #[test]
    fn without_a_limit_a_literal_must_still_fit_into_memory() {
        let limits = FrameLimits { status: usize::MAX, text: usize::MAX, literal: u64::MAX };
        for octets in [u64::MAX, u64::MAX - 20] {
            let mut input = Input::default();
            input.push(format!("* 1 FETCH (BODY[] {{{octets}}}\r\nxxxx)\r\n").as_bytes());
            let fault = Framer::default().frame(&mut input, limits).unwrap_err();
            assert_eq!(fault, Fault::ResponseTooLong { limit: u64::MAX, unit: "octets" });
        }
        // Two that are only together too large.
        let mut input = Input::default();
        input.push(format!("* X {{2}}\r\nab {{{}}}\r\n", u64::MAX - 12).as_bytes());
        assert!(Framer::default().frame(&mut input, limits).is_err());
    }

    #[test]
    fn the_beginning_of_a_line_tells_whether_it_may_hold_literals() {
        for (line, may) in [("* OK ", false), ("* PREAUTH ", false), ("* XXXXXXXXXX", true)] {
            for octets in [0, 1, 100, 10_000] {
                let line = [line.as_bytes(), &vec![b'X'; octets]].concat();
                assert_eq!(may_hold_literals(&line), may);
            }
        }
        // No more than this is looked at each time that a piece of it comes.
        assert!(may_hold_literals(b"* OKXXXXXXXXXXXXXXXX"));
    }

    #[test]
    fn a_response_code_may_be_as_long_as_data() {
        for begin in ["A4294967295 OK [", "a9 no [", "* OK [", "*  PREAUTH  [", "["] {
            let line = format!("{begin}{}\r\n", "x".repeat(200 - begin.len()));
            assert_frames(line.as_bytes(), &[line.as_bytes()]);
            let long = format!("{begin}{}\r\n", "x".repeat(203 - begin.len()));
            assert_eq!(frames(&[long.as_bytes()]), [Err(Fault::LineTooLong { limit: 200 })]);
        }
        for begin in ["A9 OK x [", "A9 [", "* OK x[", "+ [", "+ OK hi [", "* ok ", "x"] {
            let line = format!("{begin}{}\r\n", "x".repeat(103 - begin.len()));
            assert_eq!(frames(&[line.as_bytes()]), [Err(Fault::LineTooLong { limit: 100 })]);
        }
    }

    #[test]
    fn an_endless_line_ends_at_its_limit() {
        let long = [&b"* LIST "[..], &[b'x'; 300]].concat();
        assert_eq!(frames(&[&long]), [Err(Fault::LineTooLong { limit: 200 })]);
        assert_eq!(frames(&[&[b'x'; 300]]), [Err(Fault::LineTooLong { limit: 100 })]);
        let chunks: Vec<&[u8]> = long.chunks(1).collect();
        assert_eq!(frames(&chunks), [Err(Fault::LineTooLong { limit: 200 })]);
    }
}
