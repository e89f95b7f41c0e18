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

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::marker::PhantomData;

use super::{Node, ThreadAlgorithm, Threads};
use crate::Stage;
use crate::imap::command::gather::Gather;
use crate::imap::finding::base_subject::base_subject;
use crate::imap::finding::message_id::message_ids;
use crate::imap::finding::sent_date::{received, sent};
use crate::imap::finding::{Entry, collation, ordered_subject, references};
use crate::imap::{
    DoneBy, Envelope, Error, Fetch, FetchItems, Mailbox, Message, Search, Section, Text, Uid,
    UidSet,
};

impl Mailbox {
    /// [`uid_thread`](Self::uid_thread) without asking the server for threads, for one whose
    /// threads are wrong.
    ///
    /// It fetches ENVELOPE, INTERNALDATE and for [`ThreadAlgorithm::References`] the References
    /// field of each message that matches: about a kilobyte for each on the wire, in about as many
    /// round trips as there are ten thousands, and memory for subjects and Message-IDs, of which it
    /// takes no more than [`Limits::message`](crate::Limits::message) and
    /// [`Limits::response`](crate::Limits::response) together. Of the messages that one refers to the
    /// first 20 and the last 80 count. Messages that are expunged before the server has told of them
    /// are left out, and new ones do not come in. Where one that was found is not told of, a search
    /// finds out whether it has gone, and else it is counted as [`unread`](Threads::unread).
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
                return Err(Error::lacks(offered, Stage::Command("UID THREAD"), "THREAD=REFS"));
            }
        };
        let mut rows = Rows::new(algorithm);
        let (found, unread) = self.gather(search, &[], &mut rows).await?;
        let placed = threads(&rows.into_entries());
        Ok(Threads {
            nodes: placed.into_iter().map(|(number, level)| Node { number, level }).collect(),
            unread,
            fuzzy: found.is_fuzzy(),
            without_charset: found.is_without_charset(),
            done_by: DoneBy::Client,
            numbers: PhantomData,
        })
    }
}

fn references_field() -> Section {
    Section::header_fields(["References"])
}

/// So many of the messages that one refers to are heeded: the first, which begin the thread, and the
/// last, which are its nearest. There is no other bound to what a field names.
const FIRST: usize = 20;
const LAST: usize = 80;

/// The messages by their UIDs, which is the order of the mailbox.
struct Rows {
    rows: BTreeMap<u32, Row>,
    /// A number for each Message-ID.
    ids: HashMap<Vec<u8>, u32>,
    by_references: bool,
    /// Octets that all of it takes.
    octets: usize,
}

/// What was told of a message so far.
#[derive(Default)]
struct Row {
    entry: Entry,
    /// All of its envelope was told, and the References field, if it has one.
    envelope: bool,
    references: bool,
    reply_to: Option<u32>,
    sent: Option<i64>,
    received: Option<i64>,
}

impl Rows {
    fn new(algorithm: ThreadAlgorithm) -> Self {
        let by_references = algorithm != ThreadAlgorithm::OrderedSubject;
        Self { rows: BTreeMap::new(), ids: HashMap::new(), by_references, octets: 0 }
    }

    fn read(&mut self, row: &mut Row, envelope: &Envelope<'_>) {
        let first =
            |field: Option<Text<'_>>| field.and_then(|field| message_ids(&field.to_bytes()).next());
        row.envelope = envelope.is_complete();
        row.entry.id = first(envelope.message_id()).map(|id| self.number(id));
        row.reply_to = first(envelope.in_reply_to()).map(|id| self.number(id));
        let subject = envelope.subject().map(|subject| base_subject(&subject.to_bytes()));
        let (subject, is_reply) = subject.unwrap_or_default();
        row.entry.subject = collation::key(&subject);
        row.entry.is_reply = is_reply;
        self.octets += row.entry.subject.len();
    }

    fn refer(&mut self, entry: &mut Entry, field: &[u8]) {
        let (mut first, mut last) = (Vec::new(), VecDeque::new());
        for id in message_ids(field) {
            if first.len() < FIRST {
                first.push(id);
                continue;
            }
            if last.len() == LAST {
                last.pop_front();
            }
            last.push_back(id);
        }
        entry.references = first.into_iter().chain(last).map(|id| self.number(id)).collect();
        self.octets += entry.references.len() * size_of::<u32>();
    }

    fn number(&mut self, id: Vec<u8>) -> u32 {
        let next = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        let octets = &mut self.octets;
        *self.ids.entry(id).or_insert_with_key(|id| {
            // And what a dummy for it takes.
            *octets += id.len() + 4 * size_of::<(Vec<u8>, u32)>();
            next
        })
    }

    fn into_entries(self) -> Vec<Entry> {
        self.rows.into_values().map(Row::into_entry).collect()
    }
}

impl Gather for Rows {
    fn items(&self) -> FetchItems {
        let items = Fetch::envelope().internal_date();
        if self.by_references { items.section(references_field()) } else { items }
    }

    fn take(&mut self, uid: Uid, message: &Message) -> usize {
        let known = self.rows.remove(&uid.get());
        if known.is_none() {
            // And what the tree and the threads made of it take.
            self.octets += 4 * size_of::<Row>();
        }
        let mut row = known.unwrap_or_default();
        row.entry.uid = uid.get();
        row.received = row.received.or_else(|| received(message));
        row.sent = row.sent.or_else(|| sent(message));
        if let Some(envelope) = message.envelope().filter(|_| !row.envelope) {
            self.read(&mut row, &envelope);
        }
        let field = references_field();
        if self.by_references && !row.references && message.tells_section(&field) {
            row.references = true;
            self.refer(&mut row.entry, message.section(&field).unwrap_or_default());
        }
        self.rows.insert(uid.get(), row);
        self.octets
    }

    fn uids(&self) -> UidSet {
        self.rows.keys().copied().filter_map(Uid::new).collect()
    }

    fn incomplete(&self) -> usize {
        let complete = |row: &Row| {
            row.envelope
                && (row.references || !self.by_references)
                && row.sent.or(row.received).is_some()
        };
        self.rows.values().filter(|row| !complete(row)).count()
    }
}

impl Row {
    fn into_entry(self) -> Entry {
        let mut entry = self.entry;
        entry.sent = self.sent.or(self.received).unwrap_or(i64::MIN);
        // Without References, the first of In-Reply-To.
        if entry.references.is_empty() {
            entry.references.extend(self.reply_to);
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_references_the_first_20_and_the_last_80_count() {
        let field: String = (0..500).map(|id| format!("<{id}@x>")).collect();
        let mut rows = Rows::new(ThreadAlgorithm::References);
        let mut entry = Entry::default();
        rows.refer(&mut entry, field.as_bytes());
        let ids: HashMap<u32, String> = rows
            .ids
            .into_iter()
            .map(|(id, number)| (number, String::from_utf8_lossy(&id).into_owned()))
            .collect();
        let named: Vec<_> = entry.references.iter().map(|number| ids[number].as_str()).collect();
        let expected: Vec<_> = (0..20).chain(420..500).map(|id| format!("{id}@x")).collect();
        assert_eq!(named, expected);
        assert!(rows.octets < 100 * 200);
    }
}
