//! What can go wrong between a program and its daemon.
//!
//! Invariant: an error says whether the request can have been carried out: [`ClientError::Rpc`] is the daemon's own answer,
//! [`ClientError::Disconnected`] and [`ClientError::Decode`] leave it open, all others come before anything was sent.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use callboard_protocol::version::{PROTOCOL, VersionRange};
use callboard_protocol::{Error, ErrorKind, NameError};

/// Why a call has no result. `Display` completes "failed to ..." but for [`ClientError::Rpc`], which is the daemon's sentence.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// Nothing answers at the socket.
    #[error("reach the daemon at {}: {reason}; {hint}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// The system's error number, where there is one.
        errno: Option<i32>,
        /// What the system says.
        reason: Arc<str>,
        /// What to do next.
        hint: &'static str,
    },
    /// The socket's path does not fit into a socket address.
    #[error(
        "reach the daemon at {}: the path has {len} bytes, at most {max} fit into a socket address here; \
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
    /// The name is none of a pipe, which is what there is on Windows.
    #[error("reach the daemon at {}: that is no pipe; set CALLBOARD_SOCKET to a name that begins with \\\\.\\pipe\\", path.display())]
    NotAPipe {
        /// The name.
        path: PathBuf,
    },
    /// Nothing says where the home is, or a relative path leads nowhere.
    #[error("find the home: {reason}; set CALLBOARD_HOME to an absolute path of a directory of yours")]
    NoHome {
        /// What is wrong.
        reason: Arc<str>,
    },
    /// The daemon's program cannot be started.
    #[error("start the daemon {}: {reason}; check that the program and the home {} can be used", program.display(), home.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The home, where its log goes.
        home: PathBuf,
        /// What the system says.
        reason: Arc<str>,
    },
    /// A daemon was started for this client, and ended before anything answered.
    #[error("start the daemon {}: it ended with {status}; its log {} says: {lines}", program.display(), log.display())]
    DaemonEnded {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: Arc<str>,
        /// Its log.
        log: PathBuf,
        /// The last lines it wrote there; empty when it wrote none.
        lines: Arc<str>,
    },
    /// The daemon took the connection and did not answer in time.
    #[error("open a session at {}: no answer within {after_ms} ms; look whether the daemon is stopped or overloaded", path.display())]
    Timeout {
        /// The socket.
        path: PathBuf,
        /// How long was waited, in milliseconds.
        after_ms: u64,
    },
    /// The daemon speaks no protocol version that this client does.
    #[error("open a session: {message} (this client speaks protocol {} to {})", client.min, client.max)]
    SkewedVersion {
        /// What this client speaks.
        client: VersionRange,
        /// The daemon's words.
        message: Box<str>,
    },
    /// The daemon's answer is an error: nothing but what its kind says has happened.
    #[error(transparent)]
    Rpc(#[from] Error),
    /// The connection ended before the answer came: the request may or may not have been carried out. It is never sent twice.
    #[error(
        "get an answer: the connection to the daemon ended ({reason}); look whether the call took effect, then try again"
    )]
    Disconnected {
        /// What ended it.
        reason: Arc<str>,
    },
    /// The answer came, and is not what this version expects: the request was carried out.
    #[error("read the answer to {method}: {reason}; use a client and a daemon of the same version")]
    Decode {
        /// The method.
        method: Arc<str>,
        /// What is wrong with it.
        reason: Arc<str>,
    },
}

impl ClientError {
    /// What programs branch on, where the daemon said it.
    #[must_use]
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Rpc(error) => Some(error.kind),
            Self::SkewedVersion { .. } => Some(ErrorKind::UnsupportedVersion),
            Self::Unreachable { .. }
            | Self::PathTooLong { .. }
            | Self::NotAPipe { .. }
            | Self::NoHome { .. }
            | Self::Spawn { .. }
            | Self::DaemonEnded { .. }
            | Self::Timeout { .. }
            | Self::Disconnected { .. }
            | Self::Decode { .. } => None,
        }
    }

    /// Whether a later call may succeed without anything being changed by hand: nobody listens yet, no answer came, or
    /// the connection was lost.
    #[must_use]
    pub fn is_connection_loss(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Timeout { .. } | Self::Disconnected { .. })
    }

    pub(crate) fn unreachable(path: &Path, error: &io::Error, hint: &'static str) -> Self {
        Self::Unreachable {
            path: path.to_owned(),
            errno: error.raw_os_error(),
            reason: Arc::from(error.to_string()),
            hint,
        }
    }

    pub(crate) fn disconnected(reason: &Arc<str>) -> Self {
        Self::Disconnected { reason: Arc::clone(reason) }
    }

    /// For what is asked of a client that was closed.
    pub(crate) fn closed() -> Self {
        Self::Disconnected { reason: "this client was closed".into() }
    }

    pub(crate) fn decode(method: &str, error: &serde_json::Error) -> Self {
        Self::Decode { method: Arc::from(method), reason: Arc::from(error.to_string()) }
    }

    /// The daemon's refusal of `session.open`.
    pub(crate) fn refused(error: Error) -> Self {
        if error.kind == ErrorKind::UnsupportedVersion {
            return Self::SkewedVersion { client: PROTOCOL, message: error.message };
        }
        Self::Rpc(error)
    }
}

/// A name that the daemon would refuse, refused here with the same kind.
impl From<NameError> for ClientError {
    fn from(error: NameError) -> Self {
        Self::Rpc(Error::new(ErrorKind::InvalidParams, error.to_string()))
    }
}
