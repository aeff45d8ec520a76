//! What the holder of a claim says about it, by its token: done, failed, given back, still at it.

use callboard_protocol::methods::task::{Complete, Extend, Fail, Release};
use callboard_protocol::scalar::Scalar;
use callboard_protocol::{Revision, TtlMs};
use clap::Args;

use super::{explain, print_changed, value};
use crate::context::Context;
use crate::duration::parse_ttl;
use crate::exit::Exit;
use crate::failure::Failure;

/// `task done`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callboard task done 17\n  callboard task done 17 --result '{\"tests\": 212}'"
)]
pub struct DoneArgs {
    /// The claim's token
    token: u64,
    /// What came out, as JSON; - reads standard input
    #[arg(long, value_name = "JSON")]
    result: Option<String>,
    /// What came out, as text; - reads standard input, less one line break at its end
    #[arg(long, conflicts_with = "result")]
    text: Option<String>,
}

/// `task fail`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard task fail 17 'the server is down'")]
pub struct FailArgs {
    /// The claim's token
    token: u64,
    /// What went wrong
    error: String,
    /// Trying again is of no use: the task has failed now
    #[arg(long = "final")]
    is_final: bool,
}

/// `task release`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard task release 17 --reason 'not my field'")]
pub struct ReleaseArgs {
    /// The claim's token
    token: u64,
    /// Why; it becomes the task's note
    #[arg(long)]
    reason: Option<String>,
}

/// `task extend`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  callboard task extend 17 --progress 3/5 --checkpoint '{\"file\": \"lexer.rs\"}'"
)]
pub struct ExtendArgs {
    /// The claim's token
    token: u64,
    /// How long from now [default: the claim's own lease]
    #[arg(long, value_name = "DURATION", value_parser = parse_ttl)]
    lease: Option<TtlMs>,
    /// How far it is: a number or a text
    #[arg(long, allow_negative_numbers = true)]
    progress: Option<Scalar>,
    /// A note for people
    #[arg(long)]
    note: Option<String>,
    /// What the next holder needs to go on from here, as JSON; - reads standard input
    #[arg(long, value_name = "JSON")]
    checkpoint: Option<String>,
}

/// Completes the task.
///
/// # Errors
/// Why it could not.
pub async fn done(args: DoneArgs, context: &Context) -> Result<Exit, Failure> {
    let what = about("complete", args.token);
    let result = value(&what, args.result.as_deref(), args.text.as_deref())?;
    let params = Complete { token: Revision(args.token), result };
    let result = context.call_as_agent(what, &params).await.map_err(explain)?;
    print_changed(context, &result, "done")
}

/// Ends the attempt.
///
/// # Errors
/// Why it could not.
pub async fn fail(args: FailArgs, context: &Context) -> Result<Exit, Failure> {
    let retryable = args.is_final.then_some(false);
    let params = Fail { token: Revision(args.token), error: args.error, retryable };
    let result = context.call_as_agent(about("fail", args.token), &params).await.map_err(explain)?;
    print_changed(context, &result, "attempt failed")
}

/// Gives the task back.
///
/// # Errors
/// Why it could not.
pub async fn release(args: ReleaseArgs, context: &Context) -> Result<Exit, Failure> {
    let params = Release { token: Revision(args.token), reason: args.reason };
    let result = context.call_as_agent(about("give back", args.token), &params).await.map_err(explain)?;
    print_changed(context, &result, "given back")
}

/// Renews the lease.
///
/// # Errors
/// Why it could not.
pub async fn extend(args: ExtendArgs, context: &Context) -> Result<Exit, Failure> {
    let what = about("extend", args.token);
    let params = Extend {
        token: Revision(args.token),
        lease_ms: args.lease,
        progress: args.progress,
        note: args.note,
        checkpoint: value(&what, args.checkpoint.as_deref(), None)?,
    };
    let result = context.call_as_agent(what, &params).await.map_err(explain)?;
    print_changed(context, &result, "extended")
}

fn about(verb: &str, token: u64) -> String {
    format!("{verb} the task with token {token}")
}
