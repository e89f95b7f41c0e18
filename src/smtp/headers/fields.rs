//! A header cut into fields (RFC 5322 section 2.2).
//!
//! A line ends where the wire will end it: at CRLF, at a bare LF and at a bare CR. A field that
//! this code did not see and the server sees, or the other way round, is what must not be.

use memchr::{memchr, memchr2};

/// One field: its name, and its body with line ends and all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) name: &'a [u8],
    pub(super) body: &'a [u8],
}

impl Field<'_> {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Octets before the colon: what a line has room for (RFC 5322 section 2.1.1).
pub(super) const LONGEST_NAME: usize = 998;

/// The fields of a header, up to the empty line that ends it, or to a line that is none of a
/// header: servers take that for the first line of the text.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        // `From ann@a.example Sat Nov 21 …` is how mbox files begin a message.
        let mbox = message.starts_with(b"From ") || message.starts_with(b">From ");
        let rest = if mbox { line(message).1 } else { message };
        Self { rest }
    }

    /// What was not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let (first, mut rest) = line(self.rest);
        let colon = memchr(b':', first).filter(|colon| *colon <= LONGEST_NAME)?;
        let (mut name, _) = first.split_at_checked(colon)?;
        // RFC 5322 section 4.5: white space before the colon.
        while let [shorter @ .., b' ' | b'\t'] = name {
            name = shorter;
        }
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        while let [b' ' | b'\t', ..] = rest {
            rest = line(rest).1;
        }
        let body = self.rest.get(colon + 1..self.rest.len() - rest.len())?;
        self.rest = rest;
        Some(Field { name, body })
    }
}

/// The first line without its end, and what follows the end.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(end) = memchr2(b'\r', b'\n', text) else { return (text, &[]) };
    let (line, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
    (line, rest.strip_prefix(b"\r\n").or_else(|| rest.get(1..)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(message: &str) -> Vec<String> {
        let name = |field: Field<'_>| {
            let body = String::from_utf8_lossy(field.body);
            format!("{}={}", String::from_utf8_lossy(field.name), body.trim())
        };
        Fields::of(message.as_bytes()).map(name).collect()
    }

    #[test]
    fn a_field_goes_on_in_lines_that_begin_with_white_space() {
        let seen =
            names("To: a@b.example,\r\n c@d.example\r\nSubject: hi\r\n\r\nTo: x@y.example\r\n");
        assert_eq!(seen, ["To=a@b.example,\r\n c@d.example", "Subject=hi"]);
    }

    #[test]
    fn every_line_end_of_the_wire_ends_a_line() {
        for end in ["\r\n", "\n", "\r"] {
            let message = ["A: 1", " 2", "B : 3", "", "C: 4"].join(end);
            assert_eq!(names(&message), [format!("A=1{end} 2"), "B=3".into()], "{end:?}");
        }
    }

    #[test]
    fn what_is_no_field_ends_the_header() {
        assert_eq!(names("A: 1\nHello there\nTo: x@y.example\n"), ["A=1"]);
        assert_eq!(names("no colon"), [""; 0]);
        assert_eq!(names(" A: 1\n"), [""; 0]);
        assert_eq!(names(": 1\n"), [""; 0]);
        assert_eq!(names(""), [""; 0]);
        assert_eq!(names("From ann@a.example Sat Nov 21\nA: 1\n"), ["A=1"]);
    }
}
