//! The lock table of one board: what is granted, who waits, what stands in the way of what.
//!
//! Two requests conflict when they are of different agents, some path matches a name of each, and at least one is
//! exclusive. Invariants: the grants don't conflict with each other (the caller grants what nothing is in the way of);
//! each waiter knows everything that blocks it at any time, so nobody is looked for when something ends.
//!
//! There is no time, no lease, no session and no limit here. Tokens and waiter ids are the caller's: fresh, and waiter
//! ids ascend, as their order is the order of the queue.
//!
//! After each [`LockTable::release`], [`LockTable::take`] and [`LockTable::grant`] the caller drains
//! [`LockTable::next_ready`], then [`LockTable::next_deadlock`], until both have nothing.

use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::AgentName;
pub use callboard_protocol::methods::lock::Mode;

use super::index::NameIndex;
use super::pattern::LockNames;
use super::waits::{Wait, Waits};

#[cfg(test)]
mod tests;

/// Who holds, or waits for, which names in which mode.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// Whose it is.
    pub agent: AgentName,
    /// All of them are granted, or none.
    pub names: LockNames,
    /// One mode for all names.
    pub mode: Mode,
}

/// What stands in the way of a request now, each ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// Tokens of grants.
    pub grants: Vec<u64>,
    /// Ids of waiters.
    pub waiters: Vec<u64>,
}

impl Conflicts {
    /// Whether nothing stands in the way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty() && self.waiters.is_empty()
    }
}

/// One step of a cycle: `agent` asks for `keys`, and `waits_for` has a grant or an earlier request in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Who waits.
    pub agent: AgentName,
    /// For whom: the `agent` of the next edge, of the last edge that of the first.
    pub waits_for: AgentName,
    /// All names of the request that waits.
    pub keys: LockNames,
}

/// Waiting would never end: the agents of `cycle` would wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("waiting would never end, as {}: release what you hold, then ask for all names at once", describe(.cycle))]
pub struct Deadlock {
    /// The edges in order, beginning with the agent that is refused.
    pub cycle: Vec<Edge>,
}

fn describe(cycle: &[Edge]) -> String {
    let steps: Vec<String> =
        cycle.iter().map(|edge| format!("{} waits for {}", edge.agent, edge.waits_for)).collect();
    steps.join(" and ")
}

/// The grants and waiters of one board.
#[derive(Debug, Default)]
pub struct LockTable {
    granted: Register,
    waiting: Register,
    by_request: BTreeMap<Request, u64>,
    by_agent: BTreeMap<AgentName, BTreeSet<u64>>,
    waits: Waits,
}

impl LockTable {
    /// What stands in the way of a new acquire: grants of others, and waiters of others but those that yield to
    /// `agent` because they wait for one of its grants. With no agent, everything counts.
    #[must_use]
    pub fn conflicts(&self, agent: Option<&AgentName>, names: &LockNames, mode: Mode) -> Conflicts {
        let mut waiters = self.waiting.conflicting(agent, names, mode);
        waiters.retain(|&waiter| !agent.is_some_and(|agent| self.waits.yields(waiter, agent)));
        Conflicts { grants: self.granted.conflicting(agent, names, mode), waiters }
    }

    /// The grant of exactly this request, which asking again extends.
    #[must_use]
    pub fn find_same(&self, request: &Request) -> Option<u64> {
        self.by_request.get(request).copied()
    }

    /// Adds a grant, under a fresh token, that nothing is in the way of and that [`LockTable::find_same`] doesn't
    /// have. Gives the waiters it blocks that no other grant of the agent blocked before, ascending.
    pub fn grant(&mut self, token: u64, request: Request) -> Vec<u64> {
        let blocked = self.waiting.conflicting(Some(&request.agent), &request.names, request.mode);
        let mut newcomers = blocked.clone();
        newcomers.retain(|&waiter| !self.waits.yields(waiter, &request.agent));
        self.waits.block(token, &request.agent, &blocked);
        self.by_request.insert(request.clone(), token);
        self.by_agent.entry(request.agent.clone()).or_default().insert(token);
        self.granted.insert(token, request);
        newcomers
    }

