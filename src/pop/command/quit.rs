//! QUIT, RFC 1939 section 6.
//!
//! ```text
//! C: QUIT
//! S: +OK dewey POP3 server signing off (maildrop empty)
//! ```

use super::Command;
use crate::pop::proto::Response;
use crate::pop::{Error, PopClient};

impl PopClient {
    /// Ends the session and deletes what [`dele`](Self::dele) has marked.
    ///
    /// # Errors
    /// [`Error::Refused`] if the server could not delete all of it. If the answer is lost, it is
    /// not known whether it did: the messages that are still there at the next login are not
    /// deleted.
    ///
    /// # Cancel safety
    /// If the future is dropped, the server may or may not have deleted the messages.
    pub async fn quit(mut self) -> Result<(), Error> {
        self.run(Quit).await
    }
}

struct Quit;

impl Command for Quit {
    const NAME: &'static str = "QUIT";

    type Output = ();

    fn encode(&self) -> Vec<u8> {
        b"QUIT".to_vec()
    }

    fn finish(self, _: Response) -> Result<(), String> {
        Ok(())
    }
}
