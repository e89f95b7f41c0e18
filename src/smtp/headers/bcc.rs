//! A message without the fields that name hidden recipients, as it streams past.

use memchr::memchr2;

use super::fields::LONGEST_NAME;

/// Takes `Bcc` and `Resent-Bcc` out of a header (RFC 5322 section 3.6.3), whatever the pieces it
/// comes in. What is held back is never more than the beginning of one line.
#[derive(Debug, Clone, Default)]
pub(crate) struct WithoutBcc {
    at: At,
    /// The beginning of a line that may be a field to be taken out.
    held: Vec<u8>,
    /// The field that the last line belonged to is taken out.
    dropping: bool,
    /// A line has been seen.
    begun: bool,
    /// What was kept last is a bare CR, and something was taken out since.
    parted: bool,
    kept_cr: bool,
    /// Octets that were taken out.
    dropped: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum At {
    #[default]
    LineStart,
    /// Behind a CR that ends a line; an LF belongs to it.
    AfterCr,
    /// Within what may be the name of a field, or in the white space behind it.
    Name { gap: bool },
    /// In a field, behind its name.
    Body,
    /// Behind the header, or what was taken for one.
    Over,
}

impl WithoutBcc {
    /// Whether the header is behind us, so that all else is to be sent as it is.
    pub(crate) fn is_over(&self) -> bool {
        self.at == At::Over
    }

    /// Octets that were taken out.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes a piece and appends to `kept` what of it is to be sent. Gives the octets taken, fewer
    /// than there are once the header [is over](Self::is_over).
    pub(crate) fn pass(&mut self, piece: &[u8], kept: &mut Vec<u8>) -> usize {
        let mut taken = 0;
        while let Some(rest) = piece.get(taken..).filter(|rest| !rest.is_empty()) {
            if self.is_over() {
                break;
            }
            taken += self.step(rest, kept);
        }
        taken
    }

    /// The message is over. What was held back is no field.
    pub(crate) fn finish(&mut self, kept: &mut Vec<u8>) {
        kept.append(&mut self.held);
        self.at = At::Over;
    }

    /// Takes an octet or more.
    fn step(&mut self, rest: &[u8], kept: &mut Vec<u8>) -> usize {
        let Some(first) = rest.first().copied() else { return 0 };
        match self.at {
            At::LineStart | At::AfterCr => {
                let after_cr = self.at == At::AfterCr;
                self.at = At::LineStart;
                match first {
                    b'\n' if after_cr => self.keep(&[first], kept),
                    b'\r' | b'\n' => {
                        // What stood between them is gone: the two would be one line end.
                        if first == b'\n' && self.kept_cr && self.parted {
                            kept.push(b'\n');
                            self.dropped -= 1;
                        }
                        self.at = At::Over;
                        return 0;
                    }
                    b' ' | b'\t' if self.begun => {
                        self.at = At::Body;
                        return 0;
                    }
                    _ => {
                        self.at = At::Name { gap: false };
                        return 0;
                    }
                }
                1
            }
            At::Name { gap } => {
                self.name(first, gap, kept);
                1
            }
            At::Body => {
                let end = memchr2(b'\r', b'\n', rest).map_or(rest.len(), |end| end + 1);
                let line = rest.get(..end).unwrap_or_default();
                self.keep(line, kept);
                self.line_ended(line.last().copied());
                end
            }
            At::Over => 0,
        }
    }

    fn name(&mut self, octet: u8, gap: bool, kept: &mut Vec<u8>) {
        let length = self.held.len();
        self.held.push(octet);
        match octet {
            b':' if length > 0 => {
                let name = self.held.get(..length).unwrap_or_default().trim_ascii_end();
                let hidden = [&b"Bcc"[..], b"Resent-Bcc"];
                self.dropping = hidden.iter().any(|hidden| name.eq_ignore_ascii_case(hidden));
                let held = std::mem::take(&mut self.held);
                self.keep(&held, kept);
                self.begun = true;
                self.at = At::Body;
            }
            b' ' | b'\t' if length > 0 && length < LONGEST_NAME => {
                let mbox = [&b"From "[..], b">From "];
                if !self.begun && mbox.contains(&self.held.as_slice()) {
                    // The line with which mbox files begin a message; the header follows it.
                    kept.append(&mut self.held);
                    self.dropping = false;
                    self.begun = true;
                    self.at = At::Body;
                    return;
                }
                self.at = At::Name { gap: true };
            }
            _ if octet.is_ascii_graphic() && octet != b':' && !gap && length < LONGEST_NAME => {}
            // No field: servers take it for the first line of the text.
            _ => self.finish(kept),
        }
    }

    fn line_ended(&mut self, last: Option<u8>) {
        match last {
            Some(b'\r') => self.at = At::AfterCr,
            Some(b'\n') => self.at = At::LineStart,
            _ => {}
        }
    }

