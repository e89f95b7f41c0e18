//! Dot-stuffed text: the body of SMTP DATA (RFC 5321 section 4.5.2) and the multi-line responses
//! of POP3 (RFC 1939 section 3). Both directions work on pieces of any size.

use std::sync::LazyLock;

use memchr::memchr2;
use memchr::memmem::Finder;

use super::{Input, Look};

/// Octets of a message that are looked at together.
const BLOCK: usize = 8 * 1024;

static LINE_THAT_BEGINS_WITH_A_DOT: LazyLock<Finder<'static>> =
    LazyLock::new(|| Finder::new(b"\n."));

/// Makes content ready for the wire.
///
/// Line ends become CRLF whatever they were: a bare CR or LF never reaches the wire, so no message
/// can end DATA early on a server that takes one for a line end ("SMTP smuggling", RFC 5321
/// section 2.3.8). For DATA, a dot at a line start is doubled and a lone one ends the content.
#[derive(Debug)]
pub(crate) struct Stuffer {
    /// A lone dot ends the content: that of DATA, not that of BDAT (RFC 3030 section 2).
    lone_dot: bool,
    /// A dot at a line start is doubled, and there may be one.
    dots: bool,
    /// All line ends are known to be CRLF.
    crlf_only: bool,
    at_line_start: bool,
    /// Since the line began there was nothing but NUL, which servers drop: a dot behind it could be
    /// the first octet of a line after all.
    only_nuls: bool,
    /// The last octet was a CR, which already went out as CRLF: an LF right behind it is part of
    /// the same line end.
    after_cr: bool,
}

impl Stuffer {
    /// For DATA.
    pub(crate) const fn new() -> Self {
        Self {
            lone_dot: true,
            dots: true,
            crlf_only: false,
            at_line_start: true,
            only_nuls: false,
            after_cr: false,
        }
    }

    /// For BDAT.
    pub(crate) const fn without_dots() -> Self {
        Self { lone_dot: false, dots: false, ..Self::new() }
    }

    /// The same for content that was looked at as a whole.
    pub(crate) const fn for_content(mut self, look: &Look) -> Self {
        self.crlf_only = look.crlf_only;
        // Behind a bare CR begins a line, too.
        self.dots &= look.dots || !look.crlf_only;
        self
    }

    /// Whether all content is ready as it is.
    pub(crate) const fn changes_nothing(&self) -> bool {
        self.crlf_only && !self.dots
    }

    /// Appends `piece` to `out`, ready. It grows by less than three times.
    pub(crate) fn stuff(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        if self.crlf_only {
            return self.stuff_block(piece, self.dots, out);
        }
        let mut rest = piece;
        if self.after_cr && !piece.is_empty() {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            self.after_cr = false;
        }
        // Looking at blocks, without a branch for each line, is what makes ordinary messages fast.
        while !rest.is_empty() {
            let block = rest.get(..BLOCK).unwrap_or(rest);
            // What a CR means is decided by what follows.
            let block = block.strip_suffix(b"\r").unwrap_or(block);
            let look = Look::at(block);
            if look.crlf_only && !self.only_nuls {
                self.stuff_block(block, self.dots && look.dots, out);
                rest = &rest[block.len()..];
            } else {
                let end = rest.len() - block.len().max(1);
                while rest.len() > end {
                    rest = &rest[self.stuff_line(rest, out)..];
                }
            }
        }
    }

    /// Appends a block whose line ends are all CRLF. It may end between CR and LF. `dots`: there may
    /// be some to double.
    fn stuff_block(&mut self, block: &[u8], dots: bool, out: &mut Vec<u8>) {
        let Some(last) = block.last() else { return };
        let mut copied = 0;
        if dots {
            if self.at_line_start && block.starts_with(b".") {
                out.push(b'.');
            }
            for end in LINE_THAT_BEGINS_WITH_A_DOT.find_iter(block) {
                out.extend_from_slice(&block[copied..=end]);
                out.push(b'.');
                copied = end + 1;
            }
        }
        out.extend_from_slice(&block[copied..]);
        self.at_line_start = *last == b'\n';
    }

