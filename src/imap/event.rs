//! What a server says without being asked.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use bytes::Bytes;

use super::command::{metadata, status};
use super::proto::decode::Parsed;
use super::{
    ListedMailbox, MailboxName, MailboxStatus, Message, Reply, SearchContext, SearchUpdate, UidSet,
};

/// Something the server said that no command had asked for.
///
/// The number of messages and the flags in use are kept up to date in the
/// [`Mailbox`](super::Mailbox); only [`idle`](super::Mailbox::idle) tells of new messages in this way as
/// well, and after [`notify`](crate::ImapClient::notify) every command. What was said before the
/// login is not told, but for [`Notice`](Self::Notice) (RFC 9051 section 11.3).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// There are so many messages now, while the mailbox is watched by
    /// [`idle`](super::Mailbox::idle) or [`notify`](crate::ImapClient::notify): mostly a new one has
    /// come.
    Exists(u32),
    /// The message with this sequence number is gone; those behind it have moved up by one.
    Expunge(u32),
    /// The messages of these UIDs are gone (RFC 7162). After
    /// [`Extension::QResync`](super::Extension::QResync) the server tells so in place of
    /// [`Expunge`](Self::Expunge).
    Vanished {
        /// Their UIDs, as ranges.
        uids: UidSet,
        /// They had gone before the mailbox was opened, and have no sequence numbers: the answer to
        /// [`FetchItems::vanished`](super::FetchItems::vanished). UIDs of messages that never were
        /// may be among them.
        earlier: bool,
    },
    /// Something about a message has changed, mostly its flags; or it is new, and
    /// [`Notify::fetch`](super::Notify::fetch) wanted to know this much of it.
    Fetch(Message),
    /// The selected mailbox has another UIDVALIDITY than it had when it was selected: its UIDs, even
    /// those of this session, mean nothing any longer (RFC 9051 section 2.3.1.1). Until this event was
    /// taken, or a mailbox is selected anew, commands that name UIDs are refused with
    /// [`Error::Changed`](super::Error::Changed).
    UidValidity {
        /// The UIDVALIDITY so far.
        was: NonZeroU32,
        /// The new one, which [`Mailbox::uid_validity`](super::Mailbox::uid_validity) gives from now
        /// on.
        now: NonZeroU32,
    },
    /// The messages of a mailbox that is not selected have changed, of which
    /// [`notify`](crate::ImapClient::notify) wanted to know (RFC 5465).
    Status {
        /// Which one.
        mailbox: MailboxName,
        /// What it is like now, as far as the server tells.
        status: MailboxStatus,
    },
    /// What there is of mailboxes has changed (RFC 5465 sections 5.4, 5.5 and 5.9). A mailbox is new;
    /// or it has another name, if it has an [`old_name`](ListedMailbox::old_name); or it is gone, if
    /// [`Attribute::NonExistent`](super::Attribute::NonExistent) is among its attributes; or whether
    /// it is subscribed to has changed; or whether it may be seen, which
    /// [`Attribute::NoAccess`](super::Attribute::NoAccess) denies.
    Listed(ListedMailbox),
    /// Notes have changed (RFC 5464 section 4.4.2): [`metadata`](crate::ImapClient::metadata) gives
    /// their values.
    Metadata {
        /// The mailbox they are about; `""` for the server.
        mailbox: MailboxName,
        /// The names of the entries.
        entries: Vec<String>,
    },
    /// Messages have joined or left what a search has found that is kept up to date:
    /// [`uid_search_updating`](super::Mailbox::uid_search_updating).
    Search(SearchUpdate),
    /// What was found by this search is out of date from now on: what the server told of it could not
    /// be read, and is told by an [`Unparsed`](Self::Unparsed) as well, or it keeps it up to date no
    /// longer (`NOUPDATE`). Search anew, and [cancel](super::Mailbox::cancel_update) this one.
    SearchOutdated(SearchContext),
    /// The server tells no more of what [`notify`](crate::ImapClient::notify) has asked for: there is
    /// too much of it (`NOTIFICATIONOVERFLOW`, RFC 5465 section 5.8). It is then as after
    /// [`notify_none`](crate::ImapClient::notify_none). Look at all of it again, and ask for less.
    NotificationOverflow(Reply),
    /// A notice in words; with [`Code::Alert`](super::Code::Alert) one that the user should see.
    Notice(Reply),
    /// Data of a kind that the running command does not take.
    Data(Data),
    /// A line that could not be understood, or data that nobody asked for and that are too many to
    /// keep. The session goes on behind it.
    Unparsed {
        /// Its first 4,096 octets, or all of it if it is shorter. What it echoed of a secret is
        /// replaced.
        frame: Bytes,
        /// How long it was.
        octets: usize,
        /// What the grammar would have had there.
        expected: &'static str,
    },
    /// Nobody took the events before this one, and there were too many of them to keep (see
    /// [`Limits::events`](crate::Limits::events)). What is known of the mailbox's messages, and after
    /// [`notify`](crate::ImapClient::notify) of other mailboxes, may be out of date.
    Overflow {
        /// How many were given up.
        lost: u64,
    },
}

