//! Starting the daemon, detached from this process.
//!
//! Invariant: the daemon outlives the program that started it and holds nothing of it. It has a process group of its own (a
//! Ctrl-C at the terminal does not reach it), the root as its directory, nothing as its input, and its own log as its output,
//! so that nobody who waits for the end of our output waits for the daemon.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, OnceLock};
use std::thread;

use crate::ClientError;

/// The log's name in the home. It is appended to.
const LOG_NAME: &str = "daemon.log";
/// How much of the log an error shows, in bytes: some ten lines.
const LOG_TAIL_BYTES: u64 = 2048;

/// A daemon that was started here. Dropping this leaves it running.
pub(crate) struct Daemon {
    program: PathBuf,
    log: PathBuf,
    /// How long the log was before, in bytes.
    log_start: u64,
    status: Arc<OnceLock<io::Result<ExitStatus>>>,
}

impl Daemon {
    /// Starts `program daemon args..` for `home` and `socket`; creates the home where it is missing.
    pub(crate) fn start(
        program: &Path,
        args: &[OsString],
        home: &Path,
        socket: &Path,
    ) -> Result<Self, ClientError> {
        let log = home.join(LOG_NAME);
        let started = platform::open_log(home, &log).and_then(|file| {
            let log_start = file.metadata()?.len();
            let mut child = Launch { program, args, home, socket, log: file }.start()?;
            Ok((log_start, reap(move || child.wait())?))
        });
        let (log_start, status) = started.map_err(|error| ClientError::Spawn {
            program: program.to_owned(),
            home: home.to_owned(),
            reason: error.to_string().into(),
        })?;
        Ok(Self { program: program.to_owned(), log, log_start, status })
    }

    /// The error that says how it ended; `None` while it runs.
    pub(crate) fn ended(&self) -> Option<ClientError> {
        let status = self.status.get()?;
        Some(ClientError::DaemonEnded {
            program: self.program.clone(),
            status: match status {
                Ok(status) => status.to_string().into(),
                Err(error) => error.to_string().into(),
            },
            log: self.log.clone(),
            lines: self.last_lines().unwrap_or_default().into(),
        })
    }

    /// What it wrote to the log, without the beginning where that is long.
    fn last_lines(&self) -> io::Result<String> {
        let mut log = File::open(&self.log)?;
        let long_before = log.metadata()?.len().saturating_sub(LOG_TAIL_BYTES);
        log.seek(SeekFrom::Start(self.log_start.max(long_before)))?;
        let mut lines = Vec::new();
        log.take(LOG_TAIL_BYTES).read_to_end(&mut lines)?;
        Ok(String::from_utf8_lossy(&lines).trim().to_owned())
    }
}

/// What is started, and what it is told.
struct Launch<'a> {
    program: &'a Path,
    args: &'a [OsString],
    home: &'a Path,
    socket: &'a Path,
    log: File,
}

/// Waits for the child on a thread of its own, so that it never stays behind as a zombie of a long-lived program.
fn reap(
    mut wait: impl FnMut() -> io::Result<ExitStatus> + Send + 'static,
) -> io::Result<Arc<OnceLock<io::Result<ExitStatus>>>> {
    let status = Arc::new(OnceLock::new());
    let slot = Arc::clone(&status);
    thread::Builder::new()
        .name("callboard-reaper".to_owned())
        .stack_size(64 * 1024)
        .spawn(move || slot.set(wait()))?;
    Ok(status)
}
