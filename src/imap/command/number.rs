//! What a search tells messages by: UIDs or sequence numbers.

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::slice;

use crate::imap::Uid;

/// What messages are numbered by.
pub(crate) trait Number: Copy + From<NonZeroU32> {
    /// The command that searches by them.
    const SEARCH: &'static str;
    /// The one that sorts.
    const SORT: &'static str;
    /// The one that finds threads.
    const THREAD: &'static str;
    /// Whether they are UIDs.
    const ARE_UIDS: bool;
}

impl Number for Uid {
    const SEARCH: &'static str = "UID SEARCH";
    const SORT: &'static str = "UID SORT";
    const THREAD: &'static str = "UID THREAD";
    const ARE_UIDS: bool = true;
}

impl Number for NonZeroU32 {
    const SEARCH: &'static str = "SEARCH";
    const SORT: &'static str = "SORT";
    const THREAD: &'static str = "THREAD";
    const ARE_UIDS: bool = false;
}

/// The messages of a [`SearchResult`](crate::imap::SearchResult) or of
/// [`Sorted`](crate::imap::Sorted), one by one.
#[derive(Clone)]
pub struct FoundIter<'a, N> {
    ranges: slice::Iter<'a, (u32, u32)>,
    /// What is left of the last range that was begun.
    begun: RangeInclusive<u32>,
    numbers: PhantomData<N>,
}

impl<'a, N> FoundIter<'a, N> {
    pub(super) fn new(ranges: &'a [(u32, u32)]) -> Self {
        #[expect(clippy::reversed_empty_ranges, reason = "it is to be empty")]
        let begun = 1..=0;
        Self { ranges: ranges.iter(), begun, numbers: PhantomData }
    }
}

impl<N: From<NonZeroU32>> Iterator for FoundIter<'_, N> {
    type Item = N;

    fn next(&mut self) -> Option<N> {
        loop {
            if let Some(number) = self.begun.find_map(NonZeroU32::new) {
                return Some(N::from(number));
            }
            let (first, last) = self.ranges.next()?;
            self.begun = *first..=*last;
        }
    }
}

impl<N> fmt::Debug for FoundIter<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FoundIter").finish_non_exhaustive()
    }
}
