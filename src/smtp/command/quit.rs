//! QUIT, RFC 5321 section 4.1.1.10.
//!
//! ```text
//! C: QUIT
//! S: 221 2.0.0 Bye
//! ```

use crate::smtp::{Error, SmtpClient};

impl SmtpClient {
    /// Ends the session. What was sent before does not depend on it.
    ///
    /// A server that closes without a word has done what was asked. If a [`send`](Self::send) was
    /// dropped and the message not accepted, and nobody took the outcome, this is the last chance
    /// to learn of it: it is the error then.
    ///
    /// # Errors
    /// [`Error::Net`] if the network failed.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn quit(mut self) -> Result<(), Error> {
        let ended = match self.command("QUIT").await {
            Ok(_) | Err(Error::Closed { .. } | Error::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        };
        while let Some(outcome) = self.take_outcome() {
            let _ = outcome?;
        }
        ended
    }
}
