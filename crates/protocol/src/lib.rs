//! What crosses the socket, and nothing else: names, the JSON-RPC envelope, the typed parameters and results of each
//! method, events, errors, limits and the two framings.
//!
//! Invariant: a value of a type of this crate keeps the contract's rules for it. The crate does no input or output.

pub mod address;
pub mod envelope;
pub mod error;
pub mod event;
pub mod frame;
pub mod id;
pub mod json;
pub mod limits;
pub mod methods;
pub mod names;
pub mod params;
pub mod revision;
pub mod scalar;
pub mod scan;
pub mod schema;
pub mod version;

pub use envelope::{Call, Incoming, Push, Rejection, Request, Response, UsualRequest};
pub use error::{Error, ErrorKind};
pub use frame::{Cut, Decoder, FrameError, Framing};
pub use id::RequestId;
pub use json::Json;
pub use limits::Limits;
pub use methods::Method;
pub use names::{AgentName, Key, Label, NameError, Namespace, Role, Topic};
pub use params::{ListLimit, Params, TtlMs, WaitMs};
pub use revision::Revision;
