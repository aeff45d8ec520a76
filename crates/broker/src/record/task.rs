//! Tasks on record, in two entities: what a task is, with its large values, and where it stands, which changes often.

use callboard_protocol::json::{Json, present};
use callboard_protocol::methods::message::Priority;
use callboard_protocol::methods::task::{OnDependencyFailure, Status, Why};
use callboard_protocol::names::{AgentName, Label, Role};
use callboard_protocol::object;
use callboard_protocol::revision::{Revision, TaskId};
use callboard_protocol::scalar::Scalar;
use serde::Deserialize;

use super::LeaseRecord;

/// What a task is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TaskRecord {
    /// Its id.
    pub id: TaskId,
    /// What is to be done, in a line.
    pub title: String,
    /// What is to be done, for people.
    #[serde(default)]
    pub description: Option<String>,
    /// What is to be done, for programs.
    #[serde(default, deserialize_with = "present::deserialize")]
    pub payload: Option<Json>,
    /// What is claimed first.
    pub priority: Priority,
    /// What it can be picked by.
    #[serde(default)]
    pub tags: Vec<Label>,
    /// Whose work it is.
    #[serde(default)]
    pub role: Option<Role>,
    /// What has to be done before.
    #[serde(default)]
    pub depends_on: Vec<TaskId>,
    /// What it is a part of.
    #[serde(default)]
    pub parent: Option<TaskId>,
    /// Attempts at most.
    pub max_attempts: u32,
    /// The rest after the first attempt that failed, in milliseconds.
    pub backoff_ms: u64,
    /// What becomes of it when a dependency fails.
    pub on_dependency_failure: OnDependencyFailure,
    /// Whether it has to be approved of.
    pub review: bool,
    /// Who created it.
    #[serde(default)]
    pub created_by: Option<AgentName>,
    /// When it was created, in Unix milliseconds.
    pub created_at: u64,
    /// The creator's dedupe key.
    #[serde(default)]
    pub dedupe_key: Option<Label>,
    /// What came out.
    #[serde(default, deserialize_with = "present::deserialize")]
    pub result: Option<Json>,
    /// How far a holder had come.
    #[serde(default, deserialize_with = "present::deserialize")]
    pub checkpoint: Option<Json>,
}

object!(sparse TaskRecord {
    id, title, description, payload, priority, tags, role, depends_on, parent, max_attempts,
    backoff_ms, on_dependency_failure, review, created_by, created_at, dedupe_key, result,
    checkpoint,
});

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TaskStateRecord {
    /// The task.
    pub task: TaskId,
    /// Its status.
    pub status: Status,
    /// The revision at which it became ready or was finished.
    #[serde(default)]
    pub turn: Option<Revision>,
    /// Before this it is not ready, in Unix milliseconds.
    #[serde(default)]
    pub not_before: Option<u64>,
    /// When it is forgotten once it is finished, in Unix milliseconds.
    #[serde(default)]
    pub forget_at: Option<u64>,
    /// Its lease, while it is claimed.
    #[serde(default)]
    pub lease: Option<LeaseRecord>,
    /// Why it failed.
    #[serde(default)]
    pub why: Option<Why>,
    /// Attempts so far, the one under way included.
    pub attempts: u32,
    /// Claims given back since its holder last told of progress.
    #[serde(default)]
    pub releases: u32,
    /// Who holds it, or held it last when it was done.
    #[serde(default)]
    pub assignee: Option<AgentName>,
    /// What went wrong last.
    #[serde(default)]
    pub error: Option<String>,
    /// How far it is.
    #[serde(default)]
    pub progress: Option<Scalar>,
    /// A note for people.
    #[serde(default)]
    pub note: Option<String>,
    /// What the last review said.
    #[serde(default)]
    pub comments: Option<String>,
    /// When it last changed, in Unix milliseconds.
    pub updated_at: u64,
}

object!(sparse TaskStateRecord {
    task, status, turn, not_before, forget_at, lease, why, attempts, releases, assignee, error,
    progress, note, comments, updated_at,
});
