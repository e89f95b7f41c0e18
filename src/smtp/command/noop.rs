//! NOOP, RFC 5321 section 4.1.1.9.
//!
//! ```text
//! C: NOOP
//! S: 250 2.0.0 OK
//! ```

use crate::smtp::{Error, SmtpClient};

impl SmtpClient {
    /// Does nothing, so that the server does not take the session for idle.
    ///
    /// # Errors
    /// [`Error::Closed`] or [`Error::Net`] if the connection is gone.
    ///
    /// # Cancel safety
    /// See [`SmtpClient`].
    pub async fn noop(&mut self) -> Result<(), Error> {
        self.command("NOOP").await.map(drop)
    }
}
