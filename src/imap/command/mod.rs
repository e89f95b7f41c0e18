//! The commands, one file each.
//!
//! A new command or extension is one file and one line here: what it writes ([`Command::encode`]),
//! which untagged data it takes for itself ([`Command::claims`]) and what it makes of them
//! ([`Command::accept`], [`Command::fetched`]), what its end means ([`Command::finish`]), and the public method.
//!
//! An extension that adds to other commands is one file, too: methods on what these commands take
//! ([`FetchItems`](fetch_items::FetchItems), [`Search`](search::Search),
//! [`StoreFlags`](store::StoreFlags), [`SelectOptions`](select::SelectOptions)) and on what they
//! give, with what the server must offer for it ([`Command::needs`]).
//!
//! AUTHENTICATE is not among them: its exchange is carried by the core, between `connect` and
//! `sasl`.

pub(crate) mod acl;
pub(crate) mod append;
pub(crate) mod append_limit;
pub(crate) mod capability;
pub(crate) mod catenate;
pub(crate) mod close;
#[cfg(feature = "compress")]
pub(crate) mod compress;
pub(crate) mod condstore;
pub(crate) mod context;
pub(crate) mod copy;
pub(crate) mod create;
pub(crate) mod create_special_use;
pub(crate) mod delete;
pub(crate) mod enable;
pub(crate) mod expunge;
pub(crate) mod fetch;
pub(crate) mod fetch_items;
pub(crate) mod fuzzy;
pub(crate) mod gather;
pub(crate) mod gmail;
pub(crate) mod id;
pub(crate) mod idle;
pub(crate) mod language;
pub(crate) mod list;
pub(crate) mod logout;
pub(crate) mod mailbox_filter;
pub(crate) mod message_set;
pub(crate) mod metadata;
pub(crate) mod modifier;
pub(crate) mod r#move;
pub(crate) mod multi_append;
pub(crate) mod multi_search;
pub(crate) mod namespace;
pub(crate) mod noop;
pub(crate) mod notify;
pub(crate) mod number;
pub(crate) mod object_id;
pub(crate) mod partial;
pub(crate) mod preview;
pub(crate) mod qresync;
pub(crate) mod quota;
pub(crate) mod raw;
pub(crate) mod rename;
pub(crate) mod replace;
pub(crate) mod save_date;
#[cfg(test)]
pub(crate) mod script;
pub(crate) mod search;
pub(crate) mod search_res;
pub(crate) mod select;
pub(crate) mod select_if;
pub(crate) mod sort;
pub(crate) mod starttls;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod subscribe;
pub(crate) mod thread;
pub(crate) mod unauthenticate;
pub(crate) mod within;

use std::borrow::Cow;
use std::iter::Peekable;

use bytes::Bytes;

use self::modifier::Need;
use super::proto::decode::Parsed;
use super::proto::encode::Line;
use super::proto::response::Response;
use super::proto::{Claims, Core, Effect, Tag};
use super::{Capabilities, Code, Error, MailboxName, Message, Reply};
use crate::Misuse;

/// A command and its answer.
pub(crate) trait Command {
    /// What it is called in errors: its keyword as it is written, `UID` in front.
    fn name(&self) -> &'static str;

    /// What the caller gets.
    type Output;

    /// Writes the command without its tag.
    ///
    /// # Errors
    /// An argument that cannot be sent.
    fn encode(&self, line: &mut Line, capabilities: &Capabilities) -> Result<(), Misuse>;

    /// What the server must offer for it. Where it does not, nothing is sent.
    fn needs(&self) -> &[Need] {
        &[]
    }

    /// Which untagged responses are meant for this command.
    fn claims(&self) -> Claims {
        Claims::Nothing
    }

    /// Of a response that it claims: how well it fits this command, where others of its kind are in
    /// the same flight, or the server tells of changes unasked (RFC 5465). Servers need not answer in
    /// the order in which they were asked (RFC 9051 section 5.5).
    fn fit(&self, _: &Response<'_>) -> Fit {
        Fit::Exact
    }

    /// Whether a response that it claims is about what it has asked. One about something else becomes
    /// an event.
    fn is_about(&self, _: &Response<'_>) -> bool {
        true
    }

    /// Whether it has what it was meant to get, and another of its kind may still wait for the
    /// same.
    fn is_served(&self) -> bool {
        false
    }

    /// What it does to the session.
    fn effect(&self) -> Effect {
        Effect::None
    }

    /// It was sent with this tag. `utf8`: names come in UTF-8 (RFC 6855).
    fn started(&mut self, _: Tag, _utf8: bool) {}

    /// The server tells of changes unasked by the same kind of data (RFC 5465), so that not all that
    /// could be an answer is one.
    fn beware(&mut self) {}

