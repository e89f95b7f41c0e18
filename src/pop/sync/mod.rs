//! Fetching what is new, and deleting what was stored: what one does with POP3.

mod listing;

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::fmt;

use bytes::Bytes;

use self::listing::Entry;
use super::command::flight::Flight;
use super::command::list::List;
use super::command::uidl::Uidl;
use super::command::{Command, accepted, dele::Dele, retr::Retr, unparsed};
use super::proto::{Response, Shape};
use super::{Error, Expire, PopClient};
use crate::Stage;

impl PopClient {
    /// What is in the maildrop and not among `known`, the identifiers (UIDL) of the messages that
    /// the caller has already.
    ///
    /// Each message is given at least once over any number of sessions: one that was not
    /// [`stored`](NewMessages::stored) is new again the next time, however this one ends, and
    /// nothing is deleted but by [`finish`](NewMessages::finish). It takes the client, since
    /// finishing ends the session.
    ///
    /// # Example
    /// ```no_run
    /// # use std::collections::HashSet;
    /// # async fn fetch(
    /// #     pop: mailbearer::PopClient, mut known: HashSet<String>,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// # fn store(id: Option<&str>, message: &[u8]) -> std::io::Result<()> { Ok(()) }
    /// let mut new = pop.sync(&known).await?;
    /// while let Some(message) = new.next().await? {
    ///     match message.message() {
    ///         // The message and its identifier, under a name of their own: numbers mean other
    ///         // messages the next time.
    ///         Ok(octets) => store(message.id(), octets)?,
    ///         Err(why) => {
    ///             eprintln!("message {}: {why}", message.number());
    ///             continue;
    ///         }
    ///     }
    ///     // It is stored for good, and only now.
    ///     known.extend(message.id().map(str::to_owned));
    ///     new.delete(&message);
    /// }
    /// let done = new.finish().await?;
    /// println!("{} messages moved here", done.deleted());
    /// # Ok(()) }
    /// ```
    ///
    /// # On the wire
    /// UIDL and LIST, and CAPA if the capabilities behind the login are not known. With PIPELINING
    /// messages are asked for ahead, of less than [`Limits::settle`](crate::Limits::settle) octets
    /// together, so that who stops early does not wait for many that nobody wants; but not at
    /// servers that delete what was read (EXPIRE 0, as Gmail says), where they would count as read.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server has no UIDL; [`Error::Unparsed`] if LIST has a line
    /// without a number. Nothing is deleted.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection. Nothing is deleted.
    pub fn sync<S: AsRef<str>>(
        self,
        known: impl IntoIterator<Item = S>,
    ) -> impl Future<Output = Result<NewMessages, Error>> {
        // Collected here, so that the future can be spawned whatever `known` is.
        let known: HashSet<String> = known.into_iter().map(|id| id.as_ref().to_owned()).collect();
        NewMessages::find(self, known)
    }
}

/// The new messages of a maildrop, from [`sync`](PopClient::sync).
///
/// Dropping it closes the connection without QUIT: nothing is deleted.
#[derive(Debug)]
#[must_use = "the messages come from `next`"]
pub struct NewMessages {
    client: PopClient,
    /// All that is in the maildrop.
    entries: BTreeMap<u32, Entry>,
    known: BTreeSet<u32>,
    gone: Vec<String>,
    too_large: VecDeque<u32>,
    /// They were read, and the caller does not say that it has stored them.
    unstored: HashSet<u32>,
    stored: HashSet<u32>,
    doomed: BTreeSet<u32>,
}

/// A message that was not known, or why it cannot be had.
pub struct NewMessage {
    number: u32,
    id: Option<String>,
    octets: Option<u64>,
    message: Result<Bytes, Error>,
}

/// What came of a [`sync`](PopClient::sync) that ended well.
#[derive(Debug)]
pub struct Finished {
    deleted: u32,
    refused: Vec<(u32, Error)>,
}

