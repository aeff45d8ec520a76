//! `callboard task wait`: until tasks are finished.
//!
//! The exit code tells how that went, as a shell's own `wait` does: whoever goes on with `&&` needs the work, not its end.

use callboard_protocol::WaitMs;
use callboard_protocol::methods::task::{Several, Status, Wait, WaitMode};
use callboard_protocol::revision::TaskId;
use clap::Args;

use super::{explain, id, print};
use crate::context::Context;
use crate::duration::parse_wait;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress;

/// `task wait`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callboard task wait 12 13 && ./deploy.sh\n  callboard task wait 12 13 --any --timeout 10m --json\n\n\
        Exit code 0 when all that is shown is completed, 1 when something failed or was cancelled, 3 when it takes too long."
)]
pub struct WaitArgs {
    /// The tasks' ids
    #[arg(required = true, value_name = "ID", value_parser = id)]
    ids: Vec<TaskId>,
    /// Until one of them is finished
    #[arg(long, conflicts_with = "all")]
    any: bool,
    /// Until each of them is finished: the default
    #[arg(long)]
    all: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", value_parser = parse_wait, default_value = "24h")]
    timeout: WaitMs,
}

/// Waits, and shows what is finished.
///
/// # Errors
/// Why not enough is.
pub async fn run(args: WaitArgs, context: &Context) -> Result<Exit, Failure> {
    let mode = if args.any { WaitMode::Any } else { WaitMode::All };
    let params = Wait { ids: args.ids, mode: Some(mode), timeout_ms: args.timeout };
    let output = context.output;
    let call = context.call("wait for tasks", &params);
    let finished: Several =
        progress::while_waiting(output, call, async || "waiting for tasks to be finished".to_owned())
            .await
            .map_err(explain)?;
    output.result(&finished, |output| output.table(&print::table(&finished.tasks), ""))?;
    let is_done = finished.tasks.iter().all(|task| task.status == Status::Completed);
    Ok(if is_done { Exit::Ok } else { Exit::Failure })
}
