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
use crate::imap::proto::encode::{Line, check_atom};
use crate::imap::proto::{Claims, Effect, Step, Tag};
use crate::imap::{Capabilities, Error, Mailbox, Message, Reply, Section, UidSet};
use crate::{BoxFuture, Misuse, Stage};

/// Where a list of things to fetch begins: `Fetch::envelope().flags().body()`.
///
/// The UID comes always.
#[derive(Debug, Clone, Copy)]
pub enum Fetch {}

impl Fetch {
    /// The UID alone.
    pub fn uid() -> FetchItems {
        FetchItems::default()
    }

    /// See [`FetchItems::flags`].
    pub fn flags() -> FetchItems {
        FetchItems::default().flags()
    }

    /// See [`FetchItems::internal_date`].
    pub fn internal_date() -> FetchItems {
        FetchItems::default().internal_date()
    }

    /// See [`FetchItems::size`].
    pub fn size() -> FetchItems {
        FetchItems::default().size()
    }

    /// See [`FetchItems::envelope`].
    pub fn envelope() -> FetchItems {
        FetchItems::default().envelope()
    }

    /// See [`FetchItems::body`].
    pub fn body() -> FetchItems {
        FetchItems::default().body()
    }

    /// See [`FetchItems::body_marking_seen`].
    pub fn body_marking_seen() -> FetchItems {
        FetchItems::default().body_marking_seen()
    }

    /// See [`FetchItems::header`].
    pub fn header() -> FetchItems {
        FetchItems::default().header()
    }

    /// See [`FetchItems::section`].
    pub fn section(section: Section) -> FetchItems {
        FetchItems::default().section(section)
    }

    /// See [`FetchItems::item`].
    pub fn item(name: impl Into<String>) -> FetchItems {
        FetchItems::default().item(name)
    }
}

/// A list of things to fetch of each message, begun by [`Fetch`].
#[derive(Debug, Clone, Default)]
pub struct FetchItems {
    items: Vec<FetchItem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum FetchItem {
    Named(&'static str),
    Section { section: Section, peek: bool },
    Other(String),
}

impl FetchItems {
    /// The flags.
    pub fn flags(self) -> Self {
        self.with(FetchItem::Named("FLAGS"))
    }

    /// When the server received it.
    pub fn internal_date(self) -> Self {
        self.with(FetchItem::Named("INTERNALDATE"))
    }

    /// Its size in octets.
    pub fn size(self) -> Self {
        self.with(FetchItem::Named("RFC822.SIZE"))
    }

    /// Date, subject and addresses.
    pub fn envelope(self) -> Self {
        self.with(FetchItem::Named("ENVELOPE"))
    }

    /// The whole message; it is not marked as read.
    pub fn body(self) -> Self {
        self.section(Section::full())
    }

    /// The whole message, and it is marked `\Seen`.
    pub fn body_marking_seen(self) -> Self {
        self.section_marking_seen(Section::full())
    }

    /// Its header; it is not marked as read.
    pub fn header(self) -> Self {
        self.section(Section::header())
    }

    /// A piece of it; it is not marked as read.
    pub fn section(self, section: Section) -> Self {
        self.with(FetchItem::Section { section, peek: true })
    }

    /// A piece of it, and it is marked `\Seen`.
    pub fn section_marking_seen(self, section: Section) -> Self {
        self.with(FetchItem::Section { section, peek: false })
    }

    /// An item by the name it has on the wire, such as `X-GM-MSGID` or `BODYSTRUCTURE`. Found in
    /// the answer by [`Message::items`].
    pub fn item(self, name: impl Into<String>) -> Self {
        self.with(FetchItem::Other(name.into()))
    }

    fn with(mut self, item: FetchItem) -> Self {
        if !self.items.contains(&item) {
            self.items.push(item);
        }
        self
    }

    fn encode(&self, line: &mut Line) -> Result<(), Misuse> {
        // RFC 9051 section 6.4.9: the UID comes even if it is not asked for.
        if self.items.is_empty() {
            line.raw("(UID)");
            return Ok(());
        }
        let mut separator = "(";
        for item in &self.items {
            line.raw(separator);
            match item {
                FetchItem::Named(name) => line.raw(name),
                FetchItem::Other(name) => {
                    check_atom("the name of an item", &name.replace(['[', ']'], ""))?;
                    line.raw(name)
                }
                FetchItem::Section { section, peek } => {
                    if let Some(fault) = section.fault() {
                        return Err(Misuse::Argument { what: "section", why: fault.to_owned() });
                    }
                    for name in section.field_names() {
                        check_atom("the name of a header field", name)?;
                    }
                    line.raw(if *peek { "BODY.PEEK" } else { "BODY" }).raw(section.bracketed())
                }
            };
            separator = " ";
        }
        line.raw(")");
        Ok(())
    }
}

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
    use crate::imap::proto::encode::Piece;

    fn wire(items: FetchItems) -> Result<String, Misuse> {
        let mut line = Line::new(Default::default());
        let request = UidFetch { uids: UidSet::parse("4:2").unwrap(), items };
        request.encode(&mut line, &Capabilities::default())?;
        match &line.finish()[..] {
            [Piece::Line(line)] => Ok(String::from_utf8_lossy(line).into_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn items_are_asked_for_once_and_in_order() {
        assert_eq!(
            wire(Fetch::envelope().flags().body().flags()).unwrap(),
            "UID FETCH 2:4 (ENVELOPE FLAGS BODY.PEEK[])"
        );
        assert_eq!(wire(Fetch::uid()).unwrap(), "UID FETCH 2:4 (UID)");
        assert_eq!(
            wire(Fetch::internal_date().size().header().item("X-GM-LABELS")).unwrap(),
            "UID FETCH 2:4 (INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER] X-GM-LABELS)"
        );
        assert_eq!(
            wire(
                Fetch::section(Section::header_fields(["Date", "From"]))
                    .section(Section::part([1, 2]).partial(0, 100))
                    .body_marking_seen()
            )
            .unwrap(),
            "UID FETCH 2:4 (BODY.PEEK[HEADER.FIELDS (Date From)] BODY.PEEK[1.2]<0.100> BODY[])"
        );
    }

    #[test]
    fn nothing_but_the_name_of_an_item_can_be_asked_for() {
        for bad in ["", "a b", "a)", "FLAGS\r\nA2 EXPUNGE", "x\0", "\u{fc}", "(UID"] {
            assert!(wire(Fetch::item(bad)).is_err(), "{bad:?}");
            assert!(wire(Fetch::section(Section::header_fields([bad]))).is_err(), "{bad:?}");
        }
        assert_eq!(wire(Fetch::item("BINARY.PEEK[1]")).unwrap(), "UID FETCH 2:4 (BINARY.PEEK[1])");
        assert!(wire(Fetch::section(Section::mime([]))).is_err());
    }
}
