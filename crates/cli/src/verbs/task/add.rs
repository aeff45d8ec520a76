//! `callboard task add`: one task more.

use callboard_protocol::methods::message::Priority;
use callboard_protocol::methods::task::{Create, Created, OnDependencyFailure};
use callboard_protocol::revision::TaskId;
use callboard_protocol::{Label, Role, WaitMs};
use clap::Args;

use super::{explain, id, some, value};
use crate::context::Context;
use crate::duration::{parse_ms, parse_wait};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::word::{ON_DEPENDENCY_FAILURES, PRIORITIES, one_of};

/// `task add`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callboard task add 'port the parser' --tag rust --priority high\n  callboard task add 'release' --after 12,13 --review --payload '{\"tag\": \"v1\"}'"
)]
pub struct AddArgs {
    /// What is to be done, in a line
    title: String,
    /// What is to be done, for people
    #[arg(long)]
    description: Option<String>,
    /// What is to be done, for programs, as JSON; - reads standard input
    #[arg(long, value_name = "JSON")]
    payload: Option<String>,
    /// What is to be done, for programs, as text; - reads standard input, less one line break at its end
    #[arg(long, conflicts_with = "payload")]
    text: Option<String>,
    /// What is claimed first [default: normal]
    #[arg(long, value_parser = one_of::<Priority, 4>(PRIORITIES))]
    priority: Option<Priority>,
    /// What it can be picked by; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Label>,
    /// Only agents of this role may claim it
    #[arg(long)]
    role: Option<Role>,
    /// Only after this task is completed; several with commas
    #[arg(long = "after", value_name = "ID", value_delimiter = ',', value_parser = id)]
    depends_on: Vec<TaskId>,
    /// The task that it is a part of
    #[arg(long, value_name = "ID", value_parser = id)]
    parent: Option<TaskId>,
    /// Let it be claimed only after this long
    #[arg(long, value_name = "DURATION", value_parser = parse_ms)]
    delay: Option<u64>,
    /// How often it may be tried before it fails [default: 3]
    #[arg(long, value_name = "COUNT")]
    max_attempts: Option<u32>,
    /// How long it rests after a failed attempt, doubled each time [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = parse_wait)]
    backoff: Option<WaitMs>,
    /// What becomes of it when a task that it comes after fails or is cancelled [default: fail]
    #[arg(long, value_parser = one_of::<OnDependencyFailure, 2>(ON_DEPENDENCY_FAILURES))]
    on_dependency_failure: Option<OnDependencyFailure>,
    /// Somebody else has to approve of it once it is done
    #[arg(long)]
    review: bool,
    /// Add it once: the same key within 2 minutes gives the first task again
    #[arg(long, value_name = "KEY")]
    dedupe_key: Option<Label>,
}

/// Adds the task.
///
/// # Errors
/// Why it could not.
pub async fn run(args: AddArgs, context: &Context) -> Result<Exit, Failure> {
    let what = "add the task";
    let params = Create {
        title: args.title,
        description: args.description,
        payload: value(what, args.payload.as_deref(), args.text.as_deref())?,
        priority: args.priority,
        tags: some(args.tags),
        role: args.role,
        depends_on: some(args.depends_on),
        parent: args.parent,
        delay_ms: args.delay,
        max_attempts: args.max_attempts,
        backoff_ms: args.backoff,
        on_dependency_failure: args.on_dependency_failure,
        review: args.review.then_some(true),
        dedupe_key: args.dedupe_key,
    };
    let created: Created = context.call(what, &params).await.map_err(explain)?;
    context.output.result(&created, |output| {
        if created.duplicate == Some(true) {
            output.note(format_args!("callboard: it was there before"));
        }
        output.line(format_args!("{}", created.task.id))
    })?;
    Ok(Exit::Ok)
}
