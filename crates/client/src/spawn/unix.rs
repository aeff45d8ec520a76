//! Starting a process on Unix.
//!
//! For descriptors beyond the three standard streams this relies on close-on-exec, which the standard library and tokio set on
//! whatever they open; a descriptor that this program itself inherited without it is passed on, because closing it for the
//! child alone takes code between fork and exec that is unsafe.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::Launch;
use crate::home::{HOME_VARIABLE, SOCKET_VARIABLE};

/// Opens the log for appending; creates it and the home, closed to others, where they are missing.
pub(super) fn open_log(home: &Path, log: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(home)?;
    OpenOptions::new().append(true).create(true).mode(0o600).open(log)
}

impl Launch<'_> {
    pub(super) fn start(self) -> io::Result<Child> {
        // A bare name is for `PATH`; anything else must not be looked for from `/`.
        let bare = self.program.components().count() == 1 && !self.program.is_absolute();
        let program = if bare { self.program.to_owned() } else { std::path::absolute(self.program)? };
        let mut command = Command::new(program);
        command
            .arg("daemon")
            .args(self.args)
            .current_dir("/")
            .env(HOME_VARIABLE, self.home)
            .env(SOCKET_VARIABLE, self.socket)
            .stdin(Stdio::null())
            .stdout(self.log.try_clone()?)
            .stderr(self.log)
            .process_group(0);
        command.spawn()
    }
}
