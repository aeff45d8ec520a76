//! `callboard work`: a worker for any program: it claims tasks, runs the program for each, and reports what came of it.
//!
//! Invariant: at most `--jobs` tasks are held, each by a program that runs; a task that was claimed is completed, failed, given
//! back, or told as lost. The claims are bound to this program's session, so that they come back after the grace even if
//! this program is killed. A claim that is withdrawn at the very moment in which it is granted comes back in the same way.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use callboard_client::ConnectOptions;
use callboard_protocol::{AgentName, Label, Role, TtlMs, WaitMs};
use clap::Args;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::context::{Context, Session};
use crate::duration::{parse_ttl, parse_wait};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::program;
use crate::signals::Signals;
use crate::temporary::TemporaryFolder;

mod checkpoint;
mod claiming;
#[cfg(unix)]
#[path = "work/group/unix.rs"]
mod group;
#[cfg(windows)]
#[path = "work/group/windows.rs"]
mod group;
mod job;
mod lease;
mod report;
mod running;

use claiming::{Claimed, Claiming};
use job::Workplace;
use report::{Outcome, Report};

const WHAT: &str = "work";
/// How long the daemon may be away before the worker gives up: an upgrade, or a start with a long journal.
const DAEMON_AWAY_MAX: Duration = Duration::from_secs(60);

/// How long the last word to the daemon may take.
const CLOSING_MAX: Duration = Duration::from_secs(2);

const HELP: &str = "\
Examples:
  callboard work --role tester -- ./run-tests.sh
  callboard work --tag docs --jobs 4 --idle-exit 10m -- python3 write_docs.py

The program finds the task as JSON on its standard input, and in its environment:
  CALLBOARD_TASK             the same JSON, unless it is longer than 32 KB
  CALLBOARD_TASK_ID, CALLBOARD_TASK_TITLE, CALLBOARD_TASK_ATTEMPT
  CALLBOARD_TASK_TOKEN       the claim's fencing token
  CALLBOARD_TASK_CHECKPOINT  a file: the last attempt's checkpoint as JSON, if it left one;
                             what is written there as JSON is kept for the next attempt

What its exit code means (as in sysexits.h):
  0   completed; standard output is the result: JSON, else a text; empty, none
  65  the task itself is wrong (EX_DATAERR): failed, and not tried again
  75  not now (EX_TEMPFAIL): given back, which costs no attempt
  other codes, and ends by signal: this attempt failed; the error is the last of standard error

Exit codes of the worker: 0 when it stopped as it was told to; 1 when one of the tasks of --once or
--max was not completed; 3 when no task came before --idle-exit; 6 when the daemon is gone;
126 or 127 when the program can't be run.";

/// `work`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct WorkArgs {
    /// Sign in with this role, and so claim the tasks for it too
    #[arg(long)]
    role: Option<Role>,
    /// Only tasks with this tag; may be repeated, and then they have all of them
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Label>,
    /// How many programs to run side by side
    #[arg(long, value_name = "COUNT", default_value = "1")]
    jobs: NonZeroUsize,
    /// How long a task is held without a sign of life; it is extended while the program runs
    #[arg(long, value_name = "DURATION", value_parser = parse_ttl, default_value = "5m")]
    lease: TtlMs,
    /// Stop after one task
    #[arg(long, conflicts_with = "max")]
    once: bool,
    /// Stop after this many tasks [default: never]
    #[arg(long, value_name = "COUNT")]
    max: Option<usize>,
    /// Stop when nothing was to be done for this long [default: never]
    #[arg(long, value_name = "DURATION", value_parser = parse_wait)]
    idle_exit: Option<WaitMs>,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

impl WorkArgs {
    fn max(&self) -> Option<usize> {
        if self.once { Some(1) } else { self.max }
    }
}

/// Works until there is reason to stop.
///
/// # Errors
/// Why it could not go on.
pub async fn run(args: WorkArgs, context: &Context) -> Result<Exit, Failure> {
    let agent = context.acting_agent(WHAT)?;
    let folder = TemporaryFolder::create("work", false)?;
    let options = ConnectOptions {
        resume: true,
        connect_timeout: DAEMON_AWAY_MAX,
        ..context.board_options(Some(agent.clone()))?
    };
    let session = Session::open(options).await?;
    let signals = Signals::new().map_err(|error| Failure::new(Exit::Failure, "listen to signals", error))?;
    let client = session.client().clone();
    let place = Arc::new(Workplace { client, output: context.output, folder, lease_ms: args.lease });
    let (is_terminated, _) = watch::channel(false);
    let mut worker = Worker {
        args: &args,
        context,
        agent,
        place,
        jobs: JoinSet::new(),
        is_stopping: false,
        is_terminated,
        idle_since: Instant::now(),
        claimed: 0,
        uncompleted: 0,
        failure: None,
    };
    worker.work(signals).await;
    let exit = worker.exit();
    // A daemon that is away ends the session by itself.
    let _ = timeout(CLOSING_MAX, session.close()).await;
    exit
}

