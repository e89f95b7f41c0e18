//! QRESYNC, RFC 7162 section 3.2: a mailbox is opened, and all that has changed in it since it was
//! last seen comes with the answer.
//!
//! ```text
//! C: A2 ENABLE QRESYNC
//! S: * ENABLED QRESYNC
//! S: A2 OK ENABLE completed
//! C: A3 SELECT INBOX (QRESYNC (67890007 90060115194045000 41:211,214:541))
//! S: * OK [CLOSED]
//! S: * 100 EXISTS
//! S: * OK [UIDVALIDITY 67890007] UIDVALIDITY
//! S: * OK [HIGHESTMODSEQ 90060115205545359] Highest mailbox mod-sequence
//! S: * VANISHED (EARLIER) 41,43:116,118,120:211,214:540
//! S: * 49 FETCH (UID 117 FLAGS (\Seen \Answered) MODSEQ (90060115194045001))
//! S: A3 OK [READ-WRITE] mailbox selected
//! ```
//!
//! What comes before CLOSED is about the mailbox that is left. VANISHED is read by the core, which
//! counts messages by it.

use std::num::NonZeroU32;

use bytes::Bytes;

use super::modifier::Need;
use super::select::{Select, SelectOptions};
use super::{Command, is_coded, is_data};
use crate::imap::proto::answer::vanished;
use crate::imap::proto::decode::{Malformed, Parsed};
use crate::imap::proto::encode::{Line, no_longer_kept};
use crate::imap::proto::faulty::read_late;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Effect, Tag};
use crate::imap::types::{NumberSet, UnparsedReason};
use crate::imap::{
    Capabilities, Error, Extension, FetchItems, ImapClient, Mailbox, MailboxName, Message, Reply,
    SeqSet, UidSet,
};
use crate::{Misuse, Stage};

const QRESYNC: Need = Need::enabled(Extension::QResync);

impl FetchItems {
    /// `VANISHED`: with [`changed_since`](Self::changed_since), the UIDs of the set that are gone
    /// since then, or never were, come as [`Event::Vanished`](crate::imap::Event::Vanished) before
    /// the messages. Only after [`Extension::QResync`], else it is [`Error::NotEnabled`]; without
    /// `changed_since` it is refused as [`Error::Misuse`].
    pub fn vanished(self) -> Self {
        self.modifier("VANISHED", None, QRESYNC)
    }
}

/// What is known of a mailbox from the last time.
///
/// ```
/// # use std::num::NonZeroU32;
/// use mailbearer::imap::{QResync, UidSet};
///
/// # let (uid_validity, mod_seq) = (NonZeroU32::MIN, 7);
/// let known = QResync::new(uid_validity, mod_seq).known_uids(UidSet::parse("41:211,214:541").unwrap());
/// ```
#[derive(Debug, Clone)]
pub struct QResync {
    uid_validity: NonZeroU32,
    mod_seq: u64,
    known: UidSet,
    sample: Option<(SeqSet, UidSet)>,
    options: SelectOptions,
}

impl QResync {
    /// The UIDVALIDITY that it had, and the modification sequence up to which all changes are known:
    /// its [`highest_mod_seq`](crate::imap::Mailbox::highest_mod_seq) then.
    pub fn new(uid_validity: NonZeroU32, mod_seq: u64) -> Self {
        let (known, sample, options) = Default::default();
        Self { uid_validity, mod_seq, known, sample, options }
    }

    /// The UIDs that are known: of others nothing is told. Without them, of all. If they are too many
    /// for one line, all between the lowest and the highest are named in their place, so that more
    /// may be told to be gone than was known.
    pub fn known_uids(mut self, known: impl Into<UidSet>) -> Self {
        self.known = known.into();
        self
    }

    /// Some sequence numbers and the UIDs that these messages had, as many of the one as of the other:
    /// a server that does not remember what was expunged so long ago can then tell less. Left out if
    /// the line would be too long.
    pub fn known_numbers(mut self, numbers: impl Into<SeqSet>, uids: impl Into<UidSet>) -> Self {
        self.sample = Some((numbers.into(), uids.into()));
        self
    }

    /// Opens the mailbox for reading only.
    pub fn read_only(mut self) -> Self {
        self.options = self.options.read_only();
        self
    }

