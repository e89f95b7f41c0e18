//! Tokens in files, one for each key.
//!
//! ```text
//!   NAME.json            the tokens, their revision and their key
//!   NAME.new             being written; renamed to NAME.json when it is whole
//!   NAME.write.lock      held while NAME.json is compared and replaced
//!   NAME.renew.lock      held while tokens are renewed at the server
//!   NAME.damaged-TIME    a NAME.json that could not be read
//! ```
//!
//! One file for each key, so that an account does not wait for another's renewal and a damaged file
//! costs one sign-in and not all. There are two locks because the one is held by whoever asks the
//! server, who needs the other to store the answer.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::locked::Locked;
use super::token_set::Written;
use super::{Conflict, Revision, StoreError, Stored, TokenSet, TokenStore};
use crate::BoxFuture;
use crate::secret::Secret;

/// Keeps tokens in a directory, one file for each key, **in clear**. A clone is cheap.
///
/// The directory is made when it is needed, for its owner alone (0700), as are the files (0600);
/// on Windows they have the rights that the directory gives. Whoever can read them can open the
/// mailboxes: where there is a keyring, take `KeyringStore` (feature `keyring`).
///
/// - Any number of processes and providers on the machine may share the directory. On a network
///   file system that depends on its locks and renames.
/// - A file is replaced in one step, and is on the disk before [`store_if`](TokenStore::store_if)
///   answers: whatever ends the program or the machine, the old or the new tokens are there.
/// - A file that cannot be read is moved aside and reported once, as
///   [`StoreError::Damaged`]; then there is nothing stored and somebody has to sign in. One that a
///   later release wrote is left alone.
///
/// File work is done on Tokio's threads for blocking work. Waiting for a lock ends with
/// [`StoreError::Locked`] after a minute.
///
/// # Example
///
/// ```
/// use mailbearer::token::store::FileStore;
///
/// let store = FileStore::new("/var/lib/mailer/tokens");
/// ```
#[derive(Clone)]
pub struct FileStore {
    place: Arc<Place>,
}

impl FileStore {
    /// Longer than any renewal takes that still has a chance.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A store in this directory. Nothing is read or made yet.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self::with_cover(directory.into(), Box::new(InClear))
    }

    pub(super) fn with_cover(directory: PathBuf, cover: Box<dyn Cover>) -> Self {
        Self { place: Arc::new(Place { directory, cover, patience: Self::PATIENCE }) }
    }

    fn entry(&self, key: &str) -> Entry {
        Entry { place: self.place.clone(), name: file_name(key), key: key.to_owned() }
    }

    async fn locked(&self, entry: &Entry, what: &str) -> Result<Locked, StoreError> {
        let place = self.place.clone();
        blocking(move || place.make_directory()).await?;
        Locked::wait(entry.path(what), self.place.patience).await
    }

    async fn read(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let entry = self.entry(key);
        match blocking({
            let entry = entry.clone();
            move || entry.read()
        })
        .await
        {
            Err(Unread::Failed(error)) => return Err(error),
            Ok(stored) => return Ok(stored),
            Err(Unread::Damaged(_)) => {}
        }
        // Somebody may have repaired it meanwhile: look again while nobody writes.
        let lock = self.locked(&entry, "write.lock").await?;
        blocking(move || {
            let _lock = lock;
            entry.read_or_move_aside()
        })
        .await
    }

    async fn replace(
        &self,
        key: &str,
        tokens: &TokenSet,
        expected: Option<Revision>,
    ) -> Result<Result<Revision, Conflict>, StoreError> {
        let entry = self.entry(key);
        let tokens = tokens.clone();
        let lock = self.locked(&entry, "write.lock").await?;
        blocking(move || {
            let _lock = lock;
            let there = entry.read_or_move_aside()?.map(|stored| stored.revision());
            if there != expected {
                return Ok(Err(Conflict));
            }
            let next = following(there);
            entry.write(&tokens, next)?;
            Ok(Ok(next))
        })
        .await
    }
}

impl TokenStore for FileStore {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        Box::pin(self.read(key))
    }

    fn store_if<'a>(
        &'a self,
        key: &'a str,
        tokens: &'a TokenSet,
        unless_changed_since: Option<Revision>,
    ) -> BoxFuture<'a, Result<Result<Revision, Conflict>, StoreError>> {
        Box::pin(self.replace(key, tokens, unless_changed_since))
    }

    fn lock<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Box<dyn Send + Sync>>, StoreError>> {
        Box::pin(async move {
            let held: Box<dyn Send + Sync> =
                Box::new(self.locked(&self.entry(key), "renew.lock").await?);
            Ok(Some(held))
        })
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("directory", &self.place.directory).finish()
    }
}

