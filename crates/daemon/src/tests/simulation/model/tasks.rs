//! Tasks: who holds which, what came of them, and what that means for those that depend on them.
//!
//! Time and dependencies move tasks on without anybody being told. So a task is known as it was told last, and each later
//! look at it must be one that can follow, see `sights`.

use std::collections::BTreeSet;

use callboard_broker::{Now, SessionId};
use callboard_protocol::AgentName;
use callboard_protocol::json::Json;
use callboard_protocol::methods::message::Priority;
use callboard_protocol::methods::task::{Draft, OnDependencyFailure, Task as TaskView, TaskRef, Why};
use callboard_protocol::names::Label;

use super::{Due, Restart, State};

/// A time that is over.
pub const PAST: Due = Due { earliest: 0, latest: 0 };

/// Nobody knows when.
pub fn whenever(now: Now) -> Due {
    Due { earliest: 0, latest: now.monotonic.plus_ms(86_400_000).0 }
}

/// Who holds a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    pub agent: AgentName,
    pub token: u64,
    /// Which request it was granted to.
    pub request: i64,
    pub ttl_ms: u64,
    pub due: Due,
    pub session: Option<SessionId>,
    /// What it is bound to may be over.
    pub is_doubtful: bool,
}

impl Claim {
    /// Whether it surely lasts.
    pub fn is_certain(&self, now: Now) -> bool {
        !self.is_doubtful && self.due.is_certainly_ahead(now)
    }
}

/// Where a task stood last.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Blocked, delayed or ready, and surely ready if so.
    Open {
        is_ready: bool,
    },
    Held(Claim),
    InReview(AgentName),
    Completed,
    Failed(Why),
    /// After so many changes.
    Cancelled(usize),
}

/// One task.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub depends_on: Vec<u64>,
    pub runs_anyway: bool,
    pub needs_review: bool,
    pub max_attempts: u32,
    pub backoff_ms: u64,
    pub priority: Priority,
    pub tags: BTreeSet<Label>,
    /// Whose key gives it again, and until when.
    pub dedupe: Option<(AgentName, Label, Due)>,
    pub standing: Standing,
    pub attempts: u32,
    pub checkpoint: Option<String>,
    pub result: Option<String>,
    /// Not ready before it, and surely after it if nothing blocks it.
    pub rest: Due,
    /// All tokens under which it was claimed.
    pub tokens: Vec<u64>,
    /// What it depends on may have started anew after it was ready.
    pub is_out_of_order: bool,
}

/// The text of a value.
pub fn text(json: Option<&Json>) -> Option<String> {
    json.map(|json| json.as_str().to_owned())
}

impl Task {
    /// What was just created.
    pub fn new(now: Now, agent: &AgentName, draft: &Draft, view: &TaskView) -> Self {
        let dedupe = draft.dedupe_key.clone();
        Self {
            depends_on: view.depends_on.iter().map(|id| id.0).collect(),
            runs_anyway: draft.on_dependency_failure == Some(OnDependencyFailure::Run),
            needs_review: draft.review == Some(true),
            max_attempts: draft.max_attempts.unwrap(),
            backoff_ms: draft.backoff_ms.unwrap().get(),
            priority: draft.priority.unwrap_or_default(),
            tags: draft.tags.iter().flatten().cloned().collect(),
            dedupe: dedupe.map(|key| (agent.clone(), key, Due::after(now, 120_000))),
            standing: Standing::Open { is_ready: false },
            attempts: 0,
            checkpoint: None,
            result: None,
            rest: draft.delay_ms.map_or(PAST, |delay_ms| Due::after(now, delay_ms)),
            tokens: Vec::new(),
            is_out_of_order: false,
        }
    }

    /// An attempt came to nothing, between two times.
    pub fn attempt_failed(&mut self, from: u64, now: Now) {
        if self.attempts >= self.max_attempts {
            self.standing = Standing::Failed(Why::Attempts);
            return;
        }
        let rest_us = self.backoff_ms * 1000 * (1 << (self.attempts - 1));
        let latest = now.monotonic.0 + rest_us + rest_us / 4 + 1000;
        self.rest = Due { earliest: from + rest_us, latest };
        self.standing = Standing::Open { is_ready: false };
    }

