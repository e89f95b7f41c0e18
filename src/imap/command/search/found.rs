//! What a search has found.

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;

use crate::imap::command::fuzzy;
use crate::imap::command::number::FoundIter;
use crate::imap::proto::Tag;
use crate::imap::proto::decode::{Cursor, Malformed, Parsed, parse_u32, parse_u64};
use crate::imap::proto::response::Response;
use crate::imap::types::NumberSet;
use crate::imap::{SeqSet, Uid, UidSet};

use super::correlator::Correlators;
use super::{Partial, SearchReturn};

/// The messages that a search has found, by [`Uid`] or by sequence number, in ascending order.
///
/// Where numbers follow each other only the first and the last are kept, so a result takes at most
/// eight octets a message and mostly far less.
#[derive(Clone, PartialEq, Eq)]
pub struct SearchResult<N> {
    set: NumberSet,
    min: Option<u32>,
    max: Option<u32>,
    count: Option<u32>,
    mod_seq: Option<u64>,
    /// By their numbers, in ascending order.
    scores: Vec<(u32, u8)>,
    fuzzy: bool,
    unread: usize,
    without_charset: bool,
    numbers: PhantomData<N>,
}

impl<N: From<NonZeroU32>> SearchResult<N> {
    /// What of it was asked for. A page that the server has not told is cut out of all there is.
    pub(in crate::imap::command) fn new(found: Finding, returns: &[SearchReturn]) -> Self {
        let mut found = found;
        if let Some(places) = found.page_to_cut(returns) {
            found.ranges = NumberSet::of_ranges(found.ranges).ranges().to_vec();
            found.cut(places, returns);
        }
        let mut scores: Vec<_> = found.scored().collect();
        scores.sort_unstable();
        scores.dedup_by_key(|(number, _)| *number);
        let numbers = PhantomData;
        let Finding { ranges, min, max, count, mod_seq, partial, fuzzy, .. } = found;
        let (unread, without_charset) = (found.unread, found.without_charset);
        let set = NumberSet::of_ranges(partial.unwrap_or(ranges));
        Self { set, min, max, count, mod_seq, scores, fuzzy, unread, without_charset, numbers }
    }

    /// The numbers, to be changed: what was told of them besides is true no longer.
    pub(in crate::imap::command) fn numbers_mut(&mut self) -> &mut NumberSet {
        (self.min, self.max, self.count, self.mod_seq) = (None, None, None, None);
        self.scores.clear();
        &mut self.set
    }

    /// Whether text beyond ASCII was sought without a word on its charset, since the server had
    /// refused the search with one. What it took the octets for, only the server knows: Outlook.com
    /// takes them for UTF-8, another may have found too little.
    pub const fn is_without_charset(&self) -> bool {
        self.without_charset
    }

    /// How many messages were found.
    pub fn count(&self) -> u32 {
        self.count.unwrap_or_else(|| self.set.count())
    }

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.count() == 0 && self.min.is_none() && self.max.is_none()
    }

    /// The lowest number. `None` if nothing was found, or the server was asked for something else
    /// only.
    pub fn min(&self) -> Option<N> {
        let min = self.min.or_else(|| self.set.first());
        min.and_then(NonZeroU32::new).map(N::from)
    }

    /// The highest number. `None` as for [`min`](Self::min).
    pub fn max(&self) -> Option<N> {
        let max = self.max.or_else(|| self.set.last());
        max.and_then(NonZeroU32::new).map(N::from)
    }

    /// The highest modification sequence of what was found, of a search by
    /// [`Search::mod_seq`](crate::imap::Search::mod_seq) that has found something (RFC 7162).
    pub const fn mod_seq(&self) -> Option<u64> {
        self.mod_seq
    }

    /// Whether messages were sought that resemble the words, too, and not only those that hold them:
    /// see [`Search::fuzzy_if_offered`](crate::imap::Search::fuzzy_if_offered).
    pub const fn is_fuzzy(&self) -> bool {
        self.fuzzy
    }

    /// The messages and how well each fits, from 1 to 100, as [`SearchReturn::Relevancy`] asks for
    /// it (RFC 6203). There are none if it was not asked for or the server did not tell.
    pub fn relevancies(&self) -> impl Iterator<Item = (N, u8)> + '_ {
        self.scores.iter().filter_map(|(number, score)| {
            NonZeroU32::new(*number).map(|number| (N::from(number), *score))
        })
    }

    /// How many answers could not be read, or told something else than was asked for: they are among
    /// the events, as [`Event::Unparsed`](crate::imap::Event::Unparsed). Unless this is 0, messages may
    /// be missing here, and so they are in a set that is made of it: who removes what a search has
    /// not found must look here first.
    pub const fn unread(&self) -> usize {
        self.unread
    }

    /// All numbers. There are none if the server was asked for something else only.
    ///
    /// They are made one by one from the ranges that the server told; to have all of them at once,
    /// look at [`count`](Self::count) first: in one line a server can tell of four thousand million.
    pub fn iter(&self) -> FoundIter<'_, N> {
        FoundIter::new(self.set.ranges())
    }
}

