//! `callboard service`: let launchd, systemd or the Windows task scheduler start the daemon.
//!
//! Invariant: what is written and run is a plan first; `--dry-run` prints that same plan. The service uses the default
//! home: a service manager starts it with an environment of its own, where a home named in this shell is unknown.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

mod launchd;
mod plan;
mod scheduler;
mod systemd;

use plan::{Manager, Place, Plan, Step};

/// What to do about the service.
#[derive(Debug, Subcommand)]
pub enum ServiceVerb {
    /// Start the daemon at login, and where the system can on the first connection
    #[command(after_help = "Examples:\n  callboard service install --dry-run\n  callboard service install")]
    Install(PlanArgs),
    /// Stop that, and remove the service files; what the daemon stored stays
    #[command(after_help = "Example:\n  callboard service uninstall")]
    Uninstall(PlanArgs),
    /// Say whether the service is installed and runs (exit code 4 when it is not installed)
    #[command(after_help = "Example:\n  callboard service status")]
    Status,
}

/// Whether to do it.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Print what would be written and run, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Does what `verb` says.
///
/// # Errors
/// Why it could not.
pub fn run(verb: ServiceVerb, context: &Context) -> Result<Exit, Failure> {
    let what = "manage the service";
    let place = Place::find().map_err(|why| Failure::new(Exit::Failure, what, why))?;
    let manager = manager();
    let output = context.output;
    match verb {
        ServiceVerb::Install(args) => {
            refuse_other_home(context)?;
            carry_out(output, &args, &manager.install(&place), manager.installed())
        }
        ServiceVerb::Uninstall(args) => carry_out(output, &args, &manager.uninstall(&place), "uninstalled"),
        ServiceVerb::Status => status(output, manager, &place),
    }
    .map_err(|failure| advised(failure, manager, &place))
}

fn advised(failure: Failure, manager: &dyn Manager, place: &Place) -> Failure {
    let next = match &failure {
        Failure::Told(report) => manager.next(place, &report.why),
        Failure::ReaderLeft => None,
    };
    match next {
        Some(next) => failure.or_next(next),
        None => failure,
    }
}

/// A service that is installed for this user.
pub struct Installed {
    /// The file that says what it starts.
    pub file: PathBuf,
    /// Whether this program would install the same.
    pub is_ours: bool,
}

/// The service of this user, if one is installed.
pub fn installed() -> Option<Installed> {
    let place = Place::find().ok()?;
    let install = manager().install(&place);
    // The last file is the one with the program in it.
    let written = install.steps.into_iter().rev().find_map(|step| match step {
        Step::Write { path, text } => Some((path, text)),
        Step::MakeDirectory(_) | Step::Remove(_) | Step::Run(_) | Step::Try(_) | Step::UntilGone(_) => None,
    });
    let (file, wanted) = written?;
    let present = std::fs::read_to_string(&file).ok()?;
    Some(Installed { is_ours: present == wanted, file })
}

fn manager() -> &'static dyn Manager {
    if cfg!(target_os = "macos") {
        &launchd::Launchd
    } else if cfg!(windows) {
        &scheduler::Scheduler
    } else {
        &systemd::Systemd
    }
}

/// A home or socket of one's own would not be the service's, and two daemons would run.
fn refuse_other_home(context: &Context) -> Result<(), Failure> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_other = context.globals.home.is_some()
        || context.globals.socket.is_some()
        || set(callboard_client::home::HOME_VARIABLE)
        || set(callboard_client::home::SOCKET_VARIABLE);
    if !is_other {
        return Ok(());
    }
    let why = "the service uses the default home, and another home or socket is set here";
    Err(Failure::usage("install the service", why)
        .or_next("unset CALLBOARD_HOME and CALLBOARD_SOCKET, then: callboard service install"))
}

fn carry_out(output: Output, args: &PlanArgs, plan: &Plan, done: &str) -> Result<Exit, Failure> {
    if args.dry_run {
        output.result(plan, |output| output.line(format_args!("{plan}")))?;
        return Ok(Exit::Ok);
    }
    plan.carry_out()?;
    output.result(plan, |output| output.line(format_args!("{done}")))?;
    Ok(Exit::Ok)
}

fn status(output: Output, manager: &dyn Manager, place: &Place) -> Result<Exit, Failure> {
    let files = manager.files(place);
    let missing = files.iter().filter(|path| !path.exists()).count();
    if missing == files.len() {
        let failure = Failure::new(Exit::NotFound, "find the service", "it is not installed");
        return Err(failure.or_next("callboard service install"));
    }
    for file in files.iter().filter(|path| !path.exists()) {
        output.note(format_args!("callboard: {} is missing", file.display()));
    }
    let state = manager.state(place);
    let said =
        plan::said(&state).map_err(|why| Failure::new(Exit::Failure, "ask the service manager", why))?;
    let status = plan::Status { files, state: manager.summary(&said) };
    output.result(&status, |output| output.line(format_args!("{}", status.state)))?;
    Ok(Exit::Ok)
}
