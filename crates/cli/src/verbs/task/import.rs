//! `callboard task import`: a whole graph of tasks from a file.
//!
//! Invariant: all of the file's tasks are added, or none. The members of a task are those of the protocol, with its names
//! and its units, in YAML as in JSON; JSON keeps every digit.

use std::fs;
use std::path::PathBuf;

use callboard_protocol::methods::task::{CreateMany, Several, Task};
use callboard_protocol::{Error, Json, Label, params};
use clap::Args;
use serde::Serialize;

use super::explain;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::or_dash;
use crate::table::Table;
use crate::text_value::standard_input;

/// `task import`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  callboard task import release.yaml
  generate-tasks | callboard task import - --json

A list of tasks, or {tasks: [..]}; ref names a task within the file:
  - ref: parser
    title: port the parser
    tags: [rust]
  - title: release
    depends_on: [parser]
    review: true
Other members: description, payload, priority, role, parent, delay_ms, max_attempts, backoff_ms,
on_dependency_failure, dedupe_key. depends_on and parent take ids of tasks on the board, too.")]
pub struct ImportArgs {
    /// A file in YAML or JSON; - reads standard input
    file: PathBuf,
}

/// The answer of the daemon, with the names of the file.
#[derive(Serialize)]
struct Imported {
    tasks: Vec<Json>,
}

/// A task with its name in the file as its first member.
fn named((r#ref, task): (Option<&Label>, &Task)) -> Result<Json, Error> {
    let (name, task) = (Json::from_value(&r#ref)?, Json::from_value(task)?);
    Json::parse(&task.as_str().replacen('{', &format!("{{\"ref\":{name},"), 1))
}

/// Adds the tasks.
///
/// # Errors
/// Why none was added.
pub async fn run(args: ImportArgs, context: &Context) -> Result<Exit, Failure> {
    let what = format!("import {}", args.file.display());
    let text = if args.file.as_os_str() == "-" {
        standard_input(&what)?
    } else {
        fs::read_to_string(&args.file)
            .map_err(|error| Failure::usage(&what, format_args!("failed to read it: {error}")))?
    };
    let params = parse(&what, &text)?;
    let created: Several = context.call(&what, &params).await.map_err(explain)?;
    let names = params.tasks.iter().map(|draft| draft.r#ref.as_ref());
    let tasks: Vec<_> = names.zip(&created.tasks).collect();
    let json = tasks.iter().copied().map(named).collect::<Result<_, _>>();
    let imported = Imported { tasks: json.map_err(|error| Failure::rpc(&what, error))? };
    context.output.result(&imported, |output| {
        let mut table = Table::new(["REF", "ID", "STATUS", "TITLE"]);
        for (r#ref, task) in &tasks {
            table.row([or_dash(*r#ref), task.id.to_string(), task.status.to_string(), task.title.clone()]);
        }
        output.table(&table, "")
    })?;
    Ok(Exit::Ok)
}

/// The tasks that `text` tells of.
fn parse(what: &str, text: &str) -> Result<CreateMany, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::usage(what, format_args!("it is neither JSON nor YAML: {error}"))
    };
    let json = match Json::parse(text) {
        Ok(json) => json,
        Err(_) => {
            let tree: yaml_serde::Value = yaml_serde::from_str(text).map_err(|error| wrong(&error))?;
            Json::from_value(&tree).map_err(|error| wrong(&error.message))?
        }
    };
    let object =
        if json.as_str().starts_with('[') { format!("{{\"tasks\":{json}}}") } else { json.to_string() };
    params::decode(Some(&object))
        .map_err(|error| Failure::rpc(what, error).or_next("callboard task import --help"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        serde_json::to_string(&parse("import a", text).unwrap()).unwrap()
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let json =
            r#"[{"ref": "a", "title": "no"}, {"title": "b", "depends_on": ["a", 7], "payload": {"n": 1.0}}]"#;
        let yaml = "- ref: a\n  title: no\n- title: b\n  depends_on: [a, 7]\n  payload: {n: 1.0}\n";
        assert_eq!(written(json), written(yaml).replace("{\"n\":1.0}", "{\"n\": 1.0}"));
        assert_eq!(written(&format!("{{\"tasks\": {json}}}")), written(json));
        assert_eq!(written(&format!("tasks:\n{yaml}")), written(yaml));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let told = |text: &str| match parse("import a", text) {
            Err(Failure::Told(report)) => report,
            other => panic!("{other:?}"),
        };
        let report = told("- title: a\n- titel: b\n");
        assert_eq!(report.exit, Exit::Usage);
        assert!(report.why.contains("tasks[1].titel"), "{}", report.why);
        assert!(told("- title: a\n  title: b\n").why.contains("duplicate"));
        assert!(told("- title: [a\n").why.contains("line 2"));
        assert!(told("title: a\n").why.contains("title"));
        assert_eq!(told("just words").exit, Exit::Usage);
    }
}
