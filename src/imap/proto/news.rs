//! What is said of flags by number alone while they are fetched by UID.
//!
//! ```text
//! C: A7 UID FETCH 1:* (FLAGS)
//! S: * 2 FETCH (FLAGS (\Seen))               it has changed, for its row comes, too
//! S: * 2 FETCH (UID 34 FLAGS (\Seen))
//! S: * 3 FETCH (FLAGS ())                    nobody knows: the row of 3, without its UID?
//! S: A7 OK done
//! ```
//!
//! A server must tell the UID in its answer (RFC 9051 section 6.4.9), and need not in the news that come
//! in between. From one that leaves it out both look the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::imap::types::UidSet;

/// Of which messages something was said, by number alone and with the UID that was asked about.
#[derive(Debug, Default)]
pub(super) struct News {
    /// So many messages are asked about, at most.
    asked: u64,
    /// So many have come with their UIDs.
    told: u64,
    /// The numbers of those: the last range, and those before it.
    last: (u32, u32),
    /// The highest of them.
    highest: u32,
    ranges: BTreeMap<u32, u32>,
    /// The numbers that were told alone.
    alone: BTreeSet<u32>,
    /// How many they are, with those that cannot be told apart.
    doubtful: usize,
}

impl News {
    /// So many ranges and numbers are known. More are taken for what may be missing.
    const MOST: usize = 10_000;

    /// Another fetch asks about these.
    pub(super) fn ask(&mut self, uids: &UidSet) {
        let bounded = uids.saved().is_none() && !uids.names_the_last();
        let count = if bounded { u64::from(uids.count()) } else { u64::MAX };
        self.asked = self.asked.saturating_add(count);
    }

    /// A message that was asked about has come with its UID.
    #[inline]
    pub(super) fn told(&mut self, seq: u32) {
        if seq > 1 && seq - 1 == self.highest && self.last.1 == self.highest {
            (self.last.1, self.highest) = (seq, seq);
            self.told += 1;
        } else {
            self.told_apart(seq);
        }
        if !self.alone.is_empty() && self.alone.remove(&seq) {
            self.doubtful -= 1;
        }
    }

    #[cold]
    fn told_apart(&mut self, seq: u32) {
        if seq == 0 || self.is_told(seq) {
            return;
        }
        self.told += 1;
        if self.last.1 > 0 && self.ranges.len() < Self::MOST {
            self.ranges.insert(self.last.0, self.last.1);
        }
        self.last = (seq, seq);
        self.highest = self.highest.max(seq);
        if self.ranges.len() == Self::MOST {
            // It may come again, and would be counted again.
            self.asked = u64::MAX;
        }
    }

    fn is_told(&self, seq: u32) -> bool {
        let within = |first: u32, last: u32| first <= seq && seq <= last;
        let before = self.ranges.range(..=seq).next_back();
        within(self.last.0, self.last.1)
            || before.is_some_and(|(first, last)| within(*first, *last))
    }

    /// Something was said of a message by its number alone.
    pub(super) fn told_alone(&mut self, seq: u32) {
        if self.is_told(seq) {
            return;
        }
        let is_new = if self.alone.len() < Self::MOST {
            self.alone.insert(seq)
        } else {
            !self.alone.contains(&seq)
        };
        self.doubtful += usize::from(is_new);
    }

    /// Messages are gone: numbers mean others from here on.
    pub(super) fn renumber(&mut self) {
        if self.asked > 0 {
            *self = Self { asked: u64::MAX, doubtful: self.doubtful, ..Self::default() };
        }
    }

    /// How many messages were told by number alone that may be missing.
    pub(super) const fn doubtful(&self) -> usize {
        if self.told >= self.asked { 0 } else { self.doubtful }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(uids: &str) -> News {
        let mut news = News::default();
        news.ask(&UidSet::parse(uids).unwrap());
        news
    }

    #[test]
    fn who_comes_with_a_uid_before_or_behind_is_not_missing() {
        let mut news = asked("1:*");
        [5, 6, 7, 1, 3, 6].into_iter().for_each(|seq| news.told(seq));
        [1, 3, 5, 6, 7].into_iter().for_each(|seq| news.told_alone(seq));
        assert_eq!(news.doubtful(), 0);
        [2, 4, 8, 8].into_iter().for_each(|seq| news.told_alone(seq));
        assert_eq!(news.doubtful(), 3);
        news.told(8);
        news.told(2);
        assert_eq!(news.doubtful(), 1);
    }

    #[test]
    fn where_all_that_were_asked_for_have_come_none_is_missing() {
        let mut news = asked("33,35");
        news.told_alone(9);
        news.told(1);
        // Told anew.
        news.told(1);
        assert_eq!(news.doubtful(), 1);
        news.told(3);
        assert_eq!(news.doubtful(), 0);
    }

    #[test]
    fn who_comes_twice_is_counted_once_in_whatever_order() {
        let mut news = asked("1:5");
        news.told_alone(9);
        [5, 6, 3, 4, 5, 6].into_iter().for_each(|seq| news.told(seq));
        assert_eq!((news.told, news.doubtful()), (4, 1));
    }

    #[test]
    fn behind_what_has_gone_numbers_are_of_no_use() {
        let mut news = asked("33,35");
        news.told_alone(9);
        news.told(1);
        news.renumber();
        news.told(9);
        news.told_alone(1);
        assert_eq!(news.doubtful(), 2);
    }

    #[test]
    fn a_flood_is_counted_and_not_kept() {
        let mut news = asked("1:*");
        (1..100_000).for_each(|n| news.told(n * 2));
        (1..100_000).for_each(|n| news.told_alone(n * 2 - 1));
        assert_eq!(news.doubtful(), 99_999);
        assert!(news.ranges.len() <= News::MOST && news.alone.len() <= News::MOST);
    }
}
