//! Every state that there was, and how far it has to survive.
//!
//! Invariant: one entry for each change that was handed to the store, in its order; the state after the first n of them
//! existed. A restart must find such a state, and none before what was promised.

use callboard_broker::Record;
use callboard_protocol::Namespace;

use super::entities::{Entities, Tolerance};

#[derive(Debug)]
struct Entry {
    namespace: Namespace,
    records: Vec<Record>,
    /// The last position that the store had given out after it.
    position: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct History {
    base: Entities,
    base_position: u64,
    entries: Vec<Entry>,
}

impl History {
    /// Takes what one change recorded.
    pub fn push(&mut self, namespace: &Namespace, records: &[Record], position: u64) {
        self.entries.push(Entry { namespace: namespace.clone(), records: records.to_vec(), position });
    }

    /// How many changes there were since the last start.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many changes it takes to have the one with this position.
    pub fn count_at(&self, position: u64) -> usize {
        if position <= self.base_position {
            return 0;
        }
        let first = self.entries.iter().position(|entry| entry.position >= position);
        first.map_or(self.len(), |at| at + usize::from(self.entries[at].position == position))
    }

    /// The positions that the changes may have which a store that ends with this one brings back: what was lost on
    /// the way to the disk and saved by a snapshot has none of its own.
    pub fn positions_at(&self, position: u64) -> Vec<u64> {
        let floor = |limit: u64| {
            let positions = self.entries.iter().map(|entry| entry.position).chain([self.base_position]);
            positions.filter(|of| *of <= limit).max()
        };
        floor(position).into_iter().chain(floor(position.saturating_sub(1))).collect()
    }

    /// After how many changes the state was the one that was found: `is_candidate` is asked for counts and positions.
    ///
    /// # Errors
    /// How the nearest candidate differs.
    pub fn find(
        &self,
        found: &Entities,
        tolerance: Tolerance,
        is_candidate: impl Fn(usize, u64) -> bool,
    ) -> Result<usize, String> {
        let mut state = self.base.clone();
        let mut position = self.base_position;
        let mut difference = format!("there is no state to compare with ({} changes)", self.len());
        let mut best = None;
        for count in 0..=self.len() {
            if count > 0 {
                let entry = &self.entries[count - 1];
                entry.records.iter().for_each(|record| state.apply(&entry.namespace, record));
                position = entry.position;
            }
            if !is_candidate(count, position) {
                continue;
            }
            match found.difference(&state, tolerance) {
                None => best = Some(count),
                Some(other) => difference = format!("after {count} changes: {other}"),
            }
        }
        best.ok_or(difference)
    }

    /// Begins again after the first `count` changes, which are at `position` now.
    pub fn restart(&mut self, count: usize, position: u64, found: Entities) {
        assert!(count <= self.len());
        (self.base, self.base_position) = (found, position);
        self.entries.clear();
    }
}
