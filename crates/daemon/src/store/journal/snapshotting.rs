//! The journal's part in a snapshot: when one is due, the segment that it begins with, and the failure that it ends.
//!
//! Invariant: from the first error on nothing is written to the file that failed; what changes meanwhile is in memory
//! only. A snapshot under way beside new segments ends the failure once it is in its place, whole; until then, and if
//! it fails, nothing counts as stored. These segments have no marks until then, so a start that finds them without
//! their snapshot puts them aside; they are removed only when no snapshot can lean on them.

use std::sync::atomic::Ordering;

use super::{Health, Journal, Pending, Position, Writer, locked};
use crate::store::StoreError;

/// What became of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotEnd {
    /// It is in its place for good.
    Durable,
    /// It is in its place, and a power cut may take it away.
    InPlace,
    /// There is none.
    Absent,
}

impl Journal {
    pub(super) fn report(&self, writer: &mut Writer, error: &StoreError) {
        tracing::error!(%error, "the journal failed: changes are refused until a snapshot succeeds");
        let mut pending = locked(&self.pending);
        writer.abandon();
        self.fail(&mut pending);
    }

    pub(super) fn fail(&self, pending: &mut Pending) {
        pending.lines.clear();
        if pending.health == Health::Recording {
            self.failed_after.store(self.stored(), Ordering::Release);
        }
        pending.health = Health::Failed;
        self.failure.notify_one();
    }

    /// Whether changes are not stored.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.failed_after.load(Ordering::Relaxed) != u64::MAX
    }

    /// While it has failed: the last position that counted as stored.
    #[must_use]
    pub fn lost_after(&self) -> Option<Position> {
        let failed_after = self.failed_after.load(Ordering::Acquire);
        (failed_after != u64::MAX).then_some(Position(failed_after))
    }

    /// Waits until the journal has failed.
    pub async fn failed(&self) {
        while !self.is_failed() {
            self.failure.notified().await;
        }
    }

    /// Waits until the journal since the last snapshot is larger than that snapshot, and than the configured size: then a
    /// start reads at most twice what it has to.
    pub async fn grown(&self, snapshot_bytes: u64) {
        let wanted = self.size_bytes.max(snapshot_bytes);
        self.awaited_bytes.store(wanted, Ordering::Relaxed);
        while self.bytes() < wanted {
            self.growth.notified().await;
        }
    }

    /// Begins a new segment; gives its number, and the position after which it begins. A snapshot whose walk begins now
    /// needs this segment and those after it.
    pub fn rotate(&self) -> (u64, Position) {
        self.with_writer(|writer| self.rotate_with(writer))
    }

    fn rotate_with(&self, writer: &mut Writer) -> (u64, Position) {
        self.write_pending(writer);
        let mut pending = locked(&self.pending);
        if pending.health == Health::Failed {
            // What was lost on the way to the disk is in memory, and so in the snapshot. A position is passed over for it,
            // so that the segment never seems to go on where the one that failed ends.
            pending.lines.clear();
            pending.last += 1;
            pending.health = Health::Recovering;
            self.written.store(pending.last, Ordering::Release);
            writer.begin_attempt();
        }
        self.bytes.store(0, Ordering::Relaxed);
        let position = self.written.load(Ordering::Acquire);
        (writer.rotate(), Position(position))
    }

    /// Makes all that was handed over durable, before a snapshot that leans on it is put in its place. Blocks.
    #[must_use]
    pub fn sync_for_snapshot(&self) -> bool {
        self.sync();
        locked(&self.pending).health != Health::Failed
    }

    /// The snapshot that was begun with [`Self::rotate`] has ended so.
    pub fn end_snapshot(&self, end: SnapshotEnd) {
        self.with_writer(|writer| self.end_snapshot_with(writer, end));
    }

    fn end_snapshot_with(&self, writer: &mut Writer, end: SnapshotEnd) {
        let mut pending = locked(&self.pending);
        writer.end_attempt(end == SnapshotEnd::Absent);
        match (pending.health, end) {
            (Health::Recovering, SnapshotEnd::Durable) => {
                pending.health = Health::Recording;
                self.failed_after.store(u64::MAX, Ordering::Release);
                tracing::info!("a snapshot succeeded: changes are stored again");
            }
            (Health::Recovering, SnapshotEnd::InPlace | SnapshotEnd::Absent) => {
                writer.abandon();
                self.fail(&mut pending);
            }
            (Health::Recording | Health::Failed, _) => {}
        }
    }
}
