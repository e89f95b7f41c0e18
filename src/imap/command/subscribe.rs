//! SUBSCRIBE and UNSUBSCRIBE, RFC 9051 sections 6.3.7 and 6.3.8.
//!
//! ```text
//! C: A6 SUBSCRIBE Lists/rust
//! S: A6 OK SUBSCRIBE completed
//! ```

use super::Command;
use crate::Misuse;
use crate::imap::proto::encode::Line;
use crate::imap::{Capabilities, Error, ImapClient, MailboxName, Reply};

impl ImapClient {
    /// Puts a name on the list that [`lsub`](Self::lsub) gives.
    ///
    /// # Errors
    /// [`Error::Refused`] if the server does not keep such a list, or not for this name.
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. The server subscribes all the same.
    pub async fn subscribe(&mut self, name: impl Into<MailboxName>) -> Result<(), Error> {
        self.run(Subscribe { name: name.into() }).await
    }

    /// Takes a name off the list that [`lsub`](Self::lsub) gives. There need be no such mailbox any
    /// longer.
    ///
    /// # Errors
    /// [`Error::Refused`] if the name is not on the list.
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. The server unsubscribes all the same.
    pub async fn unsubscribe(&mut self, name: impl Into<MailboxName>) -> Result<(), Error> {
        self.run(Unsubscribe { name: name.into() }).await
    }
}

struct Subscribe {
    name: MailboxName,
}

impl Command for Subscribe {
    type Output = ();

    fn name(&self) -> &'static str {
        "SUBSCRIBE"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("SUBSCRIBE ").mailbox(&self.name)?;
        Ok(())
    }

    fn finish(self, _: Reply) {}
}

struct Unsubscribe {
    name: MailboxName,
}

impl Command for Unsubscribe {
    type Output = ();

    fn name(&self) -> &'static str {
        "UNSUBSCRIBE"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("UNSUBSCRIBE ").mailbox(&self.name)?;
        Ok(())
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    #[test]
    fn each_is_a_word_and_a_name() {
        // RFC 3501 sections 6.3.6 and 6.3.7.
        let script = "
            S: * PREAUTH hi
            C: A1 SUBSCRIBE #news.comp.mail.mime
            S: A1 OK SUBSCRIBE completed
        ";
        let subscribe = || Subscribe { name: "#news.comp.mail.mime".into() };
        play(subscribe, script, |played| assert_eq!(played.output, Ok(())));
        let script = "
            S: * PREAUTH hi
            C: A1 UNSUBSCRIBE #news.comp.mail.mime
            S: A1 OK UNSUBSCRIBE completed
        ";
        let unsubscribe = || Unsubscribe { name: "#news.comp.mail.mime".into() };
        play(unsubscribe, script, |played| assert_eq!(played.output, Ok(())));
    }
}