    fn command(&self, name: MailboxName) -> Resync {
        let mut value = format!("({} {}", self.uid_validity, self.mod_seq);
        if !self.known.is_empty() {
            value += &format!(" {}", self.known);
        }
        if let Some((numbers, uids)) = &self.sample {
            value += &format!(" ({numbers} {uids})");
        }
        value.push(')');
        let options = self.options.clone().with("QRESYNC", Some(value), QRESYNC);
        Resync { select: Select::with(name, options), found: Found::default() }
    }

    /// The same in fewer words, if there are: more may be told then, but nothing less.
    fn shorter(&self) -> Option<Self> {
        let mut shorter = self.clone();
        if shorter.sample.take().is_none() {
            let mut ranges = self.known.ranges();
            let (first, last) = (ranges.next()?, ranges.last()?);
            shorter.known = UidSet::range(*first.start(), *last.end());
        }
        Some(shorter)
    }

    fn check(&self) -> Result<(), Misuse> {
        let refuse = |what, why: &str| Err(Misuse::Argument { what, why: why.to_owned() });
        if self.mod_seq == 0 {
            return refuse("QRESYNC", "0 is no modification sequence");
        }
        // Opening a mailbox empties it (RFC 5182 section 2.1).
        let is_saved = |uids: &UidSet| !uids.saved().is_none();
        if is_saved(&self.known) || self.sample.as_ref().is_some_and(|(_, uids)| is_saved(uids)) {
            return Err(no_longer_kept());
        }
        if self.known.names_the_last() {
            return refuse("the known UIDs", "`*` is none");
        }
        if let Some((numbers, uids)) = &self.sample {
            if numbers.names_the_last() || uids.names_the_last() {
                return refuse("the known numbers", "`*` is none");
            }
            if numbers.count() != uids.count() || numbers.is_empty() {
                return refuse("the known numbers", "there must be as many UIDs as numbers");
            }
        }
        Ok(())
    }
}

/// What has changed in a mailbox since it was last seen.
#[derive(Debug, Clone, Default)]
#[must_use = "what has changed is told only once"]
pub struct Resynced {
    vanished: UidSet,
    changed: Vec<Message>,
    unread: usize,
    went_back: bool,
}

impl Resynced {
    /// The UIDs of messages that are gone. There may be some among them that were never known.
    pub const fn vanished(&self) -> &UidSet {
        &self.vanished
    }

    /// The messages that are new or whose flags have changed, with their UIDs, flags and
    /// modification sequences. None of them is among the [vanished](Self::vanished) that went while
    /// the server was telling.
    pub fn changed(&self) -> &[Message] {
        &self.changed
    }

    /// [`changed`](Self::changed), by value.
    pub fn into_changed(self) -> Vec<Message> {
        self.changed
    }

    /// How many responses could not be read, or not to their end: they are among the events, and
    /// nothing of them is told here. Lines in which no response could be recognised count, too. If
    /// there are any, what is known of the mailbox is not complete, and should be fetched anew.
    pub const fn unread(&self) -> usize {
        self.unread
    }

    /// Whether the highest modification sequence of the mailbox is lower now than the one that was
    /// asked with. Then the server has lost a part of its history, as where it was restored from a
    /// backup, and cannot tell what has changed: nothing that is told here, be it nothing at all, is
    /// complete. What is known of the mailbox should be fetched anew, all of it, and from then on be
    /// resynchronised from the [`highest_mod_seq`](crate::imap::Mailbox::highest_mod_seq) of now.
    pub const fn went_back(&self) -> bool {
        self.went_back
    }
}

