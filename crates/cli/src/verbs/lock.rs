//! `callboard lock`: locks on paths and patterns.

use callboard_protocol::methods::lock::{
    Acquire, Acquired, Bind, Break, Broken, Check, Checked, Extend, Extended, Mode, Release, Released,
};
use callboard_protocol::{Revision, TtlMs, WaitMs};
use clap::{ArgGroup, Args, Subcommand};

use crate::context::Context;
use crate::duration::{parse_ttl, parse_wait};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::instant;

mod conflict;
mod list;
mod names;
mod run;
mod waiting;

use names::PathArgs;

/// What to do with locks.
#[derive(Debug, Subcommand)]
pub enum LockVerb {
    /// Take a lock on all the paths, or on none
    Acquire(AcquireArgs),
    /// Give locks back, by token or by path
    Release(ReleaseArgs),
    /// Keep a lock for longer
    #[command(after_help = "Example:\n  callboard lock extend 17 --ttl 10m")]
    Extend {
        /// The lock's token
        token: u64,
        /// How long from now [default: the lock's own TTL]
        #[arg(long, value_name = "DURATION", value_parser = parse_ttl)]
        ttl: Option<TtlMs>,
    },
    /// Say whether a lock could be taken now (exit code 5 when not)
    Check(CheckArgs),
    /// List who holds what, and who waits
    List(list::ListArgs),
    /// Take a lock away from its holder: for people
    #[command(after_help = "Example:\n  callboard lock break 17 --reason 'bob crashed'")]
    Break {
        /// The lock's token
        token: u64,
        /// Why; the holder is told
        #[arg(long)]
        reason: String,
    },
    /// Run a command under a lock, and give the lock back when it ends
    Run(run::RunArgs),
}

/// How to take a lock.
#[derive(Debug, Args)]
pub struct GrantArgs {
    /// Tolerate other shared locks
    #[arg(long)]
    shared: bool,
    /// Wait this long for what stands in the way, such as 10s [default: not at all]
    #[arg(long, value_name = "DURATION", value_parser = parse_wait)]
    wait: Option<WaitMs>,
    /// Why, for people
    #[arg(long)]
    reason: Option<String>,
}

/// `lock acquire`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("which").required(true).args(["paths"]).multiple(true),
    after_help = "Examples:\n  callboard lock acquire 'src/auth/**' --wait 1m --reason refactoring\n  callboard lock acquire --name deploy --ttl 10m"
)]
pub struct AcquireArgs {
    /// The paths
    #[command(flatten)]
    paths: PathArgs,
    /// How
    #[command(flatten)]
    grant: GrantArgs,
    /// Give it back after this long, unless extended [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = parse_ttl)]
    ttl: Option<TtlMs>,
}

/// `lock release`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("which").required(true).args(["token", "paths"]).multiple(false),
    after_help = "Examples:\n  callboard lock release --token 17\n  callboard lock release 'src/auth/**'"
)]
pub struct ReleaseArgs {
    /// The lock's token
    #[arg(long)]
    token: Option<u64>,
    /// The paths
    #[command(flatten)]
    paths: PathArgs,
}

/// `lock check`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("which").required(true).args(["paths"]).multiple(true),
    after_help = "Example:\n  callboard lock check src/auth/login.ts"
)]
pub struct CheckArgs {
    /// The paths
    #[command(flatten)]
    paths: PathArgs,
    /// Tolerate other shared locks
    #[arg(long)]
    shared: bool,
}

/// Does what `verb` says.
///
/// # Errors
/// Why it could not.
pub async fn run(verb: LockVerb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        LockVerb::Acquire(args) => acquire(args, context).await,
        LockVerb::Release(args) => release(args, context).await,
        LockVerb::Extend { token, ttl } => extend(token, ttl, context).await,
        LockVerb::Check(args) => check(args, context).await,
        LockVerb::List(args) => list::run(args, context).await,
        LockVerb::Break { token, reason } => break_lock(token, reason, context).await,
        LockVerb::Run(args) => run::run(args, context).await,
    }
}

