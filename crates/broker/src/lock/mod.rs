//! Locks without time: names and patterns.
//!
//! - [`pattern`]: a lock name, exact or pattern, and whether two of them meet.

pub mod pattern;

pub use pattern::{LockName, LockNameError, LockNames};