/// What hides the content of files from those who can read them. Its methods may block.
pub(super) trait Cover: Send + Sync {
    /// The content as it is written. `directory` exists.
    fn put_on(&self, directory: &Path, content: &[u8]) -> Result<Vec<u8>, StoreError>;

    /// The content again; `None` if it is not what `put_on` gave.
    fn take_off(
        &self,
        directory: &Path,
        written: Secret<Vec<u8>>,
    ) -> Result<Option<Secret<Vec<u8>>>, StoreError>;
}

struct InClear;

impl Cover for InClear {
    fn put_on(&self, _directory: &Path, content: &[u8]) -> Result<Vec<u8>, StoreError> {
        Ok(content.to_vec())
    }

    fn take_off(
        &self,
        _directory: &Path,
        written: Secret<Vec<u8>>,
    ) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
        Ok(Some(written))
    }
}

struct Place {
    directory: PathBuf,
    cover: Box<dyn Cover>,
    patience: Duration,
}

impl Place {
    fn make_directory(&self) -> Result<(), StoreError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.directory).map_err(failed("making the directory", &self.directory))
    }
}

/// The files of one key.
#[derive(Clone)]
struct Entry {
    place: Arc<Place>,
    name: String,
    key: String,
}

/// A file's content. The name of a file is only part of its key, so the whole is in here.
#[derive(Serialize, Deserialize)]
struct Content {
    key: String,
    revision: u64,
    tokens: Written,
}

/// What can be read of any form, however much the rest has changed.
#[derive(Deserialize)]
struct AnyContent {
    tokens: AnyForm,
}

#[derive(Deserialize)]
struct AnyForm {
    form: u32,
}

enum Unread {
    Damaged(String),
    Failed(StoreError),
}

impl From<StoreError> for Unread {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl Entry {
    fn path(&self, extension: &str) -> PathBuf {
        self.place.directory.join(format!("{}.{extension}", self.name))
    }

    fn read(&self) -> Result<Option<Stored>, Unread> {
        let path = self.path("json");
        let written = match std::fs::read(&path) {
            Ok(written) => Secret::new(written),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(failed("reading", &path)(cause).into()),
        };
        let Some(content) = self.place.cover.take_off(&self.place.directory, written)? else {
            return Err(Unread::Damaged("its key does not open it".into()));
        };
        let content: Content = match serde_json::from_slice(content.expose()) {
            Ok(content) => content,
            Err(error) => return Err(self.unreadable(content.expose(), &error)),
        };
        if content.key != self.key {
            return Err(Unread::Damaged("it was written for another key".into()));
        }
        let tokens = TokenSet::try_from(content.tokens)?;
        Ok(Some(Stored::new(tokens, Revision::new(content.revision))))
    }

    /// A later release's file is not damaged: that release may still be in use beside this one.
    fn unreadable(&self, content: &[u8], error: &serde_json::Error) -> Unread {
        let other = serde_json::from_slice(content)
            .ok()
            .filter(|any: &AnyContent| any.tokens.form != Written::FORM);
        match (other, StoreError::not_tokens(error)) {
            (Some(any), _) => StoreError::other_form(any.tokens.form).into(),
            (None, StoreError::NotTokens { why }) => Unread::Damaged(why),
            (None, error) => error.into(),
        }
    }

    /// To be called with the write lock held.
    fn read_or_move_aside(&self) -> Result<Option<Stored>, StoreError> {
        let why = match self.read() {
            Ok(stored) => return Ok(stored),
            Err(Unread::Failed(error)) => return Err(error),
            Err(Unread::Damaged(why)) => why,
        };
        let path = self.path("json");
        let moved_to = self.path(&format!("damaged-{}", now().as_millis()));
        std::fs::rename(&path, &moved_to).map_err(failed("moving aside", &path))?;
        let error = StoreError::Damaged { path, moved_to, why };
        tracing::error!(%error, "stored tokens are lost");
        Err(error)
    }

