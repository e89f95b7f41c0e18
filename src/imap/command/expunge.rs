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

use super::{Command, Piecewise, is_numbered};
use crate::imap::proto::decode::Parsed;
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Core};
use crate::imap::{Capabilities, Error, Event, Mailbox, Reply, UidSet};
use crate::{Misuse, Stage};

impl Mailbox {
    /// Removes every message that is marked `\Deleted`, whoever marked it. Gives the sequence
    /// numbers in the order in which they were freed: each is that of its message after the
    /// removals before it. After [`Extension::QResync`](crate::imap::Extension::QResync) there are
    /// none: the server tells UIDs, found among the events as [`Event::Vanished`].
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
    /// removes nothing and asks nothing of the server; one too long for a line goes in several
    /// commands, of which those behind a refused one are not sent; what was expunged before is found
    /// among the events. After `QRESYNC` as for [`expunge`](Self::expunge).
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
        let expunge = |uids| Expunge { uids: Some(uids), expunged: Vec::new() };
        let stage = Stage::Command("UID EXPUNGE");
        Ok(self.session.run_split(&uids, stage, expunge).await?.unwrap_or_default())
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
            Some(uids) => line.raw("UID EXPUNGE ").uids(uids)?,
        };
        Ok(())
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_numbered(response, "EXPUNGE"))
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

    /// What is gone is told as an event.
    fn failed(self, error: Error, core: &mut Core) -> Error {
        self.expunged.into_iter().for_each(|number| core.keep(Event::Expunge(number)));
        error
    }
}

impl Piecewise for Expunge {
    fn go_on_from(&mut self, before: Vec<u32>) {
        self.expunged = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    #[test]
    fn the_numbers_come_in_the_order_of_the_wire() {
        // RFC 3501 section 6.4.3.
        let script = "
            S: * PREAUTH hi
            C: A1 EXPUNGE
            S: * 3 EXPUNGE
            S: * 3 EXPUNGE
            S: * 5 EXPUNGE
            S: * 8 EXPUNGE
            S: A1 OK EXPUNGE completed
        ";
        let expunge = || Expunge { uids: None, expunged: Vec::new() };
        play(expunge, script, |mut played| {
            assert_eq!(played.output, Ok(vec![3, 3, 5, 8]));
            assert!(played.core.take_event().is_none());
        });
    }

    #[test]
    fn uids_are_named_in_ascending_order() {
        let script = "
            S: * PREAUTH hi
            C: A1 UID EXPUNGE 3000:3002,3007
            S: A1 OK done
        ";
        let uids = || UidSet::parse("3007,3002:3000").ok();
        let expunge = || Expunge { uids: uids(), expunged: Vec::new() };
        play(expunge, script, |played| assert_eq!(played.output, Ok(vec![])));
    }
}
