//! Tasks as data: what a task is, in which order the ready ones go, who waits for them, what depends on what.
//!
//! Invariant: nothing here knows leases, sessions or records; the board's `task` verbs join these to them.

pub mod backoff;
pub mod entry;
pub mod graph;
mod indexes;
pub mod ready;
pub mod table;
pub mod waiters;

pub use entry::{Standing, Task};
pub use table::Tasks;
