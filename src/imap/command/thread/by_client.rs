//! THREAD at servers without it: what the algorithm wants is fetched, and the threads are found
//! here as RFC 5256 says.
//!
//! ```text
//! C: A4 UID SEARCH SINCE 5-Mar-2000
//! S: * SEARCH 2 3 6
//! S: A4 OK SEARCH completed
//! C: A5 UID FETCH 2:3,6 (ENVELOPE INTERNALDATE BODY.PEEK[HEADER.FIELDS (References)])
//! S: * 1 FETCH (UID 2 ENVELOPE (…) INTERNALDATE "…" BODY[HEADER.FIELDS (References)] {2}
//! S:
//! S: )
//! S: …
//! S: A5 OK FETCH completed
//! ```

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;

use super::{Node, ThreadAlgorithm, Threads};
use crate::Stage;
use crate::imap::command::sort::sent;
use crate::imap::finding::base_subject::base_subject;
use crate::imap::finding::message_id::message_ids;
use crate::imap::finding::{Letter, collation, ordered_subject, references};
use crate::imap::{
    DoneBy, Envelope, Error, Fetch, FetchItems, Mailbox, Message, Search, Section, Uid,
};

impl Mailbox {
    /// [`uid_thread`](Self::uid_thread) without asking the server for threads, for one whose
    /// threads are wrong.
    ///
    /// It fetches ENVELOPE, INTERNALDATE and for [`ThreadAlgorithm::References`] the References
    /// field of each message that matches: about a kilobyte for each on the wire, in about as many
    /// round trips as there are ten thousands, and memory for subjects and Message-IDs. Messages
    /// that are expunged meanwhile are left out, and new ones do not come in.
    ///
    /// Subjects are compared as [`uid_sort_by_client`](Self::uid_sort_by_client) does.
    ///
    /// # Errors
    /// As for [`uid_search`](Self::uid_search), and [`Error::Refused`] if the server cannot tell of
    /// all messages; [`Error::Unsupported`] for [`ThreadAlgorithm::Refs`].
    ///
    /// # Cancel safety
    /// As for [`uid_search`](Self::uid_search).
    pub async fn uid_thread_by_client(
        &mut self,
        algorithm: ThreadAlgorithm,
        search: Search,
    ) -> Result<Threads<Uid>, Error> {
        self.threads_by_client(algorithm, search).await
    }

    pub(super) async fn threads_by_client(
        &mut self,
        algorithm: ThreadAlgorithm,
        search: Search,
    ) -> Result<Threads<Uid>, Error> {
        let threads = match algorithm {
            ThreadAlgorithm::OrderedSubject => ordered_subject::threads,
            ThreadAlgorithm::References => references::threads,
            ThreadAlgorithm::Refs => {
                let offered = self.session.core().capabilities();
                return Err(Error::lacks(offered, Stage::Command("THREAD"), "THREAD=REFS"));
            }
        };
        let found = self.uid_search(search).await?;
        let (fuzzy, missing) = (found.is_fuzzy(), found.unread());
        let mut letters = Letters::default();
        let take = |uid, message: &Message| letters.take(uid, message);
        self.uid_fetch_each(&found.into_set(), &items(algorithm), take).await?;
        let unread = missing + letters.unread();
        let placed = threads(&letters.into_vec());
        let nodes = placed.into_iter().map(|(number, level)| Node { number, level }).collect();
        Ok(Threads { nodes, unread, fuzzy, done_by: DoneBy::Client, numbers: PhantomData })
    }
}

fn items(algorithm: ThreadAlgorithm) -> FetchItems {
    let items = Fetch::envelope().internal_date();
    match algorithm {
        ThreadAlgorithm::OrderedSubject => items,
        _ => items.section(references_field()),
    }
}

fn references_field() -> Section {
    Section::header_fields(["References"])
}

/// The messages by their UIDs, which is the order of the mailbox, and whether all was told of them
/// that was asked for.
#[derive(Default)]
struct Letters {
    letters: BTreeMap<u32, (bool, Letter)>,
    /// A number for each Message-ID.
    ids: HashMap<Vec<u8>, u32>,
}

impl Letters {
    /// Servers may tell more than once of a message, and then not of all that is wanted.
    fn take(&mut self, uid: Uid, message: &Message) {
        let envelope = message.envelope();
        let complete = envelope.is_some_and(|envelope| envelope.is_complete())
            && message.unparsed().next().is_none();
        if self.letters.get(&uid.get()).is_some_and(|(known, _)| *known || !complete) {
            return;
        }
        let mut letter =
            Letter { uid: uid.get(), sent: sent(message).unwrap_or(i64::MIN), ..Letter::default() };
        if let Some(envelope) = &envelope {
            self.read(&mut letter, envelope);
        }
        let field = message.section(&references_field()).unwrap_or_default();
        let referred: Vec<_> = message_ids(field).map(|id| self.number(id)).collect();
        if !referred.is_empty() {
            letter.references = referred;
        }
        self.letters.insert(uid.get(), (complete, letter));
    }

    fn read(&mut self, letter: &mut Letter, envelope: &Envelope<'_>) {
        let first = |field: Option<crate::imap::Text<'_>>| {
            field.and_then(|field| message_ids(&field.to_bytes()).next())
        };
        letter.id = first(envelope.message_id()).map(|id| self.number(id));
        // Without References, the first of In-Reply-To.
        letter.references.extend(first(envelope.in_reply_to()).map(|id| self.number(id)));
        let subject = envelope.subject().map(|subject| base_subject(&subject.to_bytes()));
        let (subject, is_reply) = subject.unwrap_or_default();
        letter.subject = collation::key(&subject);
        letter.is_reply = is_reply;
    }

    fn number(&mut self, id: Vec<u8>) -> u32 {
        let next = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        *self.ids.entry(id).or_insert(next)
    }

    fn unread(&self) -> usize {
        self.letters.values().filter(|(complete, _)| !complete).count()
    }

    fn into_vec(self) -> Vec<Letter> {
        self.letters.into_values().map(|(_, letter)| letter).collect()
    }
}
