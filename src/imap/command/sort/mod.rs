//! SORT, RFC 5256 section 3, with RETURN (ESORT, RFC 5267 section 3) and the display names of RFC
//! 5957: a search whose result comes in an order.
//!
//! ```text
//! C: A4 UID SORT (SUBJECT REVERSE DATE) UTF-8 SINCE 1-Feb-1994
//! S: * SORT 5 3 4 1 2
//! S: A4 OK SORT completed
//! ```
//!
//! Where there is no SORT, `by_client` does the same.

mod by_client;

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;

use bytes::Bytes;

use super::fuzzy::FUZZY;
use super::modifier::Need;
use super::number::{FoundIter, Number};
use super::search::{Finding, Search, SearchReturn, Wanted, write_returns};
use super::{Command, is_data};
use crate::imap::proto::decode::Parsed;
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Effect, Tag};
use crate::imap::types::NumberSet;
use crate::imap::{Capabilities, DoneBy, Error, Mailbox, Reply, SeqSet, Uid, UidSet};
use crate::{Misuse, Stage};

const SORT: Need = Need::offered(&["SORT", "SORT=DISPLAY"]);
const DISPLAY: Need = Need::offered(&["SORT=DISPLAY"]);

/// What to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SortKey {
    /// `ARRIVAL`: when the server received it.
    Arrival,
    /// `CC`: what stands before the `@` of the first address in Cc.
    Cc,
    /// `DATE`: when it was sent, by its Date field.
    Date,
    /// `DISPLAYFROM`: the name shown for the first sender, or the address (RFC 5957).
    DisplayFrom,
    /// `DISPLAYTO`: the name shown for the first recipient, or the address (RFC 5957).
    DisplayTo,
    /// `FROM`: what stands before the `@` of the first address in From.
    From,
    /// `RELEVANCY`: how well it fits, the best first (RFC 6203). Only of a search by
    /// [`Search::fuzzy`].
    Relevancy,
    /// `SIZE`: its octets.
    Size,
    /// `SUBJECT`: the subject without `Re:` and its like.
    Subject,
    /// `TO`: what stands before the `@` of the first address in To.
    To,
}

impl SortKey {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Arrival => "ARRIVAL",
            Self::Cc => "CC",
            Self::Date => "DATE",
            Self::DisplayFrom => "DISPLAYFROM",
            Self::DisplayTo => "DISPLAYTO",
            Self::From => "FROM",
            Self::Relevancy => "RELEVANCY",
            Self::Size => "SIZE",
            Self::Subject => "SUBJECT",
            Self::To => "TO",
        }
    }
}

/// An order of messages. Those that are alike in all keys come as they lie in the mailbox.
///
/// ```
/// use mailbearer::imap::{Sort, SortKey};
///
/// let newest_first = Sort::reversed(SortKey::Arrival);
/// let by_subject = Sort::by(SortKey::Subject).then_reversed(SortKey::Date);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    keys: Vec<(SortKey, bool)>,
    needs: Vec<Need>,
}

impl Sort {
    /// Ascending by this key: the earliest, smallest or first of the alphabet come first.
    pub fn by(key: SortKey) -> Self {
        Self { keys: Vec::new(), needs: vec![SORT] }.with(key, false)
    }

    /// Descending by this key.
    pub fn reversed(key: SortKey) -> Self {
        Self { keys: Vec::new(), needs: vec![SORT] }.with(key, true)
    }

    /// Those that are alike so far ascending by this key.
    pub fn then(self, key: SortKey) -> Self {
        self.with(key, false)
    }

    /// Those that are alike so far descending by this key.
    pub fn then_reversed(self, key: SortKey) -> Self {
        self.with(key, true)
    }

    /// What the server must offer.
    pub(super) fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// Refuses to sort by scores what gives none.
    pub(super) fn check(&self, fuzzy: bool, offered: &Capabilities) -> Result<(), Misuse> {
        if !fuzzy && offered.has(FUZZY.what) && self.needs.contains(&FUZZY) {
            let why = "nothing is sought by FUZZY".to_owned();
            return Err(Misuse::Argument { what: "RELEVANCY", why });
        }
        Ok(())
    }

