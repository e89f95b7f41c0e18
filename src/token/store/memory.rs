//! Tokens in memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Conflict, Revision, StoreError, Stored, TokenSet, TokenStore};
use crate::BoxFuture;

/// Keeps tokens until the program ends. A clone is cheap and shares them.
///
/// For programs that sign in at each start, and for tests.
///
/// # Example
///
/// ```
/// use mailbearer::token::store::{MemoryStore, TokenSet, TokenStore};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let store = MemoryStore::default();
/// let tokens = TokenSet::default().with_refresh_token("M.C507_BAY.0.U.-Cq1");
/// let revision = store.store_if("alice", &tokens, None).await?;
/// assert!(revision.is_ok());
/// # Ok::<(), mailbearer::token::store::StoreError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore {
    rows: Arc<Mutex<HashMap<String, Row>>>,
}

#[derive(Default)]
struct Row {
    stored: Option<Stored>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl MemoryStore {
    fn rows(&self) -> MutexGuard<'_, HashMap<String, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(
        &self,
        key: &str,
        tokens: &TokenSet,
        expected: Option<Revision>,
    ) -> Result<Revision, Conflict> {
        let mut rows = self.rows();
        let row = rows.entry(key.to_owned()).or_default();
        let there = row.stored.as_ref().map(Stored::revision);
        if there != expected {
            return Err(Conflict);
        }
        let next = Revision::new(there.map_or(1, |revision| revision.number().wrapping_add(1)));
        row.stored = Some(Stored::new(tokens.clone(), next));
        Ok(next)
    }
}

impl TokenStore for MemoryStore {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        Box::pin(async move { Ok(self.rows().get(key).and_then(|row| row.stored.clone())) })
    }

    fn store_if<'a>(
        &'a self,
        key: &'a str,
        tokens: &'a TokenSet,
        unless_changed_since: Option<Revision>,
    ) -> BoxFuture<'a, Result<Result<Revision, Conflict>, StoreError>> {
        Box::pin(async move { Ok(self.replace(key, tokens, unless_changed_since)) })
    }

    fn lock<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Box<dyn Send + Sync>>, StoreError>> {
        Box::pin(async move {
            let turn = self.rows().entry(key.to_owned()).or_default().turn.clone();
            let held: Box<dyn Send + Sync> = Box::new(turn.lock_owned().await);
            Ok(Some(held))
        })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("keys", &self.rows().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract;
    use super::*;

    #[tokio::test]
    async fn it_is_a_store() {
        contract::holds_for(&MemoryStore::default()).await;
    }

    #[tokio::test]
    async fn clones_share_what_is_stored() {
        let store = MemoryStore::default();
        let tokens = TokenSet::default().with_refresh_token("r");
        store.clone().store_if("k", &tokens, None).await.unwrap().unwrap();
        assert!(store.load("k").await.unwrap().is_some());
    }
}
