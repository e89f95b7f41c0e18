//! LOGOUT, RFC 9051 section 6.1.3.
//!
//! ```text
//! C: A9 LOGOUT
//! S: * BYE IMAP4rev1 Server logging out
//! S: A9 OK LOGOUT completed
//! ```

use super::Command;
use crate::Misuse;
use crate::imap::proto::Effect;
use crate::imap::proto::encode::Line;
use crate::imap::{Capabilities, Error, ImapClient, Reply};

impl ImapClient {
    /// Ends the session. Nothing is lost without it but the server's good opinion: unlike POP3,
    /// IMAP has done everything when it says `OK`.
    ///
    /// # Errors
    /// [`Error::Closed`] if the server closes the connection without a goodbye.
    ///
    /// # Cancel safety
    /// If the future is dropped, the connection is closed all the same.
    pub async fn logout(mut self) -> Result<(), Error> {
        match self.run(Logout).await {
            // Some servers close right behind the BYE.
            Err(Error::Closed { reply: Some(_), .. }) => Ok(()),
            answer => answer,
        }
    }
}

struct Logout;

impl Command for Logout {
    type Output = ();

    fn name(&self) -> &'static str {
        "LOGOUT"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("LOGOUT");
        Ok(())
    }

    fn effect(&self) -> Effect {
        Effect::Logout
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    #[test]
    fn the_goodbye_comes_before_the_answer() {
        // RFC 3501 section 6.1.3.
        let script = "
            S: * PREAUTH hi
            C: A1 LOGOUT
            S: * BYE IMAP4rev1 Server logging out
            S: A1 OK LOGOUT completed
        ";
        play(
            || Logout,
            script,
            |played| {
                assert_eq!(played.output, Ok(()));
                let words = played.core.last_words().unwrap().to_string();
                assert_eq!(words, "BYE IMAP4rev1 Server logging out");
            },
        );
    }
}
