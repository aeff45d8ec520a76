//! What becomes of a delivery: leased, given back, acked, dead, expired; and of a message once all of its are.
//!
//! Invariant: each change of a delivery goes through [`Board::change_delivery`], so that record, load, deadlines and
//! the message's end follow. What is over by the clock is worked off for an inbox before it is looked at.

use callboard_protocol::limits::{ATTEMPTS_MAX, DEAD_MESSAGE_MS, FINISHED_MESSAGE_MS, FINISHED_MESSAGES_MAX};
use callboard_protocol::methods::message::{Message, Stale};
use callboard_protocol::methods::server::Area;
use callboard_protocol::names::AgentName;
use callboard_protocol::revision::{MessageId, Token};

use super::receipt_of;
use crate::board::Board;
use crate::deadlines::Deadline;
use crate::inbox::SubscriptionKey;
use crate::inbox::queue::Overdue;
use crate::inbox::stored::{Delivery, Standing};
use crate::inbox::takers::{TakerId, Terms};
use crate::lease::{Lease, Leased};
use crate::now::{Monotonic, Now};
use crate::record::Record;

/// A delivery whose lease just ended.
#[derive(Debug, Clone)]
pub(super) struct Unleased {
    pub id: MessageId,
    pub agent: AgentName,
    pub subscription: Option<SubscriptionKey>,
}

impl Board {
    /// Changes a delivery, and with it all that follows from it.
    pub(super) fn change_delivery(
        &mut self,
        now: Now,
        id: MessageId,
        agent: &AgentName,
        change: impl FnOnce(&mut Delivery),
    ) {
        let Some((before, after)) = self.inboxes.change(id, agent, change) else {
            return;
        };
        let ready = Deadline::Ready(agent.clone(), id);
        self.deadlines.change(before.ready_at(), after.ready_at(), ready);
        self.record_delivery(now, id, agent);
        if before.is_open() != after.is_open() {
            self.update_load(agent);
        }
        if !after.is_open() {
            self.finish_if_done(now, id);
        }
    }

    /// Tells the agents how much waits for one of them; drops the inbox of a name that nobody registered.
    pub(crate) fn update_load(&mut self, agent: &AgentName) {
        if !self.agents.set_queued(agent, self.inboxes.load(agent)) {
            self.inboxes.forget_if_empty(agent);
        }
    }

    /// Leases a queued message to a taker.
    pub(super) fn lease_delivery(
        &mut self,
        now: Now,
        id: MessageId,
        agent: &AgentName,
        terms: &Terms,
        subscription: Option<SubscriptionKey>,
    ) -> Option<Message> {
        self.inboxes.find(id)?.delivery(agent)?;
        let token = self.next_revision();
        let due = now.monotonic.plus_ms(terms.lease_ms);
        let lease = Lease {
            of: Leased::Message(id),
            agent: agent.clone(),
            binding: terms.binding,
            ttl_ms: Some(terms.lease_ms),
            due: Some(due),
        };
        self.leases.grant(&mut self.deadlines, token, lease);
        self.change_delivery(now, id, agent, |delivery| {
            delivery.standing = Standing::Leased { token, due, subscription };
            delivery.attempts += 1;
            delivery.leased_at = Some(now.unix_ms);
        });
        self.agents.served(agent, now.monotonic);
        self.tail(now, Area::Message, "leased", &id, Some(agent), || None);
        self.leased_message(now, token)
    }

    /// The message under a live lease, as its taker gets it.
    pub(super) fn leased_message(&self, now: Now, token: Token) -> Option<Message> {
        let lease = self.leases.find(token)?;
        let id = lease.of.message()?;
        let stored = self.inboxes.find(id)?;
        let mut message = stored.message(id, stored.delivery(&lease.agent)?.attempts);
        message.receipt = Some(receipt_of(token));
        message.lease_expires_at = lease.due.map(|due| now.unix_of(due));
        Some(message)
    }

    /// Ends the lease under a token; the caller says where the delivery stands now.
    pub(super) fn end_delivery_lease(&mut self, token: Token, why: Stale) -> Option<Unleased> {
        let id = self.leases.message_of(token)?;
        let agent = self.leases.end(&mut self.deadlines, token, why)?.agent;
        let subscription = match self.inboxes.find(id)?.delivery(&agent)?.standing {
            Standing::Leased { subscription, .. } => subscription,
            Standing::Queued { .. }
            | Standing::Acked
            | Standing::Dead
            | Standing::Expired
            | Standing::Refused => None,
        };
        Some(Unleased { id, agent, subscription })
    }

