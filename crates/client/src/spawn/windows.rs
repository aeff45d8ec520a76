//! Starting a process on Windows.
//!
//! The standard library would pass on every handle that may be inherited, so that whoever waits for the end of our output
//! would wait for the daemon: `callboard_windows` passes on those that are named.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use callboard_windows::access::create_private_directory;
use callboard_windows::process::{self, Process};

use super::Launch;
use crate::home::{HOME_VARIABLE, SOCKET_VARIABLE};

/// Opens the log for appending; creates it and the home, closed to others, where they are missing.
pub(super) fn open_log(home: &Path, log: &Path) -> io::Result<File> {
    create_private_directory(home)?;
    OpenOptions::new().append(true).create(true).open(log)
}

impl Launch<'_> {
    pub(super) fn start(self) -> io::Result<Process> {
        let args: Vec<OsString> = std::iter::once("daemon".into()).chain(self.args.iter().cloned()).collect();
        let launch = process::Launch {
            program: self.program,
            args: &args,
            variables: &[(HOME_VARIABLE, self.home.as_os_str()), (SOCKET_VARIABLE, self.socket.as_os_str())],
            // The drive's root: a process keeps its directory from being removed.
            directory: self.home.ancestors().last().unwrap_or(self.home),
            output: self.log,
        };
        launch.start()
    }
}
