//! `callboard task list`: what there is to do, and how it stands.

use callboard_protocol::methods::task::{List, ListResult, Status};
use callboard_protocol::revision::TaskId;
use callboard_protocol::{AgentName, Label, Role};
use clap::Args;

use super::{id, print, some};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::paging::{PageArgs, print_lists};
use crate::word::{TASK_STATUSES, one_of};

/// `task list`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callboard task list --status in_progress,pending_review\n  callboard task list --parent 12 --json"
)]
pub struct ListArgs {
    /// Only tasks that stand there; several with commas
    #[arg(long = "status", value_name = "STATUS", value_delimiter = ',', value_parser = one_of::<Status, 8>(TASK_STATUSES))]
    statuses: Vec<Status>,
    /// Only tasks with this tag; may be repeated, and then all have to be there
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Label>,
    /// Only tasks for this role
    #[arg(long)]
    role: Option<Role>,
    /// Only tasks of this agent
    #[arg(long, value_name = "AGENT")]
    assignee: Option<AgentName>,
    /// Only the parts of this task
    #[arg(long, value_name = "ID", value_parser = id)]
    parent: Option<TaskId>,
    /// How much
    #[command(flatten)]
    page: PageArgs,
}

/// Lists tasks.
///
/// # Errors
/// Why it could not.
pub async fn run(args: ListArgs, context: &Context) -> Result<Exit, Failure> {
    let what = "list tasks";
    let all = List {
        status: args.statuses.first().copied(),
        tags: some(args.tags),
        assignee: args.assignee,
        parent: args.parent,
        role: args.role,
        ..List::default()
    };
    let others = args.statuses.iter().skip(1);
    let lists: Vec<List> = std::iter::once(all.clone())
        .chain(others.map(|status| List { status: Some(*status), ..all.clone() }))
        .collect();
    if lists.len() > 1 && args.page.is_partial() {
        return Err(Failure::usage(what, "--limit and --cursor take one --status at a time"));
    }
    let output = context.output;
    context
        .in_session(context.agent()?, async |session| {
            print_lists(session, output, what, lists, &args.page, print_tasks).await
        })
        .await?;
    Ok(Exit::Ok)
}

fn print_tasks(output: Output, pages: Vec<ListResult>) -> Result<(), Failure> {
    let mut tasks: Vec<_> = pages.into_iter().flat_map(|page| page.tasks).collect();
    // Each status comes as a list of its own.
    tasks.sort_by_key(|task| task.id);
    output.table(&print::table(&tasks), "no tasks")
}
