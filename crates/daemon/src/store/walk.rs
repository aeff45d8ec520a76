//! A snapshot of boards that go on changing: slices of their images, and beside them what changed meanwhile.
//!
//! Invariant: what the file says last about an entity is its state at the end of the walk. In the modes with a journal
//! the walk begins with a segment of its own, and the image counts only together with that segment and those after it,
//! all synced before the image gets its name. In `snapshot` mode the changes of the walk are in the image file: every
//! slice and every change in an order in which a later one is never older.

use std::mem;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use callboard_broker::Record;
use callboard_protocol::Namespace;
use callboard_protocol::json::object::{Sink, Text, full_member};
use serde::Deserialize;

use super::journal::SnapshotEnd;
use super::keeper::{Keeper, Log, locked};
use super::sealed::SealedWriter;
use super::snapshot::SnapshotMeta;
use super::{Replayed, Snapshots, StoreError, Written, journal, line};
use crate::files::ReplaceError;

/// One line of a snapshot, as it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotLine {
    /// The records that follow are of this namespace.
    Namespace(Namespace),
    /// One entity.
    Record(Record),
    /// What changed during the walk.
    Change {
        /// Whose board changed.
        namespace: Namespace,
        /// The entities as they are after it.
        records: Vec<Record>,
    },
}

/// As [`SnapshotLine`], to be written.
enum BorrowedLine<'a> {
    Namespace(&'a Namespace),
    Record(&'a Record),
    Change { namespace: &'a Namespace, records: &'a [Record] },
}

impl Text for BorrowedLine<'_> {
    fn write(&self, out: &mut impl Sink) {
        match self {
            Self::Namespace(namespace) => full_member(out, "{\"namespace\":", *namespace),
            Self::Record(record) => full_member(out, "{\"record\":", *record),
            Self::Change { namespace, records } => {
                full_member(out, "{\"change\":{\"namespace\":", *namespace);
                full_member(out, ",\"records\":", *records);
                out.put("}");
            }
        }
        out.put("}");
    }
}

/// The changes of a walk, in `snapshot` mode.
#[derive(Debug)]
pub(super) struct Tee {
    state: Mutex<TeeState>,
    journal: u64,
    position: u64,
}

#[derive(Debug, Default)]
struct TeeState {
    is_open: bool,
    lines: Vec<u8>,
    count: u64,
    error: Option<line::EncodeError>,
}

impl Tee {
    pub(super) fn new(replayed: &Replayed) -> Self {
        Self { state: Mutex::default(), journal: replayed.next_segment, position: replayed.last }
    }

    pub(super) fn append(&self, namespace: &Namespace, records: &[Record]) {
        let mut state = locked(&self.state);
        if !state.is_open || records.is_empty() {
            return;
        }
        state.count += 1;
        if let Err(error) = line::encode_text(&mut state.lines, &BorrowedLine::Change { namespace, records })
        {
            state.error = Some(error);
        }
    }

    fn set_open(&self, is_open: bool) {
        *locked(&self.state) = TeeState { is_open, ..TeeState::default() };
    }

    fn take(&self) -> TeeState {
        let mut state = locked(&self.state);
        let is_open = state.is_open;
        mem::replace(&mut state, TeeState { is_open, ..TeeState::default() })
    }
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The mode is `memory`.
    #[error("write a snapshot: durability is memory, nothing is on disk; start the daemon with another mode")]
    InMemory,
    /// The disk refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal that the snapshot leans on could not be synced.
    #[error("make the journal durable up to the snapshot's end; see the daemon's log")]
    Journal,
}

/// A snapshot being written. Dropped before [`Self::finish`], those before it stand.
#[derive(Debug)]
pub struct Walk<'a> {
    keeper: &'a Keeper,
    snapshots: MutexGuard<'a, Snapshots>,
    file: Option<SealedWriter>,
    is_over: bool,
    namespace: Option<Namespace>,
    started: Instant,
    /// The changes that are in it whole.
    changes: u64,
}

