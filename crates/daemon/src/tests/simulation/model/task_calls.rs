//! What answers about tasks tell, and whether they may.
//!
//! A call is judged in two steps. What it did counts before the answers that it set free; what it says of the task as it
//! is then, and a refusal, are looked at after them.

use callboard_broker::Now;
use callboard_protocol::error::ErrorKind;
use callboard_protocol::limits::TASK_LEASE_MS_DEFAULT;
use callboard_protocol::methods::lock::Bind;
use callboard_protocol::methods::task::{
    Claim as ClaimParams, Claimed, Draft, Status, Task as TaskView, Why,
};
use callboard_protocol::methods::{BoardAnswer, BoardCommand};
use callboard_protocol::{AgentName, Error, TtlMs};

use super::sights::Sight;
use super::tasks::{Claim, PAST, Standing, Task, drafts_match, text, whenever};
use super::{Asked, Due, Fact, Model};

impl Model {
    /// What a call did.
    pub(super) fn task_told(&mut self, now: Now, asked: &Asked, request: i64, answer: &BoardAnswer) {
        match (&asked.command, answer) {
            (BoardCommand::TaskCreate(create), BoardAnswer::TaskCreate(created)) => {
                let is_duplicate = created.duplicate == Some(true);
                self.created(now, asked, &Draft::from(create.clone()), &created.task, is_duplicate);
            }
            (BoardCommand::TaskCreateMany(many), BoardAnswer::TaskCreateMany(created)) => {
                assert_eq!(many.tasks.len(), created.tasks.len(), "{many:?}: {created:?}");
                for (draft, view) in many.tasks.iter().zip(&created.tasks) {
                    self.learn_task(asked, view.id.0, Task::new(now, &asked.agent, draft, view));
                }
                for (draft, view) in many.tasks.iter().zip(&created.tasks) {
                    self.created(now, asked, draft, view, false);
                }
            }
            (BoardCommand::TaskClaim(claim), BoardAnswer::TaskClaim(claimed)) => {
                self.claimed(now, asked, request, (claim, claimed));
            }
            (BoardCommand::TaskWait(wait), BoardAnswer::TaskWait(ended)) => {
                let is_over = |view: &TaskView| view.status.is_finished() && wait.ids.contains(&view.id);
                assert!(!ended.tasks.is_empty() && ended.tasks.iter().all(is_over), "{wait:?}: {ended:?}");
            }
            (_command, _answer) => {
                self.worked(now, asked);
                self.steered(now, asked);
            }
        }
    }

    /// What a holder did.
    fn worked(&mut self, now: Now, asked: &Asked) {
        match &asked.command {
            BoardCommand::TaskExtend(extend) => {
                let (id, mut task, mut claim) = self.own_claim(now, asked, extend.token.0);
                claim.ttl_ms = extend.lease_ms.map_or(claim.ttl_ms, TtlMs::get);
                claim.due = Due::after(now, claim.ttl_ms);
                task.checkpoint = text(extend.checkpoint.as_ref()).or(task.checkpoint);
                task.standing = Standing::Held(claim);
                self.learn_task(asked, id, task);
            }
            BoardCommand::TaskComplete(complete) => {
                let (id, mut task, _) = self.own_claim(now, asked, complete.token.0);
                task.result = text(complete.result.as_ref());
                task.standing = if task.needs_review {
                    Standing::InReview(asked.agent.clone())
                } else {
                    Standing::Completed
                };
                self.learn_task(asked, id, task);
            }
            BoardCommand::TaskFail(fail) => {
                let (id, mut task, _) = self.own_claim(now, asked, fail.token.0);
                if fail.retryable == Some(false) {
                    task.standing = Standing::Failed(Why::Error);
                } else {
                    task.attempt_failed(now.monotonic.0, now);
                }
                self.learn_task(asked, id, task);
            }
            BoardCommand::TaskRelease(release) => {
                let (id, mut task, _) = self.own_claim(now, asked, release.token.0);
                task.attempts -= 1;
                // Who does it again and again has it rest.
                task.rest = whenever(now);
                task.standing = Standing::Open { is_ready: false };
                self.learn_task(asked, id, task);
            }
            _other => {}
        }
    }

