//! Tasks as people read them: in full, in a table, in a line.

use callboard_protocol::methods::task::{Status, Task, Why};
use callboard_protocol::revision::Token;
use callboard_protocol::{AgentName, Json, Label};

use crate::failure::Failure;
use crate::instant::{ago, remaining};
use crate::output::{Output, bare, or_dash};
use crate::table::{Table, one_line};

/// Prints all that a task says, what is absent left out; with `token`, how to settle it.
///
/// # Errors
/// When standard output can't be written.
pub fn task(output: Output, task: &Task, token: Option<Token>) -> Result<(), Failure> {
    let mut facts = Table::of_facts([("task", task.id.to_string()), ("title", task.title.clone())]);
    for (name, fact) in [("token", token.map(|token| token.to_string()))].into_iter().chain(facts_of(task)) {
        if let Some(fact) = fact {
            facts.row([name.to_owned(), fact]);
        }
    }
    output.table(&facts, "")?;
    for (name, text) in texts_of(task) {
        if let Some(text) = text {
            output.line(format_args!("{name}:"))?;
            output.value(&text)?;
        }
    }
    match token {
        Some(token) => output.line(format_args!("settle with: callboard task done {token} --text TEXT")),
        None => Ok(()),
    }
}

fn facts_of(task: &Task) -> [(&'static str, Option<String>); 10] {
    let tags: Vec<&str> = task.tags.iter().map(Label::as_str).collect();
    let after: Vec<String> = task.depends_on.iter().map(ToString::to_string).collect();
    let attempts = (task.attempts > 0).then(|| format!("{} of {}", task.attempts, task.max_attempts));
    let progress = task.progress.as_ref().map(|progress| bare(progress.as_json()));
    let creator = task.created_by.as_ref().map_or("nobody", AgentName::as_str);
    [
        ("status", Some(standing(task))),
        ("priority", Some(task.priority.name().to_owned())),
        ("tags", (!tags.is_empty()).then(|| tags.join(", "))),
        ("role", task.role.as_ref().map(ToString::to_string)),
        ("after", (!after.is_empty()).then(|| after.join(", "))),
        ("parent", task.parent.map(|parent| parent.to_string())),
        ("attempts", attempts),
        ("progress", progress),
        ("note", task.note.clone()),
        ("created", Some(format!("by {creator}, {}", ago(task.created_at)))),
    ]
}

fn texts_of(task: &Task) -> [(&'static str, Option<Json>); 6] {
    let text = |text: &Option<String>| text.as_ref().and_then(|text| Json::from_value(text).ok());
    [
        ("description", text(&task.description)),
        ("payload", task.payload.clone()),
        ("checkpoint", task.checkpoint.clone()),
        ("result", task.result.clone()),
        ("error", text(&task.error)),
        ("comments", text(&task.comments)),
    ]
}

/// Where a task stands, with whom or why.
fn standing(task: &Task) -> String {
    let status = task.status;
    match (status, &task.assignee, task.why) {
        (Status::Failed, _, Some(why)) => format!("{status}, {}", reason(why)),
        (Status::InProgress, Some(agent), _) => {
            format!("{status}, {agent} {}", remaining(task.expires_at))
        }
        (_, Some(agent), _) => format!("{status}, {agent}"),
        (_, None, _) => status.to_string(),
    }
}

fn reason(why: Why) -> &'static str {
    match why {
        Why::Dependency => "since something it depends on did",
        Why::Attempts => "its attempts are used up",
        Why::Error => "for good",
    }
}

/// A table of tasks.
pub fn table(tasks: &[Task]) -> Table {
    let mut table = Table::new(["ID", "STATUS", "PRIORITY", "ASSIGNEE", "TAGS", "PROGRESS", "TITLE"]);
    for task in tasks {
        let tags: Vec<&str> = task.tags.iter().map(Label::as_str).collect();
        let progress = task.progress.as_ref().map(|progress| bare(progress.as_json()));
        table.row([
            task.id.to_string(),
            task.status.to_string(),
            task.priority.name().to_owned(),
            or_dash(task.assignee.as_ref()),
            or_dash((!tags.is_empty()).then(|| tags.join(","))),
            or_dash(progress),
            task.title.clone(),
        ]);
    }
    table
}

/// A task in a line: `12 port the parser (in_progress, ada for 5m)`.
pub fn line(task: &Task) -> String {
    format!("{} {} ({})", task.id, one_line(&task.title), standing(task))
}