impl ImapClient {
    /// Opens a mailbox as [`select`](Self::select) does, and gives what has changed in it since
    /// then, in the same round trip. Keep its [`highest_mod_seq`](Mailbox::highest_mod_seq) for the
    /// next time, once all changes have been taken over.
    ///
    /// If `QRESYNC` has not been enabled, and no mailbox was opened yet since the login, it is
    /// enabled first, which costs one round trip once. Behind another mailbox, even one that was left
    /// again, the RFCs forbid that: a program that opens others first calls
    /// [`enable`](Self::enable) before.
    ///
    /// # Example
    /// A copy of a mailbox is kept up to date. What is kept besides the messages, by their UIDs, is
    /// what this gives.
    ///
    /// ```no_run
    /// use std::num::NonZeroU32;
    ///
    /// use mailbearer::ImapClient;
    /// use mailbearer::imap::{Error, Extension, Fetch, Message, QResync, UidSet};
    ///
    /// # struct Copy; impl Copy {
    /// #     fn clear(&mut self) {}
    /// #     fn remove(&mut self, _: &UidSet) {}
    /// #     fn put(&mut self, _: &Message) {}
    /// # }
    /// async fn synchronise(
    ///     imap: &mut ImapClient,
    ///     copy: &mut Copy,
    ///     last_time: Option<(NonZeroU32, u64)>,
    /// ) -> Result<Option<(NonZeroU32, u64)>, Error> {
    ///     let changes = match last_time {
    ///         Some((validity, mod_seq)) => {
    ///             match imap.resync("INBOX", QResync::new(validity, mod_seq)).await {
    ///                 Ok((_, changes)) => Some(changes),
    ///                 // It is another mailbox now, and open.
    ///                 Err(Error::Changed { .. }) => None,
    ///                 Err(error) => return Err(error),
    ///             }
    ///         }
    ///         None => {
    ///             // Before the mailbox is opened, and so that what goes is told by UID.
    ///             imap.enable([Extension::QResync]).await?;
    ///             imap.select("INBOX").await?;
    ///             None
    ///         }
    ///     };
    ///     let Some(inbox) = imap.selected() else { return Ok(None) };
    ///     // Before anything is fetched: what changes meanwhile is told again the next time.
    ///     let next_time = inbox.uid_validity().zip(inbox.highest_mod_seq());
    ///     match changes.filter(|changes| !changes.went_back() && changes.unread() == 0) {
    ///         Some(changes) => {
    ///             copy.remove(changes.vanished());
    ///             changes.changed().iter().for_each(|message| copy.put(message));
    ///         }
    ///         // Not all that has changed was told, or nothing is known yet.
    ///         None => {
    ///             copy.clear();
    ///             let items = Fetch::flags().mod_seq();
    ///             let mut messages = inbox.uid_fetch(UidSet::all(), items).await?;
    ///             let mut whole = true;
    ///             while let Some(message) = messages.next().await? {
    ///                 whole &= message.is_complete();
    ///                 copy.put(&message);
    ///             }
    ///             // Messages or flags may be missing: the next time begins anew.
    ///             if !whole || messages.unread() > 0 {
    ///                 return Ok(None);
    ///             }
    ///         }
    ///     }
    ///     Ok(next_time)
    /// }
    /// ```
    ///
    /// # Errors
    /// As for [`select`](Self::select). [`Error::Changed`] if the mailbox has another UIDVALIDITY:
    /// nothing that is known of it is good any longer. [`Error::NotEnabled`] if the server does not
    /// confirm `QRESYNC`, or if it was not enabled before another mailbox was opened.
    /// [`Error::Unsupported`] if the server does not offer it, and if it keeps no modification
    /// sequences for this mailbox (`NOMODSEQ`): then it is open, and nothing was told.
    /// [`Error::Misuse`] for a modification sequence of 0, and for `*`
    /// and what a search has left at the server among known numbers.
    ///
    /// # Cancel safety
    /// As for [`select`](Self::select); what was told is lost, and the same call brings it again.
    pub async fn resync(
        &mut self,
        name: impl Into<MailboxName>,
        known: QResync,
    ) -> Result<(&mut Mailbox, Resynced), Error> {
        known.check()?;
        self.mailbox.session.rest(Stage::Command("SELECT")).await?;
        if !self.enabled().has("QRESYNC") && self.mailbox.session.core().may_enable() {
            self.enable([Extension::QResync]).await?;
        }
        let (name, mut known) = (name.into(), known);
        let mut command = known.command(name.clone());
        while self.mailbox.session.too_long(&command)?.is_some()
            && let Some(shorter) = known.shorter()
        {
            known = shorter;
            command = known.command(name.clone());
        }
        let mut changes = self.run(command).await?;
        let mailbox = &self.mailbox;
        changes.unread += mailbox.session.core().missed();
        if mailbox.uid_validity() != Some(known.uid_validity) {
            let (expected, found) = (known.uid_validity, mailbox.uid_validity());
            return Err(Error::Changed { stage: Stage::Command("SELECT"), expected, found });
        }
        let Some(highest) = mailbox.highest_mod_seq() else {
            let what = "modification sequences of this mailbox";
            return Err(Error::lacks(self.capabilities(), Stage::Command("SELECT"), what));
        };
        changes.went_back = highest < known.mod_seq;
        Ok((&mut self.mailbox, changes))
    }
}

struct Resync {
    select: Select,
    found: Found,
}

