//! RETR of many messages, pipelined (RFC 1939 section 5, RFC 2449 section 6.6).
//!
//! ```text
//! C: RETR 1
//! C: RETR 2
//! S: +OK 120 octets
//! S: (the message)
//! S: .
//! S: -ERR no such message
//! ```

use std::fmt;

use bytes::Bytes;

use super::{Command as _, flight::Flight, retr::Retr};
use crate::pop::proto::{Response, Shape};
use crate::pop::{Error, PopClient};

impl PopClient {
    /// The messages of these numbers, one after the other, in their order.
    ///
    /// Where the server pipelines, the next are asked for before the last has come, so that all
    /// take a few round trips together; [`Limits::pipelined`](crate::Limits::pipelined) says how
    /// far ahead. Elsewhere each takes one. Messages are read from the connection when
    /// [`next`](Messages::next) asks for them, and only one is in memory at a time.
    ///
    /// # Example
    /// ```no_run
    /// # async fn read(pop: &mut mailbearer::PopClient) -> Result<(), mailbearer::pop::Error> {
    /// let numbers: Vec<u32> = pop.list().await?.iter().map(|listed| listed.number()).collect();
    /// let mut messages = pop.retr_all(numbers);
    /// while let Some(retrieved) = messages.next().await? {
    ///     match retrieved.message() {
    ///         Ok(message) => println!("{}: {} octets", retrieved.number(), message.len()),
    ///         Err(refused) => eprintln!("{}: {refused}", retrieved.number()),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn retr_all(&mut self, numbers: impl IntoIterator<Item = u32>) -> Messages<'_> {
        *self.flight_mut() = Flight::new(Retr::NAME, Shape::Message, numbers);
        Messages { client: self }
    }
}

/// What [`retr_all`](PopClient::retr_all) fetches.
///
/// It may be dropped at any time; the next command then reads and throws away what the server still
/// sends. If that is more than [`Limits::settle`](crate::Limits::settle), it costs the connection.
// Nothing in it may need dropping, or the borrow of the client would last to the end of its scope.
#[derive(Debug)]
#[must_use = "the messages come from `next`"]
pub struct Messages<'a> {
    client: &'a mut PopClient,
}

/// A message, or why there is none.
pub struct Retrieved {
    number: u32,
    message: Result<Bytes, Error>,
}

impl Messages<'_> {
    /// The next message; `None` when all have come.
    ///
    /// A message that the server refuses does not end the others: its refusal is in the
    /// [`Retrieved`]. Neither does one that exceeds [`Limits::message`](crate::Limits::message) by
    /// no more than [`Limits::settle`](crate::Limits::settle): that is [`Error::TooLarge`].
    ///
    /// # Errors
    /// What ends all of them: [`Error::Closed`] or [`Error::Net`] if the connection is gone,
    /// [`Error::Protocol`] if a message exceeds the limit by more. There are no more messages
    /// then; what came before is good.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped: the next call goes on where this one stopped.
    pub async fn next(&mut self) -> Result<Option<Retrieved>, Error> {
        let next = self.client.next_answer().await?;
        Ok(next.map(|(number, answer)| Retrieved {
            number,
            message: answer.map(|response| response.text),
        }))
    }

    /// How many messages have still to come.
    pub fn left(&self) -> usize {
        self.client.flight().left()
    }
}

impl Retrieved {
    /// The message's number in this session.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The message, as [`retr`](PopClient::retr) gives it, or the server's refusal.
    pub const fn message(&self) -> Result<&Bytes, &Error> {
        self.message.as_ref()
    }

    /// The same, taken out.
    pub fn into_message(self) -> Result<Bytes, Error> {
        self.message
    }
}

impl fmt::Debug for Retrieved {
    /// How long it is, not what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retrieved")
            .field("number", &self.number)
            .field("message", &self.message.as_ref().map(Bytes::len))
            .finish()
    }
}

impl PopClient {
    /// The answer to the next command of the flight, which may be a refusal; `None` when all are
    /// answered. An error ends the flight.
    pub(crate) async fn next_answer(
        &mut self,
    ) -> Result<Option<(u32, Result<Response, Error>)>, Error> {
        let answer = self.advance().await;
        if answer.is_err() {
            *self.flight_mut() = Flight::none();
        }
        answer
    }

    /// What a dropped future leaves behind is picked up by the next call: what is known of the
    /// flight changes only where nothing waits.
    async fn advance(&mut self) -> Result<Option<(u32, Result<Response, Error>)>, Error> {
        let verb = self.flight().verb();
        if self.flight().left() == 0 {
            return Ok(None);
        }
        if !self.flight().has_begun() {
            // For a single message nothing depends on it.
            let pipelined = self.flight().left() > 1 && self.may_pipeline().await?;
            self.rest(verb).await?;
            let window = if pipelined { self.limits().pipelined } else { 0 };
            self.flight_mut().begin(window);
        }
        let shape = self.flight().shape();
        for line in self.flight_mut().take() {
            self.start(verb, line.as_bytes(), shape)?;
        }
        let response = self.response(verb).await?;
        let Some(number) = self.flight_mut().answered() else { return Ok(None) };
        match super::accepted(response, verb) {
            Err(error @ Error::Closed { .. }) => Err(error),
            answer => Ok(Some((number, answer))),
        }
    }
}
