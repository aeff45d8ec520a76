//! The real daemon, driven through its socket as any client would: what only processes, sockets and files can show.
//!
//! Invariant: each test has a home and a daemon of its own, and names no place or port that another could use. What a
//! board alone can show is tested in the broker, in virtual time. Unix only.

#![cfg(test)]
#![cfg(unix)]

mod harness;

mod activation;
mod demo;
mod disk;
mod durability;
mod ends;
mod envelope;
mod flow;
mod framing;
mod grace;
mod idle;
mod instances;
mod limits;
mod messages;
mod order;
mod overview;
mod restart;
mod resume;
mod sessions;
mod socket;
mod stop;
mod store;
mod tasks;
mod texts;
