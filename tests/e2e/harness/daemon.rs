//! A running daemon, or whatever else a test starts: it ends with the test, by its own pid, and is reaped.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};

use super::wait_for;

/// A process of ours.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    /// Where it listens, once that is known.
    socket: Option<PathBuf>,
}

impl Daemon {
    /// Starts it.
    #[track_caller]
    pub fn spawn(command: &mut Command) -> Self {
        command.spawn().expect("the process starts").into()
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

    /// Notes where it listens.
    pub fn listens_at(mut self, socket: PathBuf) -> Self {
        self.socket = Some(socket);
        self
    }

    /// Sends it a signal.
    #[cfg(unix)]
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        // Our child, and not reaped yet: nobody else can have its pid.
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the process is there");
    }

    /// Ends it as a crash would.
    #[track_caller]
    pub fn kill(mut self) {
        self.child.kill().expect("the process is there");
        self.wait();
    }

    /// Asks it to stop, and sees that it did so cleanly.
    #[track_caller]
    pub fn stop(self) {
        self.ask_to_stop();
        let status = self.wait();
        assert!(status.success(), "{status}");
    }

    #[cfg(unix)]
    #[track_caller]
    fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// No other process can send the signals of a console, so the request is what is left.
    #[cfg(windows)]
    #[track_caller]
    fn ask_to_stop(&self) {
        let socket = self.socket.as_ref().expect("a daemon that listens");
        let stream = super::Stream::connect(socket).expect("the daemon listens");
        super::Raw::of(stream, super::Framing::Lines).call("server.shutdown", serde_json::json!({}));
    }
}

impl From<Child> for Daemon {
    fn from(child: Child) -> Self {
        Self { child, socket: None }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only when it has been reaped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
