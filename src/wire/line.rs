//! Lines: CRLF at the end, or a bare LF from servers that know no better.

use bytes::Bytes;

use super::Input;
use crate::fault::Fault;

/// One line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The text.
    pub(crate) text: Bytes,
    /// Whether it ended in CRLF, as all three protocols demand.
    pub(crate) crlf: bool,
}

/// A line at the start of the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineSpan {
    /// Octets of its text.
    pub(crate) text: usize,
    /// Octets with the line end.
    pub(crate) whole: usize,
}

impl Input {
    /// The next line, or nothing until its end has come.
    ///
    /// # Errors
    /// The line is longer than `limit` octets. The result does not depend on how the octets were
    /// cut into reads.
    pub(crate) fn line(&mut self, limit: usize) -> Result<Option<Line>, Fault> {
        let Some(LineSpan { text: length, whole }) = self.line_span(limit)? else {
            return Ok(None);
        };
        let mut text = self.cut(whole);
        text.truncate(length);
        Ok(Some(Line { text, crlf: whole == length + 2 }))
    }

    /// Where the next line ends, which stays in the buffer; otherwise like [`line`](Self::line).
    pub(crate) fn line_span(&mut self, limit: usize) -> Result<Option<LineSpan>, Fault> {
        let Some(end) = self.line_feed(0) else {
            // One octet more than the limit may be the CR of the line end.
            return if self.unread().len() > limit.saturating_add(1) {
                Err(Fault::LineTooLong { limit })
            } else {
                Ok(None)
            };
        };
        let crlf = end > 0 && self.unread().get(end - 1) == Some(&b'\r');
        let text = end - usize::from(crlf);
        if text > limit {
            return Err(Fault::LineTooLong { limit });
        }
        self.hear_line(text, 1);
        Ok(Some(LineSpan { text, whole: end + 1 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]], limit: usize) -> Vec<Result<Line, Fault>> {
        let mut input = Input::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            input.push(chunk);
            loop {
                match input.line(limit) {
                    Ok(Some(line)) => lines.push(Ok(line)),
                    Ok(None) => break,
                    Err(fault) => {
                        lines.push(Err(fault));
                        return lines;
                    }
                }
            }
        }
        lines
    }

    fn line(text: &'static str, crlf: bool) -> Result<Line, Fault> {
        Ok(Line { text: Bytes::from_static(text.as_bytes()), crlf })
    }

    #[test]
    fn lines_end_in_crlf_or_in_a_bare_line_feed() {
        assert_eq!(
            lines(&[b"+OK a\r\n-ERR b\n"], 99),
            [line("+OK a", true), line("-ERR b", false)]
        );
    }

    #[test]
    fn a_line_cut_at_every_octet_is_the_same_line() {
        let chunks: Vec<&[u8]> = b"+OK a\r\n\r\n".chunks(1).collect();
        assert_eq!(lines(&chunks, 99), [line("+OK a", true), line("", true)]);
    }

    #[test]
    fn the_limit_counts_the_text_and_does_not_depend_on_the_cut() {
        let fault = Err(Fault::LineTooLong { limit: 4 });
        assert_eq!(lines(&[b"abcd\r\n"], 4), [line("abcd", true)]);
        assert_eq!(lines(&[b"abcd", b"\r", b"\n"], 4), [line("abcd", true)]);
        assert_eq!(lines(&[b"abcde\r\n"], 4), std::slice::from_ref(&fault));
        assert_eq!(lines(&[b"abcde", b"f", b"\n"], 4), std::slice::from_ref(&fault));
        assert_eq!(lines(&[b"abcde", b"\n"], 4), [fault]);
    }

    #[test]
    fn searching_resumes_where_it_stopped() {
        let mut input = Input::default();
        input.push(&[b'x'; 1000]);
        assert_eq!(input.line_feed(0), None);
        assert_eq!(input.searched_up_to(), 1000);
        input.push(b"\n");
        assert_eq!(input.line_feed(0), Some(1000));
    }
}
