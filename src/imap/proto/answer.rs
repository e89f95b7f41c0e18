//! What a response means to the session, and whose it is.

use std::num::NonZeroU32;

use bytes::Bytes;

use super::decode::{Cursor, Malformed, Parsed};
use super::encode::Piece;
use super::faulty::reread;
use super::habits::Habits;
use super::response::{Condition, Response};
use super::selected::Selected;
use super::{Claims, Core, Effect, Notifying, Pending, Saved, Step, Tag};
use crate::fault::Fault;
use crate::imap::command::context::{SearchUpdate, Told};
use crate::imap::event::{Data, Event};
use crate::imap::types::{Capabilities, Message, NumberSet, UidSet};
use crate::imap::{Code, ListedMailbox, Reply, Status};

impl Core {
    pub(super) fn take(&mut self, frame: Bytes) -> Result<Option<Step>, Fault> {
        let response = Response::parse(&frame);
        if std::mem::take(&mut self.greeting_expected) {
            return self.greeted(&response, &frame).map(Some);
        }
        match response {
            Response::Continue { text } => return self.invited(text, &frame),
            Response::Tagged { tag, condition } => {
                let tag = Tag::parse(tag);
                let at = self.queue.iter().position(|pending| Some(pending.tag) == tag);
                if let Some(pending) = at.and_then(|at| self.queue.remove(at)) {
                    return self.done(pending, &condition).map(Some);
                }
                self.keep_unparsed(frame, Malformed("the tag of a command in flight"));
            }
            Response::Status(condition) => return self.status(&condition, &response, &frame),
            Response::Fetch { .. } if self.lingering => {}
            Response::Fetch { .. } => return self.data(&response, &frame),
            Response::Numbered { number, name, .. } => {
                let counts =
                    [&b"EXISTS"[..], b"RECENT"].iter().any(|n| name.eq_ignore_ascii_case(n));
                // After NOTIFY it may be a new message in the mailbox that is left: what follows
                // is no more about the one that is entered than before, which counts anew.
                self.lingering &= !counts || self.notifying().tells;
                if self.lingering && !counts {
                    return Ok(None);
                }
                if name.eq_ignore_ascii_case(b"EXPUNGE") {
                    self.renumber_asides();
                    self.news.renumber();
                }
                if let Some(state) = self.state() {
                    state.count(number, name);
                }
                if name.eq_ignore_ascii_case(b"EXISTS") {
                    // What SELECT tells of its mailbox is no change of it.
                    if self.watched || self.notifying.tells && self.entering.is_none() {
                        self.events.count(number);
                    }
                } else if !name.eq_ignore_ascii_case(b"RECENT") {
                    return self.data(&response, &frame);
                }
            }
            Response::Data { name, rest } => {
                if name.eq_ignore_ascii_case(b"CAPABILITY") {
                    self.set_capabilities(Capabilities::parse(rest));
                } else if name.eq_ignore_ascii_case(b"FLAGS") {
                    self.lingering = false;
                    if let Some(state) = self.state() {
                        state.set_flags(rest);
                    }
                } else if name.eq_ignore_ascii_case(b"VANISHED") && self.lingering {
                    return Ok(None);
                } else if name.eq_ignore_ascii_case(b"VANISHED") {
                    return self.vanished(rest, &response, &frame);
                } else if name.eq_ignore_ascii_case(b"ESEARCH")
                    && self.updated(rest, &response, &frame)
                    || name.eq_ignore_ascii_case(b"LIST") && self.introduced(rest)
                {
                    return Ok(None);
                } else {
                    return self.data(&response, &frame);
                }
            }
            Response::Unparsed(why) => {
                self.miss();
                self.keep_unparsed(frame, why);
            }
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
        self.habits = Habits::of(reply.text());
        self.heed(&reply);
        Ok(Step::Greeting(reply))
    }

    /// `+`: the rest of a command may come, or the SASL exchange goes on.
    fn invited(&mut self, text: &[u8], frame: &Bytes) -> Result<Option<Step>, Fault> {
        if matches!(self.pieces.front(), Some((_, Piece::Wait))) {
            let reply = Reply::new(&Condition::parse(Status::Ok, text), &self.scrubber);
            if calls_for_attention(&reply) {
                self.keep(Event::Notice(reply));
            }
            self.pieces.pop_front();
            self.turn = self.turn.wrapping_add(1);
            self.pump();
            let is_upload = |(_, piece): &(Tag, Piece)| matches!(piece, Piece::Upload(_));
            return Ok(self.pieces.iter().any(is_upload).then_some(Step::Invited));
        }
        let running = self.queue.iter().any(|pending| pending.effect == Effect::Authenticate);
        let Some(session) =
            self.session.as_mut().filter(|session| running && session.by_user_pass().is_none())
        else {
            // Exchange sends some that nothing called for (MailKit#852).
            self.keep_unparsed(frame.clone(), Malformed("no continuation, for none was awaited"));
            return Ok(None);
        };
        let answer = session.respond(text.trim_ascii()).map_err(|_| Fault::EndlessChallenge)?;
        // What cannot be written was refused when the exchange began.
        self.output.secret(b"", &answer).map_err(|_| Fault::EndlessChallenge)?;
        Ok(None)
    }

    fn status(
        &mut self,
        condition: &Condition<'_>,
        response: &Response<'_>,
        frame: &Bytes,
    ) -> Result<Option<Step>, Fault> {
        let reply = Reply::new(condition, &self.scrubber);
        let stateful = self.heed(&reply);
        if reply.code() == Some(&Code::Closed) && reply.status() != Status::Bye {
            self.begin_anew();
            return self.claim(response, frame);
        }
        if reply.status() == Status::Bye {
            self.goodbyes += 1;
            // The second goodbye is often without the reason (Yandex).
            if self.last_words.is_none() || !reply.text().is_empty() {
                self.last_words = Some(reply);
            }
            // Who idles waits for nothing that could still come, and so does who listens.
            let idles = self.queue.iter().any(|pending| pending.effect == Effect::Idle);
            let listens = self.watched && self.queue.is_empty();
            return Ok((self.goodbyes > 1 || idles || listens).then_some(Step::Gone));
        }
        if let Some(tag) = no_update(&reply) {
            // While it runs, the search itself says so.
            if !self.queue.iter().any(|pending| pending.tag == tag) {
                self.doubt(tag);
            }
            self.unfollow(tag);
        }
        if reply.code() == Some(&Code::NotificationOverflow) {
            // As if NOTIFY NONE had been said (RFC 5465 section 5.8).
            self.notifying = Notifying::default();
            self.keep(Event::NotificationOverflow(reply));
            return Ok(None);
        }
        if stateful {
            return Ok(None);
        }
        // COPYUID and its like belong to a command, wherever they stand.
        if self.queue.iter().any(|pending| pending.claims.may_claim(response)) {
            return self.claim(response, frame);
        }
        self.keep(Event::Notice(reply));
        Ok(None)
    }

    /// The step for the command that claims a response; none if there is none.
    fn claim(&mut self, response: &Response<'_>, frame: &Bytes) -> Result<Option<Step>, Fault> {
        let claimant = self.queue.iter().find(|pending| pending.claims.may_claim(response));
        match claimant.map(|pending| pending.tag) {
            Some(tag) => self.collected(tag, frame.len(), Step::Data { tag, frame: frame.clone() }),
            None => Ok(None),
        }
    }

    /// Messages are gone, by their UIDs (RFC 7162 section 3.2.10). What had gone before the mailbox
    /// was opened has not been counted.
    fn vanished(
        &mut self,
        rest: &[u8],
        response: &Response<'_>,
        frame: &Bytes,
    ) -> Result<Option<Step>, Fault> {
        let read = vanished(rest);
        if let Ok((uids, false)) = &read {
            self.renumber_asides();
            self.news.renumber();
            if let Some(state) = self.state() {
                state.remove(uids.count());
            }
        }
        let claimant = self.queue.iter().find(|pending| pending.claims.may_claim(response));
        // What nobody waits for is gone all the same; SELECT tells of another mailbox.
        let told = |pending: &Pending| !pending.abandoned || pending.effect != Effect::None;
        if claimant.is_some_and(told) {
            return self.claim(response, frame);
        }
        match read {
            Ok((uids, earlier)) => self.keep(Event::Vanished { uids, earlier }),
            Err(why) => self.keep_unparsed(frame.clone(), why),
        }
        Ok(None)
    }

    /// Takes what tells how a search that is kept up to date has changed (RFC 5267 section 4.3.2).
    /// True if there is nothing else in it.
    fn updated(&mut self, rest: &[u8], response: &Response<'_>, frame: &Bytes) -> bool {
        const UNKNOWN: Malformed = Malformed("the tag of a search that is kept up to date");
        let told = match Told::parse(rest) {
            Ok(Some(told)) => told,
            Ok(None) => return false,
            Err(why) => {
                if let Some(tag) = Told::tag(rest) {
                    self.doubt(tag);
                }
                // The running search counts what it cannot read of its answer.
                let claimed = self.queue.iter().any(|pending| pending.claims.may_claim(response));
                if !claimed {
                    self.keep_unparsed(frame.clone(), why);
                }
                return !claimed;
            }
        };
        match self.contexts.iter().find(|known| known.tag == told.tag) {
            Some(known) if known.wanted && self.is_within() => {
                let update = SearchUpdate::new(known.context, told.changes);
                self.keep(Event::Search(update));
            }
            // The mailbox is being left, or nobody knows of the search.
            Some(_) => {}
            None => self.keep_unparsed(frame.clone(), UNKNOWN),
        }
        !told.answers
    }

    /// What was found by the search with this tag is not kept up to date any longer.
    fn doubt(&mut self, tag: Tag) {
        let known = self.contexts.iter().find(|known| known.tag == tag);
        if let Some(known) = known.filter(|known| known.wanted && self.is_within()) {
            self.keep(Event::SearchOutdated(known.context));
        }
    }

    /// Whether a mailbox is selected, and not left for another: CLOSE may be refused.
    const fn is_within(&self) -> bool {
        self.selected.is_some() || self.leaving.is_some()
    }

    /// Takes the LIST response in which IMAP4rev2 has a SELECT name its mailbox. False if it is
    /// something else.
    fn introduced(&mut self, rest: &[u8]) -> bool {
        if !self.speaks_rev2() {
            return false;
        }
        let Some(entering) = &mut self.entering else { return false };
        ListedMailbox::parse(rest, true).is_ok_and(|row| entering.introduce(&row))
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
                | Code::NoModSeq
                | Code::ReadOnly
                | Code::ReadWrite),
            ) => {
                if let Code::UidValidity(now) = code {
                    // RFC 5182 section 2.1.
                    self.forget_saved();
                    self.check_uid_validity(*now);
                }
                self.lingering &= self.notifying().tells && !matches!(code, Code::UidValidity(_));
                if let Some(state) = self.state() {
                    state.apply(code);
                }
            }
            // CREATE tells that of another mailbox.
            Some(code @ Code::MailboxId(_)) => match &mut self.entering {
                Some(entering) => entering.apply(code),
                None => return false,
            },
            Some(Code::Closed) => {}
            _ => return false,
        }
        true
    }

    /// A mailbox that is selected must keep its UIDVALIDITY.
    fn check_uid_validity(&mut self, now: NonZeroU32) {
        let known = self.selected.as_ref().or(self.leaving.as_ref());
        let was = known.and_then(|state| state.uid_validity);
        if let Some(was) = was.filter(|was| *was != now && self.entering.is_none()) {
            self.keep(Event::UidValidity { was, now });
        }
    }

    /// The mailbox that untagged data are about.
    fn state(&mut self) -> Option<&mut Selected> {
        self.entering.as_mut().or(self.selected.as_mut()).or(self.leaving.as_mut())
    }

    /// What came before CLOSED was about the mailbox that SELECT leaves; all that follows is about
    /// the one it enters (RFC 7162 section 3.2.11).
    fn begin_anew(&mut self) {
        self.lingering = false;
        if let Some(entering) = &mut self.entering {
            *entering = entering.anew();
            self.events.forget_messages();
            self.missed = 0;
        }
    }

    fn set_capabilities(&mut self, capabilities: Capabilities) {
        self.capabilities = capabilities;
        self.capabilities_named += 1;
        self.utf8 = self.takes_utf8();
    }

    /// Hands data to the command that claims them, or keeps them for the user.
    fn data(&mut self, response: &Response<'_>, frame: &Bytes) -> Result<Option<Step>, Fault> {
        let claimant = self.queue.iter().find(|pending| pending.claims.may_claim(response));
        match (*response, claimant) {
            (
                Response::Fetch { seq, items },
                None
                | Some(Pending {
                    claims: Claims::Messages(_) | Claims::Flags(_) | Claims::Numbers(_),
                    ..
                }),
            ) => self.fetched(seq, items, frame),
            (_, None) => {
                self.unclaimed(response, frame);
                Ok(None)
            }
            (_, Some(pending)) => {
                if let Response::Data { rest, .. } = *response
                    && let Effect::Enable(asked) = &pending.effect
                {
                    self.enabled.add_asked(rest, asked);
                    self.utf8 = self.takes_utf8();
                }
                let (tag, abandoned) = (pending.tag, pending.abandoned);
                if abandoned && is_expunge(response) {
                    // It has moved the sequence numbers, whoever waits for it.
                    self.unclaimed(response, frame);
                } else if abandoned && self.notifying().tells {
                    self.rescue(response, frame);
                }
                self.collected(tag, frame.len(), Step::Data { tag, frame: frame.clone() })
            }
        }
    }

    /// What comes for a command that nobody waits for is thrown away, but may tell of a change that
    /// nobody would ever hear of.
    fn rescue(&mut self, response: &Response<'_>, frame: &Bytes) {
        match *response {
            // It is true whoever asked.
            Response::Data { name, .. } if name.eq_ignore_ascii_case(b"STATUS") => {
                self.unclaimed(response, frame);
            }
            // An answer that is taken for a change would be wrong: it need not say all.
            Response::Data { name, .. }
                if [&b"LIST"[..], b"METADATA"].iter().any(|n| name.eq_ignore_ascii_case(n)) =>
            {
                self.events.lose();
            }
            _ => {}
        }
    }

    /// Keeps data that no command takes.
    pub(crate) fn unclaimed(&mut self, response: &Response<'_>, frame: &Bytes) {
        const TOO_MUCH: Malformed = Malformed("less data, for nobody asked for them");
        const NO_NUMBER: Malformed = Malformed("a message number");
        match *response {
            Response::Numbered { number, .. } if is_expunge(response) => {
                self.keep(Event::Expunge(number));
            }
            Response::Data { name, .. } if name.eq_ignore_ascii_case(b"FETCH") => {
                self.miss();
                self.keep_unparsed(frame.clone(), NO_NUMBER);
            }
            Response::Data { name, rest } if name.len() + rest.len() <= Event::KEPT => {
                match Event::told(name, rest, self.takes_utf8()) {
                    Some(Ok(event)) => return self.keep(event),
                    Some(Err(why)) => return self.keep_unparsed(frame.clone(), why),
                    None if is_misnumbered(rest) => {
                        self.miss();
                        return self.keep_unparsed(frame.clone(), NO_NUMBER);
                    }
                    None => {}
                }
                let name = String::from_utf8_lossy(name).into_owned();
                self.keep(Event::Data(Data { name, rest: frame.slice_ref(rest) }));
            }
            Response::Data { rest, .. } => {
                if is_misnumbered(rest) {
                    self.miss();
                }
                self.keep_unparsed(frame.clone(), TOO_MUCH);
            }
            _ => {
                self.miss();
                self.keep_unparsed(frame.clone(), Malformed("EXISTS, EXPUNGE or FETCH"));
            }
        }
    }

    /// What the server says of a message goes to the command that has asked about it.
    fn fetched(&mut self, seq: u32, items: &[u8], frame: &Bytes) -> Result<Option<Step>, Fault> {
        let mut message = match Message::parse(seq, frame.slice_ref(items)) {
            Ok(message) if message.is_complete() => message,
            Ok(message) => reread(message, items, frame),
            Err(why) => {
                let message = Message::unreadable(seq, frame.slice_ref(items), why);
                return Ok(self.unasked(message, items, frame));
            }
        };
        message.heard(self.utf8);
        if let Some(state) = self.state() {
            state.heed(&message);
        }
        let Some(pending) = self.queue.iter().find(|pending| self.asked_about(pending, &message))
        else {
            return Ok(self.unasked(message, items, frame));
        };
        if pending.abandoned {
            return Ok(Some(Step::Discarded));
        }
        let tag = pending.tag;
        if matches!(pending.claims, Claims::Flags(_)) {
            self.news.told(seq);
        }
        match pending.effect {
            Effect::Parts => {
                if message.is_complete() {
                    self.take_rest(seq, &frame.slice_ref(items).slice(1..), frame);
                } else {
                    self.take_faulty(&message, items, frame);
                }
                self.turn = self.turn.wrapping_add(1);
                Ok(Some(Step::Parts))
            }
            // Messages that are handed on one by one are collected by nobody here.
            Effect::Stream => {
                self.fetched = Some(message);
                self.turn = self.turn.wrapping_add(1);
                Ok(Some(Step::Fetched { tag }))
            }
            _ => {
                let octets = message.octets();
                self.fetched = Some(message);
                self.collected(tag, octets, Step::Fetched { tag })
            }
        }
    }

    /// The step for the command with this tag, which may keep so many octets until it is answered.
    ///
    /// # Errors
    /// What it has been handed takes more memory than one response may with its literals.
    fn collected(&mut self, tag: Tag, octets: usize, step: Step) -> Result<Option<Step>, Fault> {
        /// What a response costs at least, however short it is.
        const LEAST: usize = 64;
        let limit = self.most_collected();
        let Some(pending) = self.queue.iter_mut().find(|pending| pending.tag == tag) else {
            return Ok(None);
        };
        if pending.abandoned {
            return Ok(Some(Step::Discarded));
        }
        pending.handed = pending.handed.saturating_add(octets.max(LEAST) as u64);
        if pending.handed > limit {
            return Err(Fault::ResponseTooLong { limit, unit: "octets" });
        }
        if matches!(pending.effect, Effect::Stream | Effect::Parts) {
            self.turn = self.turn.wrapping_add(1);
        }
        Ok(Some(step))
    }

    /// Whether a command has asked about this message. A response without a UID answers no UID
    /// command (RFC 9051 section 6.4.9).
    pub(super) fn asked_about(&self, pending: &Pending, message: &Message) -> bool {
        // `n:*` asks about the last message, whatever its number.
        let is_last = || self.selected.as_ref().is_none_or(|state| message.seq() >= state.exists);
        let set = match &pending.claims {
            Claims::Messages(set) | Claims::Flags(set) => set,
            Claims::Numbers(set) => {
                let number = NonZeroU32::new(message.seq());
                return number.is_some_and(|number| set.contains(number))
                    || set.names_the_last() && is_last();
            }
            Claims::Nothing | Claims::Data(_) => return false,
        };
        let is_saved = !set.saved().is_none();
        message
            .uid()
            .is_some_and(|uid| is_saved || set.contains(uid) || set.names_the_last() && is_last())
    }

    /// The tagged answer has come: what it means for the session.
    fn done(&mut self, pending: Pending, condition: &Condition<'_>) -> Result<Step, Fault> {
        let reply = Reply::new(condition, &self.scrubber);
        let granted = reply.grants();
        if !self.heed(&reply) && granted && calls_for_attention(&reply) {
            self.keep(Event::Notice(reply.clone()));
        }
        if let Some(state) = self.state() {
            state.answered();
        }
        self.end_pieces(&pending, &reply)?;
        self.dividing = self.queue.iter().any(|pending| pending.effect == Effect::Parts);
        if !self.pieces.is_empty() {
            self.pump();
        }
        if let Some(tag) = no_update(&reply)
            && self.context(tag).is_some()
        {
            if tag != pending.tag {
                self.doubt(tag);
            }
            self.unfollow(tag);
        } else if matches!(reply.code(), Some(Code::NoUpdate(_))) {
            // The tag is that of no search: the one that is answered is meant.
            self.unfollow(pending.tag);
        }
        match &pending.effect {
            // A SELECT that fails leaves no mailbox selected (RFC 9051 section 6.3.2).
            Effect::Select { .. } => {
                self.selected = self.entering.take().filter(|_| granted);
                self.lingering = false;
                self.contexts.clear();
            }
            Effect::Unselect if granted => {
                self.leaving = None;
                self.contexts.clear();
                self.events.forget_messages();
            }
            Effect::Unselect => self.selected = self.leaving.take(),
            Effect::Update if !granted => {
                self.unfollow(pending.tag);
                self.forget_saved();
            }
            Effect::CancelUpdate(tags) if granted => {
                self.contexts.retain(|known| !tags.contains(&known.tag));
            }
            Effect::Notify(asked) if granted => self.notifying = *asked,
            // RFC 5182 section 2.1; by its example 5 a refused search empties it in any case.
            Effect::Search { saves: true } if granted => self.saved = Saved::now(),
            Effect::Search { .. } if !granted => self.forget_saved(),
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
        if pending.effect == Effect::Idle {
            // A server may have enough of it first. The DONE that it does not wait for it would
            // take for a command.
            self.pieces.retain(|(tag, _)| *tag != pending.tag);
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

fn is_expunge(response: &Response<'_>) -> bool {
    matches!(response, Response::Numbered { name, .. } if name.eq_ignore_ascii_case(b"EXPUNGE"))
}

/// Whether FETCH comes behind a first word that was to be a number: `4x9 FETCH (…)`.
fn is_misnumbered(rest: &[u8]) -> bool {
    Cursor::new(rest).eat_word(b"FETCH")
}

/// What follows `VANISHED`: the UIDs, and whether they had gone before.
pub(crate) fn vanished(rest: &[u8]) -> Parsed<(UidSet, bool)> {
    let mut cursor = Cursor::new(rest);
    let earlier = cursor.eat(b'(');
    if earlier {
        cursor.spaces();
        if !cursor.eat_word(b"EARLIER") {
            return Err(Malformed("EARLIER"));
        }
        cursor.end_list("the end of EARLIER")?;
    }
    cursor.spaces();
    let uids = NumberSet::parse_closed(cursor.rest().trim_ascii_end());
    let uids = uids.ok_or(Malformed("a set of UIDs without `*`"))?;
    Ok((UidSet::of(NumberSet::of_ranges(uids)), earlier))
}

/// Which search a server says that it keeps up to date no longer.
fn no_update(reply: &Reply) -> Option<Tag> {
    match reply.code() {
        Some(Code::NoUpdate(tag)) => Tag::parse(tag.as_bytes()),
        _ => None,
    }
}

/// Whether the user should see the words behind an `OK` (RFC 9051 section 7.1, RFC 5530).
fn calls_for_attention(reply: &Reply) -> bool {
    matches!(reply.code(), Some(Code::Alert | Code::ContactAdmin | Code::OverQuota))
}
