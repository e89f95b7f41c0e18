//! What both kinds of sets are made of.

use std::fmt;

use crate::imap::proto::Saved;
use crate::imap::proto::decode::parse_u32;

/// Sorted ranges that neither touch nor overlap, and at most one open range above them all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct NumberSet {
    pub(super) closed: Vec<(u32, u32)>,
    /// `Some(n)` is `n:*`; `Some(0)` is `*` alone, the last message.
    pub(super) open: Option<u32>,
    /// What a server keeps of a search (RFC 5182).
    pub(super) saved: Saved,
}

impl NumberSet {
    pub(super) const fn from_on(first: u32) -> Self {
        Self { closed: Vec::new(), open: Some(first), saved: Saved::NONE }
    }

    pub(super) fn range(one: u32, other: u32) -> Self {
        Self { closed: vec![(one.min(other), one.max(other))], open: None, saved: Saved::NONE }
    }

    /// Of ranges in any order; the first number of each is its lowest.
    pub(crate) fn of_ranges(ranges: Vec<(u32, u32)>) -> Self {
        Self::normal(ranges, None)
    }

    /// Takes these numbers in, too.
    pub(super) fn extend(&mut self, numbers: impl Iterator<Item = u32>) {
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

    pub(super) const fn is_empty(&self) -> bool {
        self.closed.is_empty() && self.open.is_none() && self.saved.is_none()
    }

    pub(crate) fn contains(&self, number: u32) -> bool {
        self.open.is_some_and(|first| first != 0 && number >= first)
            || self
                .closed
                .get(self.closed.partition_point(|(_, last)| *last < number))
                .is_some_and(|(first, _)| *first <= number)
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
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

    pub(super) fn normal(mut closed: Vec<(u32, u32)>, open: Option<u32>) -> Self {
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