    /// The request that was granted under `token`.
    #[must_use]
    pub fn grant_of(&self, token: u64) -> Option<&Request> {
        self.granted.requests.get(&token)
    }

    /// Ends a grant, for whatever reason. None: there is no such grant.
    pub fn release(&mut self, token: u64) -> Option<Request> {
        let request = self.granted.remove(token)?;
        self.waits.unblock(token, &request.agent);
        if self.by_request.get(&request) == Some(&token) {
            self.by_request.remove(&request);
        }
        if let Some(tokens) = self.by_agent.get_mut(&request.agent) {
            tokens.remove(&token);
            if tokens.is_empty() {
                self.by_agent.remove(&request.agent);
            }
        }
        Some(request)
    }

    /// Puts a request at the end of the queue, under an id above all others. Gives the grants that block it,
    /// ascending, whose holders want to know.
    ///
    /// # Errors
    /// [`Deadlock`] when it would wait for an agent that waits, through others or not, for the agent of the request.
    /// Nothing has changed then.
    pub fn enqueue(&mut self, id: u64, request: Request) -> Result<Vec<u64>, Deadlock> {
        let agent = &request.agent;
        let grants = self.granted.conflicting(Some(agent), &request.names, request.mode);
        let holders = grants.iter().filter_map(|&token| Some((token, self.grant_of(token)?.agent.clone())));
        let earlier = self.waiting.conflicting(Some(agent), &request.names, request.mode);
        self.waits.insert(id, agent, holders.collect::<Vec<_>>(), earlier);
        let cycle = self.waits.cycle_through(agent);
        self.waiting.insert(id, request);
        match cycle {
            None => Ok(grants),
            Some(cycle) => {
                let deadlock = self.deadlock(&cycle);
                self.take(id);
                Err(deadlock)
            }
        }
    }

    /// The request of a waiter.
    #[must_use]
    pub fn waiter_of(&self, id: u64) -> Option<&Request> {
        self.waiting.requests.get(&id)
    }

    /// Takes a waiter out of the queue: to grant it, or because it gave up. None: there is no such waiter.
    pub fn take(&mut self, id: u64) -> Option<Request> {
        self.waits.remove(id);
        self.waiting.remove(id)
    }

    /// The earliest waiter that nothing blocks any more: [`LockTable::take`] it, then grant it (or drop it).
    pub fn next_ready(&mut self) -> Option<u64> {
        self.waits.next_ready()
    }

    /// A waiter that would wait for ever, because one that it went before stands before it again: [`LockTable::take`]
    /// it and refuse it. To be asked when [`LockTable::next_ready`] has nothing, as a grant may still open the cycle.
    pub fn next_deadlock(&mut self) -> Option<(u64, Deadlock)> {
        let cycle = self.waits.next_cycle()?;
        Some((cycle.first()?.waiter, self.deadlock(&cycle)))
    }

    /// 1 + the number of earlier waiters that a waiter waits for. None: there is no such waiter.
    #[must_use]
    pub fn position(&self, id: u64) -> Option<usize> {
        self.waiter_of(id)?;
        Some(1 + self.waits.blocking_waiters(id).count())
    }

    /// The agents whose grants or earlier requests block a waiter, each once, in order.
    #[must_use]
    pub fn waits_for(&self, id: u64) -> Vec<AgentName> {
        let queued =
            self.waits.blocking_waiters(id).filter_map(|earlier| Some(&self.waiter_of(earlier)?.agent));
        let agents: BTreeSet<&AgentName> = self.waits.holders(id).chain(queued).collect();
        agents.into_iter().cloned().collect()
    }

