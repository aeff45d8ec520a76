//! What can go wrong at the door.

use std::io;
use std::path::PathBuf;

/// Why there is no listener. `Display` completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum ListenerError {
    /// The path does not fit into a socket address.
    #[error(
        "listen on {}: the path has {len} bytes, at most {max} fit into a socket address here; \
         set CALLBOARD_SOCKET (or CALLBOARD_HOME) to a shorter path",
        path.display()
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        len: usize,
        /// The system's limit in bytes.
        max: usize,
    },
    /// Something that is no socket has the path.
    #[error("listen on {}: something that is no socket is there; move it away or set CALLBOARD_SOCKET", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The lock file was deleted or replaced, so that another daemon may own the path by now.
    #[error("listen on {} again: the lock file is gone, another daemon may run here; start anew", path.display())]
    LockLost {
        /// The socket's path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{action} {}: {source}; look at the directory's owner, mode and free space", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The socket's path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The service manager handed over something that cannot be listened on.
    #[error(
        "take the socket from the service manager: {source}; give exactly one listening stream socket (ListenStream=)"
    )]
    Activation {
        /// What is wrong with it.
        source: io::Error,
    },
    /// The socket cannot be watched for deletion.
    #[error("watch {}: {source}; the socket is served all the same, but will not come back when it is deleted", path.display())]
    Watch {
        /// The socket's path.
        path: PathBuf,
        /// What the watcher says.
        source: notify::Error,
    },
}

impl ListenerError {
    #[cfg(unix)]
    pub(super) fn io(action: &'static str, path: &std::path::Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}
