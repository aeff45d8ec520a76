//! `server.*` and `namespace.*`: the daemon about itself, and what a person watches.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::{Limits, known_limits};
use crate::methods::session::Durability;
use crate::names::Namespace;
use crate::params::ListLimit;
use crate::revision::Revision;
use crate::version::VersionRange;

/// The answer to `server.info`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Info {
    /// The daemon's version.
    pub version: String,
    /// The protocol versions it speaks.
    pub protocol: VersionRange,
    /// Its process id.
    pub pid: u32,
    /// Changes when in-memory state was lost.
    pub instance_id: String,
    /// When it started, in Unix milliseconds.
    pub started_at: u64,
    /// The socket it listens on.
    pub socket: String,
    /// Its home.
    pub home: String,
    /// The durability mode in force.
    pub durability: Durability,
    /// The limits in force.
    #[serde(deserialize_with = "known_limits")]
    pub limits: Limits,
}

/// The answer to `server.stats`: gauges of now and counters since the start, of the whole daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Milliseconds since the start.
    pub uptime_ms: u64,
    /// Connections open now.
    pub connections: usize,
    /// Sessions now, those in grace included.
    pub sessions: usize,
    /// Requests by method.
    pub requests: BTreeMap<String, u64>,
    /// Errors by kind.
    pub errors: BTreeMap<String, u64>,
    /// Namespaces.
    pub namespaces: usize,
    /// Keys.
    pub keys: usize,
    /// Bytes that all boards hold, as accounted against the memory ceiling.
    pub bytes: usize,
    /// Locks held.
    pub locks: usize,
    /// Lock requests that wait.
    pub waiters: usize,
    /// Inboxes.
    pub inbox: InboxStats,
    /// Tasks by status.
    pub tasks: BTreeMap<String, usize>,
    /// Agents that are live.
    pub agents: usize,
    /// The store.
    pub store: StoreStats,
    /// Events that slow readers missed.
    pub drops: u64,
}

/// All inboxes together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InboxStats {
    /// Messages queued.
    pub queued: usize,
    /// Messages leased.
    pub leased: usize,
    /// Dead messages.
    pub dead: usize,
    /// The age of the oldest queued message, in milliseconds.
    pub oldest_ms: Option<u64>,
}

/// The store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoreStats {
    /// Snapshots written since the start.
    pub snapshots: u64,
    /// Snapshots that failed since the start.
    pub failures: u64,
    /// The last snapshot's size, in bytes.
    pub snapshot_bytes: u64,
    /// How long the last snapshot took, in milliseconds.
    pub snapshot_took_ms: u64,
    /// How many records the snapshot under way has written; 0 when none is under way.
    pub snapshot_progress: u64,
    /// Changes since the last snapshot.
    pub unsaved_changes: u64,
    /// Change records that the boards have handed over since the start.
    pub records: u64,
    /// Bytes of the journal since the last snapshot.
    pub journal_bytes: u64,
    /// Changes that a power cut would take back.
    pub unsynced_changes: u64,
}

/// The answer to `server.snapshot`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshotted {
    /// The file.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// The caller's namespace's revision in it.
    pub revision: Revision,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// `server.shutdown`: a clean stop.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    /// How long to let clients finish first, in milliseconds; default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_ms: Option<u64>,
}

/// A part of a board, as `server.tail` filters by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// Keys.
    Kv,
    /// Locks.
    Lock,
    /// Messages.
    Message,
    /// Topics.
    Topic,
    /// Agents and their sessions.
    Agent,
    /// Tasks.
    Task,
    /// Votes and limiters.
    Coordination,
}

/// `server.tail`: every change of the namespace as a `change` event.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tail {
    /// Only these areas; default all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub areas: Option<Vec<Area>>,
}

/// `namespace.list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListNamespaces {
    /// Entries at most; default 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<ListLimit>,
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// One namespace of `namespace.list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListedNamespace {
    /// Its name.
    pub name: Namespace,
    /// Its keys.
    pub keys: usize,
    /// Its agents.
    pub agents: usize,
    /// Its locks.
    pub locks: usize,
    /// Its tasks.
    pub tasks: usize,
}

/// The answer to `namespace.list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListNamespacesResult {
    /// The namespaces, in order of names.
    pub namespaces: Vec<ListedNamespace>,
    /// There while more follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `namespace.clear`: for a person. Everything of the namespace goes but its counter and its sessions.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clear {
    /// The namespace.
    pub namespace: Namespace,
}

/// The answer to `namespace.clear`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cleared {
    /// How many keys, locks, messages, agents and tasks went.
    pub removed: usize,
}

/// `server.ping`: whether the daemon answers.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ping {}

/// `server.info`: the daemon about itself.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadInfo {}

/// `server.stats`: counters and gauges.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadStats {}

/// `server.snapshot`: writes a snapshot now.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeSnapshot {}