impl<'a, N: From<NonZeroU32>> IntoIterator for &'a SearchResult<N> {
    type Item = N;
    type IntoIter = FoundIter<'a, N>;

    fn into_iter(self) -> FoundIter<'a, N> {
        self.iter()
    }
}

impl SearchResult<Uid> {
    /// The UIDs as a set, as commands take it. It lacks what could not be read: see
    /// [`unread`](Self::unread).
    pub fn into_set(self) -> UidSet {
        UidSet::of(self.set)
    }
}

impl SearchResult<NonZeroU32> {
    /// The sequence numbers as a set, as commands take it. It lacks what could not be read: see
    /// [`unread`](Self::unread).
    pub fn into_set(self) -> SeqSet {
        SeqSet::of(self.set)
    }
}

impl From<SearchResult<Uid>> for UidSet {
    fn from(found: SearchResult<Uid>) -> Self {
        found.into_set()
    }
}

impl From<&SearchResult<Uid>> for UidSet {
    fn from(found: &SearchResult<Uid>) -> Self {
        found.clone().into_set()
    }
}

impl From<SearchResult<NonZeroU32>> for SeqSet {
    fn from(found: SearchResult<NonZeroU32>) -> Self {
        found.into_set()
    }
}

impl From<&SearchResult<NonZeroU32>> for SeqSet {
    fn from(found: &SearchResult<NonZeroU32>) -> Self {
        found.clone().into_set()
    }
}

impl<N: From<NonZeroU32>> fmt::Debug for SearchResult<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SearchResult")
            .field("count", &self.count())
            .field("set", &format_args!("{}", self.set))
            .field("unread", &self.unread)
            .finish_non_exhaustive()
    }
}

/// What an answer must be about.
#[derive(Debug, Clone, Copy)]
pub(in crate::imap::command) struct Wanted {
    /// The tag of the command.
    pub(in crate::imap::command) tag: Tag,
    /// Whether it asks for UIDs.
    pub(in crate::imap::command) uids: bool,
    /// The page that it asks for.
    pub(in crate::imap::command) page: Option<Partial>,
}

/// What has been found so far, in the order of the server.
#[derive(Debug, Clone, Default)]
pub(in crate::imap::command) struct Finding {
    pub(in crate::imap::command) ranges: Vec<(u32, u32)>,
    pub(in crate::imap::command) min: Option<u32>,
    pub(in crate::imap::command) max: Option<u32>,
    pub(in crate::imap::command) count: Option<u32>,
    pub(in crate::imap::command) mod_seq: Option<u64>,
    /// The page that was asked for.
    pub(in crate::imap::command) partial: Option<Vec<(u32, u32)>>,
    /// How well each of them fits, in their order.
    pub(in crate::imap::command) scores: Vec<u8>,
    /// Whether what is like what was sought was to be found.
    pub(in crate::imap::command) fuzzy: bool,
    /// Answers that could not be read, or not to their end.
    pub(in crate::imap::command) unread: usize,
    /// The server had refused the search with a charset.
    pub(in crate::imap::command) without_charset: bool,
}