/// An untagged response of a kind that the running command does not take, such as a new QUOTA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    pub(crate) name: String,
    pub(crate) rest: Bytes,
}

impl Event {
    /// How many octets are kept of what was not asked for. To look for secrets in it costs time.
    pub(crate) const KEPT: usize = 4096;

    /// What is told by data of this name, if such data tell of a change.
    pub(crate) fn told(name: &[u8], rest: &[u8], utf8: bool) -> Option<Parsed<Self>> {
        if name.eq_ignore_ascii_case(b"STATUS") {
            return Some(status::parse(rest).map(|(name, status)| {
                let mailbox = MailboxName::heard(name.into_owned(), utf8);
                Self::Status { mailbox, status }
            }));
        }
        if name.eq_ignore_ascii_case(b"LIST") {
            return Some(ListedMailbox::parse(rest, utf8).map(Self::Listed));
        }
        if name.eq_ignore_ascii_case(b"METADATA") {
            return Some(metadata::changed(rest).map(|(name, entries)| {
                let mailbox = MailboxName::heard(name, utf8);
                Self::Metadata { mailbox, entries }
            }));
        }
        None
    }

    /// What of it is kept, in a buffer of its own.
    fn kept(self) -> Self {
        match self {
            Self::Fetch(message) => Self::Fetch(message.into_owned()),
            Self::Data(Data { name, rest }) => {
                Self::Data(Data { name, rest: Bytes::copy_from_slice(&rest) })
            }
            Self::Unparsed { frame, octets, expected } => {
                let frame = Bytes::copy_from_slice(beginning(&frame));
                Self::Unparsed { frame, octets, expected }
            }
            event => event,
        }
    }
}

fn beginning(frame: &[u8]) -> &[u8] {
    frame.get(..Event::KEPT).unwrap_or(frame)
}

impl Data {
    /// What the response begins with, in capitals: `QUOTA`. What it echoed of a secret is replaced,
    /// here and in the rest.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What follows, as on the wire.
    pub fn rest(&self) -> &[u8] {
        &self.rest
    }
}

/// Events that wait for somebody to take them, within bounds.
#[derive(Debug)]
pub(crate) struct Events {
    queue: VecDeque<Event>,
    /// How many may wait.
    limit: usize,
    /// Octets held by those that wait.
    octets: usize,
    octet_limit: usize,
    /// Among those that were given up may be one that tells of messages of the mailbox that is
    /// selected, and nobody has taken the event that says so, which is the first in the queue.
    overflowed: bool,
}

impl Events {
    pub(crate) const fn new(limit: usize, octet_limit: usize) -> Self {
        Self { queue: VecDeque::new(), limit, octets: 0, octet_limit, overflowed: false }
    }

