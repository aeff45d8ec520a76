//! The store as the boards' changes see it: where records go, what is stored, which revisions may be given out.
//!
//! Invariant: a board's records are handed over under the board's lock, so their order here is the order of its changes.
//! In the modes `memory` and `snapshot` a change is as safe as it gets the moment it is made, so nothing waits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use callboard_broker::Record;
use callboard_protocol::Namespace;
use callboard_protocol::methods::server::StoreStats;
use tokio::sync::Notify;

use super::walk::Tee;
use super::{Fate, Journal, Opened, Replayed, Revisions, Snapshots, StoreError};
use crate::config::Durability;
use crate::files::Volume;

/// Revisions reserved at once: one fsync for a million changes.
const BLOCK: u64 = 1_000_000;

/// A place in the order of all changes; what carries it may leave the daemon once it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position(pub u64);

/// How the changes are kept.
#[derive(Debug)]
pub(super) enum Log {
    /// Not at all.
    None,
    /// In the next snapshot; the changes of a walk beside it.
    Tee(Tee),
    /// In the journal.
    Journal(Box<Journal>),
}

/// The store of a running daemon.
#[derive(Debug)]
pub struct Keeper {
    pub(super) log: Log,
    pub(super) disk: Option<Disk>,
    /// What `revisions` is on disk, while there is no disk.
    ceilings: Mutex<BTreeMap<Namespace, u64>>,
    pub(super) counters: Counters,
    changed: Notify,
}

/// What is counted since the start.
#[derive(Debug, Default)]
pub(super) struct Counters {
    changes: AtomicU64,
    pub saved: AtomicU64,
    records: AtomicU64,
    pub snapshots: AtomicU64,
    pub failures: AtomicU64,
    pub snapshot_bytes: AtomicU64,
    pub snapshot_took_ms: AtomicU64,
    /// Records of the snapshot that is being written; 0 when none is.
    pub walked: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Disk {
    pub volume: Arc<dyn Volume>,
    pub snapshots: Mutex<Snapshots>,
    revisions: Mutex<Revisions>,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keeper {
    /// A store in memory only.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Log::None, None)
    }

    /// The store that goes on after what was recovered.
    #[must_use]
    pub fn resume(opened: Opened, durability: Durability, journal_bytes: u64, replayed: &Replayed) -> Self {
        let Opened { volume, snapshots, revisions, .. } = opened;
        let journal = |is_sync| {
            Log::Journal(Box::new(Journal::new(Arc::clone(&volume), is_sync, journal_bytes, replayed)))
        };
        let log = match durability {
            Durability::Memory => Log::None,
            Durability::Snapshot => Log::Tee(Tee::new(replayed)),
            Durability::Journal => journal(false),
            Durability::Sync => journal(true),
        };
        let disk = Disk { volume, snapshots: Mutex::new(snapshots), revisions: Mutex::new(revisions) };
        Self::new(log, Some(disk))
    }

    fn new(log: Log, disk: Option<Disk>) -> Self {
        let counters = Counters::default();
        Self { log, disk, ceilings: Mutex::default(), counters, changed: Notify::new() }
    }

    /// Whether there is a disk at all.
    #[must_use]
    pub fn is_on_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// The journal, in the modes that have one.
    #[must_use]
    pub fn journal(&self) -> Option<&Journal> {
        match &self.log {
            Log::Journal(journal) => Some(journal),
            Log::None | Log::Tee(_) => None,
        }
    }

    /// Takes the records of one change; gives the position that whatever shows the change waits for.
    pub fn append(&self, namespace: &Namespace, records: &[Record]) -> Position {
        let position = match &self.log {
            Log::None => Position::default(),
            Log::Tee(tee) => {
                tee.append(namespace, records);
                Position::default()
            }
            Log::Journal(journal) => journal.append(namespace, records),
        };
        // Counted last: a walk that has counted a change must find it where changes go.
        if !records.is_empty() {
            self.counters.records.fetch_add(records.len() as u64, Ordering::Relaxed);
            let before = self.counters.changes.fetch_add(1, Ordering::AcqRel);
            if before == self.counters.saved.load(Ordering::Acquire) {
                self.changed.notify_one();
            }
        }
        position
    }

    /// Ready once what carries this position may leave the daemon, or is known to be lost.
    pub fn poll_stored(&self, context: &Context<'_>, position: Position) -> Poll<Fate> {
        match self.journal() {
            Some(journal) => journal.poll_stored(context, position),
            None => Poll::Ready(Fate::Stored),
        }
    }

    /// Whether changes are refused because they can't be stored.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.journal().is_some_and(Journal::is_failed)
    }

    /// Ends the journal, in the modes that have one. Blocks.
    pub fn close(&self) {
        if let Some(journal) = self.journal() {
            journal.close();
        }
    }

    /// While changes can't be stored: the position after which they were lost.
    #[must_use]
    pub fn lost_after(&self) -> Option<Position> {
        self.journal().and_then(Journal::lost_after)
    }

    /// Waits until there is a change that no snapshot has.
    pub async fn unsaved(&self) {
        while self.unsaved_changes() == 0 {
            self.changed.notified().await;
        }
    }

    /// How many changes there were.
    pub(super) fn changes(&self) -> u64 {
        self.counters.changes.load(Ordering::Acquire)
    }

    fn unsaved_changes(&self) -> u64 {
        self.changes().saturating_sub(self.counters.saved.load(Ordering::Acquire))
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

    /// How many bytes the disk has left, if the system knows.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        self.disk.as_ref()?.volume.free_bytes()
    }

    /// The size of the last snapshot, in bytes.
    #[must_use]
    pub fn snapshot_bytes(&self) -> u64 {
        self.counters.snapshot_bytes.load(Ordering::Relaxed)
    }

    /// For `server.stats`.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counters = &self.counters;
        let (journal_bytes, unsynced_changes) = self.journal().map_or((0, 0), |journal| {
            let (last, synced) = journal.positions();
            (journal.bytes(), last.saturating_sub(synced))
        });
        StoreStats {
            snapshots: read(&counters.snapshots),
            failures: read(&counters.failures),
            snapshot_bytes: read(&counters.snapshot_bytes),
            snapshot_took_ms: read(&counters.snapshot_took_ms),
            snapshot_progress: read(&counters.walked),
            unsaved_changes: self.unsaved_changes(),
            records: read(&counters.records),
            journal_bytes,
            unsynced_changes,
        }
    }
}
