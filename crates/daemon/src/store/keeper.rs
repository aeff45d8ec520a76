//! The store as the boards' changes see it: where records go, what is durable, which revisions may be given out.
//!
//! Invariant: a board's records are handed over under the board's lock, so their order here is the order of its changes.
//! In the modes `memory` and `snapshot` a change is as durable as it gets the moment it is made, so nothing waits.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use callboard_broker::Record;
use callboard_protocol::Namespace;
use callboard_protocol::methods::server::StoreStats;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::{Revisions, SealedReader, Snapshots, StoreError, Written};
use crate::config::Durability;
use crate::files::PrivateDirectory;
use crate::home::{Home, HomeError};

/// Revisions reserved at once: one fsync for a million changes.
const BLOCK: u64 = 1_000_000;
/// The file that is there while a daemon runs, and after one that did not stop cleanly.
const RUNNING_FILE: &str = "running";

/// A place in the order of all changes; what carries it may leave the daemon once it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position(pub u64);

/// One line of a snapshot.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotLine {
    /// The records that follow are of this namespace.
    Namespace(Namespace),
    /// One entity.
    Record(Record),
}

/// What a snapshot's header says besides its format.
#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    instance_id: String,
    written_at: u64,
}

/// What was found at the start.
#[derive(Debug)]
pub struct Loaded {
    /// The snapshot to restore, not read yet.
    pub snapshot: Option<SealedReader>,
    /// The instance to go on as: none when state was lost.
    pub instance_id: Option<String>,
}

/// The store of a running daemon.
#[derive(Debug)]
pub struct Keeper {
    disk: Option<Disk>,
    /// What `revisions` is on disk, while there is no disk.
    ceilings: Mutex<BTreeMap<Namespace, u64>>,
    position: AtomicU64,
    saved: AtomicU64,
    records: AtomicU64,
    snapshots: AtomicU64,
    failures: AtomicU64,
    snapshot_bytes: AtomicU64,
    snapshot_took_ms: AtomicU64,
    changed: Notify,
}

#[derive(Debug)]
struct Disk {
    directory: Arc<PrivateDirectory>,
    snapshots: Mutex<Snapshots>,
    revisions: Mutex<Revisions>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory can't be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// What is in it can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Keeper {
    /// Opens the store in the home; `memory` needs none.
    ///
    /// # Errors
    /// [`OpenError`]: the directory is not ours alone, or what is in it is damaged or too new.
    pub fn open(home: &Home, durability: Durability) -> Result<(Self, Loaded), OpenError> {
        if durability == Durability::Memory {
            return Ok((Self::new(None), Loaded { snapshot: None, instance_id: None }));
        }
        let directory = Arc::new(home.open_store()?);
        let snapshots = Snapshots::of(Arc::clone(&directory));
        let snapshot = snapshots.open_newest()?;
        let revisions = Revisions::load(Arc::clone(&directory))?;
        let running = directory.join(RUNNING_FILE);
        let was_clean = !running.exists();
        fs::write(&running, b"").map_err(|source| StoreError::Mark { path: running, source })?;
        let meta: Option<Meta> = snapshot.as_ref().map(SealedReader::meta).transpose()?;
        let instance_id = meta.filter(|_| was_clean).map(|meta| meta.instance_id);
        let disk = Disk { directory, snapshots: Mutex::new(snapshots), revisions: Mutex::new(revisions) };
        Ok((Self::new(Some(disk)), Loaded { snapshot, instance_id }))
    }

