//! A map of keys, and what operations on it come to.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::watchers::Fold;

/// The keys: enough that more may be due at once than a call works off on its way.
pub const KEYS: [&str; 26] = [
    "a", "a/0", "a/1", "a/2", "a/3", "a/4", "a/5", "a/6", "a/7", "a/8", "b", "b/0", "b/1", "b/2", "b/3",
    "b/4", "b/5", "b/6", "b/7", "b/8", "c", "ca", "cb", "cc", "cd", "ce",
];

/// What an op demands of its key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Condition {
    /// Nothing.
    None,
    /// `if_absent`
    Absent,
    /// `if_revision`, and it holds.
    PresentRevision,
    /// `if_revision`, and it does not hold.
    NeverRevision,
}

/// A revision that nothing has.
pub const NEVER: u64 = 1 << 50;

/// What may also stand in a transaction; keys are places in [`KEYS`].
#[derive(Debug, Clone)]
pub enum Op {
    /// `kv.set`
    Set { key: usize, value: i64, ttl_ms: Option<u64>, keep_ttl: bool, condition: Condition },
    /// `kv.delete`
    Delete { key: usize, condition: Condition },
    /// `kv.get`
    Get { key: usize },
}

/// None, or a TTL that ends soon.
pub fn ttl() -> impl Strategy<Value = Option<u64>> {
    prop::option::weighted(0.6, 1..60u64)
}

/// An op. `own` is the condition that is generated besides the others: inside a transaction nobody knows the present revision.
pub fn op(own: Condition) -> impl Strategy<Value = Op> {
    let condition = move || {
        prop_oneof![
            6 => Just(Condition::None),
            2 => Just(own),
            1 => Just(Condition::Absent),
            1 => Just(Condition::NeverRevision),
        ]
    };
    let key = || 0..KEYS.len();
    prop_oneof![
        6 => (key(), 0..3i64, ttl(), any::<bool>(), condition()).prop_map(|(key, value, ttl_ms, keep_ttl, condition)| {
            Op::Set { key, value, ttl_ms, keep_ttl: keep_ttl && ttl_ms.is_none(), condition }
        }),
        2 => (key(), condition()).prop_map(|(key, condition)| Op::Delete { key, condition }),
        2 => key().prop_map(|key| Op::Get { key }),
    ]
}

/// One key.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its value.
    pub value: i64,
    /// The revision of its last change.
    pub revision: u64,
    /// When its TTL ends, in milliseconds.
    pub due: Option<u64>,
}

/// The map. Entries that are over stay until they are set again: nobody sees them.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// The moment, in milliseconds.
    pub now: u64,
    /// By key.
    pub entries: BTreeMap<&'static str, Entry>,
}

impl Model {
    /// The entry, unless it is over.
    pub fn live(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.due.is_none_or(|due| due > self.now))
    }

    /// The revision that conditions see.
    pub fn revision(&self, key: &str) -> u64 {
        self.live(key).map_or(0, |entry| entry.revision)
    }

    /// The parameters of a condition, and the error that it comes to.
    fn condition(&self, key: &str, condition: Condition, params: &mut Value) -> Option<&'static str> {
        let present = self.revision(key);
        match condition {
            Condition::None => None,
            Condition::Absent => {
                params["if_absent"] = json!(true);
                (present != 0).then_some("already_exists")
            }
            Condition::PresentRevision => {
                params["if_revision"] = json!(present);
                None
            }
            Condition::NeverRevision => {
                params["if_revision"] = json!(NEVER);
                Some("revision_mismatch")
            }
        }
    }

    /// An op's parameters and the error that it comes to.
    pub fn request(&self, op: &Op) -> (&'static str, Value, Option<&'static str>) {
        match op {
            Op::Set { key, value, ttl_ms, keep_ttl, condition } => {
                let mut params =
                    json!({"key": KEYS[*key], "value": value, "ttl_ms": ttl_ms, "keep_ttl": keep_ttl});
                let error = self.condition(KEYS[*key], *condition, &mut params);
                ("set", params, error)
            }
            Op::Delete { key, condition } => {
                let mut params = json!({"key": KEYS[*key]});
                let condition = if *condition == Condition::Absent { Condition::None } else { *condition };
                let error = self.condition(KEYS[*key], condition, &mut params);
                ("delete", params, error)
            }
            Op::Get { key } => ("get", json!({"key": KEYS[*key]}), None),
        }
    }

    /// Does an op as far as later ops see it: keys are there or not.
    pub fn plan(&mut self, op: &Op) {
        match op {
            Op::Set { key, value, .. } => {
                let entry = Entry { value: *value, revision: NEVER - 1, due: None };
                self.entries.insert(KEYS[*key], entry);
            }
            Op::Delete { key, .. } => {
                self.entries.remove(KEYS[*key]);
            }
            Op::Get { .. } => {}
        }
    }

    /// Does an op, whose result must fit.
    pub fn apply(&mut self, op: &Op, result: &Value) {
        match op {
            Op::Set { key, value, ttl_ms, keep_ttl, .. } => {
                let key = KEYS[*key];
                let before = self.live(key).cloned();
                let kept = before.as_ref().filter(|_| *keep_ttl).and_then(|entry| entry.due);
                assert_eq!(result["created"], json!(before.is_none()));
                let entry = Entry {
                    value: *value,
                    revision: result["revision"].as_u64().unwrap(),
                    due: ttl_ms.map(|ttl_ms| self.now + ttl_ms).or(kept),
                };
                self.entries.insert(key, entry);
            }
            Op::Delete { key, .. } => {
                assert_eq!(result["deleted"], json!(self.live(KEYS[*key]).is_some()));
                self.entries.remove(KEYS[*key]);
            }
            Op::Get { key } => {
                let shown = |result: &Value| {
                    [&result["value"], &result["revision"], &result["ttl_ms"]].map(Clone::clone)
                };
                match self.live(KEYS[*key]) {
                    None => assert_eq!(*result, json!({"exists": false})),
                    Some(entry) => assert_eq!(shown(result), self.shown(entry)),
                }
            }
        }
    }

    /// Value, revision and TTL as answers show them.
    pub fn shown(&self, entry: &Entry) -> [Value; 3] {
        [json!(entry.value), json!(entry.revision), json!(entry.due.map(|due| due - self.now))]
    }

    /// What a watcher should know.
    pub fn fold(&self) -> Fold {
        let live = self.entries.keys().filter_map(|key| Some((*key, self.live(key)?)));
        live.map(|(key, entry)| (key.to_owned(), (json!(entry.value), entry.revision))).collect()
    }
}
