//! Allocations and heap, counted by the allocator of this program.
#![expect(unsafe_code, reason = "an allocator can be wrapped in no other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::figure::Measured;
use crate::workloads::Workload;

/// Counts what it passes on to the system's allocator.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations and reallocations ever made.
static MADE: AtomicU64 = AtomicU64::new(0);
/// Octets in use.
static LIVE: AtomicUsize = AtomicUsize::new(0);
/// The most octets that were in use since the last look.
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grown(by: usize) {
    let live = LIVE.fetch_add(by, Relaxed) + by;
    PEAK.fetch_max(live, Relaxed);
}

// SAFETY: every call goes to `System` as it came; the counters are touched beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MADE.fetch_add(1, Relaxed);
        grown(layout.size());
        // SAFETY: the caller keeps the promises that `System` wants.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        MADE.fetch_add(1, Relaxed);
        grown(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        MADE.fetch_add(1, Relaxed);
        // Both blocks exist while one is copied to the other.
        grown(size);
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// Allocations for each item.
pub(crate) fn each(workload: &Workload) -> Measured {
    const ITEMS: u64 = 64;
    let made_by = |items| {
        let before = MADE.load(Relaxed);
        workload.run(items).map(|()| MADE.load(Relaxed) - before)
    };
    // The first run fills what the standard library and tokio keep for the whole program.
    workload.run(1)?;
    let (once, twice) = (made_by(ITEMS)?, made_by(2 * ITEMS)?);
    Ok((twice as f64 - once as f64) / ITEMS as f64)
}

/// The most heap in use while `run` runs, above what is in use when it begins.
pub(crate) fn peak(run: impl FnOnce() -> Result<(), String>) -> Measured {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    run()?;
    Ok((PEAK.load(Relaxed) - before) as f64)
}
