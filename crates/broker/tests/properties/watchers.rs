//! A watcher of keys that folds what it is told.

use std::collections::BTreeMap;

use callboard_broker::SessionId;
use serde_json::Value;

use crate::bench::Event;

/// What a change of a key is to a watcher.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// `kv.put`, `kv.delete` or `kv.expire`.
    pub kind: String,
    /// The key.
    pub key: String,
    /// The value put.
    pub value: Value,
    /// Its revision.
    pub revision: u64,
    /// The revision before.
    pub previous_revision: u64,
}

impl Change {
    fn from(event: &Event) -> Self {
        let number = |name: &str| event.members[name].as_u64().unwrap();
        Self {
            kind: event.members["kind"].as_str().unwrap().to_owned(),
            key: event.members["key"].as_str().unwrap().to_owned(),
            value: event.members["value"].clone(),
            revision: number("revision"),
            previous_revision: number("previous_revision"),
        }
    }
}

/// What a watcher knows of the keys: value and revision.
pub type Fold = BTreeMap<String, (Value, u64)>;

/// See the module.
#[derive(Debug)]
pub struct Watcher {
    /// Its session, that watches nothing else.
    pub session: SessionId,
    /// Whether it is told the present state first, and was told all of it.
    pub initial: Option<bool>,
    prefix: String,
    first: u64,
    fold: Fold,
    changes: Vec<Change>,
}

impl Watcher {
    /// One that is told of what happens from the revision `first` on, and knows `fold` of what was before.
    pub fn new(session: SessionId, prefix: &str, initial: bool, first: u64, fold: Fold) -> Self {
        Self {
            session,
            initial: initial.then_some(false),
            prefix: prefix.to_owned(),
            first,
            fold,
            changes: Vec::new(),
        }
    }

    /// Takes an event: it must continue what the watcher knows of the key.
    pub fn hear(&mut self, event: &Event) {
        if event.members["kind"] == "kv.synced" {
            assert_eq!(self.initial, Some(false), "synced once, after the initial state");
            self.initial = Some(true);
            return;
        }
        let change = Change::from(event);
        assert!(change.key.starts_with(&self.prefix), "{change:?} is not watched");
        let known = self.fold.get(&change.key).map_or(0, |(_, revision)| *revision);
        // A key that was over by the clock when the initial state was told is only heard to expire.
        let is_ghost = self.initial.is_some() && known == 0 && change.kind == "kv.expire";
        assert!(change.previous_revision == known || is_ghost, "{change:?} follows on {known}");
        if change.kind == "kv.put" {
            self.fold.insert(change.key.clone(), (change.value.clone(), change.revision));
        } else {
            self.fold.remove(&change.key);
        }
        if change.revision >= self.first {
            self.changes.push(change);
        } else {
            assert_eq!(self.initial, Some(false), "{change:?} is older than what was asked for");
        }
    }

    /// What it was told happened from its first revision on.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// What it must have been told of all changes.
    pub fn share<'a>(&self, all: &'a [Change]) -> Vec<&'a Change> {
        all.iter()
            .filter(|change| change.revision >= self.first && change.key.starts_with(&self.prefix))
            .collect()
    }

    /// What it knows, but for keys that are over by the clock and about to be heard to expire.
    pub fn knows(&self, is_over: impl Fn(&str) -> bool) -> Fold {
        let mut fold = self.fold.clone();
        fold.retain(|key, _| !is_over(key));
        fold
    }

    /// What it should know once it was told everything.
    pub fn should_know(&self, live: &Fold) -> Fold {
        let mut fold = live.clone();
        fold.retain(|key, _| key.starts_with(&self.prefix));
        fold
    }
}

/// The state just before the revision `first`, after all changes so far.
pub fn fold_before(all: &[Change], first: u64, prefix: &str) -> Fold {
    let mut fold = Fold::new();
    for change in all.iter().filter(|change| change.revision < first && change.key.starts_with(prefix)) {
        if change.kind == "kv.put" {
            fold.insert(change.key.clone(), (change.value.clone(), change.revision));
        } else {
            fold.remove(&change.key);
        }
    }
    fold
}
