//! The send buffer.

use std::ops::Range;

use memchr::memchr3;
use zeroize::Zeroize;

#[cfg(feature = "smtp")]
use super::Lines;
use super::Said;
use crate::fault::Unwritable;
use crate::secret::Secret;

/// Octets to be sent, in the order in which they were written.
///
/// A secret is marked when it is written: the trace shows its length only, the buffer is wiped once
/// it has been sent, and a buffer of a clear-text connection refuses it.
#[derive(Debug)]
pub(crate) struct Output {
    buffer: Secret<Vec<u8>>,
    /// Octets written and sent before those in the buffer.
    gone: u64,
    /// Octets of the buffer that the socket has taken.
    sent: usize,
    /// Spans that are not shown in the trace, in order, with what is shown instead.
    hidden: Vec<(Range<usize>, Hidden)>,
    /// Octets that the trace was told of.
    shown: usize,
    /// Octets that it was told of and that did not leave.
    taken_back: usize,
    /// Octets of content that it was not told of, since they left without being in the buffer.
    passed: usize,
    /// Whether secrets may be written.
    confidential: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hidden {
    Secret,
    Content,
}

impl Output {
    /// `confidential`: the octets go through TLS, or nowhere but loopback.
    pub(crate) const fn new(confidential: bool) -> Self {
        Self {
            buffer: Secret::new(Vec::new()),
            gone: 0,
            sent: 0,
            hidden: Vec::new(),
            shown: 0,
            taken_back: 0,
            passed: 0,
            confidential,
        }
    }

