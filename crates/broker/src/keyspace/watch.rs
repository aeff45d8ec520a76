//! Watches: who wants to hear of which keys.
//!
//! Invariant: the index names each watch of each session once. Finding the watches of a key costs one look-up for the
//! key and one for each distinct length of a watched prefix, whatever else is watched.

use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::Key;
use callboard_protocol::revision::Revision;

use crate::session::{SessionId, SubscriptionId};

/// What a watch covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One key.
    Key(Key),
    /// All keys that begin with this; empty: all.
    Prefix(String),
}

impl Scope {
    /// The prefix to walk for the initial state; for one key the key itself.
    #[must_use]
    pub fn walk_prefix(&self) -> &str {
        match self {
            Self::Key(key) => key.as_str(),
            Self::Prefix(prefix) => prefix,
        }
    }

    /// Whether it covers a key.
    #[must_use]
    pub fn covers(&self, key: &Key) -> bool {
        match self {
            Self::Key(watched) => watched == key,
            Self::Prefix(prefix) => key.as_str().starts_with(prefix.as_str()),
        }
    }
}

/// The walk over the keys that were there when a watch with `initial` began.
#[derive(Debug)]
pub struct InitialWalk {
    /// The last key told; none yet at the start.
    pub cursor: Option<Key>,
    /// The namespace's revision when the watch began: what is newer is told as a change, not by the walk.
    pub revision: Revision,
}

/// One watch.
#[derive(Debug)]
pub struct Watch {
    /// What it covers.
    pub scope: Scope,
    /// The initial walk, until it is done.
    pub walk: Option<InitialWalk>,
    /// The first revision wanted; it may be one to come.
    pub first: Revision,
}

/// Who watches what.
#[derive(Debug, Default)]
pub struct WatchIndex {
    keys: BTreeMap<Key, BTreeSet<(SessionId, SubscriptionId)>>,
    prefixes: BTreeMap<String, BTreeSet<(SessionId, SubscriptionId)>>,
    prefix_lengths: BTreeMap<usize, usize>,
}

impl WatchIndex {
    /// Adds a watch.
    pub fn insert(&mut self, scope: &Scope, session: SessionId, subscription: SubscriptionId) {
        match scope {
            Scope::Key(key) => {
                self.keys.entry(key.clone()).or_default().insert((session, subscription));
            }
            Scope::Prefix(prefix) => {
                self.prefixes.entry(prefix.clone()).or_default().insert((session, subscription));
                *self.prefix_lengths.entry(prefix.len()).or_default() += 1;
            }
        }
    }

    /// Removes a watch.
    pub fn remove(&mut self, scope: &Scope, session: SessionId, subscription: SubscriptionId) {
        match scope {
            Scope::Key(key) => {
                if let Some(watchers) = self.keys.get_mut(key) {
                    watchers.remove(&(session, subscription));
                    if watchers.is_empty() {
                        self.keys.remove(key);
                    }
                }
            }
            Scope::Prefix(prefix) => {
                let Some(watchers) = self.prefixes.get_mut(prefix) else {
                    return;
                };
                if !watchers.remove(&(session, subscription)) {
                    return;
                }
                if watchers.is_empty() {
                    self.prefixes.remove(prefix);
                }
                if let Some(count) = self.prefix_lengths.get_mut(&prefix.len()) {
                    *count -= 1;
                    if *count == 0 {
                        self.prefix_lengths.remove(&prefix.len());
                    }
                }
            }
        }
    }

    /// The watches that cover a key.
    #[must_use]
    pub fn of(&self, key: &Key) -> Vec<(SessionId, SubscriptionId)> {
        let mut found: Vec<_> = self.keys.get(key).into_iter().flatten().copied().collect();
        let text = key.as_str();
        for length in self.prefix_lengths.range(..=text.len()).map(|(length, _)| *length) {
            if let Some(prefix) = text.get(..length) {
                found.extend(self.prefixes.get(prefix).into_iter().flatten().copied());
            }
        }
        found
    }

    /// Whether nobody watches anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.prefixes.is_empty()
    }
}
