//! Looks at tasks: whether what is seen can follow from what was told.

use std::collections::BTreeMap;

use callboard_broker::record::{TaskRecord, TaskStateRecord};
use callboard_broker::{Monotonic, Now};
use callboard_protocol::AgentName;
use callboard_protocol::methods::task::{Status, Task as TaskView, Why};

use super::State;
use super::tasks::{Claim, Standing, Task, text};

/// One look at where a task stands.
#[derive(Debug)]
pub struct Sight {
    status: Status,
    why: Option<Why>,
    attempts: u32,
    assignee: Option<AgentName>,
    expires_at: Option<u64>,
    /// Only records tell it.
    token: Option<u64>,
}

impl From<&TaskView> for Sight {
    fn from(view: &TaskView) -> Self {
        Self {
            status: view.status,
            why: view.why,
            attempts: view.attempts,
            assignee: view.assignee.clone(),
            expires_at: view.expires_at,
            token: None,
        }
    }
}

impl From<&TaskStateRecord> for Sight {
    fn from(record: &TaskStateRecord) -> Self {
        let lease = record.lease.as_ref();
        Self {
            status: record.status,
            why: record.why,
            attempts: record.attempts,
            assignee: record.assignee.clone(),
            expires_at: lease.and_then(|lease| lease.expires_at),
            token: lease.map(|lease| lease.token.0),
        }
    }
}

/// What may have become of a task.
#[derive(Debug, Clone, Copy)]
struct Outlook {
    may_be_open: bool,
    may_be_done: bool,
    may_have_failed: bool,
}

impl Outlook {
    /// Whether it may let those go on that depend on it.
    fn may_let_on(self, runs_anyway: bool) -> bool {
        self.may_be_done || (runs_anyway && self.may_have_failed)
    }
}

impl State {
    fn outlook(&self, now: Now, id: u64, known: &mut BTreeMap<u64, Outlook>) -> Outlook {
        if let Some(outlook) = known.get(&id) {
            return *outlook;
        }
        let task = &self.tasks[&id];
        let only =
            |may_be_open, may_be_done, may_have_failed| Outlook { may_be_open, may_be_done, may_have_failed };
        let outlook = match &task.standing {
            Standing::Completed => only(false, true, false),
            Standing::Failed(_) | Standing::Cancelled(_) => only(false, false, true),
            Standing::InReview(_) => only(true, false, false),
            Standing::Held(claim) => {
                only(true, false, !claim.is_certain(now) && task.attempts >= task.max_attempts)
            }
            Standing::Open { .. } => {
                let outlooks = self.outlooks(now, task, known);
                let may_fail = !task.runs_anyway && outlooks.iter().any(|of| of.may_have_failed);
                only(task.runs_anyway || !surely_failed(&outlooks), false, may_fail)
            }
        };
        known.insert(id, outlook);
        outlook
    }

    fn outlooks(&self, now: Now, task: &Task, known: &mut BTreeMap<u64, Outlook>) -> Vec<Outlook> {
        task.depends_on.iter().map(|id| self.outlook(now, *id, known)).collect()
    }

    /// Whether a task may be claimed, as far as others are concerned.
    pub(super) fn may_be_unblocked(&self, now: Now, task: &Task) -> bool {
        let outlooks = self.outlooks(now, task, &mut BTreeMap::new());
        task.is_out_of_order || outlooks.iter().all(|of| of.may_let_on(task.runs_anyway))
    }

    /// What is known of a task after a look at it, which must be one that can follow.
    pub(super) fn seen(&self, now: Now, id: u64, sight: &Sight) -> Task {
        let Some(task) = self.tasks.get(&id) else { panic!("the task {id} was never created: {sight:?}") };
        let told = || format!("task {id} at {now:?}: {sight:?} cannot follow {task:?}");
        assert_eq!(sight.attempts, task.attempts, "{}", told());
        let mut after = task.clone();
        if let Standing::Held(claim) = &task.standing {
            if sight.status == Status::InProgress {
                assert!(is_of_claim(now, sight, claim), "{}", told());
                return after;
            }
            after.lapsed(now);
        }
        let is_right = match (&after.standing, sight.status) {
            (Standing::Open { .. }, status) => self.is_open_as(now, &after, status, sight.why),
            (Standing::InReview(by), Status::PendingReview) => sight.assignee.as_ref() == Some(by),
            (Standing::Completed, Status::Completed) | (Standing::Cancelled(_), Status::Cancelled) => true,
            (Standing::Failed(why), Status::Failed) => sight.why == Some(*why),
            (_standing, _status) => false,
        };
        assert!(is_right, "{}", told());
        match sight.status {
            Status::Pending => after.standing = Standing::Open { is_ready: true },
            Status::Failed => after.standing = Standing::Failed(sight.why.unwrap()),
            _other => {}
        }
        after
    }

    fn is_open_as(&self, now: Now, task: &Task, status: Status, why: Option<Why>) -> bool {
        let outlooks = self.outlooks(now, task, &mut BTreeMap::new());
        let may_be_unblocked = self.may_be_unblocked(now, task);
        let must_fail = !task.runs_anyway && surely_failed(&outlooks);
        let was_ready = task.standing == Standing::Open { is_ready: true };
        match status {
            Status::Pending => may_be_unblocked && !must_fail && !task.rest.is_certainly_ahead(now),
            Status::Delayed => {
                may_be_unblocked && !must_fail && !was_ready && !task.rest.is_certainly_over(now)
            }
            Status::Blocked => !was_ready && !must_fail && outlooks.iter().any(|of| of.may_be_open),
            Status::Failed => {
                let may_fail = !task.runs_anyway && outlooks.iter().any(|of| of.may_have_failed);
                !was_ready && may_fail && why == Some(Why::Dependency)
            }
            Status::InProgress | Status::PendingReview | Status::Completed | Status::Cancelled => false,
        }
    }

    pub(super) fn check_task_state(&self, now: Now, record: &TaskStateRecord) {
        self.seen(now, record.task.0, &Sight::from(record));
    }

    pub(super) fn check_task(&self, record: &TaskRecord) {
        let Some(task) = self.tasks.get(&record.id.0) else { panic!("never created: {record:?}") };
        self.check_values(record.id.0, text(record.checkpoint.as_ref()), text(record.result.as_ref()));
        assert_eq!((record.priority, record.review), (task.priority, task.needs_review), "{record:?}");
    }

    pub(super) fn check_values(&self, id: u64, checkpoint: Option<String>, result: Option<String>) {
        let task = &self.tasks[&id];
        assert_eq!(checkpoint, task.checkpoint, "the checkpoint of task {id}: {task:?}");
        assert_eq!(result, task.result, "the result of task {id}: {task:?}");
    }
}

/// Whether one of them failed, as far as that is known.
fn surely_failed(outlooks: &[Outlook]) -> bool {
    outlooks.iter().any(|of| of.may_have_failed && !of.may_be_open && !of.may_be_done)
}

fn is_of_claim(now: Now, sight: &Sight, claim: &Claim) -> bool {
    let at = |us| now.unix_of(Monotonic(us));
    let range = at(claim.due.earliest)..=at(claim.due.latest);
    sight.assignee.as_ref() == Some(&claim.agent)
        && sight.token.is_none_or(|token| token == claim.token)
        && sight.expires_at.is_some_and(|expires_at| range.contains(&expires_at))
        && !claim.due.is_certainly_over(now)
}
