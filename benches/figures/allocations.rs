//! Allocations and heap, counted by the allocator of this program.
#![expect(unsafe_code, reason = "an allocator can be wrapped in no other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::figure::Measured;
use crate::workloads::{self, Workload, imap, pop, smtp};
use crate::{said, single_threaded};

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
    workload.run(ITEMS)?;
    let (once, twice) = (made_by(ITEMS)?, made_by(2 * ITEMS)?);
    Ok((twice as f64 - once as f64) / ITEMS as f64)
}

/// The most heap that sending 25 MiB takes beside the message itself.
pub(crate) fn smtp_body() -> Measured {
    let message = workloads::message(25 * 1024 * 1024);
    single_threaded(async {
        let (mut client, envelope) = (smtp::client().await?, smtp::envelope()?);
        let send = async { client.send(&envelope, &message).await.map(drop).map_err(said) };
        peak(send).await
    })
}

/// The most heap that a message of 100 MiB takes which is read as it comes.
pub(crate) fn pop_read() -> Measured {
    let server = pop::server(&workloads::message(100 * 1024 * 1024));
    single_threaded(peak(pop::read(server)))
}

/// The most heap that sending 25 MiB from a stream of chunks takes beside the chunk at hand.
pub(crate) fn smtp_body_from_a_stream() -> Measured {
    single_threaded(async {
        let (mut client, envelope) = (smtp::client().await?, smtp::envelope()?);
        let body = smtp::streamed(25 * 1024 * 1024);
        let send = async { client.send(&envelope, body).await.map(drop).map_err(said) };
        peak(send).await
    })
}

/// The same by IMAP.
pub(crate) fn imap_copied() -> Measured {
    const OCTETS: usize = 100 * 1024 * 1024;
    let server = imap::server(imap::literal(OCTETS), 1);
    single_threaded(peak(imap::copied(server, OCTETS)))
}

/// The most heap that a message of 100 MiB takes that is read while it is stored.
pub(crate) fn imap_appended() -> Measured {
    single_threaded(peak(imap::appended(imap::storing(), 100 * 1024 * 1024)))
}

/// The most heap that a million lines take which nobody has asked for.
pub(crate) fn imap_flooded() -> Measured {
    const LINES: u64 = 1_000_000;
    single_threaded(peak(imap::flooded(imap::flooding(LINES), LINES)))
}

/// The most heap that a mailbox of 100,000 messages takes that is opened with ten changes.
pub(crate) fn imap_resynced() -> Measured {
    resynced(10)
}

/// How much more heap a change takes among many than among few.
pub(crate) fn imap_resync_growth() -> Measured {
    // Lists grow by doubling: these two fill theirs alike.
    let (few, many) = (resynced(1_250)?, resynced(10_000)?);
    Ok(many / few / 8.0)
}

fn resynced(changed: u32) -> Measured {
    let server = imap::changing(changed);
    single_threaded(peak(imap::resynced(server, changed)))
}

/// How much more heap the metadata of very many messages takes than that of many.
pub(crate) fn imap_growth() -> Measured {
    let heap = |messages| single_threaded(peak(imap::metadata(messages)));
    Ok(heap(64_000)? / heap(640)?)
}

/// The most heap in use while `work` runs, above what is in use when it begins.
async fn peak(work: impl Future<Output = Result<(), String>>) -> Measured {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    work.await?;
    Ok((PEAK.load(Relaxed) - before) as f64)
}