    fn new(disk: Option<Disk>) -> Self {
        Self {
            disk,
            ceilings: Mutex::default(),
            position: AtomicU64::new(0),
            saved: AtomicU64::new(0),
            records: AtomicU64::new(0),
            snapshots: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            snapshot_bytes: AtomicU64::new(0),
            snapshot_took_ms: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }

    /// Whether there is a disk at all.
    #[must_use]
    pub fn is_on_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// Takes the records of one change; gives the position that whatever shows the change waits for.
    pub fn append(&self, records: &[Record]) -> Position {
        if records.is_empty() {
            return Position(self.position.load(Ordering::Acquire));
        }
        self.records.fetch_add(records.len() as u64, Ordering::Relaxed);
        let position = self.position.fetch_add(1, Ordering::AcqRel) + 1;
        if position == self.saved.load(Ordering::Acquire) + 1 {
            self.changed.notify_one();
        }
        Position(position)
    }

    /// Whether what carries this position may leave the daemon: in the modes without a journal always.
    #[must_use]
    pub fn is_durable(&self, _position: Position) -> bool {
        true
    }

    /// Waits until there is a change that no snapshot has.
    pub async fn unsaved(&self) {
        while self.position.load(Ordering::Acquire) == self.saved.load(Ordering::Acquire) {
            self.changed.notified().await;
        }
    }

    /// The first revision of a namespace that no earlier daemon can have given out.
    #[must_use]
    pub fn first_free_revision(&self, namespace: &Namespace) -> u64 {
        let ceiling = match &self.disk {
            Some(disk) => locked(&disk.revisions).ceiling(namespace),
            None => locked(&self.ceilings).get(namespace).copied().unwrap_or_default(),
        };
        ceiling.max(1)
    }

    /// Reserves revisions from `from` on; gives the exclusive upper bound of what may be given out. Blocks for an fsync.
    ///
    /// # Errors
    /// [`StoreError`]: nothing may be given out beyond the old bound.
    pub fn reserve(&self, namespace: &Namespace, from: u64) -> Result<u64, StoreError> {
        match &self.disk {
            Some(disk) => locked(&disk.revisions).reserve(namespace, from, BLOCK),
            None => {
                let ceiling = from.saturating_add(BLOCK);
                locked(&self.ceilings).insert(namespace.clone(), ceiling);
                Ok(ceiling)
            }
        }
    }

    /// Writes a snapshot of `lines`, which show every change up to `position`. Blocks.
    ///
    /// # Errors
    /// `None` when there is no disk, else [`StoreError`]; the snapshots before are untouched.
    pub fn snapshot(
        &self,
        instance_id: &str,
        written_at: u64,
        position: Position,
        lines: impl IntoIterator<Item = SnapshotLine>,
    ) -> Result<(Written, u64), Option<StoreError>> {
        let disk = self.disk.as_ref().ok_or(None)?;
        let start = Instant::now();
        let meta = Meta { instance_id: instance_id.to_owned(), written_at };
        let written = locked(&disk.snapshots).write(&meta, lines);
        let took_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        match written {
            Ok(written) => {
                self.saved.fetch_max(position.0, Ordering::AcqRel);
                self.snapshots.fetch_add(1, Ordering::Relaxed);
                self.snapshot_bytes.store(written.bytes, Ordering::Relaxed);
                self.snapshot_took_ms.store(took_ms, Ordering::Relaxed);
                Ok((written, took_ms))
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                Err(Some(error))
            }
        }
    }

    /// The position of the last change.
    #[must_use]
    pub fn position(&self) -> Position {
        Position(self.position.load(Ordering::Acquire))
    }

    /// Tells the next daemon that this one stopped cleanly and lost nothing.
    pub fn mark_clean(&self) {
        let Some(disk) = &self.disk else { return };
        let running = disk.directory.join(RUNNING_FILE);
        if let Err(error) = fs::remove_file(&running) {
            tracing::warn!(path = %running.display(), %error, "could not be removed: the next start will not count as clean");
        }
    }

    /// For `server.stats`.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        StoreStats {
            snapshots: read(&self.snapshots),
            failures: read(&self.failures),
            snapshot_bytes: read(&self.snapshot_bytes),
            snapshot_took_ms: read(&self.snapshot_took_ms),
            unsaved_changes: read(&self.position).saturating_sub(read(&self.saved)),
            records: read(&self.records),
        }
    }
}
