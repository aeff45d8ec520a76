//! `callboard waits`: who waits for whom, through locks, tasks and requests.
//!
//! Invariant: it only looks. What the daemon does not show is not made up: an arrow that may be wrong is dashed, and nobody
//! can see who waits in `task.wait` or `task.claim`, nor the requests between other agents.

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::drawing::{FORMATS, Format};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::word::one_of;

mod board;
mod cycles;
mod graph;

const HELP: &str = "\
Examples:
  callboard waits
  callboard waits --format dot | dot -Tsvg > waits.svg

An arrow points at whom or what is waited for:
  an agent -> the agents whose locks or earlier requests stand in its lock's way
  a blocked task -> the tasks that it depends on -> the agents that hold these
  an agent that holds a task ~> the open parts of that task, held or blocked
  an agent ~> the agent that has not answered its request; only those from and to whoever acts (--agent)
Dashed arrows (~>) are guesses: nobody has to wait for parts, or still for an answer.
A cycle that locks or requests are part of is marked.";

/// `waits`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct WaitsArgs {
    /// How to draw it; --json gives nodes, edges and cycles instead
    #[arg(long, default_value = "text", value_parser = one_of::<Format, 3>(FORMATS))]
    format: Format,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Found<'a> {
    nodes: &'a [graph::Node],
    edges: Vec<graph::EdgeView<'a>>,
    cycles: Vec<Vec<String>>,
}

/// Looks, and draws.
///
/// # Errors
/// Why it could not.
pub async fn run(args: WaitsArgs, context: &Context) -> Result<Exit, Failure> {
    let agent = context.agent()?;
    let graph =
        context.in_session(agent.clone(), async |session| board::look(session, agent.as_ref()).await).await?;
    let cycles = cycles::find(&graph);
    let found = Found {
        nodes: &graph.nodes,
        edges: graph.views(&cycles),
        cycles: cycles.iter().map(|cycle| graph.path(cycle, graph::Node::id)).collect(),
    };
    context.output.result(&found, |output| {
        if graph.nodes.is_empty() && args.format == Format::Text {
            output.note(format_args!("nobody waits"));
            return Ok(());
        }
        let drawn = graph.drawing(&cycles).draw(args.format);
        output.line(format_args!("{}", drawn.trim_end()))?;
        if args.format == Format::Text {
            for cycle in &cycles {
                let path = graph.path(cycle, graph::Node::name).join(" -> ");
                let doubt = if graph.is_sure(cycle) { "" } else { " (if the dashed arrows are right)" };
                output.line(format_args!("cycle: {path}{doubt}"))?;
            }
        }
        Ok(())
    })?;
    Ok(Exit::Ok)
}
