//! The IMAP core: cuts and sorts responses, knows what is in flight, keeps the state of the
//! session, carries the SASL exchange. No IO.
//!
//! ```text
//!            greeting ─────────────────────────► Step::Greeting
//!            + …      next piece of a command, or the SASL session's answer
//!            tag …    ends the command ────────► Step::Done
//!   frame ─► * data   state of the session: CAPABILITY, EXISTS, RECENT, FLAGS, response codes
//!            * data   claimed by a command in flight ─► Step::Data, Step::Fetched
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

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::Bytes;
use memchr::memchr3;

use self::decode::{Malformed, parse_u32};
use self::encode::{Line, Literals, Piece};
use self::response::{Condition, Response};
use self::selected::Selected;
use super::event::{Data, Event, Events};
use super::types::{Capabilities, MailboxName, Message, UidSet};
use super::{Code, Reply, Status};
use crate::Limits;
use crate::fault::{Fault, Unwritable, printable};
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
    /// What the server says of a message that the command with this tag has asked about: see
    /// [`Core::take_fetched`].
    Fetched { tag: Tag },
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
#[derive(Debug)]
pub(crate) enum Claims {
    /// None.
    Nothing,
    /// Those of which this is true.
    Data(fn(&Response<'_>) -> bool),
    /// What is said of these messages. Servers tell of others in between (RFC 9051 section 7), so
    /// being a FETCH response is not enough.
    Messages(UidSet),
}

impl Claims {
    fn may_claim(&self, response: &Response<'_>) -> bool {
        match self {
            Self::Nothing => false,
            Self::Data(claims) => claims(response),
            Self::Messages(_) => matches!(response, Response::Numbered { name, .. }
                if name.eq_ignore_ascii_case(b"FETCH")),
        }
    }
}

/// The core.
pub(crate) struct Core {
    input: Input,
    output: Output,
    framer: Framer,
    frame_limits: FrameLimits,
    /// What is not written yet of the commands in flight.
    pieces: VecDeque<(Tag, Piece)>,
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
    /// What the last [`Step::Fetched`] is about. It is large, and steps are passed on with every
    /// octet that comes.
    fetched: Option<Message>,
    last_words: Option<Reply>,
    goodbyes: u32,
    /// The server expects octets that will not be sent.
    stuck: bool,
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
            fetched: None,
            last_words: None,
            goodbyes: 0,
            stuck: false,
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
        self.pieces.extend(pieces.into_iter().map(|piece| (tag, piece)));
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
        Ok(self.enqueue(Claims::Nothing, Effect::Authenticate))
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

    /// Whether the server would take another command for one.
    pub(crate) const fn takes_commands(&self) -> bool {
        !self.stuck && self.last_words.is_none()
    }

    /// Whether the server may have stored a message, and has not answered for it: all of it was
    /// sent.
    pub(crate) fn may_have_stored(&self) -> bool {
        self.output.is_empty()
            && self.pieces.is_empty()
            && self.queue.iter().any(|pending| pending.effect == Effect::Upload)
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

    /// The message of the last [`Step::Fetched`].
    pub(crate) const fn take_fetched(&mut self) -> Option<Message> {
        self.fetched.take()
    }

    /// Keeps an event for the user.
    pub(crate) fn keep(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(crate) fn keep_unparsed(&mut self, frame: Bytes, why: Malformed) {
        self.keep(Event::Unparsed { octets: frame.len(), frame, expected: why.0 });
    }

    /// The oldest event. What the server said is searched for secrets here, and not when it comes:
    /// a flood of nonsense that nobody looks at must cost little.
    pub(crate) fn take_event(&mut self) -> Option<Event> {
        let clean = |octets: Bytes| match self.scrubber.clean(&octets) {
            Cow::Owned(cleaned) => cleaned.into(),
            Cow::Borrowed(_) => octets,
        };
        Some(match self.events.pop()? {
            Event::Data(Data { name, rest }) => Event::Data(Data {
                name: printable(&self.scrubber.clean_str(name.as_bytes())).to_ascii_uppercase(),
                rest: clean(rest),
            }),
            Event::Unparsed { frame, octets, expected } => {
                Event::Unparsed { frame: clean(frame), octets, expected }
            }
            event => event,
        })
    }

    /// Writes what may be written now, a message in chunks.
    fn pump(&mut self) {
        while self.output.unsent().len() < Self::CHUNK {
            match self.pieces.front_mut().map(|(_, piece)| piece) {
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
                    return self.done(pending, &condition).map(Some);
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
        if matches!(self.pieces.front(), Some((_, Piece::Wait))) {
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
        if reply.code() == Some(&Code::Closed) {
            self.begin_anew();
        }
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
            Some(Code::Closed) => {}
            _ => return false,
        }
        true
    }

    /// The mailbox that untagged data are about.
    fn state(&mut self) -> Option<&mut Selected> {
        self.entering.as_mut().or(self.selected.as_mut())
    }

    /// What came before CLOSED was about the mailbox that SELECT leaves; all that follows is about
    /// the one it enters (RFC 7162 section 3.2.11).
    fn begin_anew(&mut self) {
        if let Some(entering) = &mut self.entering {
            *entering = Selected::new(entering.name.clone(), entering.examined);
            self.events.forget_messages();
        }
    }

    fn set_capabilities(&mut self, capabilities: Capabilities) {
        self.capabilities = capabilities;
        self.capabilities_named += 1;
    }

    /// Hands data to the command that claims them, or keeps them for the user.
    fn data(&mut self, response: &Response<'_>, frame: &Bytes) -> Option<Step> {
        let claimant = self.queue.iter().position(|pending| pending.claims.may_claim(response));
        let pending = claimant.and_then(|at| self.queue.get(at));
        match *response {
            Response::Numbered { number, name, rest }
                if name.eq_ignore_ascii_case(b"FETCH")
                    && !matches!(pending, Some(Pending { claims: Claims::Data(_), .. })) =>
            {
                let message = match Message::parse(number, frame.slice_ref(rest)) {
                    Ok(message) => message,
                    Err(why) => {
                        self.keep_unparsed(frame.clone(), why);
                        return None;
                    }
                };
                match pending {
                    Some(pending) if self.asked_about(pending, &message) => {
                        self.fetched = (!pending.abandoned).then_some(message);
                        self.claimed(claimant, |tag| Step::Fetched { tag })
                    }
                    _ => {
                        self.keep(Event::Fetch(message));
                        None
                    }
                }
            }
            _ if claimant.is_some() => {
                self.claimed(claimant, |tag| Step::Data { tag, frame: frame.clone() })
            }
            Response::Numbered { number, name, .. } if name.eq_ignore_ascii_case(b"EXPUNGE") => {
                self.keep(Event::Expunge(number));
                None
            }
            Response::Data { name, rest } if name.len() + rest.len() <= Event::KEPT => {
                let name = String::from_utf8_lossy(name).into_owned();
                self.keep(Event::Data(Data { name, rest: frame.slice_ref(rest) }));
                None
            }
            Response::Data { .. } => {
                self.keep_unparsed(
                    frame.clone(),
                    Malformed("less data, for nobody asked for them"),
                );
                None
            }
            _ => {
                self.keep_unparsed(frame.clone(), Malformed("EXISTS, EXPUNGE or FETCH"));
                None
            }
        }
    }

    /// The step for the command that claims something.
    fn claimed(&mut self, claimant: Option<usize>, step: impl FnOnce(Tag) -> Step) -> Option<Step> {
        let pending = claimant.and_then(|at| self.queue.get(at))?;
        if pending.abandoned {
            return Some(Step::Discarded);
        }
        if pending.effect == Effect::Stream {
            self.turn = self.turn.wrapping_add(1);
        }
        Some(step(pending.tag))
    }

    /// Whether a command has asked about this message. A response without a UID answers no UID
    /// command (RFC 9051 section 6.4.9).
    fn asked_about(&self, pending: &Pending, message: &Message) -> bool {
        let Claims::Messages(set) = &pending.claims else { return false };
        // `n:*` asks about the last message, whatever its UID.
        let is_last = || self.selected.as_ref().is_none_or(|state| message.seq() >= state.exists);
        message.uid().is_some_and(|uid| set.contains(uid) || set.names_the_last() && is_last())
    }

    /// The tagged answer has come: what it means for the session.
    fn done(&mut self, pending: Pending, condition: &Condition<'_>) -> Result<Step, Fault> {
        let reply = Reply::new(condition, &self.scrubber);
        let granted = reply.grants();
        if !self.heed(&reply) && granted && calls_for_attention(&reply) {
            self.keep(Event::Notice(reply.clone()));
        }
        self.end_pieces(&pending, &reply)?;
        match pending.effect {
            // A SELECT that fails leaves no mailbox selected (RFC 9051 section 6.3.2).
            Effect::Select { .. } => self.selected = self.entering.take().filter(|_| granted),
            Effect::Unselect => self.selected = self.leaving.take().filter(|_| !granted),
            _ => {}
        }
        Ok(match pending.abandoned {
            true => Step::Discarded,
            false => Step::Done { tag: pending.tag, reply },
        })
    }

    /// A command was answered: nothing more of it is sent. What the server does not wait for it
    /// would take for commands.
    ///
    /// # Errors
    /// The server claims to have done what it has not been told yet.
    fn end_pieces(&mut self, pending: &Pending, reply: &Reply) -> Result<(), Fault> {
        let unsent = self.pieces.iter().find(|(tag, _)| *tag == pending.tag);
        // An upload is alone in its flight.
        let leaving = pending.effect == Effect::Upload && !self.output.is_empty();
        if unsent.is_none() && !leaving {
            return Ok(());
        }
        if reply.grants() {
            const WANTED: &str = "no answer before the end of the command";
            return Err(Fault::unexpected(WANTED, reply.to_string().as_bytes()));
        }
        // A literal that the server did not invite is not sent (RFC 9051 section 7.6). Of one that
        // was begun it may still read the rest, or not.
        self.stuck |= leaving || !matches!(unsent, Some((_, Piece::Wait)));
        self.pieces.retain(|(tag, _)| *tag != pending.tag);
        Ok(())
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
        if !self.pieces.is_empty() {
            self.pump();
        }
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
                if self.pieces.front().is_some_and(|(_, piece)| *piece != Piece::Wait) =>
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::imap::Uid;

    fn core() -> Core {
        let mut core = Core::new(&Limits::default(), true);
        core.expect_greeting();
        hear(&mut core, "* PREAUTH hi\r\n");
        core
    }

    fn hear(core: &mut Core, octets: &str) -> Vec<Step> {
        core.input.push(octets.as_bytes());
        std::iter::from_fn(|| core.poll().unwrap()).collect()
    }

    fn written(core: &mut Core) -> String {
        let mut written = Vec::new();
        while !core.output().is_empty() {
            let octets = core.output().unsent().to_vec();
            core.output().sent(octets.len());
            written.extend(octets);
        }
        String::from_utf8(written).unwrap()
    }

    fn start(core: &mut Core, words: &str, claims: Claims, effect: Effect) -> Tag {
        let mut line = core.line();
        line.raw(words);
        core.start(line, claims, effect).unwrap()
    }

    fn fetch(core: &mut Core) -> Tag {
        fetch_of(core, "1:*")
    }

    fn fetch_of(core: &mut Core, set: &str) -> Tag {
        let claims = Claims::Messages(UidSet::parse(set).unwrap());
        start(core, &format!("UID FETCH {set} (FLAGS)"), claims, Effect::Stream)
    }

    fn select(core: &mut Core, name: &str) -> Tag {
        let effect = Effect::Select { name: name.into(), read_only: false };
        start(core, &format!("SELECT {name}"), Claims::Nothing, effect)
    }

    fn upload(core: &mut Core, octets: usize) -> Tag {
        let mut line = core.line();
        line.raw("APPEND x ").message(vec![b'm'; octets].into(), false).unwrap();
        core.start(line, Claims::Nothing, Effect::Upload).unwrap()
    }

    fn selected(core: &Core) -> Option<String> {
        core.selected().map(|selected| selected.name.to_string())
    }

    #[test]
    fn what_a_dropped_fetch_claims_is_thrown_away_and_the_rest_has_its_effect() {
        let mut core = core();
        select(&mut core, "INBOX");
        hear(&mut core, "A1 OK done\r\n");
        fetch(&mut core);
        hear(&mut core, "* 1 FETCH (UID 1 FLAGS ())\r\n");
        assert_eq!(core.abandon(), Abandon::Drain);
        let steps = hear(
            &mut core,
            "* 2 FETCH (UID 2 FLAGS ())\r\n* 7 EXISTS\r\n* QUOTA \"\" (STORAGE 10  512)\r\n\
             A2 OK done\r\n",
        );
        assert!(matches!(steps[..], [Step::Discarded, Step::Discarded]), "{steps:?}");
        assert!(!core.in_flight());
        assert_eq!(core.selected().unwrap().exists, 7);
        let Some(Event::Data(quota)) = core.take_event() else { panic!() };
        assert_eq!((quota.name(), quota.rest()), ("QUOTA", &b"\"\" (STORAGE 10  512)"[..]));

        let next = fetch(&mut core);
        let steps = hear(&mut core, "* 3 FETCH (UID 3 FLAGS ())\r\nA3 OK done\r\n");
        let [Step::Fetched { tag, .. }, Step::Done { .. }] = &steps[..] else {
            panic!("{steps:?}")
        };
        assert_eq!(*tag, next);
    }

    #[test]
    fn a_dropped_select_selects_but_nothing_counts_as_selected_meanwhile() {
        let mut core = core();
        select(&mut core, "A");
        hear(&mut core, "* 3 EXISTS\r\nA1 OK done\r\n");
        assert_eq!(selected(&core).as_deref(), Some("A"));
        select(&mut core, "B");
        assert_eq!(selected(&core), None);
        core.abandon();
        hear(&mut core, "* 5 EXISTS\r\nA2 OK done\r\n");
        assert_eq!(selected(&core).as_deref(), Some("B"));
        assert_eq!(core.selected().unwrap().exists, 5);
    }

    #[test]
    fn a_refused_select_leaves_nothing_selected_and_a_refused_close_the_same_mailbox() {
        let mut core = core();
        select(&mut core, "A");
        hear(&mut core, "A1 OK done\r\n");
        start(&mut core, "CLOSE", Claims::Nothing, Effect::Unselect);
        assert_eq!(selected(&core), None);
        hear(&mut core, "A2 NO cannot\r\n");
        assert_eq!(selected(&core).as_deref(), Some("A"));
        select(&mut core, "B");
        hear(&mut core, "A3 NO no such mailbox\r\n");
        assert_eq!(selected(&core), None);
    }

    #[test]
    fn message_numbers_of_the_old_mailbox_are_forgotten_by_select() {
        let mut core = core();
        hear(&mut core, "* 4 EXPUNGE\r\n* NO [ALERT] disk full\r\n");
        select(&mut core, "A");
        let Some(Event::Notice(notice)) = core.take_event() else { panic!() };
        assert_eq!(notice.to_string(), "NO [ALERT] disk full");
        assert!(core.take_event().is_none());
    }

    #[test]
    fn expunged_messages_are_taken_off_the_count() {
        let mut core = core();
        select(&mut core, "A");
        hear(
            &mut core,
            "* 2 EXISTS\r\nA1 OK done\r\n* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n",
        );
        assert_eq!(core.selected().unwrap().exists, 0);
    }

    #[test]
    fn lines_that_make_no_sense_are_events_and_the_session_goes_on() {
        let mut core = core();
        start(&mut core, "NOOP", Claims::Nothing, Effect::None);
        // Exchange 2003 (libetpan#45), and a `+` that nothing called for (MailKit#852).
        let steps =
            hear(&mut core, "CAPABILITY completed.\r\n+ \r\nB7 OK?\r\nA9 OK x\r\nA1 OK done\r\n");
        assert!(matches!(steps[..], [Step::Done { .. }]));
        let unparsed: Vec<_> = std::iter::from_fn(|| core.take_event())
            .map(|event| match event {
                Event::Unparsed { frame, .. } => String::from_utf8_lossy(&frame).into_owned(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(unparsed, ["CAPABILITY completed.\r\n", "+ \r\n", "B7 OK?\r\n", "A9 OK x\r\n"]);
    }

    #[test]
    fn the_answers_of_one_flight_find_their_commands() {
        let mut core = core();
        let capability = start(&mut core, "CAPABILITY", Claims::Nothing, Effect::None);
        let namespace = start(&mut core, "NAMESPACE", Claims::Nothing, Effect::None);
        assert_eq!(written(&mut core), "A1 CAPABILITY\r\nA2 NAMESPACE\r\n");
        let steps = hear(&mut core, "A2 OK two\r\n* CAPABILITY IMAP4rev1 IDLE\r\nA1 OK one\r\n");
        let [Step::Done { tag: first, .. }, Step::Done { tag: second, .. }] = &steps[..] else {
            panic!("{steps:?}")
        };
        assert_eq!((*first, *second), (namespace, capability));
        assert!(core.capabilities().has("IDLE"));
    }

    #[test]
    fn a_large_message_goes_out_in_chunks_and_its_line_end_with_the_last() {
        let mut core = core();
        hear(&mut core, "* CAPABILITY LITERAL+\r\n");
        upload(&mut core, 200_000);
        assert!(core.output().unsent().len() < 2 * Core::CHUNK);
        assert_eq!(core.wait(), Wait::Transfer);
        let sent = written(&mut core);
        assert!(sent.starts_with("A1 APPEND x {200000+}\r\nmmm") && sent.ends_with("m\r\n"));
        assert_eq!(sent.len(), "A1 APPEND x {200000+}\r\n".len() + 200_000 + 2);
        assert!(matches!(core.wait(), Wait::Reply(_)));
    }

    #[test]
    fn a_small_message_goes_out_with_its_command_at_once() {
        let mut core = core();
        hear(&mut core, "* CAPABILITY LITERAL+\r\n");
        upload(&mut core, 3);
        assert_eq!(core.output().unsent(), b"A1 APPEND x {3+}\r\nmmm\r\n");
    }

    #[test]
    fn a_message_refused_before_its_first_octet_leaves_the_session_good() {
        let mut core = core();
        upload(&mut core, 200_000);
        assert_eq!(written(&mut core), "A1 APPEND x {200000}\r\n");
        hear(&mut core, "A1 NO [TOOBIG] too large\r\n");
        assert!(core.takes_commands());
        start(&mut core, "NOOP", Claims::Nothing, Effect::None);
        assert_eq!(written(&mut core), "A2 NOOP\r\n");
    }

    #[test]
    fn nothing_is_sent_behind_a_message_that_was_refused_on_its_way() {
        let refuse = |core: &mut Core| {
            hear(core, "A1 NO [TOOBIG] too large\r\n");
            assert!(core.pieces.is_empty() && !core.takes_commands());
        };
        // In pieces that wait for room in the send buffer.
        let mut core = core();
        hear(&mut core, "* CAPABILITY LITERAL+\r\n");
        upload(&mut core, 200_000);
        refuse(&mut core);
        // In the send buffer.
        for sent in [0, 5, 20] {
            let mut core = self::core();
            hear(&mut core, "* CAPABILITY LITERAL+\r\n");
            upload(&mut core, 3);
            core.output().sent(sent);
            refuse(&mut core);
        }
        // Invited.
        let mut core = self::core();
        upload(&mut core, 200_000);
        written(&mut core);
        hear(&mut core, "+ go\r\n");
        refuse(&mut core);
    }

    #[test]
    fn a_message_cannot_be_stored_before_it_was_sent() {
        for (capabilities, sent) in [("IMAP4rev1", 0), ("IMAP4rev1", 17), ("LITERAL+", 20)] {
            let mut core = core();
            hear(&mut core, &format!("* CAPABILITY {capabilities}\r\n"));
            upload(&mut core, 3);
            core.output().sent(sent);
            core.input.push(b"A1 OK [APPENDUID 1 7] done\r\n");
            assert_eq!(
                core.poll().unwrap_err().to_string(),
                "expected no answer before the end of the command, the server sent \
                 `OK [APPENDUID 1 7] done`"
            );
            assert!(!core.may_have_stored());
        }
    }

    #[test]
    fn a_message_may_be_stored_from_its_last_octet_on_until_it_is_answered_for() {
        let mut core = core();
        upload(&mut core, 3);
        assert!(!core.may_have_stored());
        written(&mut core);
        assert!(!core.may_have_stored());
        hear(&mut core, "+ go\r\n");
        core.output().sent("mmm\r".len());
        assert!(!core.may_have_stored());
        core.output().sent("\n".len());
        assert!(core.may_have_stored());
        hear(&mut core, "A1 OK done\r\n");
        assert!(!core.may_have_stored());
    }

    #[test]
    fn a_message_that_is_not_in_the_set_is_an_event() {
        let mut core = core();
        select(&mut core, "A");
        hear(&mut core, "* 9 EXISTS\r\nA1 OK\r\n");
        let uids = |core: &mut Core, answer: &str| {
            core.input.push(answer.as_bytes());
            let mut uids = Vec::new();
            while let Some(step) = core.poll().unwrap() {
                assert!(matches!(step, Step::Fetched { .. }), "{step:?}");
                uids.extend(core.take_fetched().unwrap().uid().map(Uid::get));
            }
            uids
        };
        let answer = "* 3 FETCH (UID 5 FLAGS ())\r\n* 4 FETCH (FLAGS (\\Seen))\r\n\
            * 8 FETCH (UID 40 FLAGS ())\r\n* 9 FETCH (UID 99 FLAGS ())\r\n";
        for (set, tag, claimed) in [
            ("5", "A2", &[5][..]),
            ("1:20,99", "A3", &[5, 99]),
            ("50:*", "A4", &[99]),
            // The last message is meant, although its UID is less (RFC 9051 section 6.4.9).
            ("500:*", "A5", &[99]),
            ("*", "A6", &[99]),
        ] {
            fetch_of(&mut core, set);
            assert_eq!(uids(&mut core, answer), claimed, "{set}");
            hear(&mut core, &format!("{tag} OK\r\n"));
            let events = std::iter::from_fn(|| core.take_event()).count();
            assert_eq!(events, 4 - claimed.len(), "{set}");
        }
    }

    #[test]
    fn of_a_dropped_fetch_only_the_messages_it_asked_for_are_thrown_away() {
        let mut core = core();
        fetch_of(&mut core, "5");
        core.abandon();
        let steps = hear(&mut core, "* 1 FETCH (UID 5)\r\n* 9 FETCH (UID 99)\r\nA1 OK\r\n");
        assert!(matches!(steps[..], [Step::Discarded, Step::Discarded]), "{steps:?}");
        let Some(Event::Fetch(message)) = core.take_event() else { panic!() };
        assert_eq!(message.uid(), Uid::new(99));
        assert!(core.take_event().is_none());
    }

    #[test]
    fn what_came_before_closed_is_forgotten() {
        let mut core = core();
        select(&mut core, "A");
        hear(&mut core, "* 9 EXISTS\r\nA1 OK\r\n");
        select(&mut core, "B");
        hear(
            &mut core,
            "* 3 EXPUNGE\r\n* 8 EXISTS\r\n* 2 FETCH (FLAGS ())\r\n* OK [UIDNEXT 70] x\r\n\
             * OK [CLOSED] x\r\n* 5 EXISTS\r\n* 5 EXPUNGE\r\nA2 OK\r\n",
        );
        let state = core.selected().unwrap();
        assert_eq!((state.exists, state.uid_next), (4, None));
        assert!(matches!(core.take_event(), Some(Event::Expunge(5))));
        assert!(core.take_event().is_none());
    }

    #[test]
    fn a_number_that_no_message_has_is_no_message() {
        let mut core = core();
        select(&mut core, "A");
        hear(&mut core, "* 3 EXISTS\r\n* 0 RECENT\r\nA1 OK\r\n");
        hear(&mut core, "* 0 EXPUNGE\r\n* 0 FETCH (UID 1)\r\n");
        assert_eq!(core.selected().unwrap().exists, 3);
        for _ in 0..2 {
            assert!(matches!(core.take_event(), Some(Event::Unparsed { .. })));
        }
    }

    #[test]
    fn of_what_nobody_asked_for_the_beginning_is_kept_and_is_free_of_secrets() {
        let token = "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAAW9s8zQ1kX7yT5uR2vN4mK6hG";
        let mut core = core();
        let session = sasl::Session::xoauth2("a@b.c", token, &[]).unwrap();
        core.authenticate(session, true).unwrap();
        hear(&mut core, "A1 OK in\r\n");
        let long = format!("{token} ").repeat(1000);
        for (line, name) in [
            (format!("* 1 BOGUS {token}"), None),
            (format!("* 1 BOGUS {long}"), None),
            (format!("* QUOTA {token}"), Some("QUOTA")),
            (format!("* QUOTA {long}"), None),
            (format!("* {token}x"), Some("[SECRET]X")),
        ] {
            hear(&mut core, &format!("{line}\r\n"));
            let shown = match core.take_event() {
                Some(Event::Unparsed { frame, octets, .. }) => {
                    assert_eq!(octets, line.len() + 2);
                    assert!(frame.len() <= Event::KEPT && name.is_none());
                    frame
                }
                Some(Event::Data(data)) => {
                    assert_eq!(Some(data.name()), name);
                    data.rest
                }
                other => panic!("{other:?}"),
            };
            assert!(!String::from_utf8_lossy(&shown).contains(&token[..16]), "{shown:?}");
        }
    }

    #[test]
    fn a_dropped_upload_costs_the_connection_only_while_it_is_on_its_way() {
        let mut core = core();
        upload(&mut core, 3);
        assert_eq!(core.abandon(), Abandon::Close);
        let mut core = self::core();
        upload(&mut core, 3);
        written(&mut core);
        hear(&mut core, "+ go\r\n");
        assert_eq!(core.abandon(), Abandon::Drain);
        assert_eq!(written(&mut core), "mmm\r\n");
    }

    #[test]
    fn a_dropped_login_or_starttls_costs_the_connection() {
        let mut core = core();
        start(&mut core, "STARTTLS", Claims::Nothing, Effect::StartTls);
        assert_eq!(core.abandon(), Abandon::Close);
        let mut core = self::core();
        core.authenticate(sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap(), true).unwrap();
        assert_eq!(core.abandon(), Abandon::Close);
        let mut core = Core::new(&Limits::default(), true);
        core.expect_greeting();
        assert_eq!(core.abandon(), Abandon::Close);
    }

    #[test]
    fn the_initial_response_goes_on_the_line_or_behind_the_plus() {
        let session = || sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap();
        let mut core = core();
        core.authenticate(session(), true).unwrap();
        let inline = "A1 AUTHENTICATE XOAUTH2 dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUAQE=\r\n";
        assert_eq!(written(&mut core), inline);

        for plus in ["+ \r\n", "+\r\n"] {
            let mut core = self::core();
            core.authenticate(session(), false).unwrap();
            assert_eq!(written(&mut core), "A1 AUTHENTICATE XOAUTH2\r\n");
            hear(&mut core, plus);
            assert_eq!(written(&mut core), "dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUAQE=\r\n");
            assert_eq!(core.credential_octets(), Some(1));
        }
    }

    #[test]
    fn a_challenge_behind_the_token_is_kept_and_answered_with_an_empty_line() {
        let mut core = core();
        core.authenticate(sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap(), true).unwrap();
        written(&mut core);
        hear(
            &mut core,
            "+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJtYWlsIn0=\r\n",
        );
        assert_eq!(written(&mut core), "\r\n");
        let steps = hear(&mut core, "A1 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
        assert!(matches!(&steps[..], [Step::Done { reply, .. }] if !reply.grants()));
        let challenge = core.session().unwrap().challenge().unwrap();
        assert_eq!(challenge.status(), Some("401"));
        assert_eq!(core.credential_octets(), None);
    }

    #[test]
    fn an_endless_challenge_ends_the_session() {
        let mut core = core();
        core.authenticate(sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap(), true).unwrap();
        hear(&mut core, "+ eyJ9\r\n");
        core.input.push(b"+ eyJ9\r\n");
        assert!(matches!(core.poll(), Err(Fault::EndlessChallenge)));
    }

    #[test]
    fn a_clear_text_core_writes_no_token() {
        let mut core = Core::new(&Limits::default(), false);
        let session = sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap();
        assert!(matches!(core.authenticate(session, true), Err(Unwritable::SecretInClearText)));
        assert!(core.output().is_empty() && !core.in_flight());
    }

    #[test]
    fn greetings_of_all_kinds() {
        let greeted = |line: &str| {
            let mut core = Core::new(&Limits::default(), true);
            core.expect_greeting();
            core.input.push(line.as_bytes());
            match core.poll() {
                Ok(Some(Step::Greeting(reply))) => Ok((reply.to_string(), core)),
                Ok(other) => panic!("{other:?}"),
                Err(fault) => Err(fault.to_string()),
            }
        };
        let (_, core) = greeted("* OK [CAPABILITY IMAP4rev1 SASL-IR] hello\r\n").unwrap();
        assert!(core.capabilities().has("SASL-IR"));
        for (line, shown) in [
            ("* OK hi\n", "OK hi"),
            ("* BYE Too many connections\r\n", "BYE Too many connections"),
            // IceWarp (MailKit#1073) and SmarterMail (MailKit#1100).
            ("* NO LOGOUT Intrusion prevention\r\n", "NO LOGOUT Intrusion prevention"),
            ("421 Server is busy\r\n", "BYE 421 Server is busy"),
        ] {
            assert_eq!(greeted(line).unwrap().0, shown);
        }
        let fault = greeted("220 mail.example ESMTP\r\n").map(|_| ()).unwrap_err();
        assert_eq!(fault, "expected an IMAP greeting, the server sent `220 mail.example ESMTP`");
    }

    #[test]
    fn a_server_that_says_goodbye_twice_is_gone() {
        let mut core = core();
        start(&mut core, "NOOP", Claims::Nothing, Effect::None);
        assert!(hear(&mut core, "* BYE Session invalidated - AccessTokenExpired\r\n").is_empty());
        assert!(core.last_words().unwrap().says_token_expired());
        assert!(matches!(hear(&mut core, "* BYE\r\n")[..], [Step::Gone]));
    }

    #[test]
    fn half_a_line_can_be_the_last_words() {
        let mut core = core();
        hear(&mut core, "* BYE Connection is closed. 13");
        core.eof();
        assert_eq!(core.last_words().unwrap().to_string(), "BYE Connection is closed. 13");
    }

    #[test]
    fn an_alert_in_an_ok_reaches_the_user() {
        let mut core = core();
        start(&mut core, "NOOP", Claims::Nothing, Effect::None);
        hear(&mut core, "A1 OK [ALERT] System shutdown in 10 minutes\r\n");
        assert!(matches!(core.take_event(), Some(Event::Notice(_))));
    }

    #[test]
    fn each_message_of_a_stream_gets_the_whole_time_and_a_half_one_must_move() {
        let mut core = core();
        fetch(&mut core);
        let before = core.wait();
        hear(&mut core, "* 1 FETCH (UID 1)\r\n");
        assert_ne!(core.wait(), before);
        hear(&mut core, "* 2 FETCH (UID 2 BODY[] {9}\r\nabc");
        assert_eq!(core.wait(), Wait::Transfer);
    }

    /// Rows of answers that broke other clients, as data that nobody has asked for: none of them
    /// ends the session, and none is lost.
    #[test]
    fn odd_answers_are_all_kept() {
        let rows = [
            "* STATUS INBOX (MESSAGES 0) ",
            "* STATUS \"INBOX\" ()",
            "* SEARCH 1 2 ",
            "* SEARCH ",
            "* ID (\"name\" \"x\" )",
            "* QUOTA \"\" (STORAGE 10  512)",
            "* QUOTA \"\" (STORAGE 1 7881299347898368)",
            "* 11784 FETCH (UID 87567 RFC822.SIZE 5799845 )",
            "* 1 FETCH (RFC822.HEADER  {5}\r\nA: b\n)",
            "* 1 FETCH (ENVELOPE (NIL NIL () () () () () () NIL NIL))",
            "* 1 FETCH (BODY (\"text\" \"plain\" (\"boundary\" NIL) NIL NIL NIL -1 -1))",
            "* 1 FETCH (X-GM-LABELS (\\Inbox) X-GM-MSGID 1 X-GM-THRID 2)",
            "* 1 FETCH (BINARY[1] ~{3}\r\na\0b BINARY.SIZE[1] 3)",
            "* 0 FETCH (UID 1)",
            "* ESEARCH (TAG \"A1\") UID ALL 1:3",
            "* THREAD (1 2)(3)",
            "* LIST () \"/\" \"a\" (\"CHILDINFO\" (\"SUBSCRIBED\"))",
            "* LIST (\\HasNoChildren \\) \".\" \"INBOX.ARCH\"",
            "* XFOO bar",
            "CAPABILITY completed.",
            "Server Unavailable.",
            "* 99999999999 EXISTS",
            "* OK [COPYUID 14  ]",
            "[COPYUID 124 10 233]",
            "* NO [WEBALERT https://accounts.google.com/] Web login required.",
        ];
        let mut core = core();
        for row in rows {
            assert!(hear(&mut core, &format!("{row}\r\n")).is_empty(), "{row}");
            assert!(core.take_event().is_some(), "{row}");
            assert!(core.take_event().is_none(), "{row}");
        }
        // These are state.
        select(&mut core, "A");
        hear(
            &mut core,
            "*  1688 EXISTS\r\n* FLAGS (\\Answered $Forwarded )\r\n* OK [UIDVALIDITY 1] \r\n\
             * OK [HIGHESTMODSEQ 13637]\r\n* CAPABILITY IMAP4rev1 \r\n* OK [UIDNEXT 5]\r\nA1 OK\r\n",
        );
        let state = core.selected().unwrap();
        assert_eq!((state.exists, state.flags.len()), (1688, 2));
        assert_eq!((state.uid_next, state.highest_mod_seq), (Uid::new(5), Some(13_637)));
        assert!(core.take_event().is_none());
    }

    proptest! {
        #[test]
        fn no_octets_make_the_core_panic(
            lines in proptest::collection::vec(
                "(\\*|\\+|A[1-3]|) ?(OK|NO|BYE|[0-9]{1,12}|FETCH|FLAGS)? ?[ -~]{0,30}(\\{[0-9]\\})?",
                0..12,
            ),
        ) {
            let mut core = core();
            select(&mut core, "A");
            fetch(&mut core);
            for line in lines {
                core.input.push(format!("{line}\r\n").as_bytes());
                while let Ok(Some(_)) = core.poll() {}
            }
            core.eof();
            while core.take_event().is_some() {}
        }

        #[test]
        fn no_cut_changes_what_is_reported(chunk in 1_usize..40) {
            let octets = b"* 1 FETCH (UID 1 BODY[] {4}\r\na\r\nb)\r\n* 2 EXISTS\r\n+ \r\nA1 OK x\r\n";
            let mut core = core();
            fetch(&mut core);
            let mut steps = String::new();
            for piece in octets.chunks(chunk) {
                core.input.push(piece);
                while let Some(step) = core.poll().unwrap() {
                    steps += &format!("{step:?}\n");
                }
            }
            let mut whole = self::core();
            fetch(&mut whole);
            let expected = hear(&mut whole, std::str::from_utf8(octets).unwrap());
            let expected: String = expected.iter().map(|step| format!("{step:?}\n")).collect();
            prop_assert_eq!(steps, expected);
        }
    }
}
