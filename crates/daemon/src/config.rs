//! The configuration: what a person may decide about the daemon, from four layers.
//!
//! Invariant: a [`Config`] that [`Config::load`] returned is complete and in range; nobody looks at the environment or at
//! the file again. Layers: defaults < `config.toml` in the home < environment < flags. There is no reload: a change takes
//! effect at the next start. The home itself is no setting (see `home`): the file lies in it.

mod error;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use callboard_broker::BoardConfig;
use callboard_protocol::Limits;
use callboard_protocol::limits::{FRAME_BYTES_CEILING, WAIT_MS_MAX};
use serde::Deserialize;

pub use error::{ConfigError, Place};

use crate::home::{Environment, Home, SOCKET_VARIABLE};

/// Every setting with its default and the reason for it, as a commented `config.toml`.
pub const DEFAULT_FILE: &str = include_str!("../config.default.toml");
/// The configuration's name in the home.
const FILE_NAME: &str = "config.toml";
/// The shortest interval of snapshots, in milliseconds: below it, writing them would be all the daemon does.
const SNAPSHOT_INTERVAL_MS_MIN: u64 = 100;
/// The smallest journal that a snapshot replaces, in bytes: below it, snapshots would be all the daemon does.
const JOURNAL_BYTES_MIN: u64 = 4 << 10;
/// The smallest frame, in bytes: an error with all it carries must fit.
const FRAME_BYTES_MIN: usize = 1024;

/// What of the state survives the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Nothing is written.
    Memory,
    /// Snapshots now and then, and at a clean stop.
    Snapshot,
    /// Each change reaches the operating system before anybody sees it.
    Journal,
    /// Each change reaches the disk before anybody sees it.
    Sync,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// All settings. Defaults and reasons are in [`DEFAULT_FILE`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the socket is; `None`: in the home.
    pub socket: Option<PathBuf>,
    /// What survives the daemon: `journal`.
    pub durability: Durability,
    /// How often a changed state is written in `snapshot` mode: 60,000 ms.
    pub snapshot_interval_ms: u64,
    /// How large the journal grows before a snapshot replaces it, unless the last snapshot was larger: 64 MiB.
    pub journal_bytes: u64,
    /// How long a session outlives its connection: 5,000 ms.
    pub grace_ms: u64,
    /// Whether the methods for people are carried out: yes.
    pub admin: bool,
    /// The filter of the log, a level or directives by module: `info`.
    pub log: String,
    /// How log lines look: `text`.
    pub log_format: LogFormat,
    /// The limits in force.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            socket: None,
            durability: Durability::Journal,
            snapshot_interval_ms: 60_000,
            journal_bytes: 64 << 20,
            grace_ms: 5000,
            admin: true,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            limits: Limits::default(),
        }
    }
}

/// What the command line said; `None`: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The home; goes to [`crate::home::resolve`].
    pub home: Option<PathBuf>,
    /// The socket.
    pub socket: Option<PathBuf>,
    /// What survives the daemon.
    pub durability: Option<Durability>,
    /// The filter of the log.
    pub log: Option<String>,
    /// How log lines look.
    pub log_format: Option<LogFormat>,
}

impl Config {
    /// Puts the layers together: defaults, `config.toml` in `home`, `environment`, `options`.
    ///
    /// # Errors
    /// [`ConfigError`] names the file and line, or the variable, and the setting that cannot be used.
    pub fn load(home: &Home, environment: Environment<'_>, options: &Options) -> Result<Self, ConfigError> {
        let path = home.join(FILE_NAME);
        let mut config = match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&path, &text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(source) => return Err(ConfigError::Read { path, source }),
        };
        config.apply_environment(environment)?;
        config.apply_options(options);
        config.validate()?;
        Ok(config)
    }

    /// What each board is handed.
    #[must_use]
    pub fn board_config(&self) -> BoardConfig {
        let records = self.durability != Durability::Memory;
        BoardConfig { limits: self.limits.clone(), grace_ms: self.grace_ms, admin: self.admin, records }
    }

    /// Where the socket is.
    #[must_use]
    pub fn socket(&self, home: &Home) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| home.socket())
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|source| ConfigError::Syntax {
            place: Place::of(path, text, source.span()),
            reason: source.message().to_owned(),
        })
    }

    fn apply_environment(&mut self, environment: Environment<'_>) -> Result<(), ConfigError> {
        if let Some(path) = environment(SOCKET_VARIABLE) {
            self.socket = Some(PathBuf::from(path));
        }
        set(&mut self.durability, environment, "CALLBOARD_DURABILITY", "memory, snapshot, journal or sync")?;
        set(&mut self.snapshot_interval_ms, environment, "CALLBOARD_SNAPSHOT_INTERVAL_MS", "milliseconds")?;
        set(&mut self.journal_bytes, environment, "CALLBOARD_JOURNAL_BYTES", "bytes")?;
        set(&mut self.grace_ms, environment, "CALLBOARD_GRACE_MS", "milliseconds")?;
        set(&mut self.admin, environment, "CALLBOARD_ADMIN", "true or false")?;
        set(&mut self.log, environment, "CALLBOARD_LOG", "a level or directives by module")?;
        set(&mut self.log_format, environment, "CALLBOARD_LOG_FORMAT", "text or json")
    }

    fn apply_options(&mut self, options: &Options) {
        let options = options.clone();
        self.socket = options.socket.or(self.socket.take());
        self.durability = options.durability.unwrap_or(self.durability);
        self.log_format = options.log_format.unwrap_or(self.log_format);
        if let Some(log) = options.log {
            self.log = log;
        }
    }

    fn validate(&mut self) -> Result<(), ConfigError> {
        if let Some(socket) = self.socket.take() {
            let absolute = std::path::absolute(&socket)
                .map_err(|source| ConfigError::Socket { path: socket, source })?;
            self.socket = Some(absolute);
        }
        in_range("snapshot_interval_ms", self.snapshot_interval_ms, SNAPSHOT_INTERVAL_MS_MIN, WAIT_MS_MAX)?;
        in_range("journal_bytes", self.journal_bytes, JOURNAL_BYTES_MIN, u64::MAX)?;
        in_range("grace_ms", self.grace_ms, 0, WAIT_MS_MAX)?;
        validate_limits(&self.limits)
    }
}

