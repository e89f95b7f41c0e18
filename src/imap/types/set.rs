//! Sets of messages: of UIDs and of sequence numbers, which are types of their own, so that one cannot
//! be used for the other.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::Uid;
use crate::imap::proto::Saved;
use crate::imap::proto::decode::parse_u32;

/// A set of [`Uid`]s, as commands take it: `1:5,9,12:*`.
///
/// It is kept sorted and joined, so its text is as short as it can be and no range descends, which
/// QQ Mail and hMailServer refuse. Where a set is empty, a command that takes it asks nothing of
/// the server.
///
/// ```
/// use mailbearer::imap::{Uid, UidSet};
///
/// let set = UidSet::parse("9,5:1,6").unwrap();
/// assert_eq!(set.to_string(), "1:6,9");
/// let picked: UidSet = [7, 3, 4].into_iter().filter_map(Uid::new).collect();
/// assert_eq!(picked.to_string(), "3:4,7");
/// assert_eq!(UidSet::all().to_string(), "1:*");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct UidSet(NumberSet);

/// A set of message sequence numbers: `1:5,9,12:*`. See [`UidSet`], which is nearly always the
/// one to use: sequence numbers move whenever a message is expunged.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct SeqSet(NumberSet);

/// The text is no set: something other than numbers from 1 to 4294967295, `*`, `:` and `,`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a set of message numbers: {0:?}")]
pub struct ParseSetError(String);

impl UidSet {
    /// Every message: `1:*`.
    pub const fn all() -> Self {
        Self(NumberSet::from_on(1))
    }

    /// Every message from this one on: `n:*`. By the protocol the last message of the mailbox is
    /// always in this set, whatever its UID.
    pub const fn from_on(first: Uid) -> Self {
        Self(NumberSet::from_on(first.get()))
    }

    /// Every UID between the two, both included, in either order.
    pub fn range(one: Uid, other: Uid) -> Self {
        Self(NumberSet::range(one.get(), other.get()))
    }

    /// Reads a set as the protocol writes it, such as `1:*` or `3,7:9`.
    ///
    /// # Errors
    /// The text is no set.
    pub fn parse(text: &str) -> Result<Self, ParseSetError> {
        NumberSet::parse(text.as_bytes()).map(Self).ok_or_else(|| ParseSetError(text.to_owned()))
    }

    pub(crate) const fn of(set: NumberSet) -> Self {
        Self(set)
    }

    /// What a server keeps of a search.
    pub(crate) const fn kept(saved: Saved) -> Self {
        Self(NumberSet { closed: Vec::new(), open: None, saved })
    }

    /// What of it a server keeps.
    pub(crate) const fn saved(&self) -> Saved {
        self.0.saved
    }

    /// Whether other UIDs are in it besides those that the server keeps.
    pub(crate) const fn names_others(&self) -> bool {
        !self.0.closed.is_empty() || self.0.open.is_some()
    }

    /// Whether all that it names is told here, and lies below this number.
    pub(crate) fn ends_below(&self, next: u32) -> bool {
        self.0.open.is_none()
            && self.0.saved.is_none()
            && self.0.last().is_none_or(|last| last < next)
    }

    /// Whether it names no message.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this UID is in it. What `*` stands for is not known here: `7:*` holds 7 and above;
    /// nor is what a server keeps ([`SavedSearch`](crate::imap::SavedSearch)).
    pub fn contains(&self, uid: Uid) -> bool {
        self.0.contains(uid.get())
    }

    /// Whether `*` is in it, on either side of a range: the last message, whatever its UID.
    pub(crate) const fn names_the_last(&self) -> bool {
        self.0.open.is_some()
    }

    /// The UIDs of its closed ranges that another set names, too. Where the other has `*`, that is
    /// taken for the highest UID here; where it is one that a server keeps, it may name any, and all
    /// of these are given.
    pub(crate) fn within(&self, other: &Self) -> Self {
        if !other.0.saved.is_none() {
            return self.clone();
        }
        let mut bounds = other.0.clone();
        if let (Some(first), Some(last)) = (bounds.open.take(), self.0.last()) {
            let first = if first == 0 { last } else { first.min(last) };
            bounds.add(&NumberSet::range(first, u32::MAX));
        }
        Self(NumberSet::of_ranges(self.0.common(&bounds)))
    }

    /// The UIDs of its closed ranges that are not in those of another set.
    pub(crate) fn without(&self, other: &Self) -> Self {
        Self(NumberSet::of_ranges(self.0.common(&other.0.others())))
    }

    /// How many UIDs its closed ranges hold.
    pub(crate) fn count(&self) -> u32 {
        self.0.count()
    }

