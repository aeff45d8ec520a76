//! When snapshots are written, and the walk over the boards that makes one.
//!
//! Invariant: a board is locked for a slice of its image at a time, so that no request waits for a snapshot; encoding and
//! writing happen on a thread of their own, outside of every lock.

use std::sync::Arc;
use std::time::Duration;

use callboard_broker::ImageCursor;
use callboard_protocol::Namespace;
use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::methods::server::Snapshotted;
use callboard_protocol::revision::Revision;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::clock::unix_ms;
use crate::host::Host;
use crate::store::WalkError;

/// How many entities of an image are taken under a board's lock at once: some tens of microseconds.
const SLICE: usize = 128;
/// How long after a failure a snapshot is tried again.
const RETRY: Duration = Duration::from_secs(10);
/// How often a daemon that can't store anything looks whether there is room again.
const ROOM_LOOK: Duration = Duration::from_secs(1);
/// A snapshot is tried before [`RETRY`] when there is room for the last one and this many bytes more.
const ROOM_BYTES: u64 = 1 << 20;

impl Host {
    /// Writes a snapshot; `asked` is the namespace whose revision the answer tells.
    ///
    /// # Errors
    /// `storage_failed` when there is no disk, or it refuses.
    pub async fn snapshot(self: &Arc<Self>, asked: Option<&Namespace>) -> Result<Snapshotted, Error> {
        let host = Arc::clone(self);
        let asked = asked.cloned();
        let written = tokio::task::spawn_blocking(move || host.write_snapshot(asked.as_ref())).await;
        match written {
            Ok(Ok(snapshotted)) => Ok(snapshotted),
            Ok(Err(error)) => {
                let message = format!("failed to {error}; the snapshots before it are untouched");
                Err(Error::new(ErrorKind::StorageFailed, message).with("applied", false))
            }
            Err(error) => {
                let message = format!("the thread that writes the snapshot died: {error}");
                Err(Error::new(ErrorKind::Internal, message))
            }
        }
    }

    fn write_snapshot(&self, asked: Option<&Namespace>) -> Result<Snapshotted, WalkError> {
        let mut walk = self.keeper.begin_walk(&self.instance_id, unix_ms())?;
        let mut revision = Revision(0);
        for handle in self.boards.all() {
            if asked == Some(&handle.namespace) {
                revision = handle.lock().revision();
            }
            let mut cursor = ImageCursor::default();
            while cursor != ImageCursor::End {
                let now = self.clock.now();
                let slice = {
                    let board = handle.lock();
                    if board.is_empty() {
                        break;
                    }
                    board.image_slice(now, &mut cursor, SLICE)
                };
                // Whoever waits for the board may sit on this very core.
                std::thread::yield_now();
                walk.write(&handle.namespace, slice)?;
            }
        }
        let (written, took_ms) = walk.finish()?;
        let path = written.path.display().to_string();
        Ok(Snapshotted { path, bytes: written.bytes, revision, took_ms })
    }

    /// Writes a snapshot whenever one is due. Sleeps when none is.
    pub async fn keep_snapshots(self: Arc<Self>) {
        if !self.keeper.is_on_disk() {
            return;
        }
        loop {
            match self.keeper.journal() {
                Some(journal) => tokio::select! {
                    () = journal.grown(self.keeper.snapshot_bytes()) => {}
                    () = journal.failed() => self.room().await,
                },
                None => {
                    self.keeper.unsaved().await;
                    sleep(Duration::from_millis(self.config.snapshot_interval_ms)).await;
                }
            }
            match self.snapshot(None).await {
                Ok(written) => {
                    tracing::debug!(path = written.path, bytes = written.bytes, "snapshot written");
                }
                Err(error) => {
                    tracing::error!(reason = %error.message, "no snapshot could be written");
                    if !self.keeper.is_failed() {
                        sleep(RETRY).await;
                    }
                }
            }
        }
    }

    /// Brings the journal to the disk until it is closed: the work of a thread of its own.
    pub fn keep_synced(&self) {
        while let Some(journal) = self.keeper.journal()
            && journal.wait_for_work()
        {
            journal.sync();
        }
    }

    /// Waits until another attempt at a snapshot may succeed: there is room, or it is time anyway.
    async fn room(&self) {
        let wanted = self.keeper.snapshot_bytes() + ROOM_BYTES;
        let had_room = self.keeper.free_bytes().is_some_and(|free| free > wanted);
        let mut looks = interval(ROOM_LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let returned = async {
            loop {
                looks.tick().await;
                if !had_room && self.keeper.free_bytes().is_some_and(|free| free > wanted) {
                    return;
                }
            }
        };
        tokio::select! {
            () = returned => {}
            () = sleep(RETRY) => {}
        }
    }
}