/// Every limit is at least 1 but for those that 0 switches off, and those that depend on each other fit. Taken apart, so that a new limit is not forgotten.
fn validate_limits(limits: &Limits) -> Result<(), ConfigError> {
    let &Limits {
        frame_bytes,
        value_bytes,
        connections,
        waiting_per_connection,
        subscriptions_per_session,
        namespaces,
        keys,
        agents,
        locks,
        lock_waiters,
        tasks,
        watch_history,
        watch_history_bytes,
        inbox_depth,
        pair_messages_per_second: _,
        thread_turns_per_minute: _,
        outbound_soft_bytes,
        outbound_soft_ms,
        outbound_hard_bytes,
        memory_bytes,
    } = limits;
    in_range("limits.frame_bytes", frame_bytes, FRAME_BYTES_MIN, FRAME_BYTES_CEILING)?;
    in_range("limits.value_bytes", value_bytes, 1, frame_bytes)?;
    in_range("limits.outbound_soft_bytes", outbound_soft_bytes, 1, outbound_hard_bytes)?;
    in_range("limits.outbound_soft_ms", outbound_soft_ms, 1, WAIT_MS_MAX)?;
    for (setting, value) in [
        ("limits.connections", connections),
        ("limits.waiting_per_connection", waiting_per_connection),
        ("limits.subscriptions_per_session", subscriptions_per_session),
        ("limits.namespaces", namespaces),
        ("limits.keys", keys),
        ("limits.agents", agents),
        ("limits.locks", locks),
        ("limits.lock_waiters", lock_waiters),
        ("limits.tasks", tasks),
        ("limits.watch_history", watch_history),
        ("limits.watch_history_bytes", watch_history_bytes),
        ("limits.inbox_depth", inbox_depth),
        ("limits.memory_bytes", memory_bytes),
    ] {
        in_range(setting, value, 1, usize::MAX)?;
    }
    Ok(())
}

fn in_range<T: Copy + PartialOrd + fmt::Display>(
    setting: &'static str,
    value: T,
    min: T,
    max: T,
) -> Result<(), ConfigError> {
    if value >= min && value <= max {
        return Ok(());
    }
    Err(ConfigError::OutOfRange {
        setting,
        value: value.to_string(),
        min: min.to_string(),
        max: max.to_string(),
    })
}

fn set<T: FromStr>(
    setting: &mut T,
    environment: Environment<'_>,
    variable: &'static str,
    expected: &'static str,
) -> Result<(), ConfigError> {
    let Some(value) = environment(variable) else {
        return Ok(());
    };
    match value.to_str().map(T::from_str) {
        Some(Ok(parsed)) => {
            *setting = parsed;
            Ok(())
        }
        Some(Err(_)) | None => Err(ConfigError::Variable {
            variable,
            value: OsStr::to_string_lossy(&value).into_owned(),
            expected,
        }),
    }
}

/// The text is none of the words that a setting takes. `Display` completes "failed to ...".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read the word: {expected} is expected")]
pub struct UnknownWord {
    /// The words that it takes.
    pub expected: &'static str,
}

impl Durability {
    /// The word for it, as in the configuration and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Snapshot => "snapshot",
            Self::Journal => "journal",
            Self::Sync => "sync",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Durability {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        [Self::Memory, Self::Snapshot, Self::Journal, Self::Sync]
            .into_iter()
            .find(|durability| durability.as_str() == word)
            .ok_or(UnknownWord { expected: "memory, snapshot, journal or sync" })
    }
}

impl FromStr for LogFormat {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(UnknownWord { expected: "text or json" }),
        }
    }
}
