//! What servers say of messages without the sections that were asked for: of flags that change while
//! a FETCH is answered in parts. It is kept until the message itself comes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Core;
use crate::imap::event::Event;
use crate::imap::types::{Message, Uid};

/// What was said of a message without any section of it.
#[derive(Debug)]
pub(crate) struct Aside {
    /// Its number; 0 if messages have gone since, so that it may have another one now.
    pub(crate) seq: u32,
    uid: Option<Uid>,
    pub(crate) items: Vec<Message>,
}

impl Aside {
    /// Whether a message with this number, and this UID if it is known, is the one that this is
    /// about.
    fn is_about(&self, seq: u32, uid: Option<Uid>) -> bool {
        match self.uid.zip(uid) {
            Some((one, other)) => one == other,
            None => self.seq > 0 && self.seq == seq,
        }
    }
}

/// All that was said aside, and of which messages it is no longer kept.
#[derive(Debug, Default)]
pub(super) struct Asides {
    kept: VecDeque<Aside>,
    /// How many of them, the first, have lost their numbers.
    renumbered: usize,
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
        self.renumbered -= usize::from(at < self.renumbered);
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
                asides.kept.push_back(Aside { seq, uid, items });
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
    // A server may say so again and again: what has lost its number is not looked at once more.
    pub(super) fn renumber_asides(&mut self) {
        let asides = &mut self.asides;
        asides.numbers.clear();
        let mut unknown = Vec::new();
        for mut aside in asides.kept.split_off(asides.renumbered) {
            if aside.uid.is_some() {
                aside.seq = 0;
                asides.kept.push_back(aside);
            } else {
                asides.octets = asides.octets.saturating_sub(weight(&aside.items));
                unknown.push(aside);
            }
        }
        asides.renumbered = asides.kept.len();
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

    fn message(seq: u32, uid: Option<u32>) -> Vec<Message> {
        let uid = uid.map_or_else(String::new, |uid| format!("UID {uid} "));
        vec![Message::parse(seq, format!("({uid}FLAGS ())").into()).unwrap()]
    }

    fn core() -> Core {
        Core::new(&Limits::default(), true)
    }

    #[test]
    fn of_more_than_a_thousand_messages_the_news_are_events() {
        let mut core = core();
        for number in 1..=1001 {
            core.put_aside(number, message(number, Some(number)));
        }
        assert!(matches!(core.take_event(), Some(Event::Fetch(news)) if news.seq() == 1001));
        assert!(core.take_event().is_none() && core.asides.kept.len() == 1000);
        // Of those that are known more is kept.
        core.put_aside(7, message(7, Some(7)));
        assert_eq!(core.take_aside(7, &message(7, Some(7))).len(), 2);
        core.put_aside(1001, message(1001, Some(1001)));
        assert!(core.take_event().is_none());
    }

    #[test]
    fn no_more_than_ten_thousand_messages_are_known_to_have_been_given() {
        let mut core = core();
        for number in 1..=10_001 {
            core.give(number, &message(number, Some(number)));
        }
        assert_eq!((core.asides.numbers.len(), core.asides.uids.len()), (10_000, 10_000));
        // The lowest is forgotten.
        core.put_aside(1, message(1, Some(1)));
        core.put_aside(2, message(2, Some(2)));
        assert!(matches!(core.take_event(), Some(Event::Fetch(news)) if news.seq() == 2));
        assert!(core.take_event().is_none());
        assert_eq!(core.next_aside().map(|aside| aside.seq), Some(1));
    }

    #[test]
    fn what_has_lost_its_number_is_told_by_its_uid_and_weighs_what_it_did() {
        let mut core = core();
        core.put_aside(5, message(5, Some(7)));
        core.put_aside(6, message(6, None));
        core.put_aside(8, message(8, Some(9)));
        let octets = core.asides.octets;
        core.renumber_asides();
        assert!(core.asides.octets < octets);
        assert!(matches!(core.take_event(), Some(Event::Fetch(news)) if news.seq() == 6));
        core.put_aside(5, message(5, None));
        core.put_aside(4, message(4, Some(12)));
        // It is not about the message that had the number.
        assert_eq!(core.take_aside(5, &message(5, Some(20))).len(), 1);
        core.renumber_asides();
        core.renumber_asides();
        let asides = std::iter::from_fn(|| core.next_aside());
        let told: Vec<_> = asides.map(|aside| (aside.seq, aside.uid.map(Uid::get))).collect();
        assert_eq!(told, [(0, Some(7)), (0, Some(9)), (0, Some(12))]);
        assert_eq!((core.asides.octets, core.asides.renumbered), (0, 0));
    }

    #[test]
    fn a_message_that_goes_costs_nothing_where_all_have_lost_their_numbers() {
        let mut core = core();
        for uid in 1..=1000 {
            core.put_aside(uid, message(uid, Some(uid)));
        }
        for aside in &mut core.asides.kept {
            aside.items = std::iter::repeat_n(aside.items[0].clone(), 1000).collect();
        }
        // A million items: to look at them each time would take minutes.
        (0..100_000).for_each(|_| core.renumber_asides());
        assert_eq!(core.asides.kept.len(), 1000);
    }
}
