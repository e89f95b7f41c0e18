//! The answer to a FETCH in pieces, as it arrives.
//!
//! ```text
//! * 12 FETCH (UID 34 BODY[] {104857600}     Items, Section
//! (octets)                                  Chunk, Chunk, …
//!  FLAGS (\Seen))                           Items, End
//! ```
//!
//! The strings of sections are handed on apart from everything else, however short they are and
//! in whatever form they come, so that who reads the pieces finds them in one place.

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::Bytes;

use super::asides::Asides;
use super::decode::{Cursor, Malformed, Parsed};
use super::response::Response;
use super::{Core, Effect, Step, Tag};
use crate::imap::types::item::{self, octets_of_line_end};
use crate::imap::types::{Message, Section, Text};
use crate::wire::literal::Cut;

/// A piece of what a server says of a message: see [`Messages::parts`](crate::imap::Messages::parts).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Part {
    /// Items that came one behind the other, such as the UID and the flags: a [`Message`] that
    /// has these items and no others.
    Items(Message),
    /// The string of a section of the message begins. Its octets are in the chunks that follow.
    Section(SectionPart),
    /// The next octets of the section.
    Chunk(Bytes),
    /// The rest of this response could not be read; it is found among the events. A server that has
    /// miscounted the octets of a section says as much: the section may lack some, or have some too
    /// many (MailKit#954). Or all of it came but what says of which message it is, such as the UID in
    /// the answer to a UID FETCH: then there is no event.
    Unreadable {
        /// The sequence number of the message.
        seq: u32,
    },
    /// All of this response has come. A server may say more of the same message in another.
    End {
        /// The sequence number of the message.
        seq: u32,
    },
}

/// The beginning of a section of a message, as [`Part::Section`].
#[derive(Debug, Clone)]
pub struct SectionPart {
    seq: u32,
    name: Bytes,
    octets: u64,
}

impl SectionPart {
    /// The sequence number of the message.
    pub const fn seq(&self) -> u32 {
        self.seq
    }

    /// The name of the item in the server's spelling: `BODY[]`, `BODY[2]<0>`, `BINARY[1]`.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether this is what was asked for by `section`.
    pub fn is(&self, section: &Section) -> bool {
        match self.name.to_ascii_uppercase().as_slice() {
            b"RFC822" => section.answers_to(b"[]"),
            b"RFC822.HEADER" => section.answers_to(b"[HEADER]"),
            b"RFC822.TEXT" => section.answers_to(b"[TEXT]"),
            name => section.answers_to(name),
        }
    }

    /// How many octets follow in chunks, by the server's word. They all come, or an error.
    pub const fn octets(&self) -> u64 {
        self.octets
    }
}

/// Each takes more room than its text, and no request asks for so many.
const MOST_ITEMS: usize = 10_000;

/// Whether the literal behind `text`, a response so far or the rest of one, is the string of a
/// section, and not a piece of some list.
pub(super) fn ends_in_section(text: &[u8], is_rest: bool) -> bool {
    let items = if is_rest {
        text
    } else {
        let behind = memchr::memchr(b'(', text).and_then(|at| text.get(at + 1..));
        match behind.filter(|_| Response::parse(text).is_fetch()) {
            Some(items) => items,
            None => return false,
        }
    };
    let mut cursor = Cursor::new(items);
    // More cannot be taken apart.
    for _ in 0..=MOST_ITEMS {
        match next(&mut cursor) {
            Ok(Found::Item) => {}
            Ok(Found::Announced { .. }) => return true,
            _ => return false,
        }
    }
    false
}

/// What comes next in a list of items.
enum Found<'a> {
    /// An item that is no section, or whose string is `NIL`.
    Item,
    /// A section with its string.
    Section { name: &'a [u8], string: Text<'a> },
    /// A section whose string has not come.
    Announced { name: &'a [u8], octets: u64 },
    /// The end of the list.
    End,
    /// The end of what has come.
    Cut,
}

fn next<'a>(cursor: &mut Cursor<'a>) -> Parsed<Found<'a>> {
    cursor.spaces();
    if cursor.rest().is_empty() {
        return Ok(Found::Cut);
    }
    if cursor.eat(b')') {
        return Ok(Found::End);
    }
    let name = item::name(cursor)?;
    cursor.spaces();
    if !is_section(name) {
        cursor.value()?;
        return Ok(Found::Item);
    }
    if let Some(octets) = announced(cursor.rest()) {
        return Ok(Found::Announced { name, octets });
    }
    // Yandex leaves out what is empty (MailKit#1708).
    if cursor.peek() == Some(b')') {
        return Ok(Found::Item);
    }
    Ok(match cursor.nstring()? {
        Some(string) => Found::Section { name, string },
        None => Found::Item,
    })
}

