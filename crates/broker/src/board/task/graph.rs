//! `task.graph`: what depends on what.

use callboard_protocol::error::Error;
use callboard_protocol::methods::task::{Graph, GraphResult, Node};
use callboard_protocol::revision::TaskId;

use super::no_task;
use crate::board::{Board, Call};
use crate::page::ENVELOPE_BYTES;
use crate::task::entry::{ID_BYTES, text_bytes};
use crate::task::{Task, graph};

/// What a node takes on the wire besides its title, in bytes.
const NODE_BYTES: usize = 64;

impl Board {
    pub(crate) fn task_graph(&mut self, call: &Call, params: &Graph) -> Result<GraphResult, Error> {
        self.settle_tasks(call.now);
        let mut result = GraphResult { nodes: Vec::new(), edges: Vec::new(), more: None };
        let ids: Box<dyn Iterator<Item = TaskId>> = match params.root {
            Some(root) if self.tasks.find(root).is_none() => return Err(no_task(root)),
            Some(root) => Box::new(graph::connected(&self.tasks, root).into_iter()),
            None => Box::new(self.tasks.iter_after(TaskId::default()).map(|(id, _)| id)),
        };
        let mut bytes_left = self.config.limits.frame_bytes.saturating_sub(ENVELOPE_BYTES);
        for id in ids {
            let Some(task) = self.tasks.find(id) else { continue };
            let bytes = node_bytes(task);
            if bytes > bytes_left {
                result.more = Some(true);
                break;
            }
            bytes_left -= bytes;
            result.nodes.push(Node { id, title: task.title.clone(), status: task.status() });
            result.edges.extend(task.depends_on.iter().map(|dependency| (*dependency, id)));
        }
        Ok(result)
    }
}

/// What a task and the edges to it take on the wire at most, in bytes.
fn node_bytes(task: &Task) -> usize {
    NODE_BYTES + text_bytes(&task.title) + task.depends_on.len() * (2 * ID_BYTES + 3)
}