    /// How many waiters a grant blocks.
    #[must_use]
    pub fn blocked_count(&self, token: u64) -> usize {
        self.waits.held_up_count(token)
    }

    /// The grants in the order of their tokens, from this token on.
    pub fn grants_from(&self, first: u64) -> impl Iterator<Item = (u64, &Request)> {
        self.granted.requests.range(first..).map(|(&token, request)| (token, request))
    }

    /// The waiters in the order of the queue, from this id on.
    pub fn waiters_from(&self, first: u64) -> impl Iterator<Item = (u64, &Request)> {
        self.waiting.requests.range(first..).map(|(&id, request)| (id, request))
    }

    /// The tokens of an agent, ascending.
    pub fn grants_of(&self, agent: &AgentName) -> impl Iterator<Item = u64> {
        self.by_agent.get(agent).into_iter().flatten().copied()
    }

    /// The waiters of an agent, in the order of the queue.
    pub fn waiters_of(&self, agent: &AgentName) -> impl Iterator<Item = u64> {
        self.waits.waiters_of(agent)
    }

    /// The tokens of all grants with a name that overlaps one of these, ascending.
    #[must_use]
    pub fn overlapping_grants(&self, names: &LockNames) -> Vec<u64> {
        self.granted.conflicting(None, names, Mode::Exclusive)
    }

    /// The ids of all waiters with a name that overlaps one of these, ascending.
    #[must_use]
    pub fn overlapping_waiters(&self, names: &LockNames) -> Vec<u64> {
        self.waiting.conflicting(None, names, Mode::Exclusive)
    }

    /// How many grants there are.
    #[must_use]
    pub fn grant_count(&self) -> usize {
        self.granted.requests.len()
    }

    /// How many waiters there are.
    #[must_use]
    pub fn waiter_count(&self) -> usize {
        self.waiting.requests.len()
    }

    fn deadlock(&self, cycle: &[Wait]) -> Deadlock {
        let edge = |wait: &Wait| {
            let request = self.waiter_of(wait.waiter)?;
            Some(Edge {
                agent: request.agent.clone(),
                waits_for: wait.waits_for.clone(),
                keys: request.names.clone(),
            })
        };
        Deadlock { cycle: cycle.iter().filter_map(edge).collect() }
    }
}

/// Requests by id and by name. Those of a mode have an index of their own, so that a shared request never looks at
/// the many that share with it.
#[derive(Debug, Default)]
struct Register {
    requests: BTreeMap<u64, Request>,
    shared: NameIndex,
    exclusive: NameIndex,
}

impl Register {
    fn insert(&mut self, id: u64, request: Request) {
        let index = self.index_mut(request.mode);
        for name in request.names.as_slice() {
            index.insert(name, id);
        }
        self.requests.insert(id, request);
    }

    fn remove(&mut self, id: u64) -> Option<Request> {
        let request = self.requests.remove(&id)?;
        let index = self.index_mut(request.mode);
        for name in request.names.as_slice() {
            index.remove(name, id);
        }
        Some(request)
    }

    /// The ids, ascending, of the requests of others that conflict with this one.
    fn conflicting(&self, agent: Option<&AgentName>, names: &LockNames, mode: Mode) -> Vec<u64> {
        let mut ids = Vec::new();
        for name in names.as_slice() {
            self.exclusive.for_each_overlapping(name, |id| ids.push(id));
            if mode == Mode::Exclusive {
                self.shared.for_each_overlapping(name, |id| ids.push(id));
            }
        }
        ids.sort_unstable();
        ids.dedup();
        if let Some(agent) = agent {
            ids.retain(|id| self.requests.get(id).is_some_and(|request| request.agent != *agent));
        }
        ids
    }

    fn index_mut(&mut self, mode: Mode) -> &mut NameIndex {
        match mode {
            Mode::Shared => &mut self.shared,
            Mode::Exclusive => &mut self.exclusive,
        }
    }
}