impl NewMessages {
    async fn find(mut client: PopClient, known: HashSet<String>) -> Result<Self, Error> {
        client.ask_behind_login().await?;
        let (uidl, list) = client.list_both().await?;
        let entries = listing::joined(&list.text, &uidl.text).map_err(|row| {
            unparsed(&String::from_utf8_lossy(&row), Stage::Command(List::NAME), client.core())
        })?;
        let (mut new, mut too_large) = (Vec::new(), VecDeque::new());
        let (mut known_here, mut seen) = (BTreeSet::new(), HashSet::new());
        for (&number, entry) in &entries {
            seen.extend(entry.id.as_deref());
            if entry.id.as_ref().is_some_and(|id| known.contains(id)) {
                known_here.insert(number);
            } else if entry.octets.is_some_and(|octets| octets > client.limits().literal) {
                too_large.push_back(number);
            } else {
                // Of a size that is not known, none is asked for ahead.
                new.push((number, entry.octets.unwrap_or(u64::MAX)));
            }
        }
        let gone = known.iter().filter(|id| !seen.contains(id.as_str())).cloned().collect();
        let ahead = if expires_at_once(&client) { 0 } else { client.limits().settle };
        *client.flight_mut() = Flight::bounded(Retr::NAME, Shape::Message, new, ahead);
        Ok(Self {
            client,
            entries,
            known: known_here,
            gone,
            too_large,
            unstored: HashSet::new(),
            stored: HashSet::new(),
            doomed: BTreeSet::new(),
        })
    }

    /// The next new message; `None` when all have come. They come in the order of their numbers,
    /// those that are too large last.
    ///
    /// A message that cannot be had does not end the others: its [`NewMessage`] says why, and it is
    /// new again the next time.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Net`] or [`Error::Protocol`] if the connection is gone. What
    /// came before is good; nothing is deleted. Connect and sync again.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped: the next call goes on where this one stopped.
    pub async fn next(&mut self) -> Result<Option<NewMessage>, Error> {
        if !self.client.is_open() {
            // Having no more messages would be taken for having had all.
            self.client.rest(Retr::NAME).await?;
        }
        let Some((number, answer)) = self.client.next_answer().await? else {
            return Ok(self.next_too_large());
        };
        // One that turned out to be too large was read by RETR all the same.
        if matches!(answer, Ok(_) | Err(Error::TooLarge { .. })) {
            self.unstored.insert(number);
        }
        Ok(Some(self.new_message(number, answer.map(|response| response.text))))
    }

    fn next_too_large(&mut self) -> Option<NewMessage> {
        let number = self.too_large.pop_front()?;
        let octets = self.entries.get(&number).and_then(|entry| entry.octets).unwrap_or(u64::MAX);
        let limit = self.client.limits().literal;
        Some(self.new_message(number, Err(Error::TooLarge { octets, limit })))
    }

    fn new_message(&self, number: u32, message: Result<Bytes, Error>) -> NewMessage {
        let entry = self.entries.get(&number);
        NewMessage {
            number,
            id: entry.and_then(|entry| entry.id.clone()),
            octets: entry.and_then(|entry| entry.octets),
            message,
        }
    }

    /// How many messages have still to come.
    pub fn left(&self) -> usize {
        self.client.flight().left() + self.too_large.len()
    }

    /// The identifiers among `known` that the maildrop still holds, in the order of their
    /// messages.
    pub fn known(&self) -> impl Iterator<Item = &str> {
        self.known.iter().filter_map(|number| self.entries.get(number)?.id.as_deref())
    }

    /// The identifiers among `known` by which nothing in the maildrop is known any longer: they
    /// can be forgotten.
    pub fn gone(&self) -> impl Iterator<Item = &str> {
        self.gone.iter().map(String::as_str)
    }

    /// Says that the caller has stored this message and its identifier for good. It stays on the
    /// server.
    ///
    /// It matters at servers that delete what was read when the session ends properly (EXPIRE 0,
    /// as Gmail says): there [`finish`](Self::finish) ends it properly only if all that was read
    /// is stored.
    pub fn stored(&mut self, message: &NewMessage) {
        if self.came_from_here(message) {
            self.unstored.remove(&message.number);
            self.stored.insert(message.number);
        }
    }

    /// The same, and [`finish`](Self::finish) deletes it from the server. A message that did not
    /// come is not deleted.
    pub fn delete(&mut self, message: &NewMessage) {
        if self.came_from_here(message) {
            self.stored(message);
            self.doomed.insert(message.number);
        }
    }

    /// Has [`finish`](Self::finish) delete the messages that the caller knew before, too: those
    /// of a session that died between storing and deleting, or of a time when they were kept.
    pub fn delete_known(&mut self) {
        self.doomed.extend(&self.known);
    }

    /// Numbers mean other messages in other sessions.
    fn came_from_here(&self, message: &NewMessage) -> bool {
        let entry = self.entries.get(&message.number);
        let given =
            self.unstored.contains(&message.number) || self.stored.contains(&message.number);
        given && message.message.is_ok() && entry.is_some_and(|entry| entry.id == message.id)
    }