    /// Octets that it holds.
    pub(crate) const fn octets(&self) -> usize {
        self.0.closed.len() * size_of::<(u32, u32)>()
    }

    /// Takes these in, too.
    pub(crate) fn add(&mut self, other: &Self) {
        self.0.add(&other.0);
    }

    /// Its closed ranges.
    pub(crate) fn closed(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.0.closed.iter().copied()
    }

    /// Of its closed ranges what a set names, and the rest. `known` are messages that the set is known
    /// to name, as far as it does not tell itself. If there are none, `*` is taken for the highest of
    /// these, and what a server keeps for all of them.
    pub(crate) fn parted_by(&self, set: &Self, known: &Self) -> (Self, Self) {
        let named = if known.is_empty() {
            self.within(set)
        } else {
            let open = set.0.open.filter(|first| *first != 0).map(|first| (first, u32::MAX));
            let ranges = set.closed().chain(open).chain(known.closed()).collect();
            Self(NumberSet::of_ranges(self.0.common(&NumberSet::of_ranges(ranges))))
        };
        let rest = self.without(&named);
        (named, rest)
    }

    /// The same messages in sets whose texts have at most `octets` each, but at least one range.
    pub(crate) fn split(&self, octets: usize) -> Vec<Self> {
        let mut sets: Vec<Self> = Vec::new();
        let mut room = 0;
        if !self.0.saved.is_none() {
            return vec![self.clone()];
        }
        let open = self.0.open.map(NumberSet::from_on);
        let closed = self.0.closed.iter().map(|(first, last)| NumberSet::range(*first, *last));
        for range in closed.chain(open) {
            // The comma counts too, before the first as well.
            let length = range.to_string().len() + 1;
            match sets.last_mut().filter(|_| length <= room) {
                Some(Self(set)) => {
                    set.closed.extend(range.closed);
                    set.open = range.open;
                    room -= length;
                }
                None => {
                    room = (octets + 1).saturating_sub(length);
                    sets.push(Self(range));
                }
            }
        }
        sets
    }

    /// The UIDs of its closed ranges in ascending order, at most so many in each set.
    pub(crate) fn windows(&self, size: u32) -> impl Iterator<Item = Self> + '_ {
        let mut ranges = self.0.closed.iter().copied();
        let mut rest = None;
        std::iter::from_fn(move || {
            let (mut closed, mut room) = (Vec::new(), size);
            while room > 0
                && let Some((first, last)) = rest.take().or_else(|| ranges.next())
            {
                let end = first + (last - first).min(room - 1);
                rest = (end < last).then(|| (end + 1, last));
                room -= end - first + 1;
                closed.push((first, end));
            }
            (!closed.is_empty()).then(|| Self(NumberSet { closed, ..NumberSet::default() }))
        })
    }

    /// The closed ranges it is made of, in ascending order; an open one, `n:*`, is not among them.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<Uid>> + '_ {
        self.0.closed.iter().filter_map(|(first, last)| Some(Uid::new(*first)?..=Uid::new(*last)?))
    }
}

impl SeqSet {
    /// Every message: `1:*`.
    pub const fn all() -> Self {
        Self(NumberSet::from_on(1))
    }

    /// Every message from this one on: `n:*`. By the protocol the last message of the mailbox is
    /// always in this set, whatever its number.
    pub const fn from_on(first: NonZeroU32) -> Self {
        Self(NumberSet::from_on(first.get()))
    }

    /// Every sequence number between the two, both included, in either order.
    pub fn range(one: NonZeroU32, other: NonZeroU32) -> Self {
        Self(NumberSet::range(one.get(), other.get()))
    }

    /// Reads a set as the protocol writes it, such as `1:*` or `3,7:9`.
    ///
    /// # Errors
    /// The text is no set.
    pub fn parse(text: &str) -> Result<Self, ParseSetError> {
        NumberSet::parse(text.as_bytes()).map(Self).ok_or_else(|| ParseSetError(text.to_owned()))
    }

    pub(crate) const fn of(set: NumberSet) -> Self {
        Self(set)
    }

    /// Whether it names no message.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `*` is in it, on either side of a range: the last message.
    pub(crate) const fn names_the_last(&self) -> bool {
        self.0.open.is_some()
    }

    /// How many numbers its closed ranges hold.
    pub(crate) fn count(&self) -> u32 {
        self.0.count()
    }

    /// How many messages it names at most, if there are so many.
    pub(crate) fn most(&self, exists: u32) -> u32 {
        let open = self.0.open.map_or(0, |first| match first {
            0 => 1,
            first => exists.saturating_sub(first - 1).max(1),
        });
        self.count().saturating_add(open)
    }