    /// Writes the keys in parentheses.
    pub(super) fn encode<'a>(&self, line: &'a mut Line) -> &'a mut Line {
        let mut separator = "(";
        for (key, reversed) in &self.keys {
            line.raw(separator).raw(if *reversed { "REVERSE " } else { "" }).raw(key.as_str());
            separator = " ";
        }
        line.raw(")")
    }

    fn with(mut self, key: SortKey, reversed: bool) -> Self {
        match key {
            SortKey::DisplayFrom | SortKey::DisplayTo => self.needs.push(DISPLAY),
            SortKey::Relevancy => self.needs.push(FUZZY),
            _ => {}
        }
        self.keys.push((key, reversed));
        self
    }
}

/// What a search has found, in the order that was asked for, by [`Uid`] or by sequence number.
#[derive(Clone, PartialEq, Eq)]
pub struct Sorted<N> {
    ranges: Vec<(u32, u32)>,
    min: Option<u32>,
    max: Option<u32>,
    count: Option<u32>,
    mod_seq: Option<u64>,
    scores: Vec<u8>,
    fuzzy: bool,
    without_charset: bool,
    done_by: DoneBy,
    unread: usize,
    numbers: PhantomData<N>,
}

impl<N: From<NonZeroU32>> Sorted<N> {
    pub(super) fn new(mut found: Finding, returns: &[SearchReturn]) -> Self {
        if let Some(places) = found.page_to_cut(returns) {
            found.cut(places, returns);
        }
        let scores = found.scored().map(|(_, score)| score).collect();
        let Finding { ranges, min, max, count, mod_seq, partial, fuzzy, unread, .. } = found;
        Self {
            ranges: partial.unwrap_or(ranges),
            min,
            max,
            count,
            mod_seq,
            scores,
            fuzzy,
            without_charset: found.without_charset,
            done_by: DoneBy::Server,
            unread,
            numbers: PhantomData,
        }
    }

    /// The numbers, to be changed: what was told of them besides is true no longer.
    pub(super) fn ranges_mut(&mut self) -> &mut Vec<(u32, u32)> {
        (self.min, self.max, self.count, self.mod_seq) = (None, None, None, None);
        self.scores.clear();
        &mut self.ranges
    }

    /// How many messages were found.
    pub fn count(&self) -> u32 {
        let lengths = self.ranges.iter().map(|(first, last)| last - first + 1);
        self.count.unwrap_or_else(|| lengths.fold(0, u32::saturating_add))
    }

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.count() == 0 && self.min.is_none() && self.max.is_none()
    }

    /// The first in the order. `None` if nothing was found, or the server was asked for something
    /// else only.
    pub fn first(&self) -> Option<N> {
        let first = self.min.or_else(|| self.ranges.first().map(|(first, _)| *first));
        first.and_then(NonZeroU32::new).map(N::from)
    }

    /// The last in the order. `None` as for [`first`](Self::first).
    pub fn last(&self) -> Option<N> {
        let last = self.max.or_else(|| self.ranges.last().map(|(_, last)| *last));
        last.and_then(NonZeroU32::new).map(N::from)
    }

    /// All in their order. There are none if the server was asked for something else only.
    pub fn iter(&self) -> FoundIter<'_, N> {
        FoundIter::new(&self.ranges)
    }

    /// The messages in their order and how well each fits, from 1 to 100, as
    /// [`SearchReturn::Relevancy`] asks for it (RFC 6203). There are none if it was not asked for or
    /// the server did not tell.
    pub fn relevancies(&self) -> impl Iterator<Item = (N, u8)> + '_ {
        self.iter().zip(self.scores.iter().copied())
    }

    /// Who has sorted them: the client does where the server cannot.
    pub const fn done_by(&self) -> DoneBy {
        self.done_by
    }

    /// How many answers could not be read, as for
    /// [`SearchResult::unread`](crate::imap::SearchResult::unread): unless this is 0, messages may be
    /// missing here or, if the client has sorted them, be sorted by less than what was asked for.
    pub const fn unread(&self) -> usize {
        self.unread
    }

    /// Whether text beyond ASCII was sought without a word on its charset, as for
    /// [`SearchResult::is_without_charset`](crate::imap::SearchResult::is_without_charset): only
    /// where the client has sorted.
    pub const fn is_without_charset(&self) -> bool {
        self.without_charset
    }

    /// Whether messages were sought that resemble the words, too, and not only those that hold them:
    /// see [`Search::fuzzy_if_offered`].
    pub const fn is_fuzzy(&self) -> bool {
        self.fuzzy
    }

    /// The highest modification sequence of what was found, of a search by
    /// [`Search::mod_seq`] that has found something (RFC 7162).
    pub const fn mod_seq(&self) -> Option<u64> {
        self.mod_seq
    }
}

