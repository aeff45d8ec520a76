//! The signals that are meant for the command under a lock.
//!
//! Invariant: the command gets each signal once. An interrupt from the terminal goes to the whole foreground group, the
//! command included, and is not passed on a second time: many programs take a second one as an order to die at once.

use std::io;

use rustix::process::{Signal, getpgrp};
use rustix::termios::tcgetpgrp;
use tokio::signal::unix::{self, SignalKind};

/// Signals to pass on.
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

    /// The next one to pass on. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Signal {
        loop {
            tokio::select! {
                Some(()) = self.interrupt.recv() => {
                    if !is_in_foreground() {
                        return Signal::INT;
                    }
                }
                Some(()) = self.terminate.recv() => return Signal::TERM,
                Some(()) = self.hang_up.recv() => return Signal::HUP,
            }
        }
    }
}

/// Whether a terminal sends its interrupts to this program's process group.
fn is_in_foreground() -> bool {
    let own = getpgrp();
    let of_terminals = [tcgetpgrp(io::stdin()), tcgetpgrp(io::stdout()), tcgetpgrp(io::stderr())];
    of_terminals.contains(&Ok(own))
}