    /// Deadline or binding of a delivery's lease is over.
    pub(crate) fn delivery_lapsed(&mut self, now: Now, token: Token) {
        if let Some(unleased) = self.end_delivery_lease(token, Stale::Expired) {
            self.give_back(now, &unleased, None, || Some("its lease ended".to_owned()));
        }
    }

    /// A delivery comes back unacked: to its place in the inbox, unless its TTL or its attempts are used up.
    pub(super) fn give_back(
        &mut self,
        now: Now,
        unleased: &Unleased,
        ready_at: Option<Monotonic>,
        detail: impl FnOnce() -> Option<String>,
    ) {
        let Unleased { id, agent, subscription } = unleased;
        let Some(stored) = self.inboxes.find(*id) else {
            return;
        };
        let attempts = stored.delivery(agent).map_or(0, |delivery| delivery.attempts);
        let (standing, action) = if stored.due <= now.monotonic {
            (Standing::Expired, "expired")
        } else if attempts >= ATTEMPTS_MAX {
            (Standing::Dead, "dead")
        } else {
            (Standing::Queued { ready_at }, "returned")
        };
        self.set_standing(now, *id, agent, standing);
        self.tail(now, Area::Message, action, id, Some(agent), detail);
        if standing == (Standing::Queued { ready_at: None }) {
            self.offer(now, agent, *id);
        }
        self.return_credit(now, *subscription);
    }

    /// A subscription whose message was acked or came back may have another.
    pub(super) fn return_credit(&mut self, now: Now, subscription: Option<SubscriptionKey>) {
        if let Some((session, number)) = subscription {
            self.serve(now, &[TakerId::Subscription(session, number)]);
        }
    }

    /// Puts a delivery that is not to be leased somewhere else, as one change.
    pub(super) fn set_standing(&mut self, now: Now, id: MessageId, agent: &AgentName, standing: Standing) {
        self.next_revision();
        self.change_delivery(now, id, agent, |delivery| {
            delivery.standing = standing;
            delivery.ended_at = (!standing.is_open()).then_some(now.unix_ms);
        });
    }

    /// Works off what in an inbox is over by the clock.
    pub(super) fn settle_inbox(&mut self, now: Now, agent: &AgentName) {
        while let Some(overdue) = self.inboxes.next_overdue(agent, now.monotonic) {
            match overdue {
                Overdue::Lease(token) => self.delivery_lapsed(now, token),
                Overdue::Delay(id) => self.delivery_ready(now, agent, id),
                Overdue::Ttl(id) => self.message_ran_out(now, id),
            }
        }
    }

    /// Works off what of a message is over by the clock.
    pub(super) fn settle_message(&mut self, now: Now, id: MessageId) {
        let Some(stored) = self.inboxes.find(id) else {
            return;
        };
        if stored.forget_due.is_some_and(|due| due <= now.monotonic) {
            self.forget_message(id);
            return;
        }
        let overdue: Vec<Token> = stored
            .deliveries()
            .iter()
            .filter_map(|delivery| match delivery.standing {
                Standing::Leased { token, due, .. } if due <= now.monotonic => Some(token),
                Standing::Leased { .. }
                | Standing::Queued { .. }
                | Standing::Acked
                | Standing::Dead
                | Standing::Expired
                | Standing::Refused => None,
            })
            .collect();
        for token in overdue {
            self.delivery_lapsed(now, token);
        }
        self.message_ran_out(now, id);
    }

    /// A delayed delivery becomes ready.
    pub(crate) fn delivery_ready(&mut self, now: Now, agent: &AgentName, id: MessageId) {
        let is_delayed = |delivery: &Delivery| delivery.standing.ready_at().is_some();
        let found = self.inboxes.find(id).and_then(|stored| stored.delivery(agent));
        if !found.is_some_and(is_delayed) {
            return;
        }
        let change = |delivery: &mut Delivery| delivery.standing = Standing::Queued { ready_at: None };
        if let Some((before, _)) = self.inboxes.change(id, agent, change) {
            let ready = Deadline::Ready(agent.clone(), id);
            self.deadlines.change(before.ready_at(), None, ready);
        }
        self.offer(now, agent, id);
    }

    /// A message's TTL is over: what is queued expires, what is leased may still be acked.
    pub(crate) fn message_ran_out(&mut self, now: Now, id: MessageId) {
        let Some(stored) = self.inboxes.find(id).filter(|stored| stored.due <= now.monotonic) else {
            return;
        };
        self.deadlines.clear(stored.due, Deadline::Message(id));
        let queued: Vec<AgentName> = stored
            .deliveries()
            .iter()
            .filter(|delivery| matches!(delivery.standing, Standing::Queued { .. }))
            .map(|delivery| delivery.agent.clone())
            .collect();
        for agent in queued {
            self.set_standing(now, id, &agent, Standing::Expired);
            self.tail(now, Area::Message, "expired", &id, Some(&agent), || None);
        }
    }

