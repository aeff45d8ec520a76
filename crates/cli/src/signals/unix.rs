//! Interrupt, termination and hang-up, as Unix has them.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use rustix::termios::tcgetpgrp;
use tokio::process::Child;
use tokio::signal::unix::{self, SignalKind};

/// The signals.
pub struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hang_up: unix::Signal,
}

impl Signals {
    /// From now on these signals do not end this program.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
            hang_up: unix::signal(SignalKind::hangup())?,
        })
    }

    /// The next one. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Signal::INT,
            Some(()) = self.terminate.recv() => Signal::TERM,
            Some(()) = self.hang_up.recv() => Signal::HUP,
            else => std::future::pending().await,
        }
    }
}

/// Passes a signal on to a program of this process group. An interrupt from the terminal went to the whole foreground group,
/// the program included, and is not passed on a second time: many programs take a second one as an order to die at once.
pub fn pass_on(child: &Child, signal: Signal) {
    if signal == Signal::INT && is_in_foreground() {
        return;
    }
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        // A child that ended meanwhile has nothing to be told.
        let _ = kill_process(pid, signal);
    }
}

/// The number of the signal that ended the program, if one did.
pub fn ending(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// Whether a terminal sends its interrupts to this program's process group.
fn is_in_foreground() -> bool {
    let own = getpgrp();
    let of_terminals = [tcgetpgrp(io::stdin()), tcgetpgrp(io::stdout()), tcgetpgrp(io::stderr())];
    of_terminals.contains(&Ok(own))
}
