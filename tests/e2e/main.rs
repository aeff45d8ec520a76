//! The real daemon, driven through its socket as any client would: what only processes, sockets and files can show.
//!
//! Invariant: each test has a home and a daemon of its own, and names no place or port that another could use. What a
//! board alone can show is tested in the broker, in virtual time. What is Unix only is about what Windows does not have:
//! socket files and their modes, a half-close, signals, `/proc`, file systems of one's own, sockets from a service manager.

#![cfg(test)]

mod harness;

#[cfg(unix)]
mod activation;
mod agent_verbs;
#[cfg(unix)]
mod cookbook;
#[cfg(unix)]
mod crowd;
mod demo;
#[cfg(unix)]
mod disk;
mod durability;
#[cfg(unix)]
mod ends;
mod envelope;
mod flow;
mod framing;
mod grace;
mod hangups;
mod histories;
#[cfg(unix)]
mod idle;
mod instances;
mod kill_loop;
mod limits;
mod messages;
mod order;
mod overview;
mod restart;
mod resume;
mod sessions;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod socket;
mod stop;
mod store;
#[cfg(unix)]
mod strangers;
mod task_graphs;
mod task_verbs;
mod tasks;
mod texts;
mod vote_verbs;
mod waits;
#[cfg(unix)]
mod work;