    /// To be called with the write lock held.
    fn write(&self, tokens: &TokenSet, revision: Revision) -> Result<(), StoreError> {
        let directory = &self.place.directory;
        let content = Content {
            key: self.key.clone(),
            revision: revision.number(),
            tokens: Written::of(tokens),
        };
        let json = Secret::new(tokens.sized_json(&content, self.key.len() + 64));
        let covered = Secret::new(self.place.cover.put_on(directory, json.expose())?);
        let (new, path) = (self.path("new"), self.path("json"));
        // What a process left that ended while it wrote. It is not written over, since it keeps
        // the rights it was made with.
        match std::fs::remove_file(&new) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(failed("removing", &new)(cause));
            }
            _ => {}
        }
        private_file()
            .write(true)
            .create_new(true)
            .open(&new)
            .and_then(|mut file| {
                file.write_all(covered.expose())?;
                file.sync_all()
            })
            .map_err(failed("writing", &new))?;
        std::fs::rename(&new, &path).map_err(failed("replacing", &path))?;
        sync_directory(directory).map_err(failed("syncing", directory))
    }
}

/// Readable text, so that a person finds the file, and a digest of the whole key, so that no two
/// keys share a file, whatever their length and on a file system that ignores case.
fn file_name(key: &str) -> String {
    const READABLE: usize = 60;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_@".contains(c);
    let mut name: String =
        key.chars().take(READABLE).map(|c| if plain(c) { c } else { '_' }).collect();
    name.push('-');
    for octet in Sha256::digest(key).iter().take(16) {
        name.push_str(&format!("{octet:02x}"));
    }
    name
}

/// The revision after this one. The first is the time, so that a key that was deleted and made
/// again does not meet its old revisions.
fn following(revision: Option<Revision>) -> Revision {
    let number = match revision {
        Some(revision) => revision.number().wrapping_add(1),
        None => u64::try_from(now().as_nanos()).unwrap_or_default(),
    };
    Revision::new(number)
}

fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Options for files that only their owner may read.
pub(super) fn private_file() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "rights come from the directory there"))]
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Renaming is on the disk only when the directory is.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Elsewhere directories cannot be opened; NTFS journals the renaming.
#[cfg(not(unix))]
fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

fn failed(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |cause| StoreError::File { step, path: path.into(), cause }
}

