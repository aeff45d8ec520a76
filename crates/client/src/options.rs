//! What a program may say about the connection it wants. Nothing happens here.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub use callboard_protocol::methods::session::Program;
use callboard_protocol::{AgentName, Label, Namespace};

/// How long [`Client::connect`](crate::Client::connect) tries when nothing is said: 5 s, enough for a daemon to start and
/// read a large journal.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a client may start the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Spawn {
    /// Nobody listens: an error at once.
    #[default]
    Never,
    /// Nobody listens: `program daemon args..` is started, detached from this process.
    IfNeeded {
        /// The program; a bare name is looked up in `PATH`.
        program: PathBuf,
        /// What follows `daemon`; usually nothing.
        args: Vec<OsString>,
    },
}

impl Spawn {
    /// Starts this very program again with `daemon`; for the `callboard` binary itself.
    ///
    /// # Errors
    /// When the system can't say which program this is.
    pub fn this_program() -> io::Result<Self> {
        Ok(Self::IfNeeded { program: std::env::current_exe()?, args: Vec::new() })
    }
}

/// How to find the daemon, and who to be there.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// The home; default `CALLBOARD_HOME`, else `~/.callboard`.
    pub home: Option<PathBuf>,
    /// The socket; default `CALLBOARD_SOCKET`, else `callboard.sock` in the home.
    pub socket: Option<PathBuf>,
    /// The board to work on; default the daemon's, which is `default`.
    pub namespace: Option<Namespace>,
    /// The agent to act for; default none. One that is given later, by `agent.register`, is lost where a session is.
    pub agent: Option<AgentName>,
    /// This program, for people and logs; default this crate's name and version and the process id.
    pub program: Program,
    /// Whether to start a daemon when none listens; default never.
    pub spawn: Spawn,
    /// Whether a lost connection is made again and its session resumed; default false.
    pub resume: bool,
    /// How long connecting may take in all, a daemon's start included; default [`CONNECT_TIMEOUT`].
    pub connect_timeout: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            home: None,
            socket: None,
            namespace: None,
            agent: None,
            program: Program {
                name: Label::new(env!("CARGO_PKG_NAME")).ok(),
                version: Label::new(env!("CARGO_PKG_VERSION")).ok(),
                pid: Some(std::process::id()),
            },
            spawn: Spawn::Never,
            resume: false,
            connect_timeout: CONNECT_TIMEOUT,
        }
    }
}

impl ConnectOptions {
    /// The defaults, with the home and the socket of the environment as it is now, so that later changes of it don't count.
    ///
    /// # Errors
    /// [`ClientError::NoHome`](crate::ClientError::NoHome) when the environment names no home.
    pub fn from_env() -> Result<Self, crate::ClientError> {
        Ok(Self {
            home: Some(crate::home::home(None)?),
            socket: Some(crate::home::socket_path(None, None)?),
            ..Self::default()
        })
    }
}
