//! A daemon's home in a folder that goes with the test, and the settings that its daemons start with.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Daemon, Framing, Raw, Stream, callboard, wait_for};

/// A home that no other test knows.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Home {
    /// A home that does not exist yet, with the default settings.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("cb").tempdir();
        Self { folder: folder.expect("a temporary folder"), variables: Vec::new() }
    }

    /// A home whose daemons write a snapshot now and then.
    pub fn in_snapshot_mode() -> Self {
        Self::new().with("CALLBOARD_DURABILITY", "snapshot")
    }

    /// A home whose daemons write nothing: for tests that ask nothing of the store.
    pub fn in_memory() -> Self {
        Self::new().with("CALLBOARD_DURABILITY", "memory")
    }

    /// Sets a variable of its daemons' environment.
    pub fn with(mut self, variable: &'static str, value: impl ToString) -> Self {
        self.variables.push((variable, value.to_string()));
        self
    }

    /// Sets limits: lines of the table `[limits]`.
    pub fn with_limits(self, lines: &str) -> Self {
        fs::create_dir_all(self.path()).expect("a home");
        fs::write(self.path().join("config.toml"), format!("[limits]\n{lines}\n")).expect("a configuration");
        self
    }

    /// The folder around the home, for what must lie elsewhere.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The home.
    pub fn path(&self) -> PathBuf {
        self.folder().join("h")
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        let named = self.variables.iter().find(|(name, _)| *name == "CALLBOARD_SOCKET");
        named.map_or_else(|| socket_of(&self.path()), |(_, path)| path.into())
    }

    /// Where its daemons write their log.
    pub fn log(&self) -> PathBuf {
        self.folder().join("log")
    }

    /// Gives a command the environment of a daemon of this home, and no other of ours.
    pub fn equip<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let log = fs::File::options().create(true).append(true).open(self.log());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CALLBOARD_") {
                command.env_remove(name);
            }
        }
        command
            .env("CALLBOARD_HOME", self.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log"))
    }

    /// The command that runs a daemon here.
    pub fn daemon(&self) -> Command {
        let mut command = Command::new(callboard());
        self.equip(command.arg("daemon"));
        command
    }

    /// The command line here, with its output and errors to be read.
    pub fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new(callboard());
        self.equip(command.args(arguments)).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts a daemon and waits until it answers.
    #[track_caller]
    pub fn start(&self) -> Daemon {
        self.wait_until_ready(Daemon::spawn(&mut self.daemon()))
    }

    /// Starts a daemon that must not start; gives what it says.
    #[track_caller]
    pub fn start_in_vain(&self) -> String {
        let output = self.daemon().stderr(Stdio::piped()).output().expect("it ends");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Waits until a daemon that was started answers at the socket.
    #[track_caller]
    pub fn wait_until_ready(&self, mut daemon: Daemon) -> Daemon {
        wait_for("a daemon that answers", || {
            if let Some(status) = daemon.exited() {
                panic!("the daemon ended at its start, {status}:\n{}", self.read_log());
            }
            self.answer()
        });
        daemon.listens_at(self.socket())
    }

    /// Asks whoever listens at the socket for a sign of life; after it, nothing of the question is left in the daemon.
    pub fn answer(&self) -> Option<String> {
        let stream = Stream::connect(self.socket()).ok()?;
        (&stream).write_all(b"{\"id\":1,\"method\":\"server.ping\"}\n").ok()?;
        let mut client = Raw::of(stream, Framing::Lines);
        #[cfg(unix)]
        client.end_input();
        let answer = client.frame()?;
        #[cfg(unix)]
        client.expect_end();
        Some(answer)
    }

    /// What the daemons logged so far.
    pub fn read_log(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// A connection that speaks lines.
    #[track_caller]
    pub fn connect(&self) -> Raw {
        self.connect_with(Framing::Lines)
    }

    /// A connection of either framing.
    #[track_caller]
    pub fn connect_with(&self, framing: Framing) -> Raw {
        let stream = Stream::connect(self.socket());
        Raw::of(stream.expect("the daemon listens"), framing)
    }

    /// A connection whose session acts for an agent.
    #[track_caller]
    pub fn connect_as(&self, agent: &str) -> Raw {
        self.open(json!({"agent": agent})).0
    }

    /// A connection after `session.open`, and what that answered.
    #[track_caller]
    pub fn open(&self, params: Value) -> (Raw, Value) {
        let mut client = self.connect();
        let opened = client.call("session.open", params);
        (client, opened)
    }

    /// Ends a daemon as a crash would, and starts the next one.
    #[track_caller]
    pub fn crash_and_start(&self, daemon: Daemon) -> Daemon {
        daemon.kill();
        self.start()
    }

    /// Ends a daemon cleanly, and starts the next one.
    #[track_caller]
    pub fn stop_and_start(&self, daemon: Daemon) -> Daemon {
        daemon.stop();
        self.start()
    }
}

#[cfg(unix)]
fn socket_of(home: &Path) -> PathBuf {
    home.join("callboard.sock")
}

#[cfg(windows)]
fn socket_of(home: &Path) -> PathBuf {
    callboard_windows::pipe::of_home(home, None).expect("the user has a name")
}
