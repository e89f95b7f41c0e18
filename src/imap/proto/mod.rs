//! The IMAP core: cuts and sorts responses, knows what is in flight, keeps the state of the
//! session, carries the SASL exchange. No IO.
//!
//! ```text
//!            greeting ─────────────────────────► Step::Greeting
//!            + …      next piece of a command, or the SASL session's answer
//!            tag …    ends the command ────────► Step::Done
//!   frame ─► * data   state of the session: CAPABILITY, EXISTS, RECENT, FLAGS, response codes
//!            * data   claimed by a command in flight ─► Step::Data
//!            * data   claimed by nobody, or unparsed ─► the events
//! ```
//!
//! A command leaves its tag and what it claims in the queue. If its future is dropped, the next
//! command reads on to the tagged answer; what the dropped one claims is thrown away, and all the
//! rest has its effect. The changes a command makes to the session ([`Effect`]) happen here for the
//! same reason: a dropped SELECT may well have selected.

pub(crate) mod code;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod response;
pub(crate) mod selected;

use std::collections::VecDeque;

use bytes::Bytes;
use memchr::memchr3;

use self::decode::{Malformed, parse_u32};
use self::encode::{Line, Literals, Piece};
use self::response::{Condition, Response};
use self::selected::Selected;
use super::event::{Data, Event, Events};
use super::types::{Capabilities, MailboxName, Message};
use super::{Code, Reply, Status};
use crate::Limits;
use crate::fault::{Fault, Unwritable};
use crate::machine::{Abandon, Machine, Wait};
use crate::sasl;
use crate::secret::Scrubber;
use crate::wire::literal::{FrameLimits, Framer};
use crate::wire::{Input, Output};

/// The tag of a command: `A` and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag(u32);

/// What the core reports.
#[derive(Debug)]
pub(crate) enum Step {
    /// The server's first line.
    Greeting(Reply),
    /// Untagged data that the command with this tag claims.
    Data { tag: Tag, frame: Bytes },
    /// The tagged answer.
    Done { tag: Tag, reply: Reply },
    /// Something for a command that nobody waits for.
    Discarded,
    /// The server says goodbye again and again, and does not go (Yandex, MailKit#938).
    Gone,
}

/// What a command does to the session beyond its own answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// Its data may go on for long, and are handed on as they come.
    Stream,
    /// It carries a message, which may take long.
    Upload,
    /// Selects a mailbox.
    Select { name: MailboxName, read_only: bool },
    /// Leaves the selected mailbox.
    Unselect,
    /// Asks for TLS.
    StartTls,
    /// Logs in.
    Authenticate,
    /// Says goodbye.
    Logout,
}

