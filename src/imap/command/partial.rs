//! PARTIAL, RFC 9394, which RFC 5267 had first for searches (`CONTEXT=SEARCH`, `CONTEXT=SORT`): a
//! page of a long result.
//!
//! ```text
//! C: A4 UID SEARCH RETURN (PARTIAL -1:-100) UNDELETED
//! S: * ESEARCH (TAG "A4") UID PARTIAL (-1:-100 200:250,252:300)
//! S: A4 OK Search completed.
//! C: A5 UID FETCH 1:* (FLAGS) (PARTIAL 1:2)
//! S: * 1 FETCH (UID 45 FLAGS ())
//! S: * 2 FETCH (UID 47 FLAGS ())
//! S: A5 OK FETCH completed
//! ```

use std::fmt;
use std::ops::RangeInclusive;

use super::modifier::Need;
use crate::Misuse;
use crate::imap::proto::decode::parse_u32;
use crate::imap::{Capabilities, FetchItems};

const NAME: &str = "PARTIAL";
const PARTIAL: Need = Need::offered(&[NAME]);

/// Some of the messages that were found, by their place among them: the first is 1.
///
/// ```
/// use mailbearer::imap::{Partial, SearchReturn};
///
/// let second_page = SearchReturn::Partial(Partial::from_start(101..=200));
/// let newest_hundred = SearchReturn::Partial(Partial::from_end(1..=100));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Partial {
    first: u32,
    last: u32,
    from_end: bool,
}

impl Partial {
    /// Counted from the first.
    pub const fn from_start(places: RangeInclusive<u32>) -> Self {
        Self { first: *places.start(), last: *places.end(), from_end: false }
    }

    /// Counted from the last, which is 1. They still come in ascending order.
    pub const fn from_end(places: RangeInclusive<u32>) -> Self {
        Self { first: *places.start(), last: *places.end(), from_end: true }
    }

    /// Refuses what names no place.
    pub(super) fn check(self) -> Result<(), Misuse> {
        if self.first == 0 || self.first > self.last {
            let why = format!("{}:{} are no places; the first is 1", self.first, self.last);
            return Err(Misuse::Argument { what: "PARTIAL", why });
        }
        Ok(())
    }

    /// Whether a server that offers this can tell it in the answer to a search.
    pub(super) fn is_told_by(self, offered: &Capabilities) -> bool {
        offered.has("PARTIAL") || !self.from_end && offered.has("CONTEXT=SEARCH")
    }

    /// The same of a sorted result: RFC 9394 has no SORT of its own, and RFC 5267 no minus.
    pub(super) fn is_sorted_by(self, offered: &Capabilities) -> bool {
        offered.has("CONTEXT=SORT") && (!self.from_end || offered.has("PARTIAL"))
    }

    /// Whether a server writes this for it: `500:400` is the same as `400:500` (RFC 9394 section 3.1).
    pub(super) fn is_written(self, range: &[u8]) -> bool {
        let mut ends = range.split(|octet| *octet == b':').map(|end| match end {
            [b'-', number @ ..] if self.from_end => parse_u32(number),
            number if !self.from_end => parse_u32(number),
            _ => None,
        });
        let both = (ends.next().flatten(), ends.next().flatten());
        let is_pair = ends.next().is_none();
        let (first, last) = (Some(self.first), Some(self.last));
        is_pair && (both == (first, last) || both == (last, first))
    }

    /// These places of a result, as ranges in their order.
    pub(super) fn of(self, ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
        let length = |(first, last): &(u32, u32)| u64::from(*last) - u64::from(*first) + 1;
        let total: u64 = ranges.iter().map(length).sum();
        let (first, last) = (u64::from(self.first), u64::from(self.last));
        // Places from 0 on, the end excluded.
        let (from, to) = match self.from_end {
            false => (first.saturating_sub(1), last.min(total)),
            true => (total.saturating_sub(last), (total + 1).saturating_sub(first)),
        };
        let mut before = 0;
        let mut these = Vec::new();
        for range in ranges {
            let (start, end) = (before, before + length(range));
            before = end;
            let (from, to) = (from.max(start), to.min(end));
            let at = |place: u64| u32::try_from(u64::from(range.0) + place - start).ok();
            if from < to
                && let (Some(first), Some(last)) = (at(from), at(to - 1))
            {
                these.push((first, last));
            }
        }
        these
    }
}

