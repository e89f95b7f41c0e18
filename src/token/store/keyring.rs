//! Tokens in files that only the keyring's owner can open.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use keyring_core::Entry;

use super::file::{Cover, private_file};
use super::sealed::{Key, Sealer};
use super::{Conflict, FileStore, Revision, StoreError, Stored, TokenSet, TokenStore};
use crate::BoxFuture;
use crate::secret::Secret;

/// Keeps tokens in a directory as [`FileStore`] does, sealed with a key that is in the keyring of
/// the system (Keychain, Credential Manager, Secret Service).
///
/// The keyring holds the key and not the tokens because keyrings limit the length of what they
/// hold (2,560 octets at Windows), and cannot replace it only if it has not changed.
///
/// The program chooses the keyring: it calls `keyring_core::set_default_store` (keyring-core 1)
/// with one of the stores of the keyring ecosystem before the first token is wanted. The key is
/// made when the first token is stored, and read once in the life of the program, on Tokio's
/// threads for blocking work; the user may be asked to unlock the keyring then.
///
/// Without its key, as after a restored backup, a file counts as damaged: it is moved aside, and
/// somebody has to sign in again. A keyring that is locked or missing is
/// [`StoreError::Keyring`], and nothing is touched.
///
/// # Example
///
/// ```
/// use mailbearer::token::store::KeyringStore;
///
/// let store = KeyringStore::new("net.example.mailer", "/home/alice/.local/share/mailer");
/// ```
#[derive(Clone)]
pub struct KeyringStore {
    files: FileStore,
}

impl KeyringStore {
    /// A store in this directory, with the key in the keyring's entry for this service: the
    /// program's own name. Nothing is read or made yet.
    pub fn new(service: impl Into<String>, directory: impl Into<PathBuf>) -> Self {
        let seal = Seal { service: service.into(), key: Mutex::default() };
        Self { files: FileStore::with_cover(directory.into(), Box::new(seal)) }
    }
}

impl TokenStore for KeyringStore {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.files.load(key)
    }

    fn store_if<'a>(
        &'a self,
        key: &'a str,
        tokens: &'a TokenSet,
        unless_changed_since: Option<Revision>,
    ) -> BoxFuture<'a, Result<Result<Revision, Conflict>, StoreError>> {
        self.files.store_if(key, tokens, unless_changed_since)
    }

    fn lock<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Box<dyn Send + Sync>>, StoreError>> {
        self.files.lock(key)
    }
}

impl fmt::Debug for KeyringStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyringStore").field("files", &self.files).finish()
    }
}

/// Seals files with the key in the keyring.
struct Seal {
    service: String,
    /// Once it was read.
    key: Mutex<Option<Key>>,
}

impl Cover for Seal {
    fn put_on(&self, directory: &Path, content: &[u8]) -> Result<Vec<u8>, StoreError> {
        let sealer = Sealer::new().map_err(failed("sealing for"))?;
        let key = match self.key()? {
            Some(key) => key,
            None => self.make_key(&sealer, directory)?,
        };
        sealer.seal(&key, content).map_err(failed("sealing for"))
    }

    fn take_off(
        &self,
        _directory: &Path,
        written: Secret<Vec<u8>>,
    ) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
        let sealer = Sealer::new().map_err(failed("opening for"))?;
        let open = |key: Key| sealer.open(&key, written.expose());
        if let Some(content) = self.key()?.and_then(open) {
            return Ok(Some(content));
        }
        // Another process may have made a new key since ours was read.
        *self.known() = None;
        Ok(self.key()?.and_then(open))
    }
}

impl Seal {
    /// An entry holds one secret; a program that wants others under its name gives them other ones.
    const USER: &str = "key of stored tokens";

    fn entry(&self) -> Result<Entry, StoreError> {
        Entry::new(&self.service, Self::USER).map_err(failed("opening an entry in"))
    }

    fn key(&self) -> Result<Option<Key>, StoreError> {
        if let Some(key) = &*self.known() {
            return Ok(Some(key.clone()));
        }
        let key = match self.entry()?.get_secret() {
            Ok(secret) => {
                let secret = Secret::new(secret);
                let Ok(key) = <[u8; 32]>::try_from(secret.expose().as_slice()) else {
                    return Err(failed("reading")("the entry holds something else than a key"));
                };
                Secret::new(key)
            }
            Err(keyring_core::Error::NoEntry) => return Ok(None),
            Err(error) => return Err(failed("reading")(error)),
        };
        *self.known() = Some(key.clone());
        Ok(Some(key))
    }