    /// Keeps an event, within the bounds. The buffer in which its octets arrived, which may be
    /// large, is not kept with it, and nothing is copied of an event that is not kept.
    pub(crate) fn push(&mut self, event: Event) {
        let octets = weight(&event);
        if self.queue.len() >= self.limit || self.octets.saturating_add(octets) > self.octet_limit {
            return self.give_up(event);
        }
        self.octets += octets;
        self.queue.push_back(event.kept());
    }

    /// Gives up all events for one that counts them; but that nothing more is told stays, and, as
    /// one change, that the UIDs mean nothing any longer: commands are held back by it.
    fn give_up(&mut self, last: Event) {
        let (mut lost, mut end, mut validity) = (0, None, None);
        for event in self.queue.drain(..).chain([last]) {
            match event {
                Event::NotificationOverflow(_) if end.is_none() => end = Some(event),
                Event::UidValidity { was, now } => match &mut validity {
                    None => validity = Some((was, now)),
                    Some((_, last)) => {
                        *last = now;
                        lost += 1;
                    }
                },
                event => lost += lost_in(&event),
            }
        }
        self.octets = end.as_ref().map_or(0, weight);
        self.queue.push_back(Event::Overflow { lost });
        self.overflowed = true;
        self.queue.extend(validity.map(|(was, now)| Event::UidValidity { was, now }));
        self.queue.extend(end);
    }

    /// What was told of mailboxes has been thrown away. Sequence numbers are none the worse for it.
    pub(crate) fn lose(&mut self) {
        match self.queue.back_mut() {
            Some(Event::Overflow { lost }) => *lost += 1,
            _ => self.push(Event::Overflow { lost: 1 }),
        }
    }

    /// How many messages there are. What it said just before is out of date.
    pub(crate) fn count(&mut self, exists: u32) {
        match self.queue.back_mut() {
            Some(Event::Exists(before)) => *before = exists,
            _ => self.push(Event::Exists(exists)),
        }
    }

    /// Whether one waits that says of messages that they are gone, so that the sequence numbers of
    /// others have moved, or may have been one of those that were given up.
    pub(crate) fn tell_of_removals(&self) -> bool {
        let tells =
            |event: &_| matches!(event, Event::Expunge(_) | Event::Vanished { earlier: false, .. });
        self.overflowed || self.queue.iter().any(tells)
    }

    /// The first UIDVALIDITY and the last, if events wait that tell of another one.
    pub(crate) fn tell_of_uid_validity(&self) -> Option<(NonZeroU32, NonZeroU32)> {
        let mut told = self.queue.iter().filter_map(|event| match event {
            Event::UidValidity { was, now } => Some((*was, *now)),
            _ => None,
        });
        let (was, now) = told.next()?;
        Some((was, told.last().map_or(now, |(_, now)| now)))
    }

    /// Whether there is one.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        self.octets = self.octets.saturating_sub(weight(&event));
        self.overflowed &= !matches!(event, Event::Overflow { .. });
        Some(event)
    }

    /// Keeps of what waits only what the server says to people.
    pub(crate) fn keep_notices(&mut self) {
        self.queue.retain(|event| matches!(event, Event::Notice(_)));
        self.overflowed = false;
        self.octets = self.queue.iter().map(weight).sum();
    }

    /// Forgets what was said about messages by their number: another mailbox is selected.
    pub(crate) fn forget_messages(&mut self) {
        let of_messages = |event: &Event| match event {
            Event::Exists(_)
            | Event::Expunge(_)
            | Event::Vanished { .. }
            | Event::Fetch(_)
            | Event::UidValidity { .. }
            | Event::Search(_)
            | Event::SearchOutdated(_) => true,
            Event::Status { .. }
            | Event::Listed(_)
            | Event::Metadata { .. }
            | Event::NotificationOverflow(_)
            | Event::Notice(_)
            | Event::Data(_)
            | Event::Unparsed { .. }
            | Event::Overflow { .. } => false,
        };
        self.queue.retain(|event| !of_messages(event));
        self.overflowed = false;
        self.octets = self.queue.iter().map(weight).sum();
    }
}

