//! The waits-for graph: which grants and which earlier waiters block a waiter, and whom they hold up.
//!
//! An earlier waiter in the way blocks a later one, unless it *yields* to it: it waits for a grant of the later one's
//! agent. That is never stored but read off the grants that block it, so it holds anew with each change.
//!
//! Invariants: each edge is known at both of its ends; a waiter that nothing blocks is a candidate; an agent through
//! which a cycle may have closed is a suspect. Nothing is known here of names and modes: the table says what conflicts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use callboard_protocol::AgentName;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Waits {
    waiters: BTreeMap<u64, Waiter>,
    held_up_by_grant: BTreeMap<u64, BTreeSet<u64>>,
    agents: BTreeMap<AgentName, Agent>,
    candidates: BTreeSet<u64>,
    suspects: BTreeSet<AgentName>,
}

/// `grants` are those in its way with their holders; `earlier` and `later` are the waiters of other agents that
/// conflict with it, whether they yield or not.
#[derive(Debug)]
struct Waiter {
    agent: AgentName,
    grants: BTreeMap<u64, AgentName>,
    earlier: BTreeSet<u64>,
    later: BTreeSet<u64>,
}

/// `held_up` are the waiters that grants of this agent block, each with the number of these grants.
#[derive(Debug, Default)]
struct Agent {
    waiters: BTreeSet<u64>,
    held_up: BTreeMap<u64, usize>,
}

/// One edge of a cycle: `waiter` waits for something of `waits_for`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) waiter: u64,
    pub(super) waits_for: AgentName,
}

impl Waits {
    /// Adds a waiter behind all others. `earlier` are the waiters that conflict with it.
    pub(super) fn insert(
        &mut self,
        id: u64,
        agent: &AgentName,
        grants: impl IntoIterator<Item = (u64, AgentName)>,
        earlier: impl IntoIterator<Item = u64>,
    ) {
        let mut waiter = Waiter {
            agent: agent.clone(),
            grants: BTreeMap::new(),
            earlier: BTreeSet::new(),
            later: BTreeSet::new(),
        };
        for other in earlier {
            if let Some(other_waiter) = self.waiters.get_mut(&other) {
                other_waiter.later.insert(id);
                waiter.earlier.insert(other);
            }
        }
        self.waiters.insert(id, waiter);
        self.agents.entry(agent.clone()).or_default().waiters.insert(id);
        for (token, holder) in grants {
            self.hold_up(id, token, &holder);
        }
        self.candidates.insert(id);
    }

    /// Takes a waiter out, granted or given up. Those behind it are candidates again.
    pub(super) fn remove(&mut self, id: u64) {
        let Some(waiter) = self.waiters.remove(&id) else {
            return;
        };
        self.candidates.remove(&id);
        for earlier in waiter.earlier {
            if let Some(earlier) = self.waiters.get_mut(&earlier) {
                earlier.later.remove(&id);
            }
        }
        for later in waiter.later {
            if let Some(later_waiter) = self.waiters.get_mut(&later) {
                later_waiter.earlier.remove(&id);
                self.candidates.insert(later);
            }
        }
        for (token, holder) in waiter.grants {
            if let Some(held_up) = self.held_up_by_grant.get_mut(&token) {
                held_up.remove(&id);
                if held_up.is_empty() {
                    self.held_up_by_grant.remove(&token);
                }
            }
            self.let_go(id, &holder);
        }
        if let Some(agent) = self.agents.get_mut(&waiter.agent) {
            agent.waiters.remove(&id);
        }
        self.forget_if_idle(&waiter.agent);
    }

    /// A new grant of `holder` stands in the way of `waiters`, which may now yield to other waiters of `holder`.
    pub(super) fn block(&mut self, token: u64, holder: &AgentName, waiters: &[u64]) {
        for &waiter in waiters {
            self.hold_up(waiter, token, holder);
        }
        if let Some(agent) = self.agents.get(holder)
            && !waiters.is_empty()
        {
            self.candidates.extend(&agent.waiters);
        }
    }

    /// A grant of `holder` ended. Where it was the last one in the way of a waiter, that waiter yields to `holder` no
    /// more, so waiters of `holder` are behind it again: the one change that can close a cycle of those that wait.
    pub(super) fn unblock(&mut self, token: u64, holder: &AgentName) {
        for id in self.held_up_by_grant.remove(&token).into_iter().flatten() {
            if let Some(waiter) = self.waiters.get_mut(&id) {
                waiter.grants.remove(&token);
                self.candidates.insert(id);
            }
            if self.let_go(id, holder) {
                self.suspects.insert(holder.clone());
            }
        }
    }

    /// Whether `waiter` waits for a grant of `agent`, so that an acquire of `agent` goes before it.
    pub(super) fn yields(&self, waiter: u64, agent: &AgentName) -> bool {
        self.agents.get(agent).is_some_and(|agent| agent.held_up.contains_key(&waiter))
    }

    /// How many waiters a grant blocks.
    pub(super) fn held_up_count(&self, token: u64) -> usize {
        self.held_up_by_grant.get(&token).map_or(0, BTreeSet::len)
    }

    /// The holders of the grants that block a waiter.
    pub(super) fn holders(&self, id: u64) -> impl Iterator<Item = &AgentName> {
        self.waiters.get(&id).into_iter().flat_map(|waiter| waiter.grants.values())
    }

