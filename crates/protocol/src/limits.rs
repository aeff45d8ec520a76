//! Every limit of the protocol, with its unit and its reason. Nothing else in the house holds a number that a client can run into.
//!
//! [`Limits`] are those that the configuration may change and `session.open` reports; the constants are fixed by the protocol.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// A namespace's name, in bytes: fits a path component everywhere.
pub const NAMESPACE_BYTES_MAX: usize = 255;
/// An agent's or a role's name, in bytes: fits a table column.
pub const AGENT_NAME_BYTES_MAX: usize = 64;
/// A key, a lock name or a topic, in bytes: long enough for a deep path.
pub const KEY_BYTES_MAX: usize = 512;
/// The largest frame that can be configured: the first byte of a length must stay `0x00`.
pub const FRAME_BYTES_CEILING: usize = (1 << 24) - 1;
/// Nesting of one value or payload: what every client's JSON parser reads.
pub const VALUE_DEPTH_MAX: usize = 64;
/// Nesting of a whole frame: a value inside a transaction inside its envelope, with room.
pub const FRAME_DEPTH_MAX: usize = 80;
/// The largest integer that every JSON client reads exactly: 2^53 - 1.
pub const INTEGER_MAX: i64 = (1 << 53) - 1;
/// A TTL at most: 10 years, in milliseconds.
pub const TTL_MS_MAX: u64 = 10 * 365 * 24 * 3600 * 1000;
/// A wait at most: 24 h, in milliseconds.
pub const WAIT_MS_MAX: u64 = 24 * 3600 * 1000;
/// Entries of a list when the caller names no number.
pub const LIST_LIMIT_DEFAULT: usize = 100;
/// Entries of a list at most.
pub const LIST_LIMIT_MAX: usize = 1000;
/// Keys of one `kv.get_many`.
pub const GET_MANY_KEYS_MAX: usize = 1000;
/// Operations of one `kv.txn`, in each of its three lists.
pub const TXN_OPS_MAX: usize = 64;
/// Names of one `lock.acquire`.
pub const LOCK_KEYS_MAX: usize = 64;
/// Conflicts that one `lock_held` lists before it says `more`.
pub const CONFLICTS_MAX: usize = 100;
/// Messages of one `message.receive`.
pub const RECEIVE_MAX: usize = 1000;
/// Unacked messages of one subscription.
pub const CREDIT_MAX: usize = 10_000;
/// Recipients of one message, named one by one.
pub const RECIPIENTS_MAX: usize = 1000;
/// Deliveries of one message to one recipient before it is dead.
pub const ATTEMPTS_MAX: u32 = 5;
/// A free text (reason, description, subject, note), in bytes: a paragraph, not a document.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Tags, capabilities or message types in one list.
pub const LABELS_MAX: usize = 64;

/// A TTL of a lock when none is given: 5 min, in milliseconds.
pub const LOCK_TTL_MS_DEFAULT: u64 = 300_000;
/// A message's time to live when none is given: 24 h, in milliseconds.
pub const MESSAGE_TTL_MS_DEFAULT: u64 = 86_400_000;
/// The lease of a delivered message when none is given: 1 min, in milliseconds.
pub const MESSAGE_LEASE_MS_DEFAULT: u64 = 60_000;
/// How long `message.request` waits when nothing is said: 30 s, in milliseconds.
pub const REQUEST_TIMEOUT_MS_DEFAULT: u64 = 30_000;
/// Unacked messages of a subscription when none is given.
pub const CREDIT_DEFAULT: usize = 16;
/// How long a dedupe key is remembered: 2 min, in milliseconds.
pub const DEDUPE_MS: u64 = 120_000;
/// How long the header of a finished message is kept at least: 60 s, in milliseconds.
pub const FINISHED_MESSAGE_MS: u64 = 60_000;
/// How long a dead message is kept with its payload: 7 days, in milliseconds.
pub const DEAD_MESSAGE_MS: u64 = 7 * 24 * 3600 * 1000;
/// Headers of finished messages in one namespace.
pub const FINISHED_MESSAGES_MAX: usize = 100_000;
/// Tasks of one `task.create_many`.
pub const CREATE_MANY_MAX: usize = 1000;
/// What one task may depend on.
pub const DEPENDENCIES_MAX: usize = 1000;
/// Tasks of one `task.wait`.
pub const WAIT_TASKS_MAX: usize = 1000;
/// The lease of a claimed task when none is given: 5 min, in milliseconds.
pub const TASK_LEASE_MS_DEFAULT: u64 = 300_000;
/// Attempts at a task before it fails, when no number is given.
pub const TASK_ATTEMPTS_DEFAULT: u32 = 3;
/// Attempts at a task that can be asked for.
pub const TASK_ATTEMPTS_MAX: u32 = 1000;
/// How long a task rests after its first attempt that failed, when nothing is said: 1 s, in milliseconds.
pub const TASK_BACKOFF_MS_DEFAULT: u64 = 1000;
/// How long a finished task is kept: 7 days, in milliseconds.
pub const FINISHED_TASK_MS: u64 = 7 * 24 * 3600 * 1000;
/// Children whose results one `task.get` of their parent lists before it says `more`.
pub const CHILD_RESULTS_MAX: usize = 100;
/// Options of one vote.
pub const VOTE_OPTIONS_MAX: usize = 64;
/// Voters of one vote: each is a recipient of its messages.
pub const VOTERS_MAX: usize = RECIPIENTS_MAX;
/// Votes of one namespace, open ones and closed ones that are kept.
pub const VOTES_MAX: usize = 10_000;
/// How long a closed vote is kept: 7 days, in milliseconds.
pub const CLOSED_VOTE_MS: u64 = 7 * 24 * 3600 * 1000;
/// Buckets of one namespace that are not full.
pub const LIMITERS_MAX: usize = 10_000;
/// Tokens that a bucket may hold, and that may come to it at once.
pub const LIMITER_TOKENS_MAX: u64 = 1_000_000_000;
/// How long presence outlasts an agent's last call when nothing is said: 2 min, in milliseconds.
pub const PRESENCE_TTL_MS_DEFAULT: u64 = 120_000;
/// How long a name that left is remembered: 24 h, in milliseconds.
pub const FORGET_AGENT_MS: u64 = 24 * 3600 * 1000;
/// What a lease has left at least after a restart: 5 s, in milliseconds.
pub const RESTART_LEASE_MS_MIN: u64 = 5000;
/// `deadline_soon` comes for TTLs of this length and more: 10 s, in milliseconds.
pub const DEADLINE_SOON_TTL_MS_MIN: u64 = 10_000;

