//! Many messages over one connection, without waiting for each: RFC 2920 section 3.1 allows the end
//! of a message and the envelope of the next in one flight.
//!
//! ```text
//! C: content of a message
//! C: .
//! C: MAIL FROM:<billing@contoso.example>
//! C: RCPT TO:<bob@example.com>
//! C: DATA
//! S: 250 2.0.0 OK
//! S: 250 2.1.0 Sender OK
//! S: 250 2.1.5 Recipient OK
//! S: 354 Start mail input; end with <CRLF>.<CRLF>
//! ```

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;

use super::flow::{Flow, Message};
use crate::smtp::{Body, Envelope, Error, Receipt, SmtpClient};

impl SmtpClient {
    /// Sends many messages. With PIPELINING `n` of them take `n + 1` round trips: the end of one
    /// and the envelope of the next leave together. With
    /// [`Body::chunked_in_one_flight`] they take a few. Without PIPELINING it is the same as
    /// sending one after the other.
    ///
    /// Nothing is sent before [`SendAll::next`] is called. Messages are taken from the iterator one
    /// at a time, when they are about to be sent, so they need not all be in memory.
    ///
    /// # Example
    /// ```no_run
    /// # async fn send(smtp: &mut mailbearer::SmtpClient) -> Result<(), Box<dyn std::error::Error>> {
    /// use mailbearer::smtp::Envelope;
    ///
    /// let customers = ["ann@example.com", "bob@example.com"];
    /// let messages = customers.into_iter().filter_map(|customer| {
    ///     let envelope = Envelope::new("billing@contoso.example", [customer]).ok()?;
    ///     Some((envelope, format!("To: {customer}\r\nSubject: Your invoice\r\n\r\nAttached.\r\n")))
    /// });
    /// let mut sending = smtp.send_all(messages);
    /// while let Some(sent) = sending.next().await {
    ///     match sent.outcome {
    ///         Ok(receipt) => println!("{}: {:?}", customers[sent.index], receipt.queue_id()),
    ///         Err(error) => eprintln!("{}: {error}", customers[sent.index]),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_all<'c, 'a, I, E, B>(&'c mut self, messages: I) -> SendAll<'c, 'a, I::IntoIter>
    where
        I: IntoIterator<Item = (E, B)>,
        E: Into<Cow<'a, Envelope>>,
        B: Into<Body<'a>>,
    {
        SendAll { client: self, messages: messages.into_iter(), flow: Flow::new(), told: 0 }
    }

    /// Sends messages that become known by and by, say from a channel, in the way of
    /// [`send_all`](Self::send_all). [`Pipeline::next`] may stand in a `select!` beside the channel.
    ///
    /// # Example
    /// ```no_run
    /// # async fn send(
    /// #     smtp: &mut mailbearer::SmtpClient,
    /// #     outbox: impl Iterator<Item = (mailbearer::smtp::Envelope, Vec<u8>)>,
    /// # ) {
    /// let mut pipeline = smtp.pipeline();
    /// for (envelope, message) in outbox {
    ///     pipeline.push(envelope, message);
    ///     // One is on its way, one more is ready to follow.
    ///     while pipeline.waiting() > 1 {
    ///         if let Some(sent) = pipeline.next().await {
    ///             println!("{}: {:?}", sent.index, sent.outcome);
    ///         }
    ///     }
    /// }
    /// while let Some(sent) = pipeline.next().await {
    ///     println!("{}: {:?}", sent.index, sent.outcome);
    /// }
    /// # }
    /// ```
    pub fn pipeline<'a>(&mut self) -> Pipeline<'_, 'a> {
        Pipeline { client: self, messages: VecDeque::new(), flow: Flow::new(), pushed: 0, told: 0 }
    }
}

/// What became of one of several messages.
#[derive(Debug)]
#[non_exhaustive]
pub struct Sent {
    /// Which one, counted from zero in the order in which they were given.
    pub index: usize,
    /// As of [`SmtpClient::send`]. If the connection was lost, [`Error::Unknown`] says that this
    /// message may have been delivered; any other error, that it was not.
    pub outcome: Result<Receipt, Error>,
}

/// Messages being sent, made by [`SmtpClient::send_all`].
///
/// # Cancel safety
/// Dropping a future of [`next`](Self::next) loses nothing; the next one goes on. Dropping this
/// value abandons what is in flight, as a dropped [`send`](SmtpClient::send) does for each message:
/// what had left whole has an [outcome](SmtpClient::take_outcome), the rest is taken back or the
/// connection closed.
#[must_use = "nothing is sent unless `next` is called"]
pub struct SendAll<'c, 'a, I> {
    client: &'c mut SmtpClient,
    messages: I,
    flow: Flow<'a>,
    told: usize,
}

impl<'a, I, E, B> SendAll<'_, 'a, I>
where
    I: Iterator<Item = (E, B)>,
    E: Into<Cow<'a, Envelope>>,
    B: Into<Body<'a>>,
{
    /// What became of the next message, in the order in which they were given; `None` after the
    /// last.
    ///
    /// One message that fails does not stop the others. When the connection is lost, those that
    /// had not been sent are taken from the iterator too, and each has the error that says so.
    pub async fn next(&mut self) -> Option<Sent> {
        let Self { client, messages, flow, told } = self;
        let mut next = || messages.next().map(|(envelope, body)| (envelope.into(), body.into()));
        let outcome = client.advance(flow, &mut next).await?;
        Some(numbered(told, outcome))
    }

    /// What became of all that have not been told of yet.
    pub async fn collect(mut self) -> Vec<Sent> {
        let mut all = Vec::with_capacity(self.messages.size_hint().0);
        while let Some(sent) = self.next().await {
            all.push(sent);
        }
        all
    }
}

/// Messages being sent as they come, made by [`SmtpClient::pipeline`].
///
/// # Cancel safety
/// That of [`SendAll`].
pub struct Pipeline<'c, 'a> {
    client: &'c mut SmtpClient,
    messages: VecDeque<Message<'a>>,
    flow: Flow<'a>,
    pushed: usize,
    told: usize,
}

impl<'a> Pipeline<'_, 'a> {
    /// Takes a message and gives its number, counted from zero. Nothing is sent before
    /// [`next`](Self::next) is called.
    pub fn push(
        &mut self,
        envelope: impl Into<Cow<'a, Envelope>>,
        body: impl Into<Body<'a>>,
    ) -> usize {
        self.messages.push_back((envelope.into(), body.into()));
        let index = self.pushed;
        self.pushed += 1;
        index
    }

    /// Messages that were pushed and have not been begun. To keep the server busy and memory small,
    /// push while this is less than two.
    pub fn waiting(&self) -> usize {
        self.messages.len()
    }

    /// What became of the next message, in the order in which they were pushed; `None` when that
    /// is known of all that were pushed so far. More may be pushed then.
    pub async fn next(&mut self) -> Option<Sent> {
        let Self { client, messages, flow, told, .. } = self;
        let outcome = client.advance(flow, &mut || messages.pop_front()).await?;
        Some(numbered(told, outcome))
    }
}

const fn numbered(told: &mut usize, outcome: Result<Receipt, Error>) -> Sent {
    let index = *told;
    *told += 1;
    Sent { index, outcome }
}

impl<I> fmt::Debug for SendAll<'_, '_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendAll").field("told", &self.told).finish_non_exhaustive()
    }
}

impl fmt::Debug for Pipeline<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("pushed", &self.pushed)
            .field("told", &self.told)
            .finish_non_exhaustive()
    }
}
