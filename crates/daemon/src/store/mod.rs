//! What survives the process: checksummed lines, snapshots of them, and the revisions that were given out.
//!
//! Invariant: a file is whole or it is an error that names its line; nothing is deleted or skipped because it looks wrong.
//! This layer knows lines and files, no boards: what stands in a line belongs to those who write and read it.

mod error;
mod keeper;
pub mod line;
mod revisions;
mod sealed;
mod snapshot;

pub use error::StoreError;
pub use keeper::{Keeper, Loaded, OpenError, Position, SnapshotLine};
pub use revisions::Revisions;
pub use sealed::{SealedReader, Written};
pub use snapshot::Snapshots;
