//! What the daemon, its clients and the CLI ask of Windows alike: who the user is, what a home's pipe is called, who owns
//! a thing, a directory that is closed to others, a process that holds nothing of ours.
//!
//! - [`pipe`], [`path`]: names that independent programs have to come to; plain text, the same on every system.
//! - `user`, `access`, `process`, `disk`, `clock`: what only the system knows.
//!
//! Invariant: all code for Windows that the compiler can't check for memory safety is in here, and each piece says why it is
//! sound. Deliberately absent: the pipe itself, which `interprocess` opens and serves.
#![allow(unsafe_code, reason = "the system's interface is a C interface; every block says why it is sound")]
#![warn(clippy::undocumented_unsafe_blocks)]

#[cfg(windows)]
pub mod access;
#[cfg(windows)]
pub mod clock;
#[cfg(windows)]
pub mod disk;
pub mod path;
pub mod pipe;
#[cfg(windows)]
pub mod process;
#[cfg(windows)]
pub mod user;
#[cfg(windows)]
mod wide;
