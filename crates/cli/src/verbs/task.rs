//! `callboard task`: shared work.
//!
//! Invariant: a claim is bound to the agent, not to the session of the one command that made it: it stays until it is
//! settled by its token, or its lease ends.

use callboard_protocol::methods::task::{One, Task, TaskRef};
use callboard_protocol::revision::TaskId;
use callboard_protocol::{Json, Label, Revision, Role};
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::text_value;

mod add;
mod claim;
mod graph;
mod import;
mod list;
mod look;
mod print;
mod settle;
mod steer;
mod wait;

/// What to do with tasks.
#[derive(Debug, Subcommand)]
pub enum TaskVerb {
    /// Add a task, and print its id
    Add(Box<add::AddArgs>),
    /// Add a whole graph of tasks from a file, all or none
    Import(import::ImportArgs),
    /// Take a task: the one that comes first, or one by its id (exit code 3 when none is ready in time)
    Claim(claim::ClaimArgs),
    /// Report a claimed task as done
    Done(settle::DoneArgs),
    /// Report that this attempt at a claimed task came to nothing
    Fail(settle::FailArgs),
    /// Give a claimed task back; costs no attempt
    Release(settle::ReleaseArgs),
    /// Keep a claimed task for longer, and say how far it is
    Extend(settle::ExtendArgs),
    /// Approve of what somebody else did, or have it done again
    Review(steer::ReviewArgs),
    /// Call a task off; whoever holds it is told
    #[command(after_help = "Example:\n  callboard task cancel 12")]
    Cancel {
        /// The task's id
        #[arg(value_parser = id)]
        id: TaskId,
    },
    /// Start a failed or cancelled task anew, with those that failed because of it
    #[command(after_help = "Example:\n  callboard task retry 12")]
    Retry {
        /// The task's id
        #[arg(value_parser = id)]
        id: TaskId,
    },
    /// Change what a task says of itself
    Update(steer::UpdateArgs),
    /// List tasks
    List(list::ListArgs),
    /// Show a task, and what its parts have come to
    #[command(
        after_help = "Examples:\n  callboard task show 12 --json\n  callboard task show 12 --result | wc -l"
    )]
    Show {
        /// The task's id
        #[arg(value_parser = id)]
        id: TaskId,
        /// Print its result alone, a string as its text (exit code 4 while there is none)
        #[arg(long)]
        result: bool,
    },
    /// Show what a claim would give now (exit code 4 when nothing is ready)
    #[command(after_help = "Example:\n  callboard task next --tag rust")]
    Next(FilterArgs),
    /// Wait until tasks are finished, and show them
    Wait(wait::WaitArgs),
    /// Show what has to be done before what
    Graph(graph::GraphArgs),
    /// Count the tasks of each status
    #[command(after_help = "Example:\n  callboard task counts")]
    Counts,
}

/// Which tasks come into question.
#[derive(Debug, Args)]
pub struct FilterArgs {
    /// Only tasks with this tag; may be repeated, and then all have to be there
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Label>,
    /// Only tasks for this role [default: those for the agent's own, and those for anybody]
    #[arg(long)]
    role: Option<Role>,
}

/// Does what `verb` says.
///
/// # Errors
/// Why it could not.
pub async fn run(verb: TaskVerb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        TaskVerb::Add(args) => add::run(*args, context).await,
        TaskVerb::Import(args) => import::run(args, context).await,
        TaskVerb::Claim(args) => claim::run(args, context).await,
        TaskVerb::Done(args) => settle::done(args, context).await,
        TaskVerb::Fail(args) => settle::fail(args, context).await,
        TaskVerb::Release(args) => settle::release(args, context).await,
        TaskVerb::Extend(args) => settle::extend(args, context).await,
        TaskVerb::Review(args) => steer::review(args, context).await,
        TaskVerb::Cancel { id } => steer::cancel(id, context).await,
        TaskVerb::Retry { id } => steer::retry(id, context).await,
        TaskVerb::Update(args) => steer::update(args, context).await,
        TaskVerb::List(args) => list::run(args, context).await,
        TaskVerb::Show { id, result: false } => look::show(id, context).await,
        TaskVerb::Show { id, result: true } => look::show_result(id, context).await,
        TaskVerb::Next(filter) => look::next(filter, context).await,
        TaskVerb::Wait(args) => wait::run(args, context).await,
        TaskVerb::Graph(args) => graph::run(args, context).await,
        TaskVerb::Counts => look::counts(context).await,
    }
}

/// Reads the id of a task.
fn id(text: &str) -> Result<TaskId, String> {
    text.parse().map(Revision).map_err(|_| "an id is a whole number".to_owned())
}

/// `list`, unless it is empty.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// The value that was given as JSON or as text, if any was.
fn value(what: &str, json: Option<&str>, text: Option<&str>) -> Result<Option<Json>, Failure> {
    let given = json.map(|json| (json, true)).or(text.map(|text| (text, false)));
    given.map(|(given, is_json)| text_value::read(what, given, is_json)).transpose()
}

/// The failure, with the tasks that are not there, and where to find out more in place of what helps elsewhere.
fn explain(failure: Failure) -> Failure {
    let Some(error) = failure.error() else {
        return failure;
    };
    let unknown = error.details.get("ids").cloned();
    let unknown: Vec<TaskRef> = unknown.and_then(|ids| serde_json::from_value(ids).ok()).unwrap_or_default();
    let names: Vec<String> = unknown.iter().map(in_words).collect();
    let line = (!names.is_empty()).then(|| format!("not there: {}", names.join(", ")));
    failure.with_details(line.into_iter().collect()).replacing_next("callboard task list")
}

/// A task as it was named: by its id, or by its `ref`.
fn in_words(task: &TaskRef) -> String {
    match task {
        TaskRef::Id(id) => id.to_string(),
        TaskRef::Ref(name) => name.to_string(),
    }
}

/// Prints a task after a change: its object, or a line.
fn print_changed(context: &Context, result: &One, verb: &str) -> Result<Exit, Failure> {
    let task: &Task = &result.task;
    context.output.result(result, |output| output.line(format_args!("{verb}: {}", print::line(task))))?;
    Ok(Exit::Ok)
}
