//! STAT, RFC 1939 section 5.
//!
//! ```text
//! C: STAT
//! S: +OK 2 320
//! ```

use super::{Command, decimal};
use crate::pop::proto::Response;
use crate::pop::{Error, PopClient};

/// The size of a maildrop, without messages marked as deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maildrop {
    messages: u32,
    octets: u64,
}

impl Maildrop {
    /// How many messages there are.
    pub const fn messages(self) -> u32 {
        self.messages
    }

    /// Their size in octets, as the server counts.
    pub const fn octets(self) -> u64 {
        self.octets
    }
}

impl PopClient {
    /// The size of the maildrop now.
    ///
    /// # Errors
    /// [`Error::Unparsed`] if the server does not answer with two numbers.
    ///
    /// # Cancel safety
    /// See [`PopClient`].
    pub async fn stat(&mut self) -> Result<Maildrop, Error> {
        self.run(Stat).await
    }
}

pub(crate) struct Stat;

impl Command for Stat {
    const NAME: &'static str = "STAT";

    type Output = Maildrop;

    fn encode(&self) -> Vec<u8> {
        b"STAT".to_vec()
    }

    fn finish(self, response: Response) -> Result<Maildrop, String> {
        parse(response.reply.text()).ok_or_else(|| response.reply.to_string())
    }
}

fn parse(text: &str) -> Option<Maildrop> {
    let mut words = text.split_ascii_whitespace().map(str::as_bytes);
    let messages = u32::try_from(decimal(words.next()?)?).ok()?;
    Some(Maildrop { messages, octets: decimal(words.next()?)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_and_whatever_follows() {
        let expected = Some(Maildrop { messages: 2, octets: 5_000_000_000 });
        assert_eq!(parse("2 5000000000"), expected);
        assert_eq!(parse("2  5000000000 messages"), expected);
    }

    #[test]
    fn anything_else_is_not_taken_for_an_empty_maildrop() {
        for text in ["", "2", "-1 0", "+1 0", "1 +0", "1 -0", "two 3", "99999999999999 1", "2 x"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
