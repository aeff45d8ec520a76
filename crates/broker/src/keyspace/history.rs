//! The recent changes of a keyspace, kept so that a watcher can start in the past.
//!
//! Invariant: holds every change after `compacted`, in order of revision, within both limits (events and bytes).

use std::collections::VecDeque;

use callboard_protocol::event::{Event, EventBody, KvDelete, KvExpire, KvPut};
use callboard_protocol::json::Json;
use callboard_protocol::revision::Revision;
use callboard_protocol::{AgentName, Key};

use crate::now::Monotonic;

/// What a kept change costs besides its key and value, in bytes.
const CHANGE_BYTES: usize = 112;

/// What happened to a key.
#[derive(Debug, Clone)]
pub enum KeyEvent {
    /// It has a new value.
    Put {
        /// The value.
        value: Json,
        /// When its TTL ends.
        due: Option<Monotonic>,
    },
    /// It was deleted.
    Delete,
    /// Its TTL ended.
    Expire,
}

/// One change.
#[derive(Debug, Clone)]
pub struct KeyChange {
    /// The key.
    pub key: Key,
    /// Its revision.
    pub revision: Revision,
    /// The revision before; 0 when it was absent.
    pub previous_revision: Revision,
    /// Who did it.
    pub by: Option<AgentName>,
    /// What happened.
    pub event: KeyEvent,
}

impl KeyChange {
    /// The event as watchers get it; a TTL shows what is left of it now.
    #[must_use]
    pub fn body(&self, now: Monotonic) -> EventBody {
        let Self { key, revision, previous_revision, by, event } = self.clone();
        match event {
            KeyEvent::Put { value, due } => {
                let ttl_ms = due.map(|due| due.ms_left(now));
                KvPut { key, value, revision, previous_revision, ttl_ms, by }.body()
            }
            KeyEvent::Delete => KvDelete { key, revision, previous_revision, by }.body(),
            KeyEvent::Expire => KvExpire { key, revision, previous_revision, by }.body(),
        }
    }
}

/// The changes kept.
#[derive(Debug, Default)]
pub struct History {
    changes: VecDeque<KeyChange>,
    bytes: usize,
    compacted: Revision,
}

fn cost(change: &KeyChange) -> usize {
    let value_bytes = match &change.event {
        KeyEvent::Put { value, .. } => value.len(),
        KeyEvent::Delete | KeyEvent::Expire => 0,
    };
    CHANGE_BYTES + change.key.as_str().len() + value_bytes
}

impl History {
    /// A history that knows nothing up to and including `revision`.
    #[must_use]
    pub fn starting_after(revision: Revision) -> Self {
        Self { compacted: revision, ..Self::default() }
    }

    /// Adds a change, and lets the oldest go while there are more than `events_max` or `bytes_max`.
    pub fn push(&mut self, change: KeyChange, events_max: usize, bytes_max: usize) {
        self.bytes += cost(&change);
        self.changes.push_back(change);
        while self.changes.len() > events_max || self.bytes > bytes_max {
            let Some(oldest) = self.changes.pop_front() else {
                return;
            };
            self.bytes -= cost(&oldest);
            self.compacted = oldest.revision;
        }
    }

    /// The lowest revision that a watcher may start from.
    #[must_use]
    pub fn min_revision(&self) -> Revision {
        Revision(self.compacted.0 + 1)
    }

    /// The changes from `revision` on, inclusive.
    pub fn from(&self, revision: Revision) -> impl Iterator<Item = &KeyChange> {
        let start = self.changes.partition_point(|change| change.revision < revision);
        self.changes.iter().skip(start)
    }

    /// What the changes hold, in bytes as accounted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
