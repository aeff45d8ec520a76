//! What can be wrong with a configuration, and where.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1; the last one when the fault is what is missing.
    pub line: usize,
    /// What stands there, without spaces around it.
    pub text: String,
}

impl Place {
    pub(super) fn of(path: &Path, content: &str, span: Option<Range<usize>>) -> Self {
        let start = span.map_or(content.len(), |span| span.start.min(content.len()));
        let before = content.as_bytes().iter().take(start);
        let line = 1 + before.filter(|&&byte| byte == b'\n').count();
        let text = content.lines().nth(line - 1).unwrap_or_default().trim().to_owned();
        Self { path: path.to_owned(), line, text }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: `{}`", self.path.display(), self.line, self.text)
    }
}

/// Why the configuration cannot be used. `Display` completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there but cannot be read.
    #[error("read the configuration {}: {source}; make it readable, or remove it to run with defaults", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file has a setting that is unknown or of the wrong type, or is no TOML.
    #[error("read the configuration {place}: {reason}")]
    Syntax {
        /// Where.
        place: Place,
        /// What is wrong, and what is expected.
        reason: String,
    },
    /// A variable of the environment has a value that its setting does not take.
    #[error("use {variable}={value:?} from the environment: {expected} is expected")]
    Variable {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What the setting takes.
        expected: &'static str,
    },
    /// A setting is too small or too large.
    #[error("use {setting} = {value}: {min} to {max} is allowed; change config.toml or the environment")]
    OutOfRange {
        /// The setting, as in the file.
        setting: &'static str,
        /// Its value.
        value: String,
        /// The least that is allowed.
        min: String,
        /// The most that is allowed.
        max: String,
    },
    /// The socket's path is relative, and the present directory is gone.
    #[error("find the socket {}: {source}; set CALLBOARD_SOCKET to an absolute path", path.display())]
    Socket {
        /// The path given.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}
