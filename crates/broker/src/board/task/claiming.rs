//! `task.claim`: who gets which task.
//!
//! Invariant: between two calls no ready task matches a claim that waits. So a claim that comes never overtakes, a task
//! that becomes ready goes to the longest waiting claim that may have it, and a claim takes the task that goes first.

use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::limits::TASK_LEASE_MS_DEFAULT;
use callboard_protocol::methods::BoardAnswer;
use callboard_protocol::methods::lock::Bind;
use callboard_protocol::methods::task::{Claim, Claimed};
use callboard_protocol::names::{AgentName, Label, Role};
use callboard_protocol::params::{TtlMs, WaitMs};
use callboard_protocol::revision::TaskId;

use super::{Touched, check_tags, no_task};
use crate::board::{Board, Call, Verdict, invalid_params};
use crate::lease::{Binding, Lease, Leased};
use crate::now::{Monotonic, Now};
use crate::task::waiters::Terms;
use crate::task::{Standing, Task};
use crate::wait::{WaitId, WaitKind};

const NOTHING: Claimed = Claimed { task: None, token: None };

impl Board {
    pub(crate) fn task_claim(&mut self, call: &Call, params: Claim) -> Result<Verdict<Claimed>, Error> {
        let agent = call.agent()?.clone();
        check_tags(params.tags.as_deref())?;
        if params.id.is_some() && (params.tags.is_some() || params.role.is_some()) {
            let message = "`id` names the task: leave `tags` and `role` out, or `id`";
            return Err(invalid_params("id", message));
        }
        match params.id {
            Some(id) => self.settle_task(call.now, id),
            None => self.settle_tasks(call.now),
        }
        let wait_ms = params.wait_ms.map_or(0, WaitMs::get);
        let terms = Terms {
            agent,
            id: params.id,
            tags: params.tags.unwrap_or_default(),
            role: params.role,
            lease_ms: params.lease_ms.map_or(TASK_LEASE_MS_DEFAULT, TtlMs::get),
            binding: match params.bind.unwrap_or(Bind::Session) {
                Bind::Session => Binding::Session(call.session),
                Bind::Agent => Binding::Agent,
            },
        };
        let claimed = match terms.id {
            Some(id) => self.claim_by_id(call.now, id, &terms, call.now.monotonic.plus_ms(wait_ms))?,
            None => {
                let role = self.role_of(&terms.agent);
                self.next_ready(role.as_ref(), terms.role.as_ref(), &terms.tags)
                    .and_then(|id| self.grant_task(call.now, id, &terms))
            }
        };
        self.hand_out(call.now);
        match claimed {
            Some(claimed) => Ok(Verdict::Done(claimed)),
            None if wait_ms == 0 => Ok(Verdict::Done(NOTHING)),
            None => {
                let wait = self.start_wait(call, WaitKind::Claim, wait_ms)?;
                self.tasks.claims.insert(wait, terms);
                Ok(Verdict::Waiting)
            }
        }
    }

    fn role_of(&self, agent: &AgentName) -> Option<Role> {
        self.agents.find(agent).and_then(|agent| agent.profile.role.clone())
    }

    /// The ready task that goes first of those that an agent of role `own` may have: for anybody and for its role, or for
    /// the role `wanted` alone.
    pub(super) fn next_ready(
        &self,
        own: Option<&Role>,
        wanted: Option<&Role>,
        tags: &[Label],
    ) -> Option<TaskId> {
        let first = |role: Option<&Role>| {
            self.tasks.ready(role, tags).find(|(_, _, id)| {
                tags.len() < 2 || self.tasks.find(*id).is_some_and(|task| task.has_tags(tags))
            })
        };
        let of_role =
            own.filter(|own| wanted.is_none_or(|wanted| wanted == *own)).and_then(|own| first(Some(own)));
        let of_anybody = if wanted.is_none() { first(None) } else { None };
        of_role.into_iter().chain(of_anybody).min().map(|(_, _, id)| id)
    }

    fn may_have(&self, terms: &Terms, task: &Task) -> bool {
        let is_for = match (&task.role, &terms.role) {
            (None, wanted) => wanted.is_none(),
            (Some(role), wanted) => {
                wanted.as_ref().is_none_or(|wanted| wanted == role)
                    && self.role_of(&terms.agent).as_ref() == Some(role)
            }
        };
        is_for && task.has_tags(&terms.tags)
    }