    fn keep(&mut self, octets: &[u8], kept: &mut Vec<u8>) {
        self.parted = self.dropping;
        if self.dropping {
            self.dropped += octets.len() as u64;
        } else {
            kept.extend_from_slice(octets);
            self.kept_cr = octets.last() == Some(&b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fields::Fields;
    use super::*;

    fn filtered(message: &[u8], chunk: usize) -> Vec<u8> {
        let mut filter = WithoutBcc::default();
        let mut kept = Vec::new();
        for piece in message.chunks(chunk) {
            let taken = filter.pass(piece, &mut kept);
            kept.extend_from_slice(&piece[taken..]);
            assert!(filter.held.len() <= LONGEST_NAME + 1);
        }
        filter.finish(&mut kept);
        kept
    }

    fn told(message: &str) -> String {
        let whole = filtered(message.as_bytes(), usize::MAX);
        for chunk in [1, 2, 3, 7] {
            assert_eq!(filtered(message.as_bytes(), chunk), whole, "{message:?}");
        }
        String::from_utf8(whole).unwrap()
    }

    #[test]
    fn hidden_recipients_are_left_out_and_all_else_stays() {
        for end in ["\r\n", "\n", "\r"] {
            let lines = |lines: &[&str]| lines.join(end);
            let message = [
                "From: a@a.example",
                "BCC : x@x.example,",
                " y@y.example",
                "\tz@z.example",
                "To: b@b.example",
                " c@c.example",
                "Resent-bcc:",
                " hidden@x.example",
                "Bccc: stays",
                "X-Bcc: stays",
                "Resent-Bc: stays",
                "bcc:v@v.example",
                "",
                "Bcc: text",
                "",
            ];
            let kept = [
                "From: a@a.example",
                "To: b@b.example",
                " c@c.example",
                "Bccc: stays",
                "X-Bcc: stays",
                "Resent-Bc: stays",
                "",
                "Bcc: text",
                "",
            ];
            assert_eq!(told(&lines(&message)), lines(&kept), "{end:?}");
        }
    }

    #[test]
    fn a_header_may_consist_of_hidden_recipients_only() {
        assert_eq!(told("Bcc: a@a.example\r\n\r\nhi"), "\r\nhi");
        assert_eq!(told("Bcc: a@a.example\r\n"), "");
        assert_eq!(told("Bcc: a@a.example"), "");
        assert_eq!(told("Bcc"), "Bcc");
        assert_eq!(told(""), "");
    }

    #[test]
    fn the_line_ends_around_what_is_gone_do_not_become_one() {
        assert_eq!(told("To: a\rBcc: b\n\ntext"), "To: a\r\n\ntext");
        assert_eq!(told("To: a\rBcc: b\r\rtext"), "To: a\r\rtext");
        assert_eq!(told("To: a\rBcc: b\nCc: c\n\n"), "To: a\rCc: c\n\n");
    }

    #[test]
    fn what_is_no_header_is_let_past() {
        for message in [
            "\r\nBcc: a@a.example\r\n",
            " Bcc: a@a.example\r\n",
            "Hello there\r\nBcc: a@a.example\r\n",
            "A: 1\r\nHello: there\r\nno field\r\nBcc: a@a.example\r\n",
            ": 1\r\nBcc: a@a.example\r\n",
        ] {
            assert_eq!(told(message), message);
        }
        assert_eq!(told("From a@b Sat\nBcc: x\nA: 1\n"), "From a@b Sat\nA: 1\n");
        let long = format!("Bcc{}: a@a.example\r\nBcc: b@b.example\r\n", " ".repeat(LONGEST_NAME));
        assert_eq!(told(&long), long);
    }

    proptest! {
        #[test]
        fn whatever_the_header_only_hidden_recipients_are_gone(
            message in "((Bcc|bCC|Resent-Bcc|To|Fro|B)[ \t]?:?[a: \t]{0,3}(\r\n|\r|\n)[ \t]?){0,6}[\r\n]{0,2}[a-z:\r\n]{0,6}",
            chunk in 1usize..9,
        ) {
            let hidden = |name: &[u8]| {
                name.eq_ignore_ascii_case(b"bcc") || name.eq_ignore_ascii_case(b"resent-bcc")
            };
            let kept = filtered(message.as_bytes(), chunk);
            let before: Vec<_> = Fields::of(message.as_bytes())
                .filter(|field| !hidden(field.name))
                .map(|field| (field.name.to_vec(), field.body.trim_ascii_end().to_vec()))
                .collect();
            let mut fields = Fields::of(&kept);
            let after: Vec<_> = (&mut fields)
                .map(|field| (field.name.to_vec(), field.body.trim_ascii_end().to_vec()))
                .collect();
            prop_assert_eq!(before, after);
            let mut original = Fields::of(message.as_bytes());
            (&mut original).for_each(drop);
            prop_assert_eq!(original.rest(), fields.rest());
        }
    }
}
