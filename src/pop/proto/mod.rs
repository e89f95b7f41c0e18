//! The POP3 core: cuts responses, knows what is in flight, carries the SASL exchange.
//!
//! Commands are answered in the order in which they were sent. Each leaves in the queue what its
//! answer looks like, so that an answer whose reader is gone is still read to its end.
//!
//! ```text
//!            status line                   +OK of a multi-line command
//!   Status ───────────────► Event::Response      Status ───► Text ──── lone dot ───► Event::Response
//! ```

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::Reply;
use crate::Limits;
use crate::fault::{Fault, Unwritable};
use crate::machine::{Abandon, Machine, Wait};
use crate::sasl;
use crate::secret::Scrubber;
use crate::wire::dot::Unstuffer;
use crate::wire::{Input, Output};

/// What the answer to a command looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The server's first line.
    Greeting,
    /// A status line.
    Line,
    /// A status line and, if it is `+OK`, lines up to a lone dot.
    Listing,
    /// The same with a message.
    Message,
    /// The SASL exchange up to its final status line.
    Sasl,
    /// A status line that nothing asked for, before the server closes.
    Farewell,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) reply: Reply,
    /// The lines behind a `+OK` of a multi-line command, unstuffed; empty otherwise.
    pub(crate) text: Bytes,
}

/// The core.
pub(crate) struct Core {
    input: Input,
    output: Output,
    limits: Limits,
    queue: VecDeque<Pending>,
    /// The multi-line answer that is being read.
    text: Option<Text>,
    session: Option<sasl::Session>,
    scrubber: Scrubber,
    /// Something the server said without being asked, usually before it closes.
    last_words: Option<Reply>,
    turn: u32,
}

struct Pending {
    shape: Shape,
    /// Nobody waits for the answer any longer.
    abandoned: bool,
}

struct Text {
    reply: Reply,
    unstuffer: Unstuffer,
    octets: BytesMut,
    /// Including what an abandoned answer has thrown away.
    length: u64,
}

impl Core {
    /// `confidential`: secrets may be written.
    pub(crate) fn new(limits: Limits, confidential: bool) -> Self {
        Self {
            input: Input::default(),
            output: Output::new(confidential),
            limits,
            queue: VecDeque::new(),
            text: None,
            session: None,
            scrubber: Scrubber::default(),
            last_words: None,
            turn: 0,
        }
    }

    /// Waits for the greeting.
    pub(crate) fn expect_greeting(&mut self) {
        self.queue.push_back(Pending { shape: Shape::Greeting, abandoned: false });
    }

    /// Writes a command.
    ///
    /// # Errors
    /// The line holds CR, LF or NUL; nothing was written.
    pub(crate) fn start(&mut self, line: &[u8], shape: Shape) -> Result<(), Unwritable> {
        self.output.command(line)?;
        self.queue.push_back(Pending { shape, abandoned: false });
        self.turn = self.turn.wrapping_add(1);
        Ok(())
    }

    /// Begins the SASL exchange. The initial response goes on a line of its own unless `inline`
    /// (RFC 5034 section 4).
    ///
    /// # Errors
    /// The connection is in clear text; nothing was written.
    pub(crate) fn authenticate(
        &mut self,
        mut session: sasl::Session,
        inline: bool,
    ) -> Result<(), Unwritable> {
        let line = format!("AUTH {}", session.mechanism());
        match session.initial_response().filter(|_| inline) {
            Some(response) => {
                self.output.secret(format!("{line} ").as_bytes(), response)?;
                session.initial_response_sent();
            }
            None => self.output.command(line.as_bytes())?,
        }
        self.scrubber = session.scrubber();
        self.session = Some(session);
        self.queue.push_back(Pending { shape: Shape::Sasl, abandoned: false });
        Ok(())
    }

    /// The login of this connection, to tell why it failed.
    pub(crate) const fn session(&self) -> Option<&sasl::Session> {
        self.session.as_ref()
    }

    /// Knows the secrets of this connection.
    pub(crate) const fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    pub(crate) const fn last_words(&self) -> Option<&Reply> {
        self.last_words.as_ref()
    }

    /// While the SASL exchange runs, the octets of the credential.
    pub(crate) fn credential_octets(&self) -> Option<usize> {
        let running = self.queue.front().is_some_and(|pending| pending.shape == Shape::Sasl);
        self.session.as_ref().filter(|_| running).map(sasl::Session::credential_len)
    }

    /// Whether a command would be answered by what came before it was sent.
    ///
    /// # Errors
    /// Octets are there that no command asked for.
    pub(crate) fn check_quiet(&mut self) -> Result<(), Fault> {
        self.unasked()?;
        match self.input.unread() {
            [] => Ok(()),
            // The first half of a farewell. The rest is waited for as for an answer.
            [b'-', ..] => {
                self.queue.push_back(Pending { shape: Shape::Farewell, abandoned: false });
                Ok(())
            }
            unread => Err(Fault::unexpected("nothing, as no command was sent", unread)),
        }
    }

    /// Octets received and not understood yet.
    pub(crate) fn unread(&self) -> usize {
        self.input.unread().len()
    }

