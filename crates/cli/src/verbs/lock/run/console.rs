//! What a Windows console says while a command runs under a lock.
//!
//! Invariant: the command hears it from the console itself, which tells all of its processes: there is nothing to pass on,
//! and this program waits for the command's own end.

use std::convert::Infallible;
use std::io;
use std::process::ExitStatus;

use tokio::process::Child;
use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};

/// From now on Ctrl-C and Ctrl-Break do not end this program.
pub struct Signals {
    interrupt: CtrlC,
    stop: CtrlBreak,
}

impl Signals {
    /// From now on these do not end this program.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new() -> io::Result<Self> {
        Ok(Self { interrupt: ctrl_c()?, stop: ctrl_break()? })
    }

    /// Never ends: there is none to pass on.
    pub async fn next(&mut self) -> Infallible {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.stop.recv() => {}
            }
        }
    }
}

/// Never called.
pub fn pass_on(_: &Child, signal: Infallible) {
    match signal {}
}

/// No command is ended by a signal here.
pub fn ending(_: ExitStatus) -> Option<i32> {
    None
}
