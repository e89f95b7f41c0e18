//! What is held under each key: the token, the refresh under way, and what is known of both.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Outcome;
use super::flight::Flight;
use super::key::Key;
use crate::token::{AccessToken, Purpose, TokenError};
use crate::{Failure, Retry};

#[derive(Default)]
pub(super) struct Store {
    pub(super) slots: HashMap<Key, Slot>,
    /// The last few tokens that servers refused. They are never held again, even if the provider
    /// goes on giving them.
    pub(super) refused: VecDeque<AccessToken>,
}

#[derive(Default)]
pub(super) struct Slot {
    pub(super) held: Option<Held>,
    pub(super) flight: Option<Flight>,
    /// No refresh ahead of time before this.
    pub(super) paused_until: Option<Instant>,
    /// No refresh at all before this: the provider said so, with this error.
    pub(super) closed: Option<(TokenError, Instant)>,
    pub(super) forced: Option<Forced>,
}

/// The last token that was fetched because another was refused. Only looked at when it is refused
/// too.
pub(super) struct Forced {
    pub(super) held: Held,
    /// How many were fetched so until then.
    pub(super) times: u32,
    /// When counting begins anew.
    pub(super) until: Instant,
}

impl Store {
    const REFUSED: usize = 16;
    /// How long a token that is still good is left alone after a refresh failed.
    const PAUSE: Duration = Duration::from_secs(30);
    const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
    /// How many refused tokens are replaced within one pause.
    pub(super) const MOST_FORCED: u32 = 3;

    pub(super) fn refuse(&mut self, token: &AccessToken) {
        for slot in self.slots.values_mut() {
            slot.held.take_if(|held| held.token.same(token));
        }
        if !self.was_refused(token) {
            self.refused.push_back(token.clone());
        }
        if self.refused.len() > Self::REFUSED {
            self.refused.pop_front();
        }
    }

    pub(super) fn was_refused(&self, token: &AccessToken) -> bool {
        self.refused.iter().any(|refused| refused.same(token))
    }

    /// Takes what a refresh brought and makes room for the next one.
    pub(super) fn settle(
        &mut self,
        key: &Key,
        purpose: Purpose,
        margin: Duration,
        outcome: Option<&Outcome>,
    ) {
        let now = Instant::now();
        let fetched = outcome.and_then(|outcome| outcome.as_ref().ok());
        let held = fetched.map(|token| Held::new(token, margin));
        let refused = fetched.is_some_and(|token| self.was_refused(token));
        if let Some(slot) = self.slots.get_mut(key) {
            slot.flight = None;
            slot.closed = match outcome {
                Some(Err(error)) => match error.retry() {
                    Retry::Later(Some(wait)) => {
                        Some((error.clone(), now + wait.min(Self::LONGEST_PAUSE)))
                    }
                    _ => None,
                },
                _ => None,
            };
            slot.paused_until = match outcome {
                Some(Err(error)) => match error.retry() {
                    Retry::Later(Some(wait)) => Some(now + wait.min(Self::LONGEST_PAUSE)),
                    _ => Some(now + Self::PAUSE),
                },
                _ => None,
            };
            if let Some(held) = held {
                let before = slot.forced.take().filter(|forced| forced.until > now);
                let times = before.as_ref().map_or(0, |before| before.times) + 1;
                slot.forced = (purpose == Purpose::Retry).then(|| Forced {
                    held: held.clone(),
                    // A provider that gives what was refused has no other.
                    times: if refused { Self::MOST_FORCED } else { times },
                    until: before.map_or_else(|| now + Self::PAUSE, |before| before.until),
                });
                slot.held = (!refused).then_some(held);
            }
        }
        // A cache keyed by mailbox must not grow with every mailbox it has ever seen.
        self.slots.retain(|_, slot| {
            slot.flight.is_some()
                || slot.closed.as_ref().is_some_and(|(_, until)| *until > now)
                || slot.forced.as_ref().is_some_and(|forced| forced.until > now)
                || slot.held.as_ref().is_some_and(|held| !held.remaining(now).is_zero())
        });
    }
}

pub(super) fn lock(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A token that may be handed out again.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) token: AccessToken,
    /// The expiry on Tokio's clock, beside those that the token itself goes by.
    pub(super) deadline: Option<Instant>,
    /// How long before it stops being handed out it is renewed. Drawn once: were it drawn at each
    /// look, the earliest of many draws would win and the spread be gone.
    pub(super) lead: Duration,
    /// When the token itself says that it should be renewed, and a little later: a server says the
    /// same to all whom it answers at the same time.
    pub(super) due_at: Option<Instant>,
}

impl Held {
    pub(super) fn new(token: &AccessToken, margin: Duration) -> Self {
        let lifetime = token.remaining();
        let deadline = lifetime.and_then(|lifetime| Instant::now().checked_add(lifetime));
        let lead = margin.saturating_add(random_part_of(margin));
        let longest = lifetime.map_or(Duration::ZERO, |lifetime| lifetime / 3);
        let due_at = token.refresh_in().and_then(|wait| {
            let spread = random_part_of(margin.min(lifetime.unwrap_or(margin) / 8));
            Instant::now().checked_add(wait.saturating_add(spread))
        });
        Self { token: token.clone(), deadline, lead: lead.min(longest), due_at }
    }

    pub(super) fn remaining(&self, now: Instant) -> Duration {
        let here = self.deadline.map(|at| at.saturating_duration_since(now));
        here.into_iter().chain(self.token.remaining()).min().unwrap_or(Duration::MAX)
    }

    pub(super) fn is_due(&self, now: Instant, min_lifetime: Duration) -> bool {
        self.remaining(now) < min_lifetime.saturating_add(self.lead)
            || self.due_at.is_some_and(|at| at <= now)
    }
}

/// From nothing to just under the whole. The standard library seeds its hash maps from the system's
/// source of randomness, which is all that spreading requests needs.
fn random_part_of(whole: Duration) -> Duration {
    const PARTS: u32 = 1 << 10;
    let random = RandomState::new().hash_one(()) as u32;
    (whole / PARTS) * (random % PARTS)
}