impl Sorted<Uid> {
    /// The UIDs as a set, as commands take it: without their order, for a server tells of messages as
    /// it likes. To show what is fetched in this order, look it up by UID.
    pub fn into_set(self) -> UidSet {
        UidSet::of(NumberSet::of_ranges(self.ranges))
    }
}

impl Sorted<NonZeroU32> {
    /// The sequence numbers as a set, as commands take it: without their order.
    pub fn into_set(self) -> SeqSet {
        SeqSet::of(NumberSet::of_ranges(self.ranges))
    }
}

/// Without their order: see [`Sorted::into_set`].
impl From<Sorted<Uid>> for UidSet {
    fn from(sorted: Sorted<Uid>) -> Self {
        sorted.into_set()
    }
}

/// Without their order: see [`Sorted::into_set`].
impl From<&Sorted<Uid>> for UidSet {
    fn from(sorted: &Sorted<Uid>) -> Self {
        sorted.clone().into_set()
    }
}

/// Without their order: see [`Sorted::into_set`].
impl From<Sorted<NonZeroU32>> for SeqSet {
    fn from(sorted: Sorted<NonZeroU32>) -> Self {
        sorted.into_set()
    }
}

/// Without their order: see [`Sorted::into_set`].
impl From<&Sorted<NonZeroU32>> for SeqSet {
    fn from(sorted: &Sorted<NonZeroU32>) -> Self {
        sorted.clone().into_set()
    }
}

impl<'a, N: From<NonZeroU32>> IntoIterator for &'a Sorted<N> {
    type Item = N;
    type IntoIter = FoundIter<'a, N>;

    fn into_iter(self) -> FoundIter<'a, N> {
        self.iter()
    }
}