#[derive(Default)]
struct Found {
    /// As ranges, sorted at the end: there may be many responses.
    vanished: Vec<(u32, u32)>,
    /// Those of them that have gone since the mailbox was opened.
    just_gone: Vec<(u32, u32)>,
    changed: Vec<Message>,
    unread: usize,
    utf8: bool,
}

impl Command for Resync {
    type Output = Resynced;

    fn name(&self) -> &'static str {
        self.select.name()
    }

    fn encode(&self, line: &mut Line, capabilities: &Capabilities) -> Result<(), Misuse> {
        self.select.encode(line, capabilities)
    }

    fn needs(&self) -> &[Need] {
        self.select.needs()
    }

    fn effect(&self) -> Effect {
        self.select.effect()
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| {
            response.is_fetch() || is_data(response, "VANISHED") || is_coded(response, "CLOSED")
        })
    }

    fn started(&mut self, _: Tag, utf8: bool) {
        self.found.utf8 = utf8;
    }

    fn accept(&mut self, response: &Response<'_>, frame: &Bytes) -> Parsed<()> {
        let read = match *response {
            Response::Fetch { seq, items } => read_late(seq, items, frame, self.found.utf8)
                .and_then(|message| self.found.message(message)),
            Response::Data { rest, .. } => vanished(rest).map(|(uids, earlier)| {
                self.found.vanished.extend(uids.closed());
                if !earlier {
                    self.found.just_gone.extend(uids.closed());
                }
            }),
            // CLOSED: that was another mailbox.
            _ => {
                self.found = Found { utf8: self.found.utf8, ..Found::default() };
                Ok(())
            }
        };
        self.found.unread += usize::from(read.is_err());
        read
    }

    fn finish(self, _: Reply) -> Resynced {
        let Found { vanished, just_gone, mut changed, unread, .. } = self.found;
        let vanished = UidSet::of(NumberSet::of_ranges(vanished));
        let just_gone = UidSet::of(NumberSet::of_ranges(just_gone));
        changed.retain(|message| message.uid().is_none_or(|uid| !just_gone.contains(uid)));
        Resynced { vanished, changed, unread, went_back: false }
    }
}

