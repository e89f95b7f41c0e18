//! What a server tells of a search that it keeps up to date (RFC 5267 section 4.3).
//!
//! ```text
//! S: * ESEARCH (TAG "A4") UID ADDTO (1 2731:2733) REMOVEFROM (7 2745)
//! ```

use std::collections::BinaryHeap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::imap::command::search::{Correlators, SearchResult};
use crate::imap::command::sort::Sorted;
use crate::imap::proto::Tag;
use crate::imap::proto::decode::{Cursor, Malformed, Parsed, parse_u32};
use crate::imap::types::NumberSet;
use crate::imap::{Uid, UidSet};

/// A search that the server keeps up to date, of one connection and one selected mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SearchContext(u64);

impl SearchContext {
    /// One that no other search of this program has: tags begin anew with each connection.
    pub(crate) fn new() -> Self {
        static CONTEXTS: AtomicU64 = AtomicU64::new(0);
        Self(CONTEXTS.fetch_add(1, Ordering::Relaxed))
    }
}

/// Messages that have joined or left what a search has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchUpdate {
    context: SearchContext,
    changes: Vec<SearchChange>,
}

/// One step from what was found to what would be found now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchChange {
    added: bool,
    position: u32,
    /// In their order.
    ranges: Vec<(u32, u32)>,
}

/// What an ESEARCH response tells of a search.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) tag: Tag,
    pub(crate) changes: Vec<SearchChange>,
    /// It tells something else, too.
    pub(crate) answers: bool,
}

impl SearchUpdate {
    pub(crate) const fn new(context: SearchContext, changes: Vec<SearchChange>) -> Self {
        Self { context, changes }
    }

    /// Which search it is about.
    pub const fn context(&self) -> SearchContext {
        self.context
    }

    /// What has changed, to be carried out in this order.
    pub fn changes(&self) -> &[SearchChange] {
        &self.changes
    }

    /// Octets it holds.
    pub(crate) fn octets(&self) -> usize {
        let octets = |change: &SearchChange| {
            size_of::<SearchChange>() + change.ranges.len() * size_of::<(u32, u32)>()
        };
        self.changes.iter().map(octets).sum()
    }
}

impl Told {
    /// The tag of what could not be read.
    pub(crate) fn tag(rest: &[u8]) -> Option<Tag> {
        Correlators::read(&mut Cursor::new(rest)).ok().and_then(|read| read.tag)
    }

    /// Reads what follows `* ESEARCH`. Nothing if it tells of no changes: then it answers a search.
    pub(crate) fn parse(rest: &[u8]) -> Parsed<Option<Self>> {
        /// No update has more; each takes more room than its text.
        const MOST: usize = 10_000;
        let mut cursor = Cursor::new(rest);
        let Ok(Correlators { tag, .. }) = Correlators::read(&mut cursor) else { return Ok(None) };
        let by_uid = cursor.eat_word(b"UID");
        let (mut changes, mut answers) = (Vec::new(), false);
        loop {
            cursor.spaces();
            let Ok(name) = cursor.atom() else { break };
            cursor.spaces();
            let added = name.eq_ignore_ascii_case(b"ADDTO");
            if !added && !name.eq_ignore_ascii_case(b"REMOVEFROM") {
                answers = true;
                if cursor.value().is_err() {
                    break;
                }
                continue;
            }
            cursor.expect(b'(', "positions and UIDs")?;
            loop {
                cursor.spaces();
                if cursor.eat(b')') {
                    break;
                }
                let position = parse_u32(cursor.atom()?).ok_or(Malformed("a position"))?;
                cursor.spaces();
                let ranges = NumberSet::parse_ranges(cursor.atom()?);
                let ranges = ranges.ok_or(Malformed("a set of UIDs without `*`"))?;
                if changes.len() == MOST {
                    return Err(Malformed("at most 10,000 changes of a search"));
                }
                changes.push(SearchChange { added, position, ranges });
            }
        }
        if changes.is_empty() {
            return Ok(None);
        }
        let tag = tag
            .filter(|tag| *tag != Tag::NONE)
            .ok_or(Malformed("the tag of a search that is kept up to date"))?;
        match by_uid {
            true => Ok(Some(Self { tag, changes, answers })),
            false => Err(Malformed("UIDs, for these were searched for")),
        }
    }
}

