//! What servers say of messages without the sections that were asked for: of flags that change while
//! a FETCH is answered in parts. It is kept until the message itself comes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Core;
use crate::imap::event::Event;
use crate::imap::types::{Message, Uid};

/// What was said of a message without any section of it.
#[derive(Debug)]
pub(crate) struct Aside {
    pub(crate) seq: u32,
    uid: Option<Uid>,
    /// No message has gone since, so that the number is still its own.
    numbered: bool,
    pub(crate) items: Vec<Message>,
}

impl Aside {
    /// Whether a message with this number, and this UID if it is known, is the one that this is
    /// about.
    fn is_about(&self, seq: u32, uid: Option<Uid>) -> bool {
        match self.uid.zip(uid) {
            Some((one, other)) => one == other,
            None => self.numbered && self.seq == seq,
        }
    }
}

/// All that was said aside, and of which messages it is no longer kept.
#[derive(Debug, Default)]
pub(super) struct Asides {
    kept: VecDeque<Aside>,
    /// Octets held by them.
    octets: usize,
    /// Messages that were given with what was fetched of them, by their numbers and by their UIDs.
    numbers: BTreeMap<u32, Option<Uid>>,
    uids: BTreeSet<Uid>,
}

impl Asides {
    /// Of so many messages something is kept: a server tells of messages that others change while it
    /// sends a long one.
    const MOST: usize = 1000;
    /// So many messages are known to have been given. Servers send the lowest first.
    const MOST_GIVEN: usize = 10_000;

    fn is_given(&self, seq: u32, uid: Option<Uid>) -> bool {
        match uid {
            Some(uid) => self.uids.contains(&uid) || self.numbers.get(&seq) == Some(&None),
            None => self.numbers.contains_key(&seq),
        }
    }

    fn remove(&mut self, at: usize) -> Option<Aside> {
        let aside = self.kept.remove(at)?;
        self.octets = self.octets.saturating_sub(weight(&aside.items));
        Some(aside)
    }
}

/// Octets in memory.
fn weight(items: &[Message]) -> usize {
    items.iter().map(|message| size_of::<Message>() + message.octets()).sum()
}

fn uid_of(items: &[Message]) -> Option<Uid> {
    items.iter().find_map(Message::uid)
}

impl Core {
    /// Keeps what was said of a message without any section, while the section may still come. What
    /// is more than may be kept, and what is said of a message behind it, become events.
    pub(crate) fn put_aside(&mut self, seq: u32, items: Vec<Message>) {
        let (asides, uid) = (&mut self.asides, uid_of(&items));
        let may_begin = asides.kept.len() < Asides::MOST && !asides.is_given(seq, uid);
        let known = asides.kept.iter_mut().find(|aside| aside.is_about(seq, uid));
        let octets = asides.octets.saturating_add(weight(&items));
        let has_room = octets <= self.frame_limits.text;
        let owned = |items: Vec<Message>| items.into_iter().map(Message::into_owned);
        match known {
            Some(aside) if has_room => {
                aside.uid = aside.uid.or(uid);
                aside.items.extend(owned(items));
                asides.octets = octets;
            }
            None if has_room && may_begin => {
                let items = owned(items).collect();
                asides.kept.push_back(Aside { seq, uid, numbered: true, items });
                asides.octets = octets;
            }
            _ => self.keep_all(items),
        }
    }

    /// The message that has these items is given with what was fetched of it.
    pub(crate) fn give(&mut self, seq: u32, items: &[Message]) {
        let (asides, uid) = (&mut self.asides, uid_of(items));
        asides.numbers.insert(seq, uid);
        asides.uids.extend(uid);
        if asides.numbers.len() > Asides::MOST_GIVEN {
            asides.numbers.pop_first();
        }
        if asides.uids.len() > Asides::MOST_GIVEN {
            asides.uids.pop_first();
        }
    }

    /// What was put aside of the message that has these items.
    pub(crate) fn take_aside(&mut self, seq: u32, items: &[Message]) -> Vec<Message> {
        let uid = uid_of(items);
        let at = self.asides.kept.iter().position(|aside| aside.is_about(seq, uid));
        at.and_then(|at| self.asides.remove(at)).map(|aside| aside.items).unwrap_or_default()
    }

    /// The first that was put aside and of which nothing more has come.
    pub(crate) fn next_aside(&mut self) -> Option<Aside> {
        while let Some(aside) = self.asides.remove(0) {
            // It was begun, and could not be written.
            if !self.asides.is_given(aside.seq, aside.uid) {
                return Some(aside);
            }
            self.keep_all(aside.items);
        }
        None
    }

    /// A message has gone: numbers no longer tell which message something is about.
    pub(super) fn renumber_asides(&mut self) {
        self.asides.numbers.clear();
        let (known, unknown) = std::mem::take(&mut self.asides.kept)
            .into_iter()
            .partition::<VecDeque<_>, _>(|aside| aside.uid.is_some());
        self.asides.octets = known.iter().map(|aside| weight(&aside.items)).sum();
        self.asides.kept = known;
        self.asides.kept.iter_mut().for_each(|aside| aside.numbered = false);
        unknown.into_iter().for_each(|aside| self.keep_all(aside.items));
    }

    fn keep_all(&mut self, items: Vec<Message>) {
        items.into_iter().for_each(|message| self.keep(Event::Fetch(message)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn news_of_one_message_for_ever_take_no_more_memory_than_a_response() {
        let mut core = Core::new(&Limits::default().response(100_000), true);
        let items = format!("(UID 11 X {})", "x".repeat(1000));
        for _ in 0..1000 {
            core.put_aside(1, vec![Message::parse(1, items.clone().into()).unwrap()]);
        }
        let kept = core.next_aside().unwrap().items.len();
        assert!((10..=100).contains(&kept), "{kept}");
        assert!(core.events().is_waiting() && core.asides.octets == 0);
    }
}
