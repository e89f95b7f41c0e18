//! What has to be known of content before it is sent: how large it gets, and what it asks of the
//! server.

use memchr::{memchr, memchr_iter, memrchr, memrchr2};

use crate::wire::Look;

/// The longest line of text, RFC 5321 section 4.5.3.1.6: 1,000 octets with its end.
pub(super) const LONGEST_LINE: usize = 998;

/// Octets that are looked at together, so that they are fetched from memory once.
const BLOCK: usize = 16 * 1024;

/// What there is to know of text that can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Octets with CRLF line ends and without doubled dots, which is what RFC 1870 counts.
    pub(crate) size: u64,
    /// What it is made of.
    pub(crate) look: Look,
    /// The first line that is too long, counted from one.
    pub(crate) long_line: Option<u64>,
}

impl Survey {
    pub(super) fn of(octets: &[u8]) -> Self {
        let last = if matches!(octets.last(), None | Some(b'\r' | b'\n')) { 0 } else { 2 };
        let look = Look { crlf_only: true, eight_bit: false, dots: false, longest: 0 };
        let mut survey = Self { size: octets.len() as u64 + last, look, long_line: None };
        let mut rest = octets;
        while !rest.is_empty() {
            let (block, behind) = whole_lines(rest);
            let look = Look::at(block);
            if !look.crlf_only {
                survey.size += bare_line_ends(block);
            }
            // A CR can only make lines shorter.
            if look.longest > LONGEST_LINE && survey.long_line.is_none() {
                let before = octets.len() - rest.len();
                survey.long_line = long_line(block).map(|line| line_ends(&octets[..before]) + line);
            }
            survey.look.add(&look);
            rest = behind;
        }
        survey
    }
}

/// Splits behind the last LF within a block, or if there is none, behind the next.
fn whole_lines(rest: &[u8]) -> (&[u8], &[u8]) {
    let end = match rest.get(..BLOCK) {
        Some(block) => memrchr(b'\n', block).or_else(|| memchr(b'\n', rest)),
        None => None,
    };
    rest.split_at(end.map_or(rest.len(), |end| end + 1))
}

/// Line ends that are a CR or an LF alone.
fn bare_line_ends(octets: &[u8]) -> u64 {
    let pairs = memchr_iter(b'\n', octets).filter(|end| *end > 0 && octets[end - 1] == b'\r');
    let pairs = pairs.count();
    let all = memchr_iter(b'\n', octets).count() + memchr_iter(b'\r', octets).count();
    (all - 2 * pairs) as u64
}

/// Lines that end, by CR and LF or one of them.
fn line_ends(octets: &[u8]) -> u64 {
    memchr_iter(b'\n', octets).count().max(memchr_iter(b'\r', octets).count()) as u64
}

/// The number of the first line that is too long, counted from one. From each line start one look
/// backwards finds the last line end within reach, so that most lines are never looked at.
fn long_line(octets: &[u8]) -> Option<u64> {
    let mut start = 0;
    while let Some(window) = octets.get(start..=start + LONGEST_LINE) {
        match memrchr2(b'\r', b'\n', window) {
            Some(end) => start += end + 1,
            None => return Some(line_ends(&octets[..start]) + 1),
        }
    }
    None
}

/// Finds lines that are too long in content that comes in pieces.
#[derive(Debug)]
pub(super) struct LineMeter {
    /// The line in which the last piece ended, and its octets so far.
    line: u64,
    octets: usize,
}

impl LineMeter {
    pub(super) const fn new() -> Self {
        Self { line: 1, octets: 0 }
    }

