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
    /// The last few tokens that servers refused.
    refused: VecDeque<Refused>,
}

struct Refused {
    token: AccessToken,
    /// Whether another was asked for because of the refusal. That is done once.
    forced: bool,
}

#[derive(Default)]
pub(super) struct Slot {
    held: Option<Held>,
    flight: Option<Flight>,
    /// No refresh ahead of time before this.
    paused_until: Option<Instant>,
    /// No refresh at all before this: the provider said so, with this error.
    closed: Option<(TokenError, Instant)>,
    allowance: Allowance,
}

/// What to do for a request.
pub(super) enum Next {
    Give(AccessToken),
    /// Give it, and ask for one that outlives it: it has so long to live.
    GiveAndRenew(AccessToken, Duration),
    /// Give it although a server refused it: there is no other for now.
    Keep(AccessToken),
    Wait(Flight),
    Ask,
    /// Ask for another than this one, which a server refused.
    Replace(AccessToken),
    /// Give the provider's last error, and how long it wants to be left alone yet.
    Closed(TokenError, Duration),
}

impl Store {
    const REFUSED: usize = 16;
    /// How long a token that is still good is left alone after a refresh failed, and one that was
    /// given again in place of itself.
    const PAUSE: Duration = Duration::from_secs(30);
    const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

    pub(super) fn next(&mut self, key: &Key, min_lifetime: Duration) -> Next {
        match self.slots.get_mut(key) {
            Some(slot) => slot.next(min_lifetime, Instant::now()),
            None => Next::Ask,
        }
    }

    pub(super) fn begin(&mut self, key: Key, flight: Flight) {
        self.slots.entry(key).or_default().flight = Some(flight);
    }

    pub(super) fn refuse(&mut self, token: &AccessToken) {
        let now = Instant::now();
        for held in self.slots.values_mut().filter_map(|slot| slot.held.as_mut()) {
            if held.token.same(token) {
                held.replace_from.get_or_insert(now);
            }
        }
        if self.refusal_of(token).is_none() {
            self.refused.push_back(Refused { token: token.clone(), forced: false });
        }
        if self.refused.len() > Self::REFUSED {
            self.refused.pop_front();
        }
    }

    /// Why another token than this is asked for: because of the refusal the first time, and after
    /// that because there is none.
    pub(super) fn force(&mut self, token: &AccessToken) -> Purpose {
        match self.refusal_of(token) {
            Some(refused) if !refused.forced => {
                refused.forced = true;
                Purpose::Retry
            }
            _ => Purpose::Connect,
        }
    }

    /// Whether a server refused this token, and another has yet to be asked for.
    pub(super) fn is_to_be_replaced(&mut self, token: &AccessToken) -> bool {
        self.refusal_of(token).is_some_and(|refused| !refused.forced)
    }

    fn refusal_of(&mut self, token: &AccessToken) -> Option<&mut Refused> {
        self.refused.iter_mut().find(|refused| refused.token.same(token))
    }

    /// Takes what a refresh brought and makes room for the next one, unless nobody waits for this
    /// one any more. `instead_of` is the refused token because of which it was begun.
    pub(super) fn settle(
        &mut self,
        key: &Key,
        flight: &Flight,
        instead_of: Option<&AccessToken>,
        margin: Duration,
        outcome: Option<&Outcome>,
    ) {
        let now = Instant::now();
        let fetched = outcome.and_then(|outcome| outcome.as_ref().ok());
        if fetched.is_none()
            && let Some(refused) = instead_of.and_then(|token| self.refusal_of(token))
        {
            refused.forced = false;
        }
        let held = fetched.map(|token| {
            let mut held = Held::new(token, margin);
            // Given in place of itself, or by a provider that did not know of the refusal yet.
            held.replace_from = self
                .refusal_of(token)
                .map(|refused| if refused.forced { now + Self::PAUSE } else { now });
            held
        });
        if let Some(slot) = self.slots.get_mut(key)
            && slot.flight.as_ref().is_some_and(|own| own.is_same(flight))
        {
            slot.settle(held, outcome.and_then(|outcome| outcome.as_ref().err()), now);
        }
        // A cache keyed by mailbox must not grow with every mailbox it has ever seen.
        self.slots.retain(|_, slot| slot.is_of_use(now));
    }
}