/// Whether an item of this name holds a piece of the message (RFC 9051 section 7.5.2, RFC 3516).
fn is_section(name: &[u8]) -> bool {
    let begins = |with: &[u8]| name.get(..with.len()).is_some_and(|n| n.eq_ignore_ascii_case(with));
    // Some servers repeat the request.
    [&b"BODY["[..], b"BODY.PEEK[", b"BINARY[", b"BINARY.PEEK["].iter().any(|with| begins(with))
        || [&b"RFC822"[..], b"RFC822.HEADER", b"RFC822.TEXT"]
            .iter()
            .any(|whole| name.eq_ignore_ascii_case(whole))
}

/// The octets announced by a text that ends behind the announcement.
fn announced(text: &[u8]) -> Option<u64> {
    let text = text.strip_prefix(b"~").unwrap_or(text).strip_prefix(b"{")?;
    let inside = text.strip_suffix(b"\n")?;
    let inside = inside.strip_suffix(b"\r").unwrap_or(inside).strip_suffix(b"}")?;
    let digits = inside.strip_suffix(b"+").unwrap_or(inside);
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    // One too large is no less than the framer has taken it for.
    let number = || std::str::from_utf8(digits).ok()?.parse().ok();
    is_number.then(|| number().unwrap_or(u64::MAX))
}

/// Whether a section of a message was told, be it that there is none.
pub(crate) fn names_section(message: &Message) -> bool {
    message.items().any(|item| is_section(item.name()))
}

/// Takes a text apart: the items behind `(`, or the rest of them behind a section. True if the
/// list of items came to its end.
fn take_apart(seq: u32, text: &Bytes, parts: &mut VecDeque<Part>) -> Parsed<bool> {
    let mut cursor = Cursor::new(text);
    let at = |cursor: &Cursor<'_>| text.len() - cursor.rest().len();
    // Where the items begin that have not been handed on.
    let mut run = 0;
    for _ in 0..=MOST_ITEMS {
        let before = at(&cursor);
        let found = next(&mut cursor);
        if matches!(found, Ok(Found::Item)) {
            continue;
        }
        items_of(seq, text.get(run..before).unwrap_or_default(), parts);
        match found? {
            Found::Item => {}
            Found::Section { name, string } => {
                let chunk = match string.to_bytes() {
                    Cow::Borrowed(octets) => text.slice_ref(octets),
                    Cow::Owned(octets) => octets.into(),
                };
                let (name, octets) = (text.slice_ref(name), chunk.len() as u64);
                parts.push_back(Part::Section(SectionPart { seq, name, octets }));
                if octets > 0 {
                    parts.push_back(Part::Chunk(chunk));
                }
            }
            Found::Announced { name, octets } => {
                let name = Bytes::copy_from_slice(name);
                parts.push_back(Part::Section(SectionPart { seq, name, octets }));
                return Ok(false);
            }
            Found::Cut => return Ok(false),
            Found::End => {
                parts.push_back(Part::End { seq });
                return Ok(true);
            }
        }
        run = at(&cursor);
    }
    items_of(seq, text.get(run..at(&cursor)).unwrap_or_default(), parts);
    Err(Malformed("at most 10,000 items of a message"))
}

/// Items without a section among them.
fn items_of(seq: u32, run: &[u8], parts: &mut VecDeque<Part>) {
    if run.trim_ascii().is_empty() {
        return;
    }
    let list = [b"(", run, b")"].concat();
    // Each of them was read before.
    parts.extend(Message::parse(seq, list.into()).map(Part::Items));
}

/// A response of which a part was handed on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    seq: u32,
    /// Somebody waits for the rest.
    wanted: bool,
    /// It answers a UID FETCH, and must tell its UID (RFC 9051 section 6.4.9).
    by_uid: bool,
    /// It is known of which message it is.
    named: bool,
}

impl Open {
    /// Nobody waits for the rest of it any longer.
    pub(super) const fn abandon(&mut self) {
        self.wanted = false;
    }
}

impl Core {
    /// From here on the answers to these commands come in parts.
    pub(crate) fn divide(&mut self, whose: impl Fn(Tag) -> bool) {
        self.asides = Asides::default();
        for pending in self.queue.iter_mut().filter(|pending| whose(pending.tag)) {
            pending.effect = Effect::Parts;
            self.dividing = true;
        }
    }

    /// The oldest part that nobody has taken.
    pub(crate) fn take_part(&mut self) -> Option<Part> {
        let mut part = self.parts.pop_front();
        if let Some(Part::Items(message)) = &mut part {
            message.heard(self.utf8);
        }
        part
    }

