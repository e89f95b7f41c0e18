//! ESEARCH, RFC 7377 (MULTISEARCH): one search through many mailboxes, of which none need be
//! selected.
//!
//! ```text
//! C: A4 ESEARCH IN (mailboxes (folder1) subtree (folder2)) UNSEEN
//! S: * ESEARCH (TAG "A4" MAILBOX "folder1" UIDVALIDITY 1) UID ALL 4001,4003,4005,4007,4009
//! S: * ESEARCH (TAG "A4" MAILBOX "folder2/banana" UIDVALIDITY 503) UID ALL 3002,4004
//! S: A4 OK done
//! ```
//!
//! Each answer says which search and which mailbox it belongs to, so that several searches share a
//! flight. There is no way around a server that lacks this: each mailbox would have to be opened,
//! and the selected one left.

mod source;

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;

use bytes::Bytes;

pub use self::source::SearchSource;
use super::modifier::Need;
use super::search::{
    Charset, Correlators, Finding, Search, SearchResult, SearchReturn, write_returns,
};
use super::{Command, Fit, is_data};
use crate::imap::proto::decode::{Cursor, Malformed, Parsed};
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Effect, Tag};
use crate::imap::session::Session;
use crate::imap::{Capabilities, Code, Error, ImapClient, MailboxName, Reply, Uid};
use crate::{Misuse, Stage};

const MULTISEARCH: Need = Need::offered(&["MULTISEARCH"]);
const STAGE: Stage = Stage::Command("ESEARCH");

/// A search through mailboxes.
///
/// ```
/// use mailbearer::imap::{MultiSearch, Search, SearchReturn, SearchSource};
///
/// let unread = MultiSearch::new(SearchSource::personal(), Search::all().unseen());
/// let counted = unread.clone().returning([SearchReturn::Count]);
/// ```
#[derive(Debug, Clone)]
pub struct MultiSearch {
    source: SearchSource,
    search: Search,
    returns: Vec<SearchReturn>,
}

impl MultiSearch {
    /// For all UIDs of the messages that match in these mailboxes.
    pub const fn new(source: SearchSource, search: Search) -> Self {
        Self { source, search, returns: Vec::new() }
    }

    /// For something else of each mailbox: the lowest or highest UID, the number of messages, or a
    /// page.
    pub fn returning(mut self, returns: impl IntoIterator<Item = SearchReturn>) -> Self {
        self.returns = returns.into_iter().collect();
        self
    }
}

/// What was found, mailbox by mailbox: only those in which something was.
///
/// Servers pass over mailboxes that do not exist or that the user may not read.
#[derive(Clone, Default)]
pub struct MultiSearchResult {
    mailboxes: Vec<MailboxMatches>,
    unread: usize,
    without_charset: bool,
    limited: bool,
}

impl MultiSearchResult {
    /// The mailboxes, in the order of the server.
    pub fn iter(&self) -> std::slice::Iter<'_, MailboxMatches> {
        self.mailboxes.iter()
    }

    /// In how many mailboxes something was found.
    pub const fn len(&self) -> usize {
        self.mailboxes.len()
    }

    /// Whether nothing was found.
    pub const fn is_empty(&self) -> bool {
        self.mailboxes.is_empty()
    }

    /// Whether this is all that there is. It is not if the server gave up at a limit of its own
    /// (`OK [LIMIT]`), or some of its answers could not be read; these are among the events.
    pub const fn is_complete(&self) -> bool {
        self.unread == 0 && !self.limited
    }

    /// Whether text beyond ASCII was sought without a word on its charset: see
    /// [`SearchResult::is_without_charset`].
    pub const fn is_without_charset(&self) -> bool {
        self.without_charset
    }

    /// How many answers could not be read, and are among the events: if there are any, mailboxes
    /// are missing here.
    pub const fn unread(&self) -> usize {
        self.unread
    }
}

impl<'a> IntoIterator for &'a MultiSearchResult {
    type Item = &'a MailboxMatches;
    type IntoIter = std::slice::Iter<'a, MailboxMatches>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for MultiSearchResult {
    type Item = MailboxMatches;
    type IntoIter = std::vec::IntoIter<MailboxMatches>;

    fn into_iter(self) -> Self::IntoIter {
        self.mailboxes.into_iter()
    }
}

impl fmt::Debug for MultiSearchResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiSearchResult")
            .field("mailboxes", &self.mailboxes.len())
            .field("complete", &self.is_complete())
            .finish_non_exhaustive()
    }
}

/// What was found in one mailbox.
#[derive(Debug, Clone)]
pub struct MailboxMatches {
    name: MailboxName,
    uid_validity: NonZeroU32,
    found: SearchResult<Uid>,
}

