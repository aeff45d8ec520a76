//! The verbs that look at tasks, wait for them and watch them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Counts, Status, Task};
use crate::json::Json;
use crate::limits::{LABELS_MAX, WAIT_TASKS_MAX};
use crate::names::{AgentName, Label, Role};
use crate::params::{ListLimit, WaitMs};
use crate::revision::TaskId;

/// `task.get`: one task; unknown: `not_found`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TaskGet")]
pub struct Get {
    /// The task's id.
    pub id: TaskId,
}

/// The answer to `task.get`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TaskGetResult")]
pub struct GetResult {
    /// The task.
    pub task: Task,
    /// What its parts have come to, when it has parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children: Option<Children>,
}

/// What the children of a task have come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Children {
    /// How many there are of each status.
    pub counts: Counts,
    /// The results of those that are completed and gave one, in the order of their ids, at most 100.
    pub results: Vec<ChildResult>,
    /// True when there is more than `results` lists: `task.list` with `parent` gives all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<bool>,
}

/// The result of one child.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChildResult {
    /// The child's id.
    pub id: TaskId,
    /// What came out.
    pub result: Json,
}

/// `task.list`: in order of ids.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TaskList")]
pub struct List {
    /// Only this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Only those that have all of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = LABELS_MAX))]
    pub tags: Option<Vec<Label>>,
    /// Only this agent's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee: Option<AgentName>,
    /// Only the parts of this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// Only those for this role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Entries at most; default 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<ListLimit>,
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The answer to `task.list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TaskListResult")]
pub struct ListResult {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// There while more follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `task.next`: what a claim would give. Looks only.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Next {
    /// Only tasks that have all of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = LABELS_MAX))]
    pub tags: Option<Vec<Label>>,
    /// Only tasks for this role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// The answer to `task.next`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NextResult {
    /// The task; null when none is ready.
    pub task: Option<Task>,
    /// Tasks of the namespace that are ready.
    pub pending: usize,
    /// Tasks of the namespace that wait for others.
    pub blocked: usize,
}

/// `task.graph`: what depends on what.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Graph {
    /// Only what is connected with this one: by dependencies in both directions, and as its parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<TaskId>,
}

/// One task of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// The task's id.
    pub id: TaskId,
    /// What is to be done, in a line.
    pub title: String,
    /// Where it stands.
    pub status: Status,
}

/// The answer to `task.graph`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GraphResult {
    /// The tasks, in order of ids.
    pub nodes: Vec<Node>,
    /// From what has to be done before, to what waits for it.
    pub edges: Vec<(TaskId, TaskId)>,
    /// True when there is more than one reply takes: the tasks with the highest ids are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<bool>,
}

/// `task.counts`: how many tasks there are of each status.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {}

/// Which of several tasks are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WaitMode {
    /// Each of them.
    #[default]
    All,
    /// One of them.
    Any,
}

/// `task.wait`: answers as soon as the tasks are finished, also when they are already.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// 1 to 1000 tasks.
    #[schemars(length(min = 1, max = WAIT_TASKS_MAX))]
    pub ids: Vec<TaskId>,
    /// Default all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<WaitMode>,
    /// How long to wait.
    pub timeout_ms: WaitMs,
}

/// `task.watch`: tasks that are created and that change, as events.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TaskWatch")]
pub struct Watch {
    /// Only the parts of this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// Only those that have all of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = LABELS_MAX))]
    pub tags: Option<Vec<Label>>,
}
