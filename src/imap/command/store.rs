//! STORE and UID STORE, RFC 9051 sections 6.4.6 and 6.4.9.
//!
//! ```text
//! C: A6 UID STORE 87:90 +FLAGS (\Seen)
//! S: * 12 FETCH (FLAGS (\Seen) UID 87)
//! S: A6 OK STORE completed
//! ```

use super::message_set::Which;
use super::modifier::{Modifiers, Need};
use super::{Command, Piecewise};
use crate::imap::proto::encode::{Line, check_atom};
use crate::imap::proto::{Claims, Core};
use crate::imap::types::NumberSet;
use crate::imap::{
    Capabilities, Code, Error, Event, Flag, Mailbox, MailboxName, Message, Reply, SeqSet, UidSet,
};
use crate::{Misuse, Stage};

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
    /// Written in place of flags.
    labels: Option<Vec<MailboxName>>,
    modifiers: Modifiers,
    needs: Vec<Need>,
}

impl<'a> StoreFlags<'a> {
    /// Sets these flags besides those that are set.
    pub fn add(flags: impl IntoIterator<Item = Flag<'a>>) -> Self {
        Self::new("+FLAGS", flags)
    }

    /// Takes these flags away.
    pub fn remove(flags: impl IntoIterator<Item = Flag<'a>>) -> Self {
        Self::new("-FLAGS", flags)
    }

    /// Sets these flags and takes all others away.
    pub fn replace(flags: impl IntoIterator<Item = Flag<'a>>) -> Self {
        Self::new("FLAGS", flags)
    }

    fn new(item: &'static str, flags: impl IntoIterator<Item = Flag<'a>>) -> Self {
        let (silent, labels, modifiers, needs) = Default::default();
        Self { item, silent, flags: flags.into_iter().collect(), labels, modifiers, needs }
    }

    /// A change of something else that messages have, by names, for which the server must offer
    /// something.
    pub(super) fn labels(item: &'static str, labels: Vec<MailboxName>, need: Need) -> Self {
        Self { labels: Some(labels), needs: vec![need], ..Self::new(item, []) }
    }

    /// Makes it depend on a modifier, for which the server must offer something.
    pub(super) fn modifier(mut self, name: &'static str, value: String, need: Need) -> Self {
        self.modifiers.set(name, Some(value));
        self.needs.push(need);
        self
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
    /// the server without a word. An empty set changes nothing and asks nothing of the server. One too
    /// long for a line goes in several commands; when one of them is refused, those before it have
    /// been carried out, those behind it are not sent, and what was told of flags is found among the
    /// events.
    ///
    /// # Errors
    /// Besides what [all methods](Self#errors) can fail with, [`Error::Refused`] if the mailbox is
    /// read-only or the server does not take a keyword; [`Error::Misuse`] for a flag that is no atom,
    /// and for `\Recent`, which no client can set; [`Error::Unsupported`] for labels if the server is
    /// not Gmail's.
    ///
    /// # Cancel safety
    /// See [`ImapClient`](crate::ImapClient). The server changes the flags all the same.
    pub async fn uid_store(
        &mut self,
        set: impl Into<UidSet>,
        change: StoreFlags<'_>,
    ) -> Result<Vec<Message>, Error> {
        let store = |uids| Store::new(Which::Uids(uids), change.clone());
        let stage = Stage::Command("UID STORE");
        let stored = self.session.run_split(&set.into(), stage, store).await?;
        Ok(stored.unwrap_or_default().changed)
    }

    /// Changes flags of messages by their sequence numbers, which move whenever a message is expunged:
    /// see [`uid_store`](Self::uid_store), which is nearly always the one to use.
    ///
    /// # Errors
    /// As for [`uid_store`](Self::uid_store).
    ///
    /// # Cancel safety
    /// As for [`uid_store`](Self::uid_store).
    pub async fn store(
        &mut self,
        set: impl Into<SeqSet>,
        change: StoreFlags<'_>,
    ) -> Result<Vec<Message>, Error> {
        let numbers = set.into();
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.run(Store::new(Which::Numbers(numbers), change)).await?.changed)
    }
}

/// What has come of it.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) changed: Vec<Message>,
    /// The answers that name messages which did not pass the test of a modifier.
    conditional: Vec<Reply>,
    /// Those of them of which it cannot be read which messages these are.
    pub(super) unread: usize,
}

impl Stored {
    /// Messages that did not pass the test of a modifier.
    pub(super) fn modified(&self) -> NumberSet {
        let mut modified = NumberSet::default();
        for reply in &self.conditional {
            if let Some(Code::Modified(told)) = reply.code() {
                modified.add(told.set());
            }
        }
        modified
    }
}

pub(super) struct Store<'a> {
    which: Which,
    change: StoreFlags<'a>,
    stored: Stored,
}

impl<'a> Store<'a> {
    pub(super) fn new(which: Which, change: StoreFlags<'a>) -> Self {
        Self { which, change, stored: Stored::default() }
    }
}

