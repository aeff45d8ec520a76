//! The journal: every change, in the order in which the boards made them, on its way to the disk.
//!
//! Group commit: changes gather in memory; whoever needs one of them to be stored and finds the file free writes all that
//! have gathered, for everybody. In `sync` mode one thread writes and fsyncs for all that wait, and the next round begins
//! with all that came meanwhile.
//!
//! Invariants: a position counts as stored only after its line, and all lines before it, reached the operating system
//! (`journal`) or the disk (`sync`). After the first error nothing counts as stored any more, and the file is never
//! written again; only a complete snapshot ends that ([`Journal::begin_recovery`]).

mod reader;
mod segment;
mod snapshotting;
mod writer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use callboard_broker::Record;
use callboard_protocol::Namespace;
use tokio::sync::Notify;

pub use reader::{Forgiven, Replayed, Tear, read_journal};
use segment::{Change, Mark};
pub(super) use snapshotting::SnapshotEnd;
use writer::Writer;

use super::keeper::Position;
use super::snapshot::numbered;
use super::{StoreError, line};
use crate::files::Volume;

/// How long a change may wait for its fsync in `journal` mode.
pub const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Whether what changes is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Health {
    /// Yes.
    #[default]
    Recording,
    /// No: a write or an fsync failed.
    Failed,
    /// Yes, in a new segment, beside a snapshot that will make it count.
    Recovering,
}

/// What waits to be written.
#[derive(Debug, Default)]
struct Pending {
    lines: Vec<u8>,
    /// The position of the last change that was handed over.
    last: u64,
    waiting: Vec<(u64, Waker)>,
    health: Health,
    is_closed: bool,
}

/// The journal of a running daemon.
#[derive(Debug)]
pub struct Journal {
    /// Whether a change has to be fsynced before it counts as stored.
    is_sync: bool,
    pending: Mutex<Pending>,
    writer: Mutex<Writer>,
    /// Held for a whole sync: who finds nothing left to sync must wait for whoever took it.
    syncing: Mutex<()>,
    /// Up to where the operating system has it.
    written: AtomicU64,
    /// Up to where the disk has it.
    synced: AtomicU64,
    /// Up to where it counted as stored when it failed; [`u64::MAX`] while it has not.
    failed_after: AtomicU64,
    /// Bytes written since the last snapshot was begun.
    bytes: AtomicU64,
    /// The thread that syncs has something to do.
    work: Condvar,
    failure: Notify,
    /// From this size on a snapshot is worth more than what it costs.
    size_bytes: u64,
    /// The size that somebody waits for; [`u64::MAX`] while nobody does.
    awaited_bytes: AtomicU64,
    growth: Notify,
}