/// The worker.
struct Worker<'a> {
    args: &'a WorkArgs,
    context: &'a Context,
    agent: AgentName,
    place: Arc<Workplace>,
    jobs: JoinSet<Report>,
    /// Nothing more is claimed.
    is_stopping: bool,
    /// Programs are ended.
    is_terminated: watch::Sender<bool>,
    idle_since: Instant,
    claimed: usize,
    uncompleted: usize,
    failure: Option<Failure>,
}

impl Worker<'_> {
    async fn work(&mut self, mut signals: Signals) {
        let mut claim: Option<Pin<Box<dyn Future<Output = Claimed>>>> = None;
        loop {
            if !self.may_claim() {
                claim = None;
                if self.jobs.is_empty() {
                    return;
                }
            } else if claim.is_none() {
                claim = Some(Box::pin(self.claiming().claim()));
            }
            // A claim goes on while other things happen: given up each time, it could be granted to nobody.
            let granted = async {
                match &mut claim {
                    Some(claim) => claim.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = signals.next() => self.stop(),
                Some(ended) = self.jobs.join_next() => self.ended(ended),
                claimed = granted => {
                    claim = None;
                    self.take(claimed);
                }
                () = idle_for(self.args.idle_exit, self.idle_since), if self.jobs.is_empty() => {
                    self.is_stopping = true;
                }
            }
        }
    }

    fn may_claim(&self) -> bool {
        let is_enough = self.args.max().is_some_and(|max| self.claimed >= max);
        !self.is_stopping && !is_enough && self.jobs.len() < self.args.jobs.get()
    }

    fn claiming(&self) -> Claiming {
        Claiming {
            client: self.place.client.clone(),
            role: self.args.role.clone(),
            tags: self.args.tags.clone(),
            lease_ms: self.args.lease,
        }
    }

    fn take(&mut self, claimed: Claimed) {
        let claim = match claimed {
            Ok(Some(claim)) => claim,
            Ok(None) => return,
            Err(failure) => return self.give_up(failure),
        };
        self.claimed += 1;
        let namespace = self.place.client.opened().namespace.clone();
        match program::command(&self.args.program, &self.agent, &namespace, self.context) {
            Ok(command) => {
                let is_terminated = self.is_terminated.subscribe();
                self.jobs.spawn(job::run(Arc::clone(&self.place), claim, command, is_terminated));
            }
            Err(failure) => self.give_up(failure),
        }
    }

    fn ended(&mut self, ended: Result<Report, tokio::task::JoinError>) {
        self.idle_since = Instant::now();
        let report = match ended {
            Ok(report) => report,
            Err(error) if error.is_cancelled() => {
                let why = "stopped before its tasks were given back: they come back by themselves";
                return self.give_up(Failure::new(Exit::Failure, WHAT, why));
            }
            Err(error) => return self.give_up(Failure::new(Exit::Failure, WHAT, error)),
        };
        if let Some(error) = &report.not_run {
            self.give_up(program::not_run(&self.args.program[0], error));
        }
        self.uncompleted += usize::from(report.outcome != Outcome::Completed);
        if let Err(failure) = report.print(self.place.output) {
            self.give_up(failure);
        }
    }

    /// The first time lets the programs finish, the second time ends them and gives their tasks back, the third time waits
    /// for nothing more.
    fn stop(&mut self) {
        let count = self.jobs.len();
        if !self.is_stopping {
            self.is_stopping = true;
            if count > 0 {
                self.place.output.note(format_args!(
                    "callboard: stopping when the running tasks ({count}) have ended; once more gives them back"
                ));
            }
            return;
        }
        if self.is_terminated.send_replace(true) {
            self.jobs.abort_all();
        } else {
            self.place.output.note(format_args!("callboard: giving the running tasks ({count}) back"));
        }
    }

    /// Stops because of a failure; the first one is told at the end.
    fn give_up(&mut self, failure: Failure) {
        self.is_stopping = true;
        self.failure.get_or_insert(failure);
    }

    fn exit(&mut self) -> Result<Exit, Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let is_bounded = self.args.max().is_some();
        if self.claimed == 0 && self.args.max() != Some(0) && self.is_idle_exit() {
            return Err(Failure::new(Exit::Timeout, WHAT, "no task came in time"));
        }
        Ok(if is_bounded && self.uncompleted > 0 { Exit::Failure } else { Exit::Ok })
    }

    fn is_idle_exit(&self) -> bool {
        let idle = self.args.idle_exit.map(|idle| Duration::from_millis(idle.get()));
        idle.is_some_and(|idle| self.idle_since.elapsed() >= idle)
    }
}

async fn idle_for(idle: Option<WaitMs>, since: Instant) {
    match idle {
        Some(idle) => sleep_until(since + Duration::from_millis(idle.get())).await,
        None => std::future::pending().await,
    }
}
