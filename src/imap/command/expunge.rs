//! EXPUNGE, RFC 9051 section 6.4.3, and UID EXPUNGE, RFC 4315 section 2.1.
//!
//! ```text
//! C: A5 UID EXPUNGE 3000:3002
//! S: * 3 EXPUNGE
//! S: * 3 EXPUNGE
//! S: * 3 EXPUNGE
//! S: A5 OK UID EXPUNGE completed
//! ```

use bytes::Bytes;

use super::{Command, is_numbered};
use crate::imap::proto::decode::Parsed;
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::{Capabilities, Error, Mailbox, Reply, UidSet};
use crate::{Misuse, Stage};

impl Mailbox {
    /// Removes every message that is marked `\Deleted`, whoever marked it. Gives the sequence
    /// numbers in the order in which they were freed: each is that of its message after the
    /// removals before it.
    ///
    /// # Errors
    /// [`Error::Refused`] if the mailbox is read-only.
    ///
    /// # Cancel safety
    /// See [`ImapClient`](crate::ImapClient). The server expunges all the same.
    pub async fn expunge(&mut self) -> Result<Vec<u32>, Error> {
        self.run(Expunge { uids: None, expunged: Vec::new() }).await
    }

    /// Removes those of the given messages that are marked `\Deleted`, and no others. An empty set
    /// removes nothing and asks nothing of the server.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer `UIDPLUS`; [`Error::Refused`] if the
    /// mailbox is read-only.
    ///
    /// # Cancel safety
    /// See [`ImapClient`](crate::ImapClient). The server expunges all the same.
    pub async fn uid_expunge(&mut self, set: impl Into<UidSet>) -> Result<Vec<u32>, Error> {
        let uids = set.into();
        if uids.is_empty() {
            return Ok(Vec::new());
        }
        let offered = self.session.core().capabilities();
        if !offered.has("UIDPLUS") && !offered.has("IMAP4rev2") {
            return Err(Error::lacks(offered, Stage::Command("UID EXPUNGE"), "UIDPLUS"));
        }
        self.run(Expunge { uids: Some(uids), expunged: Vec::new() }).await
    }
}

struct Expunge {
    uids: Option<UidSet>,
    expunged: Vec<u32>,
}

impl Command for Expunge {
    const NAME: &'static str = "EXPUNGE";

    type Output = Vec<u32>;

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        match &self.uids {
            None => line.raw("EXPUNGE"),
            Some(uids) => line.raw("UID EXPUNGE ").raw(uids),
        };
        Ok(())
    }

    fn claims(response: &Response<'_>) -> bool {
        is_numbered(response, "EXPUNGE")
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        if let Response::Numbered { number, .. } = response {
            self.expunged.push(*number);
        }
        Ok(())
    }

    fn finish(self, _: Reply) -> Vec<u32> {
        self.expunged
    }
}
