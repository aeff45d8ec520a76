//! What a Windows console says: Ctrl-C and Ctrl-Break.

use std::io;
use std::process::ExitStatus;

use tokio::process::Child;
use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};

/// Something that a console said: what exactly makes no difference.
#[derive(Debug, Clone, Copy)]
pub struct Interrupted;

/// What a console says.
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

    /// The next one. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Interrupted {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Interrupted,
            Some(()) = self.stop.recv() => Interrupted,
            else => std::future::pending().await,
        }
    }
}

/// Nothing to do: the console itself tells all of its processes.
pub fn pass_on(_: &Child, _: Interrupted) {}

/// No program is ended by a signal here.
pub fn ending(_: ExitStatus) -> Option<i32> {
    None
}