    /// Reads on in the answer to the first command of the queue.
    fn read(&mut self, shape: Shape) -> Result<Option<Response>, Fault> {
        if self.text.is_some() {
            return self.read_text(shape);
        }
        let Some(line) = self.input.line(self.limits.line)? else { return Ok(None) };
        if shape == Shape::Sasl && line.text.first() == Some(&b'+') {
            // `+ challenge`; a bare `+` is the same as `+ ` (Microsoft's own documentation).
            if !line.text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"+OK")) {
                return self.challenged(line.text[1..].trim_ascii()).map(|()| None);
            }
        }
        let Some(reply) = Reply::parse(&self.scrubber.clean_str(&line.text)) else {
            let got = self.scrubber.clean(&line.text);
            return Err(Fault::unexpected("+OK or -ERR", &got));
        };
        if reply.is_ok() && matches!(shape, Shape::Listing | Shape::Message) {
            self.text = Some(Text {
                reply,
                unstuffer: Unstuffer::new(line.crlf),
                octets: BytesMut::new(),
                length: 0,
            });
            return self.read_text(shape);
        }
        Ok(Some(Response { reply, text: Bytes::new() }))
    }

    fn read_text(&mut self, shape: Shape) -> Result<Option<Response>, Fault> {
        let limit = match shape {
            Shape::Message => self.limits.literal,
            _ => self.limits.response as u64,
        };
        let abandoned = self.queue.front().is_some_and(|pending| pending.abandoned);
        let Some(text) = &mut self.text else { return Ok(None) };
        let before = text.octets.len();
        let done = text.unstuffer.read(&mut self.input, &mut text.octets);
        text.length += (text.octets.len() - before) as u64;
        if text.length > limit {
            return Err(Fault::ResponseTooLong { limit, unit: "octets" });
        }
        if abandoned {
            text.octets.clear();
        }
        if !done {
            return Ok(None);
        }
        Ok(self.text.take().map(|text| {
            self.input.hear(|| match shape {
                Shape::Message => format!("[message, {} octets]", text.length),
                _ => String::from_utf8_lossy(&text.octets).trim_end().to_owned(),
            });
            Response { reply: text.reply, text: text.octets.freeze() }
        }))
    }

    /// What the server says at rest: the reason why it is about to close, and nothing else. Anything
    /// else would be taken for the answer to the next command.
    fn unasked(&mut self) -> Result<(), Fault> {
        while let Some(line) = self.input.line(self.limits.line)? {
            match Reply::parse(&self.scrubber.clean_str(&line.text)) {
                Some(reply) if !reply.is_ok() => self.last_words = Some(reply),
                _ => {
                    let got = self.scrubber.clean(&line.text);
                    return Err(Fault::unexpected("nothing, as no command was sent", &got));
                }
            }
        }
        Ok(())
    }

    fn challenged(&mut self, challenge: &[u8]) -> Result<(), Fault> {
        let Some(session) = &mut self.session else {
            return Err(Fault::unexpected("+OK or -ERR", challenge));
        };
        let answer = session.respond(challenge).map_err(|_| Fault::EndlessChallenge)?;
        // A response that cannot be written was refused when the exchange began.
        self.output.secret(b"", &answer).map_err(|_| Fault::EndlessChallenge)
    }
}

impl Machine for Core {
    type Event = Response;

    fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    fn poll(&mut self) -> Result<Option<Response>, Fault> {
        loop {
            let Some(shape) = self.queue.front().map(|pending| pending.shape) else {
                // Not asked for: `-ERR` before an idle connection is closed.
                return self.unasked().map(|()| None);
            };
            let unread = self.unread();
            if let Some(response) = self.read(shape)? {
                self.queue.pop_front();
                if shape == Shape::Farewell {
                    self.last_words = Some(response.reply.clone());
                }
                return Ok(Some(response));
            }
            // Something was taken, so it was a challenge, and more may wait behind it.
            if self.text.is_some() || self.unread() == unread {
                return Ok(None);
            }
        }
    }

    fn eof(&mut self) {
        let rest = self.input.cut_all();
        if let Some(reply) = Reply::parse(&self.scrubber.clean_str(rest.trim_ascii())) {
            self.last_words = Some(reply);
        }
    }

    fn wait(&self) -> Wait {
        match self.queue.front().map(|pending| pending.shape) {
            None => Wait::Rest,
            Some(Shape::Greeting) => Wait::Greeting,
            Some(Shape::Sasl) => Wait::Sasl,
            Some(_) if self.text.is_some() => Wait::Transfer,
            Some(_) => Wait::Reply(self.turn),
        }
    }

    fn in_flight(&self) -> bool {
        !self.queue.is_empty()
    }

