//! The POP3 core: cuts responses, knows what is in flight, carries the SASL exchange.
//!
//! Commands are answered in the order in which they were sent. Each leaves in the queue what its
//! answer looks like, so that an answer whose reader is gone is still read to its end.
//!
//! ```text
//!            status line                   +OK of a multi-line command
//!   Status ───────────────► Event::Response      Status ───► Text ──── lone dot ───► Event::Response
//!
//!            +OK of a streamed message                     octets                lone dot
//!   Status ──────────────────────────► Event::Response, Text ───► Event::Piece … ───► Event::End
//! ```

mod text;

use std::collections::VecDeque;

use bytes::Bytes;

use self::text::Text;
use super::Reply;
use crate::Limits;
use crate::fault::{Fault, Unwritable};
use crate::machine::{Abandon, Machine, Wait};
use crate::sasl;
use crate::secret::Scrubber;
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
    /// The same with what the server offers.
    Capabilities,
    /// The same with a message.
    Message,
    /// The same with a message that is passed on in pieces as it comes.
    Stream,
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
    /// They were more octets than the limit, which follows, and are thrown away.
    pub(crate) too_large: Option<(u64, u64)>,
}

impl Response {
    const fn line(reply: Reply) -> Self {
        Self { reply, text: Bytes::new(), too_large: None }
    }
}

/// What the core reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A whole answer; of a streamed message, its status line.
    Response(Response),
    /// The next octets of a streamed message.
    Piece(Bytes),
    /// A streamed message is over.
    End,
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
    /// USER went out, and PASS follows once it was accepted.
    pass_follows: bool,
    scrubber: Scrubber,
    /// Something the server said without being asked, usually before it closes.
    last_words: Option<Reply>,
    /// Answers read, so that each is waited for as long as the first.
    turn: u32,
}

struct Pending {
    shape: Shape,
    /// Where in what is written the command ends. Nothing that comes before that has left is its
    /// answer.
    due_at: u64,
    /// Nobody waits for the answer any longer.
    abandoned: bool,
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
            pass_follows: false,
            scrubber: Scrubber::default(),
            last_words: None,
            turn: 0,
        }
    }

    /// Waits for the greeting.
    pub(crate) fn expect_greeting(&mut self) {
        self.expect(Shape::Greeting, 0);
    }

    /// Writes a command.
    ///
    /// # Errors
    /// The line holds CR, LF or NUL; nothing was written.
    pub(crate) fn start(&mut self, line: &[u8], shape: Shape) -> Result<(), Unwritable> {
        self.output.command(line)?;
        self.expect(shape, self.output.mark());
        Ok(())
    }

    fn expect(&mut self, shape: Shape, due_at: u64) {
        self.queue.push_back(Pending { shape, due_at, abandoned: false });
    }

    /// Begins the login: the SASL exchange, whose initial response goes on a line of its own unless
    /// `inline` (RFC 5034 section 4), or USER and PASS.
    ///
    /// # Errors
    /// The connection is in clear text; nothing was written.
    pub(crate) fn authenticate(
        &mut self,
        mut session: sasl::Session,
        inline: bool,
    ) -> Result<(), Unwritable> {
        // It may be refused before all of it has left.
        let due_at = self.output.mark() + 1;
        let line = format!("AUTH {}", session.mechanism());
        if let Some((user, _)) = session.by_user_pass() {
            self.output.command(format!("USER {user}").as_bytes())?;
            self.pass_follows = true;
        } else if let Some(response) = session.initial_response().filter(|_| inline) {
            self.output.secret(format!("{line} ").as_bytes(), response)?;
            session.initial_response_sent();
        } else {
            self.output.command(line.as_bytes())?;
        }
        self.scrubber = session.scrubber();
        self.session = Some(session);
        self.expect(Shape::Sasl, due_at);
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
                self.expect(Shape::Farewell, 0);
                Ok(())
            }
            unread => {
                let got = self.scrubber.clean(unread);
                Err(Fault::unexpected("nothing, as no command was sent", &got))
            }
        }
    }

    /// Octets received and not understood yet.
    pub(crate) fn unread(&self) -> usize {
        self.input.unread().len()
    }

    /// Reads on in the answer to the first command of the queue.
    fn read(&mut self, shape: Shape) -> Result<Option<Event>, Fault> {
        if self.text.is_some() {
            return self.read_text();
        }
        let Some(line) = self.input.line(self.limits.line)? else { return Ok(None) };
        if shape == Shape::Sasl && line.text.first() == Some(&b'+') {
            if !self.output.is_empty() {
                let got = self.scrubber.clean(&line.text);
                return Err(Fault::unexpected("no answer before the login was sent", &got));
            }
            // `+ challenge`; a bare `+` is the same as `+ ` (Microsoft's own documentation).
            if !line.text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"+OK")) {
                return self.challenged(line.text[1..].trim_ascii()).map(|()| None);
            }
        }
        let Some(reply) = Reply::parse(&self.scrubber.clean_str(&line.text)) else {
            let got = self.scrubber.clean(&line.text);
            return Err(Fault::unexpected("+OK or -ERR", &got));
        };
        if reply.is_ok() && std::mem::take(&mut self.pass_follows) {
            return self.user_accepted().map(|()| None);
        }
        if !reply.is_ok() {
            return Ok(Some(Event::Response(Response::line(reply))));
        }
        match shape {
            Shape::Listing | Shape::Capabilities | Shape::Message => {
                let input = &mut self.input;
                self.text = Some(Text::whole(reply, shape, &self.limits, line.crlf, input));
                self.read_text()
            }
            Shape::Stream => {
                self.text = Some(Text::streamed(line.crlf));
                Ok(Some(Event::Response(Response::line(reply))))
            }
            _ => Ok(Some(Event::Response(Response::line(reply)))),
        }
    }

    fn read_text(&mut self) -> Result<Option<Event>, Fault> {
        let abandoned = self.queue.front().is_some_and(|pending| pending.abandoned);
        let Some(text) = &mut self.text else { return Ok(None) };
        let event = text.read(&mut self.input, abandoned)?;
        if matches!(event, Some(Event::Response(_) | Event::End)) {
            self.text = None;
        }
        Ok(event)
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

    fn user_accepted(&mut self) -> Result<(), Fault> {
        let Some((_, password)) = self.session.as_ref().and_then(sasl::Session::by_user_pass)
        else {
            return Ok(());
        };
        // What cannot be written was refused before the connection was opened.
        self.output.secret(b"PASS ", password).map_err(|_| Fault::EndlessChallenge)
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
    type Event = Event;

    fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    fn poll(&mut self) -> Result<Option<Event>, Fault> {
        loop {
            let asked = self.queue.front().filter(|first| self.output.has_left(first.due_at));
            let Some(shape) = asked.map(|pending| pending.shape) else {
                // Not asked for: `-ERR` before an idle connection is closed.
                return self.unasked().map(|()| None);
            };
            let unread = self.unread();
            if let Some(event) = self.read(shape)? {
                if self.text.is_none() {
                    self.queue.pop_front();
                    self.turn = self.turn.wrapping_add(1);
                }
                if let (Shape::Farewell, Event::Response(farewell)) = (shape, &event) {
                    self.last_words = Some(farewell.reply.clone());
                }
                return Ok(Some(event));
            }
            // Something was taken, so it was a challenge, and more may wait behind it.
            if self.text.is_some() || self.unread() == unread {
                return Ok(None);
            }
        }
    }

    fn eof(&mut self) {
        // Half a message is no last word.
        if self.text.is_some() {
            return;
        }
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
mod tests;
