//! Where tokens outlive the program: refresh tokens above all, which a user signed in for.
//!
//! | you have | take |
//! |---|---|
//! | a program that may sign in again at each start, or a test | [`MemoryStore`] |
//! | a machine whose files only you can read | [`FileStore`] |
//! | a desktop with a keyring | `KeyringStore` (feature `keyring`) |
//! | a database that several machines share | implement [`TokenStore`]: see `examples/with-redis` |
//!
//! # Rotation
//!
//! A server may give a new refresh token with every access token and take the use of an old one
//! for theft: it then revokes them all (RFC 9700 section 4.14.2), and somebody has to sign in
//! again. So programs that share a sign-in must share what it gave, must not renew at the same
//! time, and must never write over a token that another has just brought. That is what revisions
//! and [`TokenStore::lock`] are for.

#[cfg(test)]
mod contract;
mod error;
mod file;
pub(crate) mod keeper;
#[cfg(feature = "keyring")]
mod keyring;
mod locked;
mod memory;
#[cfg(test)]
mod processes;
pub(crate) mod renew;
#[cfg(test)]
mod scratch;
#[cfg(feature = "keyring")]
mod sealed;
mod token_set;

use std::fmt;

pub use error::StoreError;
pub use file::FileStore;
#[cfg(feature = "keyring")]
#[cfg_attr(docsrs, doc(cfg(feature = "keyring")))]
pub use keyring::KeyringStore;
pub use memory::MemoryStore;
pub use token_set::TokenSet;

use crate::BoxFuture;

/// A place for the tokens of sign-ins, one [`TokenSet`] for each key.
///
/// A key is any text, chosen by the provider that signs in: it names the server, the client and
/// the account. What is stored are secrets that open mailboxes.
///
/// # Where it is called
///
/// Tokens are renewed, and a new sign-in is stored, on a small Tokio runtime of the crate's own:
/// one thread, which goes on when a caller gives up or the program's runtime ends, since the only
/// copy of a rotated refresh token is then in memory. [`load`](Self::load) is called on the
/// caller's runtime too. So an implementation
///
/// - may find neither the program's runtime by `Handle::current()` nor its thread-locals and
///   task-locals,
/// - keeps no connection that a task of one runtime serves, unless it opens another when that ends,
/// - does not block: all renewals of the process share that thread.
///
/// The futures are `Send`, as [`BoxFuture`] demands. `tracing` spans and subscribers are those of
/// the caller.
///
/// # Example
///
/// A store needs a compare-and-set, as most databases have it. This one is a map in memory.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
/// use mailbearer::BoxFuture;
/// use mailbearer::token::store::{Conflict, Revision, StoreError, Stored, TokenSet, TokenStore};
///
/// #[derive(Default)]
/// struct Map {
///     rows: Mutex<HashMap<String, (u64, String)>>,
/// }
///
/// impl TokenStore for Map {
///     fn load<'a>(
///         &'a self,
///         key: &'a str,
///     ) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
///         Box::pin(async move {
///             let rows = self.rows.lock().map_err(|_| StoreError::never("poisoned"))?;
///             let Some((revision, json)) = rows.get(key) else { return Ok(None) };
///             Ok(Some(Stored::new(TokenSet::from_json(json)?, Revision::new(*revision))))
///         })
///     }
///
///     fn store_if<'a>(
///         &'a self,
///         key: &'a str,
///         tokens: &'a TokenSet,
///         unless_changed_since: Option<Revision>,
///     ) -> BoxFuture<'a, Result<Result<Revision, Conflict>, StoreError>> {
///         Box::pin(async move {
///             let mut rows = self.rows.lock().map_err(|_| StoreError::never("poisoned"))?;
///             let there = rows.get(key).map(|(revision, _)| Revision::new(*revision));
///             if there != unless_changed_since {
///                 return Ok(Err(Conflict));
///             }
///             let next = there.map_or(1, |revision| revision.number() + 1);
///             // A real store encrypts this.
///             rows.insert(key.to_owned(), (next, tokens.to_json()));
///             Ok(Ok(Revision::new(next)))
///         })
///     }
/// }
/// ```
pub trait TokenStore: Send + Sync {
    /// What is stored under this key; `None` if nothing is.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if it cannot be read. It is then not known whether there is anything.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time.
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>>;

    /// Stores a set in place of the one with this revision, or, without a revision, where nothing
    /// is stored. Gives the new revision; a [`Conflict`] if something else is there by now, which
    /// is then left as it is.
    ///
    /// Looking and storing are one step, for all programs that share the store. Once it has given
    /// a revision, the set survives the end of the program (if the store survives it at all).
    ///
    /// # Errors
    ///
    /// [`StoreError`], if it could not be stored. It is then not known whether it was.
    ///
    /// # Cancel safety
    ///
    /// A future dropped early may or may not store the set, but never a part of it.
    fn store_if<'a>(
        &'a self,
        key: &'a str,
        tokens: &'a TokenSet,
        unless_changed_since: Option<Revision>,
    ) -> BoxFuture<'a, Result<Result<Revision, Conflict>, StoreError>>;

    /// Waits until no other program holds the lock of this key, and takes it; it is given back
    /// when what is returned is dropped, and when the program ends in whatever way.
    ///
    /// Held while tokens are renewed, so that two programs do not spend the same refresh token.
    /// It guards nothing else: `load` and `store_if` work without it. A store that cannot lock
    /// gives `None`, as this does by default; then a program that came second is told by a
    /// [`Conflict`], and loses nothing at a server that allows a refresh token a second use for a
    /// short time.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if the lock could not be had, or not in a reasonable time.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time, and then holds nothing.
    fn lock<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Box<dyn Send + Sync>>, StoreError>> {
        let _ = key;
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// A set of tokens as it was stored, and which state of the store it is from.
#[derive(Debug, Clone)]
pub struct Stored {
    tokens: TokenSet,
    revision: Revision,
}

impl Stored {
    /// Tokens that a store holds.
    pub const fn new(tokens: TokenSet, revision: Revision) -> Self {
        Self { tokens, revision }
    }

    /// The tokens.
    pub const fn tokens(&self) -> &TokenSet {
        &self.tokens
    }

    /// Which state of the store they are from.
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// The tokens alone.
    pub fn into_tokens(self) -> TokenSet {
        self.tokens
    }
}

/// Names one state of what is stored under a key.
///
/// The number is the store's own affair. No two states of a key have the same, even if what was
/// stored has been deleted between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision(u64);

impl Revision {
    /// A revision with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// Something else is stored by now than what was to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict;

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stored tokens have been changed meanwhile")
    }
}

impl std::error::Error for Conflict {}
