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

pub(crate) struct Noop;

impl Command for Noop {
    type Output = ();

    fn name(&self) -> &'static str {
        "NOOP"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("NOOP");
        Ok(())
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Event;
    use crate::imap::command::script::play;

    #[test]
    fn what_the_server_tells_meanwhile_is_kept() {
        // RFC 3501 section 6.1.2.
        let script = "
            S: * PREAUTH hi
            C: A1 NOOP
            S: * 22 EXPUNGE
            S: * 23 EXISTS
            S: * 3 RECENT
            S: * 14 FETCH (FLAGS (\\Seen \\Deleted))
            S: A1 OK NOOP completed
        ";
        play(
            || Noop,
            script,
            |mut played| {
                assert_eq!(played.output, Ok(()));
                assert!(matches!(played.core.take_event(), Some(Event::Expunge(22))));
                let Some(Event::Fetch(message)) = played.core.take_event() else { panic!() };
                assert_eq!((message.seq(), message.flags().count()), (14, 2));
                assert!(played.core.take_event().is_none());
            },
        );
    }

    #[test]
    fn a_refusal_is_handed_on() {
        let script = "
            S: * PREAUTH hi
            C: A1 NOOP
            S: A1 BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds
        ";
        play(|| Noop, script, |played| assert!(played.refusal().throttled().is_some()));
    }
}
