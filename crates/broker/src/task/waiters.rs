//! Who waits: claims for work, and `task.wait` for the end of tasks.
//!
//! Invariant: each waiting claim is on exactly one desk, and every task that it may get passes there. Desks and tables
//! hold the same waits. Whether a wait is over by the clock is the board's to say.

use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::methods::task::WaitMode;
use callboard_protocol::names::{AgentName, Label, Role};
use callboard_protocol::revision::TaskId;

use crate::lease::Binding;
use crate::wait::WaitId;

/// What a claim asked for.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Who asks.
    pub agent: AgentName,
    /// Only this task.
    pub id: Option<TaskId>,
    /// Only tasks with all of these.
    pub tags: Vec<Label>,
    /// Only tasks for this role.
    pub role: Option<Role>,
    /// How long it may be held without an extension, in milliseconds.
    pub lease_ms: u64,
    /// What the lease is bound to.
    pub binding: Binding,
}

/// Where claims of a kind wait.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Desk {
    /// For any task.
    Any,
    /// For a task with this tag, and perhaps more.
    Tag(Label),
    /// For this task.
    Task(TaskId),
}

impl Desk {
    fn of(terms: &Terms) -> Self {
        match (terms.id, terms.tags.first()) {
            (Some(id), _) => Self::Task(id),
            (None, Some(tag)) => Self::Tag(tag.clone()),
            (None, None) => Self::Any,
        }
    }
}

/// The claims that wait.
#[derive(Debug, Default)]
pub struct Claims {
    table: BTreeMap<WaitId, Terms>,
    desks: BTreeMap<Desk, BTreeSet<WaitId>>,
}

impl Claims {
    /// Adds a claim.
    pub fn insert(&mut self, wait: WaitId, terms: Terms) {
        self.desks.entry(Desk::of(&terms)).or_default().insert(wait);
        self.table.insert(wait, terms);
    }

    /// Takes a claim out.
    pub fn remove(&mut self, wait: WaitId) -> Option<Terms> {
        let terms = self.table.remove(&wait)?;
        let desk = Desk::of(&terms);
        if let Some(waits) = self.desks.get_mut(&desk) {
            waits.remove(&wait);
            if waits.is_empty() {
                self.desks.remove(&desk);
            }
        }
        Some(terms)
    }

    /// The claim.
    #[must_use]
    pub fn find(&self, wait: WaitId) -> Option<&Terms> {
        self.table.get(&wait)
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Of the claims that a task with these tags passes, the longest waiting one that `wants` it.
    pub fn longest(
        &self,
        id: TaskId,
        tags: &[Label],
        wants: impl Fn(WaitId, &Terms) -> bool,
    ) -> Option<WaitId> {
        let desks = [Desk::Any, Desk::Task(id)].into_iter().chain(tags.iter().cloned().map(Desk::Tag));
        let first = |desk| {
            let waits: Option<&BTreeSet<WaitId>> = self.desks.get(&desk);
            let mut waits = waits.into_iter().flatten().copied();
            waits.find(|wait| self.find(*wait).is_some_and(|terms| wants(*wait, terms)))
        };
        desks.filter_map(first).min()
    }

    /// The claims that wait for one task by its id.
    #[must_use]
    pub fn of_task(&self, id: TaskId) -> Vec<WaitId> {
        self.desks.get(&Desk::Task(id)).into_iter().flatten().copied().collect()
    }

    /// The claims of an agent, longest waiting first.
    #[must_use]
    pub fn of_agent(&self, agent: &AgentName) -> Vec<WaitId> {
        let own = self.table.iter().filter(|(_, terms)| terms.agent == *agent);
        own.map(|(wait, _)| *wait).collect()
    }
}

/// What a `task.wait` waits for.
#[derive(Debug, Clone)]
pub struct Awaited {
    /// The tasks, as given.
    pub ids: Vec<TaskId>,
    /// Whether all or one of them.
    pub mode: WaitMode,
}

/// The `task.wait` requests that wait.
#[derive(Debug, Default)]
pub struct Ends {
    table: BTreeMap<WaitId, Awaited>,
    by_task: BTreeSet<(TaskId, WaitId)>,
}

impl Ends {
    /// Adds a request.
    pub fn insert(&mut self, wait: WaitId, awaited: Awaited) {
        self.by_task.extend(awaited.ids.iter().map(|id| (*id, wait)));
        self.table.insert(wait, awaited);
    }

    /// Takes a request out.
    pub fn remove(&mut self, wait: WaitId) -> Option<Awaited> {
        let awaited = self.table.remove(&wait)?;
        for id in &awaited.ids {
            self.by_task.remove(&(*id, wait));
        }
        Some(awaited)
    }

    /// The request.
    #[must_use]
    pub fn find(&self, wait: WaitId) -> Option<&Awaited> {
        self.table.get(&wait)
    }

    /// The requests that wait for a task.
    #[must_use]
    pub fn of_task(&self, id: TaskId) -> Vec<WaitId> {
        self.by_task.range((id, WaitId(0))..=(id, WaitId(u64::MAX))).map(|(_, wait)| *wait).collect()
    }
}
