//! The verbs about a task that its holder does not need: approving, calling off, starting anew, changing.

use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::event::{Event, TaskCancelled};
use callboard_protocol::methods::message::Stale;
use callboard_protocol::methods::task::{Cancel, One, Retry, Review, Status, Update, Why};
use callboard_protocol::names::{AgentName, Label};
use callboard_protocol::revision::TaskId;

use super::{Touched, check_tags, finished, no_task, unblocked};
use crate::board::{Board, Call, check_text};
use crate::now::Now;
use crate::task::entry::Finish;
use crate::task::{Standing, Task};

impl Board {
    /// A task as it stands now, all that is over worked off.
    pub(super) fn settled_task(&mut self, now: Now, id: TaskId) -> Result<&Task, Error> {
        self.settle_task(now, id);
        self.tasks.find(id).ok_or_else(|| no_task(id))
    }

    pub(crate) fn task_review(&mut self, call: &Call, params: Review) -> Result<One, Error> {
        let agent = call.agent()?.clone();
        check_text("comments", params.comments.as_ref())?;
        let (now, id) = (call.now, params.id);
        let task = self.settled_task(now, id)?;
        if task.standing != Standing::PendingReview {
            let task = task.clone();
            return Err(self.not_ready(id, &task, "only what waits for approval is reviewed"));
        }
        if task.assignee.as_ref() == Some(&agent) {
            let message = format!("task {id} was done by {agent}: somebody else has to review it");
            return Err(Error::new(ErrorKind::PermissionDenied, message).with("assignee", &agent));
        }
        self.change_task(now, id, Touched::All, |task, revision| {
            task.comments = params.comments;
            if params.approve {
                task.standing = finished(now, Finish::Completed, revision);
                return;
            }
            task.standing = Standing::Pending { turn: revision };
            task.result = None;
            task.assignee = None;
            task.attempts = 0;
        });
        self.tell_task(now, id, if params.approve { "approved" } else { "rejected" }, Some(&agent));
        self.propagate(now, id);
        self.hand_out(now);
        self.one_task(now, id)
    }

    pub(crate) fn task_cancel(&mut self, call: &Call, params: &Cancel) -> Result<One, Error> {
        let (now, id) = (call.now, params.id);
        let task = self.settled_task(now, id)?;
        if task.status() == Status::Cancelled {
            return self.one_task(now, id);
        }
        if task.standing.is_finished() {
            let task = task.clone();
            return Err(self.not_ready(id, &task, "there is nothing left to call off"));
        }
        self.cancel_task(now, id, call.agent.as_ref());
        self.propagate(now, id);
        self.hand_out(now);
        self.one_task(now, id)
    }

    /// Calls an open task off and tells its holder.
    pub(super) fn cancel_task(&mut self, now: Now, id: TaskId, by: Option<&AgentName>) {
        let claim =
            self.tasks.find(id).and_then(|task| Some((task.standing.token()?, task.assignee.clone()?)));
        if let Some((token, holder)) = claim {
            self.leases.end(&mut self.deadlines, token, Stale::Broken);
            let body = TaskCancelled { id, token, by: by.cloned() }.body();
            self.sessions.notify(&mut self.effects, &holder, &body);
        }
        self.change_task(now, id, Touched::State, |task, revision| {
            task.standing = finished(now, Finish::Cancelled, revision);
        });
        self.tell_task(now, id, "cancelled", by);
    }

    pub(crate) fn task_retry(&mut self, call: &Call, params: &Retry) -> Result<One, Error> {
        let (now, id) = (call.now, params.id);
        let task = self.settled_task(now, id)?.clone();
        if !matches!(task.status(), Status::Failed | Status::Cancelled) {
            return Err(self.not_ready(id, &task, "only what failed or was cancelled is retried"));
        }
        if let Some(culprit) = self.failed_dependency(&task) {
            let message =
                format!("task {id} depends on {culprit}, which failed or was cancelled: retry that one");
            return Err(Error::new(ErrorKind::NotReady, message)
                .with("status", task.status())
                .with("waits_for", [culprit]));
        }
        self.check_memory()?;
        let mut left = vec![id];
        while let Some(next) = left.pop() {
            self.start_anew(now, next, next != id, call.agent.as_ref());
            left.extend(self.failed_with(next));
        }
        self.hand_out(now);
        self.one_task(now, id)
    }

    /// The tasks that failed because of one that starts anew, and nothing else stands in the way of.
    fn failed_with(&self, id: TaskId) -> Vec<TaskId> {
        let dependents = self.tasks.dependents(id, TaskId::default());
        let revived = dependents.filter(|dependent| {
            self.tasks.find(*dependent).is_some_and(|task| {
                task.status() == Status::Failed
                    && task.why == Some(Why::Dependency)
                    && self.failed_dependency(task).is_none()
            })
        });
        revived.collect()
    }

    /// A task is as it was created. Who asks for one by its id wants it now; one that comes along keeps its delay.
    fn start_anew(&mut self, now: Now, id: TaskId, keeps_delay: bool, by: Option<&AgentName>) {
        let Some(is_blocked) = self.tasks.find(id).map(|task| self.has_open_dependency(task)) else {
            return;
        };
        self.change_task(now, id, Touched::All, |task, revision| {
            task.not_before = task.not_before.filter(|_| keeps_delay);
            task.standing =
                if is_blocked { Standing::Blocked } else { unblocked(now, task.not_before, revision) };
            task.why = None;
            task.error = None;
            task.result = None;
            task.assignee = None;
            task.attempts = 0;
            task.releases = 0;
        });
        self.tell_task(now, id, "retried", by);
    }

    pub(crate) fn task_update(&mut self, call: &Call, params: Update) -> Result<One, Error> {
        let text = |member: &'static str, text: &Option<Option<String>>| {
            check_text(member, text.as_ref().and_then(Option::as_ref))
        };
        text("description", &params.description)?;
        text("note", &params.note)?;
        check_tags(params.tags.as_ref().and_then(Option::as_deref))?;
        let (now, id) = (call.now, params.id);
        self.settled_task(now, id)?;
        self.check_memory()?;
        self.change_task(now, id, Touched::All, |task, _| {
            if let Some(priority) = params.priority {
                task.priority = priority.unwrap_or_default();
            }
            if let Some(tags) = params.tags {
                let tags: std::collections::BTreeSet<Label> = tags.into_iter().flatten().collect();
                task.tags = tags.into_iter().collect();
            }
            if let Some(description) = params.description {
                task.description = description;
            }
            if let Some(note) = params.note {
                task.note = note;
            }
        });
        self.tell_task(now, id, "updated", call.agent.as_ref());
        self.hand_out(now);
        self.one_task(now, id)
    }
}
