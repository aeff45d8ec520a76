//! The thin client of Callboard.

#[cfg(not(unix))]
compile_error!("callboard-client has a transport for Unix only");

mod client;
mod connect;
mod driver;
mod error;
mod event;
mod feed;
pub mod home;
mod options;
mod pending;
mod shared;
mod spawn;
mod wire;

pub use client::Client;
pub use error::ClientError;
pub use event::{Event, EventStream};
pub use options::{CONNECT_TIMEOUT, ConnectOptions, Program, Spawn};
pub use pending::Pending;
pub use shared::EVENT_BYTES_MAX;
