//! The verbs that look at tasks one at a time, or count them.

use callboard_protocol::methods::task::{Children, Count, Counts, Get, GetResult, Next, NextResult, Status};
use callboard_protocol::revision::TaskId;

use super::{FilterArgs, explain, print, some};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::Table;

/// Shows a task.
///
/// # Errors
/// Why it could not.
pub async fn show(id: TaskId, context: &Context) -> Result<Exit, Failure> {
    let result = look_up(id, context).await?;
    context.output.result(&result, |output| {
        print::task(output, &result.task, None)?;
        result.children.as_ref().map_or(Ok(()), |children| print_children(output, children, id))
    })?;
    Ok(Exit::Ok)
}

/// Shows what came out of a task and nothing else, for whoever goes on from there.
///
/// # Errors
/// Why it could not; that nothing came out so far, too.
pub async fn show_result(id: TaskId, context: &Context) -> Result<Exit, Failure> {
    let task = look_up(id, context).await?.task;
    let Some(result) = &task.result else {
        let why = format!("it has none: it is {}", task.status);
        let next = if task.status.is_finished() {
            format!("callboard task show {id}")
        } else {
            format!("callboard task wait {id}")
        };
        return Err(Failure::new(Exit::NotFound, format!("show the result of task {id}"), why).or_next(&next));
    };
    context.output.result(result, |output| output.value(result))?;
    Ok(Exit::Ok)
}

async fn look_up(id: TaskId, context: &Context) -> Result<GetResult, Failure> {
    context.call(format_args!("show task {id}"), &Get { id }).await.map_err(explain)
}

fn print_children(output: Output, children: &Children, id: TaskId) -> Result<(), Failure> {
    output.line(format_args!("parts: {}", in_words(children.counts)))?;
    for child in &children.results {
        output.line(format_args!("result of {}:", child.id))?;
        output.value(&child.result)?;
    }
    if children.more == Some(true) {
        output.note(format_args!("more: callboard task list --parent {id} --json"));
    }
    Ok(())
}

/// `2 pending, 1 completed`.
fn in_words(mut counts: Counts) -> String {
    let counts = Status::ALL.map(|status| (status, *counts.of(status)));
    let there = counts.iter().filter(|(_, count)| *count > 0);
    there.map(|(status, count)| format!("{count} {status}")).collect::<Vec<_>>().join(", ")
}

/// Shows what a claim would give.
///
/// # Errors
/// Why it could not.
pub async fn next(filter: FilterArgs, context: &Context) -> Result<Exit, Failure> {
    let params = Next { tags: some(filter.tags), role: filter.role };
    let result: NextResult = context.call("look for a task", &params).await?;
    context.output.result(&result, |output| match &result.task {
        Some(task) => print::task(output, task, None),
        None => {
            let NextResult { pending, blocked, .. } = result;
            output.note(format_args!(
                "no task is ready for this; in all, {pending} are ready and {blocked} blocked"
            ));
            Ok(())
        }
    })?;
    Ok(if result.task.is_some() { Exit::Ok } else { Exit::NotFound })
}

/// Counts the tasks.
///
/// # Errors
/// Why it could not.
pub async fn counts(context: &Context) -> Result<Exit, Failure> {
    let mut counts: Counts = context.call("count tasks", &Count {}).await?;
    context.output.result(&counts.clone(), |output| {
        let facts = Status::ALL.map(|status| (status.name(), counts.of(status).to_string()));
        output.table(&Table::of_facts(facts), "")
    })?;
    Ok(Exit::Ok)
}
