//! UID STORE, RFC 9051 section 6.4.6.
//!
//! ```text
//! C: A6 UID STORE 87:90 +FLAGS (\Seen)
//! S: * 12 FETCH (FLAGS (\Seen) UID 87)
//! S: A6 OK STORE completed
//! ```

use bytes::Bytes;

use super::{Command, is_numbered};
use crate::Misuse;
use crate::imap::proto::decode::Parsed;
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::{Capabilities, Error, Flag, Mailbox, Message, Reply, UidSet};

/// A change of flags.
///
/// ```
/// use mailbearer::imap::{Flag, StoreFlags};
///
/// let read = StoreFlags::add([Flag::Seen]);
/// let undecided = StoreFlags::remove([Flag::from("$Junk"), Flag::from("$NotJunk")]).silent();
/// ```
#[derive(Debug, Clone)]
pub struct StoreFlags<'a> {
    item: &'static str,
    silent: bool,
    flags: Vec<Flag<'a>>,
}

impl<'a> StoreFlags<'a> {
    /// Sets these flags besides those that are set.
    pub fn add(flags: impl IntoIterator<Item = Flag<'a>>) -> Self {
        Self { item: "+FLAGS", silent: false, flags: flags.into_iter().collect() }
    }

    /// Takes these flags away.
    pub fn remove(flags: impl IntoIterator<Item = Flag<'a>>) -> Self {
        Self { item: "-FLAGS", silent: false, flags: flags.into_iter().collect() }
    }

    /// Sets these flags and takes all others away.
    pub fn replace(flags: impl IntoIterator<Item = Flag<'a>>) -> Self {
        Self { item: "FLAGS", silent: false, flags: flags.into_iter().collect() }
    }

    /// Asks the server not to answer with the flags of each message.
    pub const fn silent(mut self) -> Self {
        self.silent = true;
        self
    }
}

impl Mailbox {
    /// Changes flags of messages. Gives what the server tells of their flags now; nothing if the
    /// change is [`silent`](StoreFlags::silent). UIDs of messages that are gone are passed over by
    /// the server without a word. An empty set changes nothing and asks nothing of the server.
    ///
    /// # Errors
    /// [`Error::Refused`] if the mailbox is read-only or the server does not take a keyword;
    /// [`Error::Misuse`] for a flag that is no atom, and for `\Recent`, which no client can set.
    ///
    /// # Cancel safety
    /// See [`ImapClient`](crate::ImapClient). The server changes the flags all the same.
    pub async fn uid_store(
        &mut self,
        set: impl Into<UidSet>,
        change: StoreFlags<'_>,
    ) -> Result<Vec<Message>, Error> {
        let uids = set.into();
        if uids.is_empty() {
            return Ok(Vec::new());
        }
        self.run(Store { uids, change, changed: Vec::new() }).await
    }
}

struct Store<'a> {
    uids: UidSet,
    change: StoreFlags<'a>,
    changed: Vec<Message>,
}

impl Command for Store<'_> {
    const NAME: &'static str = "UID STORE";

    type Output = Vec<Message>;

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        let StoreFlags { item, silent, flags } = &self.change;
        let silent = if *silent { ".SILENT" } else { "" };
        line.raw(format_args!("UID STORE {} {item}{silent} ", self.uids)).flags(flags)?;
        Ok(())
    }

    fn claims(response: &Response<'_>) -> bool {
        is_numbered(response, "FETCH")
    }

    fn accept(&mut self, response: &Response<'_>, frame: &Bytes) -> Parsed<()> {
        if let Response::Numbered { number, rest, .. } = response {
            self.changed.push(Message::parse(*number, frame.slice_ref(rest))?);
        }
        Ok(())
    }

    fn finish(self, _: Reply) -> Vec<Message> {
        self.changed
    }
}
