//! RETR, RFC 1939 section 5.
//!
//! ```text
//! C: RETR 1
//! S: +OK 120 octets
//! S: Subject: hello
//! S:
//! S: ..a line that began with a dot
//! S: .
//! ```

use bytes::Bytes;

use super::Command;
use crate::pop::proto::{Response, Shape};
use crate::pop::{Error, PopClient};

impl PopClient {
    /// A message, exact to the octet: stuffed dots are taken out, line ends are left as they came,
    /// that of the last line included.
    ///
    /// The server ends the last line if the message did not (RFC 1939 section 3). For messages of
    /// any size see [`retr_reader`](Self::retr_reader), for many see [`retr_all`](Self::retr_all).
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such message or it is marked as deleted;
    /// [`Error::TooLarge`] if it exceeds [`Limits::message`](crate::Limits::message), which is
    /// [`Error::Protocol`] and costs the connection if it does so by more than
    /// [`Limits::settle`](crate::Limits::settle).
    ///
    /// # Cancel safety
    /// See [`PopClient`]. What is left of a large message costs the connection.
    pub async fn retr(&mut self, number: u32) -> Result<Bytes, Error> {
        self.run(Retr { number }).await
    }
}

pub(crate) struct Retr {
    number: u32,
}

impl Command for Retr {
    const NAME: &'static str = "RETR";

    type Output = Bytes;

    fn encode(&self) -> Vec<u8> {
        format!("RETR {}", self.number).into_bytes()
    }

    fn shape(&self) -> Shape {
        Shape::Message
    }

    fn finish(self, response: Response) -> Result<Bytes, String> {
        Ok(response.text)
    }
}

/// The same, of which the answer is the status line, and the message comes behind it.
pub(crate) struct RetrStream {
    pub(crate) number: u32,
}

impl Command for RetrStream {
    const NAME: &'static str = Retr::NAME;

    /// The size, if the server says it.
    type Output = Option<u64>;

    fn encode(&self) -> Vec<u8> {
        Retr { number: self.number }.encode()
    }

    fn shape(&self) -> Shape {
        Shape::Stream
    }

    fn finish(self, response: Response) -> Result<Option<u64>, String> {
        Ok(response.reply.octets())
    }
}
