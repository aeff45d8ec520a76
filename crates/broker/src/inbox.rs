//! Inboxes: messages, where each stands with each of its recipients, and who waits for them.
//!
//! Invariant: every index (an inbox's orders, `leased`, `sent`, the unacked of subscriptions, the counters) follows
//! from the messages' deliveries, and [`Inboxes::change`] is the one place where a delivery changes. An inbox is there
//! while something is in it, and after that until it is dropped. Lacks time, leases and addresses: the board's.

pub mod queue;
pub mod stored;
pub mod takers;
pub mod wakers;

use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::methods::message::{Counts, Recipient};
use callboard_protocol::names::{AgentName, Label};
use callboard_protocol::revision::{MessageId, Revision};

use crate::inbox::queue::{Inbox, Overdue, Place};
use crate::inbox::stored::{Delivery, Standing, Stored};
pub use crate::inbox::takers::SubscriptionKey;
use crate::inbox::takers::{TakerId, Takers};
use crate::inbox::wakers::Wakers;
use crate::now::Monotonic;
use crate::record::{DeliveryRecord, MessageRecord};
use crate::session::{SessionId, SubscriptionId};
use crate::wait::WaitId;

/// The first answer to a `dedupe_key`.
#[derive(Debug, Clone)]
pub struct Dedupe {
    /// The message.
    pub id: MessageId,
    /// What became of each recipient.
    pub recipients: Vec<Recipient>,
    /// Until when it is given again.
    pub due: Monotonic,
}

/// All inboxes of a board.
#[derive(Debug, Default)]
pub struct Inboxes {
    messages: BTreeMap<MessageId, Stored>,
    inboxes: BTreeMap<AgentName, Inbox>,
    sent: BTreeSet<(AgentName, MessageId)>,
    finished: BTreeMap<u64, MessageId>,
    last_finished: u64,
    bytes: usize,
    /// Who waits for messages.
    pub takers: Takers,
    /// Who wants to know that some wait.
    pub wakers: Wakers,
    /// The questions that `message.request` waits on.
    pub questions: BTreeMap<WaitId, MessageId>,
    /// The first answers to dedupe keys, by sender and key.
    pub dedupes: BTreeMap<(AgentName, Label), Dedupe>,
    /// What a restore has read so far.
    pub restoring: BTreeMap<MessageId, (MessageRecord, BTreeMap<AgentName, DeliveryRecord>)>,
}

impl Inboxes {
    /// Queued + leased of an agent.
    #[must_use]
    pub fn load(&self, agent: &AgentName) -> usize {
        let (queued, leased, _) = self.lens(agent);
        queued + leased
    }

    /// `message.counts` without the age.
    #[must_use]
    pub fn counts(&self, agent: &AgentName) -> Counts {
        let (queued, leased, dead) = self.lens(agent);
        Counts { queued, leased, dead, oldest_ms: None }
    }

    fn lens(&self, agent: &AgentName) -> (usize, usize, usize) {
        self.inboxes.get(agent).map_or((0, 0, 0), Inbox::lens)
    }