    /// Appends the first line of `rest`, or the NULs that it begins with; how long that was.
    fn stuff_line(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        let at_line_start = self.at_line_start || self.only_nuls;
        let nuls = rest.iter().take_while(|octet| **octet == 0).count();
        if at_line_start && nuls > 0 {
            out.extend_from_slice(&rest[..nuls]);
            (self.at_line_start, self.only_nuls) = (false, true);
            return nuls;
        }
        self.only_nuls = false;
        if self.dots && at_line_start && rest.first() == Some(&b'.') {
            out.push(b'.');
        }
        let Some(end) = memchr2(b'\r', b'\n', rest) else {
            out.extend_from_slice(rest);
            self.at_line_start = false;
            return rest.len();
        };
        self.at_line_start = true;
        // The common case in one copy: a line that ends in CRLF.
        if rest[end] == b'\r' && rest.get(end + 1) == Some(&b'\n') {
            out.extend_from_slice(&rest[..end + 2]);
            return end + 2;
        }
        out.extend_from_slice(&rest[..end]);
        out.extend_from_slice(b"\r\n");
        self.after_cr = rest[end] == b'\r' && end + 1 == rest.len();
        end + 1
    }

    /// Appends the end: a line end if the content lacks one, and for DATA the lone dot.
    pub(crate) fn finish(self, out: &mut Vec<u8>) {
        if !self.at_line_start {
            out.extend_from_slice(b"\r\n");
        }
        if self.lone_dot {
            out.extend_from_slice(b".\r\n");
        }
    }
}

/// Reads a multi-line response of POP3, exact to the octet.
///
/// From a server that ends its lines in CRLF, only a dot behind CRLF is special: a bare LF inside
/// a message followed by a dot is message text. A server whose status line ended in a bare LF is
/// taken at its word, and every LF is a line end.
#[derive(Debug)]
pub(crate) struct Unstuffer {
    crlf: bool,
    /// What the octets read so far end in.
    tail: Tail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// In the middle of a line.
    Text,
    /// A CR that may be the first half of a line end.
    Cr,
    /// At the start of a line, which is also where the response begins.
    LineStart,
}

/// How far a response has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unstuffed {
    /// So many octets at the front of the input are text; more must come.
    More { text: usize },
    /// So many octets at the front of the input are text, and so many behind them are the lone dot
    /// and what the stuffing left. Then the next response begins.
    End { text: usize, skip: usize },
}

/// What the octets at a place mean.
enum Run {
    /// So many octets are text as they stand.
    Text(usize),
    /// A dot that is no text: the next octet is.
    Stuffing,
    /// So many octets are the lone dot with its line end.
    LoneDot(usize),
    /// More octets decide.
    Undecided,
}

impl Unstuffer {
    /// `crlf`: how the status line ended.
    pub(crate) const fn new(crlf: bool) -> Self {
        Self { crlf, tail: Tail::LineStart }
    }

    /// Takes the stuffing out of `input`, whose first `text` octets are text already. This happens
    /// in place, so that a message is copied only behind a line that begins with a dot.
    pub(crate) fn unstuff(&mut self, input: &mut Input, text: usize) -> Unstuffed {
        let octets = input.unread_mut();
        let (mut read, mut written) = (text, text);
        loop {
            match self.run(octets.get(read..).unwrap_or_default()) {
                Run::Text(length) => {
                    if written != read {
                        octets.copy_within(read..read + length, written);
                    }
                    read += length;
                    written += length;
                }
                Run::Stuffing => read += 1,
                Run::LoneDot(length) => {
                    return Unstuffed::End { text: written, skip: read + length - written };
                }
                Run::Undecided => break,
            }
        }
        if written != read {
            octets.copy_within(read.., written);
            let left = octets.len() - (read - written);
            input.truncate(left);
        }
        Unstuffed::More { text: written }
    }

    fn run(&mut self, rest: &[u8]) -> Run {
        if self.tail == Tail::LineStart && rest.first() == Some(&b'.') {
            return match rest.get(1..) {
                // The dot's meaning depends on what follows.
                None | Some([] | [b'\r']) => Run::Undecided,
                Some([b'\n', ..]) => Run::LoneDot(2),
                Some([b'\r', b'\n', ..]) => Run::LoneDot(3),
                Some(_) => {
                    self.tail = Tail::Text;
                    Run::Stuffing
                }
            };
        }
        let Some(&last) = rest.last() else { return Run::Undecided };
        if let Some(end) = self.line_end(rest) {
            self.tail = Tail::LineStart;
            return Run::Text(end);
        }
        self.tail = if last == b'\r' { Tail::Cr } else { Tail::Text };
        Run::Text(rest.len())
    }

