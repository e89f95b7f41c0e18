//! The IMAP core: cuts and sorts responses, knows what is in flight, keeps the state of the
//! session, carries the SASL exchange. No IO.
//!
//! ```text
//!            greeting ─────────────────────────► Step::Greeting
//!            + …      next piece of a command, or the SASL session's answer
//!            tag …    ends the command ────────► Step::Done
//!   frame ─► * data   state of the session: CAPABILITY, EXISTS, RECENT, FLAGS, response codes
//!            * data   claimed by a command in flight ─► Step::Data, Step::Fetched, Step::Parts
//!            * data   claimed by nobody, or unparsed ─► the events
//! ```
//!
//! A command leaves its tag and what it claims in the queue. If its future is dropped, the next
//! command reads on to the tagged answer; what the dropped one claims is thrown away, and all the
//! rest has its effect. The changes a command makes to the session ([`Effect`]) happen here for the
//! same reason: a dropped SELECT may well have selected.

pub(crate) mod answer;
pub(crate) mod asides;
pub(crate) mod code;
pub(crate) mod decode;
pub(crate) mod effect;
pub(crate) mod encode;
pub(crate) mod faulty;
pub(crate) mod habits;
mod news;
pub(crate) mod offer;
pub(crate) mod parts;
pub(crate) mod response;
pub(crate) mod scan;
pub(crate) mod selected;
pub(crate) mod tag;

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::Bytes;
use memchr::memchr3;

