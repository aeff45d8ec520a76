//! `kv.*`: the keyspace. Keys have a value, a revision and perhaps a TTL; changes can be conditional, grouped and watched.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::{Json, clearable, present};
use crate::limits::{GET_MANY_KEYS_MAX, TXN_OPS_MAX};
use crate::names::{AgentName, Key};
use crate::object;
use crate::params::{ListLimit, Params, TtlMs, objects, optional_object};
use crate::revision::{Revision, Token};

/// A condition of a change: the token's lock is live and covers `key`. Else `stale_token`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IfLock {
    /// A lock name that the grant must cover.
    pub key: String,
    /// The grant's fencing token.
    pub token: Token,
}

/// `kv.set`: gives a key a value.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// The key.
    pub key: Key,
    /// Any JSON, null too.
    pub value: Json,
    /// When the key ends, from now; without it (and `keep_ttl`) the key has no TTL afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<TtlMs>,
    /// Only if the key is absent, else `already_exists`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub if_absent: Option<bool>,
    /// Only at this revision (0: absent), else `revision_mismatch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub if_revision: Option<Revision>,
    /// Keeps the TTL that the key has; not with `ttl_ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_ttl: Option<bool>,
    /// Only under this lock.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub if_lock: Option<IfLock>,
}

/// The answer to `kv.set`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct SetResult {
    /// The key's new revision.
    pub revision: Revision,
    /// Whether the key was absent.
    pub created: bool,
}

object!(SetResult { revision, created });

/// `kv.get`: one key. A missing key is no error.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// The key.
    pub key: Key,
}

/// A key as it stands. All but `exists` (and `key` in `kv.get_many`) are there only when it exists.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
pub struct GetResult {
    /// Whether the key exists.
    pub exists: bool,
    /// The key, in `kv.get_many`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The value, as written.
    #[serde(default, deserialize_with = "present::deserialize", skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// The revision of its last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// What is left of its TTL in milliseconds, or null for none.
    #[serde(default, deserialize_with = "clearable::deserialize", skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<Option<u64>>,
    /// When it last changed, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<u64>,
    /// Who last changed it, or null for a session without an agent.
    #[serde(default, deserialize_with = "clearable::deserialize", skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<Option<AgentName>>,
}

object!(sparse GetResult { exists, key, value, revision, ttl_ms, updated_at, updated_by });

/// `kv.get_many`: up to 1000 keys, answered in order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetMany {
    /// The keys, at most 1000.
    #[schemars(length(max = GET_MANY_KEYS_MAX))]
    pub keys: Vec<Key>,
}

/// The answer to `kv.get_many`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GetManyResult {
    /// One entry for each key asked for, in order.
    pub entries: Vec<GetResult>,
}

/// `kv.delete`: ends a key.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// The key.
    pub key: Key,
    /// Only at this revision, else `revision_mismatch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub if_revision: Option<Revision>,
    /// Only under this lock.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub if_lock: Option<IfLock>,
}

/// The answer to `kv.delete`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeleteResult {
    /// Whether the key was there.
    pub deleted: bool,
}

/// `kv.list`: keys in byte order.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only keys that begin with this; default all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Entries at most; default 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<ListLimit>,
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Whether to give values; default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<bool>,
}

/// One key of `kv.list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// The key.
    pub key: Key,
    /// The revision of its last change.
    pub revision: Revision,
    /// What is left of its TTL in milliseconds, or null for none.
    pub ttl_ms: Option<u64>,
    /// The value, if asked for.
    #[serde(default, deserialize_with = "present::deserialize", skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
}

/// The answer to `kv.list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListResult {
    /// The keys, in byte order.
    pub entries: Vec<Listed>,
    /// There while more follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `kv.increment`: adds to an integer; a missing key counts as 0.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Increment {
    /// The key.
    pub key: Key,
    /// What to add; default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<i64>,
    /// The TTL, applied only when this creates the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<TtlMs>,
}

/// The answer to `kv.increment`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IncrementResult {
    /// The sum.
    pub value: i64,
    /// The key's new revision.
    pub revision: Revision,
}

/// `kv.expire`: changes the TTL alone; not the revision, and watchers hear nothing.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["key", "ttl_ms"]))]
pub struct Expire {
    /// The key.
    pub key: Key,
    /// The new TTL from now, or null for none.
    #[serde(default, deserialize_with = "clearable::deserialize", skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<Option<TtlMs>>,
}

/// The answer to `kv.expire`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpireResult {
    /// Whether the key is there.
    pub exists: bool,
}

/// One condition of `kv.txn`: the key is at this revision (0: absent).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The key.
    pub key: Key,
    /// The revision it must be at; 0 means absent.
    pub revision: Revision,
}

/// One operation of `kv.txn`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// As `kv.set`.
    Set(Set),
    /// As `kv.delete`.
    Delete(Delete),
    /// As `kv.get`.
    Get(Get),
}

/// `kv.txn`: if all conditions hold `then`, otherwise `else`; each at most 64 operations, all or nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Txn {
    /// The conditions.
    #[serde(default, rename = "if", deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = TXN_OPS_MAX))]
    pub conditions: Vec<Condition>,
    /// What to do when all hold.
    #[schemars(length(max = TXN_OPS_MAX))]
    pub then: Vec<Operation>,
    /// What to do otherwise.
    #[serde(default, rename = "else", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = TXN_OPS_MAX))]
    pub otherwise: Option<Vec<Operation>>,
}

/// The answer to `kv.txn`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TxnResult {
    /// Whether the conditions held.
    pub succeeded: bool,
    /// Each operation's own result, in order.
    pub results: Vec<Json>,
}

/// `kv.watch`: the changes of one key, or of all keys with a prefix. Gives exactly one of `key` and `prefix`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// The key to watch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The prefix to watch; empty means all keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The first revision wanted, inclusive; not with `initial`. Older than the kept history: `compacted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_revision: Option<Revision>,
    /// Whether each present key comes first, then `kv.synced`; default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial: Option<bool>,
}

/// The answer to `kv.watch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchResult {
    /// Names the subscription in events and in `session.unsubscribe`.
    pub subscription: u64,
    /// The namespace's revision now.
    pub revision: Revision,
}

impl Params for Set {
    fn each_payload(&self, visit: &mut dyn FnMut(&'static str, &Json)) {
        visit("value", &self.value);
    }
}

impl Params for Txn {
    fn each_payload(&self, visit: &mut dyn FnMut(&'static str, &Json)) {
        for operation in self.then.iter().chain(self.otherwise.iter().flatten()) {
            if let Operation::Set(set) = operation {
                set.each_payload(visit);
            }
        }
    }
}