fn weight(event: &Event) -> usize {
    match event {
        Event::Fetch(message) => message.octets(),
        Event::Vanished { uids, .. } => uids.octets(),
        Event::Data(data) => data.name.len() + data.rest.len(),
        Event::Unparsed { frame, .. } => beginning(frame).len(),
        Event::Search(update) => update.octets(),
        Event::Status { mailbox, status } => mailbox.as_wire().len() + status.octets(),
        Event::Listed(mailbox) => mailbox.octets(),
        Event::Metadata { mailbox, entries } => {
            mailbox.as_wire().len() + entries.iter().map(|entry| ROOM + entry.len()).sum::<usize>()
        }
        Event::Notice(reply) | Event::NotificationOverflow(reply) => reply.octets(),
        Event::Exists(_)
        | Event::Expunge(_)
        | Event::UidValidity { .. }
        | Event::SearchOutdated(_)
        | Event::Overflow { .. } => 0,
    }
}

/// What a string takes besides its octets.
const ROOM: usize = size_of::<String>();

const fn lost_in(event: &Event) -> u64 {
    match event {
        Event::Overflow { lost } => *lost,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::reply::tests::reply;

    fn unparsed(octets: usize) -> Event {
        Event::Unparsed { frame: vec![b'x'; octets].into(), octets, expected: "sense" }
    }

    #[test]
    fn of_a_long_line_the_beginning_is_kept_and_its_length() {
        let mut events = Events::new(100, 5000);
        events.push(unparsed(100_000));
        let Some(Event::Unparsed { frame, octets, .. }) = events.pop() else { panic!() };
        assert_eq!((frame.len(), octets), (4096, 100_000));
        assert_eq!(events.octets, 0);
    }

    #[test]
    fn the_buffer_that_an_event_came_in_is_let_go() {
        let buffer = Bytes::from(b"* QUOTA x\r\n".to_vec());
        let mut events = Events::new(100, 1000);
        events.push(Event::Data(Data { name: "QUOTA".to_owned(), rest: buffer.slice(8..9) }));
        events.push(Event::Unparsed { frame: buffer.slice(..), octets: 11, expected: "sense" });
        assert!(buffer.is_unique());
    }

    #[test]
    fn a_response_code_weighs_too() {
        let mut events = Events::new(100, 1000);
        events.push(Event::Notice(reply(&format!("* OK [X {}] hi", "x".repeat(1000)))));
        assert!(matches!(events.pop(), Some(Event::Overflow { lost: 1 })));
    }

    #[test]
    fn that_nothing_more_is_told_outlives_an_overflow() {
        let end = || Event::NotificationOverflow(reply("* OK [NOTIFICATIONOVERFLOW] too many"));
        let mut events = Events::new(3, 1000);
        events.push(Event::Expunge(1));
        events.push(end());
        (2..=9).for_each(|number| events.push(Event::Expunge(number)));
        let told: Vec<_> = std::iter::from_fn(|| events.pop()).collect();
        let [Event::Overflow { lost: 9 }, Event::NotificationOverflow(said)] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!((said.text(), events.octets), ("too many", 0));
    }

    #[test]
    fn an_overflow_tells_of_no_removals_in_a_mailbox_that_was_selected_behind_it() {
        let mut events = Events::new(2, 1000);
        (1..=4).for_each(|number| events.push(Event::Expunge(number)));
        assert!(events.tell_of_removals());
        events.forget_messages();
        assert!(!events.tell_of_removals() && events.is_waiting());
        events.push(Event::Exists(1));
        events.push(Event::Exists(2));
        assert!(events.tell_of_removals());
        assert!(matches!(events.pop(), Some(Event::Overflow { lost: 5.. })));
        assert!(!events.tell_of_removals());
    }

    #[test]
    fn what_was_lost_of_mailboxes_leaves_sequence_numbers_as_they_are() {
        let mut events = Events::new(4, 1000);
        events.lose();
        events.lose();
        assert!(!events.tell_of_removals());
        events.push(Event::Exists(1));
        events.lose();
        events.push(Event::Expunge(1));
        // There is no room for another: of what is given up an EXPUNGE is one.
        events.lose();
        assert!(events.tell_of_removals());
        events.lose();
        assert!(matches!(events.pop(), Some(Event::Overflow { lost: 7 })));
        assert!(!events.tell_of_removals() && events.pop().is_none());
    }

    #[test]
    fn another_uidvalidity_outlives_an_overflow_as_one_change() {
        let number = |number| NonZeroU32::new(number).unwrap();
        let mut events = Events::new(3, 1000);
        for (was, now) in [(7, 8), (8, 9)] {
            (1..=9).for_each(|number| events.push(Event::Expunge(number)));
            events.push(Event::UidValidity { was: number(was), now: number(now) });
        }
        (1..=9).for_each(|number| events.push(Event::Expunge(number)));
        assert_eq!(events.tell_of_uid_validity(), Some((number(7), number(9))));
        let told: Vec<_> = std::iter::from_fn(|| events.pop()).collect();
        let [Event::Overflow { lost }, Event::UidValidity { was, now }, rest @ ..] = &told[..]
        else {
            panic!("{told:?}")
        };
        assert_eq!((was.get(), now.get()), (7, 9));
        assert_eq!(*lost + 1 + rest.len() as u64, 29);
        assert!(events.tell_of_uid_validity().is_none());
    }

    #[test]
    fn what_is_told_of_mailboxes_outlives_another_selection_and_has_its_weight() {
        let mut events = Events::new(9, 1000);
        let tell = |name: &[u8], rest: &[u8]| Event::told(name, rest, false).unwrap().unwrap();
        events.push(tell(b"STATUS", b"a (MESSAGES 3)"));
        events.push(tell(b"list", b"(\\NonExistent) \"/\" b"));
        events.push(tell(b"METADATA", b"\"\" /shared/comment /private/x"));
        events.push(Event::Expunge(1));
        let octets = events.octets;
        assert!(octets > 30);
        events.forget_messages();
        assert_eq!(events.octets, octets);
        assert!(matches!(events.pop(), Some(Event::Status { .. })));
        assert!(matches!(events.pop(), Some(Event::Listed(_))));
        let Some(Event::Metadata { mailbox, entries }) = events.pop() else { panic!() };
        assert_eq!((mailbox.as_wire(), entries.len()), (&b""[..], 2));
        assert!(events.pop().is_none() && events.octets == 0);
    }

    #[test]
    fn beyond_the_limit_all_become_one_overflow_that_counts_them() {
        let mut events = Events::new(3, 1000);
        (1..=8).for_each(|number| events.push(Event::Expunge(number)));
        assert!(matches!(events.pop(), Some(Event::Overflow { lost: 7 })));
        assert!(matches!(events.pop(), Some(Event::Expunge(8))));
        assert!(events.pop().is_none());
    }

    #[test]
    fn octets_are_bounded_as_well_as_their_number() {
        let mut events = Events::new(100, 1000);
        events.push(unparsed(600));
        assert!(events.pop().is_some());
        events.push(unparsed(600));
        events.push(unparsed(600));
        assert!(matches!(events.pop(), Some(Event::Overflow { lost: 2 })));
        assert!(events.pop().is_none());
    }

    #[test]
    fn where_only_notices_are_kept_nothing_else_counts_any_longer() {
        let mut events = Events::new(4, 1000);
        events.push(unparsed(600));
        events.push(Event::Notice(reply("* OK hi")));
        events.push(Event::Expunge(1));
        events.lose();
        events.keep_notices();
        assert!(!events.tell_of_removals() && events.octets == 2);
        assert!(matches!(events.pop(), Some(Event::Notice(_))));
        assert!(events.pop().is_none());
    }

    #[test]
    fn another_mailbox_makes_message_numbers_meaningless() {
        let mut events = Events::new(100, 1000);
        events.push(Event::Expunge(1));
        events.push(unparsed(1));
        events.forget_messages();
        assert!(matches!(events.pop(), Some(Event::Unparsed { .. })));
        assert!(events.pop().is_none());
    }
}