impl SearchChange {
    /// Whether the messages have joined what was found; else they have left it.
    pub const fn is_added(&self) -> bool {
        self.added
    }

    /// Where the first of them is then, or was; the first place is 1. `None` if the order of the
    /// mailbox says it.
    pub const fn position(&self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.position)
    }

    /// Their UIDs, in their order.
    pub fn uids(&self) -> impl Iterator<Item = Uid> + '_ {
        self.ranges.iter().flat_map(|(first, last)| *first..=*last).filter_map(Uid::new)
    }

    /// Their UIDs as a set, as commands take it: without their order.
    pub fn set(&self) -> UidSet {
        UidSet::of(self.numbers())
    }

    fn numbers(&self) -> NumberSet {
        NumberSet::of_ranges(self.ranges.clone())
    }
}

impl SearchResult<Uid> {
    /// Makes of what was found what would be found now. See that the update is about this search:
    /// [`SearchUpdate::context`].
    pub fn update(&mut self, update: &SearchUpdate) {
        let (added, removed) = sum(&update.changes);
        let rest = self.numbers_mut().common(&removed.others());
        *self.numbers_mut() = NumberSet::of_ranges(rest);
        self.numbers_mut().add(&added);
    }
}

/// What all changes come to: which numbers have joined and which have left, for the last change of
/// a number decides. One pass over the ranges in their order, since each change by itself would go
/// through all that was found.
fn sum(changes: &[SearchChange]) -> (NumberSet, NumberSet) {
    let ranges = changes.iter().enumerate().flat_map(|(at, change)| {
        change.ranges.iter().map(move |(first, last)| (u64::from(*first), *last, at, change.added))
    });
    let mut ranges: Vec<_> = ranges.collect();
    ranges.sort_unstable_by_key(|(first, ..)| *first);
    // Between two of these the same changes are about all numbers.
    let ends = ranges.iter().flat_map(|(first, last, ..)| [*first, u64::from(*last) + 1]);
    let mut ends: Vec<_> = ends.collect();
    ends.sort_unstable();
    ends.dedup();
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    let mut begun = BinaryHeap::new();
    let mut ahead = ranges.into_iter().peekable();
    for (first, end) in ends.iter().zip(ends.iter().skip(1)) {
        while let Some((_, last, at, joins)) = ahead.next_if(|(begin, ..)| begin <= first) {
            begun.push((at, last, joins));
        }
        while begun.peek().is_some_and(|(_, last, _)| u64::from(*last) < *first) {
            begun.pop();
        }
        if let Some((.., joins)) = begun.peek()
            && let (Ok(first), Ok(last)) = (u32::try_from(*first), u32::try_from(*end - 1))
        {
            if *joins { &mut added } else { &mut removed }.push((first, last));
        }
    }
    (NumberSet::of_ranges(added), NumberSet::of_ranges(removed))
}

impl Sorted<Uid> {
    /// Makes of what was found what would be found now, in its order. See that the update is about
    /// this search: [`SearchUpdate::context`]. False if it does not fit: an update is missing, or the
    /// server contradicts itself. Nor does an update of so many changes to so long a result that to
    /// find their places costs more than to have it sorted. Then sort anew: what is here is neither
    /// what was found nor what would be.
    #[must_use = "what does not fit is to be sorted anew"]
    pub fn update(&mut self, update: &SearchUpdate) -> bool {
        Places::of(self.ranges_mut()).change(&update.changes)
    }
}

/// What was found in its order, while changes are carried out.
struct Places<'a> {
    ranges: &'a mut Vec<(u32, u32)>,
    /// How many ranges were looked at or moved so far.
    looks: usize,
}

