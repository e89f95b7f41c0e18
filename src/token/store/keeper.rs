//! Work that must not be interrupted, kept going beyond the runtime that began it.
//!
//! Between the moment a server rotates a refresh token and the moment the new one is stored, the
//! only copy is in this process. A task on the caller's runtime ends where that runtime ends: at
//! the end of a `block_on`, a test, a worker that is stopped. So this work has a runtime of its
//! own: one thread, started when it is first needed, asleep when nothing is renewed, there until
//! the process ends. The same goes for a code that is exchanged for the tokens of a new sign-in.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;
use tracing::Instrument;
use tracing::instrument::WithSubscriber;

use crate::token::TokenError;

/// Work that runs to its end, also if this is dropped or the runtime that waits for it ends.
pub(crate) struct Kept<T>(JoinHandle<Result<T, TokenError>>);

/// Begins such work.
pub(crate) fn keep<T: Send + 'static>(
    work: impl Future<Output = Result<T, TokenError>> + Send + 'static,
) -> Result<Kept<T>, TokenError> {
    let runtime = runtime().map_err(TokenError::later)?;
    Ok(Kept(runtime.spawn(work.in_current_span().with_current_subscriber())))
}

impl<T> Future for Kept<T> {
    type Output = Result<T, TokenError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|done| {
            done.unwrap_or_else(|_| Err(TokenError::never("what gets or renews tokens panicked")))
        })
    }
}

fn runtime() -> io::Result<Handle> {
    static RUNTIME: Mutex<Option<Handle>> = Mutex::new(None);
    let mut started = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*started {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("mailbearer-tokens".into())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    *started = Some(handle.clone());
    Ok(handle)
}
