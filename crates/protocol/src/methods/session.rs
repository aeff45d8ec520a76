//! `session.*`: who a connection is, and how it comes back.
//!
//! A session is one client identity with its subscriptions and session-bound leases; one connection at a time,
//! resumable within its grace. `session.open` is optional, but comes first and once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::RequestId;
use crate::limits::{Limits, known_limits};
use crate::names::{AgentName, Label, Namespace};
use crate::params::optional_object;
use crate::version::VersionRange;

/// `session.open`: names this connection's namespace and agent, or takes an earlier session over.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// The protocol versions that the client speaks; default: the daemon's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<VersionRange>,
    /// The board to work on; default `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// The agent that this session acts for; default: none yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// The program at the other end, for people and logs.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub client: Option<Program>,
    /// The `resume_token` of the session to take over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
}

/// A program's name and version, as it says itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The program's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Label>,
    /// The program's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Label>,
    /// The program's process id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// The daemon, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Server {
    /// The program's name: `callboard`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The answer to `session.open`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Opened {
    /// The protocol version in force.
    pub protocol: u32,
    /// The daemon.
    pub server: Server,
    /// Changes when in-memory state was lost.
    pub instance_id: String,
    /// Names this session in logs and lists.
    pub session_id: String,
    /// Takes this session over from another connection.
    pub resume_token: String,
    /// Whether an earlier session was taken over.
    pub resumed: bool,
    /// The board in force.
    pub namespace: Namespace,
    /// The agent in force.
    pub agent: Option<AgentName>,
    /// How many sessions the agent has now, this one included; 0 without an agent.
    pub sessions: usize,
    /// The durability mode in force.
    pub durability: Durability,
    /// How long this session outlives a lost connection, in milliseconds.
    pub grace_ms: u64,
    /// The limits in force.
    #[serde(deserialize_with = "known_limits")]
    pub limits: Limits,
}

/// What an acknowledged change survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Nothing: all is lost with the process.
    Memory,
    /// What the last snapshot holds, and a clean stop.
    Snapshot,
    /// A crash of the daemon.
    Journal,
    /// A power cut.
    Sync,
    /// Writing failed: changes are refused until a snapshot succeeds.
    Failed,
}

/// `session.close`: ends the session now.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// Whether the agent leaves too, with its agent-bound leases; default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave: Option<bool>,
}

/// `session.cancel`: withdraws a request of this connection that waits.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// The id of the request that waits.
    pub id: RequestId,
}

/// The answer to `session.cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancelled {
    /// Whether a request with that id still waited.
    pub cancelled: bool,
}

/// `session.unsubscribe`: ends one subscription of this session.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unsubscribe {
    /// The subscription to end.
    pub subscription: u64,
}
