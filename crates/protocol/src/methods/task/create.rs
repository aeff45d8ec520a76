//! `task.create` and `task.create_many`: one table of members for both, so that they can't drift apart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OnDependencyFailure, Task, TaskRef};
use crate::json::{Json, present};
use crate::limits::{CREATE_MANY_MAX, DEPENDENCIES_MAX, LABELS_MAX, TASK_ATTEMPTS_MAX};
use crate::methods::message::Priority;
use crate::names::{Label, Role};
use crate::params::{Params, WaitMs};
use crate::revision::TaskId;

macro_rules! new_task {
    ($(#[$about:meta])* $name:ident of $other:ty { $($(#[$doc:meta])* $member:ident: $member_type:ty,)* }) => {
        #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        $(#[$about])*
        pub struct $name {
            $(
                $(#[$doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $member: $member_type,
            )*
            /// What is to be done, in a line; not empty.
            pub title: String,
            /// What is to be done, for people.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub description: Option<String>,
            /// What is to be done, for programs: any JSON.
            #[serde(default, deserialize_with = "present::deserialize", skip_serializing_if = "Option::is_none")]
            pub payload: Option<Json>,
            /// What is claimed first; default normal.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub priority: Option<Priority>,
            /// What it can be picked by.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(length(max = LABELS_MAX))]
            pub tags: Option<Vec<Label>>,
            /// Only agents of this role may claim it.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub role: Option<Role>,
            /// What has to be completed before.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(length(max = DEPENDENCIES_MAX))]
            pub depends_on: Option<Vec<$other>>,
            /// What it is a part of.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub parent: Option<$other>,
            /// When it may first be claimed, from now; default 0.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub delay_ms: Option<u64>,
            /// Attempts before it fails, 1 to 1000; default 3.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(range(min = 1, max = TASK_ATTEMPTS_MAX))]
            pub max_attempts: Option<u32>,
            /// How long it rests after the first attempt that failed, doubled after each further one; default 1000.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub backoff_ms: Option<WaitMs>,
            /// What becomes of it when a dependency fails or is cancelled; default fail.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub on_dependency_failure: Option<OnDependencyFailure>,
            /// Whether somebody else has to approve of it once it is done; default false.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub review: Option<bool>,
            /// The same key from the same creator within 2 min gives the first task again.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub dedupe_key: Option<Label>,
        }
    };
}

new_task! {
    /// `task.create`.
    Create of TaskId {}
}

new_task! {
    /// One task of `task.create_many`.
    #[schemars(rename = "TaskDraft")]
    Draft of TaskRef {
        /// What `depends_on` and `parent` of others in the same call may name it by.
        r#ref: Option<Label>,
    }
}

impl From<Create> for Draft {
    fn from(create: Create) -> Self {
        let references = |ids: Vec<TaskId>| ids.into_iter().map(TaskRef::from).collect();
        Self {
            r#ref: None,
            title: create.title,
            description: create.description,
            payload: create.payload,
            priority: create.priority,
            tags: create.tags,
            role: create.role,
            depends_on: create.depends_on.map(references),
            parent: create.parent.map(TaskRef::from),
            delay_ms: create.delay_ms,
            max_attempts: create.max_attempts,
            backoff_ms: create.backoff_ms,
            on_dependency_failure: create.on_dependency_failure,
            review: create.review,
            dedupe_key: create.dedupe_key,
        }
    }
}

/// The answer to `task.create`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct Created {
    /// The task.
    pub task: Task,
    /// True when `dedupe_key` gave the first task again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<bool>,
}

crate::object!(sparse Created { task, duplicate });

/// `task.create_many`: all of them or none.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMany {
    /// 1 to 1000 tasks.
    #[serde(deserialize_with = "crate::params::objects")]
    #[schemars(length(min = 1, max = CREATE_MANY_MAX))]
    pub tasks: Vec<Draft>,
}

impl Params for Create {
    fn each_payload(&self, visit: &mut dyn FnMut(&'static str, &Json)) {
        self.payload.iter().for_each(|payload| visit("payload", payload));
    }
}

impl Params for CreateMany {
    fn each_payload(&self, visit: &mut dyn FnMut(&'static str, &Json)) {
        self.tasks
            .iter()
            .filter_map(|draft| draft.payload.as_ref())
            .for_each(|payload| visit("payload", payload));
    }
}