impl GrantArgs {
    fn mode(&self) -> Mode {
        mode(self.shared)
    }

    /// The request for these names; the caller says for how long and bound to what.
    fn request(&self, keys: Vec<String>, bind: Bind, ttl_ms: Option<TtlMs>) -> Acquire {
        Acquire {
            keys,
            mode: Some(self.mode()),
            ttl_ms,
            wait_ms: self.wait,
            bind: Some(bind),
            reason: self.reason.clone(),
        }
    }
}

fn mode(is_shared: bool) -> Mode {
    if is_shared { Mode::Shared } else { Mode::Exclusive }
}

async fn acquire(args: AcquireArgs, context: &Context) -> Result<Exit, Failure> {
    let what = format!("lock {}", args.paths);
    let agent = context.acting_agent(&what)?;
    let keys = args.paths.names(&what, context)?;
    let params = args.grant.request(keys, Bind::Agent, args.ttl);
    let acquired: Acquired = context
        .in_session(Some(agent.clone()), async |session| {
            waiting::acquire(&what, &agent, session, context.output, &params).await
        })
        .await?;
    context.output.result(&acquired, |output| {
        let verb = if acquired.extended == Some(true) { "extended" } else { "locked" };
        let until = instant::remaining(acquired.expires_at);
        output.line(format_args!("{verb} {}, token {}, {until}", acquired.keys.join(" "), acquired.token))
    })?;
    Ok(Exit::Ok)
}

async fn release(args: ReleaseArgs, context: &Context) -> Result<Exit, Failure> {
    let (what, params) = match args.token {
        Some(token) => {
            let what = format!("release the lock with token {token}");
            (what, Release { token: Some(Revision(token)), keys: None })
        }
        None => {
            let what = format!("release {}", args.paths);
            let keys = args.paths.names(&what, context)?;
            (what, Release { token: None, keys: Some(keys) })
        }
    };
    let result: Released = context.call_as_agent(what, &params).await?;
    context.output.result(&result, |output| output.line(format_args!("released {}", result.released)))?;
    Ok(Exit::Ok)
}

async fn extend(token: u64, ttl: Option<TtlMs>, context: &Context) -> Result<Exit, Failure> {
    let what = format!("extend the lock with token {token}");
    let params = Extend { token: Revision(token), ttl_ms: ttl };
    let result: Extended = context.call_as_agent(what, &params).await?;
    context.output.result(&result, |output| {
        output.line(format_args!("extended, {}", instant::remaining(result.expires_at)))
    })?;
    Ok(Exit::Ok)
}

async fn check(args: CheckArgs, context: &Context) -> Result<Exit, Failure> {
    let what = format!("check {}", args.paths);
    let params = Check { keys: args.paths.names(&what, context)?, mode: Some(mode(args.shared)) };
    let result: Checked = context.call(what, &params).await?;
    context.output.result(&result, |output| {
        if result.free {
            return output.line(format_args!("free"));
        }
        let more = result.more == Some(true);
        conflict::describe(&result.conflicts, more)
            .iter()
            .try_for_each(|line| output.line(format_args!("{line}")))
    })?;
    Ok(if result.free { Exit::Ok } else { Exit::Conflict })
}

async fn break_lock(token: u64, reason: String, context: &Context) -> Result<Exit, Failure> {
    let what = format!("break the lock with token {token}");
    let params = Break { token: Revision(token), reason };
    let result: Broken = context.call(&what, &params).await?;
    if !result.broken && !context.output.is_json() {
        let failure = Failure::new(Exit::NotFound, what, "there is no such lock");
        return Err(failure.or_next("callboard lock list"));
    }
    context.output.result(&result, |output| output.line(format_args!("broken")))?;
    Ok(if result.broken { Exit::Ok } else { Exit::NotFound })
}
