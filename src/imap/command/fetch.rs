//! UID FETCH, RFC 9051 section 6.4.5.
//!
//! ```text
//! C: A7 UID FETCH 87:90 (FLAGS ENVELOPE BODY.PEEK[])
//! S: * 12 FETCH (UID 87 FLAGS (\Seen) ENVELOPE (…) BODY[] {310}
//! S: (the message))
//! S: A7 OK FETCH completed
//! ```

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::Command;
use super::fetch_items::FetchItems;
use crate::imap::proto::encode::Line;
use crate::imap::proto::{Claims, Effect, Step, Tag};
use crate::imap::{Capabilities, Error, Mailbox, Message, Reply, UidSet};
use crate::{BoxFuture, Misuse, Stage};

impl Mailbox {
    /// Fetches of every message in `set` what `items` names: asks for it, and gives the messages
    /// as they come. An empty set gives no messages and asks nothing of the server.
    ///
    /// UIDs of messages that are gone are passed over by the server without a word.
    ///
    /// # Example
    /// ```no_run
    /// # async fn read(inbox: &mut mailbearer::imap::Mailbox) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::{Fetch, UidSet};
    ///
    /// let mut messages = inbox.uid_fetch(UidSet::all(), Fetch::envelope().size()).await?;
    /// while let Some(message) = messages.next().await? {
    ///     let subject = message.envelope().and_then(|envelope| envelope.subject());
    ///     println!("{:?} {subject:?}", message.uid());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Misuse`] if something in the request cannot be sent; [`Error::Closed`] if the
    /// connection is gone. What the server says to the request comes from
    /// [`next`](Messages::next).
    ///
    /// # Cancel safety
    /// See [`ImapClient`](crate::ImapClient).
    pub async fn uid_fetch(
        &mut self,
        set: impl Into<UidSet>,
        items: FetchItems,
    ) -> Result<Messages<'_>, Error> {
        let request = UidFetch { uids: set.into(), items };
        if request.uids.is_empty() {
            return Ok(Messages { mailbox: self, running: None });
        }
        let line = self.session.encode(&request)?;
        self.session.settle(STAGE).await?;
        let tag = self.session.start(line, &request)?;
        Ok(Messages { mailbox: self, running: Some(tag) })
    }
}

/// The messages of a [`uid_fetch`](Mailbox::uid_fetch), one by one as they arrive.
///
/// It may be dropped at any time; the next command then reads and throws away what is left of the
/// answer. Beyond [`Limits::settle`](crate::Limits::settle) that costs the connection.
// Nothing in it may need dropping, or the borrow of the mailbox would last to the end of its scope.
#[must_use = "the messages come from `next`"]
pub struct Messages<'a> {
    mailbox: &'a mut Mailbox,
    running: Option<Tag>,
}

const STAGE: Stage = Stage::Command(UidFetch::NAME);

impl<'a> Messages<'a> {
    /// The next message; `None` when the server has sent all.
    ///
    /// What the server tells of other messages meanwhile is found among the events. It may also
    /// tell anew of a message in the set, if its flags change during the fetch.
    ///
    /// # Errors
    /// [`Error::Refused`] if the server refuses the fetch or cannot finish it; messages that came
    /// before are good. After an error there are no more messages.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped: the next call goes on where this one stopped.
    pub async fn next(&mut self) -> Result<Option<Message>, Error> {
        let Some(tag) = self.running else { return Ok(None) };
        let next = self.mailbox.next_fetched(tag).await;
        if !matches!(next, Ok(Some(_))) {
            self.running = None;
        }
        next
    }

    /// All the messages that are still to come, in memory at once.
    ///
    /// # Errors
    /// As for [`next`](Self::next); what came before is lost.
    pub async fn collect(mut self) -> Result<Vec<Message>, Error> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await? {
            messages.push(message);
        }
        Ok(messages)
    }

    /// The messages as a [`Stream`], for combinators. It ends after the first error.
    pub const fn into_stream(self) -> MessageStream<'a> {
        MessageStream { turn: Turn::Rest(self) }
    }
}

impl fmt::Debug for Messages<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("mailbox", &self.mailbox).finish_non_exhaustive()
    }
}

impl Mailbox {
    async fn next_fetched(&mut self, tag: Tag) -> Result<Option<Message>, Error> {
        loop {
            match self.session.step(STAGE).await? {
                Step::Fetched { tag: whose } if whose == tag => {
                    if let Some(message) = self.session.core_mut().take_fetched() {
                        return Ok(Some(message));
                    }
                }
                Step::Done { tag: whose, reply } if whose == tag => {
                    return self.session.judge(reply, STAGE).map(|_| None);
                }
                _ => {}
            }
        }
    }
}

/// See [`Messages::into_stream`].
#[must_use = "streams do nothing unless polled"]
pub struct MessageStream<'a> {
    turn: Turn<'a>,
}

enum Turn<'a> {
    Rest(Messages<'a>),
    Reading(BoxFuture<'a, (Messages<'a>, Result<Option<Message>, Error>)>),
    Over,
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
        self.turn = Turn::Rest(messages);
        Poll::Ready(next.transpose())
    }
}

impl fmt::Debug for MessageStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStream").finish_non_exhaustive()
    }
}

struct UidFetch {
    uids: UidSet,
    items: FetchItems,
}

impl Command for UidFetch {
    const NAME: &'static str = "UID FETCH";

    type Output = ();

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        self.items.encode(line.raw(format_args!("UID FETCH {} ", self.uids)))
    }

    fn claims(&self) -> Claims {
        Claims::Messages(self.uids.clone())
    }

    fn effect(&self) -> Effect {
        Effect::Stream
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Fetch;
    use crate::imap::proto::encode::Piece;

    #[test]
    fn uids_and_items_are_one_command() {
        let mut line = Line::new(Default::default());
        let request = UidFetch { uids: UidSet::parse("4:2").unwrap(), items: Fetch::flags() };
        request.encode(&mut line, &Capabilities::default()).unwrap();
        assert_eq!(line.finish(), [Piece::Line(b"UID FETCH 2:4 (FLAGS)".to_vec())]);
    }
}
