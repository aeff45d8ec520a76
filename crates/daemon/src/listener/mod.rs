//! The door: where clients come in, who they are, and whether they are still there.
//!
//! Invariant: only the daemon's own user and root (Windows: the system) get a stream; a socket file is removed or replaced only while the
//! instance lock is held, and only when it is ours or nobody's. What is said on a stream belongs to `connection`.

#[cfg(unix)]
mod activation;
mod error;
#[cfg(unix)]
mod hangup;
#[cfg(any(target_os = "macos", all(unix, test)))]
mod launchd;
#[cfg(unix)]
mod rlimit;
mod transfer;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod unneeded;
#[cfg(unix)]
mod watch;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use activation::activated;
pub use error::ListenerError;
#[cfg(unix)]
pub use hangup::{hung_up, is_hung_up};
#[cfg(unix)]
pub use rlimit::raise_open_files;
pub use transfer::{poll_look, poll_read, poll_write, take};
#[cfg(unix)]
pub use unix::{Listener, MAY_CLOSE_FIRST, Stream, say_and_close};
#[cfg(windows)]
pub use unneeded::{SocketWatch, activated, raise_open_files};
#[cfg(unix)]
pub use watch::SocketWatch;
#[cfg(windows)]
pub use windows::{Listener, MAY_CLOSE_FIRST, Stream, hung_up, is_hung_up, say_and_close};

/// Who is at the other end of a stream, as the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Its process id, where the system tells. For the log only: it may belong to another process by now.
    pub pid: Option<u32>,
}