    /// The closed ranges it is made of, in ascending order; an open one, `n:*`, is not among them.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<NonZeroU32>> + '_ {
        let ends =
            |(first, last): &(_, _)| Some(NonZeroU32::new(*first)?..=NonZeroU32::new(*last)?);
        self.0.closed.iter().filter_map(ends)
    }

    /// Whether this number is in it. What `*` stands for is not known here: `7:*` holds 7 and above.
    pub fn contains(&self, number: NonZeroU32) -> bool {
        self.0.contains(number.get())
    }
}

/// What both sets have in common with other collections: `$Set` of `$Number`, which `$get` takes apart.
macro_rules! collection {
    ($Set:ident of $Number:ty, $get:expr) => {
        impl fmt::Display for $Set {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $Set {
            type Err = ParseSetError;

            fn from_str(text: &str) -> Result<Self, ParseSetError> {
                Self::parse(text)
            }
        }

        impl From<$Number> for $Set {
            fn from(number: $Number) -> Self {
                Self::range(number, number)
            }
        }

        impl From<RangeInclusive<$Number>> for $Set {
            fn from(range: RangeInclusive<$Number>) -> Self {
                Self::range(*range.start(), *range.end())
            }
        }

        impl From<&[$Number]> for $Set {
            fn from(numbers: &[$Number]) -> Self {
                numbers.iter().copied().collect()
            }
        }

        impl From<&Self> for $Set {
            fn from(set: &Self) -> Self {
                set.clone()
            }
        }

        impl FromIterator<$Number> for $Set {
            fn from_iter<I: IntoIterator<Item = $Number>>(numbers: I) -> Self {
                let mut set = Self::default();
                set.extend(numbers);
                set
            }
        }

        impl Extend<$Number> for $Set {
            fn extend<I: IntoIterator<Item = $Number>>(&mut self, numbers: I) {
                self.0.extend(numbers.into_iter().map($get));
            }
        }
    };
}

collection!(UidSet of Uid, Uid::get);
collection!(SeqSet of NonZeroU32, NonZeroU32::get);

/// Sorted ranges that neither touch nor overlap, and at most one open range above them all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct NumberSet {
    closed: Vec<(u32, u32)>,
    /// `Some(n)` is `n:*`; `Some(0)` is `*` alone, the last message.
    open: Option<u32>,
    /// What a server keeps of a search (RFC 5182).
    saved: Saved,
}

impl NumberSet {
    const fn from_on(first: u32) -> Self {
        Self { closed: Vec::new(), open: Some(first), saved: Saved::NONE }
    }

    fn range(one: u32, other: u32) -> Self {
        Self { closed: vec![(one.min(other), one.max(other))], open: None, saved: Saved::NONE }
    }

    /// Of ranges in any order; the first number of each is its lowest.
    pub(crate) fn of_ranges(ranges: Vec<(u32, u32)>) -> Self {
        Self::normal(ranges, None)
    }

    /// Takes these numbers in, too.
    fn extend(&mut self, numbers: impl Iterator<Item = u32>) {
        let mut closed = std::mem::take(&mut self.closed);
        closed.extend(numbers.map(|number| (number, number)));
        *self = Self { saved: self.saved, ..Self::normal(closed, self.open) };
    }

    /// Takes these in, too.
    pub(crate) fn add(&mut self, other: &Self) {
        let mut closed = std::mem::take(&mut self.closed);
        closed.extend_from_slice(&other.closed);
        let lower = |one: u32, other: u32| {
            if one == 0 || other == 0 { one.max(other) } else { one.min(other) }
        };
        let open = match (self.open, other.open) {
            (Some(one), Some(other)) => Some(lower(one, other)),
            (one, other) => one.or(other),
        };
        let saved = self.saved.and(other.saved);
        *self = Self { saved, ..Self::normal(closed, open) };
    }

    /// Its closed ranges.
    pub(crate) fn ranges(&self) -> &[(u32, u32)] {
        &self.closed
    }

    /// The ranges of a set without `*`, in the order in which they stand there.
    pub(crate) fn parse_ranges(text: &[u8]) -> Option<Vec<(u32, u32)>> {
        let range = |element: &[u8]| {
            let mut ends = element.split(|octet| *octet == b':').map(parse_u32);
            let first = ends.next()??;
            let last = ends.next().unwrap_or(Some(first))?;
            let is_range = ends.next().is_none() && first != 0 && last != 0;
            is_range.then_some((first.min(last), first.max(last)))
        };
        text.split(|octet| *octet == b',').map(range).collect()
    }