impl Found {
    /// Flags of which some may be missing would be taken for all of them.
    fn message(&mut self, message: Message) -> Parsed<()> {
        if message.uid().is_none() {
            return Err(Malformed("the UID of a message"));
        }
        let fault = message.unparsed().next().map(|unparsed| unparsed.reason());
        match fault {
            Some(UnparsedReason::Malformed { expected }) => return Err(Malformed(expected)),
            Some(_) => return Err(Malformed("fewer items, or fewer lists in each other")),
            None => self.changed.push(message),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;
    use crate::imap::proto::Saved;
    use crate::imap::{Event, Uid};

    fn known() -> QResync {
        QResync::new(NonZeroU32::new(67_890_007).unwrap(), 90_060_115_194_045_000)
    }

    fn uids(text: &str) -> UidSet {
        UidSet::parse(text).unwrap()
    }

    #[test]
    fn the_example_of_rfc_7162_tells_all_changes() {
        // Section 3.2.5.1, with something about the mailbox that is left.
        let script = r"
            S: * PREAUTH hi
            C: A1 SELECT INBOX (QRESYNC (67890007 90060115194045000 41:211,214:541))
            S: * 7 FETCH (UID 7 FLAGS () MODSEQ (1))
            S: * VANISHED 9
            S: * OK [CLOSED]
            S: * 100 EXISTS
            S: * 11 RECENT
            S: * OK [UIDVALIDITY 67890007] UIDVALIDITY
            S: * OK [UIDNEXT 600] Predicted next UID
            S: * OK [HIGHESTMODSEQ 90060115205545359] Highest mailbox mod-sequence
            S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen)
            S: * VANISHED (EARLIER) 41,43:116,118,120:211,214:540
            S: * 49 FETCH (UID 117 FLAGS (\Seen \Answered) MODSEQ (90060115194045001))
            S: * 50 FETCH (UID 119 FLAGS (\Draft $MDNSent) MODSEQ (90060115194045308))
            S: * 51 FETCH (UID 541 FLAGS (\Seen $Forwarded) MODSEQ (90060115194045001))
            S: A1 OK [READ-WRITE] mailbox selected
        ";
        let command = || known().known_uids(uids("41:211,214:541")).command("INBOX".into());
        play(command, script, |mut played| {
            let changes = played.output.unwrap();
            assert_eq!(changes.vanished().to_string(), "41,43:116,118,120:211,214:540");
            let told: Vec<_> = changes.changed().iter().filter_map(Message::uid).collect();
            assert_eq!(told, [117, 119, 541].map(|uid| Uid::new(uid).unwrap()));
            assert_eq!(changes.changed()[1].mod_seq(), Some(90_060_115_194_045_308));
            assert_eq!(changes.unread(), 0);
            let state = played.core.selected().unwrap();
            assert_eq!((state.exists, state.highest_mod_seq), (100, Some(90_060_115_205_545_359)));
            assert!(played.core.take_event().is_none());
        });
    }

    #[test]
    fn what_goes_while_changes_are_told_has_not_changed_but_gone() {
        let script = r"
            S: * PREAUTH hi
            C: A1 SELECT INBOX (QRESYNC (67890007 90060115194045000))
            S: * 9 EXISTS
            S: * OK [UIDVALIDITY 67890007] UIDVALIDITY
            S: * VANISHED (EARLIER) 41
            S: * 4 FETCH (UID 117 FLAGS () MODSEQ (90060115194045001))
            S: * 5 FETCH (UID 119 FLAGS () MODSEQ (90060115194045308))
            S: * VANISHED 117
            S: A1 OK [READ-WRITE] mailbox selected
        ";
        play(
            || known().command("INBOX".into()),
            script,
            |played| {
                let changes = played.output.unwrap();
                assert_eq!(changes.vanished().to_string(), "41,117");
                let told: Vec<_> = changes.changed().iter().filter_map(Message::uid).collect();
                assert_eq!(told, [Uid::new(119).unwrap()]);
                assert_eq!(played.core.selected().unwrap().exists, 8);
            },
        );
    }

    #[test]
    fn what_cannot_be_read_is_counted_and_an_event() {
        let script = r"
            S: * PREAUTH hi
            C: A1 EXAMINE INBOX (QRESYNC (67890007 90060115194045000 (5000,7500 15000,22500)))
            S: * VANISHED (EARLIER) 1:4294967295
            S: * VANISHED (LATER) 4
            S: * VANISHED (EARLIER) 5:*
            S: * VANISHED
            S: * 9 FETCH (FLAGS ())
            S: * 9 FETCH nonsense
            S: * 9 FETCH (UID 117 FLAGS (\Seen
            S: A1 OK [READ-ONLY] mailbox selected
        ";
        let numbers = || SeqSet::parse("5000,7500").unwrap();
        let known = || known().known_numbers(numbers(), uids("15000,22500")).read_only();
        play(
            || known().command("INBOX".into()),
            script,
            |mut played| {
                let changes = played.output.unwrap();
                assert_eq!(changes.vanished().to_string(), "1:4294967295");
                assert!(changes.changed().is_empty());
                let mut unparsed = 0;
                while let Some(event) = played.core.take_event() {
                    unparsed += usize::from(matches!(event, Event::Unparsed { .. }));
                }
                assert_eq!((changes.unread(), unparsed), (6, 6));
            },
        );
    }

    #[test]
    fn what_is_too_long_is_said_in_fewer_words() {
        let numbers = SeqSet::parse("1,3").unwrap();
        let known = known().known_uids(uids("41,43,47:50")).known_numbers(numbers, uids("41,47"));
        let without = known.shorter().unwrap();
        assert!(without.sample.is_none() && without.known == known.known);
        let range = without.shorter().unwrap();
        assert_eq!(range.known.to_string(), "41:50");
        assert!(range.shorter().is_none());
    }

    #[test]
    fn what_means_nothing_is_refused() {
        let numbers = |text: &str| SeqSet::parse(text).unwrap();
        let validity = NonZeroU32::MIN;
        let mut joined = UidSet::kept(Saved::now());
        joined.extend(Uid::new(7));
        for bad in [
            QResync::new(validity, 0),
            known().known_uids(UidSet::all()),
            known().known_uids(UidSet::kept(Saved::now())),
            known().known_numbers(numbers("1"), joined),
            known().known_numbers(numbers("1:*"), uids("1:2")),
            known().known_numbers(numbers("1:3"), uids("1:2")),
            known().known_numbers(SeqSet::default(), UidSet::default()),
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
        assert!(QResync::new(validity, u64::MAX).known_uids(uids("1:9")).check().is_ok());
    }
}