    /// The line that became too long in this piece.
    pub(super) fn read(&mut self, piece: &[u8]) -> Option<u64> {
        let is_end = |octet: &u8| matches!(octet, b'\r' | b'\n');
        let first_end = memchr::memchr2(b'\r', b'\n', piece);
        if self.octets + first_end.unwrap_or(piece.len()) > LONGEST_LINE {
            return Some(self.line);
        }
        let Some(first_end) = first_end else {
            self.octets += piece.len();
            return None;
        };
        let rest = &piece[first_end..];
        let rest = rest.strip_prefix(b"\r\n").unwrap_or_else(|| &rest[1..]);
        if let Some(line) = long_line(rest) {
            return Some(self.line + line);
        }
        self.line += memchr_iter(b'\n', piece).count() as u64;
        self.octets = piece.iter().rev().take_while(|octet| !is_end(octet)).count();
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::dot::Stuffer;

    fn on_the_wire(content: &[u8]) -> Vec<u8> {
        let mut stuffer = Stuffer::new();
        let mut wire = Vec::new();
        stuffer.stuff(content, &mut wire);
        stuffer.finish(&mut wire);
        wire
    }

    #[test]
    fn the_size_is_what_goes_out_without_dots() {
        for content in ["", "\r\n", "a", "a\r\nb", "a\nb\n", "a\r\nb\r\n", "a\rb\r", "\n\n\nx"] {
            let wire = on_the_wire(content.as_bytes());
            let sent = wire.len() - ".\r\n".len();
            assert_eq!(Survey::of(content.as_bytes()).size, sent as u64, "{content:?}");
        }
        assert_eq!(Survey::of(b"..\r\n").size, 4);
    }

    #[test]
    fn octets_above_127_are_noticed() {
        assert!(!Survey::of(b"plain\x7f").look.eight_bit);
        assert!(Survey::of(b"caf\xe9").look.eight_bit);
    }

    #[test]
    fn lines_of_998_octets_are_the_longest() {
        let line = |octets: usize| "x".repeat(octets);
        for (content, long) in [
            (line(998), None),
            (line(999), Some(1)),
            (format!("{}\r\n", line(998)), None),
            (format!("a\r\n{}\r\n", line(999)), Some(2)),
            (format!("a\nb\n{}\n{}\n", line(998), line(999)), Some(4)),
            (format!("{}\r{}", line(998), line(998)), None),
            (format!("{}\r{}", line(998), line(999)), Some(2)),
        ] {
            let content = content.as_bytes();
            assert_eq!(Survey::of(content).long_line, long);
            for cut in [1, 7, 997, 998, 999, 1000, 1001, 5000] {
                let mut meter = LineMeter::new();
                let found = content.chunks(cut).find_map(|piece| meter.read(piece));
                assert_eq!(found.is_some(), long.is_some(), "{cut}");
                assert!(found == long || content.contains(&b'\r'), "{cut}");
            }
        }
    }

    #[test]
    fn crlf_on_the_border_of_two_blocks_is_one_line_end() {
        for at in BLOCK - 3..BLOCK + 3 {
            let content = format!("{}\r\n{}", "x\r\n".repeat(at / 3), "y".repeat(200));
            let padded = format!("{}{content}", "z".repeat(at % 3));
            assert!(Survey::of(padded.as_bytes()).look.crlf_only, "{at}");
            let odd = padded.replacen("\r\nyy", "\ryy", 1);
            assert!(!Survey::of(odd.as_bytes()).look.crlf_only, "{at}");
        }
        assert!(!Survey::of(b"a\0b\r\n").look.crlf_only);
    }

    proptest! {
        #[test]
        fn a_survey_agrees_with_what_is_sent(content in "[.a\r\n\u{e9}\0]{0,60}") {
            let octets = content.as_bytes();
            let survey = Survey::of(octets);
            let wire = on_the_wire(octets);
            // Doubled dots are not counted, and only they are more on the wire.
            let mut plain = Stuffer::without_dots();
            let mut lines = Vec::new();
            plain.stuff(octets, &mut lines);
            plain.finish(&mut lines);
            prop_assert_eq!(survey.size, lines.len() as u64);
            prop_assert!(wire.len() >= lines.len() + 3);
            prop_assert_eq!(survey.look.eight_bit, content.contains('\u{e9}'));
            if survey.look.crlf_only {
                prop_assert!(lines.starts_with(octets));
            }
        }
    }
}
