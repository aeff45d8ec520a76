//! Agents and tasks, and who waits for what.
//!
//! Invariant: each node is there once, and each edge is between two of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use callboard_protocol::AgentName;
use callboard_protocol::methods::task::Status;
use callboard_protocol::revision::TaskId;
use serde::Serialize;

use crate::drawing::{self, Drawing, Shape};
use crate::table::one_line;

/// The longest a title gets in a picture, in characters.
const TITLE_CHARS_MAX: usize = 40;

/// Who waits, or is waited for.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Node {
    /// Someone.
    Agent { agent: AgentName },
    /// Something to be done.
    Task { task: TaskId, title: String, status: Status },
}

/// Why an edge is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// An agent's lock or earlier request stands in the way of another one's.
    Lock,
    /// A task depends on another one.
    Dependency,
    /// A task is done by an agent.
    Held,
    /// An agent holds the task that another one is a part of.
    Part,
    /// An agent asked another one, and has no answer.
    Request,
}

/// That `from` waits for `to`, by their places among the nodes.
#[derive(Debug)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    pub why: Why,
    pub label: String,
}

/// An edge for programs.
#[derive(Debug, Serialize)]
pub struct EdgeView<'a> {
    from: String,
    to: String,
    why: Why,
    label: &'a str,
    in_cycle: bool,
}

/// A way from an edge around to where it begins: places among the edges.
pub type Cycle = Vec<usize>;

/// The graph.
#[derive(Debug, Default)]
pub struct Graph {
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
    places: HashMap<String, usize>,
}

impl Node {
    /// What names it for programs.
    pub fn id(&self) -> String {
        match self {
            Self::Agent { agent } => format!("agent:{agent}"),
            Self::Task { task, .. } => format!("task:{task}"),
        }
    }

    /// What names it for people.
    pub fn name(&self) -> String {
        match self {
            Self::Agent { agent } => agent.to_string(),
            Self::Task { task, .. } => format!("task {task}"),
        }
    }

    fn drawn(&self) -> drawing::Node {
        match self {
            Self::Agent { .. } => drawing::Node { label: self.name(), shape: Shape::Round },
            Self::Task { title, status, .. } => {
                let mut title = one_line(title);
                if let Some((end, _)) = title.char_indices().nth(TITLE_CHARS_MAX) {
                    title.truncate(end);
                    title.push_str("...");
                }
                drawing::Node { label: format!("{} ({title}, {status})", self.name()), shape: Shape::Box }
            }
        }
    }
}

impl Why {
    /// Whether nothing shows that somebody really waits.
    fn is_guess(self) -> bool {
        matches!(self, Self::Part | Self::Request)
    }
}

impl Graph {
    /// The place of a node, which is added if it is not there yet.
    pub fn place(&mut self, node: Node) -> usize {
        match self.places.entry(node.id()) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                self.nodes.push(node);
                *entry.insert(self.nodes.len() - 1)
            }
        }
    }

    /// The place of an agent.
    pub fn agent(&mut self, agent: &AgentName) -> usize {
        self.place(Node::Agent { agent: agent.clone() })
    }

    /// Adds that `from` waits for `to`.
    pub fn wait(&mut self, from: usize, to: usize, why: Why, label: String) {
        self.edges.push(Edge { from, to, why, label });
    }

    /// The nodes along a cycle, the first one again at the end, as `name` has them.
    pub fn path(&self, cycle: &Cycle, name: fn(&Node) -> String) -> Vec<String> {
        let begins = cycle.iter().map(|edge| self.edges[*edge].from);
        let nodes = begins.chain(cycle.first().map(|edge| self.edges[*edge].from));
        nodes.map(|at| name(&self.nodes[at])).collect()
    }

    /// Whether nothing along a cycle is a guess.
    pub fn is_sure(&self, cycle: &Cycle) -> bool {
        !cycle.iter().any(|edge| self.edges[*edge].why.is_guess())
    }

    /// The edges for programs.
    pub fn views(&self, cycles: &[Cycle]) -> Vec<EdgeView<'_>> {
        let views = self.edges.iter().enumerate().map(|(at, edge)| EdgeView {
            from: self.nodes[edge.from].id(),
            to: self.nodes[edge.to].id(),
            why: edge.why,
            label: &edge.label,
            in_cycle: is_in(cycles, at),
        });
        views.collect()
    }

    /// The picture.
    pub fn drawing(&self, cycles: &[Cycle]) -> Drawing {
        let edges = self.edges.iter().enumerate().map(|(at, edge)| drawing::Edge {
            from: edge.from,
            to: edge.to,
            label: edge.label.clone(),
            is_dashed: edge.why.is_guess(),
            mark: is_in(cycles, at).then_some("cycle"),
        });
        Drawing { nodes: self.nodes.iter().map(Node::drawn).collect(), edges: edges.collect() }
    }
}

fn is_in(cycles: &[Cycle], edge: usize) -> bool {
    cycles.iter().any(|cycle| cycle.contains(&edge))
}
