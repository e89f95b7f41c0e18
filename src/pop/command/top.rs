//! TOP, RFC 1939 section 7.
//!
//! ```text
//! C: TOP 1 10
//! S: +OK
//! S: (the header, an empty line, and ten lines of the body)
//! S: .
//! ```

use bytes::Bytes;

use super::Command;
use crate::pop::proto::{Response, Shape};
use crate::pop::{Error, PopClient};

impl PopClient {
    /// The header of a message and the first `lines` lines of its body.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such message, or by a server without TOP.
    ///
    /// # Cancel safety
    /// See [`PopClient`].
    pub async fn top(&mut self, number: u32, lines: u32) -> Result<Bytes, Error> {
        self.run(Top { number, lines }).await
    }
}

struct Top {
    number: u32,
    lines: u32,
}

impl Command for Top {
    const NAME: &'static str = "TOP";

    type Output = Bytes;

    fn encode(&self) -> Vec<u8> {
        format!("TOP {} {}", self.number, self.lines).into_bytes()
    }

    fn shape(&self) -> Shape {
        Shape::Message
    }

    fn finish(self, response: Response) -> Result<Bytes, String> {
        Ok(response.text)
    }
}
