//! Who waits for messages: `message.receive` requests and `message.subscribe` subscriptions, in one order of waiting.
//!
//! Invariant: `order` has exactly the takers of the table. A subscription's `unacked` are the leases
//! that were pushed to it and are live. Whether a taker can be served at the moment (its connection, its wait) is the
//! board's to say.

use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::methods::message::CorrelationId;
use callboard_protocol::names::{AgentName, Label};
use callboard_protocol::revision::Token;

use crate::inbox::stored::Header;
use crate::lease::Binding;
use crate::session::{SessionId, SubscriptionId};
use crate::wait::WaitId;

/// A subscription, over all sessions.
pub type SubscriptionKey = (SessionId, SubscriptionId);

/// A taker's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TakerId {
    /// A waiting `message.receive`.
    Receive(WaitId),
    /// A `message.subscribe`.
    Subscription(SessionId, SubscriptionId),
}

/// Which messages are wanted; an absent member wants all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of these types.
    pub types: Option<Vec<Label>>,
    /// From this sender.
    pub from: Option<AgentName>,
    /// Of this conversation.
    pub correlation_id: Option<CorrelationId>,
}

impl Filter {
    /// Whether a message is wanted.
    #[must_use]
    pub fn matches(&self, header: &Header) -> bool {
        let is_type = self.types.as_ref().is_none_or(|types| types.contains(&header.r#type));
        let is_from = self.from.is_none() || self.from == header.from;
        let is_of = self.correlation_id.is_none() || self.correlation_id == header.correlation_id;
        is_type && is_from && is_of
    }
}

/// What a taker asked for.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Which messages.
    pub filter: Filter,
    /// How long each may stay unacked, in milliseconds.
    pub lease_ms: u64,
    /// What the leases are bound to.
    pub binding: Binding,
    /// Messages of one receive, or unacked ones of a subscription, at most.
    pub max: usize,
}

/// One taker.
#[derive(Debug)]
pub struct Taker {
    /// Whose inbox.
    pub agent: AgentName,
    /// What it asked for.
    pub terms: Terms,
    turn: u64,
    unacked: BTreeSet<Token>,
}

impl Taker {
    /// Its place in the order of waiting: the lower the longer.
    #[must_use]
    pub fn turn(&self) -> u64 {
        self.turn
    }

    /// How many more messages it may have.
    #[must_use]
    pub fn room(&self) -> usize {
        self.terms.max.saturating_sub(self.unacked.len())
    }
}

/// All takers of a board.
#[derive(Debug, Default)]
pub struct Takers {
    table: BTreeMap<TakerId, Taker>,
    order: BTreeSet<(AgentName, u64, TakerId)>,
    last_turn: u64,
}

impl Takers {
    /// Adds a taker behind all others.
    pub fn insert(&mut self, id: TakerId, agent: AgentName, terms: Terms) {
        self.last_turn += 1;
        let turn = self.last_turn;
        self.order.insert((agent.clone(), turn, id));
        let taker = Taker { agent, terms, turn, unacked: BTreeSet::new() };
        self.table.insert(id, taker);
    }

    /// The taker.
    #[must_use]
    pub fn find(&self, id: TakerId) -> Option<&Taker> {
        self.table.get(&id)
    }

    /// Takes a taker out.
    pub fn remove(&mut self, id: TakerId) -> Option<Taker> {
        let taker = self.table.remove(&id)?;
        self.order.remove(&(taker.agent.clone(), taker.turn, id));
        Some(taker)
    }

    /// A taker that was served waits anew, behind all others.
    pub fn to_back(&mut self, id: TakerId) {
        let Some(taker) = self.table.get_mut(&id) else {
            return;
        };
        self.last_turn += 1;
        self.order.remove(&(taker.agent.clone(), taker.turn, id));
        taker.turn = self.last_turn;
        self.order.insert((taker.agent.clone(), taker.turn, id));
    }

    /// The takers of an inbox, the longest waiting first.
    pub fn of_agent<'a>(&'a self, agent: &'a AgentName) -> impl Iterator<Item = (TakerId, &'a Taker)> + 'a {
        let from = (agent.clone(), 0, TakerId::Receive(WaitId(0)));
        self.order
            .range(from..)
            .take_while(move |(name, _, _)| name == agent)
            .filter_map(|(_, _, id)| Some((*id, self.table.get(id)?)))
    }

    /// The subscriptions of a session, in order of their numbers.
    #[must_use]
    pub fn of_session(&self, session: SessionId) -> Vec<SubscriptionId> {
        let range = TakerId::Subscription(session, 0)..=TakerId::Subscription(session, SubscriptionId::MAX);
        self.table
            .range(range)
            .filter_map(|(id, _)| match id {
                TakerId::Subscription(_, number) => Some(*number),
                TakerId::Receive(_) => None,
            })
            .collect()
    }

    /// The unacked leases of a subscription, oldest first.
    #[must_use]
    pub fn unacked(&self, (session, number): SubscriptionKey) -> Vec<Token> {
        let taker = self.find(TakerId::Subscription(session, number));
        taker.map_or_else(Vec::new, |taker| taker.unacked.iter().copied().collect())
    }

    /// Notes that a subscription has, or has no more, a message unacked.
    pub(super) fn note(&mut self, (session, number): SubscriptionKey, token: Token, unacked: bool) {
        let Some(taker) = self.table.get_mut(&TakerId::Subscription(session, number)) else {
            return;
        };
        if unacked {
            taker.unacked.insert(token);
        } else {
            taker.unacked.remove(&token);
        }
    }
}
