//! UNAUTHENTICATE, RFC 8437: the connection passes on to another user.
//!
//! ```text
//! C: A8 UNAUTHENTICATE
//! S: A8 OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] Unauthenticated
//! C: A9 AUTHENTICATE XOAUTH2 dXNlcj0…
//! S: A9 OK Logged in
//! ```
//!
//! All that the server knew of the session ends with it but TLS: what is selected, enabled and saved,
//! and compression (section 4.1). So it does here: the core begins anew on the same connection. What
//! follows is not sent before the answer has come, since until then nobody knows what the server can
//! do; that costs the round trip that the RFC would save.

use super::Command;
use super::modifier::Need;
use crate::imap::proto::Effect;
use crate::imap::proto::encode::Line;
use crate::imap::session::Session;
use crate::imap::{Capabilities, Code, Error, ImapClient, Reply, Unauthenticated};
use crate::{Misuse, Stage};

const UNAUTHENTICATE: Need = Need::offered(&["UNAUTHENTICATE"]);

impl ImapClient {
    /// Ends the session and keeps the connection, with its TLS, for another user: a program that
    /// looks after many mailboxes saves connecting to each. Everything that was selected, enabled,
    /// saved or agreed on ends, compression as well.
    ///
    /// ```no_run
    /// # async fn read(
    /// #     imap: mailbearer::ImapClient, tokens: mailbearer::token::StaticToken,
    /// # ) -> Result<(), mailbearer::imap::Error> {
    /// if imap.capabilities().has("UNAUTHENTICATE") {
    ///     let connection = imap.unauthenticate().await?;
    ///     let mut imap = connection.authenticate_xoauth2("ann@contoso.example", &tokens).await?;
    ///     imap.select("INBOX").await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer `UNAUTHENTICATE`; some tell only behind the
    /// login that they do. [`Error::Closed`] if it would rather not and says goodbye. With any error
    /// the connection is closed.
    ///
    /// # Cancel safety
    /// If the future is dropped, the connection is closed.
    pub async fn unauthenticate(self) -> Result<Unauthenticated, Error> {
        let mut session = self.mailbox.session;
        session.unauthenticate().await?;
        Ok(Unauthenticated::new(session))
    }
}

impl Session {
    async fn unauthenticate(&mut self) -> Result<(), Error> {
        #[cfg(feature = "compress")]
        if let Some(compression) = self.driver_mut().deflated() {
            compression.may_end();
        }
        let told = self.run(Unauthenticate, Stage::Command("UNAUTHENTICATE")).await?;
        // Nothing has been awaited since the answer was read.
        #[cfg(feature = "compress")]
        if let Some(compression) = self.driver_mut().deflated() {
            compression.end_here();
            self.compressed = false;
        }
        self.append_limits.forget();
        let settings = self.settings.clone();
        self.core_mut().forget_login(&settings.limits, told);
        Ok(())
    }
}

struct Unauthenticate;

impl Command for Unauthenticate {
    /// Whether the server has said what it can do now.
    type Output = bool;

    fn name(&self) -> &'static str {
        "UNAUTHENTICATE"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("UNAUTHENTICATE");
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        &[UNAUTHENTICATE]
    }

    fn effect(&self) -> Effect {
        Effect::Layer
    }

    fn finish(self, reply: Reply) -> bool {
        matches!(reply.code(), Some(Code::Capability(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    #[test]
    fn the_answer_may_say_what_the_server_can_do_now() {
        for (code, told) in [("", false), ("[CAPABILITY IMAP4rev1 AUTH=XOAUTH2] ", true)] {
            let script = format!(
                "
                S: * PREAUTH [CAPABILITY IMAP4rev1 UNAUTHENTICATE] hi
                C: A1 UNAUTHENTICATE
                S: A1 OK {code}done
                "
            );
            play(|| Unauthenticate, &script, |played| assert_eq!(played.output, Ok(told)));
        }
    }
}
