//! Where the tasks of a board are found: by standing, by what is due, by who has claimed them.
//!
//! Invariant: what is here follows from the tasks alone; a task is put in as it is after a change, and taken out as it
//! was before. Lacks the tasks themselves, so that one of them can be changed while its places are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::methods::task::{Counts, Status};
use callboard_protocol::names::AgentName;
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
    pub claimed: BTreeMap<AgentName, usize>,
    pub due: BTreeSet<(Monotonic, TaskId)>,
    /// Finished tasks that nothing needs, in the order in which they make room.
    pub room: BTreeSet<(Revision, TaskId)>,
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
        if let (Some(_), Some(agent)) = (task.standing.token(), &task.assignee) {
            let claimed = self.claimed.entry(agent.clone()).or_default();
            count(claimed, present);
            if *claimed == 0 {
                self.claimed.remove(agent);
            }
        }
        let cost = task.cost();
        self.bytes = if present { self.bytes + cost } else { self.bytes - cost };
    }

    /// The part of [`Indexes::put`] that also follows from `open_dependents`.
    pub fn put_end(&mut self, id: TaskId, task: &Task, present: bool) {
        if let Some(due) = task.due() {
            put(&mut self.due, (due, id), present);
        }
        if let Standing::Finished { turn, .. } = task.standing
            && task.makes_room()
        {
            put(&mut self.room, (turn, id), present);
        }
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
