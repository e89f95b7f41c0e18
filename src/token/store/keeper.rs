//! Work that must not be interrupted, kept going beyond the runtime that began it.
//!
//! Between the moment a server rotates a refresh token and the moment the new one is stored, the
//! only copy is in this process. A task on the caller's runtime ends where that runtime ends: at
//! the end of a `block_on`, a test, a worker that is stopped. So this work has a runtime of its
//! own: one thread, started when it is first needed, asleep when nothing is renewed, there until
//! the process ends.

use std::io;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Handle};
use tracing::Instrument;
use tracing::instrument::WithSubscriber;

use crate::token::TokenError;

/// Runs work to its end, even if the future that waits for it is dropped or its runtime ends.
pub(super) async fn keep<T: Send + 'static>(
    work: impl Future<Output = Result<T, TokenError>> + Send + 'static,
) -> Result<T, TokenError> {
    let runtime = runtime().map_err(TokenError::later)?;
    let work = work.in_current_span().with_current_subscriber();
    match runtime.spawn(work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(TokenError::never("renewing tokens panicked")),
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
