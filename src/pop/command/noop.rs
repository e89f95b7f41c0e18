//! NOOP, RFC 1939 section 5.
//!
//! ```text
//! C: NOOP
//! S: +OK
//! ```

use super::Command;
use crate::pop::proto::Response;
use crate::pop::{Error, PopClient};

impl PopClient {
    /// Does nothing, so that the server does not take the session for idle.
    ///
    /// # Errors
    /// [`Error::Closed`] or [`Error::Net`] if the connection is gone.
    ///
    /// # Cancel safety
    /// See [`PopClient`].
    pub async fn noop(&mut self) -> Result<(), Error> {
        self.run(Noop).await
    }
}

struct Noop;

impl Command for Noop {
    const NAME: &'static str = "NOOP";

    type Output = ();

    fn encode(&self) -> Vec<u8> {
        b"NOOP".to_vec()
    }

    fn finish(self, _: Response) -> Result<(), String> {
        Ok(())
    }
}
