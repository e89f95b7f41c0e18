//! What a server says of messages while a FETCH is answered, and what cannot be read, or not of which
//! message it is said.
//!
//! ```text
//! C: A7 UID FETCH 1:* (BODYSTRUCTURE)
//! S: * 3 FETCH (BODYSTRUCTURE ("text" "plain  UID 35)   a message without a UID, for A7
//! S: * 4 FETCH nonsense                                 the same
//! S: nonsense                                           an event, and counted
//! S: A7 OK done
//! ```
//!
//! Who takes the UIDs that do not come for those of messages that are gone loses mail. So what may be an
//! answer is handed to the command that may have asked for it, as a message that says of itself that it
//! is not complete. What is no more than news of flags is none, but counted where flags are fetched.

use bytes::Bytes;

use super::decode::{Malformed, Parsed};
use super::response::Response;
use super::{Claims, Core, Effect, Pending, Step};
use crate::imap::event::Event;
use crate::imap::types::{Message, UnparsedReason};

impl Core {
    /// What no command has asked about by its UID or its number: it may be an answer all the same.
    #[cold]
    pub(super) fn unasked(
        &mut self,
        mut message: Message,
        items: &[u8],
        frame: &Bytes,
    ) -> Option<Step> {
        let answers = message.answers();
        let (tag, in_parts) = match self.presumed(&message) {
            Some(pending) if !pending.abandoned => (pending.tag, pending.effect == Effect::Parts),
            Some(_) if answers => return Some(Step::Discarded),
            _ => {
                self.keep_news(message, frame);
                return None;
            }
        };
        if message.is_complete() {
            message.lacks(match message.uid() {
                Some(_) => "the number of the message",
                None => "the UID of the message",
            });
        }
        self.turn = self.turn.wrapping_add(1);
        if in_parts {
            self.take_nameless(&message, items, frame);
            return Some(Step::Parts);
        }
        self.fetched = Some(message);
        Some(Step::Fetched { tag })
    }

    /// What was said of a message without being asked.
    fn keep_news(&mut self, message: Message, frame: &Bytes) {
        const NOBODY: Malformed = Malformed("a message number of 32 bits, at least 1");
        let fault = message.unparsed().next().map(|unparsed| unparsed.reason());
        let why = match fault {
            Some(UnparsedReason::Malformed { expected }) if message.items().next().is_none() => {
                Malformed(expected)
            }
            _ if message.seq() == 0 && message.uid().is_none() => {
                self.miss();
                NOBODY
            }
            _ => {
                self.doubt_news(&message);
                return self.keep(Event::Fetch(message));
            }
        };
        self.keep_unparsed(frame.clone(), why);
    }

    /// What is told of flags by number alone may answer who asks for them by UID.
    fn doubt_news(&mut self, message: &Message) {
        let asks =
            |pending: &Pending| matches!(pending.claims, Claims::Flags(_)) && !pending.abandoned;
        if message.uid().is_none() && self.fetching().is_some_and(asks) {
            self.news.told_alone(message.seq());
        }
    }

    /// The FETCH in flight that this may be an answer to. All of them are of one flight, so that it
    /// does not matter which it is.
    fn presumed(&self, message: &Message) -> Option<&Pending> {
        let named = message.uid().is_some();
        let may_answer = named || !message.is_complete() || message.answers();
        // Whose number or UID is known was not asked about.
        self.fetching().filter(|pending| match pending.claims {
            Claims::Messages(_) | Claims::Flags(_) => may_answer && !named,
            _ => may_answer && (message.seq() == 0 || self.asked_about(pending, message)),
        })
    }

    /// The first FETCH in flight.
    fn fetching(&self) -> Option<&Pending> {
        let fetches = |pending: &&Pending| {
            matches!(pending.effect, Effect::Stream | Effect::Parts)
                && !matches!(pending.claims, Claims::Nothing | Claims::Data(_))
        };
        // What comes before a mailbox is open is about another one.
        self.queue.iter().find(fetches).filter(|pending| pending.begun && self.entering.is_none())
    }

    /// A line has come that makes no sense at all: it may have been about a message.
    pub(super) fn miss(&mut self) {
        let listens = self.fetching().is_some_and(|pending| !pending.abandoned);
        if listens || self.is_resynchronised() {
            self.missed += 1;
        }
    }

    /// Whether a mailbox is being opened with its changes (RFC 7162 section 3.2.5).
    fn is_resynchronised(&self) -> bool {
        self.queue.iter().any(|pending| {
            matches!(pending.effect, Effect::Select { .. })
                && !pending.abandoned
                && pending.claims.may_claim(&Response::Fetch { seq: 1, items: b"" })
        })
    }

    /// How many lines made no sense at all while the last FETCH was answered, or a SELECT with changes;
    /// and how many may be rows without their UIDs.
    pub(crate) const fn missed(&self) -> usize {
        self.missed + self.news.doubtful()
    }
}

/// What a FETCH response says that was not read as it came.
///
/// # Errors
/// Nothing of it can be read.
pub(crate) fn read_late(seq: u32, items: &[u8], frame: &Bytes, utf8: bool) -> Parsed<Message> {
    let mut message = Message::parse(seq, frame.slice_ref(items))?;
    if !message.is_complete() {
        message = reread(message, items, frame);
    }
    message.heard(utf8);
    Ok(message)
}

/// Reads a message again whose last literal may have taken what seemed to be half the end of its line: a
/// server that counts two octets too many.
#[cold]
pub(super) fn reread(message: Message, items: &[u8], frame: &Bytes) -> Message {
    let line = frame.strip_suffix(b"\r\n").and_then(|line| line.len().checked_sub(items.len()));
    let Some(start) = line else { return message };
    match Message::parse(message.seq(), frame.slice(start..frame.len() - 1)) {
        Ok(whole) if whole.items().count() > message.items().count() => whole,
        _ => message,
    }
}
