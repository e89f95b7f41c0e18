//! CONDSTORE, RFC 7162 section 3.1: each change of a message's flags raises its modification
//! sequence, so that what has changed can be asked for, and changed unless it has changed.
//!
//! ```text
//! C: A3 SELECT INBOX (CONDSTORE)
//! S: * OK [HIGHESTMODSEQ 715194045007]
//! S: A3 OK [READ-WRITE] SELECT completed, CONDSTORE is now enabled
//! C: A4 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)
//! S: * 1 FETCH (UID 404 MODSEQ (65402) FLAGS (\Seen))
//! S: A4 OK FETCH completed
//! C: A5 UID STORE 5,7,9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\Deleted)
//! S: * 5 FETCH (UID 5 MODSEQ (320162350))
//! S: A5 OK [MODIFIED 7,9] Conditional STORE failed
//! ```
//!
//! A sequence is a number of 63 bits (RFC 7162), or 64 (RFC 4551); what a server tells can be sent
//! back to it, however large it is.

use super::message_set::Which;
use super::modifier::Need;
use super::select::SelectOptions;
use super::store::{Store, Stored};
use crate::Stage;
use crate::imap::types::NumberSet;
use crate::imap::{Error, Flag, Mailbox, Message, SeqSet, StoreFlags, UidSet};
use crate::imap::{FetchItems, Search};

pub(crate) const CONDSTORE: Need = Need::offered(&["CONDSTORE", "QRESYNC"]);

impl SelectOptions {
    /// `CONDSTORE`: from here on the server tells with every change of flags its modification
    /// sequence, and [`Mailbox::highest_mod_seq`] is known at servers, too, that tell it only when
    /// asked.
    pub fn condstore(self) -> Self {
        self.with("CONDSTORE", None, CONDSTORE)
    }
}

impl FetchItems {
    /// `MODSEQ`: the modification sequence of each message, found by [`Message::mod_seq`].
    pub fn mod_seq(self) -> Self {
        self.named("MODSEQ", CONDSTORE)
    }

    /// `CHANGEDSINCE`: only messages whose flags have changed since this modification sequence, at
    /// least 1. The sequence of each comes with it.
    pub fn changed_since(self, mod_seq: u64) -> Self {
        const NAME: &str = "CHANGEDSINCE";
        match mod_seq {
            0 => self.refused(NAME, "0 is no modification sequence"),
            _ => self.modifier(NAME, Some(mod_seq.to_string()), CONDSTORE),
        }
    }
}

impl Search {
    /// `MODSEQ`: those of this modification sequence or a higher one. The highest of what is found
    /// is [`SearchResult::mod_seq`](crate::imap::SearchResult::mod_seq).
    pub fn mod_seq(self, at_least: u64) -> Self {
        self.extension("MODSEQ", CONDSTORE).number(at_least)
    }

    /// The same of one flag alone, where the server keeps sequences for each; elsewhere as
    /// [`mod_seq`](Self::mod_seq).
    pub fn mod_seq_of(self, flag: impl Into<Flag<'static>>, at_least: u64) -> Self {
        let search = self.extension("MODSEQ", CONDSTORE).flag_entry(flag.into());
        search.argument("all").number(at_least)
    }
}

/// What a change of flags has come to that was to be made only where nothing had changed.
#[derive(Debug, Clone)]
#[must_use = "messages may have been left as they were"]
pub struct ConditionalStore<S> {
    changed: Vec<Message>,
    modified: S,
    unread: usize,
}

impl<S> ConditionalStore<S> {
    fn new(stored: Stored, set: impl FnOnce(NumberSet) -> S) -> Self {
        let modified = set(stored.modified());
        Self { changed: stored.changed, modified, unread: stored.unread }
    }

    /// The messages whose flags had changed meanwhile, as the server lists them: these were left as
    /// they were. The server may also list one of which another flag has changed.
    pub const fn modified(&self) -> &S {
        &self.modified
    }

    /// How many answers said that messages were left as they were, and not legibly which. Unless it is
    /// 0, [`modified`](Self::modified) lacks some: fetch the flags of all that were to be changed.
    pub const fn unread(&self) -> usize {
        self.unread
    }

    /// What the server told of messages in the set: of those that were changed the new modification
    /// sequence, at least; of others mostly what has changed.
    pub fn messages(&self) -> &[Message] {
        &self.changed
    }

    /// [`messages`](Self::messages), by value.
    pub fn into_messages(self) -> Vec<Message> {
        self.changed
    }
}