impl Command for Store<'_> {
    type Output = Stored;

    fn name(&self) -> &'static str {
        self.which.name("UID STORE", "STORE")
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        let StoreFlags { item, silent, flags, labels, modifiers, .. } = &self.change;
        let silent = if *silent { ".SILENT" } else { "" };
        modifiers.encode(self.which.encode(line, "STORE")?)?;
        line.raw(format_args!(" {item}{silent} "));
        match labels {
            Some(labels) => write_labels(line, labels)?,
            None => line.flags(flags)?,
        };
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        &self.change.needs
    }

    fn claims(&self) -> Claims {
        match &self.which {
            Which::Uids(set) => Claims::Messages(set.clone()),
            Which::Numbers(set) => Claims::Numbers(set.clone()),
        }
    }

    fn fetched(&mut self, message: Message) {
        self.stored.changed.push(message);
    }

    fn finish(mut self, reply: Reply) -> Stored {
        if let Some(code) = reply.code().filter(|code| code.name().eq_ignore_ascii_case("MODIFIED"))
        {
            self.stored.unread += usize::from(!matches!(code, Code::Modified(_)));
            self.stored.conditional.push(reply);
        }
        self.stored
    }

    /// What has changed is told by events, and so is what commands before this one have left as it
    /// was.
    fn failed(self, error: Error, core: &mut Core) -> Error {
        let Stored { changed, conditional, .. } = self.stored;
        changed.into_iter().for_each(|message| core.keep(Event::Fetch(message)));
        conditional.into_iter().for_each(|reply| core.keep(Event::Notice(reply)));
        error
    }
}

/// Names as those of mailboxes, and words that begin with a backslash as they are.
fn write_labels<'a>(line: &'a mut Line, labels: &[MailboxName]) -> Result<&'a mut Line, Misuse> {
    let mut separator = "(";
    for label in labels {
        line.raw(separator);
        let word =
            label.as_wire().strip_prefix(b"\\").and_then(|word| std::str::from_utf8(word).ok());
        match word.filter(|word| check_atom("label", word).is_ok()) {
            Some(word) => line.raw("\\").raw(word),
            None => line.mailbox(label)?,
        };
        separator = " ";
    }
    Ok(line.raw(if labels.is_empty() { "()" } else { ")" }))
}

impl Piecewise for Store<'_> {
    fn go_on_from(&mut self, before: Stored) {
        self.stored = before;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Limits;
    use crate::imap::Event;
    use crate::imap::command::script::play;
    use crate::imap::proto::Core;

    fn store(change: StoreFlags<'_>) -> Store<'_> {
        Store::new(Which::Uids(UidSet::parse("2:4").unwrap()), change)
    }

    /// A change of these messages that nobody hears of.
    pub(crate) fn silent(uids: UidSet) -> impl Command {
        Store::new(Which::Uids(uids), StoreFlags::add([Flag::Seen]).silent())
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
            let changed = played.output.unwrap().changed;
            let uids: Vec<_> = changed.iter().filter_map(Message::uid).map(u32::from).collect();
            assert_eq!(uids, [2, 4]);
            assert!(changed[0].flags().contains(&Flag::Seen));
        });
    }

    #[test]
    fn labels_are_written_as_names_and_those_of_gmail_as_they_are() {
        let script = "
            S: * PREAUTH [CAPABILITY X-GM-EXT-1] hi
            C: A1 UID STORE 2:4 +X-GM-LABELS.SILENT (foo \\Starred \"a b\" &AOQ- \"\\\\a b\")
            S: A1 OK STORE (Success)
        ";
        let labels = ["foo", "\\Starred", "a b", "\u{e4}", "\\a b"];
        let change = || store(StoreFlags::add_gmail_labels(labels).silent());
        play(change, script, |played| assert!(played.output.is_ok()));
        let none = || store(StoreFlags::replace_gmail_labels([""; 0]));
        let script = "
            S: * PREAUTH [CAPABILITY X-GM-EXT-1] hi
            C: A1 UID STORE 2:4 X-GM-LABELS ()
            S: A1 OK STORE (Success)
        ";
        play(none, script, |played| assert!(played.output.is_ok()));
    }

    #[test]
    fn by_sequence_number_a_response_needs_no_uid() {
        // RFC 3501 section 6.4.6.
        let script = "
            S: * PREAUTH hi
            C: A1 STORE 2:4 +FLAGS (\\Deleted)
            S: * 2 FETCH (FLAGS (\\Deleted \\Seen))
            S: * 3 FETCH (FLAGS (\\Deleted))
            S: * 9 FETCH (FLAGS ())
            S: * 4 FETCH (FLAGS (\\Deleted \\Flagged \\Seen))
            S: A1 OK STORE completed
        ";
        let numbers = || Which::Numbers(SeqSet::parse("2:4").unwrap());
        let change = || Store::new(numbers(), StoreFlags::add([Flag::Deleted]));
        play(change, script, |mut played| {
            let changed = played.output.unwrap().changed;
            assert_eq!(changed.iter().map(Message::seq).collect::<Vec<_>>(), [2, 3, 4]);
            assert!(matches!(played.core.take_event(), Some(Event::Fetch(_))));
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
        play(change, script, |played| assert!(played.output.unwrap().changed.is_empty()));
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
                assert!(played.output.unwrap().changed.is_empty());
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
