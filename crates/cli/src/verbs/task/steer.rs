//! What anybody may do about a task by its id: review, call off, start anew, change.

use callboard_protocol::Label;
use callboard_protocol::methods::message::Priority;
use callboard_protocol::methods::task::{Cancel, Retry, Review, Update};
use callboard_protocol::revision::TaskId;
use clap::{ArgGroup, Args};

use super::{explain, id, print_changed};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::word::{PRIORITIES, one_of};

/// `task review`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("verdict").required(true).args(["approve", "reject"]),
    after_help = "Example:\n  callboard task review 12 --reject --comments 'the tests are missing'"
)]
pub struct ReviewArgs {
    /// The task's id
    #[arg(value_parser = id)]
    id: TaskId,
    /// It is good: the task is completed
    #[arg(long)]
    approve: bool,
    /// It has to be done again
    #[arg(long)]
    reject: bool,
    /// What is to be said about it
    #[arg(long)]
    comments: Option<String>,
}

/// `task update`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("change").required(true).multiple(true)
        .args(["priority", "tags", "no_tags", "description", "no_description", "note", "no_note"]),
    after_help = "Examples:\n  callboard task update 12 --priority urgent\n  callboard task update 12 --tag rust --tag parser --no-note"
)]
pub struct UpdateArgs {
    /// The task's id
    #[arg(value_parser = id)]
    id: TaskId,
    /// What is claimed first
    #[arg(long, value_parser = one_of::<Priority, 4>(PRIORITIES))]
    priority: Option<Priority>,
    /// What it can be picked by, in place of its tags so far; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Label>,
    /// Take its tags away
    #[arg(long, conflicts_with = "tags")]
    no_tags: bool,
    /// What is to be done, for people
    #[arg(long)]
    description: Option<String>,
    /// Take its description away
    #[arg(long, conflicts_with = "description")]
    no_description: bool,
    /// A note for people
    #[arg(long)]
    note: Option<String>,
    /// Take its note away
    #[arg(long, conflicts_with = "note")]
    no_note: bool,
}

/// Says whether what was done is good.
///
/// # Errors
/// Why it could not.
pub async fn review(args: ReviewArgs, context: &Context) -> Result<Exit, Failure> {
    let params = Review { id: args.id, approve: args.approve, comments: args.comments };
    let what = format!("review task {}", args.id);
    let result = context.call_as_agent(what, &params).await.map_err(explain)?;
    print_changed(context, &result, if args.approve { "approved" } else { "rejected" })
}

/// Calls a task off.
///
/// # Errors
/// Why it could not.
pub async fn cancel(id: TaskId, context: &Context) -> Result<Exit, Failure> {
    let result = context.call(format_args!("cancel task {id}"), &Cancel { id }).await.map_err(explain)?;
    print_changed(context, &result, "cancelled")
}

/// Starts a task anew.
///
/// # Errors
/// Why it could not.
pub async fn retry(id: TaskId, context: &Context) -> Result<Exit, Failure> {
    let result = context.call(format_args!("retry task {id}"), &Retry { id }).await.map_err(explain)?;
    print_changed(context, &result, "started anew")
}

/// Changes what a task says of itself.
///
/// # Errors
/// Why it could not.
pub async fn update(args: UpdateArgs, context: &Context) -> Result<Exit, Failure> {
    let tags = super::some(args.tags);
    let params = Update {
        id: args.id,
        priority: args.priority.map(Some),
        tags: changed(tags, args.no_tags),
        description: changed(args.description, args.no_description),
        note: changed(args.note, args.no_note),
    };
    let what = format!("update task {}", args.id);
    let result = context.call(what, &params).await.map_err(explain)?;
    print_changed(context, &result, "updated")
}

/// A member of an update: the new value, or null where it is taken away.
fn changed<T>(given: Option<T>, is_taken_away: bool) -> Option<Option<T>> {
    given.map(Some).or(is_taken_away.then_some(None))
}
