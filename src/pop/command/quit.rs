//! QUIT, RFC 1939 section 6.
//!
//! ```text
//! C: QUIT
//! S: +OK dewey POP3 server signing off (maildrop empty)
//! ```

use super::{Command, finish};
use crate::Stage;
use crate::pop::proto::Response;
use crate::pop::{Error, PopClient};

impl PopClient {
    /// Ends the session and deletes what [`dele`](Self::dele) has marked. `Ok` is the server's word
    /// that it did.
    ///
    /// A server that offers `EXPIRE 0` ([`expire`](crate::pop::Capabilities::expire), as Gmail does)
    /// may delete what was read, too. To leave it there, drop the client instead.
    ///
    /// # Errors
    /// - [`Error::Refused`]: the server did not delete all of it (RFC 1939 section 6).
    /// - [`Error::Unknown`]: QUIT went out and its answer was lost, so that it is not known whether
    ///   what was marked is gone. Those messages that the next session still lists are not.
    /// - Any other: QUIT did not go out, or nothing was marked. Nothing was deleted, but perhaps
    ///   what was read at a server that offers `EXPIRE 0`, if QUIT went out.
    ///
    /// # Cancel safety
    /// If the future is dropped, the server may or may not have deleted the messages.
    pub async fn quit(mut self) -> Result<(), Error> {
        self.end().await
    }

    pub(crate) async fn end(&mut self) -> Result<(), Error> {
        self.rest(Quit::NAME).await?;
        self.start(Quit::NAME, &Quit.encode(), Quit.shape())?;
        let answer = self.response(Quit::NAME).await;
        let ended = answer
            .and_then(|response| finish(Quit, response, Stage::Command(Quit::NAME), self.core()));
        match ended {
            Err(Error::Refused { .. }) => ended,
            Err(source) if self.marked() > 0 && self.all_sent() => {
                Err(Error::Unknown { marked: self.marked(), source: Box::new(source) })
            }
            ended => ended,
        }
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
