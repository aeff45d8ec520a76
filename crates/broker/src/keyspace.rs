//! The keyspace: keys with a value, a revision and perhaps a TTL, in byte order.
//!
//! Invariant: `bytes` is what the entries hold, as accounted. An overdue key may still be in the table: whoever looks
//! says `now`, and gets it only while it is live. Lacks watchers (`watch`) and conditions (`board::kv`).

pub mod history;
pub mod watch;

use std::collections::BTreeMap;
use std::ops::Bound;

use callboard_protocol::json::Json;
use callboard_protocol::revision::Revision;
use callboard_protocol::{AgentName, Key};

use crate::now::Monotonic;

/// What an entry costs besides its key and value, in bytes: map node, counters, reference counts.
const ENTRY_BYTES: usize = 160;

/// One key's state.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its value.
    pub value: Json,
    /// The revision of its last change.
    pub revision: Revision,
    /// When its TTL ends.
    pub due: Option<Monotonic>,
    /// When it last changed, in Unix milliseconds.
    pub updated_at: u64,
    /// Who last changed it.
    pub updated_by: Option<AgentName>,
}

impl Entry {
    /// Whether its TTL is over.
    #[must_use]
    pub fn is_overdue(&self, now: Monotonic) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// What is left of its TTL, in milliseconds.
    #[must_use]
    pub fn ttl_ms(&self, now: Monotonic) -> Option<u64> {
        self.due.map(|due| due.ms_left(now))
    }
}

/// All keys of a board.
#[derive(Debug, Default)]
pub struct Keyspace {
    entries: BTreeMap<Key, Entry>,
    bytes: usize,
}

fn cost(key: &Key, entry: &Entry) -> usize {
    ENTRY_BYTES + key.as_str().len() + entry.value.len()
}

impl Keyspace {
    /// The entry, overdue or not.
    #[must_use]
    pub fn stored(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The entry, if it is live.
    #[must_use]
    pub fn live(&self, key: &Key, now: Monotonic) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| !entry.is_overdue(now))
    }

    /// The entry, to change its TTL.
    pub fn stored_mut(&mut self, key: &Key) -> Option<&mut Entry> {
        self.entries.get_mut(key)
    }

    /// Puts an entry; gives the one before.
    pub fn insert(&mut self, key: Key, entry: Entry) -> Option<Entry> {
        self.bytes += cost(&key, &entry);
        let before = self.entries.insert(key.clone(), entry);
        if let Some(before) = &before {
            self.bytes -= cost(&key, before);
        }
        before
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &Key) -> Option<Entry> {
        let (key, entry) = self.entries.remove_entry(key)?;
        self.bytes -= cost(&key, &entry);
        Some(entry)
    }

    /// The live entries whose keys begin with `prefix`, after `cursor`, in byte order.
    pub fn range<'a>(
        &'a self,
        prefix: &'a str,
        cursor: Option<&'a str>,
        now: Monotonic,
    ) -> impl Iterator<Item = (&'a Key, &'a Entry)> + 'a {
        let from = match cursor {
            Some(cursor) if cursor >= prefix => Bound::Excluded(cursor),
            Some(_) | None => Bound::Included(prefix),
        };
        self.entries
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(move |(key, _)| key.as_str().starts_with(prefix))
            .filter(move |(_, entry)| !entry.is_overdue(now))
    }

    /// How many keys there are, overdue ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What the entries hold, in bytes as accounted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