    /// Where the first line of `rest` ends that is followed by a dot or by the end of `rest`: a
    /// line start that does not matter is passed over.
    fn line_end(&self, rest: &[u8]) -> Option<usize> {
        let ends_line = |at: usize| match at {
            _ if !self.crlf => true,
            0 => self.tail == Tail::Cr,
            _ => rest[at - 1] == b'\r',
        };
        LINE_THAT_BEGINS_WITH_A_DOT
            .find_iter(rest)
            .chain(rest.ends_with(b"\n").then(|| rest.len() - 1))
            .find(|at| ends_line(*at))
            .map(|at| at + 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stuffed(pieces: &[&[u8]]) -> Vec<u8> {
        let mut stuffer = Stuffer::new();
        let mut out = Vec::new();
        for piece in pieces {
            stuffer.stuff(piece, &mut out);
        }
        stuffer.finish(&mut out);
        out
    }

    fn unstuffed(octets: &[u8], chunk: usize, crlf: bool) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut input = Input::default();
        let mut unstuffer = Unstuffer::new(crlf);
        let mut chunks = octets.chunks(chunk);
        let mut read = 0;
        for part in chunks.by_ref() {
            input.push(part);
            match unstuffer.unstuff(&mut input, read) {
                Unstuffed::More { text } => read = text,
                Unstuffed::End { text, skip } => {
                    let text = input.cut(text).to_vec();
                    input.skip(skip);
                    let mut rest = input.unread().to_vec();
                    rest.extend(chunks.flatten());
                    return Some((text, rest));
                }
            }
        }
        None
    }

    #[test]
    fn a_dot_at_a_line_start_is_doubled_and_no_other() {
        assert_eq!(stuffed(&[b".a\r\nb.c\r\n..\r\n"]), b"..a\r\nb.c\r\n...\r\n.\r\n");
    }

    #[test]
    fn a_message_without_a_final_line_end_gets_one() {
        assert_eq!(stuffed(&[b"a"]), b"a\r\n.\r\n");
        assert_eq!(stuffed(&[b""]), b".\r\n");
    }

    #[test]
    fn bare_line_feeds_and_carriage_returns_become_line_ends() {
        assert_eq!(stuffed(&[b"a\nb\rc\r\n\rd\n\r"]), b"a\r\nb\r\nc\r\n\r\nd\r\n\r\n.\r\n");
    }

    #[test]
    fn without_dots_only_line_ends_change() {
        for cut in 1..9 {
            let mut stuffer = Stuffer::without_dots();
            let mut out = Vec::new();
            for piece in b".a\n..\r\n.\rb\r\n.\r\nc".chunks(cut) {
                stuffer.stuff(piece, &mut out);
            }
            stuffer.finish(&mut out);
            assert_eq!(out, b".a\r\n..\r\n.\r\nb\r\n.\r\nc\r\n");
        }
    }

    #[test]
    fn content_that_was_looked_at_is_stuffed_alike_whatever_the_cuts() {
        for message in
            [".a\r\n..b\r\nc.\r\n.\r\n", "a\r\nb.\r\n", "a\r.b\r", "a\n.\nb", ".", "\0.\r\n"]
        {
            let message = message.as_bytes();
            for cut in 1..9 {
                let mut stuffer = Stuffer::new().for_content(&Look::at(message));
                let mut out = Vec::new();
                for piece in message.chunks(cut) {
                    stuffer.stuff(piece, &mut out);
                }
                stuffer.finish(&mut out);
                assert_eq!(out, stuffed(&[message]));
            }
        }
    }

    #[test]
    fn no_smuggling_sequence_survives() {
        for sequence in [
            &b"\n.\n"[..],
            b"\n.\r\n",
            b"\r.\r",
            b"\r.\r\n",
            b"\r\n.\n",
            b"\r\n.\r",
            b"\r\n.\r\n",
            b"\n.\r",
        ] {
            let message = [b"a", sequence, b"MAIL FROM:<x@y>"].concat();
            for cut in 0..=message.len() {
                let out = stuffed(&[&message[..cut], &message[cut..]]);
                assert!(out.starts_with(b"a\r\n..\r\nMAIL"), "{:?}", String::from_utf8_lossy(&out));
            }
        }
    }

    /// What a server makes of it that drops NUL and takes CR and LF for line ends like CRLF.
    #[test]
    fn no_smuggling_sequence_survives_the_most_lenient_of_servers() {
        for sequence in [
            &b"\r\n\0.\r\n"[..],
            b"\r\n.\0\r\n",
            b"\n\0\0.\n",
            b"\0.\r\n",
            b"\n\r.\r\n",
            b"\r\n.\r\r\n",
            b"\r\r.\r\r",
            b"\r\n\0\r.\n\0",
            b"\n.\n\n.\r\n",
            b"\r.\n",
        ] {
            for before in [&b"a"[..], b"", b"a\r\n"] {
                let message = [before, sequence, b"MAIL FROM:<x@y>"].concat();
                for cut in 0..=message.len() {
                    let out = stuffed(&[&message[..cut], &message[cut..]]);
                    let heard = String::from_utf8(out).unwrap().replace('\0', "");
                    assert!(!heard.replace("\r\n", "").contains(['\r', '\n']), "{heard:?}");
                    let lone = heard.split("\r\n").filter(|line| *line == ".").count();
                    assert_eq!(lone, 1, "{heard:?}");
                }
            }
        }
    }

    #[test]
    fn content_that_ends_in_nul_gets_a_line_end_before_the_dot() {
        assert_eq!(stuffed(&[b"a\r\n\0"]), b"a\r\n\0\r\n.\r\n");
        assert_eq!(stuffed(&[b"\0", b"\0.", b"b"]), b"\0\0..b\r\n.\r\n");
    }

    #[test]
    fn the_lone_dot_ends_the_response_and_what_follows_is_left() {
        for chunk in 1..12 {
            assert_eq!(
                unstuffed(b"a\r\n..b\r\n.c\r\n.\r\n+OK", chunk, true),
                Some((b"a\r\n.b\r\nc\r\n".to_vec(), b"+OK".to_vec()))
            );
        }
    }

    #[test]
    fn a_bare_line_feed_before_a_dot_is_message_text() {
        for chunk in 1..12 {
            assert_eq!(
                unstuffed(b"a\n.\r\nb\n..c\r\n.\r\n", chunk, true).map(|(text, _)| text),
                Some(b"a\n.\r\nb\n..c\r\n".to_vec())
            );
        }
    }

    #[test]
    fn a_server_of_bare_line_feeds_is_taken_at_its_word() {
        for chunk in 1..12 {
            assert_eq!(
                unstuffed(b"a\n..b\n.\nrest", chunk, false),
                Some((b"a\n.b\n".to_vec(), b"rest".to_vec()))
            );
        }
    }

    #[test]
    fn a_dot_and_a_bare_line_feed_end_the_response_too() {
        assert_eq!(unstuffed(b"a\r\n.\n", 2, true), Some((b"a\r\n".to_vec(), vec![])));
        assert_eq!(unstuffed(b".\r\n", 1, true), Some((vec![], vec![])));
    }

    #[test]
    fn what_needs_care_is_found_wherever_it_lies_in_a_block() {
        for at in (0..8).chain(BLOCK - 8..BLOCK + 8).chain(2 * BLOCK - 8..2 * BLOCK + 8) {
            for (odd, even) in [
                ("\n", "\r\n"),
                ("\r", "\r\n"),
                ("\r\n.", "\r\n.."),
                ("\n.\r\n", "\r\n..\r\n"),
                ("\r\r\n", "\r\n\r\n"),
                (".", if at == 0 { ".." } else { "." }),
            ] {
                let (before, after) = ("x".repeat(at), "y".repeat(BLOCK));
                let out = stuffed(&[format!("{before}{odd}{after}").as_bytes()]);
                let expected = format!("{before}{even}{after}\r\n.\r\n");
                assert!(out == expected.as_bytes(), "{odd:?} at {at}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_stuffed_is_unstuffed_whatever_the_cuts(
            lines in proptest::collection::vec("[.a\u{e9}]{0,5}", 0..20),
            cut in 1usize..9,
            chunk in 1usize..9,
        ) {
            let message = lines.iter().map(|line| format!("{line}\r\n")).collect::<String>();
            let pieces: Vec<&[u8]> = message.as_bytes().chunks(cut).collect();
            let out = stuffed(&pieces);
            prop_assert_eq!(unstuffed(&out, chunk, true), Some((message.into_bytes(), vec![])));
        }

        #[test]
        fn no_cut_changes_what_is_stuffed(
            message in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'x')], 0..40),
            cut in 1usize..9,
        ) {
            let whole = stuffed(&[&message]);
            let pieces: Vec<&[u8]> = message.chunks(cut).collect();
            prop_assert_eq!(&stuffed(&pieces), &whole);
            // Only CRLF, and a lone dot only at the end.
            let text = String::from_utf8(whole).unwrap();
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
            prop_assert_eq!(text.split("\r\n").filter(|line| *line == ".").count(), 1);
        }
    }
}