impl<N: From<NonZeroU32>> fmt::Debug for Sorted<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sorted").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl Mailbox {
    /// The UIDs of the messages that match, in this order.
    ///
    /// ```no_run
    /// # async fn read(inbox: &mut mailbearer::imap::Mailbox) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::{Search, Sort, SortKey};
    ///
    /// let newest = inbox.uid_sort(Sort::reversed(SortKey::Arrival), Search::all().unseen()).await?;
    /// println!("{:?}", newest.first());
    /// # Ok(()) }
    /// ```
    ///
    /// A server without `SORT`, or without `SORT=DISPLAY` where that is needed, is asked for what
    /// the keys want of each message that matches, and the client sorts them:
    /// [`Sorted::done_by`] says so. See [`uid_sort_by_client`](Self::uid_sort_by_client) for what
    /// that costs.
    ///
    /// # Errors
    /// As for [`uid_search`](Self::uid_search); [`Error::Unsupported`] if messages are to be sorted
    /// by [`SortKey::Relevancy`] and the server does not offer that, and [`Error::Misuse`] for a
    /// set of messages too long for a line.
    ///
    /// # Cancel safety
    /// As for [`uid_search`](Self::uid_search).
    pub async fn uid_sort(&mut self, sort: Sort, search: Search) -> Result<Sorted<Uid>, Error> {
        self.uid_sort_returning(sort, search, []).await
    }

    /// `SORT`: the sequence numbers of the messages that match, in this order. They move whenever a message is expunged: see
    /// [`uid_sort`](Self::uid_sort), which is nearly always the one to use. The client does not do
    /// this, for they would move while it reads.
    ///
    /// # Errors
    /// As for [`uid_sort`](Self::uid_sort), and [`Error::Unsupported`] where that lets the client
    /// sort.
    ///
    /// # Cancel safety
    /// As for [`uid_search`](Self::uid_search).
    pub async fn sort(&mut self, sort: Sort, search: Search) -> Result<Sorted<NonZeroU32>, Error> {
        self.sorted(sort, search, &[]).await
    }

    /// Of the messages that match, the first or the last in this order, their number, or some or all
    /// UIDs, as `returns` says. Of servers without `ESORT`, for a page without `CONTEXT=SORT`, and for
    /// the first or the last, of which servers disagree what they are in an order, all are asked
    /// for, and the rest is worked out from them.
    ///
    /// # Errors
    /// As for [`uid_sort`](Self::uid_sort).
    ///
    /// # Cancel safety
    /// As for [`uid_search`](Self::uid_search).
    pub async fn uid_sort_returning(
        &mut self,
        sort: Sort,
        search: Search,
        returns: impl IntoIterator<Item = SearchReturn>,
    ) -> Result<Sorted<Uid>, Error> {
        let returns: Vec<_> = returns.into_iter().collect();
        self.session.rest(Stage::Command(Uid::SORT)).await?;
        let core = self.session.core();
        let is_met = |need: &Need| need.is_met(core.capabilities(), core.enabled());
        let by_server = sort.needs.iter().all(is_met) || sort.needs.contains(&FUZZY);
        match by_server {
            true => self.sorted(sort, search, &returns).await,
            false => self.sorted_by_client(sort, search, &returns).await,
        }
    }

    /// `SORT RETURN`: of the messages that match, the first or the last in this order, their number, or
    /// some or all sequence numbers, as `returns` says. See
    /// [`uid_sort_returning`](Self::uid_sort_returning), which is nearly always the one to use.
    ///
    /// # Errors
    /// As for [`sort`](Self::sort).
    ///
    /// # Cancel safety
    /// As for [`uid_search`](Self::uid_search).
    pub async fn sort_returning(
        &mut self,
        sort: Sort,
        search: Search,
        returns: impl IntoIterator<Item = SearchReturn>,
    ) -> Result<Sorted<NonZeroU32>, Error> {
        let returns: Vec<_> = returns.into_iter().collect();
        self.sorted(sort, search, &returns).await
    }

    async fn sorted<N: Number>(
        &mut self,
        sort: Sort,
        search: Search,
        returns: &[SearchReturn],
    ) -> Result<Sorted<N>, Error> {
        SearchReturn::check(returns, &search)?;
        self.session.rest(Stage::Command(N::SORT)).await?;
        let offered = self.session.core().capabilities();
        let fuzzy = search.is_fuzzy(offered);
        sort.check(fuzzy, offered)?;
        let asked = match offered.has("ESORT") {
            true => {
                // Cyrus 3.6 tells the lowest and the highest number for MIN and MAX, whatever the
                // order (RFC 5267 section 3.1): they are taken from all.
                let ends = |wanted| matches!(wanted, &SearchReturn::Min | &SearchReturn::Max);
                let page = SearchReturn::page(returns);
                let paged = page.is_none_or(|page| page.is_sorted_by(offered));
                SearchReturn::to_ask(returns, paged && !returns.iter().any(ends), fuzzy)
            }
            false => {
                search.refuse_unscored(returns, offered, Stage::Command(N::SORT), "ESORT")?;
                Vec::new()
            }
        };
        let command = SortCommand::<N>::new(sort, search, &asked);
        self.session.refuse_too_long(&command, &command.search)?;
        let found = self.session.run(command, Stage::Command(N::SORT)).await?;
        Ok(Sorted::new(Finding { fuzzy, ..found }, returns))
    }
}

struct SortCommand<'a, N> {
    sort: Sort,
    search: Search,
    returns: &'a [SearchReturn],
    needs: Vec<Need>,
    tag: Tag,
    found: Finding,
    numbers: PhantomData<N>,
}

impl<'a, N> SortCommand<'a, N> {
    fn new(sort: Sort, search: Search, returns: &'a [SearchReturn]) -> Self {
        let needs = [sort.needs(), search.needs()].concat();
        let (found, numbers) = Default::default();
        Self { sort, search, returns, needs, tag: Tag::NONE, found, numbers }
    }
}

