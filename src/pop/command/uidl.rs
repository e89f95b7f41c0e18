//! UIDL, RFC 1939 section 7.
//!
//! ```text
//! C: UIDL
//! S: +OK
//! S: 1 whqtswO00WBw418f9t5JxYwZ
//! S: 2 QhdPYR:00WBw1Ph7x7
//! S: .
//! C: UIDL 2
//! S: +OK 2 QhdPYR:00WBw1Ph7x7
//! ```

use super::{Command, lines, numbered};
use crate::pop::proto::{Response, Shape};
use crate::pop::{Error, PopClient};

/// A message and the identifier that it keeps across sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueId {
    number: u32,
    id: String,
}

impl UniqueId {
    /// The message's number in this session, from 1.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Its identifier. RFC 1939 allows 1 to 70 printable characters; what the server sent is given
    /// as it is, octets that are no UTF-8 as `\xff`. Identical copies of a message may share one.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl PopClient {
    /// All messages that are not marked as deleted, with their identifiers.
    ///
    /// # Errors
    /// [`Error::Refused`] by a server without UIDL, [`Error::Unparsed`] with the first line that
    /// is not a number and an identifier.
    ///
    /// # Cancel safety
    /// See [`PopClient`].
    pub async fn uidl(&mut self) -> Result<Vec<UniqueId>, Error> {
        self.run(Uidl).await
    }

    /// One message with its identifier.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such message, it is marked as deleted, or the server has
    /// no UIDL; [`Error::Unparsed`] if it does not answer with a number and an identifier.
    ///
    /// # Cancel safety
    /// See [`PopClient`].
    pub async fn uidl_one(&mut self, number: u32) -> Result<UniqueId, Error> {
        self.run(UidlOne { number }).await
    }
}

pub(crate) struct Uidl;

impl Command for Uidl {
    const NAME: &'static str = "UIDL";

    type Output = Vec<UniqueId>;

    fn encode(&self) -> Vec<u8> {
        b"UIDL".to_vec()
    }

    fn shape(&self) -> Shape {
        Shape::Listing
    }

    fn finish(self, response: Response) -> Result<Vec<UniqueId>, String> {
        lines(&response.text, parse)
    }
}

struct UidlOne {
    number: u32,
}

impl Command for UidlOne {
    const NAME: &'static str = "UIDL";

    type Output = UniqueId;

    fn encode(&self) -> Vec<u8> {
        format!("UIDL {}", self.number).into_bytes()
    }

    fn finish(self, response: Response) -> Result<UniqueId, String> {
        let named =
            parse(response.reply.text().as_bytes()).filter(|named| named.number == self.number);
        named.ok_or_else(|| response.reply.to_string())
    }
}

fn parse(line: &[u8]) -> Option<UniqueId> {
    let (number, id) = numbered(line)?;
    Some(UniqueId { number, id: identifier(id) })
}

/// All that stands behind the number (RFC 1939 section 7 lets nothing follow the identifier).
/// Octets that are no text are escaped, so that two identifiers never become one.
pub(crate) fn identifier(id: &[u8]) -> String {
    std::str::from_utf8(id).map_or_else(|_| id.escape_ascii().to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_kept_as_it_is() {
        let id = |line: &[u8]| parse(line).map(|one| one.id);
        assert_eq!(id(b"2 QhdPYR:00WBw1Ph7x7"), Some("QhdPYR:00WBw1Ph7x7".into()));
        assert_eq!(id(b"2 with a space"), Some("with a space".into()));
        assert_eq!(id("2 \u{fc}".as_bytes()), Some("\u{fc}".into()));
        assert_ne!(id(b"2 \xfe"), id(b"2 \xff"));
        assert_eq!(id(b"2 "), None);
    }
}
