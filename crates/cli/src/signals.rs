//! The signals that a verb with a program of its own takes care of, so that they do not end this one first.
//!
//! Invariant: from [`Signals::new`] on none of them ends this program; each is heard once. What to do about it is the verb's.

#[cfg(unix)]
#[path = "signals/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "signals/windows.rs"]
mod system;

pub use system::{Signals, ending, pass_on};
