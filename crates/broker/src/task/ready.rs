//! The ready tasks, in the order in which they are claimed: highest priority first, then longest ready.
//!
//! Invariant: each ready task is in the queue of its role under no tag and under each of its tags, and nowhere else;
//! no queue is empty. So whoever looks for work looks only at tasks that it may have, but for those that lack the
//! second of several tags.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::methods::message::Priority;
use callboard_protocol::names::{Label, Role};
use callboard_protocol::revision::{Revision, TaskId};

/// A place in the order: what is smaller goes first.
pub type Place = (Reverse<Priority>, Revision, TaskId);

/// The ready tasks of a board.
#[derive(Debug, Default)]
pub struct Ready {
    queues: BTreeMap<(Option<Role>, Option<Label>), BTreeSet<Place>>,
}

/// The queues of a task.
fn keys<'a>(
    role: Option<&'a Role>,
    tags: &'a [Label],
) -> impl Iterator<Item = (Option<Role>, Option<Label>)> + 'a {
    let tags = tags.iter().cloned().map(Some);
    std::iter::once(None).chain(tags).map(move |tag| (role.cloned(), tag))
}

impl Ready {
    /// Adds a task that became ready.
    pub fn insert(&mut self, place: Place, role: Option<&Role>, tags: &[Label]) {
        for key in keys(role, tags) {
            self.queues.entry(key).or_default().insert(place);
        }
    }

    /// Takes a task out.
    pub fn remove(&mut self, place: Place, role: Option<&Role>, tags: &[Label]) {
        for key in keys(role, tags) {
            if let Some(queue) = self.queues.get_mut(&key) {
                queue.remove(&place);
                if queue.is_empty() {
                    self.queues.remove(&key);
                }
            }
        }
    }

    /// The tasks of a role (`None`: those for anybody) that have one of these tags, or any task without tags: a
    /// superset of those that have them all, as short as the rarest tag.
    pub fn of(&self, role: Option<&Role>, tags: &[Label]) -> impl Iterator<Item = Place> + '_ {
        let queue = |tag: Option<&Label>| self.queues.get(&(role.cloned(), tag.cloned()));
        let shortest = if tags.is_empty() {
            queue(None)
        } else {
            let found: Option<Vec<_>> = tags.iter().map(|tag| queue(Some(tag))).collect();
            found.and_then(|queues| queues.into_iter().min_by_key(|queue| queue.len()))
        };
        shortest.into_iter().flatten().copied()
    }
}
