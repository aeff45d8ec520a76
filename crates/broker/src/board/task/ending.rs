//! What the end of a task means for those that depend on it; forgetting finished tasks.
//!
//! Invariant: a task is blocked exactly while something it depends on is open and nothing it depends on has failed (but
//! for tasks that run all the same). Propagation ends: it follows a graph without cycles, and only ever finishes tasks.

use callboard_protocol::methods::task::{OnDependencyFailure, Why};
use callboard_protocol::names::AgentName;
use callboard_protocol::revision::{Revision, TaskId};

use super::{Touched, finished, unblocked};
use crate::board::Board;
use crate::deadlines::Deadline;
use crate::now::{Monotonic, Now};
use crate::record::Record;
use crate::task::entry::Finish;
use crate::task::{Standing, Task};

/// How many dependents are looked at before anybody else gets the board: below a millisecond.
const SPREAD_AT_ONCE: usize = 256;

/// A moment later, so that a call that works off what is due does not go on at once.
fn soon(now: Now) -> Monotonic {
    Monotonic(now.monotonic.0 + 1)
}

impl Board {
    /// Whether a task still has to wait for another one.
    fn is_open(&self, id: TaskId) -> bool {
        self.tasks.find(id).is_some_and(|task| !task.standing.is_finished())
    }

    /// Whether anything that a task depends on is open.
    pub(super) fn has_open_dependency(&self, task: &Task) -> bool {
        task.depends_on.iter().any(|id| self.is_open(*id))
    }

    /// What a task waits for.
    pub(super) fn open_dependencies(&self, task: &Task) -> Vec<TaskId> {
        if task.standing != Standing::Blocked {
            return Vec::new();
        }
        task.depends_on.iter().copied().filter(|id| self.is_open(*id)).collect()
    }

    /// The first dependency that failed or was cancelled, of a task that fails with it.
    pub(super) fn failed_dependency(&self, task: &Task) -> Option<TaskId> {
        let has_failed = |id: &TaskId| match self.tasks.find(*id).map(|task| task.standing) {
            Some(Standing::Finished { how, .. }) => how != Finish::Completed,
            Some(
                Standing::Blocked
                | Standing::Delayed { .. }
                | Standing::Pending { .. }
                | Standing::InProgress { .. }
                | Standing::PendingReview,
            )
            | None => false,
        };
        match task.on_dependency_failure {
            OnDependencyFailure::Fail => task.depends_on.iter().copied().find(has_failed),
            OnDependencyFailure::Run => None,
        }
    }

    /// Moves a blocked task on, if its dependencies let it; gives its new standing. Tells nobody.
    pub(super) fn unblock(&mut self, now: Now, id: TaskId, revision: Revision) -> Option<Standing> {
        let task = self.tasks.find(id).filter(|task| task.standing == Standing::Blocked)?;
        let not_before = task.not_before;
        if let Some(culprit) = self.failed_dependency(task) {
            let standing = finished(now, Finish::Failed, revision);
            self.tasks.change(id, |task| {
                task.standing = standing;
                task.why = Some(Why::Dependency);
                task.error = Some(format!("task {culprit}, which it depends on, failed or was cancelled"));
            });
            return Some(standing);
        }
        if self.has_open_dependency(task) {
            return None;
        }
        let standing = unblocked(now, not_before, revision);
        self.tasks.change(id, |task| task.standing = standing);
        Some(standing)
    }

    /// A task may be finished: those that waited for it go on or fail, and those that waited for these. The first ones do
    /// at once, the rest in slices; until their turn comes they stay blocked.
    pub(super) fn propagate(&mut self, now: Now, id: TaskId) {
        if self.tasks.dependents(id, TaskId::default()).next().is_none() {
            return;
        }
        let mut left = vec![(id, TaskId::default())];
        self.spread(now, &mut left);
        if !left.is_empty() {
            self.tasks.spreading.append(&mut left);
            self.deadlines.set(soon(now), Deadline::SpreadTasks);
        }
    }

    /// Goes on with what is left.
    pub(crate) fn spread_on(&mut self, now: Now) {
        let mut left = std::mem::take(&mut self.tasks.spreading);
        self.spread(now, &mut left);
        if !left.is_empty() {
            self.deadlines.set(soon(now), Deadline::SpreadTasks);
        }
        self.tasks.spreading = left;
        self.hand_out(now);
    }

    /// Looks at the dependents of finished tasks, each from a place on; what is left stays in the list.
    fn spread(&mut self, now: Now, left: &mut Vec<(TaskId, TaskId)>) {
        let mut looks = SPREAD_AT_ONCE;
        while looks > 0
            && let Some((id, after)) = left.pop()
        {
            if self.is_open(id) {
                continue;
            }
            let dependents: Vec<TaskId> = self.tasks.dependents(id, after).take(looks).collect();
            looks -= dependents.len();
            if let Some(last) = dependents.last().filter(|_| looks == 0) {
                left.push((id, *last));
            }
            for dependent in dependents {
                if self.move_on(now, dependent) {
                    left.push((dependent, TaskId::default()));
                }
            }
        }
    }

    /// Moves a blocked task on, if its dependencies let it; whether that finished it.
    fn move_on(&mut self, now: Now, id: TaskId) -> bool {
        let Some(standing) = self.unblock(now, id, Revision(self.revision.0 + 1)) else {
            return false;
        };
        self.change_task(now, id, Touched::State, |_, _| {});
        self.tell_task(now, id, if standing.is_finished() { "failed" } else { "ready" }, None);
        standing.is_finished()
    }

    /// A finished task goes.
    pub(super) fn forget_task(&mut self, id: TaskId) {
        self.forget_task_dedupe(id);
        if self.tasks.remove(id).is_some() {
            self.record(Record::TaskEnded(id));
        }
    }

    /// `namespace.clear`: every task goes; open ones are called off first. Gives how many.
    pub(crate) fn clear_tasks(&mut self, now: Now, by: Option<&AgentName>) -> usize {
        let tasks = || self.tasks.iter_after(TaskId::default());
        let ids: Vec<TaskId> = tasks().map(|(id, _)| id).collect();
        let open: Vec<TaskId> =
            tasks().filter(|(_, task)| !task.standing.is_finished()).map(|(id, _)| id).collect();
        for id in open {
            self.cancel_task(now, id, by);
        }
        for id in &ids {
            self.forget_task(*id);
        }
        self.hand_out(now);
        ids.len()
    }
}
