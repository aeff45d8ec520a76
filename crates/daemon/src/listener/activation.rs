//! Sockets that a service manager opened for us: launchd's, or those of systemd's `LISTEN_FDS`.
//!
//! Invariant: such a socket belongs to the manager: it is never removed, replaced or shut down here.

use std::io;
use std::os::fd::OwnedFd;

use listenfd::ListenFd;

#[cfg(target_os = "macos")]
use super::launchd;
use super::{Listener, ListenerError};

/// The socket that the service manager handed over, if this process was started by one with a socket; it can be taken once.
/// Must be called inside a tokio runtime, and before other threads read the environment: the variables are removed, so
/// that child processes do not take the socket for theirs.
///
/// # Errors
/// [`ListenerError::Activation`] for more than one socket, or one that is no listening Unix stream socket.
pub fn activated() -> Result<Option<Listener>, ListenerError> {
    let sockets = handed_over().map_err(|source| ListenerError::Activation { source })?;
    only(sockets)?.map(Listener::from_activated).transpose()
}

#[cfg(target_os = "macos")]
fn handed_over() -> io::Result<Vec<OwnedFd>> {
    let sockets = launchd::sockets()?;
    if sockets.is_empty() { from_environment() } else { Ok(sockets) }
}

#[cfg(not(target_os = "macos"))]
fn handed_over() -> io::Result<Vec<OwnedFd>> {
    from_environment()
}

fn from_environment() -> io::Result<Vec<OwnedFd>> {
    let mut named = ListenFd::from_env();
    (0..named.len())
        .filter_map(|at| named.take_unix_listener(at).transpose())
        .map(|found| found.map(OwnedFd::from))
        .collect()
}

fn only(mut sockets: Vec<OwnedFd>) -> Result<Option<OwnedFd>, ListenerError> {
    if sockets.len() > 1 {
        let source = io::Error::other(format!("it gave {} sockets", sockets.len()));
        return Err(ListenerError::Activation { source });
    }
    Ok(sockets.pop())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn there_is_one_socket_or_none() {
        let (first, second) = UnixStream::pair().unwrap();
        assert!(only(Vec::new()).unwrap().is_none());
        let error = only(vec![first.into(), second.into()]).unwrap_err().to_string();
        assert!(error.contains("2 sockets") && error.contains("SockPathName"), "{error}");
    }
}
