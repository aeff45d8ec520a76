//! What is written, removed and run for a service: a list of steps that can be shown before it is carried out.
//!
//! Invariant: steps are carried out in order and stop at the first failure; carrying out the same plan again comes to the
//! same end.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

#[cfg(windows)]
use callboard_windows::{access::create_private_directory as make_directory, user::sid as user};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;

/// The variable that names the user's home.
const HOME_VARIABLE: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// How long a service that was told to end may take: longer than its manager waits before it kills.
const GONE_PATIENCE: Duration = Duration::from_secs(40);
/// How often to look whether it has.
const GONE_LOOK: Duration = Duration::from_millis(50);

/// Where things are for this user.
#[derive(Debug, Clone)]
pub struct Place {
    /// The user's home.
    pub home: PathBuf,
    /// This program.
    pub program: PathBuf,
    /// What the system calls the user: a number, on Windows a security identifier.
    pub uid: String,
}

/// A service manager.
pub trait Manager {
    /// The service files.
    fn files(&self, place: &Place) -> Vec<PathBuf>;
    /// How to install the service.
    fn install(&self, place: &Place) -> Plan;
    /// What is so then.
    fn installed(&self) -> &'static str {
        "installed; the first connection starts the daemon"
    }
    /// How to remove it.
    fn uninstall(&self, place: &Place) -> Plan;
    /// The command that says how it is.
    fn state(&self, place: &Place) -> Vec<String>;
    /// What of its words a person wants to know.
    fn summary(&self, said: &str) -> String {
        said.trim().to_owned()
    }
    /// What to do when a step failed for this reason, if that is known.
    fn next(&self, _place: &Place, _why: &str) -> Option<String> {
        None
    }
}

/// One step.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Make this directory, closed to others.
    MakeDirectory(PathBuf),
    /// Write this file.
    Write {
        /// Where.
        path: PathBuf,
        /// What.
        text: String,
    },
    /// Remove this file, if it is there.
    Remove(PathBuf),
    /// Run this command.
    Run(Vec<String>),
    /// Run this command; that it fails means that there was nothing to do.
    Try(Vec<String>),
    /// Run this command until it fails, which means that what it asks about is gone.
    UntilGone(Vec<String>),
}

/// Steps in order.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
}

/// What `service status` gives to programs.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The service files.
    pub files: Vec<PathBuf>,
    /// The service manager's own words.
    pub state: String,
}

impl Place {
    /// For this process.
    ///
    /// # Errors
    /// What is missing, for a person.
    pub fn find() -> Result<Self, String> {
        let home = std::env::var_os(HOME_VARIABLE).filter(|home| !home.is_empty());
        let program = std::env::current_exe().map_err(|error| format!("this program is nowhere: {error}"))?;
        Ok(Self {
            home: home.map(PathBuf::from).ok_or_else(|| format!("{HOME_VARIABLE} is not set"))?,
            program,
            uid: user().map_err(|error| format!("the system does not say who you are: {error}"))?,
        })
    }

    /// Stops a daemon that runs already: it would keep the home from the service's own.
    pub fn stop_daemon(&self) -> Step {
        Step::Try(words([&self.program.to_string_lossy(), "down"]))
    }
}

/// A command as words.
pub fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

impl Plan {
    /// Carries out the steps.
    ///
    /// # Errors
    /// The first step that failed, and why.
    pub fn carry_out(&self) -> Result<(), Failure> {
        self.steps
            .iter()
            .try_for_each(|step| step.carry_out().map_err(|why| Failure::new(Exit::Failure, step, why)))
    }
}

impl Step {
    fn carry_out(&self) -> Result<(), String> {
        match self {
            Self::MakeDirectory(path) => make_directory(path).map_err(|error| error.to_string()),
            Self::Write { path, text } => write(path, text).map_err(|error| error.to_string()),
            Self::Remove(path) => match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.to_string()),
                Ok(()) | Err(_) => Ok(()),
            },
            Self::Run(words) => said(words).map(drop),
            Self::Try(words) => {
                // Nothing to undo is as good as undone.
                let _ = said(words);
                Ok(())
            }
            Self::UntilGone(words) => until_gone(words),
        }
    }
}

fn until_gone(words: &[String]) -> Result<(), String> {
    let started = Instant::now();
    while said(words).is_ok() {
        if started.elapsed() > GONE_PATIENCE {
            return Err(format!("it is still there after {} s", GONE_PATIENCE.as_secs()));
        }
        std::thread::sleep(GONE_LOOK);
    }
    Ok(())
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "on other systems it can fail")]
fn user() -> io::Result<String> {
    Ok(rustix::process::getuid().as_raw().to_string())
}

#[cfg(unix)]
fn make_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes beside the file and renames: a service manager that looks meanwhile never sees half of it.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let beside = path.with_extension("new");
    fs::write(&beside, text)?;
    // launchd takes no file that the group may write to, as it could with some people's umask.
    #[cfg(unix)]
    fs::set_permissions(&beside, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    fs::rename(&beside, path)
}

/// What a command says.
///
/// # Errors
/// That it could not be run, or what it said when it failed.
pub fn said(words: &[String]) -> Result<String, String> {
    let [program, arguments @ ..] = words else {
        return Err("there is nothing to run".to_owned());
    };
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("failed to run {program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(if said.is_empty() { output.status.to_string() } else { said })
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeDirectory(path) => write!(f, "make {}", path.display()),
            Self::Write { path, .. } => write!(f, "write {}", path.display()),
            Self::Remove(path) => write!(f, "remove {}", path.display()),
            Self::Run(words) | Self::Try(words) => write!(f, "run {}", words.join(" ")),
            Self::UntilGone(words) => write!(f, "wait until this finds nothing: {}", words.join(" ")),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{step}")?;
            if let Step::Write { text, .. } = step {
                for line in text.lines() {
                    write!(f, "\n    {line}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str) -> Vec<String> {
        if cfg!(windows) { words(["cmd", "/c", line]) } else { words(["sh", "-c", line]) }
    }

    #[test]
    fn a_plan_is_shown_as_it_is_carried_out_and_may_be_carried_out_twice() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/unit.service");
        let plan = Plan {
            steps: vec![
                Step::MakeDirectory(folder.path().join("home")),
                Step::Write { path: file.clone(), text: "[Unit]\n".to_owned() },
                Step::Try(shell("exit 1")),
                Step::Run(shell("exit 0")),
            ],
        };
        let shown = plan.to_string();
        assert!(shown.contains("unit.service\n    [Unit]\n") && shown.ends_with("exit 0"), "{shown}");
        assert!(!file.exists());
        for _ in 0..2 {
            plan.carry_out().unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), "[Unit]\n");
        }
        let undo = Plan { steps: vec![Step::Remove(file.clone()), Step::Remove(file.clone())] };
        undo.carry_out().unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn a_step_that_fails_stops_the_plan_and_says_what_the_command_said() {
        let folder = tempfile::tempdir().unwrap();
        let after = folder.path().join("after");
        let plan = Plan {
            steps: vec![
                Step::Run(shell("echo no bus>&2&& exit 1")),
                Step::Write { path: after.clone(), text: String::new() },
            ],
        };
        let Err(Failure::Told(report)) = plan.carry_out() else {
            panic!("the first step fails");
        };
        assert_eq!(report.why, "no bus");
        assert!(!after.exists());
    }
}