    /// What somebody did about a task whoever holds it.
    fn steered(&mut self, now: Now, asked: &Asked) {
        match &asked.command {
            BoardCommand::TaskReview(review) => {
                let mut task = self.board(&asked.namespace).tasks[&review.id.0].clone();
                let Standing::InReview(by) = &task.standing else { panic!("{review:?} of {task:?}") };
                assert_ne!(*by, asked.agent, "own work is approved of: {task:?}");
                if review.approve {
                    task.standing = Standing::Completed;
                } else {
                    task.start_anew();
                }
                self.learn_task(asked, review.id.0, task);
            }
            BoardCommand::TaskCancel(cancel) => {
                let mut task = self.board(&asked.namespace).tasks[&cancel.id.0].clone();
                let is_over = matches!(task.standing, Standing::Completed | Standing::Failed(_));
                assert!(!is_over, "finished and called off: {task:?}");
                if !matches!(task.standing, Standing::Cancelled(_)) {
                    task.standing = Standing::Cancelled(self.changes);
                    self.learn_task(asked, cancel.id.0, task);
                }
            }
            BoardCommand::TaskRetry(retry) => {
                let task = &self.board(&asked.namespace).tasks[&retry.id.0];
                let is_open = match &task.standing {
                    Standing::Completed | Standing::InReview(_) | Standing::Open { is_ready: true } => true,
                    Standing::Held(claim) => claim.is_certain(now),
                    Standing::Open { is_ready: false } | Standing::Failed(_) | Standing::Cancelled(_) => {
                        false
                    }
                };
                assert!(!is_open, "not failed and started anew: {task:?}");
                for (id, task) in self.board(&asked.namespace).retry(retry.id.0) {
                    self.learn_task(asked, id, task);
                }
            }
            BoardCommand::TaskUpdate(update) => {
                let mut task = self.board(&asked.namespace).tasks[&update.id.0].clone();
                task.priority = update.priority.flatten().unwrap_or(task.priority);
                self.learn_task(asked, update.id.0, task);
            }
            _other => {}
        }
    }

    fn learn_task(&mut self, asked: &Asked, id: u64, task: Task) {
        if self.board(&asked.namespace).tasks.get(&id) != Some(&task) {
            self.learn(&asked.namespace, Fact::Task(id, Box::new(task)));
        }
    }

    fn created(&mut self, now: Now, asked: &Asked, draft: &Draft, view: &TaskView, is_duplicate: bool) {
        let state = self.board(&asked.namespace);
        let first = draft.dedupe_key.as_ref().and_then(|key| state.first_task(&asked.agent, key));
        if is_duplicate {
            let own = state.tasks.get(&view.id.0).and_then(|task| task.dedupe.as_ref());
            let is_own = own.is_some_and(|(agent, key, due)| {
                *agent == asked.agent && Some(key) == draft.dedupe_key.as_ref() && !due.is_certainly_over(now)
            });
            // A wall clock that was set back may bring back one from before.
            let is_right =
                is_own && first.is_some_and(|(id, due)| id == view.id.0 || !due.is_certainly_ahead(now));
            assert!(is_right, "{view:?} is given again instead of {first:?}");
            return;
        }
        let is_due = first.is_none_or(|(_, due)| !due.is_certainly_ahead(now));
        assert!(is_due, "{view:?} is created beside {first:?}");
        assert!(drafts_match(draft, view), "{draft:?}: {view:?}");
        self.learn_task(asked, view.id.0, Task::new(now, &asked.agent, draft, view));
        let task = self.board(&asked.namespace).seen(now, view.id.0, &Sight::from(view));
        self.learn_task(asked, view.id.0, task);
    }

    /// The task under a token that was honoured.
    fn own_claim(&mut self, now: Now, asked: &Asked, token: u64) -> (u64, Task, Claim) {
        let state = self.board(&asked.namespace);
        for (id, task) in &state.tasks {
            if let Standing::Held(claim) = &task.standing
                && claim.token == token
            {
                assert!(!claim.due.is_certainly_over(now), "{token} is over: {task:?}");
                assert_eq!(claim.agent, asked.agent, "{token}: {task:?}");
                return (*id, task.clone(), claim.clone());
            }
        }
        panic!("the stale token {token} is honoured: {asked:?}");
    }

    fn claimed(&mut self, now: Now, asked: &Asked, request: i64, claim: (&ClaimParams, &Claimed)) {
        let (params, claimed) = claim;
        let Some(view) = &claimed.task else { return };
        let (id, token) = (view.id.0, claimed.token.unwrap().0);
        let mut task = self.board(&asked.namespace).tasks[&id].clone();
        let before = task.clone();
        let told = || format!("{token} of {view:?} at {now:?}: {before:?}");
        assert!(params.id.is_none_or(|wanted| wanted == view.id), "{params:?}: {}", told());
        assert!(params.tags.iter().flatten().all(|tag| task.tags.contains(tag)), "{params:?}: {}", told());
        let ttl_ms = params.lease_ms.map_or(TASK_LEASE_MS_DEFAULT, TtlMs::get);
        let session = (params.bind != Some(Bind::Agent)).then_some(asked.session);
        let (agent, due) = (asked.agent.clone(), Due::after(now, ttl_ms));
        let claim = Claim { agent, token, request, ttl_ms, due, session, is_doubtful: false };
        if matches!(&task.standing, Standing::Held(claim) if claim.token == token) {
            // Of several that waited, the one that it was granted to is told last.
            if self.board(&asked.namespace).waits.iter().any(|wait| wait.request == request) {
                task.standing = Standing::Held(claim);
                self.learn_task(asked, id, task);
            }
            return;
        }
        let highest = self.tokens.entry((asked.namespace.clone(), id)).or_default();
        assert!(token > *highest, "{}: the token {highest} was given before", told());
        *highest = token;
        task.lapsed(now);
        // It may have been called off by the very call that set it free.
        let is_over = task.standing == Standing::Cancelled(self.changes);
        let is_open = matches!(task.standing, Standing::Open { .. });
        assert!(is_over || is_open, "handed out: {}", told());
        task.attempts += 1;
        task.tokens.push(token);
        let checkpoint = text(view.checkpoint.as_ref());
        assert_eq!((view.attempts, checkpoint), (task.attempts, task.checkpoint.clone()), "{}", told());
        assert!(view.attempts <= task.max_attempts, "{}", told());
        assert_eq!(
            (view.status, &view.assignee),
            (Status::InProgress, &Some(asked.agent.clone())),
            "{}",
            told()
        );
        let state = self.board(&asked.namespace);
        assert!(is_over || state.may_be_unblocked(now, &task), "handed out while blocked: {}", told());
        assert!(is_over || !task.rest.is_certainly_ahead(now), "handed out while it rests: {}", told());
        if is_open {
            (task.standing, task.rest) = (Standing::Held(claim), PAST);
        }
        self.learn_task(asked, id, task);
    }

