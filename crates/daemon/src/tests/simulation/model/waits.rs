//! Who waits for tasks and tokens: that nobody is passed over, and that everybody is answered.

use std::collections::BTreeSet;

use callboard_broker::{Now, SessionId};
use callboard_protocol::error::ErrorKind;
use callboard_protocol::methods::task::{Claim, Claimed, WaitMode};
use callboard_protocol::methods::{BoardAnswer, BoardCommand};
use callboard_protocol::names::Label;
use callboard_protocol::{AgentName, Error};

use super::tasks::{Standing, Task};
use super::{Asked, Due, Model, State};

/// What somebody waits for.
#[derive(Debug, Clone)]
enum Awaited {
    /// Some task, or this one.
    Claim { id: Option<u64>, tags: BTreeSet<Label> },
    /// The end of tasks.
    Ends { ids: Vec<u64>, mode: WaitMode },
    /// A token of this bucket.
    Token { name: String },
}

/// A request that waits.
#[derive(Debug, Clone)]
pub struct Wait {
    pub request: i64,
    pub session: SessionId,
    agent: AgentName,
    awaited: Awaited,
    due: Due,
}

impl Awaited {
    fn of(command: &BoardCommand) -> Option<(Self, u64)> {
        Some(match command {
            BoardCommand::TaskClaim(claim) => (Self::claim(claim), claim.wait_ms?.get()),
            BoardCommand::TaskWait(wait) => {
                let ids = wait.ids.iter().map(|id| id.0).collect();
                (Self::Ends { ids, mode: wait.mode.unwrap_or_default() }, wait.timeout_ms.get())
            }
            BoardCommand::LimiterTake(take) => {
                (Self::Token { name: take.name.to_string() }, take.wait_ms?.get())
            }
            _other => return None,
        })
    }

    fn claim(claim: &Claim) -> Self {
        Self::Claim { id: claim.id.map(|id| id.0), tags: claim.tags.iter().flatten().cloned().collect() }
    }

    /// Whether it takes a task that is ready.
    fn takes(&self, id: u64, task: &Task) -> bool {
        match self {
            Self::Claim { id: wanted, tags } => {
                wanted.is_none_or(|wanted| wanted == id) && tags.is_subset(&task.tags)
            }
            Self::Ends { .. } | Self::Token { .. } => false,
        }
    }
}

impl State {
    fn ready_tasks(&self) -> impl Iterator<Item = (u64, &Task)> {
        let is_ready = |task: &Task| task.standing == Standing::Open { is_ready: true };
        self.tasks.iter().filter(move |(_, task)| is_ready(task)).map(|(id, task)| (*id, task))
    }

    /// Whether a wait of a bucket is in the way of whoever comes now, or came behind this request.
    pub(super) fn is_waited_for(&self, now: Now, name: &str, request: Option<i64>) -> bool {
        let mut earlier = self.waits.iter().take_while(|wait| Some(wait.request) != request);
        earlier.any(|wait| {
            matches!(&wait.awaited, Awaited::Token { name: of } if of == name)
                && wait.due.is_certainly_ahead(now)
        })
    }

    /// A claim that did not wait takes what goes first, and nothing only when there is nothing.
    pub(super) fn check_order(&self, now: Now, request: i64, params: &Claim, claimed: &Claimed) {
        let wanted = Awaited::claim(params);
        let taken = claimed.task.as_ref();
        for (id, task) in self.ready_tasks().filter(|(id, task)| wanted.takes(*id, task)) {
            let is_in_order = taken.is_some_and(|taken| taken.priority >= task.priority);
            assert!(is_in_order, "{params:?} gives {claimed:?}, and {id} is ready: {task:?} at {now:?}");
        }
        let Some(taken) = taken else { return };
        // One's own again is no turn.
        if matches!(&self.tasks[&taken.id.0].standing, Standing::Held(claim) if claim.request == request) {
            self.check_turn(now, taken.id.0, None, None);
        }
    }

    /// Nobody who waits longer would have had this task too.
    pub(super) fn check_turn(&self, now: Now, id: u64, agent: Option<&AgentName>, request: Option<i64>) {
        let takers = self.waits.iter().filter(|wait| wait.awaited.takes(id, &self.tasks[&id]));
        for wait in takers.take_while(|wait| Some(wait.request) != request) {
            if Some(&wait.agent) == agent {
                // It may be the one that is granted; this one is given the same then, and told before.
                return;
            }
            assert!(!wait.due.is_certainly_ahead(now), "the task {id} goes past {wait:?} at {now:?}");
        }
    }

    fn has_come(&self, now: Now, wait: &Wait) -> bool {
        let is_over = |id: &u64| {
            let standing = &self.tasks[id].standing;
            matches!(standing, Standing::Completed | Standing::Failed(_) | Standing::Cancelled(_))
        };
        match &wait.awaited {
            Awaited::Claim { .. } => self.ready_tasks().any(|(id, task)| wait.awaited.takes(id, task)),
            Awaited::Ends { ids, mode: WaitMode::All } => ids.iter().all(is_over),
            Awaited::Ends { ids, mode: WaitMode::Any } => ids.iter().any(is_over),
            Awaited::Token { name } => self.has_token(now, name),
        }
    }
}

impl Model {
    /// A request waits.
    pub(super) fn task_waits(&mut self, now: Now, asked: &Asked, request: i64) {
        let Some((awaited, wait_ms)) = Awaited::of(&asked.command) else { return };
        let (session, agent, due) = (asked.session, asked.agent.clone(), Due::after(now, wait_ms));
        self.board(&asked.namespace).waits.push(Wait { request, session, agent, awaited, due });
    }

    /// Who waited is answered: with what came in turn, or because the time is over.
    pub(super) fn wait_answered(
        &mut self,
        now: Now,
        asked: &Asked,
        request: i64,
        result: &Result<BoardAnswer, Error>,
    ) {
        let state = self.board(&asked.namespace);
        let Some(wait) = state.waits.iter().find(|wait| wait.request == request) else { return };
        let is_in_vain = match result {
            Ok(BoardAnswer::TaskClaim(claimed)) => claimed.task.is_none(),
            Ok(BoardAnswer::LimiterTake(taken)) => !taken.allowed,
            Ok(_) => false,
            Err(error) => error.kind == ErrorKind::Timeout,
        };
        assert!(!is_in_vain || !wait.due.is_certainly_ahead(now), "in vain too early at {now:?}: {wait:?}");
        if let Ok(BoardAnswer::TaskClaim(Claimed { task: Some(task), .. })) = result {
            // What one request of an agent is granted, its others that wait for that task are told before.
            state.check_turn(now, task.id.0, Some(&asked.agent), Some(request));
        }
    }

    /// Once a board has worked off all that is due, nobody waits for what has come, and nobody too long.
    pub fn check_waits(&mut self, now: Now, namespace: &callboard_protocol::Namespace) {
        let state = self.board(namespace);
        for wait in &state.waits {
            assert!(!wait.due.is_certainly_over(now), "not answered in time: {wait:?} at {now:?}");
            assert!(!state.has_come(now, wait), "what came is not told: {wait:?} at {now:?}");
        }
    }
}
