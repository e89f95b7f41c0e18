//! Command lines made before they are sent.

use memchr::memchr3;

use crate::fault::Unwritable;

/// Command lines, one behind the other, each with its CRLF.
///
/// What could end one early is looked for here and not again when they are written, however often
/// that is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    text: String,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl Lines {
    /// Adds a line made of `parts`, as they stand.
    ///
    /// # Errors
    /// A part holds CR, LF or NUL; nothing was added.
    pub(crate) fn push(&mut self, parts: &[&str]) -> Result<(), Unwritable> {
        if parts.iter().any(|part| memchr3(b'\r', b'\n', 0, part.as_bytes()).is_some()) {
            return Err(Unwritable::LineBreak);
        }
        self.starts.push(self.text.len());
        self.text.extend(parts.iter().copied().chain(["\r\n"]));
        Ok(())
    }

    /// Adds the n-th line of others.
    pub(crate) fn push_from(&mut self, others: &Self, n: usize) {
        self.starts.push(self.text.len());
        self.text.push_str(others.with_end(n));
    }

    pub(crate) const fn len(&self) -> usize {
        self.starts.len()
    }

    /// The n-th line without its CRLF.
    pub(crate) fn get(&self, n: usize) -> &str {
        let line = self.with_end(n);
        line.strip_suffix("\r\n").unwrap_or(line)
    }

    /// The n-th line; nothing if there is none.
    pub(super) fn with_end(&self, n: usize) -> &str {
        let start = |n: usize| self.starts.get(n).copied().unwrap_or(self.text.len());
        self.text.get(start(n)..start(n + 1)).unwrap_or_default()
    }

    /// All of them.
    pub(super) fn with_ends(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_with_their_ends() {
        let mut lines = Lines::default();
        lines.push(&["RCPT TO:<", "ann@a.example", ">"]).unwrap();
        lines.push(&["DATA"]).unwrap();
        assert_eq!(lines.with_ends(), "RCPT TO:<ann@a.example>\r\nDATA\r\n");
        assert_eq!(
            (lines.get(0), lines.get(1), lines.get(2)),
            ("RCPT TO:<ann@a.example>", "DATA", "")
        );
        let mut some = Lines::default();
        some.push_from(&lines, 1);
        assert_eq!((some.with_ends(), some.len()), ("DATA\r\n", 1));
    }

    #[test]
    fn a_line_cannot_hold_a_second_one() {
        let mut lines = Lines::default();
        for part in ["a\rb", "a\nb", "a\0b", "\r\n"] {
            assert_eq!(lines.push(&["RSET", part]), Err(Unwritable::LineBreak));
        }
        assert_eq!(lines, Lines::default());
    }
}
