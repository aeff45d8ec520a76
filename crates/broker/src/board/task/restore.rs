//! Tasks as records, and the way back from them.
//!
//! Invariant: records are gathered as they come, each overwriting the entity of before, and become tasks only in
//! [`Board::finish_restore_tasks`], where every index and deadline is derived and what was decided across tasks (who is
//! blocked) is decided again. What the daemon was down for counts as wall time.

use callboard_protocol::limits::{DEDUPE_MS, FINISHED_TASK_MS};
use callboard_protocol::methods::task::Status;
use callboard_protocol::revision::{Revision, TaskId, Token};

use super::Touched;
use crate::board::Board;
use crate::deadlines::Deadline;
use crate::lease::Leased;
use crate::now::Now;
use crate::record::{Record, TaskRecord, TaskStateRecord};
use crate::task::entry::Finish;
use crate::task::{Standing, Task};

impl Board {
    pub(super) fn record_task(&mut self, now: Now, id: TaskId, touched: Touched) {
        if touched == Touched::All {
            self.record_entity(|board| Some(Record::Task(Box::new(task_record(id, board.tasks.find(id)?)))));
        }
        self.record_entity(|board| {
            let state = board.task_state_record(now, id, board.tasks.find(id)?);
            Some(Record::TaskState(Box::new(state)))
        });
    }

    /// The records of a task.
    pub(crate) fn records_of_task(&self, now: Now, id: TaskId) -> Vec<Record> {
        let Some(task) = self.tasks.find(id) else {
            return Vec::new();
        };
        let state = self.task_state_record(now, id, task);
        vec![Record::Task(Box::new(task_record(id, task))), Record::TaskState(Box::new(state))]
    }

    fn task_state_record(&self, now: Now, id: TaskId, task: &Task) -> TaskStateRecord {
        let (turn, forget_due) = match task.standing {
            Standing::Pending { turn } => (Some(turn), None),
            Standing::Finished { turn, due, .. } => (Some(turn), Some(due)),
            Standing::Blocked
            | Standing::Delayed { .. }
            | Standing::InProgress { .. }
            | Standing::PendingReview => (None, None),
        };
        TaskStateRecord {
            task: id,
            status: task.status(),
            turn,
            not_before: task.not_before.map(|due| now.unix_of(due)),
            forget_at: forget_due.map(|due| now.unix_of(due)),
            lease: task.standing.token().and_then(|token| self.lease_record(now, token)),
            why: task.why,
            attempts: task.attempts,
            releases: task.releases,
            assignee: task.assignee.clone(),
            error: task.error.clone(),
            progress: task.progress.clone(),
            note: task.note.clone(),
            comments: task.comments.clone(),
            updated_at: task.updated_at,
        }
    }

    /// Takes in what a task is; where it stands stays.
    pub(crate) fn restore_task(&mut self, record: TaskRecord) {
        let state = self.tasks.restoring.remove(&record.id).and_then(|(_, state)| state);
        self.tasks.restoring.insert(record.id, (record, state));
    }

    /// Takes in where a task stands; one that is not there is dropped.
    pub(crate) fn restore_task_state(&mut self, record: TaskStateRecord) {
        if let Some((_, state)) = self.tasks.restoring.get_mut(&record.task) {
            *state = Some(record);
        }
    }

    /// Takes in the end of a task.
    pub(crate) fn restore_task_ended(&mut self, id: TaskId) {
        self.tasks.restoring.remove(&id);
    }

    /// Makes tasks of all records taken in. Sessions and agents are restored before; what this changes is recorded like
    /// every change.
    pub(crate) fn finish_restore_tasks(&mut self, now: Now) {
        let mut lapsed: Vec<Token> = Vec::new();
        let mut blocked: Vec<TaskId> = Vec::new();
        for (id, (record, state)) in std::mem::take(&mut self.tasks.restoring) {
            let Some(state) = state else { continue };
            self.restore_dedupe(now, id, &record);
            let standing = self.standing_on_record(now, &state, &mut lapsed);
            self.tasks.insert(id, restored(now, record, state, standing));
            if standing == Standing::Blocked {
                blocked.push(id);
            }
        }
        for token in lapsed {
            self.claim_lapsed(now, token);
        }
        for id in blocked {
            let revision = Revision(self.revision.0 + 1);
            if self.unblock(now, id, revision).is_some() {
                self.change_task(now, id, Touched::State, |_, _| {});
                self.propagate(now, id);
            }
        }
        self.settle_tasks(now);
        self.hand_out(now);
    }

