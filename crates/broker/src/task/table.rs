//! All tasks of a board with their indexes.
//!
//! Invariant: [`Tasks::change`] is the one place where a task changes, so that the indexes always follow.
//! `open_dependents` of a task is how many open tasks name it in `depends_on`; a finished task makes room only at 0.
//! Lacks time, leases, records: the board's.

use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::methods::task::{Counts, Status};
use callboard_protocol::names::{AgentName, Label, Role};
use callboard_protocol::revision::{Revision, TaskId};

use crate::now::Monotonic;
use crate::record::{TaskRecord, TaskStateRecord};
use crate::session::{SessionId, SubscriptionId};
use crate::task::entry::Task;
use crate::task::indexes::Indexes;
use crate::task::ready::Place;
use crate::task::waiters::{Claims, Ends};

/// Which tasks a `task.watch` tells of.
#[derive(Debug, Clone)]
pub struct WatchFilter {
    /// Only the parts of this one.
    pub parent: Option<TaskId>,
    /// Only those with all of these.
    pub tags: Vec<Label>,
}

/// Whose dedupe key it is; tasks may be created by nobody.
pub type DedupePlace = (Option<AgentName>, Label);

/// All tasks of a board.
#[derive(Debug, Default)]
pub struct Tasks {
    table: BTreeMap<TaskId, Box<Task>>,
    indexes: Indexes,
    by_parent: BTreeSet<(TaskId, TaskId)>,
    dependents: BTreeSet<(TaskId, TaskId)>,
    /// Finished tasks whose dependents are still to be looked at, each after an id.
    pub spreading: Vec<(TaskId, TaskId)>,
    /// The first task of each dedupe key, and until when it is given again.
    pub dedupes: BTreeMap<DedupePlace, (TaskId, Monotonic)>,
    /// The claims that wait.
    pub claims: Claims,
    /// The `task.wait` requests that wait.
    pub ends: Ends,
    /// The `task.watch` subscriptions.
    pub watchers: BTreeMap<(SessionId, SubscriptionId), WatchFilter>,
    /// What a restore has read so far.
    pub restoring: BTreeMap<TaskId, (TaskRecord, Option<TaskStateRecord>)>,
}

impl Tasks {
    /// A task.
    #[must_use]
    pub fn find(&self, id: TaskId) -> Option<&Task> {
        self.table.get(&id).map(|task| &**task)
    }