impl MailboxMatches {
    /// Its name.
    pub const fn name(&self) -> &MailboxName {
        &self.name
    }

    /// As long as this is the same, a UID names the same message: what to hand to
    /// [`select_if`](ImapClient::select_if).
    pub const fn uid_validity(&self) -> NonZeroU32 {
        self.uid_validity
    }

    /// The messages.
    pub const fn found(&self) -> &SearchResult<Uid> {
        &self.found
    }
}

impl ImapClient {
    /// Searches many mailboxes at once. The selected mailbox stays selected.
    ///
    /// ```no_run
    /// # async fn read(imap: &mut mailbearer::ImapClient) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::{MultiSearch, Search, SearchSource};
    ///
    /// let search = MultiSearch::new(SearchSource::personal(), Search::all().from("Smith"));
    /// for mailbox in imap.multi_search(search).await?.iter() {
    ///     println!("{}: {} messages", mailbox.name(), mailbox.found().count());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer `MULTISEARCH`. [`Error::Refused`] if it
    /// does not take a key, does not search in UTF-8 ([`Code::BadCharset`]), or finds this too much
    /// ([`Code::Limit`]). [`Error::Misuse`] for [`SearchSource::selected`] while nothing is
    /// selected, for a source that names no mailbox, for names or sets too long for a line, and for
    /// what cannot be sent.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn multi_search(&mut self, search: MultiSearch) -> Result<MultiSearchResult, Error> {
        let searches = self.multi_search_all([search]).await?;
        // There is one result for each search.
        searches.into_iter().next().unwrap_or_else(|| Ok(MultiSearchResult::default()))
    }

    /// Several such searches in one flight: their results in the order of the searches. That one of
    /// them is refused is its own result, and the others have theirs.
    ///
    /// # Errors
    /// As for [`multi_search`](Self::multi_search), but for refusals; [`Error::Closed`] and
    /// [`Error::Net`] if the connection breaks, and then there are no results at all.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn multi_search_all(
        &mut self,
        searches: impl IntoIterator<Item = MultiSearch>,
    ) -> Result<Vec<Result<MultiSearchResult, Error>>, Error> {
        let session = &mut self.mailbox.session;
        session.rest(STAGE).await?;
        let searches = searches.into_iter().map(|search| Esearch::new(search, session));
        let mut commands = searches.collect::<Result<Vec<_>, _>>()?;
        let alone = commands.len() == 1;
        commands.iter_mut().for_each(|command| command.alone = alone);
        let again = commands.clone();
        let mut results = session.run_all(commands, STAGE).await?;
        for (result, mut again) in results.iter_mut().zip(again) {
            if again.charset.leave_out(result) {
                again.alone = true;
                *result = session.run(again, STAGE).await;
            }
        }
        Ok(results)
    }
}

#[derive(Clone)]
struct Esearch {
    source: SearchSource,
    search: Search,
    /// What the caller wants, and what the server is asked for.
    returns: Vec<SearchReturn>,
    asked: Vec<SearchReturn>,
    charset: Charset,
    fuzzy: bool,
    needs: Vec<Need>,
    selected: Option<MailboxName>,
    /// Whether no other shares its flight.
    alone: bool,
    tag: Tag,
    utf8: bool,
    found: Found,
}

impl Esearch {
    fn new(search: MultiSearch, session: &Session) -> Result<Self, Error> {
        let MultiSearch { source, search, returns } = search;
        SearchReturn::check(&returns, &search)?;
        let core = session.core();
        let offered = core.capabilities();
        let selected = core.selected().map(|selected| selected.name.clone());
        let fuzzy = search.is_fuzzy(offered);
        let page = SearchReturn::page(&returns);
        let paged = page.is_none_or(|page| page.is_told_by(offered));
        let command = Self {
            asked: SearchReturn::to_ask(&returns, paged, fuzzy),
            charset: Charset::of(&search, core),
            needs: [&[MULTISEARCH], search.needs()].concat(),
            source,
            search,
            returns,
            fuzzy,
            selected,
            alone: true,
            tag: Tag::NONE,
            utf8: false,
            found: Found::default(),
        };
        if let Some((octets, limit)) = session.too_long(&command)? {
            let why = format!("it would be {octets} octets long, and a line takes {limit}");
            return Err(Misuse::Argument { what: "search", why }.into());
        }
        if command.source.wants_selected() && command.selected.is_none() {
            let why = "no mailbox is selected".to_owned();
            return Err(Misuse::Argument { what: "selected", why }.into());
        }
        Ok(command)
    }
}

impl Command for Esearch {
    type Output = MultiSearchResult;

