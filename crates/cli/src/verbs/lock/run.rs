//! `callboard lock run`: a command under a lock.
//!
//! Invariant: the command runs only while the lock was granted; the lock is given back when the command ends, however it
//! ends; the exit code is the command's. A lock that is lost meanwhile is told, and the command goes on: only whoever
//! wrote it knows whether it may be stopped halfway. The lock is bound to this program's session, so that it is free again
//! after the grace even if this program is killed.

use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use callboard_client::{ClientError, ConnectOptions, EventStream};
use callboard_protocol::event::{LockLost, LostWhy};
use callboard_protocol::methods::lock::{Acquired, Bind, Extend, Release};
use callboard_protocol::{ErrorKind, TtlMs};
use clap::{ArgGroup, Args};
use tokio::process::Command;
use tokio::time::{MissedTickBehavior, interval};

use super::names::PathArgs;
use super::{GrantArgs, waiting};
use crate::context::{Context, Session};
use crate::duration::{format_ms, parse_ttl};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::program;
use crate::signals::{Signals, pass_on};

/// The variable that tells the command the lock's fencing token.
const TOKEN_VARIABLE: &str = "CALLBOARD_LOCK_TOKEN";
/// How often the lock is extended in its TTL: twice it may fail.
const EXTENSIONS_PER_TTL: u64 = 3;

/// `lock run`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("which").required(true).args(["paths"]).multiple(true),
    after_help = "Examples:\n  callboard lock run 'src/**' -- make\n  callboard lock run --name deploy --wait 10m -- ./deploy.sh\n\n\
        The command finds the lock's fencing token in $CALLBOARD_LOCK_TOKEN."
)]
pub struct RunArgs {
    /// The paths
    #[command(flatten)]
    paths: PathArgs,
    /// How
    #[command(flatten)]
    grant: GrantArgs,
    /// Extend the lock for this long, again and again while the command runs
    #[arg(long, value_name = "DURATION", value_parser = parse_ttl, default_value = "1m")]
    ttl: TtlMs,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs the command under the lock.
///
/// # Errors
/// Why it did not run.
pub async fn run(args: RunArgs, context: &Context) -> Result<Exit, Failure> {
    let what = format!("lock {}", args.paths);
    let agent = context.acting_agent(&what)?;
    let keys = args.paths.names(&what, context)?;
    let mut command = program::command(&args.command, &agent, &context.namespace()?.0, context)?;
    let session =
        Session::open(ConnectOptions { resume: true, ..context.board_options(Some(agent.clone()))? }).await?;
    let notices = session.client().notices();
    let params = args.grant.request(keys, Bind::Session, Some(args.ttl));
    let acquired = waiting::acquire(&what, &agent, &session, context.output, &params).await?;
    let mut lease =
        Lease { session: &session, output: context.output, notices, is_lost: false, acquired, ttl: args.ttl };
    command.env(TOKEN_VARIABLE, lease.acquired.token.to_string());
    let outcome = lease.hold_while(&mut command).await;
    lease.give_back().await;
    session.close().await;
    match outcome {
        Ok(status) => Ok(Exit::Command(program::exit_code(status))),
        Err(error) => Err(program::not_run(&args.command[0], &error)),
    }
}

/// The lock, while the command runs.
struct Lease<'a> {
    session: &'a Session,
    output: Output,
    notices: EventStream,
    is_lost: bool,
    acquired: Acquired,
    ttl: TtlMs,
}

impl Lease<'_> {
    /// Runs the command to its end, extending the lock and passing signals on.
    async fn hold_while(&mut self, command: &mut Command) -> io::Result<ExitStatus> {
        let mut signals = Signals::new()?;
        let mut child = command.spawn()?;
        let period = Duration::from_millis((self.ttl.get() / EXTENSIONS_PER_TTL).max(1));
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once, and the lock is fresh.
        ticks.tick().await;
        loop {
            tokio::select! {
                status = child.wait() => return status,
                signal = signals.next() => pass_on(&child, signal),
                Some(event) = self.notices.next() => {
                    if let Some(lost) = event.as_kind::<LockLost>() {
                        self.hear_of(&lost);
                    }
                }
                _ = ticks.tick(), if !self.is_lost => self.extend().await,
            }
        }
    }

    async fn extend(&mut self) {
        let extend = Extend { token: self.acquired.token, ttl_ms: Some(self.ttl) };
        match self.session.client().call(&extend).await {
            Ok(_) => {}
            Err(ClientError::Rpc(error)) if error.kind == ErrorKind::StaleToken => self.lose(&error.message),
            Err(error) => {
                self.output.note(format_args!(
                    "callboard: failed to extend the lock with token {}, will try again: failed to {error}",
                    self.acquired.token
                ));
            }
        }
    }

    fn hear_of(&mut self, lost: &LockLost) {
        if lost.token != self.acquired.token {
            return;
        }
        let by = lost.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let reason = lost.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        match lost.why {
            LostWhy::Broken => self.lose(&format!("it was broken{by}{reason}")),
            LostWhy::Expired => self.lose("it expired"),
        }
    }

    fn lose(&mut self, why: &str) {
        if !self.is_lost {
            self.is_lost = true;
            let keys = self.acquired.keys.join(" ");
            let token = self.acquired.token;
            self.output.note(format_args!(
                "callboard: the lock on {keys} (token {token}) is LOST while the command runs: {why}"
            ));
        }
    }

    /// Frees the lock, unless the agent had it before: then it is not this command's to free.
    async fn give_back(&mut self) {
        if self.is_lost {
            return;
        }
        if self.acquired.extended == Some(true) {
            let keys = self.acquired.keys.join(" ");
            let left = format_ms(self.ttl.get());
            self.output.note(format_args!("callboard: {keys} was locked before, and stays so for {left}"));
            return;
        }
        let release = Release { token: Some(self.acquired.token), keys: None };
        match self.session.client().call(&release).await {
            Ok(_) => {}
            Err(ClientError::Rpc(error)) if error.kind == ErrorKind::StaleToken => self.lose(&error.message),
            Err(error) => {
                let keys = self.acquired.keys.join(" ");
                let left = format_ms(self.ttl.get());
                self.output.note(format_args!(
                    "callboard: failed to give {keys} back, it will be free in {left} at the latest: failed to {error}"
                ));
            }
        }
    }
}