    /// How many tasks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// What the tasks hold, in bytes as accounted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.indexes.bytes
    }

    /// How many tasks there are of each status.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for status in Status::ALL {
            *counts.of(status) = self.indexes.by_status[status as usize].len();
        }
        counts
    }

    /// How many children of each status a task has; `None` when it has none.
    #[must_use]
    pub fn child_counts(&self, id: TaskId) -> Option<Counts> {
        self.indexes.child_counts.get(&id).copied()
    }

    /// The tasks after an id, in order.
    pub fn iter_after(&self, after: TaskId) -> impl Iterator<Item = (TaskId, &Task)> {
        let from = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        self.table.range(from).map(|(id, task)| (*id, &**task))
    }

    /// The tasks of a status after an id, in order.
    pub fn of_status(&self, status: Status, after: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        self.indexes.by_status[status as usize].range(next(after)..).copied()
    }

    /// The children of a task after an id, in order.
    pub fn children(&self, parent: TaskId, after: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        self.by_parent.range((parent, next(after))..=(parent, Revision(u64::MAX))).map(|(_, id)| *id)
    }

    /// The tasks that depend on a task, after an id, in order.
    pub fn dependents(&self, id: TaskId, after: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        self.dependents.range((id, next(after))..=(id, Revision(u64::MAX))).map(|(_, dependent)| *dependent)
    }

    /// The ready tasks of a role (`None`: those for anybody), first those that go first; of several tags only the
    /// rarest is looked at.
    pub fn ready(&self, role: Option<&Role>, tags: &[Label]) -> impl Iterator<Item = Place> + '_ {
        self.indexes.ready.of(role, tags)
    }

    /// Takes the task that became ready since it was last asked and goes first of these.
    pub fn take_unoffered(&mut self) -> Option<TaskId> {
        self.indexes.unoffered.pop_first().map(|(_, _, id)| id)
    }

    /// When the next thing happens to a task because time passes.
    #[must_use]
    pub fn next_due(&self) -> Option<Monotonic> {
        self.indexes.next_due().map(|(due, _)| due)
    }

    /// The task that something should have happened to by now.
    #[must_use]
    pub fn next_overdue(&self, now: Monotonic) -> Option<TaskId> {
        self.indexes.next_due().filter(|(due, _)| *due <= now).map(|(_, id)| id)
    }

    /// The finished task that makes room first, `spared` ones aside.
    #[must_use]
    pub fn oldest_finished(&self, spared: &BTreeSet<TaskId>) -> Option<TaskId> {
        self.indexes.room.keys().map(|(_, id)| *id).find(|id| !spared.contains(id))
    }

    /// How many finished tasks could make room, `spared` ones aside.
    #[must_use]
    pub fn removable(&self, spared: &BTreeSet<TaskId>) -> usize {
        let makes_room = |id: &&TaskId| self.find(**id).is_some_and(Task::makes_room);
        self.indexes.room.len() - spared.iter().filter(makes_room).count()
    }

    /// Adds a task. Those that it depends on and that depend on it may come later.
    pub fn insert(&mut self, id: TaskId, mut task: Task) {
        let is_open = |id: &TaskId| self.find(*id).is_some_and(|task| !task.standing.is_finished());
        let open_dependents = self.dependents(id, TaskId::default()).filter(is_open).count();
        task.open_dependents = u32::try_from(open_dependents).unwrap_or(u32::MAX);
        if let Some(parent) = task.parent {
            self.by_parent.insert((parent, id));
        }
        self.dependents.extend(task.depends_on.iter().map(|dependency| (*dependency, id)));
        self.indexes.put(id, &task, true);
        let pins = (!task.standing.is_finished()).then(|| task.depends_on.clone());
        self.table.insert(id, Box::new(task));
        if let Some(depends_on) = pins {
            self.pin(&depends_on, true);
        }
    }

    /// Changes a task, and its places with it. Gives what `change` gives.
    pub fn change<T>(&mut self, id: TaskId, change: impl FnOnce(&mut Task) -> T) -> Option<T> {
        let task = self.table.get_mut(&id)?;
        let was_finished = task.standing.is_finished();
        self.indexes.put(id, task, false);
        let result = change(task);
        self.indexes.put(id, task, true);
        let is_finished = task.standing.is_finished();
        if was_finished != is_finished {
            let depends_on = task.depends_on.clone();
            self.pin(&depends_on, !is_finished);
        }
        Some(result)
    }

    /// Takes a task out.
    pub fn remove(&mut self, id: TaskId) -> Option<Box<Task>> {
        let task = self.table.remove(&id)?;
        self.indexes.put(id, &task, false);
        if let Some(parent) = task.parent {
            self.by_parent.remove(&(parent, id));
        }
        for dependency in &task.depends_on {
            self.dependents.remove(&(*dependency, id));
        }
        if !task.standing.is_finished() {
            self.pin(&task.depends_on, false);
        }
        if let Some(key) = &task.dedupe_key {
            let place = (task.created_by.clone(), key.clone());
            if self.dedupes.get(&place).is_some_and(|(first, _)| *first == id) {
                self.dedupes.remove(&place);
            }
        }
        Some(task)
    }

    /// Tells tasks that one more open task depends on them, or one less.
    fn pin(&mut self, depends_on: &[TaskId], is_open: bool) {
        for id in depends_on {
            let Some(task) = self.table.get_mut(id) else { continue };
            self.indexes.put_end(*id, task, false);
            task.open_dependents =
                if is_open { task.open_dependents + 1 } else { task.open_dependents.saturating_sub(1) };
            self.indexes.put_end(*id, task, true);
        }
    }
}

fn next(id: TaskId) -> TaskId {
    Revision(id.0.saturating_add(1))
}
