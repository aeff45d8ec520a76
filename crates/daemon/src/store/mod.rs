//! What survives the process: checksummed lines, snapshots of them, and the revisions that were given out.
//!
//! Invariant: a file is whole or it is an error that names its line; nothing is deleted or skipped because it looks wrong.
//! This layer knows lines and files, no boards: what stands in a line belongs to those who write and read it.

mod error;
mod examine;
mod journal;
mod keeper;
mod last_run;
pub mod line;
mod opened;
mod revisions;
mod sealed;
mod snapshot;
mod walk;

pub use error::StoreError;
pub use examine::{Examined, ExaminedFile, examine, repair};
pub use journal::{Fate, Forgiven, Journal, Replayed, SYNC_INTERVAL, Tear, read_journal};
pub use keeper::{Keeper, Position};
pub use last_run::LastRun;
pub use opened::{Opened, each_record};
pub use revisions::Revisions;
pub use sealed::{SealedReader, SealedWriter, Written};
pub use snapshot::Snapshots;
pub use walk::{SnapshotLine, Walk, WalkError};
