//! What can go wrong at the door.

use std::io;
use std::path::PathBuf;

/// Why there is no listener. `Display` completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum ListenerError {
    /// The path does not fit into a socket address.
    #[cfg(unix)]
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
    /// The name is none of a pipe.
    #[cfg(windows)]
    #[error("listen on {}: that is no pipe; set CALLBOARD_SOCKET to a name that begins with \\\\.\\pipe\\", path.display())]
    NotAPipe {
        /// The name.
        path: PathBuf,
    },
    /// Another program serves the pipe.
    #[cfg(windows)]
    #[error("listen on {}: another program does so already; end it, or set CALLBOARD_SOCKET to another pipe", path.display())]
    PipeTaken {
        /// The pipe.
        path: PathBuf,
    },
    /// Something that is no socket has the path.
    #[cfg(unix)]
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
    #[cfg(unix)]
    #[error(
        "take the socket from the service manager: {source}; give exactly one listening stream socket (systemd: \
         ListenStream=, launchd: SockPathName)"
    )]
    Activation {
        /// What is wrong with it.
        source: io::Error,
    },
    /// The socket cannot be watched for deletion.
    #[cfg(unix)]
    #[error("watch {}: {source}; the socket is served all the same, but will not come back when it is deleted", path.display())]
    Watch {
        /// The socket's path.
        path: PathBuf,
        /// What the watcher says.
        source: io::Error,
    },
}

impl ListenerError {
    pub(super) fn io(action: &'static str, path: &std::path::Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}
