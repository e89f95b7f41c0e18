//! A refresh: from the request for a token to the answer, for all who wait for it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Outcome;
use super::event::{CacheEvent, Events};
use super::key::Key;
use super::slots::{Store, lock};
use crate::Failure;
use crate::token::{AccessToken, TokenError, TokenProvider, TokenRequest};

/// A refresh, as those see it who wait for it.
#[derive(Clone)]
pub(super) struct Flight {
    answer: watch::Receiver<Option<Outcome>>,
}

impl Flight {
    pub(super) const fn new(answer: watch::Receiver<Option<Outcome>>) -> Self {
        Self { answer }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.answer.same_channel(&other.answer)
    }

    /// What came of it; `None` if its task was dropped before it had an answer.
    pub(super) async fn outcome(&mut self) -> Option<Outcome> {
        let answer = self.answer.wait_for(Option::is_some).await.ok()?;
        answer.clone()
    }
}

/// A refresh that is registered and not yet started.
pub(super) struct Departure<P> {
    pub(super) provider: Arc<P>,
    pub(super) request: TokenRequest,
    pub(super) ahead: bool,
    pub(super) landing: Landing,
    pub(super) events: Events,
    pub(super) flight: Flight,
}

pub(super) enum Reason {
    Needed,
    Ahead,
    /// A server refused this token.
    Refused(AccessToken),
}

impl<P: TokenProvider + 'static> Departure<P> {
    pub(super) fn start(self) -> Result<Flight, TokenError> {
        let Self { provider, request, ahead, landing, events, flight } = self;
        let runtime = Handle::try_current().map_err(TokenError::never)?;
        runtime.spawn(async move {
            let begun = Instant::now();
            let outcome = provider.token(&request).await;
            let report = Report { ahead, wanted: request.min_lifetime(), took: begun.elapsed() };
            report.tell(&outcome, &events);
            landing.settle(Some(outcome));
        });
        Ok(flight)
    }
}

/// What is told of a refresh.
struct Report {
    ahead: bool,
    wanted: Duration,
    took: Duration,
}

impl Report {
    fn tell(&self, outcome: &Outcome, events: &Events) {
        let (ahead, took) = (self.ahead, self.took);
        let token = match outcome {
            Ok(token) => token,
            Err(error) => {
                if ahead {
                    tracing::warn!(%error, "could not renew an access token ahead of time");
                }
                events.tell(CacheEvent::Failed { ahead, retry: error.retry(), took });
                return;
            }
        };
        let lifetime = token.remaining();
        events.tell(CacheEvent::Fetched { ahead, lifetime, took });
        // One fetched ahead of time is wanted to outlive another, and nobody waits for it.
        if let Some(lifetime) = lifetime.filter(|lifetime| !ahead && *lifetime < self.wanted) {
            let wanted = self.wanted;
            tracing::warn!(?lifetime, ?wanted, "a new access token lives shorter than is wanted");
            events.tell(CacheEvent::ShortLived { lifetime, wanted });
        }
    }
}

/// Where a refresh delivers its outcome. Dropped without one, it makes room for the next refresh.
pub(super) struct Landing {
    pub(super) store: Arc<Mutex<Store>>,
    pub(super) key: Key,
    /// The refused token because of which it was begun.
    pub(super) instead_of: Option<AccessToken>,
    pub(super) margin: Duration,
    pub(super) answer: watch::Sender<Option<Outcome>>,
}

impl Landing {
    fn settle(&self, outcome: Option<Outcome>) {
        let flight = Flight::new(self.answer.subscribe());
        let instead_of = self.instead_of.as_ref();
        lock(&self.store).settle(&self.key, &flight, instead_of, self.margin, outcome.as_ref());
        if outcome.is_some() {
            self.answer.send_replace(outcome);
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if self.answer.borrow().is_some() {
            return;
        }
        // A provider that panics once will do so again: its waiters must not try in turn.
        let panicked = std::thread::panicking().then(|| Err(TokenError::never(Panicked)));
        self.settle(panicked);
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the token provider panicked")]
struct Panicked;

#[derive(Debug, thiserror::Error)]
#[error("the Tokio runtime that was asking for it has ended")]
pub(super) struct RuntimeEnded;
