//! Locks without time: names and patterns, who holds what, who waits for whom.
//!
//! - [`pattern`]: a lock name, exact or pattern, and whether two of them meet.
//! - `index`: from a name to the ids whose names meet it, without looking at all of them.
//! - `waits`: the waits-for graph: what blocks a waiter, whose turn it is, which wait would never end.
//! - [`table`]: the grants and the queue of one board; the door to all of this.
//!
//! Invariant: no two grants of different agents conflict. There are no leases, sessions, limits or clocks here: a
//! grant stands until somebody releases it.

mod index;
pub mod pattern;
pub mod table;
mod waits;

pub use pattern::{LockName, LockNameError, LockNames};
pub use table::{Conflicts, Deadlock, Edge, LockTable, Mode, Request};
