//! What a server says without being asked.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Message, Reply};

/// Something the server said that no command had asked for.
///
/// The number of messages and the flags in use are not among them: they are kept up to date in the
/// [`Mailbox`](super::Mailbox).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The message with this sequence number is gone; those behind it have moved up by one.
    Expunge(u32),
    /// Something about a message has changed, mostly its flags.
    Fetch(Message),
    /// A notice in words; with [`Code::Alert`](super::Code::Alert) one that the user should see.
    Notice(Reply),
    /// Data of a kind that the running command does not take.
    Data(Data),
    /// A line that could not be understood. The session goes on behind it.
    Unparsed {
        /// All of it.
        frame: Bytes,
        /// What the grammar would have had there.
        expected: &'static str,
    },
    /// Nobody took the events before this one, and there were too many of them to keep (see
    /// [`Limits::events`](crate::Limits::events)). What is known of the mailbox's messages may be
    /// out of date.
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

impl Data {
    /// What the response begins with, in capitals: `QUOTA`.
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
}

impl Events {
    pub(crate) const fn new(limit: usize, octet_limit: usize) -> Self {
        Self { queue: VecDeque::new(), limit, octets: 0, octet_limit }
    }

    pub(crate) fn push(&mut self, event: Event) {
        let octets = weight(&event);
        if self.queue.len() >= self.limit || self.octets.saturating_add(octets) > self.octet_limit {
            let lost = self.queue.drain(..).map(|event| lost_in(&event)).sum::<u64>();
            self.queue.push_back(Event::Overflow { lost: lost + lost_in(&event) });
            self.octets = 0;
            return;
        }
        self.octets += octets;
        self.queue.push_back(event);
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        self.octets = self.octets.saturating_sub(weight(&event));
        Some(event)
    }

    /// Forgets what was said about messages by their number: another mailbox is selected.
    pub(crate) fn forget_messages(&mut self) {
        self.queue.retain(|event| !matches!(event, Event::Expunge(_) | Event::Fetch(_)));
        self.octets = self.queue.iter().map(weight).sum();
    }
}

fn weight(event: &Event) -> usize {
    match event {
        Event::Fetch(message) => message.octets(),
        Event::Data(data) => data.rest.len(),
        Event::Unparsed { frame, .. } => frame.len(),
        Event::Notice(reply) => reply.text().len(),
        Event::Expunge(_) | Event::Overflow { .. } => 0,
    }
}

const fn lost_in(event: &Event) -> u64 {
    match event {
        Event::Overflow { lost } => *lost,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unparsed(octets: usize) -> Event {
        Event::Unparsed { frame: vec![b'x'; octets].into(), expected: "sense" }
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
    fn another_mailbox_makes_message_numbers_meaningless() {
        let mut events = Events::new(100, 1000);
        events.push(Event::Expunge(1));
        events.push(unparsed(1));
        events.forget_messages();
        assert!(matches!(events.pop(), Some(Event::Unparsed { .. })));
        assert!(events.pop().is_none());
    }
}