impl Mailbox {
    /// Changes flags of those messages whose flags have not changed since the modification sequence
    /// `mod_seq`. With 0, of those only that have none of these flags.
    ///
    /// What was not changed is [`ConditionalStore::modified`]: look at these messages, and try again
    /// with their sequences. Of what a server says illegibly [`ConditionalStore::unread`] tells.
    ///
    /// # Errors
    /// As for [`uid_store`](Self::uid_store). [`Error::Unsupported`] if the server does not offer
    /// `CONDSTORE`. [`Error::Refused`] with [`Code::Modified`](crate::imap::Code::Modified) if some
    /// messages are gone and others have changed; the rest was carried out. If a command of several
    /// fails, the UIDs that those before it have left as they were are found among the events: an
    /// [`Event::Notice`](crate::imap::Event::Notice) with that code for each of these commands.
    ///
    /// # Cancel safety
    /// As for [`uid_store`](Self::uid_store).
    pub async fn uid_store_unchanged_since(
        &mut self,
        set: impl Into<UidSet>,
        mod_seq: u64,
        change: StoreFlags<'_>,
    ) -> Result<ConditionalStore<UidSet>, Error> {
        let change = unchanged_since(change, mod_seq);
        let store = |uids| Store::new(Which::Uids(uids), change.clone());
        let stored =
            self.session.run_split(&set.into(), Stage::Command("UID STORE"), store).await?;
        let stored = stored.unwrap_or_default();
        Ok(ConditionalStore::new(stored, UidSet::of))
    }

    /// Changes flags of messages by their sequence numbers unless they have changed: see
    /// [`uid_store_unchanged_since`](Self::uid_store_unchanged_since).
    ///
    /// # Errors
    /// As for [`uid_store_unchanged_since`](Self::uid_store_unchanged_since).
    ///
    /// # Cancel safety
    /// As for [`uid_store`](Self::uid_store).
    pub async fn store_unchanged_since(
        &mut self,
        set: impl Into<SeqSet>,
        mod_seq: u64,
        change: StoreFlags<'_>,
    ) -> Result<ConditionalStore<SeqSet>, Error> {
        let (numbers, change) = (set.into(), unchanged_since(change, mod_seq));
        let stored = match numbers.is_empty() {
            true => Stored::default(),
            false => self.run(Store::new(Which::Numbers(numbers), change)).await?,
        };
        Ok(ConditionalStore::new(stored, SeqSet::of))
    }
}

