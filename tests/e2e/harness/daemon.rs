//! A running daemon, or whatever else a test starts: it ends with the test, by its own pid, and is reaped.

use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};

use super::wait_for;

/// A process of ours.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts it.
    #[track_caller]
    pub fn spawn(command: &mut Command) -> Self {
        Self { child: command.spawn().expect("the process starts") }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> ExitStatus {
        wait_for("the end of the process", || self.exited())
    }

    /// Sends it a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        // Our child, and not reaped yet: nobody else can have its pid.
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the process is there");
    }

    /// Ends it as a crash would.
    #[track_caller]
    pub fn kill(self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Asks it to stop, and sees that it did so cleanly.
    #[track_caller]
    pub fn stop(self) {
        self.signal(Signal::TERM);
        let status = self.wait();
        assert!(status.success(), "{status}");
    }
}

impl From<Child> for Daemon {
    fn from(child: Child) -> Self {
        Self { child }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only when it has been reaped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
