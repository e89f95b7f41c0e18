//! LIST, RFC 1939 section 5.
//!
//! ```text
//! C: LIST
//! S: +OK 2 messages
//! S: 1 120
//! S: 2 200
//! S: .
//! C: LIST 2
//! S: +OK 2 200
//! ```

use super::{Command, lines, numbered, size};
use crate::pop::proto::{Response, Shape};
use crate::pop::{Error, PopClient};

/// A message and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    number: u32,
    octets: u64,
}

impl Listed {
    /// The message's number in this session, from 1.
    pub const fn number(self) -> u32 {
        self.number
    }

    /// Its size in octets, as the server counts; some count line ends otherwise than they send
    /// them.
    pub const fn octets(self) -> u64 {
        self.octets
    }
}

impl PopClient {
    /// All messages that are not marked as deleted, with their sizes.
    ///
    /// # Errors
    /// [`Error::Unparsed`] with the first line that is not two numbers.
    ///
    /// # Cancel safety
    /// See [`PopClient`].
    pub async fn list(&mut self) -> Result<Vec<Listed>, Error> {
        self.run(List).await
    }

    /// One message with its size.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such message or it is marked as deleted,
    /// [`Error::Unparsed`] if the server does not answer with two numbers.
    ///
    /// # Cancel safety
    /// See [`PopClient`].
    pub async fn list_one(&mut self, number: u32) -> Result<Listed, Error> {
        self.run(ListOne { number }).await
    }
}

pub(crate) struct List;

impl Command for List {
    const NAME: &'static str = "LIST";

    type Output = Vec<Listed>;

    fn encode(&self) -> Vec<u8> {
        b"LIST".to_vec()
    }

    fn shape(&self) -> Shape {
        Shape::Listing
    }

    fn finish(self, response: Response) -> Result<Vec<Listed>, String> {
        lines(&response.text, parse)
    }
}

struct ListOne {
    number: u32,
}

impl Command for ListOne {
    const NAME: &'static str = "LIST";

    type Output = Listed;

    fn encode(&self) -> Vec<u8> {
        format!("LIST {}", self.number).into_bytes()
    }

    fn finish(self, response: Response) -> Result<Listed, String> {
        let listed =
            parse(response.reply.text().as_bytes()).filter(|listed| listed.number == self.number);
        listed.ok_or_else(|| response.reply.to_string())
    }
}

fn parse(line: &[u8]) -> Option<Listed> {
    let (number, octets) = numbered(line)?;
    Some(Listed { number, octets: size(octets)? })
}
