//! Leases whose binding ended, but which were not ended one by one yet: a session or an agent may have held 100,000.
//!
//! Invariant: from the moment that a binding ends, none of its leases counts as live for anybody; they are taken out of
//! their tables in slices afterwards.

use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::AgentName;
use callboard_protocol::revision::{Revision, Token};

use super::{Binding, Lease, Leases};
use crate::session::SessionId;

/// A binding that ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cascade {
    /// A session.
    Session(SessionId),
    /// An agent that left or was removed.
    Agent(AgentName),
}

/// An agent that left or was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaving {
    /// The tokens before this one were looked at.
    pub from: Token,
    /// Leases granted later belong to the agent that came back.
    pub up_to: Token,
    /// Whether leases bound to its sessions end too.
    pub is_removed: bool,
}

/// The bindings that ended.
#[derive(Debug, Default)]
pub(super) struct Unbound {
    sessions: BTreeSet<SessionId>,
    agents: BTreeMap<AgentName, Leaving>,
}

impl Leases {
    /// All leases bound to a session are over from now on.
    pub fn unbind_session(&mut self, session: SessionId) -> Cascade {
        self.unbound.sessions.insert(session);
        Cascade::Session(session)
    }

    /// All leases bound to an agent are over from now on, those bound to its sessions too when it is removed.
    pub fn unbind_agent(&mut self, agent: &AgentName, up_to: Token, is_removed: bool) -> Cascade {
        let before = self.unbound.agents.get(agent);
        let is_removed = is_removed || before.is_some_and(|before| before.is_removed);
        let leaving = Leaving { from: Revision(0), up_to, is_removed };
        self.unbound.agents.insert(agent.clone(), leaving);
        Cascade::Agent(agent.clone())
    }

    /// Whether what a lease was bound to ended.
    #[must_use]
    pub fn is_unbound(&self, token: Token, lease: &Lease) -> bool {
        if self.unbound.sessions.is_empty() && self.unbound.agents.is_empty() {
            return false;
        }
        let is_of_session = match lease.binding {
            Binding::Agent => false,
            Binding::Session(session) => self.unbound.sessions.contains(&session),
        };
        let leaving = self.unbound.agents.get(&lease.agent);
        is_of_session || leaving.is_some_and(|leaving| leaving.ends(token, lease))
    }

    /// The next lease of a binding that ended; once there is none, the binding is forgotten. `Step::Other` is a lease of
    /// the agent that was looked at and lives on.
    pub fn next_unbound(&mut self, cascade: &Cascade) -> Step {
        match cascade {
            Cascade::Session(session) => {
                let mut bound =
                    self.by_session.range((*session, Revision(0))..=(*session, Revision(u64::MAX)));
                match bound.next() {
                    Some((_, token)) => Step::End(*token),
                    None => {
                        self.unbound.sessions.remove(session);
                        Step::Done
                    }
                }
            }
            Cascade::Agent(agent) => self.next_of_agent(agent),
        }
    }

    fn next_of_agent(&mut self, agent: &AgentName) -> Step {
        let Some(leaving) = self.unbound.agents.get_mut(agent) else {
            return Step::Done;
        };
        let from = (agent.clone(), leaving.from);
        let next = self.by_agent.range(from..).next();
        let next = next.filter(|(name, token)| name == agent && *token <= leaving.up_to);
        let Some(&(_, token)) = next else {
            self.unbound.agents.remove(agent);
            return Step::Done;
        };
        leaving.from = Revision(token.0 + 1);
        let is_over = self.live.get(&token).is_some_and(|lease| leaving.ends(token, lease));
        if is_over { Step::End(token) } else { Step::Other }
    }

    /// The agents that left and whose leases are not all ended yet.
    pub fn leaving(&self) -> impl Iterator<Item = (&AgentName, &Leaving)> {
        self.unbound.agents.iter()
    }

    /// As [`Self::leaving`], of one agent.
    #[must_use]
    pub fn leaving_of(&self, agent: &AgentName) -> Option<&Leaving> {
        self.unbound.agents.get(agent)
    }
}

impl Leaving {
    fn ends(&self, token: Token, lease: &Lease) -> bool {
        token <= self.up_to && (self.is_removed || lease.binding == Binding::Agent)
    }
}

/// What one step of a cascade found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// This lease is over.
    End(Token),
    /// A lease that lives on.
    Other,
    /// There are no more.
    Done,
}
