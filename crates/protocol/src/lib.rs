//! What crosses the socket, and nothing else: names, the JSON-RPC envelope, the typed parameters and results of each
//! method, events, errors, limits and the two framings.
//!
//! Invariant: a value of a type of this crate keeps the contract's rules for it. The crate does no input or output.

pub mod limits;
pub mod names;

pub use limits::Limits;
pub use names::{AgentName, Key, NameError, Namespace, Role, Topic};