fn unchanged_since(change: StoreFlags<'_>, mod_seq: u64) -> StoreFlags<'_> {
    change.modifier("UNCHANGEDSINCE", mod_seq.to_string(), CONDSTORE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::Command;
    use crate::imap::command::script::play;
    use crate::imap::command::select::Select;
    use crate::imap::proto::encode::{Line, Piece};
    use crate::imap::{Capabilities, Code, Fetch, Uid};

    fn store(which: Which, mod_seq: u64) -> Store<'static> {
        let change = StoreFlags::add([Flag::Deleted]).silent();
        Store::new(which, unchanged_since(change, mod_seq))
    }

    #[test]
    fn what_was_modified_is_told_apart_from_what_was_changed() {
        // RFC 7162 section 3.1.3, example 6.
        let script = r"
            S: * PREAUTH hi
            C: A1 STORE 5,7,9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\Deleted)
            S: * 7 FETCH (MODSEQ (320162342) FLAGS (\Seen \Deleted))
            S: * 5 FETCH (MODSEQ (320162350))
            S: * 9 FETCH (MODSEQ (320162349) FLAGS (\Answered))
            S: A1 OK [MODIFIED 7,9] Conditional STORE failed
        ";
        let numbers = || Which::Numbers(SeqSet::parse("7,5,9").unwrap());
        play(
            || store(numbers(), 320_162_338),
            script,
            |played| {
                let stored = played.output.unwrap();
                assert_eq!(SeqSet::of(stored.modified()).to_string(), "7,9");
                let told = stored.changed.iter().map(|m| (m.seq(), m.mod_seq().unwrap()));
                let told: Vec<_> = told.collect();
                assert_eq!(told, [(7, 320_162_342), (5, 320_162_350), (9, 320_162_349)]);
            },
        );
    }

    #[test]
    fn an_answer_that_does_not_say_legibly_what_was_modified_is_no_success() {
        for odd in ["MODIFIED 7, 9", "modified 7:*", "MODIFIED 7 9", "MODIFIED", "MODIFIED 0"] {
            let script = format!(
                "
                S: * PREAUTH hi
                C: A1 UID STORE 5,7,9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\Deleted)
                S: A1 OK [{odd}] Conditional STORE failed
                "
            );
            let uids = || Which::Uids(UidSet::parse("7,5,9").unwrap());
            play(
                || store(uids(), 320_162_338),
                &script,
                |played| {
                    let stored = ConditionalStore::new(played.output.unwrap(), UidSet::of);
                    assert_eq!((stored.unread(), stored.modified().is_empty()), (1, true), "{odd}");
                },
            );
        }
    }

    #[test]
    fn all_may_pass_the_test() {
        // Examples 3 and 8.
        let script = r"
            S: * PREAUTH hi
            C: A1 UID STORE 4,6,8 (UNCHANGEDSINCE 0) +FLAGS.SILENT (\Deleted)
            S: * 1 FETCH (UID 4 MODSEQ (12121231000))
            S: * 2 FETCH (UID 6 MODSEQ (12121230852))
            S: * 4 FETCH (UID 8 MODSEQ (12121230956))
            S: A1 OK [HIGHESTMODSEQ 12121231000] Conditional Store completed
        ";
        let uids = || Which::Uids(UidSet::parse("4,6,8").unwrap());
        play(
            || store(uids(), 0),
            script,
            |played| {
                let stored = played.output.unwrap();
                assert!(UidSet::of(stored.modified()).is_empty());
                assert_eq!(stored.changed.iter().filter_map(Message::uid).count(), 3);
            },
        );
    }

    #[test]
    fn a_refusal_names_what_was_modified() {
        // Example 11.
        let script = r"
            S: * PREAUTH hi
            C: A1 STORE 1:7 (UNCHANGEDSINCE 320172338) +FLAGS.SILENT (\Deleted)
            S: * 1 FETCH (MODSEQ (320172342) FLAGS (\SEEN))
            S: A1 NO [MODIFIED 2] Some of the messages no longer exist.
        ";
        let numbers = || Which::Numbers(SeqSet::parse("1:7").unwrap());
        play(
            || store(numbers(), 320_172_338),
            script,
            |played| {
                let refusal = played.refusal();
                let Some(Code::Modified(modified)) = refusal.code() else { panic!("{refusal:?}") };
                assert_eq!(modified.numbers().to_string(), "2");
            },
        );
    }

    #[test]
    fn the_parameter_of_select_brings_the_sequence_of_the_mailbox() {
        // Section 3.1.8.
        let script = "
            S: * PREAUTH hi
            C: A1 SELECT INBOX (CONDSTORE)
            S: * 172 EXISTS
            S: * OK [UIDVALIDITY 3857529045] UIDs valid
            S: * OK [HIGHESTMODSEQ 715194045007]
            S: A1 OK [READ-WRITE] SELECT completed, CONDSTORE is now enabled
        ";
        let select = || Select::with("INBOX".into(), SelectOptions::new().condstore());
        play(select, script, |mut played| {
            assert_eq!(played.core.selected().unwrap().highest_mod_seq, Some(715_194_045_007));
            assert!(played.core.take_event().is_none());
        });
    }

    #[test]
    fn a_mailbox_may_keep_no_sequences() {
        // Section 3.1.2.2.
        let script = "
            S: * PREAUTH hi
            C: A1 EXAMINE INBOX (CONDSTORE)
            S: * OK [HIGHESTMODSEQ 5] of another
            S: * OK [NOMODSEQ] Sorry, this mailbox format doesn't support modsequences
            S: A1 OK [READ-ONLY] done
        ";
        let options = || SelectOptions::new().read_only().condstore();
        play(
            || Select::with("INBOX".into(), options()),
            script,
            |mut played| {
                let state = played.core.selected().unwrap();
                assert_eq!((state.highest_mod_seq, state.no_mod_seq), (None, true));
                assert!(played.core.take_event().is_none());
            },
        );
    }

    #[test]
    fn changes_are_asked_for_with_their_sequence() {
        let mut line = Line::new(Default::default());
        let items = Fetch::flags().mod_seq().changed_since(u64::MAX);
        items.encode(&mut line).unwrap();
        let wire = "(FLAGS MODSEQ) (CHANGEDSINCE 18446744073709551615)";
        assert_eq!(line.finish(), [Piece::Line(wire.into())]);
        assert!(items.needs().contains(&CONDSTORE));
    }

    #[test]
    fn zero_is_no_sequence_to_ask_changes_from() {
        let mut line = Line::new(Default::default());
        let refused = Fetch::flags().changed_since(0).encode(&mut line).unwrap_err();
        assert_eq!(refused.to_string(), "CHANGEDSINCE: 0 is no modification sequence");
    }

    #[test]
    fn what_has_vanished_is_asked_for_only_since_some_change() {
        let mut line = Line::new(Default::default());
        let refused = Fetch::flags().vanished().encode(&mut line).unwrap_err();
        assert_eq!(refused.to_string(), "VANISHED: it says something only beside CHANGEDSINCE");
        let items = Fetch::flags().vanished().changed_since(7);
        assert!(items.encode(&mut line).is_ok());
    }

    #[test]
    fn what_needs_the_extension_says_so() {
        let uids = || Which::Uids(Uid::new(1).unwrap().into());
        assert_eq!(store(uids(), 1).needs(), [CONDSTORE]);
        assert!(!CONDSTORE.is_met(&Capabilities::from("IMAP4rev1"), &Capabilities::default()));
    }
}