impl fmt::Display for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.from_end { "-" } else { "" };
        write!(f, "PARTIAL {sign}{}:{sign}{}", self.first, self.last)
    }
}

impl FetchItems {
    /// `PARTIAL`: of the messages that the set names and the mailbox holds, only those at these
    /// places. The server counts them command by command, so that a set too long for one line is
    /// refused as [`Error::Misuse`](crate::imap::Error::Misuse).
    pub fn partial(self, places: Partial) -> Self {
        match places.check() {
            Ok(()) => {
                let text = places.to_string();
                let places = text.strip_prefix("PARTIAL ").unwrap_or_default();
                self.modifier(NAME, Some(places.to_owned()), PARTIAL)
            }
            Err(_) => self.refused(NAME, "the first place is 1, and the last no less"),
        }
    }

    /// Whether only messages at some places of the set are wanted.
    pub(super) fn are_paged(&self) -> bool {
        self.has_modifier(NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Fetch;
    use crate::imap::proto::encode::{Line, Piece};
    use proptest::prelude::*;

    #[test]
    fn a_page_of_messages_is_asked_for() {
        let written = |items: FetchItems| {
            let mut line = Line::new(Default::default());
            items.encode(&mut line).map(|()| line.finish())
        };
        let newest = Fetch::flags().partial(Partial::from_end(1..=30));
        assert_eq!(written(newest), Ok(vec![Piece::Line(b"(FLAGS) (PARTIAL -1:-30)".to_vec())]));
        #[expect(clippy::reversed_empty_ranges, reason = "it must be refused")]
        for bad in [0..=3, 3..=2] {
            assert!(written(Fetch::flags().partial(Partial::from_start(bad))).is_err());
        }
    }

    #[test]
    fn only_the_newer_extension_counts_from_the_end() {
        let (start, end) = (Partial::from_start(1..=2), Partial::from_end(1..=2));
        let told = |partial: Partial, by: &str| partial.is_told_by(&Capabilities::from(by));
        assert!(told(start, "CONTEXT=SEARCH") && told(start, "PARTIAL") && told(end, "PARTIAL"));
        assert!(!told(end, "CONTEXT=SEARCH") && !told(start, "ESEARCH"));
        let sorted = |partial: Partial, by: &str| partial.is_sorted_by(&Capabilities::from(by));
        assert!(sorted(start, "CONTEXT=SORT") && sorted(end, "CONTEXT=SORT PARTIAL"));
        assert!(!sorted(end, "CONTEXT=SORT") && !sorted(start, "PARTIAL"));
    }

    #[test]
    fn the_same_page_may_be_written_either_way_round() {
        let (start, end) = (Partial::from_start(1..=100), Partial::from_end(1..=100));
        assert!(start.is_written(b"1:100") && start.is_written(b"100:1"));
        assert!(end.is_written(b"-1:-100") && end.is_written(b"-100:-1"));
        for other in ["1:99", "2:100", "1", "", ":", "1:100:", "-1:-100", "1:-100", "+1:100"] {
            assert!(!start.is_written(other.as_bytes()), "{other}");
        }
        for other in ["1:100", "-1:100", "-1:-99", "--1:-100", "-:-"] {
            assert!(!end.is_written(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn all_numbers_there_are_are_counted_without_being_listed() {
        let all = [(1, u32::MAX)];
        assert_eq!(Partial::from_end(1..=2).of(&all), [(u32::MAX - 1, u32::MAX)]);
        assert_eq!(Partial::from_start(1..=u32::MAX).of(&all), all);
    }

    proptest! {
        #[test]
        fn places_are_those_of_the_list_written_out(
            ranges in proptest::collection::vec((1_u32..50, 0_u32..5), 0..6),
            first in 1_u32..30,
            more in 0_u32..30,
            from_end: bool,
        ) {
            let ranges: Vec<_> = ranges.into_iter().map(|(n, more)| (n, n + more)).collect();
            let written = |ranges: &[(u32, u32)]| -> Vec<u32> {
                ranges.iter().flat_map(|(first, last)| *first..=*last).collect()
            };
            let mut all = written(&ranges);
            let partial = Partial { first, last: first + more, from_end };
            if from_end {
                all.reverse();
            }
            let places = (first as usize - 1).min(all.len())..((first + more) as usize).min(all.len());
            let mut expected = all[places].to_vec();
            if from_end {
                expected.reverse();
            }
            prop_assert_eq!(written(&partial.of(&ranges)), expected);
        }
    }
}
