//! Circles of agents and tasks that wait for each other.
//!
//! Invariant: each one found goes through a lock or a request, where an agent does nothing but wait. Without one somebody may
//! still be at work: who holds a task and one of its parts waits for nobody. Each lock and request is in one circle at most.

use std::collections::VecDeque;

use super::graph::{Cycle, Graph, Why};

/// The cycles.
pub fn find(graph: &Graph) -> Vec<Cycle> {
    let mut leaving = vec![Vec::new(); graph.nodes.len()];
    for (at, edge) in graph.edges.iter().enumerate() {
        leaving[edge.from].push(at);
    }
    let mut cycles: Vec<Cycle> = Vec::new();
    for (at, edge) in graph.edges.iter().enumerate() {
        let is_wait = matches!(edge.why, Why::Lock | Why::Request);
        if is_wait && !cycles.iter().any(|cycle| cycle.contains(&at)) {
            let back = way(graph, &leaving, edge.to, edge.from);
            cycles.extend(back.map(|back| [vec![at], back].concat()));
        }
    }
    cycles
}

/// The shortest way from a node to another, as edges.
fn way(graph: &Graph, leaving: &[Vec<usize>], from: usize, to: usize) -> Option<Vec<usize>> {
    let mut came_by: Vec<Option<usize>> = vec![None; leaving.len()];
    let mut queue = VecDeque::from([from]);
    let mut is_seen = vec![false; leaving.len()];
    is_seen[from] = true;
    while let Some(at) = queue.pop_front() {
        if at == to {
            let edges = std::iter::successors(came_by[to], |edge| {
                let begin = graph.edges[*edge].from;
                came_by[begin].filter(|_| begin != from)
            });
            let mut way: Vec<usize> = edges.collect();
            way.reverse();
            return Some(way);
        }
        for edge in &leaving[at] {
            let next = graph.edges[*edge].to;
            if !std::mem::replace(&mut is_seen[next], true) {
                came_by[next] = Some(*edge);
                queue.push_back(next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str, Why)]) -> Graph {
        let mut graph = Graph::default();
        for (from, to, why) in edges {
            let [from, to] = [from, to].map(|name| graph.agent(&name.parse().unwrap()));
            graph.wait(from, to, *why, String::new());
        }
        graph
    }

    #[test]
    fn a_circle_is_found_once_and_a_chain_is_none() {
        let chain = [("a", "b", Why::Lock), ("b", "c", Why::Lock), ("a", "c", Why::Lock)];
        assert_eq!(find(&graph(&chain)), Vec::<Cycle>::new());
        let circle =
            [("x", "a", Why::Lock), ("a", "b", Why::Lock), ("b", "c", Why::Part), ("c", "a", Why::Held)];
        assert_eq!(find(&graph(&circle)), [vec![1, 2, 3]]);
        let two =
            [("a", "b", Why::Lock), ("b", "a", Why::Lock), ("c", "d", Why::Lock), ("d", "c", Why::Request)];
        assert_eq!(find(&graph(&two)), [vec![0, 1], vec![2, 3]]);
    }

    #[test]
    fn who_holds_a_task_and_its_part_is_in_no_circle() {
        let own = [("a", "b", Why::Part), ("b", "a", Why::Held)];
        assert_eq!(find(&graph(&own)), Vec::<Cycle>::new());
    }
}
