//! The verbs of a task's holder, and what becomes of a claim that lapses.

use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::json::Json;
use callboard_protocol::limits::TASK_BACKOFF_MS_DEFAULT;
use callboard_protocol::methods::message::Stale;
use callboard_protocol::methods::task::{Complete, Extend, Fail, One, Release, Why};
use callboard_protocol::names::AgentName;
use callboard_protocol::params::TtlMs;
use callboard_protocol::revision::{TaskId, Token};

use super::{Touched, finished, no_task, unblocked};
use crate::board::{Board, Call, check_text};
use crate::lease::stale_token;
use crate::now::Now;
use crate::task::backoff::{FREE_RELEASES, backoff_ms};
use crate::task::entry::Finish;
use crate::task::{Standing, Task};

impl Board {
    /// The task under a live claim of the caller's, and the caller.
    fn own_claim(&mut self, call: &Call, token: Token) -> Result<(TaskId, AgentName), Error> {
        let agent = call.agent()?.clone();
        self.settle_tasks(call.now);
        self.settle_claim(call.now, token);
        let lease = self.leases.find(token);
        let Some((id, holder)) = lease.and_then(|lease| Some((lease.of.task()?, &lease.agent))) else {
            return Err(stale_token(&format!("task token {token}"), self.leases.why_ended(token)));
        };
        if *holder == agent {
            return Ok((id, agent));
        }
        let message = format!("task token {token} is {holder}'s: only its holder uses it");
        Err(Error::new(ErrorKind::NotOwner, message).with("assignee", holder))
    }

    /// Refuses a value in the place of the one before, if the task then was longer than a frame.
    fn check_growth(
        &self,
        id: TaskId,
        before: fn(&Task) -> Option<&Json>,
        after: &Json,
    ) -> Result<(), Error> {
        let task = self.tasks.find(id).ok_or_else(|| no_task(id))?;
        self.check_task_fits(task.wire_bytes() - before(task).map_or(0, Json::len) + after.len())
    }

    pub(crate) fn task_extend(&mut self, call: &Call, params: Extend) -> Result<One, Error> {
        check_text("note", params.note.as_ref())?;
        let (id, agent) = self.own_claim(call, params.token)?;
        if let Some(checkpoint) = &params.checkpoint {
            self.check_memory()?;
            self.check_growth(id, |task| task.checkpoint.as_ref(), checkpoint)?;
        }
        let tells = params.checkpoint.is_some() || params.progress.is_some() || params.note.is_some();
        let own = self.leases.find(params.token).and_then(|lease| lease.ttl_ms);
        let lease_ms = params.lease_ms.map(TtlMs::get).or(own);
        let end = self.leases.extend(&mut self.deadlines, params.token, call.now.monotonic, lease_ms);
        let touched = if params.checkpoint.is_some() { Touched::All } else { Touched::State };
        self.change_task(call.now, id, touched, |task, _| {
            if let Standing::InProgress { due, .. } = &mut task.standing {
                *due = end;
            }
            if tells {
                task.releases = 0;
            }
            task.progress = params.progress.or(task.progress.take());
            task.note = params.note.or(task.note.take());
            task.checkpoint = params.checkpoint.or(task.checkpoint.take());
        });
        if tells {
            self.tell_task(call.now, id, "extended", Some(&agent));
        }
        self.hand_out(call.now);
        self.one_task(call.now, id)
    }

    pub(crate) fn task_complete(&mut self, call: &Call, params: Complete) -> Result<One, Error> {
        let (id, agent) = self.own_claim(call, params.token)?;
        let now = call.now;
        if let Some(result) = &params.result {
            self.check_growth(id, |task| task.result.as_ref(), result)?;
        }
        let had_result = self.tasks.find(id).is_some_and(|task| task.result.is_some());
        let touched = if params.result.is_some() || had_result { Touched::All } else { Touched::State };
        self.leases.end(&mut self.deadlines, params.token, Stale::Released);
        self.change_task(now, id, touched, |task, revision| {
            task.standing = if task.review {
                Standing::PendingReview
            } else {
                finished(now, Finish::Completed, revision)
            };
            task.result = params.result;
            task.error = None;
            task.releases = 0;
        });
        self.tell_task(now, id, "completed", Some(&agent));
        self.propagate(now, id);
        self.hand_out(now);
        self.one_task(now, id)
    }

    pub(crate) fn task_fail(&mut self, call: &Call, params: Fail) -> Result<One, Error> {
        check_text("error", Some(&params.error))?;
        let (id, agent) = self.own_claim(call, params.token)?;
        self.leases.end(&mut self.deadlines, params.token, Stale::Released);
        let is_over = !params.retryable.unwrap_or(true);
        self.attempt_failed(call.now, id, params.error, is_over, Some(&agent));
        self.hand_out(call.now);
        self.one_task(call.now, id)
    }

    /// Gives a task back at once; who does nothing else with it has it rest, longer each time.
    pub(crate) fn task_release(&mut self, call: &Call, params: Release) -> Result<One, Error> {
        check_text("reason", params.reason.as_ref())?;
        let (id, agent) = self.own_claim(call, params.token)?;
        let now = call.now;
        self.leases.end(&mut self.deadlines, params.token, Stale::Released);
        self.change_task(now, id, Touched::State, |task, revision| {
            task.attempts = task.attempts.saturating_sub(1);
            task.releases = task.releases.saturating_add(1);
            let thrashed = task.releases.saturating_sub(FREE_RELEASES);
            let base_ms = task.backoff_ms.max(TASK_BACKOFF_MS_DEFAULT);
            let rest = (thrashed > 0).then(|| now.monotonic.plus_ms(backoff_ms(base_ms, thrashed, id)));
            task.not_before = rest;
            task.standing = unblocked(now, rest, revision);
            task.assignee = None;
            task.note = params.reason.or(task.note.take());
        });
        self.tell_task(now, id, "released", Some(&agent));
        self.hand_out(now);
        self.one_task(now, id)
    }

    /// The lease of a claim is over, by the clock or with what it was bound to.
    pub(crate) fn end_claim(&mut self, now: Now, token: Token) {
        self.claim_lapsed(now, token);
        self.hand_out(now);
    }

    pub(super) fn claim_lapsed(&mut self, now: Now, token: Token) {
        let Some(id) = self.leases.task_of(token) else { return };
        let holder = self.tasks.find(id).and_then(|task| task.assignee.clone());
        self.leases.end(&mut self.deadlines, token, Stale::Expired);
        let name = holder.as_ref().map_or("nobody", AgentName::as_str);
        let error = format!("the lease of {name} ended before the task was done");
        self.attempt_failed(now, id, error, false, holder.as_ref());
    }

    /// An attempt came to nothing: the task rests and is tried again, unless that is of no use any more.
    fn attempt_failed(&mut self, now: Now, id: TaskId, error: String, is_over: bool, by: Option<&AgentName>) {
        let mut action = "failed";
        self.change_task(now, id, Touched::State, |task, revision| {
            task.error = Some(error);
            if is_over || task.attempts >= task.max_attempts {
                task.why = Some(if is_over { Why::Error } else { Why::Attempts });
                task.standing = finished(now, Finish::Failed, revision);
                return;
            }
            action = "delayed";
            let rest = now.monotonic.plus_ms(backoff_ms(task.backoff_ms, task.attempts, id));
            task.not_before = Some(rest);
            task.standing = unblocked(now, Some(rest), revision);
            task.assignee = None;
        });
        self.tell_task(now, id, action, by);
        self.propagate(now, id);
    }
}