    /// The earlier waiters that block a waiter.
    pub(super) fn blocking_waiters(&self, id: u64) -> impl Iterator<Item = u64> {
        let waiter = self.waiters.get(&id);
        let agent = waiter.and_then(|waiter| self.agents.get(&waiter.agent));
        let earlier = waiter.into_iter().flat_map(|waiter| waiter.earlier.iter().copied());
        earlier.filter(move |earlier| !agent.is_some_and(|agent| agent.held_up.contains_key(earlier)))
    }

    /// The waiters of an agent.
    pub(super) fn waiters_of(&self, agent: &AgentName) -> impl Iterator<Item = u64> {
        self.agents.get(agent).into_iter().flat_map(|agent| agent.waiters.iter().copied())
    }

    /// The earliest waiter that nothing blocks.
    pub(super) fn next_ready(&mut self) -> Option<u64> {
        while let Some(&id) = self.candidates.first() {
            if self.holders(id).next().is_none() && self.blocking_waiters(id).next().is_none() {
                return Some(id);
            }
            self.candidates.remove(&id);
        }
        None
    }

    /// A cycle that closed because a waiter yields no more; its first edge is that waiter's.
    pub(super) fn next_cycle(&mut self) -> Option<Vec<Wait>> {
        while let Some(suspect) = self.suspects.first() {
            let cycle = self.cycle_through(suspect);
            if cycle.is_some() {
                return cycle;
            }
            self.suspects.pop_first();
        }
        None
    }

    /// A shortest cycle of agents waiting for each other that `start` is part of, its own wait first.
    ///
    /// Breadth first and against the direction of the edges: a newcomer at the end of a long queue has nobody behind
    /// it, so the usual answer, no, costs nothing. Edges to agents that were reached before are passed over in bulk;
    /// at worst each edge is looked at once.
    pub(super) fn cycle_through(&self, start: &AgentName) -> Option<Vec<Wait>> {
        self.waiters_of(start).next()?;
        let mut unreached: BTreeSet<u64> = self.waiters.keys().copied().collect();
        let mut way_to_start: BTreeMap<&AgentName, (u64, &AgentName)> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(blocker) = queue.pop_front() {
            for (id, agent) in self.waiting_for(blocker, &unreached) {
                if agent == start {
                    return Some(cycle(id, blocker, &way_to_start));
                }
                way_to_start.entry(agent).or_insert_with(|| {
                    queue.push_back(agent);
                    self.waiters_of(agent).for_each(|waiter| {
                        unreached.remove(&waiter);
                    });
                    (id, blocker)
                });
            }
        }
        None
    }

    /// Those `among` the waiters, with their agents, that a grant or a waiter of `blocker` blocks.
    fn waiting_for(&self, blocker: &AgentName, among: &BTreeSet<u64>) -> Vec<(u64, &AgentName)> {
        let Some(agent) = self.agents.get(blocker) else {
            return Vec::new();
        };
        let mut blocked: Vec<u64> = if agent.held_up.len() < among.len() {
            agent.held_up.keys().copied().filter(|id| among.contains(id)).collect()
        } else {
            among.iter().copied().filter(|id| agent.held_up.contains_key(id)).collect()
        };
        for earlier in &agent.waiters {
            let later =
                self.waiters.get(earlier).into_iter().flat_map(|waiter| waiter.later.intersection(among));
            blocked.extend(later.filter(|later| {
                self.waiters.get(later).is_some_and(|waiter| !self.yields(*earlier, &waiter.agent))
            }));
        }
        blocked.into_iter().filter_map(|id| Some((id, &self.waiters.get(&id)?.agent))).collect()
    }

    fn hold_up(&mut self, id: u64, token: u64, holder: &AgentName) {
        let Some(waiter) = self.waiters.get_mut(&id) else {
            return;
        };
        if waiter.grants.insert(token, holder.clone()).is_none() {
            self.held_up_by_grant.entry(token).or_default().insert(id);
            *self.agents.entry(holder.clone()).or_default().held_up.entry(id).or_default() += 1;
        }
    }

    /// One grant of `holder` less blocks the waiter `id`. Whether it was the last one.
    fn let_go(&mut self, id: u64, holder: &AgentName) -> bool {
        let Some(agent) = self.agents.get_mut(holder) else {
            return false;
        };
        let Some(grants) = agent.held_up.get_mut(&id) else {
            return false;
        };
        *grants -= 1;
        if *grants > 0 {
            return false;
        }
        agent.held_up.remove(&id);
        self.forget_if_idle(holder);
        true
    }

    fn forget_if_idle(&mut self, name: &AgentName) {
        if self.agents.get(name).is_some_and(|agent| agent.waiters.is_empty() && agent.held_up.is_empty()) {
            self.agents.remove(name);
        }
    }
}

/// The cycle in which `waiter` waits for `blocker`, whose way back to the agent of `waiter` is known.
fn cycle(waiter: u64, blocker: &AgentName, way_back: &BTreeMap<&AgentName, (u64, &AgentName)>) -> Vec<Wait> {
    let mut cycle = vec![Wait { waiter, waits_for: blocker.clone() }];
    let mut agent = blocker;
    while let Some(&(waiter, waits_for)) = way_back.get(agent) {
        cycle.push(Wait { waiter, waits_for: waits_for.clone() });
        agent = waits_for;
    }
    cycle
}
