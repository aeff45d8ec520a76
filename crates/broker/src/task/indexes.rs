//! Where the tasks of a board are found: by standing, by what is due.
//!
//! Invariant: what is here follows from the tasks alone; a task is put in as it is after a change, and taken out as it
//! was before. Lacks the tasks themselves, so that one of them can be changed while its places are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::methods::task::{Counts, Status};
use callboard_protocol::revision::{Revision, TaskId};

use crate::now::Monotonic;
use crate::task::entry::{Standing, Task};
use crate::task::ready::{Place, Ready};

/// The places of all tasks.
#[derive(Debug, Default)]
pub(super) struct Indexes {
    pub ready: Ready,
    /// Those that became ready and were not offered to those who wait.
    pub unoffered: BTreeSet<Place>,
    /// One set for each status, in the order of [`Status::ALL`].
    pub by_status: [BTreeSet<TaskId>; Status::ALL.len()],
    pub child_counts: BTreeMap<TaskId, Counts>,
    /// Those that rest or are claimed, by when that ends.
    pub due: BTreeSet<(Monotonic, TaskId)>,
    /// Finished tasks that nothing needs, in the order in which they were finished, with when each is forgotten: they go
    /// in this order, then or when room is needed.
    pub room: BTreeMap<(Revision, TaskId), Monotonic>,
    pub bytes: usize,
}

impl Indexes {
    /// Puts a task into every index that it belongs to, or takes it out.
    pub fn put(&mut self, id: TaskId, task: &Task, present: bool) {
        self.put_end(id, task, present);
        let status = task.status();
        put(&mut self.by_status[status as usize], id, present);
        if let Some(parent) = task.parent {
            let counts = self.child_counts.entry(parent).or_default();
            count(counts.of(status), present);
            if counts.total() == 0 {
                self.child_counts.remove(&parent);
            }
        }
        if let Some(place) = place(id, task) {
            if present {
                self.ready.insert(place, task.role.as_ref(), &task.tags);
            } else {
                self.ready.remove(place, task.role.as_ref(), &task.tags);
            }
            put(&mut self.unoffered, place, present);
        }
        let cost = task.cost();
        self.bytes = if present { self.bytes + cost } else { self.bytes - cost };
    }

    /// The part of [`Indexes::put`] that also follows from `open_dependents`.
    pub fn put_end(&mut self, id: TaskId, task: &Task, present: bool) {
        match task.standing {
            Standing::Delayed { due } | Standing::InProgress { due: Some(due), .. } => {
                put(&mut self.due, (due, id), present);
            }
            Standing::Finished { turn, due, .. } if task.makes_room() => {
                if present {
                    self.room.insert((turn, id), due);
                } else {
                    self.room.remove(&(turn, id));
                }
            }
            Standing::Blocked
            | Standing::Pending { .. }
            | Standing::InProgress { due: None, .. }
            | Standing::PendingReview
            | Standing::Finished { .. } => {}
        }
    }

    /// The task that something happens to next because time passes, and when: ready after a delay, lapsed, forgotten.
    pub fn next_due(&self) -> Option<(Monotonic, TaskId)> {
        let forgotten = self.room.first_key_value().map(|((_, id), due)| (*due, *id));
        self.due.first().copied().into_iter().chain(forgotten).min()
    }
}

/// The place of a ready task.
fn place(id: TaskId, task: &Task) -> Option<Place> {
    match task.standing {
        Standing::Pending { turn } => Some((Reverse(task.priority), turn, id)),
        Standing::Blocked
        | Standing::Delayed { .. }
        | Standing::InProgress { .. }
        | Standing::PendingReview
        | Standing::Finished { .. } => None,
    }
}

fn put<T: Ord>(set: &mut BTreeSet<T>, entry: T, present: bool) {
    if present {
        set.insert(entry);
    } else {
        set.remove(&entry);
    }
}

fn count(counter: &mut usize, present: bool) {
    if present {
        *counter += 1;
    } else {
        *counter -= 1;
    }
}
