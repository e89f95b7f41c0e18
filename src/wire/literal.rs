//! IMAP responses: lines whose end may announce a literal, `{n}`, that belongs to them.
//!
//! A response is cut before it is understood (RFC 9051 section 4.3): what a malformed response
//! says inside cannot make the session lose its place. The frame is one run of octets as it came,
//! literals inline, so that a parser needs no second buffer.

use bytes::Bytes;
use memchr::memrchr;

use super::Input;
use crate::fault::Fault;

/// Limits of one response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameLimits {
    /// Octets of a status line (`* OK …`, a tagged or continuation line).
    pub(crate) status: usize,
    /// Octets outside literals of any other response.
    pub(crate) text: usize,
    /// Octets of all literals of one response together.
    pub(crate) literal: u64,
}

/// Cuts responses. Holds where it stopped, so that more octets cost only themselves.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    /// Where the current line of the response begins, counted from the start of the response.
    line: usize,
    /// Octets of the literals so far.
    literals: u64,
}

impl Framer {
    /// The next response with its line ends and literals, or nothing until all of it has come.
    ///
    /// # Errors
    /// The response exceeds one of `limits`.
    pub(crate) fn frame(
        &mut self,
        input: &mut Input,
        limits: FrameLimits,
    ) -> Result<Option<Bytes>, Fault> {
        loop {
            if input.unread().len() < self.line {
                input.expect(self.line - input.unread().len());
                return Ok(None);
            }
            let Some(end) = input.line_feed(self.line) else {
                self.check_text(input.unread(), input.unread().len(), limits)?;
                return Ok(None);
            };
            self.check_text(input.unread(), end, limits)?;
            let announced = if may_hold_literals(input.unread()) {
                announced_literal(&input.unread()[self.line..end])
            } else {
                None
            };
            let Some(octets) = announced else {
                let frame = input.cut(end + 1);
                *self = Self::default();
                input.hear(|| without_literals(&frame));
                return Ok(Some(frame));
            };
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

    /// Checks the length of the text up to `end`, of which the current line may be a part only.
    fn check_text(&self, frame: &[u8], end: usize, limits: FrameLimits) -> Result<(), Fault> {
        let limit = if may_hold_literals(frame) { limits.text } else { limits.status };
        // Two octets more may be the line end.
        if (end as u64).saturating_sub(self.literals) > (limit as u64).saturating_add(2) {
            return Err(Fault::LineTooLong { limit });
        }
        Ok(())
    }
}

/// Status lines hold human-readable text, which may end in `{5}` and mean nothing by it; they
/// never hold a literal (RFC 9051 section 9, `resp-text`).
fn may_hold_literals(frame: &[u8]) -> bool {
    let Some(rest) = frame.strip_prefix(b"* ") else { return false };
    // No status word is longer than PREAUTH.
    let rest = rest.get(..8).unwrap_or(rest);
    let word = rest.split(|octet| matches!(octet, b' ' | b'\r' | b'\n')).next().unwrap_or(rest);
    ![&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"]
        .iter()
        .any(|status| word.eq_ignore_ascii_case(status))
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
    // A number too large for 64 bits is beyond any limit.
    Some(std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX))
}

/// A response as the trace shows it: literals by their length only.
fn without_literals(frame: &[u8]) -> String {
    let mut shown = String::new();
    let mut rest = frame;
    let literals = may_hold_literals(frame);
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = &rest[..end];
        shown.push_str(&String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)));
        rest = &rest[end + 1..];
        if let Some(octets) = literals.then(|| announced_literal(line)).flatten() {
            shown.push_str("[…]");
            rest = rest.get(octets as usize..).unwrap_or_default();
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_endless_line_ends_at_its_limit() {
        let long = [&b"* LIST "[..], &[b'x'; 300]].concat();
        assert_eq!(frames(&[&long]), [Err(Fault::LineTooLong { limit: 200 })]);
        assert_eq!(frames(&[&[b'x'; 300]]), [Err(Fault::LineTooLong { limit: 100 })]);
        let chunks: Vec<&[u8]> = long.chunks(1).collect();
        assert_eq!(frames(&chunks), [Err(Fault::LineTooLong { limit: 200 })]);
    }

    #[test]
    fn the_trace_shows_a_literal_by_its_length() {
        assert_eq!(
            without_literals(b"* 1 FETCH (BODY[] {5}\r\na\r\nb\n UID 7)\r\n"),
            "* 1 FETCH (BODY[] {5}[…] UID 7)"
        );
    }
}
