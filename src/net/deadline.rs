//! How long a wait may last. Cores own no clock: they say what they wait for, and this counts.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::Timeouts;
use crate::machine::Wait;

/// Counts the time spent waiting for one thing.
///
/// Only time during which somebody waits counts: a user who looks at a message for an hour before
/// asking for the next has not used up the server's time. A future that is dropped and made again
/// goes on where the last one stopped, so a loop of short waits comes to the deadline too.
pub(crate) struct Clock {
    timeouts: Timeouts,
    waiting_for: Wait,
    /// Waited for it before the current wait began.
    waited: Duration,
    /// Since when somebody waits, if somebody does. What has come already needs no clock.
    since: Option<Instant>,
    /// Octets that had moved when the window of a transfer began.
    moved: u64,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    pub(crate) const fn new(timeouts: Timeouts) -> Self {
        Self {
            timeouts,
            waiting_for: Wait::Rest,
            waited: Duration::ZERO,
            since: None,
            moved: 0,
            timer: None,
        }
    }

    pub(crate) const fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Nobody waits any longer: the wait came to its end, or its future was dropped.
    #[inline]
    pub(crate) fn stop(&mut self) {
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
    }

    /// Waits. Ready with the limit that passed. `moved` counts octets in both directions.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        waiting_for: Wait,
        moved: u64,
    ) -> Poll<Duration> {
        if waiting_for != self.waiting_for {
            self.waiting_for = waiting_for;
            self.restart(moved);
        }
        let (limit, least) = match waiting_for {
            Wait::Rest => return Poll::Pending,
            Wait::Greeting => (self.timeouts.greeting, u64::MAX),
            Wait::Reply(_) => (self.timeouts.reply, u64::MAX),
            Wait::Sasl => (self.timeouts.sasl, u64::MAX),
            Wait::Delivery(_) => (self.timeouts.delivery, u64::MAX),
            Wait::Transfer => self.timeouts.progress,
        };
        loop {
            let since = *self.since.get_or_insert_with(Instant::now);
            // A limit too long to be added is no limit.
            let Some(deadline) = since.checked_add(limit.saturating_sub(self.waited)) else {
                return Poll::Pending;
            };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(cx).is_pending() && Instant::now() < deadline {
                return Poll::Pending;
            }
            if moved - self.moved < least {
                return Poll::Ready(limit);
            }
            self.restart(moved);
        }
    }

    fn restart(&mut self, moved: u64) {
        self.waited = Duration::ZERO;
        self.since = Some(Instant::now());
        self.moved = moved;
    }
}
