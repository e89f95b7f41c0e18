//! SEARCH (RFC 3501 section 6.4.4), the keys that need no decoding of the message.

use super::super::date;
use super::super::header;
use super::super::store::Message;
use super::command::{Arg, Command};
use super::folder::NO_FOLDER;
use super::set::Set;
use super::{ARGUMENT_ERROR, Imap, Reply};

/// How deep NOT, OR and lists may nest.
const DEPTH_LIMIT: usize = 50;

enum Key {
    All,
    Flag(String, bool),
    Uids(Set),
    Numbers(Set),
    /// A header field and what it contains.
    Field(String, Vec<u8>),
    Body(Vec<u8>),
    Text(Vec<u8>),
    Before(i64),
    On(i64),
    Since(i64),
    Larger(usize),
    Smaller(usize),
    Not(Box<Self>),
    Or(Box<Self>, Box<Self>),
    And(Vec<Self>),
}

impl Imap {
    pub(super) fn search(&mut self, command: &Command, out: &mut Vec<u8>) -> Reply {
        let mut args = command.args.as_slice();
        if let [charset, name, rest @ ..] = args
            && charset.text().is_some_and(|word| word.eq_ignore_ascii_case("CHARSET"))
        {
            let name = name.text().ok_or(ARGUMENT_ERROR)?.to_ascii_uppercase();
            if !matches!(name.as_str(), "UTF-8" | "US-ASCII") {
                return Err(
                    "NO [BADCHARSET (US-ASCII UTF-8)] The specified charset is not supported.",
                );
            }
            args = rest;
        }
        if args.is_empty() {
            return Err(ARGUMENT_ERROR);
        }
        let key = all_of(args, 0).ok_or(ARGUMENT_ERROR)?;
        let by_uid = command.by_uid;
        let found = self.in_folder(|selected, folder| {
            let last_number = u32::try_from(selected.known.len()).unwrap_or(u32::MAX);
            let last_uid = selected.known.last().map_or(0, |known| known.uid);
            let mut found = String::new();
            for (number, known) in (1..).zip(&selected.known) {
                let Some(message) = folder.message(known.uid) else { continue };
                if key.matches(message, (number, last_number), last_uid) {
                    found += &format!(" {}", if by_uid { known.uid } else { number });
                }
            }
            found
        });
        out.extend(format!("* SEARCH{}\r\n", found.ok_or(NO_FOLDER)?).into_bytes());
        Ok("OK SEARCH completed.".to_owned())
    }
}

fn all_of(mut args: &[Arg], depth: usize) -> Option<Key> {
    let mut keys = Vec::new();
    while !args.is_empty() {
        keys.push(key(&mut args, depth)?);
    }
    Some(Key::And(keys))
}

/// Takes one key with its arguments off the front.
fn key(args: &mut &[Arg], depth: usize) -> Option<Key> {
    if depth > DEPTH_LIMIT {
        return None;
    }
    let first = next(args)?;
    if let Arg::List(members) = first {
        return all_of(members, depth + 1);
    }
    let name = first.text()?.to_ascii_uppercase();
    let flag = |name: &str, set| Some(Key::Flag(format!("\\{name}"), set));
    match name.as_str() {
        "ALL" | "OLD" => Some(Key::All),
        "NEW" | "RECENT" => Some(Key::Not(Box::new(Key::All))),
        "ANSWERED" | "DELETED" | "DRAFT" | "FLAGGED" | "SEEN" => flag(&name, true),
        "UNANSWERED" | "UNDELETED" | "UNDRAFT" | "UNFLAGGED" | "UNSEEN" => {
            flag(name.strip_prefix("UN")?, false)
        }
        "KEYWORD" => Some(Key::Flag(next(args)?.text()?.to_owned(), true)),
        "UNKEYWORD" => Some(Key::Flag(next(args)?.text()?.to_owned(), false)),
        "UID" => Set::parse(next(args)?.text()?).map(Key::Uids),
        "FROM" | "TO" | "CC" | "BCC" | "SUBJECT" => Some(Key::Field(name, octets(args)?)),
        "HEADER" => Some(Key::Field(next(args)?.text()?.to_owned(), octets(args)?)),
        "BODY" => octets(args).map(Key::Body),
        "TEXT" => octets(args).map(Key::Text),
        "BEFORE" => day(args).map(Key::Before),
        "ON" => day(args).map(Key::On),
        "SINCE" => day(args).map(Key::Since),
        "LARGER" => next(args)?.text()?.parse().ok().map(Key::Larger),
        "SMALLER" => next(args)?.text()?.parse().ok().map(Key::Smaller),
        "NOT" => Some(Key::Not(Box::new(key(args, depth + 1)?))),
        "OR" => {
            let one = key(args, depth + 1)?;
            Some(Key::Or(Box::new(one), Box::new(key(args, depth + 1)?)))
        }
        _ => Set::parse(&name).map(Key::Numbers),
    }
}

fn next<'a>(args: &mut &'a [Arg]) -> Option<&'a Arg> {
    let (first, rest) = args.split_first()?;
    *args = rest;
    Some(first)
}

fn octets(args: &mut &[Arg]) -> Option<Vec<u8>> {
    next(args)?.octets().map(<[u8]>::to_ascii_lowercase)
}

fn day(args: &mut &[Arg]) -> Option<i64> {
    date::parse_day(next(args)?.text()?)
}

impl Key {
    /// Whether a message matches. `number` is its sequence number and the last one.
    fn matches(&self, message: &Message, number: (u32, u32), last_uid: u32) -> bool {
        let day = date::day_of(message.internal_date);
        let holds = |text: &[u8], sought: &[u8]| {
            memchr::memmem::find(&text.to_ascii_lowercase(), sought).is_some()
        };
        match self {
            Self::All => true,
            Self::Flag(name, set) => message.has(name) == *set,
            Self::Uids(set) => set.contains(message.uid, last_uid),
            Self::Numbers(set) => set.contains(number.0, number.1),
            Self::Field(name, sought) => {
                header::value(&message.bytes, name).is_some_and(|value| holds(&value, sought))
            }
            Self::Body(sought) => {
                let start = header::length(&message.bytes);
                holds(message.bytes.get(start..).unwrap_or_default(), sought)
            }
            Self::Text(sought) => holds(&message.bytes, sought),
            Self::Before(sought) => day < *sought,
            Self::On(sought) => day == *sought,
            Self::Since(sought) => day >= *sought,
            Self::Larger(size) => message.bytes.len() > *size,
            Self::Smaller(size) => message.bytes.len() < *size,
            Self::Not(key) => !key.matches(message, number, last_uid),
            Self::Or(one, other) => {
                one.matches(message, number, last_uid) || other.matches(message, number, last_uid)
            }
            Self::And(keys) => keys.iter().all(|key| key.matches(message, number, last_uid)),
        }
    }
}
