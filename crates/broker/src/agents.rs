//! Agents: who was here, who is, and who of a role should get the next piece of work.
//!
//! Invariant: `by_role` holds exactly the live agents that have a role, under their present load. A name that left
//! stays known until its deadline. Sessions and inboxes are elsewhere; presence is decided in `board::presence`.

use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::methods::agent::Status;
use callboard_protocol::names::{AgentName, Label, Role};
use callboard_protocol::scalar::{Object, Scalar};

use crate::now::Monotonic;
use crate::session::{SessionId, SubscriptionId};

/// What an agent says of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// What it can be addressed by.
    pub role: Option<Role>,
    /// What it can do.
    pub capabilities: Vec<Label>,
    /// What it is, for people.
    pub description: Option<String>,
    /// Anything else.
    pub metadata: Option<Object>,
    /// What it is doing.
    pub status: Status,
    /// On which task.
    pub task: Option<Scalar>,
    /// A note for people.
    pub note: Option<String>,
    /// How far it is.
    pub progress: Option<Scalar>,
}

/// One agent.
#[derive(Debug, Clone)]
pub struct Agent {
    /// What it says of itself.
    pub profile: Profile,
    /// Whether its presence lasts.
    pub live: bool,
    /// How long its presence outlasts its last call, in milliseconds.
    pub ttl_ms: u64,
    /// When it was first registered, in Unix milliseconds.
    pub registered_at: u64,
    /// Its last call through a session that is gone; open sessions know their own.
    pub last_seen: Monotonic,
    /// When its presence ends, once no session is left.
    pub presence_due: Option<Monotonic>,
    /// When its name is forgotten, once it left.
    pub forget_due: Option<Monotonic>,
    /// Messages queued for it or leased to it.
    queued: usize,
    /// Tasks that it has claimed.
    claimed: usize,
    /// When it was last given a message or a task.
    last_served: Monotonic,
}

impl Agent {
    /// An agent that nobody heard of before; not live yet.
    #[must_use]
    pub fn new(ttl_ms: u64, registered_at: u64, last_seen: Monotonic) -> Self {
        Self {
            profile: Profile::default(),
            live: false,
            ttl_ms,
            registered_at,
            last_seen,
            presence_due: None,
            forget_due: None,
            queued: 0,
            claimed: 0,
            last_served: Monotonic(0),
        }
    }

    /// Whether its presence lasts by the clock, worked off or not.
    #[must_use]
    pub fn is_live_at(&self, now: Monotonic) -> bool {
        self.live && self.presence_due.is_none_or(|due| now < due)
    }
}

/// The order in which a role's work is given out: load, idle since, name.
type Turn = (Role, usize, Monotonic, String);

/// All agents of a board.
#[derive(Debug, Default)]
pub struct Agents {
    table: BTreeMap<AgentName, Agent>,
    by_role: BTreeMap<Turn, AgentName>,
    live: usize,
    /// The `agent.watch` subscriptions.
    pub watchers: BTreeSet<(SessionId, SubscriptionId)>,
}

fn turn(name: &AgentName, agent: &Agent) -> Option<Turn> {
    let role = agent.profile.role.clone().filter(|_| agent.live)?;
    Some((role, agent.queued + agent.claimed, agent.last_served, name.to_string()))
}

impl Agents {
    /// The agent, live or not.
    #[must_use]
    pub fn find(&self, name: &AgentName) -> Option<&Agent> {
        self.table.get(name)
    }

    /// Whether the agent can be addressed by role.
    #[must_use]
    pub fn is_live(&self, name: &AgentName) -> bool {
        self.find(name).is_some_and(|agent| agent.live)
    }

    /// Adds an agent that is not there yet.
    pub fn insert(&mut self, name: AgentName, agent: Agent) {
        self.live += usize::from(agent.live);
        self.by_role.extend(turn(&name, &agent).map(|turn| (turn, name.clone())));
        self.table.insert(name, agent);
    }

    /// Takes an agent out.
    pub fn remove(&mut self, name: &AgentName) -> Option<Agent> {
        let agent = self.table.remove(name)?;
        self.live -= usize::from(agent.live);
        if let Some(turn) = turn(name, &agent) {
            self.by_role.remove(&turn);
        }
        Some(agent)
    }

    /// Changes an agent, and its place among its role with it.
    pub fn change<T>(&mut self, name: &AgentName, change: impl FnOnce(&mut Agent) -> T) -> Option<T> {
        let agent = self.table.get_mut(name)?;
        let before = turn(name, agent);
        let was_live = agent.live;
        let result = change(agent);
        let after = turn(name, agent);
        self.live = self.live + usize::from(agent.live) - usize::from(was_live);
        if before != after {
            if let Some(turn) = before {
                self.by_role.remove(&turn);
            }
            self.by_role.extend(after.map(|turn| (turn, name.clone())));
        }
        Some(result)
    }

    /// Tells how many messages are queued for an agent or leased to it now; whether there is such an agent.
    pub fn set_queued(&mut self, name: &AgentName, queued: usize) -> bool {
        self.change(name, |agent| agent.queued = queued).is_some()
    }

    /// Tells how many tasks an agent has claimed.
    pub fn set_claimed(&mut self, name: &AgentName, claimed: usize) {
        self.change(name, |agent| agent.claimed = claimed);
    }

    /// Tells that an agent was just given a message.
    pub fn served(&mut self, name: &AgentName, now: Monotonic) {
        self.change(name, |agent| agent.last_served = now);
    }

    /// Tells that an agent was just given a task.
    pub fn claimed(&mut self, name: &AgentName, now: Monotonic) {
        self.change(name, |agent| {
            agent.claimed += 1;
            agent.last_served = now;
        });
    }

    /// Tells that a claim of an agent's ended.
    pub fn unclaimed(&mut self, name: &AgentName) {
        self.change(name, |agent| agent.claimed = agent.claimed.saturating_sub(1));
    }

    /// The live agent of a role with the least load, and among those the one that was longest without work.
    #[must_use]
    pub fn least_loaded(&self, role: &Role) -> Option<AgentName> {
        self.of_role(role).next().cloned()
    }

    /// The live agents of a role, least loaded first.
    pub fn of_role<'a>(&'a self, role: &'a Role) -> impl Iterator<Item = &'a AgentName> + 'a {
        let first = (role.clone(), 0, Monotonic(0), String::new());
        self.by_role.range(first..).take_while(move |((found, ..), _)| found == role).map(|(_, name)| name)
    }

    /// All agents, in order of names, after `cursor`.
    pub fn iter_after<'a>(
        &'a self,
        cursor: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a AgentName, &'a Agent)> + 'a {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = cursor.map_or(Unbounded, Excluded);
        self.table.range::<str, _>((from, Unbounded))
    }

    /// How many agents are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// How many are live.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live
    }
}