    /// How many inboxes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inboxes.len()
    }

    /// Whether there is no inbox and no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inboxes.is_empty() && self.messages.is_empty()
    }

    /// What the messages hold, in bytes as accounted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a name has an inbox.
    #[must_use]
    pub fn exists(&self, agent: &AgentName) -> bool {
        self.inboxes.contains_key(agent)
    }

    /// Gives a name an inbox, unless it has one.
    pub fn open(&mut self, agent: &AgentName) {
        self.inboxes.entry(agent.clone()).or_default();
    }

    /// Drops an inbox with nothing in it.
    pub fn forget_if_empty(&mut self, agent: &AgentName) {
        if self.inboxes.get(agent).is_some_and(Inbox::is_empty) {
            self.inboxes.remove(agent);
        }
    }

    /// An agent's inbox.
    #[must_use]
    pub fn inbox(&self, agent: &AgentName) -> Option<&Inbox> {
        self.inboxes.get(agent)
    }

    /// The names that have an inbox, in order.
    pub fn names(&self) -> impl Iterator<Item = &AgentName> {
        self.inboxes.keys()
    }

    /// The next ready message of an inbox after a place.
    #[must_use]
    pub fn next_ready(&self, agent: &AgentName, after: Option<Place>) -> Option<Place> {
        self.inboxes.get(agent)?.next_ready(after)
    }

    /// What in an inbox is over by the clock.
    #[must_use]
    pub fn next_overdue(&self, agent: &AgentName, now: Monotonic) -> Option<Overdue> {
        self.inboxes.get(agent)?.next_overdue(now)
    }

    /// A subscription ended; its leases stay.
    pub fn remove_taker(&mut self, session: SessionId, subscription: SubscriptionId) {
        self.takers.remove(TakerId::Subscription(session, subscription));
    }

    /// The wakers of an inbox that are to be told of a message; they are told once.
    pub fn wake(&mut self, agent: &AgentName, id: MessageId) -> Vec<SubscriptionKey> {
        let stored = self.messages.get(&id);
        stored.map_or_else(Vec::new, |stored| self.wakers.take_armed(agent, &stored.header))
    }

    /// A message.
    #[must_use]
    pub fn find(&self, id: MessageId) -> Option<&Stored> {
        self.messages.get(&id)
    }

    /// A message, to change what no index follows: neither header, payload nor `due`.
    pub fn find_mut(&mut self, id: MessageId) -> Option<&mut Stored> {
        self.messages.get_mut(&id)
    }

    /// The messages after an id, oldest first.
    pub fn iter_after(&self, after: MessageId) -> impl Iterator<Item = (MessageId, &Stored)> {
        let from = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        self.messages.range(from).map(|(id, stored)| (*id, stored))
    }

    /// At most `count` messages that an agent sent, after an id, oldest first.
    #[must_use]
    pub fn sent_after(&self, agent: &AgentName, after: MessageId, count: usize) -> Vec<MessageId> {
        self.sent
            .range((agent.clone(), Revision(after.0 + 1))..)
            .take_while(|(name, _)| name == agent)
            .take(count)
            .map(|(_, id)| *id)
            .collect()
    }

    /// Adds a message; its deliveries follow.
    pub fn insert(&mut self, id: MessageId, stored: Stored) {
        self.sent.extend(stored.header.from.clone().map(|from| (from, id)));
        self.bytes += stored.cost();
        self.messages.insert(id, stored);
    }

    /// Adds a delivery of a message that the agent has none of yet.
    pub fn add(&mut self, id: MessageId, delivery: Delivery) {
        let Some(stored) = self.messages.get_mut(&id) else {
            return;
        };
        let Err(place) = stored.place_of(&delivery.agent) else {
            return;
        };
        self.bytes -= stored.cost();
        stored.deliveries.insert(place, delivery.clone());
        self.bytes += stored.cost();
        self.index(id, &delivery, true);
    }

    /// Changes a delivery; gives where it stood before and where it stands now.
    pub fn change(
        &mut self,
        id: MessageId,
        agent: &AgentName,
        change: impl FnOnce(&mut Delivery),
    ) -> Option<(Standing, Standing)> {
        let before = self.messages.get(&id)?.delivery(agent)?.clone();
        self.index(id, &before, false);
        let stored = self.messages.get_mut(&id)?;
        let place = stored.place_of(agent).ok()?;
        let delivery = stored.deliveries.get_mut(place)?;
        change(delivery);
        let after = delivery.clone();
        self.index(id, &after, true);
        Some((before.standing, after.standing))
    }

    /// Puts a delivery into every index that it belongs to, or takes it out.
    fn index(&mut self, id: MessageId, delivery: &Delivery, present: bool) {
        let Some(stored) = self.messages.get_mut(&id) else {
            return;
        };
        let count = |counter: &mut usize, counts: bool| match (counts, present) {
            (true, true) => *counter += 1,
            (true, false) => *counter -= 1,
            (false, _) => {}
        };
        count(&mut stored.open, delivery.standing.is_open());
        count(&mut stored.dead, delivery.standing == Standing::Dead);
        if delivery.standing.is_open() || delivery.standing == Standing::Dead {
            let inbox = self.inboxes.entry(delivery.agent.clone()).or_default();
            inbox.index(id, stored, delivery, present);
        }
        if let Standing::Leased { token, subscription: Some(subscription), .. } = delivery.standing {
            self.takers.note(subscription, token, present);
        }
    }

    /// Gives a message of which nothing is queued a new TTL end.
    pub fn restart_ttl(&mut self, id: MessageId, ttl_ms: u64, due: Monotonic) {
        if let Some(stored) = self.messages.get_mut(&id) {
            stored.ttl_ms = ttl_ms;
            stored.due = due;
        }
    }

    /// Marks a message finished, to be forgotten at `forget_due`. Its payload goes, unless it may be needed again.
    pub fn finish(&mut self, id: MessageId, forget_due: Monotonic) {
        let Some(stored) = self.messages.get_mut(&id) else {
            return;
        };
        self.bytes -= stored.cost();
        if !stored.has_died() && !stored.handed {
            stored.payload = None;
        }
        self.bytes += stored.cost();
        stored.forget_due = Some(forget_due);
        if !stored.has_died() {
            self.last_finished += 1;
            stored.finished_turn = Some(self.last_finished);
            self.finished.insert(self.last_finished, id);
        }
    }

    /// Marks a message unfinished again; gives when it would have been forgotten.
    pub fn reopen(&mut self, id: MessageId) -> Option<Monotonic> {
        let stored = self.messages.get_mut(&id)?;
        if let Some(turn) = stored.finished_turn.take() {
            self.finished.remove(&turn);
        }
        stored.forget_due.take()
    }

    /// The message that finished first, when more than `max` are kept; dead ones don't count.
    #[must_use]
    pub fn finished_over(&self, max: usize) -> Option<MessageId> {
        if self.finished.len() <= max {
            return None;
        }
        self.finished.first_key_value().map(|(_, id)| *id)
    }

    /// Takes a message out, with its deliveries and its dedupe key.
    pub fn remove(&mut self, id: MessageId) -> Option<Stored> {
        for delivery in self.messages.get(&id)?.deliveries.clone() {
            self.index(id, &delivery, false);
        }
        self.forget_dedupe(id);
        self.reopen(id);
        let stored = self.messages.remove(&id)?;
        self.bytes -= stored.cost();
        if let Some(from) = &stored.header.from {
            self.sent.remove(&(from.clone(), id));
        }
        Some(stored)
    }

    /// Forgets a message's dedupe key; gives until when it would have counted.
    pub fn forget_dedupe(&mut self, id: MessageId) -> Option<Monotonic> {
        let stored = self.messages.get_mut(&id)?;
        let place = (stored.header.from.clone()?, stored.dedupe_key.take()?);
        self.dedupes.get(&place).filter(|dedupe| dedupe.id == id)?;
        self.dedupes.remove(&place).map(|dedupe| dedupe.due)
    }
}