    /// Keyrings have no compare-and-set: a lock file keeps two programs from making two keys, one
    /// of which would be lost.
    fn make_key(&self, sealer: &Sealer, directory: &Path) -> Result<Key, StoreError> {
        let path = directory.join("keyring.lock");
        let file = private_file().read(true).write(true).create(true).truncate(false).open(&path);
        let _locked = file
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|cause| StoreError::File { step: "locking", path, cause })?;
        if let Some(key) = self.key()? {
            return Ok(key);
        }
        let key = sealer.new_key().map_err(failed("making a key for"))?;
        self.entry()?.set_secret(key.expose()).map_err(failed("writing to"))?;
        *self.known() = Some(key.clone());
        Ok(key)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Key>> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed<E: Into<Box<dyn Error + Send + Sync>>>(
    step: &'static str,
) -> impl FnOnce(E) -> StoreError {
    move |cause| StoreError::Keyring { step, cause: cause.into() }
}

#[cfg(test)]
mod tests {
    use std::sync::Once;

    use super::super::contract;
    use super::super::scratch::Scratch;
    use super::*;

    /// The keyring is one for the process; each test has a service of its own in it.
    fn store(service: &str, scratch: &Scratch) -> KeyringStore {
        static KEYRING: Once = Once::new();
        KEYRING.call_once(|| {
            keyring_core::set_default_store(keyring_core::mock::Store::new().unwrap());
        });
        KeyringStore::new(service, scratch.path())
    }

    fn tokens(refresh: &str) -> TokenSet {
        TokenSet::default().with_refresh_token(refresh)
    }

    fn entry(service: &str) -> Entry {
        Entry::new(service, Seal::USER).unwrap()
    }

    fn sealed_files(scratch: &Scratch) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(scratch.path()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect()
    }

    #[tokio::test]
    async fn it_is_a_store() {
        let scratch = Scratch::new();
        contract::holds_for(&store("contract", &scratch)).await;
    }

    #[tokio::test]
    async fn another_program_with_the_keyring_reads_it_and_the_file_shows_nothing() {
        let scratch = Scratch::new();
        let one = store("sealed", &scratch);
        one.store_if("k", &tokens("s3cret-refresh"), None).await.unwrap().unwrap();
        let found = store("sealed", &scratch).load("k").await.unwrap().unwrap();
        assert_eq!(found.tokens().refresh_token(), Some("s3cret-refresh"));
        let files = sealed_files(&scratch);
        assert_eq!(files.len(), 1);
        let content = std::fs::read(&files[0]).unwrap();
        assert!(memchr::memmem::find(&content, b"refresh").is_none());
    }

    #[tokio::test]
    async fn without_its_key_a_file_is_moved_aside_and_a_sign_in_makes_a_new_one() {
        let scratch = Scratch::new();
        store("lost", &scratch).store_if("k", &tokens("old"), None).await.unwrap().unwrap();
        entry("lost").delete_credential().unwrap();
        let one = store("lost", &scratch);
        assert!(matches!(one.load("k").await, Err(StoreError::Damaged { .. })));
        assert!(one.load("k").await.unwrap().is_none());
        one.store_if("k", &tokens("new"), None).await.unwrap().unwrap();
        let found = one.load("k").await.unwrap().unwrap();
        assert_eq!(found.tokens().refresh_token(), Some("new"));
    }

    #[tokio::test]
    async fn a_key_that_another_process_made_anew_is_read_again() {
        let scratch = Scratch::new();
        let one = store("renewed", &scratch);
        let first = one.store_if("k", &tokens("one"), None).await.unwrap().unwrap();
        entry("renewed").delete_credential().unwrap();
        std::fs::remove_file(&sealed_files(&scratch)[0]).unwrap();
        let other = store("renewed", &scratch);
        other.store_if("k", &tokens("two"), None).await.unwrap().unwrap();
        let found = one.load("k").await.unwrap().unwrap();
        assert_eq!(found.tokens().refresh_token(), Some("two"));
        assert_ne!(found.revision(), first);
    }

    #[tokio::test]
    async fn a_keyring_that_fails_is_an_error_and_touches_nothing() {
        let scratch = Scratch::new();
        store("locked", &scratch).store_if("k", &tokens("r"), None).await.unwrap().unwrap();
        let held = entry("locked");
        let fault = keyring_core::Error::NoStorageAccess("locked".into());
        held.as_any().downcast_ref::<keyring_core::mock::Cred>().unwrap().set_error(fault);
        let one = store("locked", &scratch);
        let error = one.load("k").await.unwrap_err();
        assert!(matches!(error, StoreError::Keyring { .. }), "{error}");
        assert_eq!(one.load("k").await.unwrap().unwrap().tokens().refresh_token(), Some("r"));
    }

    #[tokio::test]
    async fn an_entry_that_is_no_key_is_not_used_as_one() {
        let scratch = Scratch::new();
        let one = store("other", &scratch);
        entry("other").set_secret(b"a password of the program's").unwrap();
        let error = one.store_if("k", &tokens("r"), None).await.unwrap_err();
        assert!(!error.to_string().contains("a password"), "{error}");
        assert!(sealed_files(&scratch).is_empty());
    }
}
