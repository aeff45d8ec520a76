//! `agent.*`: who is here, for what, and how they are doing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::{Json, clearable};
use crate::limits::LABELS_MAX;
use crate::names::{AgentName, Label, Role};
use crate::params::{ListLimit, Params, TtlMs};
use crate::scalar::{Object, Scalar};

/// What an agent says it is doing.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "AgentStatus")]
pub enum Status {
    /// Free.
    #[default]
    Idle,
    /// At work.
    Working,
    /// Waiting for somebody.
    Blocked,
    /// Not to be disturbed.
    Away,
}

/// `agent.register`: says who this session's agent is and what it is for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// The session's own agent, or the name for one that has none; default: the daemon picks one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<AgentName>,
    /// What it can be addressed by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What it can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = LABELS_MAX))]
    pub capabilities: Option<Vec<Label>>,
    /// What it is, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Anything else, an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Object>,
    /// How long presence outlasts the last call; default 120000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<TtlMs>,
}

/// The answer to `agent.register`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// The agent's name.
    pub name: AgentName,
    /// Whether the name was new.
    pub created: bool,
}

/// `agent.heartbeat`: the agent is alive. Without members it changes nothing but that.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// What it is doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// On which task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Scalar>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Scalar>,
}

/// `agent.update`: changes what is given; null clears.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// What it is doing; cleared it is idle.
    #[serde(default, deserialize_with = "clearable::deserialize", skip_serializing_if = "Option::is_none")]
    pub status: Option<Option<Status>>,
    /// On which task.
    #[serde(default, deserialize_with = "clearable::deserialize", skip_serializing_if = "Option::is_none")]
    pub task: Option<Option<Scalar>>,
    /// A note for people.
    #[serde(default, deserialize_with = "clearable::deserialize", skip_serializing_if = "Option::is_none")]
    pub note: Option<Option<String>>,
    /// How far it is.
    #[serde(default, deserialize_with = "clearable::deserialize", skip_serializing_if = "Option::is_none")]
    pub progress: Option<Option<Scalar>>,
    /// What it can be addressed by.
    #[serde(default, deserialize_with = "clearable::deserialize", skip_serializing_if = "Option::is_none")]
    pub role: Option<Option<Role>>,
    /// What it can do.
    #[serde(default, deserialize_with = "clearable::deserialize", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = LABELS_MAX))]
    pub capabilities: Option<Option<Vec<Label>>>,
    /// Anything else, an object.
    #[serde(default, deserialize_with = "clearable::deserialize", skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Option<Object>>,
}

/// `agent.list`: in order of names.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only this role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Only this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Only those with this capability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capability: Option<Label>,
    /// Only those that are live (or, with false, not).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<bool>,
    /// Entries at most; default 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<ListLimit>,
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// An agent as others see it. Absent members are null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Agent {
    /// Its name.
    pub name: AgentName,
    /// What it can be addressed by.
    pub role: Option<Role>,
    /// What it can do.
    pub capabilities: Vec<Label>,
    /// What it is, for people.
    pub description: Option<String>,
    /// Anything else, an object.
    pub metadata: Option<Object>,
    /// What it is doing.
    pub status: Status,
    /// On which task.
    pub task: Option<Scalar>,
    /// A note for people.
    pub note: Option<String>,
    /// How far it is.
    pub progress: Option<Scalar>,
    /// Whether it can be addressed by role.
    pub live: bool,
    /// Its sessions, connected or in grace.
    pub sessions: usize,
    /// When it was first registered, in Unix milliseconds.
    pub registered_at: u64,
    /// When it last called, in Unix milliseconds.
    pub last_seen_at: u64,
    /// Locks it holds.
    pub locks: usize,
    /// Messages queued in its inbox.
    pub inbox: usize,
    /// Tasks it has claimed.
    pub claimed: usize,
}

/// The answer to `agent.list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListResult {
    /// The agents.
    pub agents: Vec<Agent>,
    /// There while more follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `agent.get`: one agent; unknown: `not_found`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// Its name.
    pub name: AgentName,
}

/// The answer to `agent.get`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GetResult {
    /// The agent.
    pub agent: Agent,
}

/// `agent.remove`: for a person. Its leases end, its sessions lose it, its queued messages become dead.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    /// Its name.
    pub name: AgentName,
}

impl Params for Register {
    fn each_payload(&self, visit: &mut dyn FnMut(&'static str, &Json)) {
        if let Some(metadata) = &self.metadata {
            visit("metadata", metadata.as_json());
        }
    }
}

impl Params for Update {
    fn each_payload(&self, visit: &mut dyn FnMut(&'static str, &Json)) {
        if let Some(Some(metadata)) = &self.metadata {
            visit("metadata", metadata.as_json());
        }
    }
}

/// `agent.watch`: agents that join, change and leave, as events.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Watch {}