    /// The ranges of a set without `*`.
    pub(crate) fn parse_closed(text: &[u8]) -> Option<Vec<(u32, u32)>> {
        Self::parse(text).filter(|set| set.open.is_none()).map(|set| set.closed)
    }

    /// The ranges that are in the closed ranges of both.
    pub(crate) fn common(&self, other: &Self) -> Vec<(u32, u32)> {
        let (mut mine, mut others) =
            (self.closed.iter().peekable(), other.closed.iter().peekable());
        let mut common = Vec::new();
        while let (Some((first, last)), Some((from, to))) = (mine.peek(), others.peek()) {
            let both = (*first.max(from), *last.min(to));
            if both.0 <= both.1 {
                common.push(both);
            }
            if last < to {
                mine.next()
            } else {
                others.next()
            };
        }
        common
    }

    /// The numbers from 1 on that are in none of its closed ranges.
    pub(crate) fn others(&self) -> Self {
        let mut others = Self::default();
        let mut next = Some(1);
        for (first, last) in &self.closed {
            let gap = next.filter(|next| next < first).map(|next| (next, first - 1));
            others.closed.extend(gap);
            next = last.checked_add(1);
        }
        others.closed.extend(next.map(|next| (next, u32::MAX)));
        others
    }

    /// Its closed ranges, but for those that end below this number.
    pub(crate) fn ranges_from(&self, number: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let below = self.closed.partition_point(|(_, last)| *last < number);
        self.closed.iter().skip(below).copied()
    }

    /// How many numbers are in its closed ranges.
    pub(crate) fn count(&self) -> u32 {
        let lengths = self.closed.iter().map(|(first, last)| last - first + 1);
        lengths.fold(0, u32::saturating_add)
    }

    /// The lowest number of its closed ranges.
    pub(crate) fn first(&self) -> Option<u32> {
        self.closed.first().map(|(first, _)| *first)
    }

    /// The highest number of its closed ranges.
    pub(crate) fn last(&self) -> Option<u32> {
        self.closed.last().map(|(_, last)| *last)
    }

    const fn is_empty(&self) -> bool {
        self.closed.is_empty() && self.open.is_none() && self.saved.is_none()
    }

    pub(crate) fn contains(&self, number: u32) -> bool {
        self.open.is_some_and(|first| first != 0 && number >= first)
            || self
                .closed
                .get(self.closed.partition_point(|(_, last)| *last < number))
                .is_some_and(|(first, _)| *first <= number)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut closed = Vec::new();
        let mut open: Option<u32> = None;
        for element in text.split(|octet| *octet == b',') {
            let (one, other) = match memchr::memchr(b':', element) {
                Some(colon) => (bound(&element[..colon])?, bound(&element[colon + 1..])?),
                None => (bound(element)?, bound(element)?),
            };
            match (one, other) {
                (Some(one), Some(other)) => closed.push((one.min(other), one.max(other))),
                (Some(first), None) | (None, Some(first)) => {
                    open = Some(open.filter(|n| *n != 0).map_or(first, |n| n.min(first)));
                }
                (None, None) => open = open.or(Some(0)),
            }
        }
        Some(Self::normal(closed, open))
    }

    fn normal(mut closed: Vec<(u32, u32)>, open: Option<u32>) -> Self {
        closed.sort_unstable();
        closed.dedup_by(|later, earlier| {
            let joined = later.0 <= earlier.1.saturating_add(1);
            if joined {
                earlier.1 = earlier.1.max(later.1);
            }
            joined
        });
        let Some(mut first) = open.filter(|first| *first != 0) else {
            return Self { closed, open, saved: Saved::NONE };
        };
        while let Some((from, to)) = closed.last().copied() {
            if to.saturating_add(1) < first {
                break;
            }
            first = first.min(from);
            closed.pop();
        }
        Self { closed, open: Some(first), saved: Saved::NONE }
    }
}

impl fmt::Display for NumberSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if !self.saved.is_none() {
            f.write_str("$")?;
            separator = ",";
        }
        for (first, last) in &self.closed {
            match first == last {
                true => write!(f, "{separator}{first}")?,
                false => write!(f, "{separator}{first}:{last}")?,
            }
            separator = ",";
        }
        match self.open {
            Some(0) => write!(f, "{separator}*"),
            Some(first) => write!(f, "{separator}{first}:*"),
            None => Ok(()),
        }
    }
}