impl<'a> Places<'a> {
    /// So many take no more than about a tenth of a second.
    const MOST: usize = 50_000_000;

    const fn of(ranges: &'a mut Vec<(u32, u32)>) -> Self {
        Self { ranges, looks: 0 }
    }

    fn change(&mut self, changes: &[SearchChange]) -> bool {
        // RFC 5267 section 4.3.3: only what lies in the order of the mailbox has no place, but for
        // what leaves. One pass is enough for all that leaves so at once.
        let alike = |one: &SearchChange, next: &SearchChange| is_anywhere(one) && is_anywhere(next);
        changes.chunk_by(alike).all(|changes| match changes {
            [first, ..] if is_anywhere(first) => {
                let gone = changes.iter().flat_map(|change| change.ranges.iter().copied());
                self.remove_anywhere(&NumberSet::of_ranges(gone.collect()))
            }
            changes => changes.iter().all(|change| match (change.position(), change.added) {
                (Some(position), true) => self.add(position, &change.ranges),
                (Some(position), false) => self.remove(position, &change.ranges),
                (None, _) => false,
            }),
        })
    }

    /// Counts that so many are looked at or moved. False if it would be too many.
    fn look(&mut self, ranges: usize) -> bool {
        self.looks = self.looks.saturating_add(ranges);
        self.looks <= Self::MOST
    }

    /// Takes these out, wherever they stand.
    fn remove_anywhere(&mut self, gone: &NumberSet) -> bool {
        let steps = gone.ranges().len().checked_ilog2().unwrap_or(0) as usize + 1;
        if !self.look(self.ranges.len().saturating_mul(steps).saturating_add(gone.ranges().len())) {
            return false;
        }
        let mut left = Vec::with_capacity(self.ranges.len());
        for (first, last) in self.ranges.iter().copied() {
            // What is left of it begins here, if anything is.
            let mut next = Some(first);
            for (from, to) in gone.ranges_from(first).take_while(|(from, _)| *from <= last) {
                left.extend(next.filter(|next| *next < from).map(|next| (next, from - 1)));
                next = to.checked_add(1).filter(|next| *next <= last);
            }
            left.extend(next.map(|next| (next, last)));
        }
        *self.ranges = left;
        true
    }

    /// Puts these in, so that the first of them comes to stand at this place.
    fn add(&mut self, position: NonZeroU32, these: &[(u32, u32)]) -> bool {
        let Some(at) = self.part(u64::from(position.get()) - 1) else { return false };
        self.ranges.splice(at..at, these.iter().copied());
        self.look(these.len())
    }

    /// Takes these out, of which the first stands at this place.
    fn remove(&mut self, position: NonZeroU32, these: &[(u32, u32)]) -> bool {
        let before = u64::from(position.get()) - 1;
        let Some(from) = self.part(before) else { return false };
        let Some(to) = self.part(before + length(these)) else { return false };
        // What was parted behind it leaves the places before as they are.
        let fits = self.ranges.get(from..to).is_some_and(|there| joined(there) == joined(these));
        if fits {
            self.ranges.drain(from..to);
        }
        fits && self.look(these.len())
    }

    /// How many ranges hold the first `numbers`, once the one in which they end is parted there.
    /// Nothing if there are fewer.
    fn part(&mut self, numbers: u64) -> Option<usize> {
        if !self.look(self.ranges.len()) {
            return None;
        }
        let mut left = numbers;
        for at in 0..self.ranges.len() {
            let range = self.ranges.get_mut(at)?;
            let here = length(&[*range]);
            if left == 0 {
                return Some(at);
            }
            if left < here {
                let last = range.1;
                let middle = range.0 + u32::try_from(left).ok()?;
                range.1 = middle - 1;
                self.ranges.insert(at + 1, (middle, last));
                return Some(at + 1);
            }
            left -= here;
        }
        (left == 0).then_some(self.ranges.len())
    }
}