    /// Takes in a piece of a response that comes in several.
    pub(super) fn piece(&mut self, cut: Cut) -> Option<Step> {
        match cut {
            Cut::Head(text, _) => {
                let items = match self.open {
                    Some(_) => text,
                    None => {
                        self.open = Some(self.begin(&text)?);
                        text.slice(memchr::memchr(b'(', &text)? + 1..)
                    }
                };
                let known = self.parts.len();
                // The framer has asked whether it can be read.
                let _ = take_apart(self.open?.seq, &items, &mut self.parts);
                let told = self.told_uid(known);
                if let Some(open) = &mut self.open {
                    open.named |= open.by_uid && told;
                }
                self.heed_parts(known);
            }
            Cut::Chunk(octets) => self.parts.push_back(Part::Chunk(octets)),
            Cut::Frame(rest) => {
                let Open { seq, wanted, by_uid, named } = self.open.take()?;
                let known = self.parts.len();
                self.take_rest(seq, &rest, &rest);
                if !(named || by_uid && self.told_uid(known)) {
                    self.part_nameless(seq, known);
                }
                self.heed_parts(known);
                return self.hand_on(wanted);
            }
        }
        self.hand_on(self.open?.wanted)
    }

    /// What the parts behind those that are `known` say of the mailbox.
    fn heed_parts(&mut self, known: usize) {
        let Some(state) = self.entering.as_mut().or(self.selected.as_mut()) else { return };
        for part in self.parts.iter().skip(known) {
            if let Part::Items(message) = part {
                state.heed(message);
            }
        }
    }

    fn begin(&self, text: &[u8]) -> Option<Open> {
        let Response::Fetch { seq, .. } = Response::parse(text) else { return None };
        // What holds sections is nobody else's: of a message that has changed servers tell the
        // flags. And its UID may come behind them.
        let pending = self.queue.iter().find(|pending| pending.effect == Effect::Parts)?;
        let by_uid = pending.claims.uids().is_some();
        Some(Open { seq, wanted: !pending.abandoned, by_uid, named: !by_uid && seq != 0 })
    }

    /// Takes apart the items behind `(`, or the rest of them, of a response that has come to its
    /// end with this `frame`. What cannot be read of them is an event.
    pub(super) fn take_rest(&mut self, seq: u32, items: &Bytes, frame: &Bytes) {
        let line_end = octets_of_line_end(items);
        if line_end > 0 && line_end < items.trim_ascii_end().len() {
            // A server that does not count the last line end of a message (MailKit#954).
            self.part_unread(seq, frame, Malformed("no line end behind a literal"));
            return self.take_rest(seq, &items.slice(line_end..), frame);
        }
        let ended = match take_apart(seq, items, &mut self.parts) {
            Ok(ended) => ended,
            Err(why) => {
                self.part_unread(seq, frame, why);
                false
            }
        };
        if !ended {
            self.parts.push_back(Part::End { seq });
        }
    }

    /// The same of a response that came whole and could not be read in all its parts.
    pub(super) fn take_faulty(&mut self, message: &Message, items: &[u8], frame: &Bytes) {
        let (seq, known) = (message.seq(), self.parts.len());
        match items.strip_prefix(b"(") {
            Some(items) => self.take_rest(seq, &frame.slice_ref(items), frame),
            None => {
                self.part_unread(seq, frame, Malformed("a list of items"));
                self.parts.push_back(Part::End { seq });
            }
        }
        // It may have been found behind what cannot be read.
        if let Some(uid) = message.uid()
            && !self.told_uid(known)
        {
            let end = self.parts.pop_back();
            items_of(seq, format!("UID {uid}").as_bytes(), &mut self.parts);
            self.parts.extend(end);
        }
    }

    /// The same of one that does not say of which message it is.
    pub(super) fn take_nameless(&mut self, message: &Message, items: &[u8], frame: &Bytes) {
        let known = self.parts.len();
        self.take_faulty(message, items, frame);
        self.part_nameless(message.seq(), known);
    }

    /// Whether the parts behind those that are `known` tell a UID.
    fn told_uid(&self, known: usize) -> bool {
        let tells = |part: &Part| matches!(part, Part::Items(told) if told.uid().is_some());
        self.parts.iter().skip(known).any(tells)
    }

    /// Says so before the end of the response, unless it is said that something is wrong with it.
    fn part_nameless(&mut self, seq: u32, known: usize) {
        let is_said = |part: &Part| matches!(part, Part::Unreadable { .. });
        if !self.parts.iter().skip(known).any(is_said) {
            let end = self.parts.pop_back();
            self.parts.push_back(Part::Unreadable { seq });
            self.parts.extend(end);
        }
    }

    fn part_unread(&mut self, seq: u32, frame: &Bytes, why: Malformed) {
        self.keep_unparsed(frame.clone(), why);
        self.parts.push_back(Part::Unreadable { seq });
    }

    fn hand_on(&mut self, wanted: bool) -> Option<Step> {
        if !wanted {
            self.parts.clear();
            return Some(Step::Discarded);
        }
        self.turn = self.turn.wrapping_add(1);
        Some(Step::Parts)
    }
}