use self::asides::Asides;
use self::decode::Malformed;
pub(crate) use self::effect::{Claims, Effect, Following, Notifying};
use self::encode::{Line, Literals, Piece, quoted};
use self::habits::Habits;
use self::news::News;
use self::offer::Offer;
use self::parts::{Open, Part};
use self::response::Response;
use self::selected::Selected;
pub(crate) use self::tag::{Saved, Tag};
use super::command::context::SearchContext;
use super::event::{Data, Event, Events};
use super::types::{Capabilities, MailboxName, Message};
use super::{Reply, Status};
use crate::Limits;
use crate::fault::{Fault, Unwritable, printable};
use crate::machine::{Abandon, Machine, Wait};
use crate::sasl;
use crate::secret::{Scrubber, Secret};
use crate::wire::literal::{Cut, FrameLimits, Framer};
use crate::wire::{Input, Output};

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
    /// Parts of what the server says of a message: see [`Core::take_part`].
    Parts,
    /// While the mailbox is watched: something was said that [`Core::take_event`] gives.
    Told,
    /// The octets of a message may be handed in, once what stands before them is written: see
    /// [`Core::wanted`].
    Invited,
    /// The tagged answer.
    Done { tag: Tag, reply: Reply },
    /// Something for a command that nobody waits for.
    Discarded,
    /// The server says goodbye again and again, and does not go (Yandex, MailKit#938).
    Gone,
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
    habits: Habits,
    session: Option<sasl::Session>,
    scrubber: Scrubber,
    capabilities: Capabilities,
    /// How often the server has named its capabilities.
    capabilities_named: u32,
    /// What it was asked to do and has confirmed (RFC 5161).
    enabled: Capabilities,
    /// SELECT or EXAMINE was sent.
    has_selected: bool,
    /// What [`takes_utf8`](Self::takes_utf8) says: each message keeps it.
    utf8: bool,
    selected: Option<Selected>,
    /// The mailbox that a SELECT in flight will select.
    entering: Option<Selected>,
    /// The mailbox that a SELECT in flight leaves may still be what the server tells of: nothing has
    /// come of the one that it enters.
    lingering: bool,
    /// The mailbox that a CLOSE in flight will leave.
    leaving: Option<Selected>,
    /// What the server keeps of a search (RFC 5182).
    saved: Saved,
    notifying: Notifying,
    contexts: Vec<Following>,
    events: Events,
    /// What the last [`Step::Fetched`] is about. It is large, and steps are passed on with every
    /// octet that comes.
    fetched: Option<Message>,
    /// Whether a command in flight takes messages in parts.
    dividing: bool,
    /// The response of which parts were handed on, and which has not come to its end.
    open: Option<Open>,
    /// Parts that nobody has taken yet.
    parts: VecDeque<Part>,
    /// What was said of messages without the sections of them that may still come.
    asides: Asides,
    /// Lines that made no sense while a FETCH was answered.
    missed: usize,
    /// What was said by number alone of messages whose flags are fetched by UID.
    news: News,
    /// Whether somebody wants to know of all that happens in the mailbox.
    watched: bool,
    last_words: Option<Reply>,
    goodbyes: u32,
    /// More was collected of responses than may be.
    overdrawn: bool,
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
    /// Its first line is in the send buffer, or was.
    begun: bool,
    /// Nobody waits for the answer any longer.
    abandoned: bool,
    /// Octets of the data that were handed to it, which it may keep until it is answered.
    handed: u64,
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
            habits: Habits::default(),
            session: None,
            scrubber: Scrubber::default(),
            capabilities: Capabilities::default(),
            capabilities_named: 0,
            enabled: Capabilities::default(),
            has_selected: false,
            utf8: false,
            selected: None,
            entering: None,
            lingering: false,
            leaving: None,
            saved: Saved::NONE,
            notifying: Notifying::default(),
            contexts: Vec::new(),
            events: Events::new(limits.events, limits.response),
            fetched: None,
            dividing: false,
            open: None,
            parts: VecDeque::new(),
            asides: Asides::default(),
            missed: 0,
            news: News::default(),
            watched: false,
            last_words: None,
            goodbyes: 0,
            overdrawn: false,
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
        let offer = self.offer();
        Line::new(Literals::of(offer))
            .binary(Literals::of_binary(offer))
            .utf8(self.takes_utf8())
            .wide(offer.speaks_rev2())
            .saved(self.saved)
    }

    /// What the server keeps of a search.
    pub(crate) const fn saved(&self) -> Saved {
        self.saved
    }

    /// What the server tells unasked, or may tell once it has carried out what is in flight.
    pub(crate) fn notifying(&self) -> Notifying {
        let asked = self.queue.iter().filter_map(|pending| match pending.effect {
            Effect::Notify(asked) => Some(asked),
            _ => None,
        });
        asked.fold(self.notifying, |both, asked| Notifying {
            tells: both.tells | asked.tells,
            expunges: both.expunges | asked.expunges,
        })
    }

    /// The searches that the server keeps up to date.
    pub(crate) fn contexts(&self) -> &[Following] {
        &self.contexts
    }

    /// The name of the search with this tag, if it is kept up to date.
    pub(crate) fn context(&self, tag: Tag) -> Option<SearchContext> {
        self.contexts.iter().find(|known| known.tag == tag).map(|known| known.context)
    }

    /// The search with this tag is not kept up to date.
    pub(crate) fn unfollow(&mut self, tag: Tag) {
        self.contexts.retain(|known| known.tag != tag);
    }

    /// Tells by events of all that happens, until the next command.
    pub(crate) const fn watch(&mut self) {
        self.watched = true;
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
            Piece::Literal(_) | Piece::Upload(_) | Piece::Wait | Piece::Hold => false,
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

    /// Sends LOGIN, RFC 9051 section 6.2.3, with strings in quotes, or as literals that do not wait
    /// (RFC 7888) where they are not ASCII.
    ///
    /// # Errors
    /// The connection is in clear text; nothing was written.
    pub(crate) fn log_in(&mut self, session: sasl::Session) -> Result<Tag, Unwritable> {
        let tag = self.next_tag();
        if let Some((user, password)) = session.by_user_pass() {
            if user.is_ascii() && password.expose().is_ascii() {
                let line = [format!("{tag} LOGIN ").into_bytes(), quoted(user.as_bytes())];
                let password = Secret::new(quoted(password.expose()));
                self.output.secret(&[&line.concat()[..], b" "].concat(), &password)?;
            } else {
                // Before anything of it is written.
                if !self.output.is_confidential() {
                    return Err(Unwritable::SecretInClearText);
                }
                let (octets, more) = (user.len(), password.expose().len());
                self.output.command(format!("{tag} LOGIN {{{octets}+}}").as_bytes())?;
                self.output.command(format!("{user} {{{more}+}}").as_bytes())?;
                self.output.secret(b"", password)?;
            }
        }
        self.scrubber = session.scrubber();
        self.session = Some(session);
        Ok(self.enqueue(Claims::Nothing, Effect::Authenticate))
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
        let line = format!("{} AUTHENTICATE {}", self.next_tag(), session.mechanism());
        match session.initial_response().filter(|_| inline) {
            Some(response) => {
                self.output.secret(format!("{line} ").as_bytes(), response)?;
                session.initial_response_sent();
            }
            None => self.output.command(line.as_bytes())?,
        }
        self.scrubber = session.scrubber();
        self.session = Some(session);
        let tag = self.enqueue(Claims::Nothing, Effect::Authenticate);
        self.begin_command(tag);
        Ok(tag)
    }

    fn enqueue(&mut self, claims: Claims, effect: Effect) -> Tag {
        self.tags = self.tags.wrapping_add(1);
        self.turn = self.turn.wrapping_add(1);
        // From here on nothing is taken to be selected, so that no command can be meant for one
        // mailbox and reach another, should this future be dropped.
        match &effect {
            Effect::Select { name, read_only } => {
                self.has_selected = true;
                self.lingering = self.selected.take().is_some() || self.entering.is_some();
                self.entering = Some(Selected::new(name.clone(), *read_only));
                self.events.forget_messages();
            }
            Effect::Unselect => {
                // What is told of messages is forgotten once it is granted.
                self.leaving = self.selected.take();
            }
            _ => {}
        }
        if matches!(
            effect,
            Effect::Select { .. } | Effect::Unselect | Effect::Search { saves: true }
        ) {
            self.forget_saved();
        }
        self.watched = matches!(effect, Effect::Idle | Effect::Poll);
        let tag = Tag(self.tags);
        if self.queue.is_empty() {
            self.missed = 0;
            self.news = News::default();
        }
        if let Claims::Flags(set) = &claims {
            self.news.ask(set);
        }
        if effect == Effect::Update {
            self.contexts.push(Following { tag, context: SearchContext::new(), wanted: true });
        }
        self.queue.push_back(Pending {
            tag,
            claims,
            effect,
            begun: false,
            abandoned: false,
            handed: 0,
        });
        tag
    }

    /// A mailbox of this name comes, goes, or gets another name, and with it maybe those below it:
    /// what is selected, or is about to be, may no longer be what its name says.
    pub(crate) fn displace(&mut self, name: &MailboxName) {
        let known = [&mut self.selected, &mut self.entering, &mut self.leaving];
        for mailbox in known.into_iter().flatten().filter(|mailbox| mailbox.may_be_below(name)) {
            mailbox.displaced = true;
        }
    }

    /// A mailbox of this name is made, and with it maybe those above it: another client may have
    /// removed the one that is selected.
    pub(crate) fn displace_above(&mut self, name: &MailboxName) {
        let known = [&mut self.selected, &mut self.entering, &mut self.leaving];
        let made = known.into_iter().flatten().filter(|mailbox| mailbox.name.may_come_with(name));
        made.for_each(|mailbox| mailbox.displaced = true);
    }

    /// The server may keep something else now than it did.
    pub(crate) const fn forget_saved(&mut self) {
        self.saved = Saved::NONE;
    }

    /// Nobody is logged in any longer (RFC 8437 section 3). It is as after the greeting, and only
    /// what the connection itself is about is kept. `told`: the server has said what it can do now.
    pub(crate) fn forget_login(&mut self, limits: &Limits, told: bool) {
        let confidential = self.output.is_confidential();
        let before = std::mem::replace(self, Self::new(limits, confidential));
        self.input = before.input;
        self.output = before.output;
        self.framer = before.framer;
        self.scrubber = before.scrubber;
        self.last_words = before.last_words;
        self.goodbyes = before.goodbyes;
        self.tags = before.tags;
        self.turn = before.turn;
        // The greeting is not said again.
        self.habits = before.habits;
        self.events = before.events;
        self.events.forget_messages();
        if told {
            self.utf8 =
                before.capabilities.has("IMAP4rev2") && !before.capabilities.has("IMAP4rev1");
            self.capabilities = before.capabilities;
            self.capabilities_named = before.capabilities_named;
        }
    }

    /// Forgets what nobody has taken.
    pub(crate) fn forget_events(&mut self) {
        while self.events.pop().is_some() {}
    }

    /// Somebody is logged in. Of what was said before, to whoever it was, only the capabilities and
    /// what is meant for people count (RFC 9051 section 11.3).
    pub(crate) fn forget_premature(&mut self) {
        self.events.keep_notices();
    }

    /// That of the next command.
    pub(crate) const fn next_tag(&self) -> Tag {
        Tag(self.tags.wrapping_add(1))
    }

    /// The login of this connection, to tell why it failed.
    pub(crate) const fn session(&self) -> Option<&sasl::Session> {
        self.session.as_ref()
    }

    pub(crate) const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// What the server is known to do wrong.
    pub(crate) const fn habits(&self) -> Habits {
        self.habits
    }

    /// How often the server has named its capabilities.
    pub(crate) const fn capabilities_named(&self) -> u32 {
        self.capabilities_named
    }

    /// Whether ENABLE may still be sent (RFC 9051 section 6.3.1).
    pub(crate) const fn may_enable(&self) -> bool {
        !self.has_selected
    }

    /// What ENABLE has brought.
    pub(crate) const fn enabled(&self) -> &Capabilities {
        &self.enabled
    }

    /// Whether the server speaks UTF-8, in names, too (RFC 6855, RFC 9051 appendix E).
    pub(crate) fn takes_utf8(&self) -> bool {
        self.enabled.has("UTF8=ACCEPT") || self.speaks_rev2()
    }

    /// What the server can do, as it is now: to be asked when the connection is at rest.
    pub(crate) const fn offer(&self) -> Offer<'_> {
        Offer { announced: &self.capabilities, enabled: &self.enabled }
    }

    /// See [`Offer::speaks_rev2`].
    pub(crate) fn speaks_rev2(&self) -> bool {
        self.offer().speaks_rev2()
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

    /// The events that nobody has taken yet.
    pub(crate) const fn events(&self) -> &Events {
        &self.events
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

    /// So much memory the responses that one command collects may take together: what one response
    /// may with its literals.
    const fn most_collected(&self) -> u64 {
        self.frame_limits.literal.saturating_add(self.frame_limits.text as u64)
    }

    /// Counts what the command that is being answered has made of a response, beyond its octets: the
    /// connection ends before it is more than may be collected.
    pub(crate) fn charge(&mut self, octets: usize) {
        let limit = self.most_collected();
        if let Some(pending) = self.queue.front_mut() {
            pending.handed = pending.handed.saturating_add(octets as u64);
            self.overdrawn |= pending.handed > limit;
        }
    }

    /// Counts what is kept of the answers to many commands: the same bound holds for all of it.
    pub(crate) fn charge_together(&mut self, octets: usize) {
        self.overdrawn |= octets as u64 > self.most_collected();
    }

    /// Writes what may be written now, a message in chunks.
    fn pump(&mut self) {
        while self.output.unsent().len() < Self::CHUNK {
            let tag = match self.pieces.front() {
                Some((tag, Piece::Line(_) | Piece::Literal(_))) => *tag,
                _ => return,
            };
            if !self.begin_command(tag) {
                return;
            }
            match self.pieces.front_mut().map(|(_, piece)| piece) {
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
                _ => {}
            }
            self.pieces.pop_front();
        }
    }

    /// How many commands may wait for their answers at once.
    pub(crate) const WINDOW: usize = 64;
    /// The same for commands whose answers may be long: while one is answered, the next is on its
    /// way. All that lie unanswered would have to be read if the user looks no further.
    const LONG_WINDOW: usize = 2;

    /// Whether this command was begun, or may begin now.
    fn begin_command(&mut self, tag: Tag) -> bool {
        let ahead = self.queue.iter().position(|pending| pending.tag == tag);
        let Some((ahead, pending)) = ahead.and_then(|at| Some((at, self.queue.get_mut(at)?)))
        else {
            return true;
        };
        let window = match pending.effect {
            Effect::Stream | Effect::Parts => Self::LONG_WINDOW,
            _ => Self::WINDOW,
        };
        pending.begun |= ahead < window;
        pending.begun
    }

    /// How many octets of a message are still to be handed in, once the server takes them.
    pub(crate) fn wanted(&self) -> Option<u64> {
        match self.pieces.front() {
            Some((_, Piece::Upload(left))) => Some(*left),
            _ => None,
        }
    }

    /// Hands in the next octets of a message, not more than are [`wanted`](Self::wanted).
    pub(crate) fn feed(&mut self, octets: &[u8]) {
        let Some((_, Piece::Upload(left))) = self.pieces.front_mut() else { return };
        *left = left.saturating_sub(octets.len() as u64);
        let over = *left == 0;
        self.output.content(|buffer| buffer.extend_from_slice(octets));
        if over {
            self.pieces.pop_front();
            self.pump();
        }
    }

    /// Ends an IDLE, once the server has taken it up: what comes before would be no answer.
    pub(crate) fn let_go(&mut self) {
        self.turn = self.turn.wrapping_add(1);
        self.pieces.retain(|(_, piece)| *piece != Piece::Hold);
        self.pump();
    }

    /// Forgets the commands of which nothing was written. Those that change the session are few,
    /// and are written at once.
    fn forget_unbegun(&mut self) {
        let forgets = |pending: &Pending| {
            !pending.begun
                && matches!(
                    pending.effect,
                    Effect::None | Effect::Stream | Effect::Parts | Effect::Search { saves: false }
                )
        };
        let queue = &self.queue;
        self.pieces.retain(|(tag, _)| {
            !queue.iter().any(|pending| pending.tag == *tag && forgets(pending))
        });
        self.queue.retain(|pending| !forgets(pending));
    }
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
        if self.overdrawn {
            let limit = self.most_collected();
            return Err(Fault::ResponseTooLong { limit, unit: "octets" });
        }
        let dividing = self.dividing;
        let divides = |text: &[u8], is_rest| dividing && parts::ends_in_section(text, is_rest);
        while let Some(cut) = self.framer.cut(&mut self.input, self.frame_limits, divides)? {
            let step = match cut {
                Cut::Frame(frame) if self.open.is_none() => self.take(frame)?,
                cut => self.piece(cut),
            };
            if step.is_some() {
                return Ok(step);
            }
            if self.watched && self.events.is_waiting() {
                return Ok(Some(Step::Told));
            }
        }
        Ok(None)
    }

    fn eof(&mut self) {
        if self.framer.is_within() {
            return;
        }
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
        let piece = self.pieces.front().map(|(_, piece)| piece);
        match (self.queue.front().map(|pending| &pending.effect), piece) {
            (None, _) => Wait::Rest,
            (Some(Effect::Authenticate), _) => Wait::Sasl,
            // The server waits for the user.
            (Some(Effect::Upload), Some(Piece::Upload(_))) if self.output.is_empty() => Wait::Rest,
            (Some(Effect::Idle), Some(Piece::Hold)) => Wait::Rest,
            (Some(Effect::Upload), Some(piece)) if *piece != Piece::Wait => Wait::Transfer,
            (Some(Effect::Stream | Effect::Parts), _)
                if self.unread() > 0 || self.framer.is_within() =>
            {
                Wait::Transfer
            }
            (Some(_), _) => Wait::Reply(self.turn),
        }
    }

    fn in_flight(&self) -> bool {
        self.greeting_expected || !self.queue.is_empty()
    }

    fn abandon(&mut self) -> Abandon {
        self.forget_unbegun();
        self.let_go();
        self.parts.clear();
        self.asides = Asides::default();
        if let Some(open) = &mut self.open {
            open.abandon();
        }
        let half_way = !self.pieces.is_empty();
        for pending in &mut self.queue {
            pending.abandoned = true;
            match pending.effect {
                Effect::Authenticate | Effect::Layer => return Abandon::Close,
                Effect::Update => {
                    let known = self.contexts.iter_mut().filter(|known| known.tag == pending.tag);
                    known.for_each(|known| known.wanted = false);
                }
                // The rest of a large message would hold up the next command for long.
                Effect::Upload if half_way => return Abandon::Close,
                _ => {}
            }
        }
        if self.greeting_expected { Abandon::Close } else { Abandon::Drain }
    }
}

#[cfg(test)]
mod tests;