/// One end of a range: `Some(None)` is `*`.
fn bound(text: &[u8]) -> Option<Option<u32>> {
    if text == b"*" {
        return Some(None);
    }
    let number = parse_u32(text)?;
    (number != 0).then_some(Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_set_too_long_for_a_line_is_split_and_no_piece_is_longer_than_it_may_be() {
        let set = UidSet::parse("1:5,9,12:14,20,4294967295,*").unwrap();
        let split =
            |octets| -> Vec<_> { set.split(octets).iter().map(ToString::to_string).collect() };
        assert_eq!(split(100), ["1:5,9,12:14,20,4294967295,*"]);
        assert_eq!(split(11), ["1:5,9,12:14", "20", "4294967295", "*"]);
        assert_eq!(split(12), ["1:5,9,12:14", "20", "4294967295,*"]);
        assert_eq!(split(0).len(), 6);
        assert!(UidSet::default().split(100).is_empty());
    }

    fn canonical(text: &str) -> String {
        UidSet::parse(text).unwrap().to_string()
    }

    #[test]
    fn ranges_are_turned_sorted_and_joined() {
        assert_eq!(canonical("5:1"), "1:5");
        assert_eq!(canonical("9,5:1,6"), "1:6,9");
        assert_eq!(canonical("1:5,2:3,3:9"), "1:9");
        assert_eq!(canonical("4294967295,4294967294"), "4294967294:4294967295");
    }

    #[test]
    fn an_open_range_takes_in_what_lies_above_and_beside_it() {
        assert_eq!(canonical("*:4,5:7"), "4:*");
        assert_eq!(canonical("1,3:9,5:*"), "1,3:*");
        assert_eq!(canonical("1:4,5:*"), "1:*");
        assert_eq!(canonical("7:*,3:*"), "3:*");
        assert_eq!(canonical("*,2"), "2,*");
        assert_eq!(canonical("*:*"), "*");
        assert_eq!(canonical("*,2:*"), "2:*");
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for bad in ["", "0", "1:0", "a", "1,,2", "1:", ":", "-1", "1 ,2", "4294967296", "1:2:3"] {
            assert!(UidSet::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            UidSet::parse("x").unwrap_err().to_string(),
            "not a set of message numbers: \"x\""
        );
    }

    #[test]
    fn membership_follows_the_ranges() {
        let set = UidSet::parse("3:5,9:*").unwrap();
        let holds = |uid| set.contains(Uid::new(uid).unwrap());
        assert!(holds(3) && holds(5) && holds(9) && holds(1000));
        assert!(!holds(2) && !holds(6));
        assert!(!UidSet::parse("*").unwrap().contains(Uid::new(1).unwrap()));
    }

    #[test]
    fn sequence_numbers_make_sets_as_uids_do() {
        let number = |number| NonZeroU32::new(number).unwrap();
        assert_eq!(SeqSet::from_on(number(7)).to_string(), "7:*");
        assert_eq!(SeqSet::from(number(7)).to_string(), "7");
        assert_eq!(SeqSet::from(number(7)..=number(9)).to_string(), "7:9");
        let mut set = SeqSet::from(&[number(4), number(2)][..]);
        set.extend([number(3), number(9)]);
        assert_eq!(SeqSet::from(&set).to_string(), "2:4,9");
        assert_eq!(
            set.ranges().collect::<Vec<_>>(),
            [number(2)..=number(4), number(9)..=number(9)]
        );
    }

    #[test]
    fn an_empty_collection_is_an_empty_set() {
        let set: UidSet = std::iter::empty().collect();
        assert!(set.is_empty());
        assert_eq!(set.to_string(), "");
    }

    proptest! {
        #[test]
        fn what_is_split_is_the_same_set_when_joined(
            numbers in proptest::collection::vec(1_u32..500, 0..60), octets in 0_usize..50
        ) {
            let set: UidSet = numbers.into_iter().filter_map(Uid::new).collect();
            let sets = set.split(octets);
            for piece in &sets {
                let text = piece.to_string();
                prop_assert!(text.len() <= octets || piece.0.closed.len() == 1, "{}", text);
            }
            let joined = sets.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            prop_assert_eq!(joined, set.to_string());
        }

        #[test]
        fn text_and_set_are_inverse(uids in proptest::collection::vec(1_u32..200, 1..40)) {
            let set: UidSet = uids.iter().copied().filter_map(Uid::new).collect();
            prop_assert_eq!(UidSet::parse(&set.to_string()).unwrap(), set.clone());
            for uid in (1..200).filter_map(Uid::new) {
                prop_assert_eq!(set.contains(uid), uids.contains(&uid.get()));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[0-9:,*]{0,40}") {
            if let Ok(set) = UidSet::parse(&text) {
                prop_assert_eq!(UidSet::parse(&set.to_string()).unwrap(), set);
            }
        }
    }
}
