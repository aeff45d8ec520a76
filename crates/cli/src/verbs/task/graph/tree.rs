//! A graph of tasks as a tree of lines, for people.
//!
//! Invariant: every task is there, below each one that it comes after; what comes after it in turn is told once, at its
//! first place. However long a chain is, nothing here calls itself.

use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::methods::task::{GraphResult, Node};
use callboard_protocol::revision::TaskId;

use crate::table::one_line;

/// A line that is still to be written.
struct Pending {
    id: TaskId,
    /// What leads from the margin to the line above.
    margin: String,
    /// Whether anything comes below the same task after this.
    is_last: bool,
    is_root: bool,
}

/// The lines of the tree.
pub fn lines(graph: &GraphResult) -> Vec<String> {
    let nodes: BTreeMap<TaskId, &Node> = graph.nodes.iter().map(|node| (node.id, node)).collect();
    let mut after: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
    let mut roots: BTreeSet<TaskId> = nodes.keys().copied().collect();
    for (before, id) in &graph.edges {
        // A graph that was cut short may have edges to tasks that it leaves out.
        if nodes.contains_key(before) && nodes.contains_key(id) {
            after.entry(*before).or_default().push(*id);
            roots.remove(id);
        }
    }
    let root = |id| Pending { id, margin: String::new(), is_last: true, is_root: true };
    let mut pending: Vec<Pending> = roots.into_iter().rev().map(root).collect();
    let mut told = BTreeSet::new();
    let mut lines = Vec::with_capacity(nodes.len());
    while let Some(line) = pending.pop() {
        let Some(node) = nodes.get(&line.id) else { continue };
        let below = after.get(&line.id).map_or(&[][..], Vec::as_slice);
        let is_repeated = !told.insert(line.id) && !below.is_empty();
        let (branch, trunk) = match (line.is_root, line.is_last) {
            (true, _) => ("", ""),
            (false, true) => ("└─ ", "   "),
            (false, false) => ("├─ ", "│  "),
        };
        let rest = if is_repeated { ", see above" } else { "" };
        let Node { id, title, status } = node;
        lines.push(format!("{}{branch}{id} {} ({status}){rest}", line.margin, one_line(title)));
        if is_repeated {
            continue;
        }
        let margin = format!("{}{trunk}", line.margin);
        for (at, id) in below.iter().enumerate().rev() {
            let is_last = at + 1 == below.len();
            pending.push(Pending { id: *id, margin: margin.clone(), is_last, is_root: false });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(nodes: u64, edges: &[(u64, u64)]) -> GraphResult {
        let node = |id| serde_json::json!({"id": id, "title": format!("t{id}"), "status": "pending"});
        let nodes: Vec<_> = (1..=nodes).map(node).collect();
        serde_json::from_value(serde_json::json!({"nodes": nodes, "edges": edges})).unwrap()
    }

    #[test]
    fn what_comes_after_a_task_stands_below_it() {
        let lines = lines(&graph(5, &[(1, 2), (1, 3), (2, 4), (3, 4), (4, 5)]));
        let expected = [
            "1 t1 (pending)",
            "├─ 2 t2 (pending)",
            "│  └─ 4 t4 (pending)",
            "│     └─ 5 t5 (pending)",
            "└─ 3 t3 (pending)",
            "   └─ 4 t4 (pending), see above",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn tasks_that_wait_for_nothing_stand_at_the_margin() {
        assert_eq!(lines(&graph(2, &[])), ["1 t1 (pending)", "2 t2 (pending)"]);
        assert_eq!(lines(&graph(1, &[(1, 9), (9, 1)])), ["1 t1 (pending)"]);
    }

    #[test]
    fn a_long_chain_is_told_to_its_end() {
        let edges: Vec<_> = (1..2_000).map(|id| (id, id + 1)).collect();
        assert_eq!(lines(&graph(2_000, &edges)).len(), 2_000);
    }
}
