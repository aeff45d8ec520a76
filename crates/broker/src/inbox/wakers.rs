//! Who wants to be told that messages wait, without taking any: one word for many, until they were looked after.
//!
//! Invariant: `by_agent` has exactly the subscriptions of the table. A waker is armed unless it was told of something and
//! its agent has not received since.

use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::names::AgentName;

use crate::inbox::stored::Header;
use crate::inbox::takers::{Filter, SubscriptionKey};

#[derive(Debug)]
struct Waker {
    agent: AgentName,
    filter: Filter,
    is_armed: bool,
}

/// All of a board.
#[derive(Debug, Default)]
pub struct Wakers {
    table: BTreeMap<SubscriptionKey, Waker>,
    by_agent: BTreeSet<(AgentName, SubscriptionKey)>,
}

impl Wakers {
    /// Adds one, armed.
    pub fn insert(&mut self, id: SubscriptionKey, agent: AgentName, filter: Filter) {
        self.by_agent.insert((agent.clone(), id));
        self.table.insert(id, Waker { agent, filter, is_armed: true });
    }

    /// Takes one out.
    pub fn remove(&mut self, id: SubscriptionKey) {
        if let Some(waker) = self.table.remove(&id) {
            self.by_agent.remove(&(waker.agent, id));
        }
    }

    /// Arms those of an agent, which has received.
    pub fn arm(&mut self, agent: &AgentName) {
        for id in self.of_agent(agent) {
            if let Some(waker) = self.table.get_mut(&id) {
                waker.is_armed = true;
            }
        }
    }

    /// Whether an agent has one that could be told something.
    #[must_use]
    pub fn has_armed(&self, agent: &AgentName) -> bool {
        self.of_agent(agent).iter().any(|id| self.table.get(id).is_some_and(|waker| waker.is_armed))
    }

    /// Gives those of an agent that are to be told of a message; they are told once.
    pub fn take_armed(&mut self, agent: &AgentName, header: &Header) -> Vec<SubscriptionKey> {
        let mut told = self.of_agent(agent);
        told.retain(|id| {
            let waker = self.table.get_mut(id);
            let waker = waker.filter(|waker| waker.is_armed && waker.filter.matches(header));
            waker.is_some_and(|waker| std::mem::replace(&mut waker.is_armed, false))
        });
        told
    }

    fn of_agent(&self, agent: &AgentName) -> Vec<SubscriptionKey> {
        let from = (agent.clone(), (crate::session::SessionId(0), 0));
        self.by_agent.range(from..).take_while(|(name, _)| name == agent).map(|(_, id)| *id).collect()
    }
}
