//! `callboard task graph`: what has to be done before what.
//!
//! Invariant: a title is a text in every format, whatever is in it; it can't end its label or steer a terminal.

use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::methods::task::{Graph, GraphResult, Node};
use callboard_protocol::revision::TaskId;
use clap::{Args, ValueEnum};

use super::{explain, id};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

mod drawing;
mod tree;

/// `task graph`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callboard task graph\n  callboard task graph 12 --format dot | dot -Tsvg > graph.svg"
)]
pub struct GraphArgs {
    /// Only what is connected with these tasks, and their parts [default: all]
    #[arg(value_name = "ROOT", value_parser = id)]
    roots: Vec<TaskId>,
    /// How to show it; --json gives nodes and edges whatever this says
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How to show a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A tree: what comes after a task stands below it
    Text,
    /// For Graphviz
    Dot,
    /// For Mermaid
    Mermaid,
}

/// Shows the graph.
///
/// # Errors
/// Why it could not.
pub async fn run(args: GraphArgs, context: &Context) -> Result<Exit, Failure> {
    let graph = ask(&args.roots, context).await.map_err(explain)?;
    context.output.result(&graph, |output| {
        if graph.more == Some(true) {
            output.note(format_args!("callboard: there is more than one reply takes: give a root"));
        }
        match args.format {
            Format::Text if graph.nodes.is_empty() => {
                output.note(format_args!("no tasks"));
                Ok(())
            }
            Format::Text => {
                tree::lines(&graph).iter().try_for_each(|line| output.line(format_args!("{line}")))
            }
            Format::Dot => output.line(format_args!("{}", drawing::dot(&graph))),
            Format::Mermaid => output.line(format_args!("{}", drawing::mermaid(&graph))),
        }
    })?;
    Ok(Exit::Ok)
}

/// The graph of everything, or what is connected with any of the roots.
async fn ask(roots: &[TaskId], context: &Context) -> Result<GraphResult, Failure> {
    if roots.is_empty() {
        return context.call("show the graph", &Graph { root: None }).await;
    }
    context
        .in_session(context.agent()?, async |session| {
            let mut graphs = Vec::with_capacity(roots.len());
            for root in roots {
                let what = format!("show the graph of task {root}");
                graphs.push(session.call(what, &Graph { root: Some(*root) }).await?);
            }
            Ok(union(graphs))
        })
        .await
}

/// All tasks and edges of `graphs`, each once.
fn union(graphs: Vec<GraphResult>) -> GraphResult {
    let more = graphs.iter().any(|graph| graph.more == Some(true)).then_some(true);
    let (mut nodes, mut edges) = (BTreeMap::<TaskId, Node>::new(), BTreeSet::new());
    for graph in graphs {
        nodes.extend(graph.nodes.into_iter().map(|node| (node.id, node)));
        edges.extend(graph.edges);
    }
    GraphResult { nodes: nodes.into_values().collect(), edges: edges.into_iter().collect(), more }
}
