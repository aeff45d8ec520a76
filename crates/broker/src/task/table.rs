//! All tasks of a board with their indexes.
//!
//! Invariant: every index follows from the tasks alone, and [`Tasks::change`] is the one place where a task changes.
//! `open_dependents` of a task is how many open tasks name it in `depends_on`; a finished task makes room only at 0.
//! Lacks time, leases, records: the board's.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::methods::task::{Counts, Status};
use callboard_protocol::names::{AgentName, Label, Role};
use callboard_protocol::revision::{Revision, TaskId, Token};

use crate::now::Monotonic;
use crate::record::{TaskRecord, TaskStateRecord};
use crate::session::{SessionId, SubscriptionId};
use crate::task::entry::{Standing, Task};
use crate::task::ready::{Place, Ready};
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
    ready: Ready,
    unoffered: BTreeSet<Place>,
    by_status: BTreeSet<(Status, TaskId)>,
    counts: Counts,
    by_parent: BTreeSet<(TaskId, TaskId)>,
    child_counts: BTreeMap<TaskId, Counts>,
    dependents: BTreeSet<(TaskId, TaskId)>,
    by_token: BTreeMap<Token, TaskId>,
    claimed: BTreeMap<AgentName, usize>,
    due: BTreeSet<(Monotonic, TaskId)>,
    room: BTreeSet<(Revision, TaskId)>,
    bytes: usize,
    /// When the board's deadline for tasks is set.
    pub scheduled: Option<Monotonic>,
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
        self.bytes
    }

    /// How many tasks there are of each status.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many children of each status a task has; `None` when it has none.
    #[must_use]
    pub fn child_counts(&self, id: TaskId) -> Option<Counts> {
        self.child_counts.get(&id).copied()
    }

    /// How many tasks an agent has claimed.
    #[must_use]
    pub fn claimed(&self, agent: &AgentName) -> usize {
        self.claimed.get(agent).copied().unwrap_or(0)
    }

    /// The task under a claim's token.
    #[must_use]
    pub fn of_token(&self, token: Token) -> Option<TaskId> {
        self.by_token.get(&token).copied()
    }

    /// The tasks after an id, in order.
    pub fn iter_after(&self, after: TaskId) -> impl Iterator<Item = (TaskId, &Task)> {
        let from = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        self.table.range(from).map(|(id, task)| (*id, &**task))
    }

    /// The tasks of a status after an id, in order.
    pub fn of_status(&self, status: Status, after: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        self.by_status.range((status, next(after))..=(status, Revision(u64::MAX))).map(|(_, id)| *id)
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
        self.ready.of(role, tags)
    }

    /// Takes the task that became ready since it was last asked and goes first of these.
    pub fn take_unoffered(&mut self) -> Option<TaskId> {
        self.unoffered.pop_first().map(|(_, _, id)| id)
    }

    /// When the next thing happens to a task because time passes.
    #[must_use]
    pub fn next_due(&self) -> Option<Monotonic> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The task that something should have happened to by now.
    #[must_use]
    pub fn next_overdue(&self, now: Monotonic) -> Option<TaskId> {
        self.due.first().filter(|(due, _)| *due <= now).map(|(_, id)| *id)
    }

    /// The finished task that makes room first.
    #[must_use]
    pub fn oldest_finished(&self) -> Option<TaskId> {
        self.room.first().map(|(_, id)| *id)
    }

    /// How many finished tasks could make room.
    #[must_use]
    pub fn removable(&self) -> usize {
        self.room.len()
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
        let is_open = !task.standing.is_finished();
        let depends_on = task.depends_on.clone();
        self.table.insert(id, Box::new(task));
        self.index(id, true);
        if is_open {
            self.pin(&depends_on, true);
        }
    }

    /// Changes a task, and its places with it. Gives where it stood before.
    pub fn change(&mut self, id: TaskId, change: impl FnOnce(&mut Task)) -> Option<Standing> {
        let before = self.find(id)?.standing;
        self.index(id, false);
        let task = self.table.get_mut(&id)?;
        change(task);
        let is_finished = task.standing.is_finished();
        let pins = (before.is_finished() != is_finished).then(|| task.depends_on.clone());
        self.index(id, true);
        if let Some(depends_on) = pins {
            self.pin(&depends_on, !is_finished);
        }
        Some(before)
    }

    /// Takes a task out.
    pub fn remove(&mut self, id: TaskId) -> Option<Box<Task>> {
        self.index(id, false);
        let task = self.table.remove(&id)?;
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
            self.index_end(*id, false);
            if let Some(task) = self.table.get_mut(id) {
                task.open_dependents =
                    if is_open { task.open_dependents + 1 } else { task.open_dependents.saturating_sub(1) };
            }
            self.index_end(*id, true);
        }
    }

    /// Puts a task into every index that it belongs to, or takes it out.
    fn index(&mut self, id: TaskId, present: bool) {
        self.index_end(id, present);
        let Some(task) = self.table.get(&id) else { return };
        let status = task.status();
        let cost = task.cost();
        let place = place(id, task);
        put(&mut self.by_status, (status, id), present);
        count(self.counts.of(status), present);
        if let Some(parent) = task.parent {
            let counts = self.child_counts.entry(parent).or_default();
            count(counts.of(status), present);
            if counts.total() == 0 {
                self.child_counts.remove(&parent);
            }
        }
        if let Some(place) = place {
            if present {
                self.ready.insert(place, task.role.as_ref(), &task.tags);
            } else {
                self.ready.remove(place, task.role.as_ref(), &task.tags);
            }
            put(&mut self.unoffered, place, present);
        }
        if let (Some(token), Some(agent)) = (task.standing.token(), &task.assignee) {
            let claimed = self.claimed.entry(agent.clone()).or_default();
            count(claimed, present);
            if *claimed == 0 {
                self.claimed.remove(agent);
            }
            if present {
                self.by_token.insert(token, id);
            } else {
                self.by_token.remove(&token);
            }
        }
        self.bytes = if present { self.bytes + cost } else { self.bytes - cost };
    }

    /// The part of [`Tasks::index`] that also follows from `open_dependents`.
    fn index_end(&mut self, id: TaskId, present: bool) {
        let Some(task) = self.table.get(&id) else { return };
        if let Some(due) = task.due() {
            put(&mut self.due, (due, id), present);
        }
        if let Standing::Finished { turn, .. } = task.standing
            && task.open_dependents == 0
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

fn next(id: TaskId) -> TaskId {
    Revision(id.0.saturating_add(1))
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