impl Finding {
    /// Takes a response, in whatever form.
    pub(in crate::imap::command) fn take_response(
        &mut self,
        response: &Response<'_>,
        wanted: &Wanted,
    ) -> Parsed<()> {
        let read = match response {
            Response::Data { name, rest } if name.eq_ignore_ascii_case(b"ESEARCH") => {
                self.take_extended(rest, wanted)
            }
            Response::Data { rest, .. } => self.take(rest),
            _ => Ok(()),
        };
        read.inspect_err(|_| self.unread += 1)
    }

    /// Takes what follows `* SEARCH` or `* SORT`. What is no number is passed over and reported.
    pub(in crate::imap::command) fn take(&mut self, rest: &[u8]) -> Parsed<()> {
        // RFC 7162 section 3.1.5 puts `(MODSEQ n)` behind the numbers.
        let end = memchr::memchr(b'(', rest).unwrap_or(rest.len());
        let mut behind = Cursor::new(rest.get(end..).unwrap_or_default());
        if behind.eat(b'(') && behind.eat_word(b"MODSEQ") {
            behind.spaces();
            self.heed_mod_seq(behind.digits());
        }
        let mut odd = false;
        let (mut number, mut digits) = (0_u64, 0_usize);
        for octet in rest.get(..end).unwrap_or_default().iter().chain(b" ") {
            match octet {
                b'0'..=b'9' => {
                    // Of 20 digits and more none is a number of 32 bits.
                    number = number.wrapping_mul(10).wrapping_add(u64::from(octet - b'0'));
                    digits += 1;
                }
                b' ' | b'\r' | b'\n' => {
                    match u32::try_from(number) {
                        Ok(number) if number != 0 && digits < 20 => self.push(number),
                        _ => odd |= digits > 0,
                    }
                    (number, digits) = (0, 0);
                }
                _ => {
                    // The rest of this word is none either.
                    digits = 20;
                }
            }
        }
        if odd { Err(Malformed("message numbers of 32 bits")) } else { Ok(()) }
    }

    /// The page that was asked for, where the server has told all in its place.
    pub(in crate::imap::command) fn page_to_cut(
        &self,
        returns: &[SearchReturn],
    ) -> Option<Partial> {
        SearchReturn::page(returns).filter(|_| self.partial.is_none())
    }

    /// Works out what was asked for besides a page, and the page, from all there is in its order.
    pub(in crate::imap::command) fn cut(&mut self, places: Partial, returns: &[SearchReturn]) {
        let asked = |what| returns.contains(&what);
        let first = self.ranges.first().map(|(first, _)| *first);
        let last = self.ranges.last().map(|(_, last)| *last);
        self.min = self.min.or_else(|| first.filter(|_| asked(SearchReturn::Min)));
        self.max = self.max.or_else(|| last.filter(|_| asked(SearchReturn::Max)));
        let total = count(&self.ranges);
        let told = u32::try_from(total).unwrap_or(u32::MAX);
        self.count = self.count.or_else(|| asked(SearchReturn::Count).then_some(told));
        self.partial = Some(places.of(&self.ranges));
        if total > 0 && self.scores.len() as u64 == total {
            // Their places are numbers from 1 on.
            let these = places.of(&[(1, told)]);
            let these = these
                .first()
                .and_then(|(first, last)| self.scores.get(*first as usize - 1..*last as usize));
            self.scores = these.unwrap_or_default().to_vec();
        }
    }

