//! Snapshots of all boards, when they are written, and how they come back at the start.
//!
//! Invariant: a snapshot shows every change up to the position that it is written for. Each board is copied under its
//! lock, the copies are cheap (values are shared), and encoding and writing happen on a thread of their own.

use std::sync::Arc;
use std::time::Duration;

use callboard_broker::{Board, Record, RestoreError};
use callboard_protocol::Namespace;
use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::methods::server::Snapshotted;
use callboard_protocol::revision::Revision;

use crate::clock::unix_ms;
use crate::host::Host;
use crate::store::{SealedReader, SnapshotLine, StoreError};

/// Why a snapshot could not be restored. `Display` completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is in it.
    #[error("{source} in {path}; move this snapshot out of the store to start from the one before it")]
    Record {
        /// The file.
        path: String,
        /// The record.
        source: RestoreError,
    },
    /// A record comes before any namespace.
    #[error(
        "restore {path}: a record stands before the first namespace; move this snapshot out of the store"
    )]
    NoNamespace {
        /// The file.
        path: String,
    },
}

impl Host {
    /// Writes a snapshot; `asked` is the namespace whose revision the answer tells.
    ///
    /// # Errors
    /// `storage_failed` when there is no disk, or it refuses.
    pub async fn snapshot(self: &Arc<Self>, asked: Option<&Namespace>) -> Result<Snapshotted, Error> {
        let host = Arc::clone(self);
        let asked = asked.cloned();
        let written = tokio::task::spawn_blocking(move || host.write_snapshot(asked.as_ref())).await;
        written.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Internal, format!("the thread that writes the snapshot died: {error}")))
        })
    }

    fn write_snapshot(&self, asked: Option<&Namespace>) -> Result<Snapshotted, Error> {
        if !self.keeper.is_on_disk() {
            let message = "durability is memory: nothing is on disk; start the daemon with another mode";
            return Err(Error::new(ErrorKind::StorageFailed, message).with("applied", false));
        }
        let position = self.keeper.position();
        let mut revision = Revision(0);
        let mut images: Vec<(Namespace, Vec<Record>)> = Vec::new();
        for handle in self.boards.all() {
            let now = self.clock.now();
            let board = handle.lock();
            if asked == Some(&handle.namespace) {
                revision = board.revision();
            }
            if !board.is_empty() {
                images.push((handle.namespace.clone(), board.image(now)));
            }
        }
        let lines = images.into_iter().flat_map(|(namespace, records)| {
            std::iter::once(SnapshotLine::Namespace(namespace))
                .chain(records.into_iter().map(SnapshotLine::Record))
        });
        match self.keeper.snapshot(&self.instance_id, unix_ms(), position, lines) {
            Ok((written, took_ms)) => Ok(Snapshotted {
                path: written.path.display().to_string(),
                bytes: written.bytes,
                revision,
                took_ms,
            }),
            Err(error) => {
                let reason = error.map_or_else(String::new, |error| error.to_string());
                let message = format!("failed to {reason}; the snapshots before it are untouched");
                Err(Error::new(ErrorKind::StorageFailed, message).with("applied", false))
            }
        }
    }

    /// Writes a snapshot now and then while there is something to write. Sleeps when there is not.
    pub async fn keep_snapshots(self: Arc<Self>) {
        if !self.keeper.is_on_disk() {
            return;
        }
        loop {
            self.keeper.unsaved().await;
            tokio::time::sleep(Duration::from_millis(self.config.snapshot_interval_ms)).await;
            match self.snapshot(None).await {
                Ok(written) => {
                    tracing::debug!(path = written.path, bytes = written.bytes, "snapshot written");
                }
                Err(error) => tracing::error!(reason = %error.message, "no snapshot could be written"),
            }
        }
    }

    /// Brings the boards of a snapshot back.
    ///
    /// # Errors
    /// [`LoadError`]: the daemon must not start, or what the snapshot holds would be lost.
    pub fn restore(self: &Arc<Self>, mut snapshot: SealedReader) -> Result<(), LoadError> {
        let path = snapshot.path().display().to_string();
        let now = self.clock.now();
        let mut boards: Vec<(Namespace, Board)> = Vec::new();
        while let Some(line) = snapshot.next_record::<SnapshotLine>()? {
            match line {
                SnapshotLine::Namespace(namespace) => {
                    let last = Revision(self.keeper.first_free_revision(&namespace) - 1);
                    boards.push((namespace, Board::restoring(self.board_config(), last)));
                }
                SnapshotLine::Record(record) => {
                    let Some((_, board)) = boards.last_mut() else {
                        return Err(LoadError::NoNamespace { path });
                    };
                    board
                        .restore(now, record)
                        .map_err(|source| LoadError::Record { path: path.clone(), source })?;
                }
            }
        }
        let count = boards.len();
        for (namespace, mut board) in boards {
            board.finish_restore(now);
            let sessions = board.sessions();
            let handle = self.add_board(&namespace, board);
            for session in sessions {
                self.seats.take(session, Arc::clone(&handle), &self.config.limits);
            }
            self.with_board(&handle, |_| ());
        }
        tracing::info!(path, namespaces = count, "snapshot restored");
        Ok(())
    }
}
