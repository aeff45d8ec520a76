//! What depends on what, in one call and on the whole board.
//!
//! Invariant: the graph on the board has no cycle, since a task can only name tasks that were there before it, or tasks
//! of its own call, which are looked at here. So every walk along dependencies ends.

use std::collections::BTreeSet;

use callboard_protocol::revision::TaskId;

use crate::task::table::Tasks;

/// A cycle among the nodes `0..edges.len()`, where `edges[node]` are those that a node points to; its nodes in order.
/// A depth-first search that keeps its own stack: no graph is too deep for it.
#[must_use]
pub fn cycle(edges: &[Vec<usize>]) -> Option<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        OnPath,
        Done,
    }
    let mut marks = vec![Mark::New; edges.len()];
    for start in 0..edges.len() {
        if marks[start] != Mark::New {
            continue;
        }
        marks[start] = Mark::OnPath;
        let mut path = vec![(start, 0)];
        while let Some((node, at)) = path.last_mut() {
            let Some(next) = edges[*node].get(*at).copied() else {
                marks[*node] = Mark::Done;
                path.pop();
                continue;
            };
            *at += 1;
            match marks[next] {
                Mark::New => {
                    marks[next] = Mark::OnPath;
                    path.push((next, 0));
                }
                Mark::OnPath => {
                    let nodes = path.iter().map(|(node, _)| *node);
                    return Some(nodes.skip_while(|node| *node != next).collect());
                }
                Mark::Done => {}
            }
        }
    }
    None
}

/// The tasks that are connected with a task: by dependencies in both directions, and as parts of one of these.
#[must_use]
pub fn connected(tasks: &Tasks, root: TaskId) -> BTreeSet<TaskId> {
    let mut found = BTreeSet::from([root]);
    let mut left = vec![root];
    while let Some(id) = left.pop() {
        let dependencies = tasks.find(id).into_iter().flat_map(|task| task.depends_on.iter().copied());
        let around = dependencies
            .chain(tasks.dependents(id, TaskId::default()))
            .chain(tasks.children(id, TaskId::default()));
        for id in around {
            if tasks.find(id).is_some() && found.insert(id) {
                left.push(id);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_is_given_in_the_order_of_its_edges() {
        assert_eq!(cycle(&[vec![1, 2], vec![2], vec![]]), None);
        assert_eq!(cycle(&[vec![0]]), Some(vec![0]));
        assert_eq!(cycle(&[vec![1], vec![2, 3], vec![], vec![1]]), Some(vec![1, 3]));
    }

    #[test]
    fn a_long_chain_is_no_problem() {
        let mut edges: Vec<Vec<usize>> = (1..100_000).map(|next| vec![next]).collect();
        edges.push(vec![]);
        assert_eq!(cycle(&edges), None);
        edges[99_999].push(0);
        assert_eq!(cycle(&edges).map(|cycle| cycle.len()), Some(100_000));
    }
}
