//! `task.*`: work that is shared out: claimed under a lease, tried again, done in the order of its dependencies.

mod create;
mod look;
mod parts;

pub use create::{Create, CreateMany, Created, Draft};
pub use look::{
    ChildResult, Children, Count, Get, GetResult, Graph, GraphResult, List, ListResult, Next, NextResult,
    Node, Wait, WaitMode, Watch,
};
pub use parts::{Counts, OnDependencyFailure, Status, Task, TaskRef, Why};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::{Json, clearable, present};
use crate::limits::LABELS_MAX;
use crate::methods::lock::Bind;
use crate::methods::message::Priority;
use crate::names::{Label, Role};
use crate::params::{Params, TtlMs, WaitMs};
use crate::revision::{TaskId, Token};
use crate::scalar::Scalar;

/// Several tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Several {
    /// The tasks.
    pub tasks: Vec<Task>,
}

/// The answer of a verb that has none of its own.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct One {
    /// The task as it is now.
    pub task: Task,
}

crate::object!(One { task });

/// `task.claim`: takes the task that comes first, or the one with this id.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Only this one; not with `tags` or `role`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<TaskId>,
    /// Only tasks that have all of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = LABELS_MAX))]
    pub tags: Option<Vec<Label>>,
    /// Only tasks for this role; default: those for the caller's role and those for anybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// How long to wait for one; default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<WaitMs>,
    /// How long it may be held without an extension; default 300000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<TtlMs>,
    /// Default session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<Bind>,
}

/// The answer to `task.claim`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct Claimed {
    /// The task; null when nothing was ready in time.
    pub task: Option<Task>,
    /// The fencing token; there with a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
}

crate::object!(sparse Claimed { task, token });

impl Claimed {
    /// The task and the token that settles it, or nothing: `while let Some((task, token)) = claimed.taken()`.
    #[must_use]
    pub fn taken(self) -> Option<(Task, Token)> {
        self.task.zip(self.token)
    }
}

/// `task.extend`: the lease starts anew; says how far it is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// The claim's token.
    pub token: Token,
    /// A new length; default the claim's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<TtlMs>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Scalar>,
    /// A note for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What the next holder needs to go on from here: any JSON.
    #[serde(default, deserialize_with = "present::deserialize", skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Json>,
}

/// `task.complete`: done.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Complete {
    /// The claim's token.
    pub token: Token,
    /// What came out: any JSON.
    #[serde(default, deserialize_with = "present::deserialize", skip_serializing_if = "Option::is_none")]
    pub result: Option<Json>,
}

/// `task.fail`: this attempt came to nothing.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    /// The claim's token.
    pub token: Token,
    /// What went wrong.
    pub error: String,
    /// Whether trying again may help; default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
}

/// `task.release`: gives a claim back; costs no attempt.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The claim's token.
    pub token: Token,
    /// Why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `task.review`: approves of what was done, or has it done again. Not by whoever did it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// The task's id.
    pub id: TaskId,
    /// Whether it is good.
    pub approve: bool,
    /// What is to be said about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comments: Option<String>,
}

/// `task.cancel`: calls a task off.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// The task's id.
    pub id: TaskId,
}

/// `task.retry`: a failed or cancelled task starts anew, with those that failed because of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The task's id.
    pub id: TaskId,
}

/// `task.update`: changes what is given; null clears.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// The task's id.
    pub id: TaskId,
    /// What is claimed first; cleared it is normal.
    #[serde(default, deserialize_with = "clearable::deserialize", skip_serializing_if = "Option::is_none")]
    pub priority: Option<Option<Priority>>,
    /// What it can be picked by.
    #[serde(default, deserialize_with = "clearable::deserialize", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = LABELS_MAX))]
    pub tags: Option<Option<Vec<Label>>>,
    /// What is to be done, for people.
    #[serde(default, deserialize_with = "clearable::deserialize", skip_serializing_if = "Option::is_none")]
    pub description: Option<Option<String>>,
    /// A note for people.
    #[serde(default, deserialize_with = "clearable::deserialize", skip_serializing_if = "Option::is_none")]
    pub note: Option<Option<String>>,
}

impl Params for Extend {
    fn each_payload(&self, visit: &mut dyn FnMut(&'static str, &Json)) {
        self.checkpoint.iter().for_each(|checkpoint| visit("checkpoint", checkpoint));
    }
}

impl Params for Complete {
    fn each_payload(&self, visit: &mut dyn FnMut(&'static str, &Json)) {
        self.result.iter().for_each(|result| visit("result", result));
    }
}