/// Runs file work where it may block. It goes on if the caller's future is dropped.
pub(super) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(StoreError::RuntimeEnded.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract;
    use super::super::scratch::Scratch;
    use super::*;

    fn tokens(refresh: &str) -> TokenSet {
        TokenSet::default().with_refresh_token(refresh)
    }

    fn impatient(directory: &Path) -> FileStore {
        let place = Place {
            directory: directory.into(),
            cover: Box::new(InClear),
            patience: Duration::ZERO,
        };
        FileStore { place: Arc::new(place) }
    }

    #[tokio::test]
    async fn it_is_a_store() {
        let scratch = Scratch::new();
        contract::holds_for(&FileStore::new(scratch.path().join("made/on/demand"))).await;
    }

    #[tokio::test]
    async fn another_store_of_the_same_directory_reads_it() {
        let scratch = Scratch::new();
        let stored = FileStore::new(scratch.path());
        let revision = stored.store_if("k", &tokens("r"), None).await.unwrap().unwrap();
        let found = FileStore::new(scratch.path()).load("k").await.unwrap().unwrap();
        assert_eq!((found.revision(), found.tokens().refresh_token()), (revision, Some("r")));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_may_read_what_is_written() {
        use std::os::unix::fs::PermissionsExt;

        let scratch = Scratch::new();
        let directory = scratch.path().join("tokens");
        let store = FileStore::new(&directory);
        store.store_if("k", &tokens("r"), None).await.unwrap().unwrap();
        let _held = store.lock("k").await.unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        let files: Vec<_> =
            std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 3, "{files:?}");
        for file in files {
            assert_eq!(mode(&file), 0o600, "{file:?}");
        }
    }

    #[tokio::test]
    async fn a_damaged_file_is_moved_aside_and_reported_once() {
        let scratch = Scratch::new();
        let store = FileStore::new(scratch.path());
        store.store_if("k", &tokens("s3cret"), None).await.unwrap().unwrap();
        let path = store.entry("k").path("json");
        let whole = std::fs::read(&path).unwrap();
        for damage in [&whole[..0], &whole[..whole.len() / 2], b"\xff\xfe", b"{}"] {
            std::fs::write(&path, damage).unwrap();
            let error = store.load("k").await.unwrap_err();
            let StoreError::Damaged { moved_to, .. } = &error else { panic!("{error}") };
            assert_eq!(std::fs::read(moved_to).unwrap(), damage);
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
            assert!(store.load("k").await.unwrap().is_none());
            std::fs::remove_file(moved_to).unwrap();
        }
        store.store_if("k", &tokens("new"), None).await.unwrap().unwrap();
        assert!(store.load("k").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_file_cut_short_at_any_octet_is_damaged() {
        let scratch = Scratch::new();
        let store = FileStore::new(scratch.path());
        store.store_if("k", &tokens("r"), None).await.unwrap().unwrap();
        let entry = store.entry("k");
        let whole = std::fs::read(entry.path("json")).unwrap();
        for length in 0..whole.len() {
            std::fs::write(entry.path("json"), &whole[..length]).unwrap();
            assert!(matches!(entry.read(), Err(Unread::Damaged(_))), "{length}");
        }
    }

    #[tokio::test]
    async fn the_file_of_a_later_release_is_left_alone() {
        let scratch = Scratch::new();
        let store = FileStore::new(scratch.path());
        store.store_if("k", &tokens("r"), None).await.unwrap().unwrap();
        let path = store.entry("k").path("json");
        let later = r#"{"key":"k","revision":"x","tokens":{"form":2,"refresh_token":[]}}"#;
        std::fs::write(&path, later).unwrap();
        let error = store.load("k").await.unwrap_err();
        assert!(error.to_string().contains("form 2"), "{error}");
        assert!(store.store_if("k", &tokens("n"), None).await.is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), later);
    }

    #[tokio::test]
    async fn a_file_for_another_key_is_not_taken_for_this_one() {
        let scratch = Scratch::new();
        let store = FileStore::new(scratch.path());
        store.store_if("one", &tokens("r"), None).await.unwrap().unwrap();
        let (one, two) = (store.entry("one").path("json"), store.entry("two").path("json"));
        std::fs::rename(one, two).unwrap();
        assert!(matches!(store.load("two").await, Err(StoreError::Damaged { .. })));
    }

    #[tokio::test]
    async fn what_a_process_left_half_written_does_not_matter() {
        let scratch = Scratch::new();
        let store = FileStore::new(scratch.path());
        let first = store.store_if("k", &tokens("one"), None).await.unwrap().unwrap();
        std::fs::write(store.entry("k").path("new"), "half").unwrap();
        let found = store.load("k").await.unwrap().unwrap();
        assert_eq!(found.tokens().refresh_token(), Some("one"));
        store.store_if("k", &tokens("two"), Some(first)).await.unwrap().unwrap();
        let found = store.load("k").await.unwrap().unwrap();
        assert_eq!(found.tokens().refresh_token(), Some("two"));
        assert!(!store.entry("k").path("new").exists());
    }

    #[tokio::test]
    async fn a_key_deleted_and_made_again_does_not_meet_its_old_revision() {
        let scratch = Scratch::new();
        let store = FileStore::new(scratch.path());
        let old = store.store_if("k", &tokens("one"), None).await.unwrap().unwrap();
        std::fs::remove_file(store.entry("k").path("json")).unwrap();
        let new = store.store_if("k", &tokens("two"), None).await.unwrap().unwrap();
        assert_ne!(old, new);
        let late = store.store_if("k", &tokens("three"), Some(old)).await.unwrap();
        assert_eq!(late, Err(Conflict));
    }

    #[tokio::test]
    async fn a_lock_held_too_long_is_an_error_and_hinders_no_writing() {
        let scratch = Scratch::new();
        let holder = FileStore::new(scratch.path());
        let held = holder.lock("k").await.unwrap();
        let store = impatient(scratch.path());
        assert!(matches!(store.lock("k").await, Err(StoreError::Locked { .. })));
        assert!(store.store_if("k", &tokens("r"), None).await.unwrap().is_ok());
        assert!(store.lock("another").await.is_ok());
        drop(held);
        assert!(store.lock("k").await.is_ok());
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_made_is_named() {
        let scratch = Scratch::new();
        let file = scratch.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = FileStore::new(file.join("in")).store_if("k", &tokens("r"), None).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("making the directory") && error.contains("file"), "{error}");
    }

    #[test]
    fn file_names_are_safe_short_and_different() {
        let long = "x".repeat(5000);
        let keys = ["", ".", "..", "a/b", "a\\b", "a_b", "A_B", "nul", "\0", "é", &long];
        let names: Vec<_> = keys.iter().map(|key| file_name(key)).collect();
        for (number, name) in names.iter().enumerate() {
            assert!(name.len() <= 100, "{name}");
            assert!(name.bytes().all(|o| o.is_ascii_alphanumeric() || b"-_@".contains(&o)));
            assert!(!names[..number].contains(name), "{name}");
        }
    }
}