    /// What a claim of one task comes to; `None` when it is ready in time to wait for.
    fn claim_by_id(
        &mut self,
        now: Now,
        id: TaskId,
        terms: &Terms,
        until: Monotonic,
    ) -> Result<Option<Claimed>, Error> {
        let task = self.tasks.find(id).ok_or_else(|| no_task(id))?;
        match task.standing {
            Standing::InProgress { token, due } => {
                if task.assignee.as_ref() == Some(&terms.agent) {
                    return Ok(Some(Claimed { task: self.view_task(now, id), token: Some(token) }));
                }
                let holder = task.assignee.as_ref().map_or("somebody", AgentName::as_str);
                let message =
                    format!("task {id} is {holder}'s: claim another one, or ask {holder} to release it");
                Err(Error::new(ErrorKind::NotOwner, message)
                    .with("assignee", &task.assignee)
                    .with("expires_at", due.map(|due| now.unix_of(due))))
            }
            Standing::Pending { .. } | Standing::Delayed { .. } if !self.may_have(terms, task) => {
                let role = task.role.as_ref().map_or("another role", Role::as_str);
                let message = format!("task {id} is for agents of the role {role}: claim another one");
                Err(Error::new(ErrorKind::PermissionDenied, message))
            }
            Standing::Pending { .. } => Ok(self.grant_task(now, id, terms)),
            Standing::Delayed { due } if due < until => Ok(None),
            Standing::Delayed { .. }
            | Standing::Blocked
            | Standing::PendingReview
            | Standing::Finished { .. } => Err(self.not_ready(id, task, "claim another one, or wait for it")),
        }
    }

    /// Gives a ready task to a claim.
    fn grant_task(&mut self, now: Now, id: TaskId, terms: &Terms) -> Option<Claimed> {
        self.tasks.find(id)?;
        let due = Some(now.monotonic.plus_ms(terms.lease_ms));
        let agent = terms.agent.clone();
        let token = self.next_revision();
        let lease = Lease {
            of: Leased::Task(id),
            agent: agent.clone(),
            binding: terms.binding,
            ttl_ms: Some(terms.lease_ms),
            due,
        };
        self.leases.grant(&mut self.deadlines, token, lease);
        self.change_task(now, id, Touched::State, |task, _| {
            task.standing = Standing::InProgress { token, due };
            task.attempts += 1;
            task.assignee = Some(agent.clone());
            task.why = None;
        });
        self.tell_task(now, id, "claimed", Some(&agent));
        Some(Claimed { task: self.view_task(now, id), token: Some(token) })
    }

    /// Offers each task that became ready to those who wait, the one that goes first before the others.
    pub(crate) fn hand_out(&mut self, now: Now) {
        while let Some(id) = self.tasks.take_unoffered() {
            if self.tasks.claims.is_empty() {
                continue;
            }
            let Some(task) = self.tasks.find(id) else { continue };
            let wants =
                |wait: WaitId, terms: &Terms| self.may_have(terms, task) && !self.is_wait_over(now, wait);
            if let Some(wait) = self.tasks.claims.longest(id, &task.tags, wants) {
                self.serve_claim(now, wait, id);
            }
        }
    }

    fn serve_claim(&mut self, now: Now, wait: WaitId, id: TaskId) {
        let Some(terms) = self.tasks.claims.remove(wait) else { return };
        let claimed = self.grant_task(now, id, &terms).unwrap_or(NOTHING);
        self.answer(wait, Ok(BoardAnswer::TaskClaim(claimed)));
    }

    /// An agent's role changed: its waiting claims may have other tasks now.
    pub(crate) fn role_changed(&mut self, now: Now, agent: &AgentName) {
        for wait in self.tasks.claims.of_agent(agent) {
            let Some(terms) = self.tasks.claims.find(wait).filter(|terms| terms.id.is_none()) else {
                continue;
            };
            let role = self.role_of(agent);
            let ready = self.next_ready(role.as_ref(), terms.role.as_ref(), &terms.tags);
            if let Some(id) = ready.filter(|_| !self.is_wait_over(now, wait)) {
                self.serve_claim(now, wait, id);
            }
        }
        self.hand_out(now);
    }

    /// A task changed that claims wait for by its id: answers those that it will never be ready for in time.
    pub(super) fn reconsider_claims(&mut self, now: Now, id: TaskId) {
        for wait in self.tasks.claims.of_task(id) {
            let until = self.waits.find(wait).map_or(now.monotonic, |wait| wait.due);
            let is_ready =
                self.tasks.find(id).is_some_and(|task| matches!(task.standing, Standing::Pending { .. }));
            let Some(terms) = self.tasks.claims.find(wait).filter(|_| !is_ready).cloned() else {
                continue;
            };
            let answer = match self.claim_by_id(now, id, &terms, until) {
                Ok(None) => continue,
                Ok(Some(claimed)) => Ok(BoardAnswer::TaskClaim(claimed)),
                Err(error) => Err(error),
            };
            self.tasks.claims.remove(wait);
            self.answer(wait, answer);
        }
    }

    /// `task.claim` waited in vain: an empty answer.
    pub(crate) fn claim_ran_out(&mut self, id: WaitId) {
        self.tasks.claims.remove(id);
        self.answer(id, Ok(BoardAnswer::TaskClaim(NOTHING)));
    }

    /// A waiting claim is withdrawn (the wait itself is taken out by the caller).
    pub(crate) fn withdraw_claim(&mut self, id: WaitId) {
        self.tasks.claims.remove(id);
    }
}
