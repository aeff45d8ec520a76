//! Revisions: the one counter of a namespace, from which fencing tokens, message ids and task ids come too.
//!
//! Invariant (the broker's): strictly increasing within a namespace, below 2^53, never reused.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place in the order of a namespace's changes; 0 stands for "absent".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

/// The fencing token of a lease: the revision at which it was granted.
pub type Token = Revision;
/// A message's id: the revision at which it was sent.
pub type MessageId = Revision;
/// A task's id: the revision at which it was created.
pub type TaskId = Revision;
/// A vote's id: the revision at which it was opened.
pub type VoteId = Revision;

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
