//! What is in the store's files, file by file, and what a person who asked for it may set right.
//!
//! Invariant: [`examine`] changes nothing, and works beside a running daemon. [`repair`] removes nothing: what it takes
//! out of the way keeps its bytes under another name. Files of a newer version are never touched.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use callboard_broker::Record;
use callboard_protocol::Namespace;
use serde::Serialize;

use super::opened::each_record;
use super::snapshot::{FORMAT, SnapshotMeta};
use super::{Forgiven, Opened, Replayed, Revisions, SealedReader, Snapshots, StoreError, read_journal};
use crate::files::Volume;

/// How many revisions are skipped when nobody knows which were given out: four thousand times more than are reserved at
/// once, and one of two million such steps below 2^53.
const REVISIONS_SKIPPED: u64 = 1 << 32;
/// What the name of a file ends with that was damaged.
const DAMAGED_SUFFIX: &str = ".damaged";

/// One file of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExaminedFile {
    /// Its path.
    pub path: String,
    /// The records in it, where it could be read.
    pub records: Option<u64>,
    /// What is wrong with it.
    pub fault: Option<String>,
}

/// The store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Examined {
    /// Its snapshots, oldest first, and its reserved revisions.
    pub files: Vec<ExaminedFile>,
    /// The changes in the journal since the newest snapshot.
    pub journal_changes: u64,
    /// The size of these, in bytes.
    pub journal_bytes: u64,
    /// Where the journal has a torn end, as after a power cut; the next start cuts it off. While a daemon runs, it may be
    /// a line that is being written.
    pub torn: Option<String>,
    /// Why a daemon would not start on it.
    pub damage: Option<String>,
}

/// Reads all of the store. Changes nothing.
///
/// # Errors
/// [`StoreError::Read`] when the directory can't be read; whatever is wrong with a file is in the result.
pub fn examine(volume: &Arc<dyn Volume>) -> Result<Examined, StoreError> {
    let snapshots = Snapshots::of(Arc::clone(volume));
    let mut files: Vec<ExaminedFile> = Vec::new();
    for name in snapshots.names()? {
        files.push(examined(volume, &name, count_records(volume, &name)));
    }
    let newest_fault = files.last().and_then(|file| file.fault.clone());
    let revisions = Revisions::load(Arc::clone(volume));
    let revisions = revisions.map(|revisions| revisions.all().len() as u64);
    files.push(examined(volume, Revisions::FILE_NAME, revisions));
    let replayed = replay_journal(volume, Forgiven::TornEnd);
    let revisions_fault = files.last().and_then(|file| file.fault.clone());
    let (replayed, journal_fault) = match replayed {
        Ok(replayed) => (replayed, None),
        Err(error) => (Replayed::default(), Some(error.to_string())),
    };
    Ok(Examined {
        files,
        journal_changes: replayed.changes,
        journal_bytes: replayed.bytes,
        torn: replayed.tear.map(|tear| tear.reason),
        damage: newest_fault.or(revisions_fault).or(journal_fault),
    })
}

fn examined(volume: &Arc<dyn Volume>, name: &str, found: Result<u64, StoreError>) -> ExaminedFile {
    let path = volume.path_of(name).display().to_string();
    match found {
        Ok(records) => ExaminedFile { path, records: Some(records), fault: None },
        Err(error) => ExaminedFile { path, records: None, fault: Some(error.to_string()) },
    }
}

fn count_records(volume: &Arc<dyn Volume>, name: &str) -> Result<u64, StoreError> {
    match FORMAT.open(volume.as_ref(), name)? {
        Some(mut snapshot) => each_record(&mut snapshot, &mut |_, _| Ok(())),
        None => Ok(0),
    }
}

/// Reads the journal after the newest snapshot, whether or not the reserved revisions can be read.
fn replay_journal(volume: &Arc<dyn Volume>, forgiven: Forgiven) -> Result<Replayed, StoreError> {
    let newest = Snapshots::of(Arc::clone(volume)).open_newest()?;
    let meta = newest.as_ref().map(SealedReader::meta::<SnapshotMeta>).transpose()?;
    let (first, after) = meta.map_or((0, 0), |meta| (meta.journal, meta.position));
    read_journal(volume.as_ref(), first, after, forgiven, |_, _| Ok(()))
}

/// Takes damage out of the way, so that a daemon starts with what is left: a damaged newest snapshot (the one before it
/// and its journal take its place), the journal from its first damaged line on, damaged reserved revisions. Gives what
/// was put aside. The caller holds the instance lock.
///
/// # Errors
/// [`StoreError`]: a file can't be read or written, or is of a newer version.
pub fn repair(volume: &Arc<dyn Volume>) -> Result<Vec<PathBuf>, StoreError> {
    let mut aside = Vec::new();
    while let Some(name) = Snapshots::of(Arc::clone(volume)).names()?.pop() {
        match count_records(volume, &name) {
            Ok(_) => break,
            Err(StoreError::Damaged { .. }) => aside.push(set_aside(volume, &name)?),
            Err(error) => return Err(error),
        }
    }
    if let Some(tear) = replay_journal(volume, Forgiven::Everything)?.tear {
        aside.extend(tear.cut(volume)?);
    }
    let is_missing = match Revisions::load(Arc::clone(volume)) {
        Err(StoreError::Damaged { .. }) => {
            aside.push(set_aside(volume, Revisions::FILE_NAME)?);
            true
        }
        Ok(_) => false,
        Err(error) => return Err(error),
    };
    volume.sync_names().map_err(|source| StoreError::write(&volume.path_of(""), source))?;
    let highest = highest_revisions(volume)?;
    if is_missing {
        let mut revisions = Revisions::load(Arc::clone(volume))?;
        for (namespace, revision) in highest {
            revisions.reserve(&namespace, revision.saturating_add(REVISIONS_SKIPPED), 1)?;
        }
    }
    Ok(aside)
}

/// Reads all that is left, which has to be good by now; gives each namespace's highest revision.
fn highest_revisions(volume: &Arc<dyn Volume>) -> Result<BTreeMap<Namespace, u64>, StoreError> {
    let mut highest: BTreeMap<Namespace, u64> = BTreeMap::new();
    Opened::at(Arc::clone(volume))?.replay(Forgiven::TornEnd, |namespace, record| {
        if let Record::Revision(revision) = record {
            let known = highest.entry(namespace.clone()).or_default();
            *known = revision.0.max(*known);
        }
        Ok::<(), StoreError>(())
    })?;
    Ok(highest)
}

fn set_aside(volume: &Arc<dyn Volume>, name: &str) -> Result<PathBuf, StoreError> {
    let names = volume.names().map_err(|source| StoreError::read(&volume.path_of(""), source))?;
    let mut to = format!("{name}{DAMAGED_SUFFIX}");
    while names.contains(&to) {
        to.push_str(DAMAGED_SUFFIX);
    }
    volume.rename(name, &to).map_err(|source| StoreError::write(&volume.path_of(name), source))?;
    Ok(volume.path_of(&to))
}