    fn restore_dedupe(&mut self, now: Now, id: TaskId, record: &TaskRecord) {
        let until = record.created_at.saturating_add(DEDUPE_MS);
        let Some(key) = record.dedupe_key.clone().filter(|_| until > now.unix_ms) else {
            return;
        };
        let due = now.due_at(until);
        self.deadlines.set(due, Deadline::ForgetTaskDedupe(id));
        self.tasks.dedupes.insert((record.created_by.clone(), key), (id, due));
    }

    /// Where a task stands after a restart. A claim without a lease, or whose session is gone, lapses.
    fn standing_on_record(&mut self, now: Now, state: &TaskStateRecord, lapsed: &mut Vec<Token>) -> Standing {
        let finish = |how| Standing::Finished {
            how,
            turn: state.turn.unwrap_or_default(),
            due: now.due_at(state.forget_at.unwrap_or(now.unix_ms.saturating_add(FINISHED_TASK_MS))),
        };
        let ready = Standing::Pending { turn: state.turn.unwrap_or(state.task) };
        match state.status {
            Status::Blocked => Standing::Blocked,
            // One whose time has come meanwhile is worked off, and recorded, like any other.
            Status::Delayed => match state.not_before.unwrap_or(now.unix_ms) {
                at if at > now.unix_ms => Standing::Delayed { due: now.due_at(at) },
                at => Standing::Delayed { due: now.past(at) },
            },
            Status::Pending => ready,
            Status::InProgress => {
                let Some(record) = &state.lease else { return ready };
                let lease = self.lease_after_restart(now, Leased::Task(state.task), record);
                let due = lease.due;
                if self.is_orphan(&lease) {
                    lapsed.push(record.token);
                }
                self.leases.grant(&mut self.deadlines, record.token, lease);
                Standing::InProgress { token: record.token, due }
            }
            Status::PendingReview => Standing::PendingReview,
            Status::Completed => finish(Finish::Completed),
            Status::Failed => finish(Finish::Failed),
            Status::Cancelled => finish(Finish::Cancelled),
        }
    }
}

fn restored(now: Now, record: TaskRecord, state: TaskStateRecord, standing: Standing) -> Task {
    Task {
        title: record.title,
        description: record.description,
        payload: record.payload,
        priority: record.priority,
        tags: record.tags.into(),
        role: record.role,
        depends_on: record.depends_on.into(),
        parent: record.parent,
        max_attempts: record.max_attempts,
        backoff_ms: record.backoff_ms,
        on_dependency_failure: record.on_dependency_failure,
        review: record.review,
        created_by: record.created_by,
        created_at: record.created_at,
        dedupe_key: record.dedupe_key,
        result: record.result,
        checkpoint: record.checkpoint,
        standing,
        why: state.why,
        attempts: state.attempts,
        releases: state.releases,
        not_before: state.not_before.filter(|at| *at > now.unix_ms).map(|at| now.due_at(at)),
        assignee: state.assignee,
        error: state.error,
        progress: state.progress,
        note: state.note,
        comments: state.comments,
        updated_at: state.updated_at,
        ..Task::blocked()
    }
}

fn task_record(id: TaskId, task: &Task) -> TaskRecord {
    TaskRecord {
        id,
        title: task.title.clone(),
        description: task.description.clone(),
        payload: task.payload.clone(),
        priority: task.priority,
        tags: task.tags.to_vec(),
        role: task.role.clone(),
        depends_on: task.depends_on.to_vec(),
        parent: task.parent,
        max_attempts: task.max_attempts,
        backoff_ms: task.backoff_ms,
        on_dependency_failure: task.on_dependency_failure,
        review: task.review,
        created_by: task.created_by.clone(),
        created_at: task.created_at,
        dedupe_key: task.dedupe_key.clone(),
        result: task.result.clone(),
        checkpoint: task.checkpoint.clone(),
    }
}