/// What has become of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is stored.
    Stored,
    /// It is not, and the journal has failed.
    Lost {
        /// The last position that counted as stored.
        after: Position,
    },
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    /// The journal in `volume`, which goes on after what was replayed. Larger than `size_bytes` and than the last snapshot,
    /// it is due for another one.
    #[must_use]
    pub fn new(volume: Arc<dyn Volume>, is_sync: bool, size_bytes: u64, replayed: &Replayed) -> Self {
        Self {
            is_sync,
            pending: Mutex::new(Pending { last: replayed.last, ..Pending::default() }),
            writer: Mutex::new(Writer::new(volume, replayed.next_segment)),
            syncing: Mutex::default(),
            written: AtomicU64::new(replayed.last),
            synced: AtomicU64::new(replayed.last),
            failed_after: AtomicU64::new(u64::MAX),
            bytes: AtomicU64::new(replayed.bytes),
            work: Condvar::new(),
            failure: Notify::new(),
            size_bytes,
            awaited_bytes: AtomicU64::new(u64::MAX),
            growth: Notify::new(),
        }
    }

    /// Takes one change; gives the position that whatever shows it waits for. While the journal has failed the change is
    /// in memory only: its position is one that was lost, so that nobody is told that it is stored.
    pub fn append(&self, namespace: &Namespace, records: &[Record]) -> Position {
        let mut pending = locked(&self.pending);
        let health = pending.health;
        if records.is_empty() || health == Health::Failed {
            return self.reply_position(&pending);
        }
        let change = Change { position: pending.last + 1, namespace, records };
        if let Err(error) = line::encode_text(&mut pending.lines, &change) {
            tracing::error!(%error, "a change has no form on disk");
            self.fail(&mut pending);
            return self.reply_position(&pending);
        }
        pending.last += 1;
        if pending.last == self.synced.load(Ordering::Acquire) + 1 {
            self.work.notify_one();
        }
        self.reply_position(&pending)
    }

    fn reply_position(&self, pending: &Pending) -> Position {
        match pending.health {
            // While it recovers the last one is lost as well; once it has, it must be written like any other.
            Health::Recording | Health::Recovering => Position(pending.last),
            Health::Failed => Position(self.failed_after.load(Ordering::Acquire).saturating_add(1)),
        }
    }

    /// Ready once a position is stored, or is known not to be. Writes what has gathered if nobody else does.
    pub fn poll_stored(&self, context: &Context<'_>, position: Position) -> Poll<Fate> {
        if let Some(fate) = self.fate(position).or_else(|| self.push_on(position)) {
            return Poll::Ready(fate);
        }
        locked(&self.pending).waiting.push((position.0, context.waker().clone()));
        // Whoever was at it before may have missed the waker: it is looked at once more, now that it is there.
        self.push_on(position).map_or(Poll::Pending, Poll::Ready)
    }

    fn push_on(&self, position: Position) -> Option<Fate> {
        if self.is_sync {
            self.work.notify_one();
        } else {
            self.write();
        }
        self.fate(position)
    }

    fn fate(&self, position: Position) -> Option<Fate> {
        // In this order: an attempt to recover moves the first one ahead of what counts, after the second one was set.
        let stored = self.stored();
        let failed_after = self.failed_after.load(Ordering::Acquire);
        if position.0 <= stored.min(failed_after) {
            return Some(Fate::Stored);
        }
        (failed_after != u64::MAX).then_some(Fate::Lost { after: Position(failed_after) })
    }

    fn stored(&self) -> u64 {
        if self.is_sync { &self.synced } else { &self.written }.load(Ordering::Acquire)
    }

    /// Takes the file; those who found it taken are told of what was written, and what came meanwhile is written for them.
    /// Everybody who waits for the file takes it in this way.
    fn with_writer<T>(&self, act: impl FnOnce(&mut Writer) -> T) -> T {
        let result = act(&mut locked(&self.writer));
        if self.wake() && !self.is_sync {
            self.write();
        }
        result
    }

    /// Writes all that has gathered, unless somebody is at it; who is will see what came meanwhile.
    pub fn write(&self) {
        while let Ok(mut writer) = self.writer.try_lock() {
            self.write_pending(&mut writer);
            drop(writer);
            if !self.wake() {
                return;
            }
        }
    }

    /// Hands the operating system what has gathered.
    fn write_pending(&self, writer: &mut Writer) {
        let (mut lines, last) = {
            let mut pending = locked(&self.pending);
            let spare = writer.take_spare();
            (std::mem::replace(&mut pending.lines, spare), pending.last)
        };
        if !lines.is_empty() {
            match writer.append(&lines, self.written.load(Ordering::Acquire)) {
                Ok(()) => {
                    let bytes =
                        self.bytes.fetch_add(lines.len() as u64, Ordering::Relaxed) + lines.len() as u64;
                    if bytes >= self.awaited_bytes.load(Ordering::Relaxed) {
                        self.growth.notify_one();
                    }
                    self.written.store(last, Ordering::Release);
                }
                Err(error) => self.report(writer, &error),
            }
        }
        lines.clear();
        writer.give_spare(lines);
    }

    /// Brings what has gathered to the disk, and marks how far that is. Blocks.
    pub fn sync(&self) {
        let _turn = locked(&self.syncing);
        let (unsynced, position) = self.with_writer(|writer| {
            self.write_pending(writer);
            (writer.take_unsynced(), self.written.load(Ordering::Acquire))
        });
        let done = unsynced.sync();
        self.with_writer(|writer| self.note_synced(writer, position, done));
    }

    /// What became of an fsync of all up to `position`.
    fn note_synced(&self, writer: &mut Writer, position: u64, done: Result<(), StoreError>) {
        match done {
            Ok(()) if self.failed_since(position) => {}
            Ok(()) => {
                let before = self.synced.fetch_max(position, Ordering::AcqRel);
                let mut pending = locked(&self.pending);
                // What is written beside a snapshot counts only with it: a mark would claim more.
                if before < position && pending.health == Health::Recording {
                    // After an empty line, so that damage to the end of the line before it leaves the mark readable. A mark
                    // has a form on disk: it is a word and a number.
                    pending.lines.push(b'\n');
                    let _ = line::encode(&mut pending.lines, &Mark { synced: position });
                }
            }
            Err(error) => self.report(writer, &error),
        }
    }

    fn failed_since(&self, position: u64) -> bool {
        position > self.failed_after.load(Ordering::Acquire) && locked(&self.pending).health == Health::Failed
    }

    /// Waits until there is something to sync; false once the journal is closed. In `journal` mode a change waits up to
    /// [`SYNC_INTERVAL`] for company.
    pub fn wait_for_work(&self) -> bool {
        let is_idle = |pending: &mut Pending| {
            let is_behind = pending.last > self.synced.load(Ordering::Acquire);
            !(pending.is_closed || is_behind && pending.health != Health::Failed)
        };
        let pending =
            self.work.wait_while(locked(&self.pending), is_idle).unwrap_or_else(PoisonError::into_inner);
        if pending.is_closed || self.is_sync {
            return !pending.is_closed;
        }
        let (pending, _) = self
            .work
            .wait_timeout_while(pending, SYNC_INTERVAL, |pending| !pending.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        !pending.is_closed
    }

    /// Ends the thread that syncs, and the journal with a mark. Blocks.
    pub fn close(&self) {
        locked(&self.pending).is_closed = true;
        self.work.notify_all();
        self.sync();
        // The mark itself.
        let _turn = locked(&self.syncing);
        self.with_writer(|writer| {
            self.write_pending(writer);
            if let Err(error) = writer.take_unsynced().sync() {
                self.report(writer, &error);
            }
        });
    }

    /// Wakes those whose changes are stored by now; whether more has gathered meanwhile.
    fn wake(&self) -> bool {
        let stored = self.stored();
        let mut pending = locked(&self.pending);
        let has_more = !pending.lines.is_empty();
        if pending.waiting.is_empty() {
            return has_more;
        }
        let is_over = pending.health != Health::Recording;
        let (ready, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut pending.waiting)
            .into_iter()
            .partition(|(position, _)| is_over || *position <= stored);
        pending.waiting = waiting;
        drop(pending);
        ready.into_iter().for_each(|(_, waker)| waker.wake());
        has_more
    }

    /// Bytes written since the last snapshot was begun.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The last change, and up to where it is on the disk.
    #[must_use]
    pub fn positions(&self) -> (u64, u64) {
        (locked(&self.pending).last, self.synced.load(Ordering::Acquire))
    }
}

/// Removes the segments before `first_needed`. One that can't be removed costs room and nothing else.
pub(super) fn remove_segments(volume: &dyn Volume, first_needed: u64) -> Result<(), StoreError> {
    for segment in numbered(volume, segment::number)? {
        let name = segment::name(segment);
        if segment < first_needed
            && let Err(error) = volume.remove(&name)
        {
            tracing::warn!(path = %volume.path_of(&name).display(), %error, "an old segment could not be removed");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
