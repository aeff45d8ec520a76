//! The process around the boards: sockets, sessions, timers, the store, start and stop.
//!
//! - [`serve`]: the life of the daemon; `prepare` and `run` are what the `callboard` binary calls.
//! - [`config`], [`home`], [`instance`], [`listener`], [`signals`]: what it needs of the machine.
//! - `connection`, `dispatch`, `opening`, [`outbox`], [`seats`]: one client's bytes to commands and back.
//! - [`busy_poll`]: when to stay awake for the next of them.
//! - [`host`], [`boards`]: the one way into a board, and the boards' timers.
//! - [`store`], [`snapshots`], [`recovery`], `changes`: what survives.
//! - `overview`, [`stats`], [`maintenance`]: what a person may ask and do.

pub mod boards;
pub mod busy_poll;
mod changes;
pub mod clock;
pub mod config;
mod connection;
mod dispatch;
pub mod files;
pub mod home;
pub mod host;
pub mod instance;
pub mod listener;
pub mod maintenance;
mod opening;
pub mod outbox;
mod overview;
pub mod recovery;
pub mod seats;
pub mod serve;
pub mod signals;
#[cfg(test)]
#[path = "tests/simulation/mod.rs"]
mod simulation;
pub mod snapshots;
pub mod stats;
pub mod store;

pub use config::Options;
pub use serve::{Prepared, RunError, prepare, run};
