//! `lock.*`: exclusive and shared grants over names and patterns, all or none, first come first served, fenced by a token.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::LOCK_KEYS_MAX;
use crate::names::AgentName;
use crate::params::{ListLimit, TtlMs, WaitMs};
use crate::revision::Token;

/// Whether a grant tolerates others of its kind.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nobody else.
    #[default]
    Exclusive,
    /// Others that are shared too.
    Shared,
}

/// What ends a lease early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bind {
    /// The end of the session that took it.
    Session,
    /// The agent's leaving or removal.
    Agent,
}

/// `lock.acquire`: all names or none.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acquire {
    /// 1 to 64 names or patterns.
    #[schemars(length(min = 1, max = LOCK_KEYS_MAX))]
    pub keys: Vec<String>,
    /// Default exclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Default 300000; a session-bound lock without it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<TtlMs>,
    /// How long to wait for what stands in the way; default 0: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<WaitMs>,
    /// Default agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<Bind>,
    /// Why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The answer to `lock.acquire`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acquired {
    /// The fencing token.
    pub token: Token,
    /// The names, normalised.
    pub keys: Vec<String>,
    /// The mode.
    pub mode: Mode,
    /// The TTL, or null for none.
    pub ttl_ms: Option<u64>,
    /// When it ends, in Unix milliseconds, or null for never.
    pub expires_at: Option<u64>,
    /// How long it waited.
    pub waited_ms: u64,
    /// True when the agent held these names already and the TTL started anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended: Option<bool>,
}

/// What stands in the way of a name: a grant, or an earlier waiter (`token` null, `waiting` true).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conflict {
    /// The name asked for.
    pub key: String,
    /// Who holds or waits.
    pub agent: AgentName,
    /// All the names of that grant or waiter.
    pub keys: Vec<String>,
    /// Its mode.
    pub mode: Mode,
    /// The grant's token; null for a waiter.
    pub token: Option<Token>,
    /// True for a waiter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<bool>,
    /// Why, for people.
    pub reason: Option<String>,
    /// When it was granted, in Unix milliseconds.
    pub acquired_at: Option<u64>,
    /// When it ends, in Unix milliseconds.
    pub expires_at: Option<u64>,
    /// How many waiters it blocks.
    pub waiters: usize,
}

/// One edge of a deadlock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CycleEdge {
    /// Who waits.
    pub agent: AgentName,
    /// For whom.
    pub waits_for: AgentName,
    /// For which names.
    pub keys: Vec<String>,
}

/// `lock.extend`: the TTL starts anew.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// The grant's token.
    pub token: Token,
    /// A new TTL; default the grant's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<TtlMs>,
}

/// The answer to an extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Extended {
    /// When the lease ends now, in Unix milliseconds, or null for never.
    pub expires_at: Option<u64>,
}

/// `lock.release`: by token, or each own grant whose names are all among `keys`. Exactly one of both.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The grant's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// 1 to 64 names or patterns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = LOCK_KEYS_MAX))]
    pub keys: Option<Vec<String>>,
}

/// The answer to `lock.release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Released {
    /// How many grants ended.
    pub released: usize,
}

/// `lock.check`: whether `lock.acquire` with `wait_ms` 0 would succeed now. Changes nothing.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// 1 to 64 names or patterns.
    #[schemars(length(min = 1, max = LOCK_KEYS_MAX))]
    pub keys: Vec<String>,
    /// Default exclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// The answer to `lock.check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// Whether nothing stands in the way.
    pub free: bool,
    /// What does, at most 100.
    pub conflicts: Vec<Conflict>,
    /// True when there is more than `conflicts` lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<bool>,
}

/// `lock.list`: grants and waiters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only those with a name that begins with this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Only this agent's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// Entries at most; default 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<ListLimit>,
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// One grant of `lock.list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// The fencing token.
    pub token: Token,
    /// The holder.
    pub agent: AgentName,
    /// The names.
    pub keys: Vec<String>,
    /// The mode.
    pub mode: Mode,
    /// What it is bound to.
    pub bind: Bind,
    /// Why, for people.
    pub reason: Option<String>,
    /// When it was granted, in Unix milliseconds.
    pub acquired_at: u64,
    /// When it ends, in Unix milliseconds, or null for never.
    pub expires_at: Option<u64>,
}

/// One waiter of `lock.list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// Who waits.
    pub agent: AgentName,
    /// For which names.
    pub keys: Vec<String>,
    /// In which mode.
    pub mode: Mode,
    /// 1 + the earlier waiters it waits for.
    pub position: usize,
    /// How long it has waited.
    pub waited_ms: u64,
    /// For whom.
    pub waits_for: Vec<AgentName>,
}

/// The answer to `lock.list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListResult {
    /// The grants, oldest first.
    pub locks: Vec<Held>,
    /// The waiters, longest waiting first; they follow the grants in the pages.
    pub waiters: Vec<Waiting>,
    /// There while more follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `lock.break`: ends somebody's grant. For a person; logged.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Break {
    /// The grant's token.
    pub token: Token,
    /// Why; not empty.
    pub reason: String,
}

/// The answer to `lock.break`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Broken {
    /// Whether the grant was live.
    pub broken: bool,
}
