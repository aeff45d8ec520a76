//! The verbs, one file for each group: what it takes, what it asks of the daemon, and how people read the answer.
//!
//! Invariant: a verb prints a result or fails; it never does both.

pub mod agent;
pub mod ask;
pub mod completions;
pub mod daemon;
pub mod demo;
pub mod doctor;
pub mod down;
pub mod inbox;
pub mod kv;
pub mod limit;
pub mod lock;
pub mod namespace;
pub mod publish;
pub mod reply;
pub mod send;
pub mod service;
pub mod stats;
pub mod status;
pub mod store;
pub mod subscribe;
pub mod tail;
pub mod task;
pub mod up;
pub mod upgrade_daemon;
pub mod vote;
pub mod waits;
pub mod work;
