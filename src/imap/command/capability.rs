//! CAPABILITY, RFC 9051 section 6.1.1.
//!
//! ```text
//! C: A1 CAPABILITY
//! S: * CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2 UIDPLUS IDLE NAMESPACE LITERAL+
//! S: A1 OK CAPABILITY completed.
//! ```
//!
//! Servers may send the response unasked, so the core takes it wherever it comes; this command
//! only makes it come.

use super::Command;
use crate::Misuse;
use crate::imap::proto::encode::Line;
use crate::imap::{Capabilities, Error, ImapClient, Reply};

impl ImapClient {
    /// Asks the server anew what it can do. There is seldom a reason:
    /// [`capabilities`](Self::capabilities) knows it since the login.
    ///
    /// # Errors
    /// [`Error::Refused`] if the server does not tell.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn capability(&mut self) -> Result<&Capabilities, Error> {
        self.run(Capability).await?;
        Ok(self.capabilities())
    }
}

pub(crate) struct Capability;

impl Command for Capability {
    type Output = ();

    fn name(&self) -> &'static str {
        "CAPABILITY"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("CAPABILITY");
        Ok(())
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    #[test]
    fn the_core_has_what_the_server_names() {
        let script = "
            S: * OK The Microsoft Exchange IMAP4 service is ready. [TQBXAEgA]
            C: A1 CAPABILITY
            S: * CAPABILITY IMAP4 IMAP4rev1 AUTH=XOAUTH2 LOGINDISABLED SASL-IR UIDPLUS LITERAL+
            S: A1 OK CAPABILITY completed.
        ";
        play(
            || Capability,
            script,
            |played| {
                assert_eq!(played.output, Ok(()));
                assert!(played.core.capabilities().has_auth("XOAUTH2"));
                assert_eq!(played.core.capabilities_named(), 1);
            },
        );
    }
}