    /// What an answer shows of tasks, after everything that came of the call.
    pub(super) fn task_shown(
        &mut self,
        now: Now,
        asked: &Asked,
        request: i64,
        result: &Result<BoardAnswer, Error>,
    ) {
        let answer = match result {
            Ok(answer) => answer,
            Err(error) => return self.check_task_refusal(now, asked, error.kind),
        };
        let view = match answer {
            BoardAnswer::TaskClaim(claimed) => {
                let BoardCommand::TaskClaim(params) = &asked.command else { return };
                return self.board(&asked.namespace).check_order(now, request, params, claimed);
            }
            BoardAnswer::TaskCreate(created) if created.duplicate == Some(true) => &created.task,
            BoardAnswer::TaskGet(got) => &got.task,
            BoardAnswer::TaskExtend(one)
            | BoardAnswer::TaskComplete(one)
            | BoardAnswer::TaskFail(one)
            | BoardAnswer::TaskRelease(one)
            | BoardAnswer::TaskReview(one)
            | BoardAnswer::TaskCancel(one)
            | BoardAnswer::TaskRetry(one)
            | BoardAnswer::TaskUpdate(one) => &one.task,
            _other => return,
        };
        let state = self.board(&asked.namespace);
        state.check_values(view.id.0, text(view.checkpoint.as_ref()), text(view.result.as_ref()));
        let task = state.seen(now, view.id.0, &Sight::from(view));
        self.learn_task(asked, view.id.0, task);
    }

    fn check_task_refusal(&mut self, now: Now, asked: &Asked, kind: ErrorKind) {
        let state = self.board(&asked.namespace);
        let standing = |id: u64| state.tasks.get(&id).map(|task| &task.standing);
        let is_held = |token: u64, by: &AgentName| {
            state.tasks.values().any(|task| {
                let Standing::Held(claim) = &task.standing else { return false };
                claim.token == token && claim.is_certain(now) && claim.agent == *by
            })
        };
        let token = match &asked.command {
            BoardCommand::TaskExtend(params) => Some(params.token),
            BoardCommand::TaskComplete(params) => Some(params.token),
            BoardCommand::TaskFail(params) => Some(params.token),
            BoardCommand::TaskRelease(params) => Some(params.token),
            _other => None,
        };
        let is_right = match (&asked.command, kind) {
            (_any, ErrorKind::StaleToken | ErrorKind::NotOwner) if token.is_some() => {
                !is_held(token.unwrap().0, &asked.agent)
            }
            (BoardCommand::TaskCreateMany(many), ErrorKind::DependencyCycle) => {
                let is_ref = |draft: &Draft| format!("{:?}", draft.depends_on).contains("r0");
                many.tasks.iter().any(is_ref)
            }
            (BoardCommand::TaskClaim(claim), ErrorKind::NotOwner) => {
                matches!(standing(claim.id.unwrap().0), Some(Standing::Held(held)) if held.agent != asked.agent)
            }
            (BoardCommand::TaskClaim(claim), ErrorKind::NotReady) => {
                standing(claim.id.unwrap().0) != Some(&Standing::Open { is_ready: true })
            }
            (BoardCommand::TaskReview(review), ErrorKind::NotReady) => {
                !matches!(standing(review.id.0), Some(Standing::InReview(_)))
            }
            (BoardCommand::TaskReview(review), ErrorKind::PermissionDenied) => {
                standing(review.id.0) == Some(&Standing::InReview(asked.agent.clone()))
            }
            (BoardCommand::TaskCancel(cancel), ErrorKind::NotReady) => match standing(cancel.id.0) {
                Some(Standing::Held(claim)) => !claim.is_certain(now),
                Some(Standing::Open { is_ready }) => !is_ready,
                standing => matches!(standing, Some(Standing::Completed | Standing::Failed(_))),
            },
            (BoardCommand::TaskRetry(_), ErrorKind::NotReady) => true,
            (BoardCommand::TaskWait(_), ErrorKind::Timeout) => true,
            (_command, _kind) => false,
        };
        assert!(is_right, "{asked:?} was refused: {kind:?}");
    }
}