    /// Takes a response that it claims. One that makes no sense becomes an event.
    fn accept(&mut self, _: &Response<'_>, _: &Bytes) -> Parsed<()> {
        Ok(())
    }

    /// How many octets more than the response had it has made of the last one that it took. Only where
    /// that may be many times as much.
    fn weight(&self) -> usize {
        0
    }

    /// Takes what the server says of a message that the command has asked about.
    fn fetched(&mut self, _: Message) {}

    /// What it has taken, and what tells of something besides the answer.
    fn give_back(&mut self, _: &mut Core) {}

    /// Makes the output of an `OK`.
    fn finish(self, reply: Reply) -> Self::Output;

    /// It failed: what it was told before that must not be lost.
    fn failed(self, error: Error, _: &mut Core) -> Error
    where
        Self: Sized,
    {
        error
    }
}

/// See [`Command::fit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    /// It is about something else.
    No,
    /// It cannot be told what it is about.
    Perhaps,
    /// It is about what this server may take for the same.
    Loose,
    /// It is about the same.
    Exact,
}

/// How well a name fits that the server tells. It may spell the same name in UTF-8 or encode it
/// otherwise, and may not care about case or about how letters are composed. What cannot be decoded
/// may be any name.
pub(crate) fn fit_of(wanted: &MailboxName, name: &[u8], utf8: bool) -> Fit {
    /// A letter takes eight octets at most, encoded, and no language gives it more accents than a few.
    const MOST_PER_OCTET: usize = 100;
    // Each command in flight may ask this of a literal as large as any message.
    if name.len() / MOST_PER_OCTET > wanted.as_wire().len() {
        return Fit::No;
    }
    let told = MailboxName::heard(name.to_vec(), utf8);
    if told == *wanted {
        return Fit::Exact;
    }
    let spelt = [told.decoded(), std::str::from_utf8(name).ok().map(Cow::Borrowed)];
    let Some(wanted) = wanted.decoded() else { return Fit::Perhaps };
    if spelt.iter().flatten().any(|told| *told == wanted) {
        Fit::Exact
    } else if spelt.iter().flatten().any(|told| are_spelt_alike(told, &wanted)) {
        Fit::Loose
    } else if spelt[0].is_none() {
        Fit::Perhaps
    } else {
        Fit::No
    }
}

/// Whether two names differ in no more than the case of letters, and in whether an accent is part of
/// its letter or a character behind it.
fn are_spelt_alike(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (lowered(one), lowered(other));
    loop {
        let (letter, with) = match (one.next(), other.next()) {
            (None, None) => return true,
            (Some(letter), Some(with)) => (letter, with),
            _ => return false,
        };
        let (mut alike, mut accents) = (letter == with, (0, 0));
        loop {
            let (accent, with) = (one.next_if(is_accent), other.next_if(is_accent));
            if accent.is_none() && with.is_none() {
                break;
            }
            alike &= accent == with;
            accents = (accents.0 + accent.iter().count(), accents.1 + with.iter().count());
        }
        alike |= match accents {
            (0, 1..) => !letter.is_ascii(),
            (1.., 0) => !with.is_ascii(),
            _ => false,
        };
        if !alike {
            return false;
        }
    }
}

/// The characters of a name in lower case.
fn lowered(name: &str) -> Peekable<impl Iterator<Item = char>> {
    name.chars().flat_map(char::to_lowercase).peekable()
}

fn is_accent(c: &char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{3099}' | '\u{309a}')
}

/// A command about a set of messages that may be too long for one line.
pub(crate) trait Piecewise: Command {
    /// It takes messages away. The last message, `*`, is another one then.
    const REMOVES: bool = false;

    /// Takes over what the command for the piece of the set before this one has given.
    fn go_on_from(&mut self, before: Self::Output);
}

/// Whether these are untagged data of this name.
fn is_data(response: &Response<'_>, wanted: &str) -> bool {
    matches!(response, Response::Data { name, .. }
        if name.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// Whether this is an untagged response code of this name.
fn is_coded(response: &Response<'_>, wanted: &str) -> bool {
    let named = |code: &[u8]| {
        let name = code.split(|octet| *octet == b' ').next();
        name.is_some_and(|name| name.eq_ignore_ascii_case(wanted.as_bytes()))
    };
    matches!(response, Response::Status(condition) if condition.code.is_some_and(named))
}

/// What the code of an untagged status response says.
fn untagged_code(response: &Response<'_>) -> Option<Code> {
    match response {
        Response::Status(condition) => condition.code.map(Code::parse),
        _ => None,
    }
}

/// Whether these are untagged data of this name about a message.
fn is_numbered(response: &Response<'_>, wanted: &str) -> bool {
    matches!(response, Response::Numbered { name, .. }
        if name.eq_ignore_ascii_case(wanted.as_bytes()))
}
