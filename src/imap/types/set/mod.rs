//! Sets of messages: of UIDs and of sequence numbers, which are types of their own, so that one cannot
//! be used for the other.

mod numbers;

use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::str::FromStr;

pub(crate) use self::numbers::NumberSet;
use super::Uid;
use crate::imap::proto::Saved;

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

#[cfg(test)]
mod tests;
