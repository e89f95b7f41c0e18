//! DELE, RFC 1939 section 5.
//!
//! ```text
//! C: DELE 1
//! S: +OK message 1 deleted
//! ```

use super::Command;
use crate::pop::proto::Response;
use crate::pop::{Error, PopClient};

impl PopClient {
    /// Marks a message as deleted. It is gone when [`quit`](Self::quit) is answered, and not
    /// before.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such message or it is marked already.
    ///
    /// # Cancel safety
    /// See [`PopClient`]: a dropped call may still have marked the message. [`rset`](Self::rset)
    /// takes all marks back.
    pub async fn dele(&mut self, number: u32) -> Result<(), Error> {
        // Counted before it is sent: a dropped call may still be carried out.
        self.set_marked(self.marked().saturating_add(1));
        let marked = self.run(Dele { number }).await;
        if let Err(Error::Refused { .. } | Error::Misuse(_)) = marked {
            self.set_marked(self.marked().saturating_sub(1));
        }
        marked
    }
}

pub(crate) struct Dele {
    number: u32,
}

impl Command for Dele {
    const NAME: &'static str = "DELE";

    type Output = ();

    fn encode(&self) -> Vec<u8> {
        format!("DELE {}", self.number).into_bytes()
    }

    fn finish(self, _: Response) -> Result<(), String> {
        Ok(())
    }
}
