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
use crate::imap::command::gather::Gather;
use crate::imap::command::search::{Finding, SearchReturn};
use crate::imap::finding::base_subject::base_subject;
use crate::imap::finding::order::{self, Value};
use crate::imap::finding::sent_date::{received, sent};
use crate::imap::finding::{collation, encoded_word};
use crate::imap::{
    Address, Addresses, DoneBy, Envelope, Error, Fetch, FetchItems, Mailbox, Message, Search, Text,
    Uid, UidSet,
};

impl Mailbox {
    /// [`uid_sort`](Self::uid_sort) without asking the server to sort, for one whose order is
    /// wrong.
    ///
    /// It fetches ENVELOPE, INTERNALDATE or RFC822.SIZE, whichever the keys want, of each message
    /// that matches: mostly below a kilobyte for each on the wire, in about as many round trips as
    /// there are ten thousands, and memory for what is compared, of which it takes no more than
    /// [`Limits::message`](crate::Limits::message) and [`Limits::response`](crate::Limits::response)
    /// together. Messages that are expunged before the server has told of them are left out, and new
    /// ones do not come in. Where one that was found is not told of, a search finds out whether it has
    /// gone, and else it is counted as [`unread`](Sorted::unread).
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
        let mut rows = Rows::new(&sort);
        let (found, unread) = self.gather(search, scores, &mut rows).await?;
        let scores: HashMap<u32, u8> =
            found.relevancies().map(|(uid, score)| (uid.get(), score)).collect();
        let mut sorted = Finding {
            fuzzy: found.is_fuzzy(),
            without_charset: found.is_without_charset(),
            mod_seq: found.mod_seq(),
            ..Finding::default()
        };
        for uid in rows.sorted() {
            sorted.scores.extend(scores.get(&uid));
            sorted.push(uid);
        }
        Ok(Sorted { done_by: DoneBy::Client, unread, ..Sorted::new(sorted, returns) })
    }
}

/// The messages by their UIDs, which is the order of the mailbox.
struct Rows<'a> {
    sort: &'a Sort,
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

impl<'a> Rows<'a> {
    const fn new(sort: &'a Sort) -> Self {
        Self { sort, rows: BTreeMap::new(), octets: 0 }
    }

    fn sorted(self) -> Vec<u32> {
        let Self { sort, rows, .. } = self;
        let rows = rows.into_iter().map(|(uid, row)| (uid, row.into_values(sort)));
        let mut rows: Vec<_> = rows.collect();
        let reversed: Vec<_> = sort.keys.iter().map(|(_, reversed)| *reversed).collect();
        order::sort(&mut rows, &reversed);
        rows.into_iter().map(|(uid, _)| uid).collect()
    }
}

impl Gather for Rows<'_> {
    fn items(&self) -> FetchItems {
        self.sort.keys.iter().fold(Fetch::uid(), |items, (key, _)| match key {
            SortKey::Arrival => items.internal_date(),
            SortKey::Date => items.envelope().internal_date(),
            SortKey::Size => items.size(),
            _ => items.envelope(),
        })
    }

    fn take(&mut self, uid: Uid, message: &Message) -> usize {
        let (keys, octets) = (&self.sort.keys, &mut self.octets);
        let row = self.rows.entry(uid.get()).or_insert_with(|| {
            let values: Box<[_]> = keys.iter().map(|_| None).collect();
            // Sorting takes it once more.
            *octets += 2 * (size_of::<Row>() + size_of_val(&*values));
            Row { values, received: None, undated: false }
        });
        row.received = row.received.or_else(|| received(message));
        let complete = message.envelope().is_some_and(|envelope| envelope.is_complete());
        row.undated |= complete && sent(message).is_none();
        for (known, (key, _)) in row.values.iter_mut().zip(keys) {
            if known.is_none() {
                *known = value(*key, message);
                *octets += known.as_ref().map_or(0, Value::octets);
            }
        }
        *octets
    }

    fn uids(&self) -> UidSet {
        self.rows.keys().copied().filter_map(Uid::new).collect()
    }

    fn incomplete(&self) -> usize {
        let keys = &self.sort.keys;
        let complete = |row: &Row| (0..).zip(keys).all(|(at, (key, _))| row.tells(at, *key));
        self.rows.values().filter(|row| !complete(row)).count()
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
        SortKey::Date => sent(message).map(Value::Number),
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