    /// The numbers with their scores; none if there is not one for each.
    pub(in crate::imap::command) fn scored(&self) -> impl Iterator<Item = (u32, u8)> + '_ {
        let ranges = self.partial.as_ref().unwrap_or(&self.ranges);
        let complete = count(ranges) == self.scores.len() as u64;
        let numbers = ranges.iter().flat_map(|(first, last)| *first..=*last);
        numbers.zip(self.scores.iter().copied().filter(move |_| complete))
    }

    /// Of several answers the highest counts.
    fn heed_mod_seq(&mut self, mod_seq: Option<u64>) {
        self.mod_seq = self.mod_seq.max(mod_seq);
    }

    /// Leaves only the numbers that `other` has found, too.
    pub(super) fn retain(&mut self, other: Self) {
        let mine = NumberSet::of_ranges(std::mem::take(&mut self.ranges));
        self.ranges = mine.common(&NumberSet::of_ranges(other.ranges));
        // That of the messages that are left is not known.
        self.mod_seq = None;
        self.scores.clear();
        self.unread += other.unread;
    }

    /// Takes in another answer to the same.
    pub(in crate::imap::command) fn join(&mut self, other: Self) {
        self.ranges.extend(other.ranges);
        self.scores.extend(other.scores);
        if let Some(partial) = other.partial {
            self.partial.get_or_insert_default().extend(partial);
        }
        self.min = self.min.or(other.min);
        self.max = self.max.or(other.max);
        self.count = self.count.or(other.count);
        self.heed_mod_seq(other.mod_seq);
        self.unread += other.unread;
    }

    /// One more, behind the others.
    pub(in crate::imap::command) fn push(&mut self, number: u32) {
        match self.ranges.last_mut() {
            Some((_, last)) if number.wrapping_sub(1) == *last => *last = number,
            _ => self.ranges.push((number, number)),
        }
    }

    /// Takes what follows `* ESEARCH` (RFC 4466 section 2.6.2), if it answers the command, and by the
    /// numbers that this asks for.
    pub(super) fn take_extended(&mut self, rest: &[u8], wanted: &Wanted) -> Parsed<()> {
        let mut cursor = Cursor::new(rest);
        if Correlators::read(&mut cursor)?.tag.is_some_and(|tag| tag != wanted.tag) {
            return Err(Malformed("the tag of the running search"));
        }
        // The one kind of number would name other messages where the other is taken for it.
        let mut ahead = cursor;
        if ahead.eat_word(b"UID") != wanted.uids && !ahead.at_end() {
            return Err(Malformed("UIDs where they are asked for, else sequence numbers"));
        }
        self.take_items(&mut cursor, wanted.page)
    }

    /// Takes what stands behind the correlators of `* ESEARCH`. `page`: that which was asked for.
    pub(in crate::imap::command) fn take_items(
        &mut self,
        cursor: &mut Cursor<'_>,
        page: Option<Partial>,
    ) -> Parsed<()> {
        cursor.spaces();
        cursor.eat_word(b"UID");
        let (mut listed, mut scores) = (0, None::<Vec<u8>>);
        loop {
            cursor.spaces();
            if cursor.at_end() {
                let Some(scores) = scores else { return Ok(()) };
                if scores.len() as u64 != listed {
                    return Err(Malformed("a score for each message"));
                }
                self.scores.extend(scores);
                return Ok(());
            }
            let name = cursor.atom()?;
            cursor.spaces();
            let value = cursor.value()?;
            let number = || parse_u32(value).ok_or(Malformed("a number of 32 bits"));
            match name.to_ascii_uppercase().as_slice() {
                b"MIN" => self.min = Some(number()?),
                b"MAX" => self.max = Some(number()?),
                b"COUNT" => self.count = Some(number()?),
                b"ALL" => {
                    let numbers = ordered(value)?;
                    listed += count(&numbers);
                    self.ranges.extend(numbers);
                }
                b"PARTIAL" => {
                    let mut list = Cursor::new(value);
                    list.expect(b'(', "a range and its numbers")?;
                    list.spaces();
                    let range = list.atom()?;
                    if page.is_none_or(|page| !page.is_written(range)) {
                        return Err(Malformed("the page that was asked for"));
                    }
                    list.spaces();
                    let nothing = list.eat_nil();
                    let numbers = if nothing { Vec::new() } else { ordered(list.atom()?)? };
                    list.end_list("the end of what lies in the range")?;
                    listed += count(&numbers);
                    self.partial.get_or_insert_default().extend(numbers);
                }
                b"MODSEQ" => self.heed_mod_seq(parse_u64(value)),
                b"RELEVANCY" => scores = Some(fuzzy::scores(value)?),
                // What is to come.
                _ => {}
            }
        }
    }
}