    /// The claim of it lapsed unseen.
    pub fn lapsed(&mut self, now: Now) {
        let Standing::Held(claim) = &self.standing else { return };
        assert!(!claim.is_certain(now), "a live claim is over: {self:?} at {now:?}");
        let (is_doubtful, earliest) = (claim.is_doubtful, claim.due.earliest);
        self.attempt_failed(earliest, now);
        // Nobody knows since when it rests then, nor by which wall clock.
        if is_doubtful {
            self.rest = whenever(now);
        }
    }

    /// It starts anew.
    pub fn start_anew(&mut self) {
        self.standing = Standing::Open { is_ready: false };
        (self.attempts, self.result, self.rest) = (0, None, PAST);
    }

    /// What it is after a restart.
    pub fn restart(&mut self, restart: &Restart) {
        if let Standing::Held(claim) = &mut self.standing {
            claim.is_doubtful |= !claim.due.is_certainly_ahead(restart.before);
            claim.due = claim.due.moved_lease(restart);
        }
        self.rest = self.rest.moved(restart);
        if let Some((_, _, due)) = &mut self.dedupe {
            *due = due.moved(restart);
        }
    }
}

impl State {
    fn tasks_that(&self, is_one: impl Fn(&Task) -> bool) -> Vec<u64> {
        self.tasks.iter().filter(|(_, task)| is_one(task)).map(|(id, _)| *id).collect()
    }

    /// Some of the newest tasks.
    pub fn latest_tasks(&self, count: usize) -> Vec<u64> {
        self.tasks.keys().rev().take(count).copied().collect()
    }

    /// What may be retried.
    pub fn failed_tasks(&self) -> Vec<u64> {
        self.tasks_that(|task| matches!(task.standing, Standing::Failed(_) | Standing::Cancelled(_)))
    }

    /// What may be approved.
    pub fn tasks_in_review(&self) -> Vec<u64> {
        self.tasks_that(|task| matches!(task.standing, Standing::InReview(_)))
    }

    /// The claims of an agent.
    pub fn tokens_of(&self, agent: &AgentName) -> Vec<u64> {
        let token = |task: &Task| match &task.standing {
            Standing::Held(claim) if claim.agent == *agent => Some(claim.token),
            _other => None,
        };
        self.tasks.values().filter_map(token).collect()
    }

    /// Tokens of everybody, most of them over.
    pub fn all_tokens(&self) -> Vec<u64> {
        self.tasks.values().flat_map(|task| task.tokens.iter().copied()).collect()
    }

    /// What a retry starts anew: the task, and of those that depend on it what may have failed because of it.
    pub fn retry(&self, id: u64) -> Vec<(u64, Task)> {
        let (mut changed, mut left, mut seen) = (Vec::new(), vec![id], BTreeSet::new());
        while let Some(next) = left.pop() {
            let mut task = self.tasks[&next].clone();
            let is_revived = next == id || task.standing == Standing::Failed(Why::Dependency);
            if is_revived {
                let rest = task.rest;
                task.start_anew();
                // Only who is asked for by its id need not rest.
                if next != id {
                    task.rest = rest;
                }
            }
            task.is_out_of_order |= next != id && task.runs_anyway;
            changed.push((next, task));
            let dependents = self.tasks.iter().filter(|(_, task)| task.depends_on.contains(&next));
            left.extend(dependents.map(|(id, _)| *id).filter(|id| seen.insert(*id)));
        }
        changed
    }

    /// What a key of an agent's gives again, if it still does.
    pub fn first_task(&self, agent: &AgentName, key: &Label) -> Option<(u64, Due)> {
        self.tasks.iter().rev().find_map(|(id, task)| match &task.dedupe {
            Some((of, given, due)) if of == agent && given == key => Some((*id, *due)),
            _other => None,
        })
    }
}

/// The drafts of a creation with what they depend on.
pub fn drafts_match(draft: &Draft, view: &TaskView) -> bool {
    let mut ids: Vec<_> = draft.depends_on.iter().flatten().collect();
    ids.sort();
    ids.dedup();
    let is_there = |reference: &&TaskRef| match reference {
        TaskRef::Id(id) => view.depends_on.contains(id),
        TaskRef::Ref(_) => true,
    };
    ids.len() == view.depends_on.len() && ids.iter().all(is_there)
}