/// The limits in force. Defaults are the contract's; the configuration may change each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// A frame or line, in bytes: 4 MiB. At most 2^24 - 1.
    pub frame_bytes: usize,
    /// One value or payload as sent, in bytes of JSON text: 1 MiB.
    pub value_bytes: usize,
    /// Connections of the daemon.
    pub connections: usize,
    /// Requests of one connection that wait.
    pub waiting_per_connection: usize,
    /// Subscriptions of one session.
    pub subscriptions_per_session: usize,
    /// Namespaces of the daemon.
    pub namespaces: usize,
    /// Keys of one namespace.
    pub keys: usize,
    /// Agents of one namespace, unregistered names with an inbox included.
    pub agents: usize,
    /// Locks of one namespace.
    pub locks: usize,
    /// Waiting lock requests of one namespace.
    pub lock_waiters: usize,
    /// Tasks of one namespace.
    pub tasks: usize,
    /// Events that a namespace keeps for `from_revision`.
    pub watch_history: usize,
    /// Bytes of the events that a namespace keeps for `from_revision`: 64 MiB.
    pub watch_history_bytes: usize,
    /// Messages queued, delayed or leased in one inbox.
    pub inbox_depth: usize,
    /// Messages from one agent to another within a second; 0: as many as they like.
    pub pair_messages_per_second: usize,
    /// Turns that two agents take in one thread within a minute, before one of them is stopped; 0: as many as they like.
    pub thread_turns_per_minute: usize,
    /// Unsent output of one session above which it is slow, in bytes: 8 MiB.
    pub outbound_soft_bytes: usize,
    /// How long a session may stay slow before its events are dropped, in milliseconds: 10 s.
    pub outbound_soft_ms: u64,
    /// Unsent output of one session at which its events are dropped at once, in bytes: 32 MiB.
    pub outbound_hard_bytes: usize,
    /// What all boards together may hold, in bytes as accounted: 1 GiB. Past it, changes that grow are refused.
    pub memory_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 4 << 20,
            value_bytes: 1 << 20,
            connections: 4096,
            waiting_per_connection: 1024,
            subscriptions_per_session: 256,
            namespaces: 1000,
            keys: 1_000_000,
            agents: 10_000,
            locks: 100_000,
            lock_waiters: 1000,
            tasks: 100_000,
            watch_history: 10_000,
            watch_history_bytes: 64 << 20,
            inbox_depth: 10_000,
            pair_messages_per_second: 0,
            thread_turns_per_minute: 120,
            outbound_soft_bytes: 8 << 20,
            outbound_soft_ms: 10_000,
            outbound_hard_bytes: 32 << 20,
            memory_bytes: 1 << 30,
        }
    }
}

/// For `#[serde(deserialize_with = "known_limits")]` on the limits of an answer: those that a newer daemon has besides
/// ours are passed over, while a configuration that names them is refused.
///
/// # Errors
/// When it is no object, or a limit is no number.
pub fn known_limits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Limits, D::Error> {
    let mut members = serde_json::Map::deserialize(deserializer)?;
    let known = serde_json::to_value(Limits::default()).map_err(D::Error::custom)?;
    members.retain(|name, _| known.get(name).is_some());
    serde_json::from_value(members.into()).map_err(D::Error::custom)
}