/// How many numbers there are.
fn count(ranges: &[(u32, u32)]) -> u64 {
    ranges.iter().map(|(first, last)| u64::from(*last) - u64::from(*first) + 1).sum()
}

/// A set in the order of the server, as a sorted result has it.
fn ordered(set: &[u8]) -> Parsed<Vec<(u32, u32)>> {
    NumberSet::parse_ranges(set).ok_or(Malformed("a set of numbers"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WANTED: Wanted = Wanted { tag: Tag::NONE, uids: true, page: None };

    #[test]
    fn numbers_that_follow_each_other_are_kept_as_one() {
        let line: String = (1..=100_000).map(|number| format!("{number} ")).collect();
        let mut found = Finding::default();
        found.take(line.as_bytes()).unwrap();
        assert_eq!(found.ranges, [(1, 100_000)]);
        assert_eq!(SearchResult::<Uid>::new(found, &[]).count(), 100_000);
    }

    #[test]
    fn an_extended_answer_that_makes_no_sense_is_reported() {
        for bad in [
            "(TAG \"A0\") UID ALL 1:*",
            "(TAG \"A0\") UID ALL",
            "(TAG \"A0\") UID COUNT x",
            "(TAG \"A0\"",
            "(TAG \"A0\") UID MIN 99999999999",
            "(TAG \"A0\") ALL 1:5",
        ] {
            assert!(Finding::default().take_extended(bad.as_bytes(), &WANTED).is_err(), "{bad}");
        }
        let mut found = Finding::default();
        found.take_extended(b"UID COUNT 2 X-NEW (a b) ALL 4294967295,4294967294", &WANTED).unwrap();
        let found = SearchResult::<Uid>::new(found, &[]);
        assert_eq!((found.count(), found.max()), (2, Uid::new(u32::MAX)));
        assert_eq!(found.iter().count(), 2);
    }

    #[test]
    fn nothing_found_is_empty_in_either_form() {
        for line in ["(TAG \"A0\") UID", "(TAG \"A0\")", "(TAG \"A0\") UID COUNT 0", ""] {
            let mut found = Finding::default();
            found.take_extended(line.as_bytes(), &WANTED).unwrap();
            let found = SearchResult::<Uid>::new(found, &[]);
            assert!(found.is_empty() && found.min().is_none(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn every_number_is_found_once(numbers in proptest::collection::vec(1_u32..60, 0..40)) {
            let line: String = numbers.iter().map(|number| format!(" {number}")).collect();
            let mut found = Finding::default();
            found.take(line.as_bytes()).unwrap();
            let mut expected: Vec<_> = numbers;
            expected.sort_unstable();
            expected.dedup();
            let found = SearchResult::<Uid>::new(found, &[]);
            prop_assert_eq!(found.count() as usize, expected.len());
            prop_assert_eq!(found.iter().map(Uid::get).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn no_octets_make_it_panic(line in "[0-9 ()\"A-Z:,*]{0,40}", octets: Vec<u8>) {
            let mut found = Finding::default();
            for octets in [line.as_bytes(), &octets] {
                let _ = found.take(octets);
                let _ = found.take_extended(octets, &WANTED);
            }
            let found = SearchResult::<Uid>::new(found, &[]);
            let _ = (found.count(), found.min(), found.max(), format!("{found:?}"));
        }
    }
}
