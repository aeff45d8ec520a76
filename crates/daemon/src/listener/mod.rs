//! The door: where clients come in, who they are, and whether they are still there.
//!
//! Invariant: only the daemon's own user and root get a stream; a socket file is removed or replaced only while the
//! instance lock is held, and only when it is ours or nobody's. What is said on a stream belongs to `connection`.

#[cfg(unix)]
mod activation;
mod error;
#[cfg(unix)]
mod hangup;
#[cfg(unix)]
mod rlimit;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod watch;

#[cfg(unix)]
pub use activation::activated;
pub use error::ListenerError;
#[cfg(unix)]
pub use hangup::{hung_up, is_hung_up};
#[cfg(unix)]
pub use rlimit::raise_open_files;
#[cfg(unix)]
pub use unix::{Listener, Stream};
#[cfg(unix)]
pub use watch::SocketWatch;

/// Who is at the other end of a stream, as the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerIdentity {
    /// The user id that it had when it connected.
    pub uid: u32,
    /// Its process id, where the system tells. For the log only: it may belong to another process by now.
    pub pid: Option<i32>,
}