/// Whether it has left, and its place is not told.
const fn is_anywhere(change: &SearchChange) -> bool {
    change.position == 0 && !change.added
}

fn length(ranges: &[(u32, u32)]) -> u64 {
    ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
}

/// The same numbers in the same order, in as few ranges as can be.
fn joined(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut joined: Vec<(u32, u32)> = Vec::new();
    for (first, last) in ranges {
        match joined.last_mut() {
            Some((_, before)) if before.checked_add(1) == Some(*first) => *before = *last,
            _ => joined.push((*first, *last)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::search::Finding;
    use proptest::prelude::*;

    fn update(line: &str) -> SearchUpdate {
        let told = Told::parse(line.as_bytes()).unwrap().unwrap();
        assert_eq!(told.tag, Tag::NONE.next(1));
        SearchUpdate::new(SearchContext::new(), told.changes)
    }

    fn sorted(ranges: &[(u32, u32)]) -> Sorted<Uid> {
        Sorted::new(Finding { ranges: ranges.to_vec(), ..Finding::default() }, &[])
    }

    fn uids(found: &Sorted<Uid>) -> Vec<u32> {
        found.iter().map(Uid::get).collect()
    }

    #[test]
    fn the_three_equal_updates_of_rfc_5267_come_to_the_same() {
        for line in [
            "(TAG \"A1\") UID ADDTO (1 2733 1 2732 1 2731)",
            "(TAG \"A1\") UID ADDTO (1 2733) ADDTO (1 2731:2732)",
            "(TAG \"A1\") UID ADDTO (1 2731:2733)",
        ] {
            let update = update(line);
            let mut by_place = sorted(&[(2734, 2735)]);
            assert!(by_place.update(&update), "{line}");
            assert_eq!(uids(&by_place), [2731, 2732, 2733, 2734, 2735]);
            let found = Finding { ranges: vec![(2734, 2735)], ..Finding::default() };
            let mut found = SearchResult::<Uid>::new(found, &[]);
            found.update(&update);
            assert_eq!((found.count(), found.min()), (5, Uid::new(2731)));
        }
        let update = update("(TAG \"A1\") UID REMOVEFROM (0 2734)");
        let [change] = update.changes() else { panic!() };
        assert_eq!((change.is_added(), change.position()), (false, None));
        assert_eq!(change.set().to_string(), "2734");
    }

    #[test]
    fn what_joins_and_leaves_a_sorted_result_does_so_at_its_place() {
        let mut found = sorted(&[(9, 9), (3, 6), (1, 1)]);
        assert!(found.update(&update("(TAG A1) UID REMOVEFROM (2 3:4) ADDTO (3 20,19 6 7)")));
        assert_eq!(uids(&found), [9, 5, 20, 19, 6, 7, 1]);
        assert!(found.update(&update("(TAG A1) UID REMOVEFROM (5 6:7 5 1) ADDTO (5 1:2)")));
        assert_eq!(uids(&found), [9, 5, 20, 19, 1, 2]);
        assert!(found.update(&update("(TAG A1) UID REMOVEFROM (0 1,19:20)")));
        assert_eq!(uids(&found), [9, 5, 2]);
        assert_eq!((found.count(), found.first(), found.last()), (3, Uid::new(9), Uid::new(2)));
    }

    #[test]
    fn what_does_not_fit_a_sorted_result_is_said() {
        for line in [
            "(TAG A1) UID ADDTO (0 9)",
            "(TAG A1) UID ADDTO (4 9)",
            "(TAG A1) UID ADDTO (4294967295 9)",
            "(TAG A1) UID REMOVEFROM (1 6)",
            "(TAG A1) UID REMOVEFROM (2 6:9)",
            "(TAG A1) UID REMOVEFROM (1 1:4294967295)",
        ] {
            assert!(!sorted(&[(5, 6)]).update(&update(line)), "{line}");
        }
    }

    #[test]
    fn what_is_no_update_is_left_to_who_searched_and_what_is_a_broken_one_is_refused() {
        for answer in
            ["", "(TAG \"A1\") UID ALL 1:3 COUNT 2", "(TAG \"A1\")", "(TAG", "UID ADDTO-X (1"]
        {
            assert_eq!(Told::parse(answer.as_bytes()), Ok(None), "{answer}");
        }
        let both = Told::parse(b"(TAG A1) UID COUNT 2 addto (1 2)").unwrap().unwrap();
        assert_eq!((both.changes.len(), both.answers), (1, true));
        for bad in [
            "(TAG A1) UID ADDTO",
            "(TAG A1) UID ADDTO 1",
            "(TAG A1) UID ADDTO (1",
            "(TAG A1) UID ADDTO (1 2",
            "(TAG A1) UID ADDTO (9223372036854775808 2)",
            "(TAG A1) UID ADDTO (-1 2)",
            "(TAG A1) UID ADDTO (1 0)",
            "(TAG A1) UID ADDTO (1 2:*)",
            "(TAG A1) UID REMOVEFROM (1 99999999999)",
            "(TAG A1) ADDTO (1 2)",
            "(TAG B1) UID ADDTO (1 2)",
            "UID ADDTO (1 2)",
        ] {
            assert!(Told::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let many = format!("(TAG A1) UID ADDTO ({})", "1 2 ".repeat(10_001));
        assert!(Told::parse(many.as_bytes()).is_err());
    }

    /// Changes of a long result, each of which would go through all of it.
    #[test]
    fn many_changes_of_a_long_result_cost_one_pass_and_of_an_order_are_refused() {
        let ranges: Vec<_> = (1..400_000_u32).map(|uid| (2 * uid, 2 * uid)).collect();
        let update =
            |changes: &str, times| update(&format!("(TAG A1) UID {}", changes.repeat(times)));
        let finding = || Finding { ranges: ranges.clone(), ..Finding::default() };
        let changed = |update: &SearchUpdate| {
            let mut ranges = ranges.clone();
            let mut places = Places::of(&mut ranges);
            let fits = places.change(&update.changes);
            (fits, places.looks, ranges.len())
        };
        let placed = update("REMOVEFROM (2 4) ADDTO (2 4) ", 1_000);
        let mut found = SearchResult::<Uid>::new(finding(), &[]);
        found.update(&placed);
        assert_eq!((found.count(), found.iter().nth(1)), (399_999, Uid::new(4)));
        // It ends as soon as it is too much.
        let (fits, looks, _) = changed(&placed);
        assert!(!fits && looks <= Places::MOST + 400_000);
        assert!(!Sorted::<Uid>::new(finding(), &[]).update(&placed));
        // Whatever leaves from anywhere costs one pass.
        let (fits, looks, left) = changed(&update("REMOVEFROM (0 4) ", 1_000));
        assert!(fits && looks <= 500_000 && left == 399_998, "{looks}");
        let odd: String = (1..400_000).map(|uid| format!("{},", 2 * uid + 1)).collect();
        let (fits, looks, left) = changed(&update(&format!("REMOVEFROM (0 {odd}2)"), 1));
        assert!(fits && looks < 10_000_000 && left == 399_998, "{looks}");
        let (fits, looks, _) = changed(&update("REMOVEFROM (0 4 1 2) ADDTO (1 2) ", 1_000));
        assert!(!fits && looks <= Places::MOST + 400_000);
    }

    #[test]
    fn the_whole_range_takes_no_more_room_than_its_text() {
        let mut found = SearchResult::<Uid>::new(Finding::default(), &[]);
        found.update(&update("(TAG A1) UID ADDTO (0 1:4294967295) REMOVEFROM (0 7)"));
        assert_eq!(found.into_set().to_string(), "1:6,8:4294967295");
    }

    proptest! {
        #[test]
        fn all_changes_at_once_come_to_what_they_do_one_after_another(
            steps in proptest::collection::vec((any::<bool>(), 1_u32..30, 0_u32..6), 0..20),
        ) {
            let mut set: std::collections::BTreeSet<u32> = (10..=19).collect();
            let mut found = SearchResult::<Uid>::new(
                Finding { ranges: vec![(10, 19)], ..Finding::default() }, &[],
            );
            let change = |&(added, first, more): &(bool, u32, u32)| {
                SearchChange { added, position: 0, ranges: vec![(first, first + more)] }
            };
            let changes: Vec<_> = steps.iter().map(change).collect();
            for (adds, first, more) in steps {
                for uid in first..=first + more {
                    if adds { set.insert(uid) } else { set.remove(&uid) };
                }
            }
            found.update(&SearchUpdate::new(SearchContext::new(), changes));
            let uids: Vec<_> = found.iter().map(Uid::get).collect();
            prop_assert_eq!(uids, set.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn what_leaves_from_anywhere_is_gone_and_the_rest_in_its_order(
            ranges in proptest::collection::vec((1_u32..60, 0_u32..9), 0..9),
            gone in proptest::collection::vec((1_u32..60, 0_u32..9), 0..9),
            to_the_end: bool,
        ) {
            let both = |(first, more): &(u32, u32)| (*first, first + more);
            let mut ranges: Vec<_> = ranges.iter().map(both).collect();
            let mut gone: Vec<_> = gone.iter().map(both).collect();
            if to_the_end {
                ranges.push((u32::MAX - 3, u32::MAX));
                gone.push((u32::MAX - 1, u32::MAX));
            }
            let gone = NumberSet::of_ranges(gone);
            let flat = |ranges: &[(u32, u32)]| -> Vec<u32> {
                ranges.iter().flat_map(|(first, last)| *first..=*last).collect()
            };
            let mut expected = flat(&ranges);
            expected.retain(|uid| !gone.contains(*uid));
            prop_assert!(Places::of(&mut ranges).remove_anywhere(&gone));
            prop_assert_eq!(flat(&ranges), expected);
        }

        #[test]
        fn ranges_change_as_a_list_of_numbers_does(
            steps in proptest::collection::vec((any::<bool>(), 1_u32..12, 1_u32..30, 0_u32..4), 0..12),
        ) {
            let mut ranges = vec![(10, 19), (1, 3)];
            let mut list: Vec<u32> = (10..=19).chain(1..=3).collect();
            for (adds, position, first, more) in steps {
                let place = NonZeroU32::new(position).unwrap();
                let at = position as usize - 1;
                let these: Vec<u32> = match adds {
                    true => (first..=first + more).collect(),
                    // Mostly what is there.
                    false => list.iter().skip(at).take(more as usize + 1).copied().collect(),
                };
                let as_ranges: Vec<_> = these.iter().map(|uid| (*uid, *uid)).collect();
                if adds {
                    let fits = at <= list.len();
                    let mut places = Places::of(&mut ranges);
                    prop_assert_eq!(places.add(place, &[(first, first + more)]), fits);
                    if fits {
                        list.splice(at..at, these);
                    }
                } else if !these.is_empty() {
                    prop_assert!(Places::of(&mut ranges).remove(place, &as_ranges));
                    list.drain(at..at + these.len());
                }
                let flat: Vec<u32> = ranges.iter().flat_map(|(from, to)| *from..=*to).collect();
                prop_assert_eq!(&flat, &list);
            }
        }

        #[test]
        fn no_octets_make_it_panic(line in "\\(TAG A1\\) UID (ADDTO|REMOVEFROM) [0-9 ():,*]{0,30}", octets: Vec<u8>) {
            let _ = Told::parse(&octets);
            if let Ok(Some(told)) = Told::parse(line.as_bytes()) {
                let update = SearchUpdate::new(SearchContext::new(), told.changes);
                let _ = sorted(&[(1, 9)]).update(&update);
            }
        }
    }
}