    fn name(&self) -> &'static str {
        "ESEARCH"
    }

    fn encode(&self, line: &mut Line, offered: &Capabilities) -> Result<(), Misuse> {
        self.source.encode(line.raw("ESEARCH "))?;
        write_returns(line.raw(" "), &self.asked);
        self.charset.encode(line);
        self.search.encode(line, offered)
    }

    fn needs(&self) -> &[Need] {
        &self.needs
    }

    fn effect(&self) -> Effect {
        Effect::Search { saves: false }
    }

    fn started(&mut self, tag: Tag, utf8: bool) {
        (self.tag, self.utf8) = (tag, utf8);
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_data(response, "ESEARCH"))
    }

    fn fit(&self, response: &Response<'_>) -> Fit {
        let Response::Data { rest, .. } = response else { return Fit::No };
        match Correlators::read(&mut Cursor::new(rest)) {
            Ok(Correlators { tag: Some(tag), .. }) if tag == self.tag => Fit::Exact,
            Ok(Correlators { tag: Some(_), .. }) => Fit::No,
            // An update always has a tag: it answers, and is to be missed if it cannot be read.
            Err(_) => Fit::Exact,
            Ok(_) if self.alone => Fit::Exact,
            Ok(_) => Fit::Loose,
        }
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        let Response::Data { rest, .. } = response else { return Ok(()) };
        let mut cursor = Cursor::new(rest);
        let read = Correlators::read(&mut cursor);
        if matches!(read, Ok(Correlators { tag: Some(tag), .. }) if tag != self.tag) {
            return Err(Malformed("the tag of the running search"));
        }
        let taken = read.and_then(|correlators| self.take(correlators, &mut cursor));
        taken.inspect_err(|_| self.found.unread += 1)
    }

    fn weight(&self) -> usize {
        self.found.weight
    }

    fn finish(self, reply: Reply) -> MultiSearchResult {
        let (fuzzy, without_charset) = (self.fuzzy, self.charset.is_left_out());
        let of = |(name, uid_validity, found)| {
            let found = Finding { fuzzy, without_charset, ..found };
            let found = SearchResult::new(found, &self.returns);
            MailboxMatches { name, uid_validity, found }
        };
        MultiSearchResult {
            mailboxes: self.found.mailboxes.into_iter().map(of).collect(),
            unread: self.found.unread,
            without_charset,
            limited: matches!(reply.code(), Some(Code::Limit)),
        }
    }
}

impl Esearch {
    fn take(&mut self, correlators: Correlators<'_>, rest: &mut Cursor<'_>) -> Parsed<()> {
        if correlators.tag.is_none() && !self.alone {
            return Err(Malformed("the tag of a search"));
        }
        let name = correlators.mailbox.ok_or(Malformed("the name of a mailbox"))?;
        let name = MailboxName::heard(name.into_owned(), self.utf8);
        let validity = correlators.uid_validity.ok_or(Malformed("a UIDVALIDITY"))?;
        if !self.source.may_hold(&name, self.selected.as_ref()) {
            return Err(Malformed("a mailbox that was to be searched"));
        }
        rest.spaces();
        // Sequence numbers would be those of another mailbox (RFC 7377 section 2.1).
        let mut ahead = *rest;
        if !ahead.eat_word(b"UID") && !ahead.at_end() {
            return Err(Malformed("UIDs"));
        }
        // Nothing of an answer that cannot be read to its end counts.
        let mut finding = Finding::default();
        finding.take_items(rest, SearchReturn::page(&self.asked))?;
        self.found.add(name, validity, finding)
    }
}

/// What has been found so far.
#[derive(Debug, Clone, Default)]
struct Found {
    mailboxes: Vec<(MailboxName, NonZeroU32, Finding)>,
    places: HashMap<MailboxName, usize>,
    unread: usize,
    /// Octets of what was added last.
    weight: usize,
}

impl Found {
    fn add(&mut self, name: MailboxName, validity: NonZeroU32, found: Finding) -> Parsed<()> {
        const ROOM: usize =
            size_of::<(MailboxName, NonZeroU32, Finding)>() + size_of::<(MailboxName, usize)>();
        self.weight =
            ROOM + 2 * name.as_wire().len() + found.ranges.len() * size_of::<(u32, u32)>();
        let place = *self.places.entry(name.clone()).or_insert(self.mailboxes.len());
        match self.mailboxes.get_mut(place) {
            Some((_, known, before)) if *known == validity => before.join(found),
            Some(_) => return Err(Malformed("the UIDVALIDITY that the mailbox had before")),
            None => self.mailboxes.push((name, validity, found)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
