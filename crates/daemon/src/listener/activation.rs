//! Sockets that a service manager opened for us: systemd's `LISTEN_FDS`.
//!
//! Invariant: such a socket belongs to the manager: it is never removed, replaced or shut down here.

use std::io;

use listenfd::ListenFd;

use super::{Listener, ListenerError};

/// The socket that the service manager handed over, if this process was started by one with a socket; it can be taken once.
/// Must be called inside a tokio runtime, and before other threads read the environment: the variables are removed, so
/// that child processes do not take the socket for theirs.
///
/// # Errors
/// [`ListenerError::Activation`] for more than one socket, or one that is no listening Unix stream socket.
pub fn activated() -> Result<Option<Listener>, ListenerError> {
    let mut handed_over = ListenFd::from_env();
    if handed_over.len() > 1 {
        let source = io::Error::other(format!("it gave {} sockets", handed_over.len()));
        return Err(ListenerError::Activation { source });
    }
    match handed_over.take_unix_listener(0) {
        Ok(Some(listener)) => Listener::from_activated(listener.into()).map(Some),
        Ok(None) => Ok(None),
        Err(source) => Err(ListenerError::Activation { source }),
    }
}