    /// The agent is removed: its queued messages become dead.
    pub(crate) fn kill_queued(&mut self, now: Now, agent: &AgentName) {
        self.settle_inbox(now, agent);
        let queued: Vec<MessageId> =
            self.inboxes.inbox(agent).map_or_else(Vec::new, |inbox| inbox.queued().collect());
        for id in queued {
            self.set_standing(now, id, agent, Standing::Dead);
            let detail = || Some(format!("{agent} was removed"));
            self.tail(now, Area::Message, "dead", &id, Some(agent), detail);
        }
    }

    /// Once nothing of a message is queued or leased, only its header is kept, and that for a while.
    pub(super) fn finish_if_done(&mut self, now: Now, id: MessageId) {
        let Some(stored) = self.inboxes.find(id) else {
            return;
        };
        if !stored.is_done() || stored.forget_due.is_some() {
            return;
        }
        let kept_ms = if stored.has_died() { DEAD_MESSAGE_MS } else { FINISHED_MESSAGE_MS };
        let forget_due = now.monotonic.plus_ms(kept_ms).max(stored.due);
        self.keep_finished(id, forget_due);
    }

    /// Keeps a finished message until `forget_due`, and at least as long as its dedupe key counts.
    pub(super) fn keep_finished(&mut self, id: MessageId, forget_due: Monotonic) {
        let Some(stored) = self.inboxes.find(id) else {
            return;
        };
        let forget_due = forget_due.max(self.dedupe_due(id).unwrap_or_default());
        self.deadlines.clear(stored.due, Deadline::Message(id));
        self.deadlines.set(forget_due, Deadline::ForgetMessage(id));
        self.inboxes.finish(id, forget_due);
        while let Some(oldest) = self.inboxes.finished_over(FINISHED_MESSAGES_MAX) {
            self.forget_message(oldest);
        }
    }

    fn dedupe_due(&self, id: MessageId) -> Option<Monotonic> {
        let stored = self.inboxes.find(id)?;
        let place = (stored.header.from.clone()?, stored.dedupe_key.clone()?);
        self.inboxes.dedupes.get(&place).map(|dedupe| dedupe.due)
    }

    /// A finished message is open again, with the TTL that it has by now.
    pub(super) fn reopen(&mut self, id: MessageId) {
        let forget_due = self.inboxes.reopen(id);
        self.deadlines.change(forget_due, None, Deadline::ForgetMessage(id));
        if let Some(stored) = self.inboxes.find(id) {
            self.deadlines.set(stored.due, Deadline::Message(id));
        }
    }

    /// A finished message's header goes.
    pub(crate) fn forget_message(&mut self, id: MessageId) {
        self.forget_dedupe(id);
        let Some(stored) = self.inboxes.remove(id) else {
            return;
        };
        self.deadlines.change(stored.forget_due, None, Deadline::ForgetMessage(id));
        self.record(Record::MessageEnded(id));
        for delivery in stored.deliveries() {
            self.update_load(&delivery.agent);
        }
    }

    /// `namespace.clear`: every message goes, with its deliveries. Gives how many.
    pub(crate) fn clear_messages(&mut self) -> usize {
        let ids: Vec<MessageId> = self.inboxes.iter_after(MessageId::default()).map(|(id, _)| id).collect();
        for id in &ids {
            let Some(stored) = self.inboxes.find(*id) else {
                continue;
            };
            self.deadlines.clear(stored.due, Deadline::Message(*id));
            let mut tokens: Vec<Token> = Vec::new();
            for delivery in stored.deliveries() {
                let ready = Deadline::Ready(delivery.agent.clone(), *id);
                self.deadlines.change(delivery.standing.ready_at(), None, ready);
                tokens.extend(delivery.standing.token());
            }
            for token in tokens {
                self.end_delivery_lease(token, Stale::Broken);
            }
            self.forget_message(*id);
        }
        let names: Vec<AgentName> = self.inboxes.names().cloned().collect();
        for name in &names {
            self.update_load(name);
            self.inboxes.forget_if_empty(name);
        }
        ids.len()
    }

    /// A dedupe key is forgotten.
    pub(crate) fn forget_dedupe(&mut self, id: MessageId) {
        let due = self.inboxes.forget_dedupe(id);
        self.deadlines.change(due, None, Deadline::ForgetDedupe(id));
    }
}
