//! RSET, RFC 5321 section 4.1.1.5.
//!
//! ```text
//! C: RSET
//! S: 250 2.0.0 Resetting
//! ```

use crate::smtp::{Error, SmtpClient};

impl SmtpClient {
    /// Asks the server to forget any sender, recipients and message. [`send`](Self::send) does so
    /// by itself where it is needed; some servers take this for a sign of life when they do not
    /// take NOOP for one.
    ///
    /// # Errors
    /// [`Error::Closed`] or [`Error::Net`] if the connection is gone.
    ///
    /// # Cancel safety
    /// See [`SmtpClient`].
    pub async fn rset(&mut self) -> Result<(), Error> {
        self.command("RSET").await.map(drop)
    }
}