    fn abandon(&mut self) -> Abandon {
        for pending in &mut self.queue {
            if matches!(pending.shape, Shape::Sasl | Shape::Greeting) {
                return Abandon::Close;
            }
            pending.abandoned = true;
        }
        Abandon::Drain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A core that has sent `commands` and hears `octets` in pieces of `chunk`; what it reports.
    fn heard(
        commands: &[(&str, Shape)],
        octets: &[u8],
        chunk: usize,
    ) -> Result<Vec<Response>, Fault> {
        let mut core = Core::new(Limits::default(), true);
        for (line, shape) in commands {
            core.start(line.as_bytes(), *shape).unwrap();
        }
        let mut responses = Vec::new();
        for piece in octets.chunks(chunk) {
            core.input.push(piece);
            while let Some(response) = core.poll()? {
                responses.push(response);
            }
        }
        assert_eq!(core.in_flight(), responses.len() < commands.len());
        Ok(responses)
    }

    fn response(reply: &str, text: &'static str) -> Response {
        Response { reply: Reply::parse(reply).unwrap(), text: Bytes::from_static(text.as_bytes()) }
    }

    #[test]
    fn each_command_gets_its_own_answer_however_the_octets_are_cut() {
        let commands =
            [("RETR 1", Shape::Message), ("DELE 9", Shape::Line), ("UIDL", Shape::Listing)];
        let octets = b"+OK\r\na\r\n..b\r\n.\r\n-ERR no such message\r\n+OK\r\n1 x\r\n.\r\n";
        for chunk in [1, 2, 3, 7, octets.len()] {
            assert_eq!(
                heard(&commands, octets, chunk).unwrap(),
                [
                    response("+OK", "a\r\n.b\r\n"),
                    response("-ERR no such message", ""),
                    response("+OK", "1 x\r\n"),
                ]
            );
        }
    }

    #[test]
    fn a_refused_multi_line_command_has_no_lines() {
        let commands = [("RETR 1", Shape::Message), ("NOOP", Shape::Line)];
        let responses = heard(&commands, b"-ERR no\r\n+OK\r\n", 1).unwrap();
        assert_eq!(responses, [response("-ERR no", ""), response("+OK", "")]);
    }

    #[test]
    fn a_line_that_is_no_status_line_breaks_the_protocol() {
        let fault = heard(&[("NOOP", Shape::Line)], b"* OK hi\r\n", 1).unwrap_err();
        assert_eq!(fault, Fault::unexpected("+OK or -ERR", b"* OK hi"));
    }

    fn authenticating(inline: bool) -> Core {
        let mut core = Core::new(Limits::default(), true);
        let session = sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap();
        core.authenticate(session, inline).unwrap();
        core
    }

    fn sent(core: &mut Core) -> String {
        let text = String::from_utf8(core.output.unsent().to_vec()).unwrap();
        let octets = text.len();
        core.output.sent(octets);
        text
    }

    #[test]
    fn authentication_takes_two_lines() {
        let mut core = authenticating(false);
        assert_eq!(sent(&mut core), "AUTH XOAUTH2\r\n");
        core.input.push(b"+\r\n");
        assert_eq!(core.poll(), Ok(None));
        assert_eq!(sent(&mut core), "dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUAQE=\r\n");
        core.input.push(b"+OK User successfully authenticated.\r\n");
        assert!(core.poll().unwrap().unwrap().reply.is_ok());
    }

    #[test]
    fn a_challenge_behind_the_token_is_answered_with_an_empty_line_and_kept() {
        let mut core = authenticating(true);
        assert_eq!(sent(&mut core), "AUTH XOAUTH2 dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUAQE=\r\n");
        core.input.push(b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n");
        assert_eq!(core.poll(), Ok(None));
        assert_eq!(sent(&mut core), "\r\n");
        core.input.push(b"-ERR [AUTH] Invalid credentials.\r\n");
        assert_eq!(
            core.poll().unwrap().unwrap().reply.code(),
            Some(&crate::pop::ResponseCode::Auth)
        );
        assert_eq!(core.session().unwrap().challenge().unwrap().status(), Some("400"));
    }

    #[test]
    fn an_endless_challenge_is_a_fault() {
        let mut core = authenticating(true);
        core.input.push(b"+ \r\n+ \r\n");
        assert_eq!(core.poll(), Err(Fault::EndlessChallenge));
    }

    #[test]
    fn an_abandoned_exchange_costs_the_connection_and_an_abandoned_command_does_not() {
        assert_eq!(authenticating(false).abandon(), Abandon::Close);
        let mut core = Core::new(Limits::default(), true);
        core.start(b"RETR 1", Shape::Message).unwrap();
        assert_eq!(core.abandon(), Abandon::Drain);
        core.input.push(b"+OK\r\nabc\r\n.\r\n");
        assert_eq!(core.poll().unwrap().unwrap().text, "", "what nobody reads is not kept");
    }

    #[test]
    fn a_clear_text_core_does_not_write_the_token() {
        let mut core = Core::new(Limits::default(), false);
        let session = sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap();
        assert_eq!(core.authenticate(session, true), Err(Unwritable::SecretInClearText));
        assert!(core.output.is_empty());
    }

    #[test]
    fn what_the_server_says_before_it_closes_is_kept_even_without_a_line_end() {
        let mut core = Core::new(Limits::default(), true);
        core.input.push(b"-ERR autologout");
        assert_eq!(core.poll(), Ok(None));
        core.eof();
        assert_eq!(core.last_words().unwrap().text(), "autologout");
    }
}
