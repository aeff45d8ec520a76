//! The store as a start finds it: the newest snapshot, the journal after it, the revisions that may have been given out.
//!
//! Invariant: nothing on the disk is changed before all of it was read and found good; only then is a torn end of the
//! journal cut off, and kept.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use callboard_broker::Record;
use callboard_protocol::Namespace;

use super::snapshot::SnapshotMeta;
use super::{
    Forgiven, Replayed, Revisions, SealedReader, SnapshotLine, Snapshots, StoreError, line, read_journal,
};
use crate::files::Volume;

/// How many records are handed from the thread that reads to the one that restores at once.
const BATCH_RECORDS: usize = 1024;
/// How many batches may wait to be restored.
const BATCHES_AHEAD: usize = 4;

/// The store before anything of it was restored.
#[derive(Debug)]
pub struct Opened {
    /// Where it is.
    pub volume: Arc<dyn Volume>,
    /// The snapshots that there are.
    pub snapshots: Snapshots,
    /// The revisions that may have been given out.
    pub revisions: Revisions,
    newest: Option<SealedReader>,
    meta: Option<SnapshotMeta>,
}

impl Opened {
    /// Opens the store in `volume`, and reads the headers.
    ///
    /// # Errors
    /// [`StoreError`]: what is there is damaged or too new.
    pub fn at(volume: Arc<dyn Volume>) -> Result<Self, StoreError> {
        let snapshots = Snapshots::of(Arc::clone(&volume));
        let newest = snapshots.open_newest()?;
        let meta = newest.as_ref().map(SealedReader::meta).transpose()?;
        let revisions = Revisions::load(Arc::clone(&volume))?;
        Ok(Self { volume, snapshots, revisions, newest, meta })
    }

    /// Gives every record of the newest snapshot and of the journal after it to `take`, in order: each overwrites its
    /// whole entity. A thread of its own reads and understands the files, ahead of `take`.
    ///
    /// # Errors
    /// [`StoreError`], or what `take` says; what was given until then counts for nothing.
    pub fn replay<E: From<StoreError>>(
        &mut self,
        forgiven: Forgiven,
        mut take: impl FnMut(&Namespace, Record) -> Result<(), E>,
    ) -> Result<Replayed, E> {
        let (sender, batches) = sync_channel(BATCHES_AHEAD);
        thread::scope(|scope| {
            let reading = scope.spawn(|| self.read(forgiven, sender));
            for Batch { namespace, records } in batches {
                records.into_iter().try_for_each(|record| take(&namespace, record))?;
            }
            let read = reading.join().unwrap_or_else(|panic| resume_unwind(panic));
            Ok(read?)
        })
    }

    fn read(&mut self, forgiven: Forgiven, sender: SyncSender<Batch>) -> Result<Replayed, StoreError> {
        let mut batches = Batches { sender, current: None };
        if let Some(mut snapshot) = self.newest.take() {
            each_record::<StoreError>(&mut snapshot, &mut |namespace, record| {
                batches.add(namespace, [record]);
                Ok(())
            })?;
        }
        let (first, after) = self.meta.as_ref().map_or((0, 0), |meta| (meta.journal, meta.position));
        let replayed = read_journal(self.volume.as_ref(), first, after, forgiven, |namespace, records| {
            batches.add(&namespace, records);
            Ok::<(), StoreError>(())
        })?;
        batches.send();
        Ok(replayed)
    }
}

/// Records of one namespace on their way from the thread that reads.
struct Batch {
    namespace: Namespace,
    records: Vec<Record>,
}

/// Gathers records, so that the threads meet rarely.
struct Batches {
    sender: SyncSender<Batch>,
    current: Option<Batch>,
}

impl Batches {
    fn add(&mut self, namespace: &Namespace, records: impl IntoIterator<Item = Record>) {
        let goes_on = |batch: &Batch| batch.namespace == *namespace && batch.records.len() < BATCH_RECORDS;
        if !self.current.as_ref().is_some_and(goes_on) {
            self.send();
        }
        let begin = || Batch { namespace: namespace.clone(), records: Vec::with_capacity(BATCH_RECORDS) };
        self.current.get_or_insert_with(begin).records.extend(records);
    }

    fn send(&mut self) {
        if let Some(batch) = self.current.take() {
            // Nobody listens once a record was refused. That ends the start, so the rest may as well be read.
            let _ = self.sender.send(batch);
        }
    }
}

/// Gives every record of a snapshot to `take`, in order; gives how many there were.
///
/// # Errors
/// As [`Opened::replay`].
pub fn each_record<E: From<StoreError>>(
    snapshot: &mut SealedReader,
    take: &mut impl FnMut(&Namespace, Record) -> Result<(), E>,
) -> Result<u64, E> {
    let mut records = 0;
    let mut current: Option<Namespace> = None;
    while let Some(line) = snapshot.next_record()? {
        match line {
            SnapshotLine::Namespace(namespace) => current = Some(namespace),
            SnapshotLine::Record(record) => match &current {
                Some(namespace) => {
                    records += 1;
                    take(namespace, record)?;
                }
                None => {
                    let fault = line::LineFault::Place("a record stands before the first namespace");
                    return Err(snapshot.damaged_here(fault).into());
                }
            },
            SnapshotLine::Change { namespace, records: changed } => {
                for record in changed {
                    records += 1;
                    take(&namespace, record)?;
                }
            }
        }
    }
    Ok(records)
}
