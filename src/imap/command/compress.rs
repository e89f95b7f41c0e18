//! COMPRESS=DEFLATE, RFC 4978.
//!
//! ```text
//! C: A3 COMPRESS DEFLATE
//! S: A3 OK DEFLATE active
//! ```
//!
//! Both sides compress from there on, below TLS: `net/deflate.rs`. What came in the same read behind
//! the answer is compressed already, so the core gives it back.

use super::Command;
use crate::imap::proto::Effect;
use crate::imap::proto::encode::Line;
use crate::imap::session::Session;
use crate::imap::{Capabilities, Error, ImapClient, Reply};
use crate::{Misuse, Stage};

impl ImapClient {
    /// Has everything compressed from here on, in both directions; once is enough, and if it is so
    /// already nothing is done. What the server says of many messages takes a fifth of the octets or
    /// less, their bodies mostly two thirds. Server and client hold some 300 KiB more each for it.
    ///
    /// A server can make small octets grow large; [`Limits::inflated`](crate::Limits::inflated) says
    /// how large. To have it on every connection, say so in
    /// [`Connector::compress`](crate::Connector::compress).
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer `COMPRESS=DEFLATE`; [`Error::Refused`] if
    /// something else compresses already
    /// ([`Code::CompressionActive`](crate::imap::Code::CompressionActive)). The connection goes on
    /// as it was.
    ///
    /// # Cancel safety
    /// If the future is dropped before the server has answered, the connection is closed: what the
    /// next octet means is not known.
    #[cfg_attr(docsrs, doc(cfg(feature = "compress")))]
    pub async fn compress(&mut self) -> Result<(), Error> {
        self.mailbox.session.compress(Stage::Command("COMPRESS")).await
    }

    /// Whether everything is compressed.
    #[cfg_attr(docsrs, doc(cfg(feature = "compress")))]
    pub const fn is_compressed(&self) -> bool {
        self.mailbox.session.compressed
    }
}

impl Session {
    pub(crate) async fn compress(&mut self, stage: Stage) -> Result<(), Error> {
        const CAPABILITY: &str = "COMPRESS=DEFLATE";
        if self.compressed {
            return Ok(());
        }
        let offered = self.core().capabilities();
        if !offered.has(CAPABILITY) {
            return Err(Error::lacks(offered, stage, CAPABILITY));
        }
        self.run(Compress, stage).await?;
        // Nothing has been awaited since the answer was read.
        let growth = self.settings.limits.growth;
        self.driver_mut().compress(growth);
        self.compressed = true;
        Ok(())
    }
}

struct Compress;

impl Command for Compress {
    type Output = ();

    fn name(&self) -> &'static str {
        "COMPRESS"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("COMPRESS DEFLATE");
        Ok(())
    }

    fn effect(&self) -> Effect {
        Effect::Layer
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Code;
    use crate::imap::command::script::play;

    #[test]
    fn the_examples_of_rfc_4978_are_played() {
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] hi
            C: A1 COMPRESS DEFLATE
            S: A1 OK DEFLATE active
        ";
        play(|| Compress, script, |played| assert_eq!(played.output, Ok(())));
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] hi
            C: A1 COMPRESS DEFLATE
            S: A1 NO [COMPRESSIONACTIVE] DEFLATE active via TLS
        ";
        play(
            || Compress,
            script,
            |played| {
                assert_eq!(played.refusal().code(), Some(&Code::CompressionActive));
            },
        );
    }
}
