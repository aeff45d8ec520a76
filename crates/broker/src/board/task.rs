//! `task.*`: how a task changes and who hears of it.
//!
//! Invariant: a task's lease is in `leases` exactly while its standing is "in progress" under the same token. Each change
//! of a task goes through [`Board::change_task`], and each entry into this area ends with [`Board::hand_out`]: then no
//! ready task matches a waiting claim.

mod claiming;
mod creating;
mod ending;
mod graph;
mod looking;
mod restore;
mod steering;
mod waiting;
mod working;

use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::event::{Event, EventBody, TaskChanged, TaskCreated};
use callboard_protocol::json::Json;
use callboard_protocol::limits::{FINISHED_TASK_MS, LABELS_MAX};
use callboard_protocol::methods::server::Area;
use callboard_protocol::methods::task::{One, Task as TaskView};
use callboard_protocol::names::{AgentName, Label};
use callboard_protocol::revision::{Revision, TaskId, Token};
use callboard_protocol::scalar::Scalar;

use crate::board::{Board, invalid_params, limit_exceeded, not_found};
use crate::effects::PushClass;
use crate::now::{Monotonic, Now};
use crate::page::ENVELOPE_BYTES;
use crate::task::entry::Finish;
use crate::task::{Standing, Task};

/// How many tasks are worked off before anybody else gets the board.
const DUE_AT_ONCE: usize = 64;

/// Which records a change touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Touched {
    /// Where the task stands.
    State,
    /// What it is too: its result, its checkpoint, its tags.
    All,
}

impl Board {
    /// Changes a task under a revision of its own, records it, and tells those who wait for it. Whoever finishes one
    /// goes on with [`Board::propagate`].
    fn change_task(
        &mut self,
        now: Now,
        id: TaskId,
        touched: Touched,
        change: impl FnOnce(&mut Task, Revision),
    ) {
        let revision = self.next_revision();
        let changed = self.tasks.change(id, |task| {
            let before = task.holder().cloned();
            change(task, revision);
            task.updated_at = now.unix_ms;
            (before, task.holder().cloned())
        });
        let Some((before, after)) = changed else { return };
        self.record_task(now, id, touched);
        match (before, after) {
            (None, Some(agent)) => self.agents.claimed(&agent, now.monotonic),
            (Some(agent), None) => self.agents.unclaimed(&agent),
            (None, None) | (Some(_), Some(_)) => {}
        }
        self.reconsider_task_waits(now, id);
    }

    /// Something is due of a task: works off the first ones, and only then hands out, so that what becomes ready at one
    /// instant goes by priority.
    pub(crate) fn tasks_due(&mut self, now: Now) {
        for _ in 0..DUE_AT_ONCE {
            let Some(id) = self.tasks.next_overdue(now.monotonic) else {
                break;
            };
            self.meet_task(now, id);
        }
        self.hand_out(now);
    }

    /// Works off all that should have happened to tasks by now, before they are looked at.
    fn settle_tasks(&mut self, now: Now) {
        if self.tasks.next_overdue(now.monotonic).is_none() {
            return;
        }
        while let Some(id) = self.tasks.next_overdue(now.monotonic) {
            self.meet_task(now, id);
        }
        self.hand_out(now);
    }

    /// As [`Board::settle_tasks`], and a claim whose binding ended lapses though that was not worked off yet.
    fn settle_task(&mut self, now: Now, id: TaskId) {
        self.settle_tasks(now);
        if let Some(token) = self.tasks.find(id).and_then(|task| task.standing.token()) {
            self.settle_claim(now, token);
        }
    }

    /// The claim under a token lapses if it is over; under any other token there is nothing to lapse.
    fn settle_claim(&mut self, now: Now, token: Token) {
        if self.leases.find_live(token, now.monotonic).is_none() {
            self.end_claim(now, token);
        }
    }

    fn meet_task(&mut self, now: Now, id: TaskId) {
        match self.tasks.find(id).map(|task| task.standing) {
            Some(Standing::Delayed { .. }) => {
                self.change_task(now, id, Touched::State, |task, revision| {
                    task.standing = Standing::Pending { turn: revision };
                    task.not_before = None;
                });
                self.tell_task(now, id, "ready", None);
            }
            Some(Standing::InProgress { token, .. }) => self.claim_lapsed(now, token),
            Some(Standing::Finished { .. }) => self.forget_task(id),
            Some(Standing::Blocked | Standing::Pending { .. } | Standing::PendingReview) | None => {}
        }
    }