impl<N: Number> Command for SortCommand<'_, N> {
    type Output = Finding;

    fn name(&self) -> &'static str {
        N::SORT
    }

    fn encode(&self, line: &mut Line, offered: &Capabilities) -> Result<(), Misuse> {
        line.raw(N::SORT).raw(" ");
        write_returns(line, self.returns);
        // RFC 5256 section 3: every server has this charset.
        self.search.encode(self.sort.encode(line).raw(" UTF-8 "), offered)
    }

    fn needs(&self) -> &[Need] {
        &self.needs
    }

    fn effect(&self) -> Effect {
        Effect::Search { saves: false }
    }

    fn started(&mut self, tag: Tag, _: bool) {
        self.tag = tag;
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_data(response, "SORT") || is_data(response, "ESEARCH"))
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        let page = SearchReturn::page(self.returns);
        self.found.take_response(response, &Wanted { tag: self.tag, uids: N::ARE_UIDS, page })
    }

    fn finish(self, _: Reply) -> Finding {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;
    use crate::imap::{Date, Event, Partial};

    fn since() -> Search {
        Search::all().since(Date::new(1994, 2, 1).unwrap())
    }

    #[test]
    fn the_examples_of_rfc_5256_come_in_their_order() {
        let script = "
            S: * PREAUTH hi
            C: A1 SORT (SUBJECT REVERSE DATE) UTF-8 ALL
            S: * SORT 5 3 4 1 2
            S: A1 OK SORT completed
        ";
        let sort = || Sort::by(SortKey::Subject).then_reversed(SortKey::Date);
        let command = || SortCommand::<NonZeroU32>::new(sort(), Search::all(), &[]);
        play(command, script, |played| {
            let sorted = Sorted::<NonZeroU32>::new(played.output.unwrap(), &[]);
            assert_eq!(sorted.iter().map(NonZeroU32::get).collect::<Vec<_>>(), [5, 3, 4, 1, 2]);
            assert_eq!((sorted.first(), sorted.last()), (NonZeroU32::new(5), NonZeroU32::new(2)));
            assert_eq!(sorted.count(), 5);
        });
        let script = "
            S: * PREAUTH hi
            C: A1 UID SORT (SUBJECT) UTF-8 SINCE 1-Feb-1994
            S: * SORT
            S: A1 OK SORT completed
        ";
        let command = || SortCommand::<Uid>::new(Sort::by(SortKey::Subject), since(), &[]);
        play(command, script, |played| {
            assert!(Sorted::<Uid>::new(played.output.unwrap(), &[]).is_empty());
        });
    }

    #[test]
    fn an_extended_answer_keeps_the_order_and_ranges_ascend_in_it() {
        // RFC 5267 section 3.3 and RFC 7162 section 3.1.10.
        let script = "
            S: * PREAUTH hi
            C: A1 UID SORT RETURN (ALL COUNT) (REVERSE DATE) UTF-8 UNDELETED
            S: * ESEARCH (TAG \"A1\") UID ALL 23765,23764,10:12,9:7 COUNT 8 MODSEQ 1236
            S: * ESEARCH (TAG \"A9\") UID ALL 1
            S: A1 OK Sort completed
        ";
        let returns = [SearchReturn::All, SearchReturn::Count];
        let sort = || Sort::reversed(SortKey::Date);
        let command = || SortCommand::<Uid>::new(sort(), Search::all().undeleted(), &returns);
        play(command, script, |mut played| {
            let sorted = Sorted::<Uid>::new(played.output.unwrap(), &returns);
            let uids: Vec<_> = sorted.iter().map(Uid::get).collect();
            assert_eq!(uids, [23765, 23764, 10, 11, 12, 7, 8, 9]);
            assert_eq!((sorted.count(), sorted.mod_seq()), (8, Some(1236)));
            assert_eq!(sorted.into_set().to_string(), "7:12,23764:23765");
            assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })));
        });
    }

    #[test]
    fn what_the_server_cannot_tell_alone_is_worked_out_from_all() {
        let mut found = Finding::default();
        found.take(b"5 3 4 1 2 9 8 (MODSEQ 7)").unwrap();
        let partial = |partial| {
            let wanted = [SearchReturn::Partial(partial), SearchReturn::Count, SearchReturn::Max];
            let sorted = Sorted::<Uid>::new(found.clone(), &wanted);
            assert_eq!(sorted.last(), Uid::new(8));
            (sorted.count(), sorted.iter().map(Uid::get).collect::<Vec<_>>())
        };
        assert_eq!(partial(Partial::from_start(2..=4)), (7, vec![3, 4, 1]));
        assert_eq!(partial(Partial::from_end(1..=3)), (7, vec![2, 9, 8]));
        assert_eq!(partial(Partial::from_start(8..=9)), (7, vec![]));
        assert_eq!(Sorted::<Uid>::new(found, &[]).mod_seq(), Some(7));
    }

    #[test]
    fn names_for_display_need_an_extension_of_their_own() {
        let sort = Sort::by(SortKey::From).then(SortKey::DisplayTo);
        let command = SortCommand::<Uid>::new(sort, Search::all().younger(Default::default()), &[]);
        let needs: Vec<_> = command.needs().iter().map(|need| need.what).collect();
        assert_eq!(needs, ["SORT", "SORT=DISPLAY", "WITHIN"]);
    }
}