/// Which untagged data a command takes for itself.
pub(crate) type Claims = fn(&Response<'_>) -> bool;

/// The core.
pub(crate) struct Core {
    input: Input,
    output: Output,
    framer: Framer,
    frame_limits: FrameLimits,
    /// What is not written yet of the commands in flight.
    pieces: VecDeque<Piece>,
    queue: VecDeque<Pending>,
    greeting_expected: bool,
    session: Option<sasl::Session>,
    scrubber: Scrubber,
    capabilities: Capabilities,
    /// How often the server has named its capabilities.
    capabilities_named: u32,
    selected: Option<Selected>,
    /// The mailbox that a SELECT in flight will select.
    entering: Option<Selected>,
    /// The mailbox that a CLOSE in flight will leave.
    leaving: Option<Selected>,
    events: Events,
    last_words: Option<Reply>,
    goodbyes: u32,
    tags: u32,
    /// Grows with everything that gives a wait its whole time anew.
    turn: u32,
}

#[derive(Debug)]
struct Pending {
    tag: Tag,
    claims: Claims,
    effect: Effect,
    /// Nobody waits for the answer any longer.
    abandoned: bool,
}

impl Core {
    /// As much of a message is put into the send buffer at a time.
    const CHUNK: usize = 64 * 1024;

    /// `confidential`: secrets may be written.
    pub(crate) fn new(limits: &Limits, confidential: bool) -> Self {
        Self {
            input: Input::default(),
            output: Output::new(confidential),
            framer: Framer::default(),
            frame_limits: FrameLimits {
                status: limits.line,
                text: limits.response,
                literal: limits.literal,
            },
            pieces: VecDeque::new(),
            queue: VecDeque::new(),
            greeting_expected: false,
            session: None,
            scrubber: Scrubber::default(),
            capabilities: Capabilities::default(),
            capabilities_named: 0,
            selected: None,
            entering: None,
            leaving: None,
            events: Events::new(limits.events, limits.response),
            last_words: None,
            goodbyes: 0,
            tags: 0,
            turn: 0,
        }
    }

    /// Waits for the greeting.
    pub(crate) const fn expect_greeting(&mut self) {
        self.greeting_expected = true;
    }

    /// A command to be written and given to [`start`](Self::start).
    pub(crate) fn line(&self) -> Line {
        Line::new(Literals::of(&self.capabilities))
    }

    /// Sends a command.
    ///
    /// # Errors
    /// A line of it holds CR, LF or NUL; nothing was written.
    pub(crate) fn start(
        &mut self,
        line: Line,
        claims: Claims,
        effect: Effect,
    ) -> Result<Tag, Unwritable> {
        let mut pieces = line.finish();
        let breaks = |piece: &Piece| match piece {
            Piece::Line(line) => memchr3(b'\r', b'\n', 0, line).is_some(),
            Piece::Literal(_) | Piece::Wait => false,
        };
        if pieces.iter().any(breaks) {
            return Err(Unwritable::LineBreak);
        }
        let tag = self.enqueue(claims, effect);
        if let Some(Piece::Line(line)) = pieces.first_mut() {
            line.splice(..0, format!("A{} ", tag.0).into_bytes());
        }
        self.pieces.extend(pieces);
        self.pump();
        Ok(tag)
    }

    /// Begins the SASL exchange, with the initial response on the command line if `inline` (RFC
    /// 4959).
    ///
    /// # Errors
    /// The connection is in clear text; nothing was written.
    pub(crate) fn authenticate(
        &mut self,
        mut session: sasl::Session,
        inline: bool,
    ) -> Result<Tag, Unwritable> {
        let line = format!("A{} AUTHENTICATE {}", self.tags + 1, session.mechanism());
        match session.initial_response().filter(|_| inline) {
            Some(response) => {
                self.output.secret(format!("{line} ").as_bytes(), response)?;
                session.initial_response_sent();
            }
            None => self.output.command(line.as_bytes())?,
        }
        self.scrubber = session.scrubber();
        self.session = Some(session);
        Ok(self.enqueue(|_| false, Effect::Authenticate))
    }

    fn enqueue(&mut self, claims: Claims, effect: Effect) -> Tag {
        self.tags = self.tags.wrapping_add(1);
        self.turn = self.turn.wrapping_add(1);
        // From here on nothing is taken to be selected, so that no command can be meant for one
        // mailbox and reach another, should this future be dropped.
        match &effect {
            Effect::Select { name, read_only } => {
                self.selected = None;
                self.entering = Some(Selected::new(name.clone(), *read_only));
                self.events.forget_messages();
            }
            Effect::Unselect => {
                self.leaving = self.selected.take();
                self.events.forget_messages();
            }
            _ => {}
        }
        let tag = Tag(self.tags);
        self.queue.push_back(Pending { tag, claims, effect, abandoned: false });
        tag
    }

    /// The login of this connection, to tell why it failed.
    pub(crate) const fn session(&self) -> Option<&sasl::Session> {
        self.session.as_ref()
    }

    pub(crate) const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// How often the server has named its capabilities.
    pub(crate) const fn capabilities_named(&self) -> u32 {
        self.capabilities_named
    }

    pub(crate) const fn selected(&self) -> Option<&Selected> {
        self.selected.as_ref()
    }

    /// What it said with BYE.
    pub(crate) const fn last_words(&self) -> Option<&Reply> {
        self.last_words.as_ref()
    }

    /// While the SASL exchange runs, the octets of the credential.
    pub(crate) fn credential_octets(&self) -> Option<usize> {
        let running = self.queue.iter().any(|pending| pending.effect == Effect::Authenticate);
        self.session.as_ref().filter(|_| running).map(sasl::Session::credential_len)
    }

    /// Octets received and not understood yet.
    pub(crate) fn unread(&self) -> usize {
        self.input.unread().len()
    }

    /// Keeps an event for the user. The buffer that its octets arrived in is not kept with it.
    pub(crate) fn keep(&mut self, event: Event) {
        self.events.push(match event {
            Event::Fetch(message) => Event::Fetch(message.into_owned()),
            Event::Data(Data { name, rest }) => {
                Event::Data(Data { name, rest: Bytes::copy_from_slice(&rest) })
            }
            Event::Unparsed { frame, expected } => {
                Event::Unparsed { frame: self.scrubber.clean(&frame).into_owned().into(), expected }
            }
            event => event,
        });
    }

    pub(crate) fn keep_unparsed(&mut self, frame: Bytes, why: Malformed) {
        self.keep(Event::Unparsed { frame, expected: why.0 });
    }

    pub(crate) fn take_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// Writes what may be written now, a message in chunks.
    fn pump(&mut self) {
        while self.output.unsent().len() < Self::CHUNK {
            match self.pieces.front_mut() {
                None | Some(Piece::Wait) => return,
                Some(Piece::Line(line)) => {
                    // `start` has looked for what could make this fail.
                    let _ = self.output.command(line);
                }
                Some(Piece::Literal(octets)) => {
                    let chunk = octets.split_to(octets.len().min(Self::CHUNK));
                    self.output.content(|buffer| buffer.extend_from_slice(&chunk));
                    if !octets.is_empty() {
                        continue;
                    }
                }
            }
            self.pieces.pop_front();
        }
    }

    fn take(&mut self, frame: Bytes) -> Result<Option<Step>, Fault> {
        let response = Response::parse(&frame);
        if std::mem::take(&mut self.greeting_expected) {
            return self.greeted(&response, &frame).map(Some);
        }
        match response {
            Response::Continue { text } => self.invited(text, &frame)?,
            Response::Tagged { tag, condition } => {
                let number = tag.strip_prefix(b"A").and_then(parse_u32);
                let at = self.queue.iter().position(|pending| Some(pending.tag.0) == number);
                if let Some(pending) = at.and_then(|at| self.queue.remove(at)) {
                    return Ok(Some(self.done(pending, &condition)));
                }
                self.keep_unparsed(frame, Malformed("the tag of a command in flight"));
            }
            Response::Status(condition) => return Ok(self.status(&condition)),
            Response::Numbered { number, name, .. } => {
                if let Some(state) = self.state() {
                    state.count(number, name);
                }
                let counted = [&b"EXISTS"[..], b"RECENT"];
                if !counted.iter().any(|counted| name.eq_ignore_ascii_case(counted)) {
                    return Ok(self.data(&response, &frame));
                }
            }
            Response::Data { name, rest } => {
                if name.eq_ignore_ascii_case(b"CAPABILITY") {
                    self.set_capabilities(Capabilities::parse(rest));
                } else if name.eq_ignore_ascii_case(b"FLAGS") {
                    if let Some(state) = self.state() {
                        state.set_flags(rest);
                    }
                } else {
                    return Ok(self.data(&response, &frame));
                }
            }
            Response::Unparsed(why) => self.keep_unparsed(frame, why),
        }
        Ok(None)
    }

    fn greeted(&mut self, response: &Response<'_>, frame: &[u8]) -> Result<Step, Fault> {
        let line = self.scrubber.clean(frame.trim_ascii_end());
        let condition = match response {
            Response::Status(condition) => *condition,
            // SmarterMail turns people away as if it spoke SMTP: `421 Server is busy`
            // (MailKit#1100).
            _ if line.starts_with(b"4") => {
                Condition { status: Status::Bye, code: None, text: frame.trim_ascii_end() }
            }
            _ => return Err(Fault::unexpected("an IMAP greeting", &line)),
        };
        let reply = Reply::new(&condition, &self.scrubber);
        self.heed(&reply);
        Ok(Step::Greeting(reply))
    }

    /// `+`: the rest of a command may come, or the SASL exchange goes on.
    fn invited(&mut self, text: &[u8], frame: &Bytes) -> Result<(), Fault> {
        if self.pieces.front() == Some(&Piece::Wait) {
            self.pieces.pop_front();
            self.turn = self.turn.wrapping_add(1);
            self.pump();
            return Ok(());
        }
        let running = self.queue.iter().any(|pending| pending.effect == Effect::Authenticate);
        let Some(session) = self.session.as_mut().filter(|_| running) else {
            // Exchange sends some that nothing called for (MailKit#852).
            self.keep_unparsed(frame.clone(), Malformed("no continuation, for none was awaited"));
            return Ok(());
        };
        let answer = session.respond(text.trim_ascii()).map_err(|_| Fault::EndlessChallenge)?;
        // What cannot be written was refused when the exchange began.
        self.output.secret(b"", &answer).map_err(|_| Fault::EndlessChallenge)
    }

    fn status(&mut self, condition: &Condition<'_>) -> Option<Step> {
        let reply = Reply::new(condition, &self.scrubber);
        let stateful = self.heed(&reply);
        if reply.status() == Status::Bye {
            self.goodbyes += 1;
            self.last_words = Some(reply);
            return (self.goodbyes > 1).then_some(Step::Gone);
        }
        if !stateful {
            self.keep(Event::Notice(reply));
        }
        None
    }

    /// Takes what a response code says about the session. True if there was such a code.
    fn heed(&mut self, reply: &Reply) -> bool {
        match reply.code() {
            Some(Code::Capability(capabilities)) => self.set_capabilities(capabilities.clone()),
            Some(
                code @ (Code::PermanentFlags(_)
                | Code::UidValidity(_)
                | Code::UidNext(_)
                | Code::Unseen(_)
                | Code::HighestModSeq(_)
                | Code::ReadOnly
                | Code::ReadWrite),
            ) => {
                if let Some(state) = self.state() {
                    state.apply(code);
                }
            }
            // The mailbox that was selected before, which SELECT has made us forget.
            Some(Code::Closed) => {}
            _ => return false,
        }
        true
    }

    /// The mailbox that untagged data are about.
    fn state(&mut self) -> Option<&mut Selected> {
        self.entering.as_mut().or(self.selected.as_mut())
    }

    fn set_capabilities(&mut self, capabilities: Capabilities) {
        self.capabilities = capabilities;
        self.capabilities_named += 1;
    }

    /// Hands data to the command that claims them, or keeps them for the user.
    fn data(&mut self, response: &Response<'_>, frame: &Bytes) -> Option<Step> {
        if let Some(pending) = self.queue.iter().find(|pending| (pending.claims)(response)) {
            if pending.abandoned {
                return Some(Step::Discarded);
            }
            if pending.effect == Effect::Stream {
                self.turn = self.turn.wrapping_add(1);
            }
            return Some(Step::Data { tag: pending.tag, frame: frame.clone() });
        }
        match *response {
            Response::Numbered { number, name, rest } if name.eq_ignore_ascii_case(b"FETCH") => {
                match Message::parse(number, frame.slice_ref(rest)) {
                    Ok(message) => self.keep(Event::Fetch(message)),
                    Err(why) => self.keep_unparsed(frame.clone(), why),
                }
            }
            Response::Numbered { number, name, .. } if name.eq_ignore_ascii_case(b"EXPUNGE") => {
                self.keep(Event::Expunge(number));
            }
            Response::Data { name, rest } => {
                let name = String::from_utf8_lossy(name).to_ascii_uppercase();
                self.keep(Event::Data(Data { name, rest: frame.slice_ref(rest) }));
            }
            _ => self.keep_unparsed(frame.clone(), Malformed("EXISTS, EXPUNGE or FETCH")),
        }
        None
    }

    /// The tagged answer has come: what it means for the session.
    fn done(&mut self, pending: Pending, condition: &Condition<'_>) -> Step {
        let reply = Reply::new(condition, &self.scrubber);
        let granted = reply.grants();
        if !self.heed(&reply) && granted && calls_for_attention(&reply) {
            self.keep(Event::Notice(reply.clone()));
        }
        // A literal that the server did not invite is not sent (RFC 9051 section 7.6); one that
        // needed no invitation is expected to come to its end.
        if self.queue.is_empty() {
            let uninvited = self.pieces.iter().position(|piece| *piece == Piece::Wait);
            self.pieces.truncate(uninvited.unwrap_or(self.pieces.len()));
        }
        match pending.effect {
            // A SELECT that fails leaves no mailbox selected (RFC 9051 section 6.3.2).
            Effect::Select { .. } => self.selected = self.entering.take().filter(|_| granted),
            Effect::Unselect => self.selected = self.leaving.take().filter(|_| !granted),
            _ => {}
        }
        if pending.abandoned { Step::Discarded } else { Step::Done { tag: pending.tag, reply } }
    }
}

/// Whether the user should see the words behind an `OK` (RFC 9051 section 7.1, RFC 5530).
fn calls_for_attention(reply: &Reply) -> bool {
    matches!(reply.code(), Some(Code::Alert | Code::ContactAdmin | Code::OverQuota))
}

impl Machine for Core {
    type Event = Step;

    fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    fn output(&mut self) -> &mut Output {
        self.pump();
        &mut self.output
    }

    fn poll(&mut self) -> Result<Option<Step>, Fault> {
        while let Some(frame) = self.framer.frame(&mut self.input, self.frame_limits)? {
            if let Some(step) = self.take(frame)? {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    fn eof(&mut self) {
        let rest = self.input.cut_all();
        match Response::parse(&rest) {
            Response::Status(condition) if condition.status == Status::Bye => {
                self.last_words = Some(Reply::new(&condition, &self.scrubber));
            }
            _ => {}
        }
    }

    fn wait(&self) -> Wait {
        if self.greeting_expected {
            return Wait::Greeting;
        }
        match self.queue.front().map(|pending| &pending.effect) {
            None => Wait::Rest,
            Some(Effect::Authenticate) => Wait::Sasl,
            Some(Effect::Upload)
                if self.pieces.front().is_some_and(|piece| *piece != Piece::Wait) =>
            {
                Wait::Transfer
            }
            Some(Effect::Stream) if self.unread() > 0 => Wait::Transfer,
            Some(_) => Wait::Reply(self.turn),
        }
    }

    fn in_flight(&self) -> bool {
        self.greeting_expected || !self.queue.is_empty()
    }

    fn abandon(&mut self) -> Abandon {
        let half_way = !self.pieces.is_empty();
        for pending in &mut self.queue {
            pending.abandoned = true;
            match pending.effect {
                Effect::Authenticate | Effect::StartTls => return Abandon::Close,
                // The rest of a large message would hold up the next command for long.
                Effect::Upload if half_way => return Abandon::Close,
                _ => {}
            }
        }
        if self.greeting_expected { Abandon::Close } else { Abandon::Drain }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
}
