//! SORT at servers without it: what the keys want is fetched, and sorted here as RFC 5256 says.
//!
//! ```text
//! C: A4 UID SEARCH SINCE 1-Feb-1994
//! S: * SEARCH 2 84 882
//! S: A4 OK SEARCH completed
//! C: A5 UID FETCH 2,84,882 (ENVELOPE INTERNALDATE)
//! S: * 2 FETCH (UID 2 ENVELOPE (…) INTERNALDATE "17-Jul-1996 02:44:25 -0700")
//! S: …
//! S: A5 OK FETCH completed
//! ```

use std::collections::{BTreeMap, HashMap};

use super::{Sort, SortKey, Sorted};
use crate::Stage;
use crate::imap::command::search::{Finding, SearchReturn};
use crate::imap::finding::base_subject::base_subject;
use crate::imap::finding::order::{self, Value};
use crate::imap::finding::sent_date::sent_date;
use crate::imap::finding::{collation, encoded_word};
use crate::imap::{
    Address, Addresses, DateTime, DoneBy, Envelope, Error, Fetch, FetchItems, Mailbox, Message,
    Search, Text, Uid,
};

impl Mailbox {
    /// [`uid_sort`](Self::uid_sort) without asking the server to sort, for one whose order is
    /// wrong.
    ///
    /// It fetches ENVELOPE, INTERNALDATE or RFC822.SIZE, whichever the keys want, of each message
    /// that matches: mostly below a kilobyte for each on the wire, in about as many round trips as
    /// there are ten thousands, and memory for what is compared, of which it takes no more than
    /// [`Limits::message`](crate::Limits::message) and [`Limits::response`](crate::Limits::response)
    /// together. Messages that are expunged meanwhile are left out, and new ones do not come in.
    ///
    /// Strings are compared by the numbers of their characters, without regard to case, so that `é`
    /// comes behind `z`; the first 998 octets count. Encoded words in other charsets than UTF-8,
    /// US-ASCII, ISO-8859-1 and windows-1252 are compared as they are written.
    ///
    /// # Errors
    /// As for [`uid_search`](Self::uid_search), and [`Error::Refused`] if the server cannot tell of
    /// all messages; [`Error::Unsupported`] for [`SortKey::Relevancy`].
    ///
    /// # Cancel safety
    /// As for [`uid_search`](Self::uid_search).
    pub async fn uid_sort_by_client(
        &mut self,
        sort: Sort,
        search: Search,
    ) -> Result<Sorted<Uid>, Error> {
        self.sorted_by_client(sort, search, &[]).await
    }

    pub(super) async fn sorted_by_client(
        &mut self,
        sort: Sort,
        search: Search,
        returns: &[SearchReturn],
    ) -> Result<Sorted<Uid>, Error> {
        SearchReturn::check(returns, &search)?;
        if sort.keys.iter().any(|(key, _)| *key == SortKey::Relevancy) {
            let offered = self.session.core().capabilities();
            return Err(Error::lacks(offered, Stage::Command("UID SORT"), "SORT"));
        }
        let scores: &[_] = match returns.contains(&SearchReturn::Relevancy) {
            true => &[SearchReturn::All, SearchReturn::Relevancy],
            false => &[],
        };
        let (_, gone) = self.tally();
        let found = self.uid_search_returning(search, scores.iter().copied()).await?;
        let scores: HashMap<u32, u8> =
            found.relevancies().map(|(uid, score)| (uid.get(), score)).collect();
        let (fuzzy, mod_seq, missing) = (found.is_fuzzy(), found.mod_seq(), found.unread());
        let (uids, (exists, _)) = (found.into_set(), self.tally());
        let mut rows = Rows::default();
        let take = |uid, message: &Message| rows.take(uid, &sort, message);
        self.uid_fetch_each(&uids, &sort.items(), take).await?;
        let gone = self.tally().1.saturating_sub(gone);
        let untold = untold(uids.count().min(exists), rows.len(), gone);
        let unread = missing + rows.unread(&sort) + untold;
        let uids = rows.sorted(&sort);
        let mut sorted = Finding { fuzzy, mod_seq, ..Finding::default() };
        sorted.scores = uids.iter().filter_map(|uid| scores.get(uid).copied()).collect();
        uids.into_iter().for_each(|uid| sorted.push(uid));
        Ok(Sorted { done_by: DoneBy::Client, unread, ..Sorted::new(sorted, returns) })
    }
}

impl Sort {
    /// What of each message to sort by.
    fn items(&self) -> FetchItems {
        self.keys.iter().fold(Fetch::uid(), |items, (key, _)| match key {
            SortKey::Arrival => items.internal_date(),
            SortKey::Date => items.envelope().internal_date(),
            SortKey::Size => items.size(),
            _ => items.envelope(),
        })
    }
}

/// How many of the messages that were found were not told of, and have not gone: what came of them
/// could not be read, or not whose it was.
pub(in crate::imap::command) fn untold(found: u32, told: usize, gone: u64) -> usize {
    let untold = (found as usize).saturating_sub(told);
    untold.saturating_sub(usize::try_from(gone).unwrap_or(usize::MAX))
}

/// The messages by their UIDs, which is the order of the mailbox.
#[derive(Default)]
struct Rows {
    rows: BTreeMap<u32, Row>,
    /// Octets that all of it takes.
    octets: usize,
}

