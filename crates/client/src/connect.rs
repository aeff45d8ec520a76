//! From options to an open session: find the socket, connect, start a daemon when none listens, say who we are.
//!
//! Invariant: one refused attempt is never proof that nobody is there: a full accept queue looks the same on some systems,
//! and a daemon that starts or stops is not there for a moment. Only time decides, and all of it is bounded.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

use std::path::PathBuf;
use std::time::Duration;

use callboard_protocol::methods::server::{Info, ReadInfo};
use callboard_protocol::methods::session::{Open, Opened, Program};
use callboard_protocol::version::PROTOCOL;
use callboard_protocol::{AgentName, ErrorKind, Namespace};
use tokio::time::{Instant, sleep, timeout_at};

use crate::spawn::Daemon;
use crate::wire::Wire;
use crate::{ClientError, ConnectOptions, Spawn, home};

/// The first pause between two attempts; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// The longest pause between two attempts: what a person does not notice.
const PAUSE_MAX: Duration = Duration::from_millis(50);
/// How long a socket has to refuse before it counts as left behind by a daemon that is gone.
const REFUSED_PATIENCE: Duration = Duration::from_millis(100);

const START_IT: &str = "start it with `callboard daemon`";
const LOOK_AT_IT: &str = "look at what is there, or set CALLBOARD_SOCKET to another path";
const OVERLOADED: &str = "the daemon is overloaded: try again";

/// What an attempt to connect ran into.
pub(crate) enum Failure {
    /// There is no socket.
    Absent(ClientError),
    /// There is a socket, and nobody accepts: gone, or its queue is full.
    Refused(ClientError),
    /// The daemon is there and has no time, or is about to stop.
    Busy(ClientError),
    /// Trying again will not help.
    Final(ClientError),
}

impl Failure {
    fn into_error(self) -> ClientError {
        match self {
            Self::Absent(error) | Self::Refused(error) | Self::Busy(error) | Self::Final(error) => error,
        }
    }
}

/// [`ConnectOptions`], with all places known.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) home: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) spawn: Spawn,
    pub(crate) resume: bool,
    pub(crate) connect_timeout: Duration,
    namespace: Option<Namespace>,
    agent: Option<AgentName>,
    program: Program,
}

/// Which run of the daemon a session is with: a resumed session has no subscriptions when it is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pid: u32,
    started_at: u64,
}

/// An open session on a connection of its own.
pub(crate) struct Session {
    pub(crate) wire: Wire,
    pub(crate) opened: Opened,
    /// Known where the session may be resumed.
    pub(crate) run: Option<Run>,
}

/// How hard to try.
pub(crate) struct Patience {
    /// How long in all.
    pub(crate) bound: Duration,
    /// Whether to go on when nobody listens and no daemon may be started.
    pub(crate) waits: bool,
    /// Whether a daemon may be started.
    pub(crate) spawns: bool,
}

impl Target {
    pub(crate) fn new(options: ConnectOptions) -> Result<Self, ClientError> {
        let home = home::home(options.home.as_deref())?;
        let socket = home::socket_path(options.socket.as_deref(), Some(&home))?;
        platform::check_path(&socket)?;
        Ok(Self {
            home,
            socket,
            spawn: options.spawn,
            resume: options.resume,
            connect_timeout: options.connect_timeout,
            namespace: options.namespace,
            agent: options.agent,
            program: options.program,
        })
    }

    /// Opens a session, or takes over the one that `token` is for.
    pub(crate) async fn open(
        &self,
        token: Option<&str>,
        patience: &Patience,
    ) -> Result<Session, ClientError> {
        let deadline = Instant::now() + patience.bound;
        let mut attempts = Attempts { target: self, patience, daemon: None, refused_since: None };
        let mut pause = PAUSE_MIN;
        loop {
            let failure = match timeout_at(deadline, self.attempt(token)).await {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(failure)) => failure,
                Err(_elapsed) => return Err(self.too_late(patience)),
            };
            attempts.judge(&failure)?;
            if Instant::now() + pause >= deadline {
                return Err(attempts.give_up(failure));
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn attempt(&self, token: Option<&str>) -> Result<Session, Failure> {
        let mut wire = Wire::new(platform::connect(&self.socket).await?);
        let open = Open {
            protocol: Some(PROTOCOL),
            namespace: self.namespace.clone(),
            agent: self.agent.clone(),
            client: Some(self.program.clone()),
            resume: token.map(str::to_owned),
        };
        let lost = |error: ClientError| match error {
            ClientError::Rpc(error) if error.kind == ErrorKind::ShuttingDown => {
                Failure::Busy(ClientError::Rpc(error))
            }
            ClientError::Rpc(error) => Failure::Final(ClientError::refused(error)),
            lost @ ClientError::Disconnected { .. } => Failure::Busy(lost),
            other => Failure::Final(other),
        };
        // Both in one write: a second round trip would be felt by one-shot programs.
        wire.request(&open).map_err(lost)?;
        if self.resume {
            wire.request(&ReadInfo {}).map_err(lost)?;
        }
        wire.flush().await;
        let opened = wire.answer::<Open>().await.map_err(lost)?;
        let run = if self.resume {
            let Info { pid, started_at, .. } = wire.answer::<ReadInfo>().await.map_err(lost)?;
            Some(Run { pid, started_at })
        } else {
            None
        };
        Ok(Session { wire, opened, run })
    }

    fn too_late(&self, patience: &Patience) -> ClientError {
        ClientError::Timeout {
            path: self.socket.clone(),
            after_ms: u64::try_from(patience.bound.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// What was learnt from the attempts so far.
struct Attempts<'a> {
    target: &'a Target,
    patience: &'a Patience,
    /// The daemon that was started here.
    daemon: Option<Daemon>,
    refused_since: Option<Instant>,
}

impl Attempts<'_> {
    /// Whether to go on; starts a daemon when that is what is missing.
    fn judge(&mut self, failure: &Failure) -> Result<(), ClientError> {
        match failure {
            Failure::Busy(_) => Ok(()),
            Failure::Final(error) => Err(error.clone()),
            Failure::Absent(error) => self.nobody_listens(error),
            Failure::Refused(error) => {
                let since = *self.refused_since.get_or_insert_with(Instant::now);
                if since.elapsed() < REFUSED_PATIENCE {
                    return Ok(());
                }
                self.nobody_listens(error)
            }
        }
    }

    fn nobody_listens(&mut self, error: &ClientError) -> Result<(), ClientError> {
        match &self.target.spawn {
            // A daemon that was started and lost the race for the home has left the one that won it: go on trying.
            Spawn::IfNeeded { .. } if self.daemon.is_some() => Ok(()),
            Spawn::IfNeeded { program, args } if self.patience.spawns => {
                let target = self.target;
                self.daemon = Some(Daemon::start(program, args, &target.home, &target.socket)?);
                Ok(())
            }
            Spawn::IfNeeded { .. } | Spawn::Never if self.patience.waits => Ok(()),
            Spawn::IfNeeded { .. } | Spawn::Never => Err(error.clone()),
        }
    }

    fn give_up(&self, failure: Failure) -> ClientError {
        match self.daemon.as_ref().and_then(Daemon::ended) {
            Some(ended) => ended,
            None => match failure.into_error() {
                ClientError::Disconnected { .. } => self.target.too_late(self.patience),
                error => error,
            },
        }
    }
}
