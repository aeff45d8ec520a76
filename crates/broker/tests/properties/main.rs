//! The board against naive models: whatever agents do in whatever order, it does what a few obvious lines would do.
//!
//! Invariant: a model knows the rule and no data structure. Each area has a file; `bench` drives the board.

#![cfg(test)]

mod bench;
mod keyspace;
mod model;
mod presence;
mod task_model;
mod tasks;
mod topics;
mod watchers;
