//! UID STORE, RFC 9051 section 6.4.6.
//!
//! ```text
//! C: A6 UID STORE 87:90 +FLAGS (\Seen)
//! S: * 12 FETCH (FLAGS (\Seen) UID 87)
//! S: A6 OK STORE completed
//! ```

use super::Command;
use crate::Misuse;
use crate::imap::proto::Claims;
use crate::imap::proto::encode::Line;
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
    /// change is [`silent`](StoreFlags::silent). What it tells of other messages meanwhile is found
    /// among the events. UIDs of messages that are gone are passed over by
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

    fn claims(&self) -> Claims {
        Claims::Messages(self.uids.clone())
    }

    fn fetched(&mut self, message: Message) {
        self.changed.push(message);
    }

    fn finish(self, _: Reply) -> Vec<Message> {
        self.changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::imap::Event;
    use crate::imap::command::script::play;
    use crate::imap::proto::Core;

    fn store(change: StoreFlags<'_>) -> Store<'_> {
        Store { uids: UidSet::parse("2:4").unwrap(), change, changed: Vec::new() }
    }

    #[test]
    fn the_flags_of_each_message_come_back() {
        let script = "
            S: * PREAUTH hi
            C: A1 UID STORE 2:4 +FLAGS (\\Deleted $Forwarded)
            S: * 1 FETCH (UID 2 FLAGS (\\Deleted \\Seen))
            S: * 9 EXISTS
            S: * 3 FETCH (FLAGS (\\Deleted) UID 4)
            S: * 9 FETCH (FLAGS (\\Seen) UID 99)
            S: A1 OK STORE completed
        ";
        let change = || store(StoreFlags::add([Flag::Deleted, Flag::from("$Forwarded")]));
        play(change, script, |mut played| {
            let Some(Event::Fetch(other)) = played.core.take_event() else { panic!() };
            assert_eq!(other.uid().map(u32::from), Some(99));
            let changed = played.output.unwrap();
            let uids: Vec<_> = changed.iter().filter_map(Message::uid).map(u32::from).collect();
            assert_eq!(uids, [2, 4]);
            assert!(changed[0].flags().contains(&Flag::Seen));
        });
    }

    #[test]
    fn a_silent_change_asks_for_no_answer() {
        let script = "
            S: * PREAUTH hi
            C: A1 UID STORE 2:4 FLAGS.SILENT ()
            S: A1 OK STORE completed
        ";
        let change = || store(StoreFlags::replace([]).silent());
        play(change, script, |played| assert!(played.output.unwrap().is_empty()));
    }

    #[test]
    fn an_answer_that_makes_no_sense_becomes_an_event() {
        let script = "
            S: * PREAUTH hi
            C: A1 UID STORE 2:4 -FLAGS (\\Seen)
            S: * 1 FETCH nonsense
            S: A1 OK STORE completed
        ";
        play(
            || store(StoreFlags::remove([Flag::Seen])),
            script,
            |mut played| {
                assert!(played.output.unwrap().is_empty());
                let Some(Event::Unparsed { frame, expected, .. }) = played.core.take_event() else {
                    panic!()
                };
                assert_eq!(&frame[..], b"* 1 FETCH nonsense\r\n");
                assert_eq!(expected, "a list of items");
            },
        );
    }

    #[test]
    fn a_flag_that_is_no_atom_is_refused_before_anything_is_written() {
        let core = Core::new(&Limits::default(), true);
        let mut line = core.line();
        let refused = store(StoreFlags::add([Flag::from("a\r\nA2 EXPUNGE")]));
        assert_eq!(
            refused.encode(&mut line, core.capabilities()),
            Err(Misuse::LineBreak { what: "flag" })
        );
    }
}
