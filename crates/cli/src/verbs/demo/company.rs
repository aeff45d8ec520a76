//! The processes of the demo: the daemon, the manager, the workers.
//!
//! Invariant: whatever is started here is known by its own process id until it is reaped, and [`Company::end`] reaps all of
//! it. If even this process is killed, manager and workers see their standard input end, and the manager stops the daemon.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use super::place::Place;
use super::words::NAMESPACE;
use crate::exit::Exit;
use crate::failure::Failure;

/// How long a session outlives its connection in the demo, in milliseconds: what a killed worker held comes back while one
/// watches.
pub const GRACE_MS: u64 = 300;
/// What the daemon is called here.
const DAEMON: &str = "daemon";
/// `CREATE_NEW_PROCESS_GROUP`.
#[cfg(windows)]
const NEW_PROCESS_GROUP: u32 = 0x200;
/// How long a process may take to end.
const STOP_TIME: Duration = Duration::from_secs(5);

/// One process.
struct Member {
    name: String,
    child: Child,
    /// Open for as long as the process may go on.
    _stdin: Option<ChildStdin>,
}

/// All processes.
pub struct Company<'a> {
    place: &'a Place,
    program: PathBuf,
    members: Vec<Member>,
}

impl<'a> Company<'a> {
    /// Nobody yet.
    ///
    /// # Errors
    /// When the system can't say which program this is.
    pub fn new(place: &'a Place) -> Result<Self, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::new(Exit::Failure, "find this program", error))?;
        Ok(Self { place, program, members: Vec::new() })
    }

    /// Starts the daemon.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start_daemon(&mut self) -> Result<u32, Failure> {
        self.start(DAEMON, vec!["daemon".into()])
    }

    /// Starts `callboard VERB ARGS` for the agent `name`; gives its process id.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start_agent(&mut self, name: &str, verb: &str, args: Vec<OsString>) -> Result<u32, Failure> {
        let who = ["--agent", name, "--namespace", NAMESPACE].map(OsString::from);
        self.start(name, std::iter::once(verb.into()).chain(who).chain(args).collect())
    }

    fn start(&mut self, name: &str, args: Vec<OsString>) -> Result<u32, Failure> {
        let failed = |error: io::Error| Failure::new(Exit::Failure, format_args!("start the {name}"), error);
        let log = OpenOptions::new().create(true).append(true).open(self.place.log(name)).map_err(failed)?;
        let mut command = Command::new(&self.program);
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("CALLBOARD_") {
                command.env_remove(variable);
            }
        }
        command
            .args(args)
            .env("CALLBOARD_HOME", self.place.path())
            .env("CALLBOARD_GRACE_MS", GRACE_MS.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        apart(&mut command);
        let mut child = command.spawn().map_err(failed)?;
        let pid = child.id().unwrap_or_default();
        // Taken out, since waiting for a child closes it.
        let stdin = child.stdin.take();
        self.members.push(Member { name: name.to_owned(), child, _stdin: stdin });
        Ok(pid)
    }

    /// Kills a process of ours as nobody can prevent, and forgets it.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn kill(&mut self, name: &str) -> Result<(), Failure> {
        let member = self.members.iter_mut().find(|member| member.name == name);
        let killed = match member {
            Some(member) => member.child.start_kill(),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        killed.map_err(|error| Failure::new(Exit::Failure, format_args!("kill {name}"), error))?;
        self.reap(name).await.map(drop)
    }

    /// Waits for the end of a process, and forgets it.
    ///
    /// # Errors
    /// When it does not end in time.
    async fn reap(&mut self, name: &str) -> Result<Option<ExitStatus>, Failure> {
        let Some(at) = self.members.iter().position(|member| member.name == name) else {
            return Ok(None);
        };
        let status = timeout(STOP_TIME, self.members[at].child.wait()).await;
        let status = status.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
        let status =
            status.map_err(|error| Failure::new(Exit::Failure, format_args!("see {name} end"), error))?;
        self.members.remove(at);
        Ok(Some(status))
    }

    /// Whether the manager and all workers have ended well; those that did are forgotten.
    ///
    /// # Errors
    /// When one ended in another way, with what it said.
    pub fn are_agents_done(&mut self) -> Result<bool, Failure> {
        let mut ended = None;
        self.members.retain_mut(|member| match member.child.try_wait() {
            Ok(Some(status)) if status.success() && member.name != DAEMON => false,
            Ok(Some(status)) => {
                ended = Some((member.name.clone(), status.to_string()));
                true
            }
            Ok(None) => true,
            Err(error) => {
                ended = Some((member.name.clone(), error.to_string()));
                true
            }
        });
        match ended {
            None => Ok(self.members.iter().all(|member| member.name == DAEMON)),
            Some((name, how)) => {
                let log = fs::read_to_string(self.place.log(&name)).unwrap_or_default();
                let lines = log.lines().map(str::to_owned).collect();
                Err(Failure::new(Exit::Failure, format_args!("run the {name}"), how).with_details(lines))
            }
        }
    }

    /// Waits for the end of the daemon, which was asked to stop; gives whether it was clean.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn is_daemon_done(&mut self) -> Result<bool, Failure> {
        Ok(self.reap(DAEMON).await?.is_some_and(|status| status.success()))
    }

    /// Kills and reaps whoever is left, the daemon last.
    pub async fn end(&mut self) {
        while let Some(mut member) = self.members.pop() {
            // Fails only when it has ended already.
            let _ = member.child.kill().await;
        }
    }
}

/// A Ctrl-C at the terminal is for this process, which ends the others.
fn apart(command: &mut Command) {
    #[cfg(unix)]
    command.process_group(0);
    #[cfg(windows)]
    command.creation_flags(NEW_PROCESS_GROUP);
}
