//! What tasks are made of: the task itself, its status, why it failed, and how tasks of one call name each other.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::json::Json;
use crate::methods::message::Priority;
use crate::names::{AgentName, Label, Role};
use crate::revision::{Revision, TaskId};
use crate::scalar::Scalar;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TaskStatus")]
pub enum Status {
    /// A dependency is open.
    Blocked,
    /// Its delay or its backoff lasts.
    Delayed,
    /// Ready to be claimed.
    Pending,
    /// Claimed.
    InProgress,
    /// Done, and waits for somebody else's approval.
    PendingReview,
    /// Done.
    Completed,
    /// Given up.
    Failed,
    /// Called off.
    Cancelled,
}

impl Status {
    /// Every status, in the order of a task's life.
    pub const ALL: [Self; 8] = [
        Self::Blocked,
        Self::Delayed,
        Self::Pending,
        Self::InProgress,
        Self::PendingReview,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether nothing more will be done about the task, unless it is retried.
    #[must_use]
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Delayed => "delayed",
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::PendingReview => "pending_review",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a task failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "TaskWhy")]
pub enum Why {
    /// Something it depends on failed or was cancelled.
    Dependency,
    /// Its attempts are used up.
    Attempts,
    /// Its holder said that trying again is of no use.
    Error,
}

/// What becomes of a task when one that it depends on fails or is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnDependencyFailure {
    /// It fails too.
    #[default]
    Fail,
    /// It runs all the same.
    Run,
}

/// A task. Absent members are null.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct Task {
    /// The task's id.
    pub id: TaskId,
    /// What is to be done, in a line.
    pub title: String,
    /// What is to be done, for people.
    pub description: Option<String>,
    /// What is to be done, for programs.
    pub payload: Option<Json>,
    /// Where it stands.
    pub status: Status,
    /// Why it failed.
    pub why: Option<Why>,
    /// What is claimed first.
    pub priority: Priority,
    /// What it can be picked by.
    pub tags: Vec<Label>,
    /// Whose work it is.
    pub role: Option<Role>,
    /// What has to be done before.
    pub depends_on: Vec<TaskId>,
    /// What it is a part of.
    pub parent: Option<TaskId>,
    /// Attempts so far, the one under way included.
    pub attempts: u32,
    /// Attempts at most.
    pub max_attempts: u32,
    /// Who holds it; once it is in review or finished, who held it last.
    pub assignee: Option<AgentName>,
    /// What came out.
    pub result: Option<Json>,
    /// What went wrong at the last attempt that failed.
    pub error: Option<String>,
    /// How far a holder had come, for the next one.
    pub checkpoint: Option<Json>,
    /// How far it is. Of a parent that has none of its own: finished children of all, as in `"2/5"`.
    pub progress: Option<Scalar>,
    /// A note for people.
    pub note: Option<String>,
    /// What the last review said.
    pub comments: Option<String>,
    /// Who created it.
    pub created_by: Option<AgentName>,
    /// When it was created, in Unix milliseconds.
    pub created_at: u64,
    /// When it last changed, in Unix milliseconds.
    pub updated_at: u64,
    /// When its holder's lease ends, in Unix milliseconds.
    pub expires_at: Option<u64>,
}

crate::object!(Task {
    id,
    title,
    description,
    payload,
    status,
    why,
    priority,
    tags,
    role,
    depends_on,
    parent,
    attempts,
    max_attempts,
    assignee,
    result,
    error,
    checkpoint,
    progress,
    note,
    comments,
    created_by,
    created_at,
    updated_at,
    expires_at,
});

/// How many tasks there are of each status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TaskCounts")]
pub struct Counts {
    /// A dependency is open.
    pub blocked: usize,
    /// Delay or backoff lasts.
    pub delayed: usize,
    /// Ready to be claimed.
    pub pending: usize,
    /// Claimed.
    pub in_progress: usize,
    /// Waiting for approval.
    pub pending_review: usize,
    /// Done.
    pub completed: usize,
    /// Given up.
    pub failed: usize,
    /// Called off.
    pub cancelled: usize,
}

impl Counts {
    /// The counter of one status.
    pub fn of(&mut self, status: Status) -> &mut usize {
        match status {
            Status::Blocked => &mut self.blocked,
            Status::Delayed => &mut self.delayed,
            Status::Pending => &mut self.pending,
            Status::InProgress => &mut self.in_progress,
            Status::PendingReview => &mut self.pending_review,
            Status::Completed => &mut self.completed,
            Status::Failed => &mut self.failed,
            Status::Cancelled => &mut self.cancelled,
        }
    }

    /// All tasks.
    #[must_use]
    pub fn total(mut self) -> usize {
        Status::ALL.into_iter().map(|status| *self.of(status)).sum()
    }

    /// The tasks about which nothing more will be done.
    #[must_use]
    pub fn finished(self) -> usize {
        self.completed + self.failed + self.cancelled
    }
}

/// Another task: one that exists, by its id, or one of the same `task.create_many`, by its `ref`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskRef {
    /// An integer on the wire.
    Id(TaskId),
    /// A string on the wire.
    Ref(Label),
}

impl From<TaskId> for TaskRef {
    fn from(id: TaskId) -> Self {
        Self::Id(id)
    }
}

impl Serialize for TaskRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Id(id) => id.serialize(serializer),
            Self::Ref(name) => name.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for TaskRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdOrRef;
        impl Visitor<'_> for IdOrRef {
            type Value = TaskRef;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a task's id, an integer, or a `ref` of this call, a string")
            }
            fn visit_u64<E: de::Error>(self, id: u64) -> Result<TaskRef, E> {
                Ok(TaskRef::Id(Revision(id)))
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<TaskRef, E> {
                Label::new(name).map(TaskRef::Ref).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(IdOrRef)
    }
}

impl JsonSchema for TaskRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TaskRef".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A task's id, or a `ref` of the same call.",
            "type": ["integer", "string"],
        })
    }
}