    /// Writes a command line and its CRLF.
    ///
    /// # Errors
    /// The line holds CR, LF or NUL; nothing was written.
    pub(crate) fn command(&mut self, line: &[u8]) -> Result<(), Unwritable> {
        if memchr3(b'\r', b'\n', 0, line).is_some() {
            return Err(Unwritable::LineBreak);
        }
        self.make_room(line.len() + 2);
        self.buffer.expose_mut().extend_from_slice(line);
        self.buffer.expose_mut().extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Writes a command line made of `parts`, as they stand, and its CRLF.
    ///
    /// # Errors
    /// A part holds CR, LF or NUL; nothing was written.
    pub(crate) fn command_of(&mut self, parts: &[&str]) -> Result<(), Unwritable> {
        self.make_room(parts.iter().map(|part| part.len()).sum::<usize>() + 2);
        let buffer = self.buffer.expose_mut();
        let start = buffer.len();
        // Most of what may stand in a line does not.
        for part in parts.iter().filter(|part| !part.is_empty()) {
            buffer.extend_from_slice(part.as_bytes());
        }
        if memchr3(b'\r', b'\n', 0, &buffer[start..]).is_some() {
            buffer.truncate(start);
            return Err(Unwritable::LineBreak);
        }
        buffer.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Writes command lines.
    #[cfg(feature = "smtp")]
    pub(crate) fn lines(&mut self, lines: &Lines) {
        self.whole_lines(lines.with_ends());
    }

    /// Writes the n-th of them.
    #[cfg(feature = "smtp")]
    pub(crate) fn line_of(&mut self, lines: &Lines, n: usize) {
        self.whole_lines(lines.with_end(n));
    }

    #[cfg(feature = "smtp")]
    fn whole_lines(&mut self, lines: &str) {
        self.make_room(lines.len());
        self.buffer.expose_mut().extend_from_slice(lines.as_bytes());
    }

    /// Where the next line will begin, for [`take_back`](Self::take_back) and
    /// [`has_left`](Self::has_left): octets ever written.
    pub(crate) const fn mark(&self) -> u64 {
        self.gone + self.buffer.expose().len() as u64
    }

    /// Whether the socket took everything that was written before `mark`.
    pub(crate) const fn has_left(&self, mark: u64) -> bool {
        self.gone + self.sent as u64 >= mark
    }

    /// Takes back what was written since `mark`. False, and nothing is taken back, if the socket
    /// took the first octet of it already.
    pub(crate) fn take_back(&mut self, mark: u64) -> bool {
        let Some(mark) = mark.checked_sub(self.gone).and_then(|mark| usize::try_from(mark).ok())
        else {
            return false;
        };
        let buffer = self.buffer.expose_mut();
        if buffer.len() <= mark || self.sent > mark {
            return false;
        }
        buffer.truncate(mark);
        self.hidden.retain(|(span, _)| span.end <= mark);
        self.taken_back += self.shown.saturating_sub(mark);
        self.shown = self.shown.min(mark);
        true
    }

    /// Takes back everything that the socket has not taken.
    #[cfg(feature = "smtp")]
    pub(crate) fn take_back_unsent(&mut self) {
        let sent = self.mark() - self.unsent().len() as u64;
        self.take_back(sent);
    }

    /// Whether secrets may be written.
    #[cfg(feature = "imap")]
    pub(crate) const fn is_confidential(&self) -> bool {
        self.confidential
    }

    /// Writes `line` followed by a secret and CRLF.
    ///
    /// # Errors
    /// The connection is in clear text, or either part holds CR, LF or NUL; nothing was written.
    pub(crate) fn secret(
        &mut self,
        line: &[u8],
        secret: &Secret<Vec<u8>>,
    ) -> Result<(), Unwritable> {
        if !self.confidential {
            return Err(Unwritable::SecretInClearText);
        }
        let secret = secret.expose();
        if [line, secret].iter().any(|part| memchr3(b'\r', b'\n', 0, part).is_some()) {
            return Err(Unwritable::LineBreak);
        }
        self.make_room(line.len() + secret.len() + 2);
        let buffer = self.buffer.expose_mut();
        buffer.extend_from_slice(line);
        let start = buffer.len();
        buffer.extend_from_slice(secret);
        if !secret.is_empty() {
            self.hidden.push((start..start + secret.len(), Hidden::Secret));
        }
        buffer.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Writes a secret that is no line: the login of a binary protocol.
    ///
    /// # Errors
    /// The connection is in clear text; nothing was written.
    #[cfg(feature = "proxy")]
    pub(crate) fn secret_octets(&mut self, secret: &Secret<Vec<u8>>) -> Result<(), Unwritable> {
        if !self.confidential {
            return Err(Unwritable::SecretInClearText);
        }
        let secret = secret.expose();
        self.make_room(secret.len());
        let buffer = self.buffer.expose_mut();
        let start = buffer.len();
        buffer.extend_from_slice(secret);
        self.hidden.push((start..start + secret.len(), Hidden::Secret));
        Ok(())
    }

    /// Writes octets that are not a command line: a message or a literal.
    pub(crate) fn content(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let buffer = self.buffer.expose_mut();
        let start = buffer.len();
        write(buffer);
        let end = buffer.len();
        match self.hidden.last_mut() {
            Some((span, Hidden::Content)) if span.end == start => span.end = end,
            _ if end > start => self.hidden.push((start..end, Hidden::Content)),
            _ => {}
        }
    }

    /// What is still to be sent.
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.buffer.expose()[self.sent..]
    }

    /// Whether everything was taken by the socket.
    pub(crate) fn is_empty(&self) -> bool {
        self.unsent().is_empty()
    }

    /// The socket took `octets`.
    pub(crate) fn sent(&mut self, octets: usize) {
        self.sent += octets;
        if self.is_empty() {
            if self.hidden.iter().any(|(_, hidden)| *hidden == Hidden::Secret) {
                self.buffer.expose_mut().zeroize();
            }
            self.gone += self.sent as u64;
            self.buffer.expose_mut().clear();
            self.hidden.clear();
            (self.sent, self.shown) = (0, 0);
        }
    }

    /// The socket took `octets` of content from elsewhere, behind all that was in the buffer.
    pub(crate) const fn passed(&mut self, octets: usize) {
        self.gone += octets as u64;
        self.passed += octets;
    }

    /// What was written since the last call, for the trace: secrets and content by their length.
    pub(crate) fn take_said(&mut self) -> Vec<Said> {
        let buffer = self.buffer.expose();
        let mut said = Vec::new();
        let text = |said: &mut Vec<Said>, text: &[u8]| {
            if !text.is_empty() {
                said.push(Said::Text(text.to_vec()));
            }
        };
        let back = std::mem::take(&mut self.taken_back);
        if back > 0 {
            said.push(Said::TakenBack(back));
        }
        let passed = std::mem::take(&mut self.passed);
        if passed > 0 {
            said.push(Said::Content(passed));
        }
        let mut at = self.shown;
        for (span, hidden) in &self.hidden {
            if span.end <= at {
                continue;
            }
            let start = span.start.max(at);
            text(&mut said, &buffer[at..start]);
            let octets = span.end - start;
            said.push(match hidden {
                Hidden::Secret => Said::Secret(octets),
                Hidden::Content => Said::Content(octets),
            });
            at = span.end;
        }
        text(&mut said, &buffer[at..]);
        self.shown = buffer.len();
        said
    }

    /// Makes room without leaving a copy of a secret behind in freed memory.
    fn make_room(&mut self, octets: usize) {
        let buffer = self.buffer.expose_mut();
        if buffer.capacity() - buffer.len() < octets {
            // A buffer that is large already is not doubled for a line.
            let more = buffer.capacity().min(16 * 1024);
            let wanted = (buffer.len() + octets).max(buffer.capacity() + more).max(512);
            let mut larger = Vec::with_capacity(wanted);
            larger.extend_from_slice(buffer);
            std::mem::swap(buffer, &mut larger);
            if !self.hidden.is_empty() {
                larger.zeroize();
            }
        }
    }
}

#[cfg(test)]
impl Output {
    /// What was written since the last call, as the trace shows it.
    pub(crate) fn show(&mut self) -> Vec<String> {
        super::heard::lines(&self.take_said())
    }

    /// What the buffer takes of memory.
    pub(crate) fn capacity(&self) -> usize {
        self.buffer.expose().capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_cannot_carry_a_second_one() {
        let mut output = Output::new(true);
        for line in [&b"NOOP\r\nQUIT"[..], b"NOOP\n", b"NO\0OP"] {
            assert_eq!(output.command(line), Err(Unwritable::LineBreak));
        }
        assert!(output.is_empty());
    }

    #[test]
    fn a_clear_text_buffer_refuses_a_secret() {
        let mut output = Output::new(false);
        let refused = output.secret(b"AUTH PLAIN ", &Secret::new(b"AGEAYg==".to_vec()));
        assert_eq!(refused, Err(Unwritable::SecretInClearText));
        assert!(output.is_empty());
    }

    #[test]
    fn the_trace_shows_secrets_and_content_by_length() {
        let mut output = Output::new(true);
        output.command(b"NOOP").unwrap();
        output.secret(b"AUTH XOAUTH2 ", &Secret::new(b"dXNlcg==".to_vec())).unwrap();
        assert_eq!(output.show(), ["NOOP", "AUTH XOAUTH2 [secret, 8 octets]"]);
        output.content(|buffer| buffer.extend_from_slice(b"Subject: x\r\n\r\nhello\r\n.\r\n"));
        assert_eq!(output.show(), ["[content, 24 octets]"]);
        assert_eq!(output.show(), Vec::<String>::new());
    }

    #[test]
    fn a_command_of_parts_is_one_line() {
        let mut output = Output::new(true);
        assert_eq!(output.command_of(&["MAIL FROM:<", "a\nb", ">"]), Err(Unwritable::LineBreak));
        assert!(output.is_empty());
        output.command_of(&["MAIL FROM:<", "a@b", ">"]).unwrap();
        assert_eq!(output.unsent(), b"MAIL FROM:<a@b>\r\n");
    }

    #[test]
    fn a_line_is_taken_back_until_its_first_octet_left() {
        for sent in 0..=b"MAIL\r\nDATA\r\n".len() {
            let mut output = Output::new(true);
            output.command(b"MAIL").unwrap();
            let mark = output.mark();
            output.command(b"DATA").unwrap();
            output.sent(sent);
            let left = output.unsent().to_vec();
            assert_eq!(output.take_back(mark), sent <= 6, "{sent}");
            let expected = if sent <= 6 { &b"MAIL\r\n"[sent..] } else { &left };
            assert_eq!(output.unsent(), expected);
            assert!(!output.take_back(mark));
        }
    }

    #[cfg(feature = "smtp")]
    #[test]
    fn content_that_passes_by_has_left_and_is_shown() {
        let mut output = Output::new(true);
        output.command(b"DATA").unwrap();
        let mark = output.mark();
        assert_eq!(output.show(), ["DATA"]);
        output.sent(6);
        output.passed(1000);
        output.content(|buffer| buffer.extend_from_slice(b"x\r\n.\r\n"));
        assert!(output.has_left(mark + 1000) && !output.has_left(output.mark()));
        assert!(!output.take_back(mark));
        assert_eq!(output.show(), ["[content, 1000 octets]", "[content, 6 octets]"]);
    }

    #[test]
    fn it_is_known_what_has_left_though_the_buffer_begins_anew() {
        let mut output = Output::new(true);
        output.command(b"MAIL").unwrap();
        let first = output.mark();
        output.command(b"DATA").unwrap();
        let second = output.mark();
        assert!(!output.has_left(first));
        output.sent(6);
        assert!(output.has_left(first) && !output.has_left(second));
        output.sent(6);
        output.command(b"NOOP").unwrap();
        assert!(output.has_left(second) && !output.has_left(output.mark()));
        assert!(!output.take_back(first));
        assert_eq!(output.unsent(), b"NOOP\r\n");
    }

    #[test]
    fn what_the_socket_took_is_not_sent_again() {
        let mut output = Output::new(true);
        output.command(b"NOOP").unwrap();
        output.sent(3);
        assert_eq!(output.unsent(), b"P\r\n");
        output.sent(3);
        assert!(output.is_empty());
    }
}