    /// Tells whoever watches and whoever tails of a change that was just made.
    fn tell_task(&mut self, now: Now, id: TaskId, action: &'static str, agent: Option<&AgentName>) {
        let title = |board: &Self| board.tasks.find(id).map(|task| task.title.clone());
        if self.sessions.has_tails() {
            let title = title(self);
            self.tail(now, Area::Task, action, &id, agent, || title);
        }
        if self.tasks.watchers.is_empty() {
            return;
        }
        let Some(task) = self.tasks.find(id) else { return };
        let watchers = self.tasks.watchers.iter().filter(|(_, filter)| {
            filter.parent.is_none_or(|parent| task.parent == Some(parent)) && task.has_tags(&filter.tags)
        });
        let watchers: Vec<_> = watchers.map(|(watcher, _)| *watcher).collect();
        if watchers.is_empty() {
            return;
        }
        let Some(body) = self.task_body(now, id, action == "created") else { return };
        for (session, subscription) in watchers {
            self.sessions.push(&mut self.effects, session, subscription, body.clone(), PushClass::Droppable);
        }
    }

    fn task_body(&self, now: Now, id: TaskId, created: bool) -> Option<EventBody> {
        let task = self.view_task(now, id)?;
        Some(if created { TaskCreated { task }.body() } else { TaskChanged { task }.body() })
    }

    /// A task as others see it.
    fn view_task(&self, now: Now, id: TaskId) -> Option<TaskView> {
        let task = self.tasks.find(id)?;
        let due = match task.standing {
            Standing::InProgress { due, .. } => due,
            Standing::Blocked
            | Standing::Delayed { .. }
            | Standing::Pending { .. }
            | Standing::PendingReview
            | Standing::Finished { .. } => None,
        };
        Some(TaskView {
            id,
            title: task.title.clone(),
            description: task.description.clone(),
            payload: task.payload.clone(),
            status: task.status(),
            why: task.why,
            priority: task.priority,
            tags: task.tags.to_vec(),
            role: task.role.clone(),
            depends_on: task.depends_on.to_vec(),
            parent: task.parent,
            attempts: task.attempts,
            max_attempts: task.max_attempts,
            assignee: task.assignee.clone(),
            result: task.result.clone(),
            error: task.error.clone(),
            checkpoint: task.checkpoint.clone(),
            progress: task.progress.clone().or_else(|| self.progress_of_children(id)),
            note: task.note.clone(),
            comments: task.comments.clone(),
            created_by: task.created_by.clone(),
            created_at: task.created_at,
            updated_at: task.updated_at,
            expires_at: due.map(|due| now.unix_of(due)),
        })
    }

    /// What a parent shows as progress: finished children of all, as in `"2/5"`.
    fn progress_of_children(&self, id: TaskId) -> Option<Scalar> {
        let counts = self.tasks.child_counts(id)?;
        let text = format!("{}/{}", counts.finished(), counts.total());
        Json::from_value(&text).ok().and_then(Scalar::new)
    }

    fn one_task(&self, now: Now, id: TaskId) -> Result<One, Error> {
        self.view_task(now, id).map(|task| One { task }).ok_or_else(|| no_task(id))
    }

    /// Refuses a task that would be too long for any answer.
    fn check_task_fits(&self, used: usize) -> Result<(), Error> {
        let max = self.config.limits.frame_bytes;
        if used + ENVELOPE_BYTES <= max {
            return Ok(());
        }
        Err(limit_exceeded(
            "frame_bytes",
            used,
            max,
            "the task would be longer than a frame: store it in a file",
        ))
    }

    /// Refuses what can't be done with a task in its status.
    fn not_ready(&self, id: TaskId, task: &Task, advice: &str) -> Error {
        let status = task.status();
        let waits_for = self.open_dependencies(task);
        let mut message = format!("task {id} is {status}");
        if !waits_for.is_empty() {
            let ids: Vec<String> = waits_for.iter().take(10).map(ToString::to_string).collect();
            message = format!("{message} and waits for {}", ids.join(", "));
        }
        Error::new(ErrorKind::NotReady, format!("{message}: {advice}"))
            .with("status", status)
            .with("waits_for", waits_for)
    }
}

/// A task that nothing blocks is ready, unless it has to rest.
fn unblocked(now: Now, not_before: Option<Monotonic>, revision: Revision) -> Standing {
    match not_before.filter(|due| *due > now.monotonic) {
        Some(due) => Standing::Delayed { due },
        None => Standing::Pending { turn: revision },
    }
}

/// The standing of a task that is finished at this revision.
fn finished(now: Now, how: Finish, revision: Revision) -> Standing {
    Standing::Finished { how, turn: revision, due: now.monotonic.plus_ms(FINISHED_TASK_MS) }
}

/// The error for a task that nobody knows, or nobody knows any more.
fn no_task(id: TaskId) -> Error {
    not_found(
        "task",
        format!("there is no task {id}, or it was finished and forgotten: task.list shows what is there"),
    )
}

fn check_tags(tags: Option<&[Label]>) -> Result<(), Error> {
    match tags.map(<[Label]>::len) {
        Some(used) if used > LABELS_MAX => Err(invalid_params(
            "tags",
            format!("`tags` has {used} entries, at most {LABELS_MAX} are allowed"),
        )),
        Some(_) | None => Ok(()),
    }
}
