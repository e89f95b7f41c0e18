//! The answer to FETCH and UID FETCH, message by message.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::BoxFuture;
use crate::net::driver::Broken;

use super::flight::Flight;
use super::parts::Parts;
use super::proto::Step;
use super::{Error, Event, Mailbox, Message};

/// The messages of a [`uid_fetch`](Mailbox::uid_fetch) or a [`fetch`](Mailbox::fetch), one by one as
/// they arrive.
///
/// It may be dropped at any time; the next command then reads and throws away what is left of the
/// answer. Beyond [`Limits::settle`](crate::Limits::settle) that costs the connection.
// Nothing in it may need dropping, or the borrow of the mailbox would last to the end of its scope.
#[must_use = "the messages come from `next`"]
pub struct Messages<'a> {
    mailbox: &'a mut Mailbox,
    flight: Flight,
}

impl<'a> Messages<'a> {
    pub(crate) const fn new(mailbox: &'a mut Mailbox, flight: Flight) -> Self {
        Self { mailbox, flight }
    }

    /// The mailbox they are in.
    pub const fn mailbox(&self) -> &Mailbox {
        self.mailbox
    }

    /// Counts what is kept of all messages, of this answer and others.
    pub(crate) fn charge_together(&mut self, octets: usize) {
        self.mailbox.session.core_mut().charge_together(octets);
    }

    /// The oldest event that nobody has taken yet: see [`Event`]. All that it gives was said before
    /// the message that [`next`](Self::next) gave last; whoever looks for events before each
    /// message has all in the order in which the server said it.
    pub fn take_event(&mut self) -> Option<Event> {
        self.mailbox.take_event()
    }

    /// The next message; `None` when the server has sent all.
    ///
    /// What the server tells of other messages meanwhile is found among the events, and so are flags
    /// that it tells without the UID: see [`unread`](Self::unread). It may also tell anew of a message
    /// in the set, if its flags change during the fetch.
    ///
    /// An answer that cannot be read, or not to its end, is a message that is not
    /// [`complete`](Message::is_complete), even if its UID is not known or nothing at all; so is one that
    /// lacks its UID. While there is one of these, or [`unread`](Self::unread) is not 0, UIDs that do not
    /// come are not those of messages that are gone.
    ///
    /// # Errors
    /// [`Error::Refused`] if the server refuses the fetch or cannot finish it; messages that came
    /// before are good. After an error there are no more messages.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped: the next call goes on where this one stopped.
    pub async fn next(&mut self) -> Result<Option<Message>, Error> {
        while !self.flight.is_over() {
            match self.mailbox.session.driver_mut().event().await {
                Ok(Step::Fetched { tag }) if self.flight.has(tag) => {
                    if let Some(message) = self.mailbox.session.core_mut().take_fetched() {
                        return Ok(Some(message));
                    }
                }
                event => self.mailbox.heed(&mut self.flight, event)?,
            }
        }
        Ok(None)
    }

    /// How many lines came so far, while the fetch was answered, in which no message and nothing else
    /// could be recognised. Each is kept as an [`Event::Unparsed`]. Unless this is 0, messages may be
    /// missing.
    ///
    /// Where nothing but flags and their like is fetched by UID, those messages are counted, too, of
    /// which the server has told some by number alone, as an [`Event::Fetch`]: it may be that their flags
    /// have changed meanwhile, or that the server has left out the UID in its answer, which looks the
    /// same. They are taken off once they come with their UIDs, and all of them once there are as many
    /// messages as UIDs were asked for. After messages have gone meanwhile none is taken off.
    pub const fn unread(&self) -> usize {
        self.mailbox.session.core().missed()
    }

    /// All the messages that are still to come, in memory at once: those that cannot be read among
    /// them, as from [`next`](Self::next). Of what is [`unread`](Self::unread) only the events tell then.
    ///
    /// # Errors
    /// As for [`next`](Self::next); what came before is lost.
    ///
    /// # Cancel safety
    /// If the future is dropped, the messages that have come are lost, and so is the rest: the next
    /// command reads and throws it away.
    pub async fn collect(mut self) -> Result<Vec<Message>, Error> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await? {
            messages.push(message);
        }
        Ok(messages)
    }

    /// The messages that are still to come in pieces, as they arrive: for large ones, which need
    /// not fit into memory.
    pub fn parts(self) -> Parts<'a> {
        let flight = self.flight;
        self.mailbox.session.core_mut().divide(|tag| flight.has(tag));
        Parts::new(self.mailbox, flight)
    }

    /// The messages as a [`Stream`], for combinators. It ends after the first error.
    pub const fn into_stream(self) -> MessageStream<'a> {
        MessageStream { unread: self.unread(), turn: Turn::Rest(self) }
    }
}

impl fmt::Debug for Messages<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("mailbox", &self.mailbox).finish_non_exhaustive()
    }
}

impl Mailbox {
    /// What the driver reports may end a command of this flight of FETCH or UID FETCH. After an
    /// error the flight is over.
    // No future that waits for it, too: it would be made anew for each message.
    pub(crate) fn heed(
        &mut self,
        flight: &mut Flight,
        event: Result<Step, Broken>,
    ) -> Result<(), Error> {
        let stage = flight.stage();
        let ended = self.session.heard(event, stage).and_then(|step| match step {
            Step::Done { tag, reply } if flight.has(tag) => {
                flight.landed();
                self.session.judge(reply, stage).map(|_| ())
            }
            _ => Ok(()),
        });
        if ended.is_err() {
            flight.end();
        }
        ended
    }
}

/// See [`Messages::into_stream`].
#[must_use = "streams do nothing unless polled"]
pub struct MessageStream<'a> {
    turn: Turn<'a>,
    unread: usize,
}

enum Turn<'a> {
    Rest(Messages<'a>),
    Reading(BoxFuture<'a, (Messages<'a>, Result<Option<Message>, Error>)>),
    Over,
}

impl MessageStream<'_> {
    /// What [`Messages::unread`] says, as of the last item.
    pub const fn unread(&self) -> usize {
        self.unread
    }
}

impl Stream for MessageStream<'_> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut reading = match mem::replace(&mut self.turn, Turn::Over) {
            Turn::Over => return Poll::Ready(None),
            Turn::Reading(reading) => reading,
            Turn::Rest(mut messages) => Box::pin(async move {
                let next = messages.next().await;
                (messages, next)
            }),
        };
        let Poll::Ready((messages, next)) = reading.as_mut().poll(cx) else {
            self.turn = Turn::Reading(reading);
            return Poll::Pending;
        };
        self.unread = messages.unread();
        self.turn = Turn::Rest(messages);
        Poll::Ready(next.transpose())
    }
}

impl fmt::Debug for MessageStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStream").finish_non_exhaustive()
    }
}