    /// Deletes what is to be deleted and ends the session by QUIT. `Ok` is the server's word that
    /// it did.
    ///
    /// What was asked for ahead and not taken by [`next`](Self::next) is read first and thrown
    /// away; it is new the next time.
    ///
    /// # Errors
    /// - [`Error::Refused`]: the server did not delete all (RFC 1939 section 6).
    /// - [`Error::Unknown`]: QUIT went out and its answer was lost. What the next session
    ///   still lists was not deleted.
    /// - [`Error::Unstored`]: see [`stored`](Self::stored). Nothing was deleted.
    /// - Any other: the connection was gone before, or nothing was to be deleted. Nothing was
    ///   deleted, but perhaps what was read at a server that offers EXPIRE 0; all of that is
    ///   [`stored`](Self::stored).
    ///
    /// # Cancel safety
    /// If the future is dropped, the server may or may not have deleted the messages.
    pub async fn finish(mut self) -> Result<Finished, Error> {
        // What was asked for ahead counts as read, too.
        self.unstored.extend(self.client.flight().asked());
        if !self.unstored.is_empty() && expires_at_once(&self.client) {
            let messages = u32::try_from(self.unstored.len()).unwrap_or(u32::MAX);
            return Err(Error::Unstored { messages });
        }
        self.client.flight_mut().ask_no_more();
        while self.client.next_answer().await?.is_some() {}
        let mut done = Finished { deleted: 0, refused: Vec::new() };
        let doomed = std::mem::take(&mut self.doomed);
        self.client.set_marked(u32::try_from(doomed.len()).unwrap_or(u32::MAX));
        *self.client.flight_mut() = Flight::new(Dele::NAME, Shape::Line, doomed);
        while let Some((number, answer)) = self.client.next_answer().await? {
            match answer {
                Ok(_) => done.deleted += 1,
                Err(error) => done.refused.push((number, error)),
            }
        }
        self.client.set_marked(done.deleted);
        self.client.end().await?;
        Ok(done)
    }
}

/// Whether QUIT deletes what was read (RFC 2449 section 6.7).
fn expires_at_once(client: &PopClient) -> bool {
    client.capabilities().expire() == Some(Expire::Days(0))
}

impl PopClient {
    /// UIDL and LIST, in one flight where that can be done.
    async fn list_both(&mut self) -> Result<(Response, Response), Error> {
        let pipelined = self.capabilities().has("PIPELINING");
        self.rest(Uidl::NAME).await?;
        self.start(Uidl::NAME, &Uidl.encode(), Uidl.shape())?;
        if pipelined {
            self.start(List::NAME, &List.encode(), List.shape())?;
        }
        let uidl = accepted(self.response(Uidl::NAME).await?, Uidl::NAME);
        let uidl = uidl.map_err(|error| self.without_uidl(error))?;
        if !pipelined {
            self.start(List::NAME, &List.encode(), List.shape())?;
        }
        let list = accepted(self.response(List::NAME).await?, List::NAME)?;
        Ok((uidl, list))
    }

    /// A server that does not know a command says so in words only.
    fn without_uidl(&self, error: Error) -> Error {
        match error {
            Error::Refused { reply, .. }
                if reply.code().is_none() && !self.capabilities().has(Uidl::NAME) =>
            {
                let offered = self.capabilities().iter().collect::<Vec<_>>().join(", ");
                Error::Unsupported { what: Uidl::NAME.to_owned(), offered }
            }
            error => error,
        }
    }
}

impl NewMessage {
    /// The message's number in this session.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Its identifier, to be known by the next time. Some servers leave it out, name two, or give
    /// the same to messages of different sizes; then the message is new every time until it is
    /// deleted.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Its size as the server lists it.
    pub const fn octets(&self) -> Option<u64> {
        self.octets
    }

    /// The message, as [`retr`](PopClient::retr) gives it. Otherwise [`Error::Refused`], or
    /// [`Error::TooLarge`], which [`retr_reader`](PopClient::retr_reader) reads in a session of its
    /// own.
    pub const fn message(&self) -> Result<&Bytes, &Error> {
        self.message.as_ref()
    }

    /// The same, taken out.
    pub fn into_message(self) -> Result<Bytes, Error> {
        self.message
    }
}

impl fmt::Debug for NewMessage {
    /// How long it is, not what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewMessage")
            .field("number", &self.number)
            .field("id", &self.id)
            .field("message", &self.message.as_ref().map(Bytes::len))
            .finish_non_exhaustive()
    }
}

impl Finished {
    /// How many messages the server has deleted.
    pub const fn deleted(&self) -> u32 {
        self.deleted
    }

    /// The numbers of the messages that the server would not delete, and why.
    pub fn refused(&self) -> impl Iterator<Item = (u32, &Error)> {
        self.refused.iter().map(|(number, error)| (*number, error))
    }
}