impl Keeper {
    /// Begins a snapshot. Blocks while another one is being written.
    ///
    /// # Errors
    /// [`WalkError`]; the snapshots before are untouched.
    pub fn begin_walk(&self, instance_id: &str, written_at: u64) -> Result<Walk<'_>, WalkError> {
        let disk = self.disk.as_ref().ok_or(WalkError::InMemory)?;
        let snapshots = locked(&disk.snapshots);
        let changes = self.changes();
        let (journal, position) = match &self.log {
            Log::None => return Err(WalkError::InMemory),
            Log::Tee(tee) => {
                tee.set_open(true);
                (tee.journal, tee.position)
            }
            Log::Journal(journal) => {
                let (segment, position) = journal.rotate();
                (segment, position.0)
            }
        };
        let started = Instant::now();
        let mut walk =
            Walk { keeper: self, snapshots, file: None, is_over: false, namespace: None, started, changes };
        let meta = SnapshotMeta { instance_id: instance_id.to_owned(), written_at, journal, position };
        walk.file = Some(walk.snapshots.begin(&meta)?);
        Ok(walk)
    }
}

impl Walk<'_> {
    /// Adds a slice of a board's image, which was taken after every slice before it.
    ///
    /// # Errors
    /// [`WalkError`]; the walk can only be dropped then.
    pub fn write(&mut self, namespace: &Namespace, records: Vec<Record>) -> Result<(), WalkError> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        if self.namespace.as_ref() != Some(namespace) {
            file.write_text(&BorrowedLine::Namespace(namespace))?;
            self.namespace = Some(namespace.clone());
        }
        for record in records {
            file.write_text(&BorrowedLine::Record(&record))?;
        }
        self.keeper.counters.walked.store(file.records(), Ordering::Relaxed);
        self.drain()
    }

    /// Adds what changed since the last time.
    fn drain(&mut self) -> Result<(), WalkError> {
        let (Log::Tee(tee), Some(file)) = (&self.keeper.log, &mut self.file) else {
            return Ok(());
        };
        self.changes = self.keeper.changes();
        let TeeState { lines, count, error, .. } = tee.take();
        if let Some(error) = error {
            return Err(WalkError::Store(StoreError::Encode(error)));
        }
        Ok(file.write_lines(&lines, count)?)
    }

    /// Puts the snapshot in its place, durably, and removes what nobody needs any more. Gives what was written and how
    /// long it took, in milliseconds. Blocks.
    ///
    /// # Errors
    /// [`WalkError`]; the snapshots before are untouched.
    pub fn finish(mut self) -> Result<(Written, u64), WalkError> {
        self.drain()?;
        if let Log::Journal(journal) = &self.keeper.log
            && !journal.sync_for_snapshot()
        {
            return Err(WalkError::Journal);
        }
        let Some(file) = self.file.take() else {
            return Err(WalkError::InMemory);
        };
        let written = file.commit();
        self.end(match &written {
            Ok(_) => SnapshotEnd::Durable,
            Err(StoreError::Write(ReplaceError::Sync { .. })) => SnapshotEnd::InPlace,
            Err(_) => SnapshotEnd::Absent,
        });
        let written = written?;
        // What can be seen to be done is done: whoever waits for the count may look at the files.
        self.remove_old();
        let took_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let counters = &self.keeper.counters;
        counters.saved.fetch_max(self.changes, Ordering::AcqRel);
        counters.snapshots.fetch_add(1, Ordering::Relaxed);
        counters.snapshot_bytes.store(written.bytes, Ordering::Relaxed);
        counters.snapshot_took_ms.store(took_ms, Ordering::Relaxed);
        Ok((written, took_ms))
    }

    fn end(&mut self, end: SnapshotEnd) {
        self.is_over = true;
        let counters = &self.keeper.counters;
        counters.walked.store(0, Ordering::Relaxed);
        if end != SnapshotEnd::Durable {
            counters.failures.fetch_add(1, Ordering::Relaxed);
        }
        match &self.keeper.log {
            Log::None => {}
            Log::Tee(tee) => tee.set_open(false),
            Log::Journal(journal) => journal.end_snapshot(end),
        }
    }

    fn remove_old(&self) {
        let Some(disk) = &self.keeper.disk else { return };
        let removed = self
            .snapshots
            .remove_old()
            .and_then(|first_needed| journal::remove_segments(disk.volume.as_ref(), first_needed));
        if let Err(error) = removed {
            tracing::warn!(%error, "what no snapshot needs any more could not be removed");
        }
    }
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        // The temporary file goes before the segments that it would have needed.
        self.file = None;
        if !self.is_over {
            self.end(SnapshotEnd::Absent);
        }
    }
}
