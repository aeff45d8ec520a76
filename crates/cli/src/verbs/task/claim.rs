//! `callboard task claim`: work to do.

use callboard_protocol::methods::lock::Bind;
use callboard_protocol::methods::task::{Claim, Claimed};
use callboard_protocol::revision::TaskId;
use callboard_protocol::{TtlMs, WaitMs};
use clap::Args;

use super::{FilterArgs, explain, id, print, some};
use crate::context::Context;
use crate::duration::{parse_ttl, parse_wait};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress;

/// `task claim`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callboard task claim --tag rust --wait 1m\n  callboard task claim 12 --lease 30m --json"
)]
pub struct ClaimArgs {
    /// Only this task
    #[arg(value_parser = id, conflicts_with_all = ["tags", "role"])]
    id: Option<TaskId>,
    /// Which tasks
    #[command(flatten)]
    filter: FilterArgs,
    /// Wait this long for one, such as 1m [default: not at all]
    #[arg(long, value_name = "DURATION", value_parser = parse_wait)]
    wait: Option<WaitMs>,
    /// How long it may be held without being extended [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = parse_ttl)]
    lease: Option<TtlMs>,
}

/// Claims a task.
///
/// # Errors
/// Why it could not.
pub async fn run(args: ClaimArgs, context: &Context) -> Result<Exit, Failure> {
    let what = match args.id {
        Some(id) => format!("claim task {id}"),
        None => "claim a task".to_owned(),
    };
    let params = Claim {
        id: args.id,
        tags: some(args.filter.tags),
        role: args.filter.role,
        wait_ms: args.wait,
        lease_ms: args.lease,
        bind: Some(Bind::Agent),
    };
    let output = context.output;
    let call = context.call_as_agent(what, &params);
    let claimed: Claimed = progress::while_waiting(output, call, async || "waiting for a task".to_owned())
        .await
        .map_err(explain)?;
    output.result(&claimed, |output| match &claimed.task {
        Some(task) => print::task(output, task, claimed.token),
        None => {
            output.note(format_args!("no task is ready"));
            Ok(())
        }
    })?;
    Ok(if claimed.task.is_some() { Exit::Ok } else { Exit::Timeout })
}
