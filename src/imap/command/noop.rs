//! NOOP, RFC 9051 section 6.1.2.
//!
//! ```text
//! C: A4 NOOP
//! S: * 22 EXPUNGE
//! S: * 23 EXISTS
//! S: A4 OK NOOP completed
//! ```

use super::Command;
use crate::Misuse;
use crate::imap::proto::encode::Line;
use crate::imap::{Capabilities, Error, ImapClient, Mailbox, Reply};

impl ImapClient {
    /// Does nothing but give the server an occasion to tell what is new, and start its clock for
    /// idle connections anew. Servers close idle connections after half an hour, some earlier.
    ///
    /// # Errors
    /// [`Error::Closed`] if the connection is gone.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn noop(&mut self) -> Result<(), Error> {
        self.run(Noop).await
    }
}

impl Mailbox {
    /// See [`ImapClient::noop`]. Afterwards [`exists`](Self::exists) tells of new messages, and
    /// [`take_event`](Self::take_event) of changed and expunged ones.
    ///
    /// # Errors
    /// [`Error::Closed`] if the connection is gone.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn noop(&mut self) -> Result<(), Error> {
        self.run(Noop).await
    }
}

struct Noop;

impl Command for Noop {
    const NAME: &'static str = "NOOP";

    type Output = ();

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("NOOP");
        Ok(())
    }

    fn finish(self, _: Reply) {}
}
