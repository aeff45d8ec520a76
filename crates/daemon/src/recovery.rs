//! The boards as they were: image and journal brought back, before anybody is let in.
//!
//! Invariant: no board exists for anybody before all of the store was read and found good.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use callboard_broker::{Board, BoardConfig, Now, RestoreError};
use callboard_protocol::Namespace;
use callboard_protocol::revision::Revision;

use crate::files::Volume;
use crate::host::Host;
use crate::store::{Forgiven, Opened, Replayed, StoreError};

/// Why the store could not be brought back. `Display` completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is in them.
    #[error("{source} in the namespace {namespace}; run `callboard store check`")]
    Record {
        /// Whose board.
        namespace: Namespace,
        /// The record.
        source: RestoreError,
    },
}

/// What was brought back.
#[derive(Debug)]
pub struct Recovered {
    /// The boards.
    pub boards: BTreeMap<Namespace, Board>,
    /// Where the journal goes on.
    pub replayed: Replayed,
}

/// Brings back every board in the store; `now` is when leases, graces and presences go on. Changes nothing on the disk.
///
/// # Errors
/// [`RecoveryError`]: the daemon must not start, or what the store holds would be lost.
pub fn recover(
    opened: &mut Opened,
    forgiven: Forgiven,
    config: &BoardConfig,
    now: Now,
) -> Result<Recovered, RecoveryError> {
    let started = Instant::now();
    let mut boards: BTreeMap<Namespace, Board> = BTreeMap::new();
    let mut records: u64 = 0;
    // Taken along from record to record: almost always the next one is of the same board.
    let mut current: Option<(Namespace, Board)> = None;
    let ceilings: BTreeMap<Namespace, u64> = opened.revisions.all().clone();
    let replayed = opened.replay(forgiven, |namespace, record| {
        records += 1;
        let is_current = current.as_ref().is_some_and(|(name, _)| name == namespace);
        if !is_current {
            boards.extend(current.take());
            let ceiling = ceilings.get(namespace).copied().unwrap_or(1).max(1);
            let found = boards.remove(namespace);
            let board = found.unwrap_or_else(|| Board::restoring(config.clone(), Revision(ceiling - 1)));
            current = Some((namespace.clone(), board));
        }
        let Some((_, board)) = &mut current else { return Ok(()) };
        let restored = board.restore(now, record);
        restored.map_err(|source| RecoveryError::Record { namespace: namespace.clone(), source })
    })?;
    boards.extend(current);
    for board in boards.values_mut() {
        board.finish_restore(now);
    }
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(namespaces = boards.len(), records, changes = replayed.changes, took_ms, "recovered");
    Ok(Recovered { boards, replayed })
}

impl Recovered {
    /// Prepares the journal for what will be written behind it: a torn end is cut off, and kept; what a crash left with
    /// the operating system is made durable. Blocks.
    ///
    /// # Errors
    /// [`RecoveryError::Store`]: nothing may be written.
    pub fn settle_journal(&self, volume: &Arc<dyn Volume>) -> Result<(), RecoveryError> {
        if let Some(tear) = &self.replayed.tear {
            tracing::warn!(at = %tear.reason, "the journal ends in lines that were never fsynced, as after a power cut");
            for kept in tear.cut(volume)? {
                tracing::warn!(path = %kept.display(), "what was cut off is kept here");
            }
        }
        Ok(self.replayed.make_durable(volume)?)
    }
}

impl Host {
    /// Takes in boards that were brought back. Their sessions wait for their clients.
    pub fn adopt(self: &Arc<Self>, boards: BTreeMap<Namespace, Board>) {
        for (namespace, board) in boards {
            let sessions = board.sessions();
            let handle = self.add_board(&namespace, board);
            for session in sessions {
                self.seats.take(session, Arc::clone(&handle), &self.config.limits);
            }
            self.with_board(&handle, |_| ());
        }
    }
}
