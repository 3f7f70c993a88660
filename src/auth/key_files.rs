//! Public keys in PEM files, read again when they change.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::tls::read_pem;

use super::error::{KeyProblem, SetupError};
use super::key::Key;
use super::settings::PublicKeyFile;

/// How long a replaced key file may go unnoticed. The files are small, so they are simply read:
/// that also sees what leaves the time stamp alone, as the symlinks of Kubernetes do.
const POLL_EVERY: Duration = Duration::from_secs(3);

/// The keys of all files.
///
/// A file that cannot be read or used any more keeps its last good keys, so that a slip of an
/// operator locks nobody out. To withdraw a key, write the file without it.
pub(super) struct KeyFiles {
    files: Vec<PublicKeyFile>,
    /// By file, in their order.
    keys: ArcSwap<Vec<Arc<[Key]>>>,
    /// What was last seen of each file, good or bad, so that each change is logged once.
    seen: Mutex<Vec<Seen>>,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Seen {
    Contents([u8; 32]),
    Unreadable(io::ErrorKind),
}

impl KeyFiles {
    /// Reads all files; here every problem is an error.
    pub(super) fn load(files: &[PublicKeyFile]) -> Result<Self, SetupError> {
        let mut keys = Vec::new();
        let mut seen = Vec::new();
        for file in files {
            let path = || file.path.clone();
            let text =
                read_pem(&file.path).map_err(|source| SetupError::ReadKeyFile { path: path(), source })?;
            keys.push(
                parse(file, &text).map_err(|problem| SetupError::BadKeyFile { path: path(), problem })?,
            );
            seen.push(Seen::Contents(Sha256::digest(&text).into()));
        }
        Ok(Self { files: files.to_vec(), keys: ArcSwap::from_pointee(keys), seen: Mutex::new(seen) })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The keys in force, for the length of one check.
    pub(super) fn current(&self) -> arc_swap::Guard<Arc<Vec<Arc<[Key]>>>> {
        self.keys.load()
    }

    /// Watches the files until `shutdown`.
    pub(super) async fn run(self: &Arc<Self>, shutdown: &CancellationToken) {
        if self.is_empty() {
            return;
        }
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(POLL_EVERY) => {}
            }
            let files = self.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || files.reload()).await {
                tracing::error!(%error, "reading the public key files failed");
            }
        }
    }

    /// Reads every file once and puts the keys of changed ones in force.
    pub(super) fn reload(&self) {
        // Poisoned by a panic, `seen` is at worst old: the file is read once more.
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut keys = None;
        for (index, file) in self.files.iter().enumerate() {
            let contents = read_pem(&file.path);
            let now = match &contents {
                Ok(text) => Seen::Contents(Sha256::digest(text).into()),
                Err(error) => Seen::Unreadable(error.kind()),
            };
            if std::mem::replace(&mut seen[index], now) == now {
                continue;
            }
            let path = file.path.display();
            match contents.map(|text| parse(file, &text)) {
                Ok(Ok(new)) => {
                    tracing::info!(%path, keys = new.len(), "public keys reloaded");
                    let all = keys.get_or_insert_with(|| Vec::clone(&self.keys.load()));
                    all[index] = new;
                }
                Ok(Err(problem)) => {
                    tracing::warn!(%path, %problem, "public key file is bad, its old keys stay");
                }
                Err(error) => {
                    tracing::warn!(%path, %error, "public key file is unreadable, its old keys stay");
                }
            }
        }
        if let Some(keys) = keys {
            self.keys.store(Arc::new(keys));
        }
    }
}

fn parse(file: &PublicKeyFile, text: &[u8]) -> Result<Arc<[Key]>, KeyProblem> {
    Key::all_from_pem(file.key_id.as_deref(), text).map(Arc::from)
}
