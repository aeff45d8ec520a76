//! Notices that the socket file was deleted or replaced, so that a daemon does not live on where nobody finds it.
//!
//! Invariant: it costs an idle daemon no wake-up: the system reports changes of the directory. It may cry wolf; whether the
//! socket has to come back is for `Listener::rebind` to see.

#[cfg(target_os = "macos")]
mod kqueue;
#[cfg(not(target_os = "macos"))]
mod notified;

#[cfg(target_os = "macos")]
pub use kqueue::SocketWatch;
#[cfg(not(target_os = "macos"))]
pub use notified::SocketWatch;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_deleted_or_replaced_socket_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        // Names that come before and after the socket's, which must not be taken for the change.
        fs::write(directory.path().join("a"), "").unwrap();
        fs::write(directory.path().join("z"), "").unwrap();
        let socket = directory.path().join("s.sock");
        let _first = UnixListener::bind(&socket).unwrap();
        let watch = SocketWatch::start(&socket).unwrap();

        fs::remove_file(&socket).unwrap();
        timeout(Duration::from_secs(5), watch.changed()).await.unwrap();

        let other = directory.path().join("other.sock");
        let _second = UnixListener::bind(&other).unwrap();
        fs::rename(&other, &socket).unwrap();
        timeout(Duration::from_secs(5), watch.changed()).await.unwrap();
    }
}
