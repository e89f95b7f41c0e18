//! Locks between processes, by lock files.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::StoreError;
use super::file::{blocking, private_file};

/// The lock of a file, given back when this is dropped or the process ends.
///
/// The file stays: were it removed, one process could lock the old file and another a new one.
#[derive(Debug)]
pub(super) struct Locked {
    _file: File,
}

impl Locked {
    /// Waits for the lock, for so long.
    ///
    /// It asks again and again rather than wait in the system call: a thread that waits there
    /// cannot be called back, and keeps a runtime from ending.
    pub(super) async fn wait(path: PathBuf, patience: Duration) -> Result<Self, StoreError> {
        const LONGEST_PAUSE: Duration = Duration::from_millis(20);
        let began = Instant::now();
        let mut pause = Duration::from_millis(1);
        let mut file = blocking({
            let path = path.clone();
            move || open(&path)
        })
        .await?;
        loop {
            let attempt = {
                let path = path.clone();
                move || Ok((attempt(&file, &path)?, file))
            };
            let (taken, again) = blocking(attempt).await?;
            file = again;
            if taken {
                return Ok(Self { _file: file });
            }
            if began.elapsed() >= patience {
                return Err(StoreError::Locked { path, after: patience });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn open(path: &Path) -> Result<File, StoreError> {
    private_file()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|cause| StoreError::File { step: "opening", path: path.into(), cause })
}

fn attempt(file: &File, path: &Path) -> Result<bool, StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(cause)) => {
            Err(StoreError::File { step: "locking", path: path.into(), cause })
        }
    }
}