/// What was told of a message so far.
struct Row {
    /// By what to sort it, key by key.
    values: Box<[Option<Value>]>,
    received: Option<i64>,
    /// Its envelope was told, and has no date: that of its arrival counts.
    undated: bool,
}

impl Rows {
    /// Servers may tell more than once of a message, and then not of all that is wanted: what they
    /// tell belongs together. Returns how many octets are kept of all messages.
    fn take(&mut self, uid: Uid, sort: &Sort, message: &Message) -> usize {
        let octets = &mut self.octets;
        let row = self.rows.entry(uid.get()).or_insert_with(|| {
            let values: Box<[_]> = sort.keys.iter().map(|_| None).collect();
            // Sorting takes it once more.
            *octets += 2 * (size_of::<Row>() + size_of_val(&*values));
            Row { values, received: None, undated: false }
        });
        row.received = row.received.or_else(|| received(message));
        let complete = message.envelope().is_some_and(|envelope| envelope.is_complete());
        row.undated |= complete && dated(message).is_none();
        for (known, (key, _)) in row.values.iter_mut().zip(&sort.keys) {
            if known.is_none() {
                *known = value(*key, message);
                *octets += known.as_ref().map_or(0, Value::octets);
            }
        }
        *octets
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn unread(&self, sort: &Sort) -> usize {
        let complete = |row: &Row| (0..).zip(&sort.keys).all(|(at, (key, _))| row.tells(at, *key));
        self.rows.values().filter(|row| !complete(row)).count()
    }

    fn sorted(self, sort: &Sort) -> Vec<u32> {
        let rows = self.rows.into_iter().map(|(uid, row)| (uid, row.into_values(sort)));
        let mut rows: Vec<_> = rows.collect();
        let reversed: Vec<_> = sort.keys.iter().map(|(_, reversed)| *reversed).collect();
        order::sort(&mut rows, &reversed);
        rows.into_iter().map(|(uid, _)| uid).collect()
    }
}

impl Row {
    fn tells(&self, at: usize, key: SortKey) -> bool {
        self.values.get(at).is_some_and(Option::is_some)
            || key == SortKey::Date && self.undated && self.received.is_some()
    }

    fn into_values(self, sort: &Sort) -> Box<[Value]> {
        let values = self.values.into_vec().into_iter().zip(&sort.keys);
        let values = values.map(|(value, (key, _))| match key {
            SortKey::Date => value.or_else(|| self.received.map(Value::Number)).ok_or(*key),
            _ => value.ok_or(*key),
        });
        values.map(|value| value.unwrap_or_else(nothing)).collect()
    }
}

/// What a message is sorted by under a key; `None` if it was not told.
fn value(key: SortKey, message: &Message) -> Option<Value> {
    let number = |number: u64| Value::Number(i64::try_from(number).unwrap_or(i64::MAX));
    match key {
        SortKey::Arrival => received(message).map(Value::Number),
        SortKey::Date => dated(message).map(Value::Number),
        SortKey::Size => message.size().map(number),
        SortKey::Relevancy => None,
        SortKey::Cc => text(message, |envelope| mailbox(envelope.cc())),
        SortKey::From => text(message, |envelope| mailbox(envelope.from())),
        SortKey::To => text(message, |envelope| mailbox(envelope.to())),
        SortKey::DisplayFrom => text(message, |envelope| display(envelope.from())),
        SortKey::DisplayTo => text(message, |envelope| display(envelope.to())),
        SortKey::Subject => text(message, |envelope| {
            envelope.subject().map(|subject| base_subject(&subject.to_bytes()).0)
        }),
    }
}

/// What comes before everything else.
fn nothing(key: SortKey) -> Value {
    match key {
        SortKey::Arrival | SortKey::Date | SortKey::Size => Value::Number(i64::MIN),
        _ => Value::Text("".into()),
    }
}

/// Seconds since 1970 of the INTERNALDATE.
pub(in crate::imap::command) fn received(message: &Message) -> Option<i64> {
    message.internal_date().and_then(DateTime::to_unix)
}

/// The same of the date field, RFC 5256 section 2.2; that of the arrival stands for one that is
/// missing or cannot be read.
pub(in crate::imap::command) fn dated(message: &Message) -> Option<i64> {
    message.envelope()?.date().and_then(|date| sent_date(&date.to_bytes()))
}

/// A string of the envelope; empty if the field is missing.
fn text(message: &Message, of: impl Fn(&Envelope<'_>) -> Option<String>) -> Option<Value> {
    let envelope = message.envelope().filter(Envelope::is_complete)?;
    let key = collation::key(&of(&envelope).unwrap_or_default());
    Some(Value::Text(key.into_boxed_str()))
}

/// The `addr-mailbox` of the first address.
fn mailbox(addresses: Addresses<'_>) -> Option<String> {
    addresses.iter().next()?.mailbox().map(|mailbox| mailbox.to_str_lossy().into_owned())
}

/// What is shown for the first address: its name, or itself where it has none (RFC 5957).
fn display(addresses: Addresses<'_>) -> Option<String> {
    let first: Address<'_> = addresses.iter().next()?;
    let name =
        first.name().map(|name: Text<'_>| encoded_word::decode(&name.to_bytes()).into_owned());
    let name = name.filter(|name| !name.is_empty());
    // The mark of a group has a name and no host.
    name.or_else(|| first.to_addr_spec()).or_else(|| mailbox(addresses))
}
