//! A process group: a program and what it started, to be ended together.
//!
//! Invariant: what a terminal interrupts is not in it, so that the worker alone decides when its programs end. Unless it is let
//! go, it ends with its value.

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::{Child, Command};

/// The group of one program.
pub struct Group {
    leader: Option<Pid>,
}

impl Group {
    /// Has the program begin a group of its own.
    pub fn begin(command: &mut Command) {
        command.process_group(0);
    }

    /// The group of a program that began one.
    pub fn of(child: &Child) -> Self {
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        Self { leader: pid.and_then(Pid::from_raw) }
    }

    /// Asks all of it to end.
    pub fn ask_to_end(&self, _: &mut Child) {
        self.signal(Signal::TERM);
    }

    /// Lets what is left of it go on.
    pub fn let_go(&mut self) {
        self.leader = None;
    }

    /// Whether anything of it is left.
    pub fn is_alive(&self) -> bool {
        self.leader.is_some_and(|leader| test_kill_process_group(leader).is_ok())
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // A group that ended meanwhile has nothing to be told.
            let _ = kill_process_group(leader, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
