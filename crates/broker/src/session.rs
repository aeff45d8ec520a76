//! Sessions: client identities with their subscriptions and their place in the grace.
//!
//! Invariant: a session is in the table from its first request until it is closed or its grace is over. The seq of a
//! subscription counts every event that was meant for it, sent or missed. Session-bound leases are found through
//! `lease`, waits through `waits`: the session only names its waits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use callboard_protocol::AgentName;
use callboard_protocol::event::EventBody;
use callboard_protocol::json::object::{Sink, Text};
use callboard_protocol::methods::server::Area;
use callboard_protocol::methods::session::Program;
use serde::{Deserialize, Serialize};

use crate::effects::{Effects, Outgoing, Output, PushClass};
use crate::keyspace::watch::Watch;
use crate::now::{Monotonic, Now};
use crate::wait::WaitId;

/// A session's name: random, and so unique over restarts and namespaces. 16 hex digits on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SessionId(pub u64);

impl Text for SessionId {
    fn write(&self, out: &mut impl Sink) {
        // A formatter takes longer than all the rest of a lease's record.
        let digits = "0123456789abcdef";
        out.put("\"");
        for shift in (0..u64::BITS).step_by(4).rev() {
            let digit = (self.0 >> shift) as usize & 15;
            out.put(&digits[digit..=digit]);
        }
        out.put("\"");
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for SessionId {
    type Error = std::num::ParseIntError;
    fn try_from(digits: String) -> Result<Self, Self::Error> {
        u64::from_str_radix(&digits, 16).map(Self)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Names one subscription of a session: from 1; 0 stands for "no subscription".
pub type SubscriptionId = u64;

/// What a subscription is to.
#[derive(Debug)]
pub enum Subscribed {
    /// `kv.watch`
    Watch(Watch),
    /// `message.subscribe`; the inboxes know the rest.
    Inbox,
    /// `message.subscribe` with `wake`; the inboxes know the rest.
    Wake,
    /// `topic.subscribe`; the topics know the pattern.
    Topic,
    /// `agent.watch`
    Agents,
    /// `task.watch`; the tasks know the filter.
    Tasks,
    /// `server.tail`, of these areas.
    Tail(BTreeSet<Area>),
}

/// One subscription.
#[derive(Debug)]
pub struct Subscription {
    /// What it is to.
    pub to: Subscribed,
    /// The seq of the last event.
    pub seq: u64,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// A connection serves it.
    Connected,
    /// Its connection is gone; it ends then unless resumed.
    Grace(Monotonic),
}

/// One session.
#[derive(Debug)]
pub struct Session {
    /// For whom it acts.
    pub agent: Option<AgentName>,
    /// What takes it over; none when nobody can.
    pub resume_token: Option<String>,
    /// The program at the other end.
    pub client: Program,
    /// Where it stands.
    pub link: Link,
    /// Whether it is slow: then it is leased no messages and sent no initial state.
    pub paused: bool,
    /// When it last called.
    pub last_call: Now,
    /// Whether its agent left meanwhile: its next call signs it in again.
    pub signed_out: bool,
    /// Its subscriptions.
    pub subscriptions: BTreeMap<SubscriptionId, Subscription>,
    /// The last subscription's number.
    pub last_subscription: SubscriptionId,
    /// The seq of its last event of no subscription.
    pub seq: u64,
    /// Its waiting requests.
    pub waits: BTreeSet<WaitId>,
}

impl Session {
    /// A session that has done nothing yet.
    #[must_use]
    pub fn new(
        now: Now,
        link: Link,
        agent: Option<AgentName>,
        resume_token: Option<String>,
        client: Program,
    ) -> Self {
        Self {
            agent,
            resume_token,
            client,
            link,
            paused: false,
            last_call: now,
            signed_out: false,
            subscriptions: BTreeMap::new(),
            last_subscription: 0,
            seq: 0,
            waits: BTreeSet::new(),
        }
    }

    /// Whether a connection serves it.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link == Link::Connected
    }

    /// Whether somebody could miss it: a session without agent that nobody can resume needs no grace.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        self.agent.is_some() || self.resume_token.is_some()
    }
}

/// The sessions of a board.
#[derive(Debug, Default)]
pub struct Sessions {
    /// By name.
    pub table: BTreeMap<SessionId, Session>,
    by_agent: BTreeSet<(AgentName, SessionId)>,
    tails: BTreeSet<(SessionId, SubscriptionId)>,
}

impl Sessions {
    /// Adds a session.
    pub fn insert(&mut self, id: SessionId, session: Session) {
        if let Some(agent) = &session.agent {
            self.by_agent.insert((agent.clone(), id));
        }
        self.table.insert(id, session);
    }

    /// Takes a session out.
    pub fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.table.remove(&id)?;
        if let Some(agent) = &session.agent {
            self.by_agent.remove(&(agent.clone(), id));
        }
        for subscription in session.subscriptions.keys() {
            self.tails.remove(&(id, *subscription));
        }
        Some(session)
    }

    /// Gives a session an agent, or takes it away.
    pub fn set_agent(&mut self, id: SessionId, agent: Option<AgentName>) {
        let Some(session) = self.table.get_mut(&id) else {
            return;
        };
        if let Some(before) = session.agent.take() {
            self.by_agent.remove(&(before, id));
        }
        if let Some(after) = &agent {
            self.by_agent.insert((after.clone(), id));
        }
        session.agent = agent;
    }

    /// The sessions of an agent, those in grace included.
    pub fn of_agent<'a>(&'a self, agent: &AgentName) -> impl Iterator<Item = SessionId> + use<'a> {
        let agent = agent.clone();
        self.by_agent
            .range((agent.clone(), SessionId(0))..)
            .take_while(move |(name, _)| *name == agent)
            .map(|(_, session)| *session)
    }

    /// Adds a subscription; its number is fresh within the session.
    pub fn subscribe(&mut self, id: SessionId, to: Subscribed) -> SubscriptionId {
        let Some(session) = self.table.get_mut(&id) else {
            return 0;
        };
        session.last_subscription += 1;
        let subscription = session.last_subscription;
        if matches!(to, Subscribed::Tail(_)) {
            self.tails.insert((id, subscription));
        }
        session.subscriptions.insert(subscription, Subscription { to, seq: 0 });
        subscription
    }

    /// Takes a subscription out.
    pub fn unsubscribe(&mut self, id: SessionId, subscription: SubscriptionId) -> Option<Subscription> {
        self.tails.remove(&(id, subscription));
        self.table.get_mut(&id)?.subscriptions.remove(&subscription)
    }

    /// The subscription, if it is there.
    pub fn subscription(&mut self, id: SessionId, subscription: SubscriptionId) -> Option<&mut Subscription> {
        self.table.get_mut(&id)?.subscriptions.get_mut(&subscription)
    }

    /// The `server.tail` subscriptions.
    #[must_use]
    pub fn tails(&self) -> Vec<(SessionId, SubscriptionId)> {
        self.tails.iter().copied().collect()
    }

    /// Whether anybody tails.
    #[must_use]
    pub fn has_tails(&self) -> bool {
        !self.tails.is_empty()
    }

    /// Pushes an event to one subscription under its next seq.
    pub fn push(
        &mut self,
        effects: &mut Effects,
        session: SessionId,
        subscription: SubscriptionId,
        body: EventBody,
        class: PushClass,
    ) {
        let Some(found) = self.subscription(session, subscription) else {
            return;
        };
        found.seq += 1;
        let what = Outgoing::Push { subscription, seq: found.seq, body, class };
        effects.outputs.push(Output { session, what });
    }

    /// Pushes an event of no subscription to each connected session of an agent.
    pub fn notify(&mut self, effects: &mut Effects, agent: &AgentName, body: &EventBody) {
        let sessions: Vec<SessionId> = self.of_agent(agent).collect();
        for id in sessions {
            self.notify_session(effects, id, body);
        }
    }

    /// Pushes an event of no subscription to one session, if it is connected.
    pub fn notify_session(&mut self, effects: &mut Effects, id: SessionId, body: &EventBody) {
        let Some(session) = self.table.get_mut(&id).filter(|session| session.is_connected()) else {
            return;
        };
        session.seq += 1;
        let what =
            Outgoing::Push { subscription: 0, seq: session.seq, body: body.clone(), class: PushClass::Kept };
        effects.outputs.push(Output { session: id, what });
    }
}