impl Slot {
    fn next(&mut self, min_lifetime: Duration, now: Instant) -> Next {
        let wanted = min_lifetime.max(AccessToken::SHORTEST);
        let held = self.held.as_ref().filter(|held| held.remaining(now) >= wanted);
        if let Some(held) = held.filter(|held| held.replace_from.is_none()) {
            let token = held.token.clone();
            let renew = self.flight.is_none()
                && self.paused_until.is_none_or(|until| until <= now)
                && held.is_due(now, min_lifetime);
            return if renew {
                Next::GiveAndRenew(token, held.remaining(now))
            } else {
                Next::Give(token)
            };
        }
        if let Some(flight) = &self.flight {
            return Next::Wait(flight.clone());
        }
        if let Some((error, until)) = &self.closed
            && let left = until.saturating_duration_since(now)
            && !left.is_zero()
        {
            return Next::Closed(error.clone().with_retry_after(left), left);
        }
        let Some((token, from)) = held.and_then(|held| Some((&held.token, held.replace_from?)))
        else {
            return Next::Ask;
        };
        let token = token.clone();
        if from > now || !self.allowance.take(now) {
            return Next::Keep(token);
        }
        self.held = None;
        Next::Replace(token)
    }

    fn settle(&mut self, held: Option<Held>, error: Option<&TokenError>, now: Instant) {
        let asked_to_wait = |error: &TokenError| match error.retry() {
            Retry::Later(Some(wait)) => Some(now + wait.min(Store::LONGEST_PAUSE)),
            _ => None,
        };
        let asked = error.and_then(asked_to_wait);
        let pause = match (error, &held, &self.held) {
            (Some(_), ..) => Some(Store::PAUSE),
            // What was renewed may be due at once: a provider with tokens of its own gives what it
            // has.
            (None, Some(held), Some(_)) => Some(Store::PAUSE.min(held.remaining(now) / 3)),
            _ => None,
        };
        self.flight = None;
        self.paused_until = asked.filter(|at| *at > now).or_else(|| Some(now + pause?));
        self.closed = error.cloned().zip(asked);
        if held.is_some() {
            self.held = held;
        }
    }

    fn is_of_use(&self, now: Instant) -> bool {
        self.flight.is_some()
            || self.closed.as_ref().is_some_and(|(_, until)| *until > now)
            || self.allowance.is_used(now)
            || self.held.as_ref().is_some_and(|held| !held.remaining(now).is_zero())
    }
}

/// How often refused tokens are replaced, where every new one is refused too: some at once, and
/// then one in each interval.
#[derive(Default)]
struct Allowance {
    whole_from: Option<Instant>,
}

impl Allowance {
    const AT_ONCE: u32 = 10;
    const INTERVAL: Duration = Duration::from_secs(30);

    fn take(&mut self, now: Instant) -> bool {
        let whole_from = self.whole_from.map_or(now, |from| from.max(now));
        let left = whole_from - now <= Self::INTERVAL * (Self::AT_ONCE - 1);
        if left {
            self.whole_from = Some(whole_from + Self::INTERVAL);
        }
        left
    }

    fn is_used(&self, now: Instant) -> bool {
        self.whole_from.is_some_and(|from| from > now)
    }
}

pub(super) fn lock(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A token that may be handed out again.
pub(super) struct Held {
    token: AccessToken,
    /// The expiry on Tokio's clock, beside those that the token itself goes by.
    deadline: Option<Instant>,
    /// How long before it stops being handed out it is renewed. Drawn once: were it drawn at each
    /// look, the earliest of many draws would win and the spread be gone.
    pub(super) lead: Duration,
    /// When the token itself says that it should be renewed, and a little later: a server says the
    /// same to all whom it answers at the same time.
    due_at: Option<Instant>,
    /// A server refused it: from then on another is asked for.
    replace_from: Option<Instant>,
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
        Self { token: token.clone(), deadline, lead: lead.min(longest), due_at, replace_from: None }
    }

    fn remaining(&self, now: Instant) -> Duration {
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
