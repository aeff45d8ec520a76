//! Messages and deliveries as records, and the way back from them.
//!
//! Invariant: records are gathered as they come, each overwriting the entity of before, and become messages only in
//! [`Board::finish_restore_messages`]: so order within a file never matters beyond "the last one counts". Every index,
//! deadline, load and counter is derived there. What the daemon was down for counts as wall time.

use std::collections::BTreeMap;

use callboard_protocol::limits::{DEAD_MESSAGE_MS, DEDUPE_MS, FINISHED_MESSAGE_MS};
use callboard_protocol::methods::message::DeliveryState;
use callboard_protocol::names::AgentName;
use callboard_protocol::revision::{MessageId, Token};

use crate::board::Board;
use crate::deadlines::Deadline;
use crate::inbox::Dedupe;
use crate::inbox::stored::{Delivery, Header, Standing, Stored};
use crate::lease::Leased;
use crate::now::Now;
use crate::record::{DedupeRecord, DeliveryRecord, LeaseRecord, MessageRecord, Record};

impl Board {
    pub(super) fn record_message(&mut self, now: Now, id: MessageId) {
        self.record_entity(|board| Some(Record::Message(Box::new(board.message_record(now, id)?))));
    }

    pub(super) fn record_delivery(&mut self, now: Now, id: MessageId, agent: &AgentName) {
        self.record_entity(|board| board.delivery_record(now, id, agent).map(Record::Delivery));
    }

    /// The record of a message, followed by those of its deliveries.
    pub(crate) fn records_of_message(&self, now: Now, id: MessageId) -> Vec<Record> {
        let message = self.message_record(now, id).map(|record| Record::Message(Box::new(record)));
        let deliveries = self.inboxes.find(id).map_or(&[][..], Stored::deliveries);
        let deliveries =
            deliveries.iter().filter_map(|delivery| self.delivery_record(now, id, &delivery.agent));
        message.into_iter().chain(deliveries.map(Record::Delivery)).collect()
    }

    fn message_record(&self, now: Now, id: MessageId) -> Option<MessageRecord> {
        let stored = self.inboxes.find(id)?;
        let header = stored.header.clone();
        Some(MessageRecord {
            id,
            from: header.from,
            to: header.to,
            r#type: header.r#type,
            subject: header.subject,
            payload: stored.payload.clone().filter(|_| !stored.handed),
            correlation_id: header.correlation_id,
            in_reply_to: header.in_reply_to,
            reply_to: header.reply_to,
            thread_id: header.thread_id,
            priority: header.priority,
            sent_at: header.sent_at,
            ttl_ms: stored.ttl_ms,
            expires_at: now.unix_of(stored.due),
            request: stored.request,
            answer: stored.answer,
            late: stored.late,
            dedupe: self.dedupe_record(stored),
        })
    }

    fn dedupe_record(&self, stored: &Stored) -> Option<DedupeRecord> {
        let key = stored.dedupe_key.clone()?;
        let place = (stored.header.from.clone()?, key);
        let recipients = self.inboxes.dedupes.get(&place)?.recipients.clone();
        Some(DedupeRecord { key: place.1, recipients })
    }

    fn delivery_record(&self, now: Now, id: MessageId, agent: &AgentName) -> Option<DeliveryRecord> {
        let delivery = self.inboxes.find(id)?.delivery(agent)?;
        let standing = delivery.standing;
        Some(DeliveryRecord {
            message: id,
            agent: agent.clone(),
            state: standing.state(),
            attempts: delivery.attempts,
            queued_at: delivery.queued_at,
            ready_at: standing.ready_at().map(|ready_at| now.unix_of(ready_at)),
            leased_at: delivery.leased_at,
            ended_at: delivery.ended_at,
            lease: standing.token().and_then(|token| self.lease_record(now, token)),
        })
    }

    /// Takes in a message's record; its deliveries stay.
    pub(crate) fn restore_message(&mut self, record: MessageRecord) {
        let deliveries = self.inboxes.restoring.remove(&record.id);
        let deliveries = deliveries.map_or_else(BTreeMap::new, |(_, deliveries)| deliveries);
        self.inboxes.restoring.insert(record.id, (record, deliveries));
    }

    /// Takes in a delivery's record; one of a message that is not there is dropped.
    pub(crate) fn restore_delivery(&mut self, record: DeliveryRecord) {
        if let Some((_, deliveries)) = self.inboxes.restoring.get_mut(&record.message) {
            deliveries.insert(record.agent.clone(), record);
        }
    }

    /// Takes in the end of a message.
    pub(crate) fn restore_message_ended(&mut self, id: MessageId) {
        self.inboxes.restoring.remove(&id);
    }

    /// Makes messages of all records taken in. Sessions and agents are restored before; what this changes (leases of
    /// sessions that are gone lapse) is recorded like every change.
    pub(crate) fn finish_restore_messages(&mut self, now: Now) {
        let mut lapsed: Vec<Token> = Vec::new();
        let mut finished: Vec<(u64, MessageId)> = Vec::new();
        for (id, (record, deliveries)) in std::mem::take(&mut self.inboxes.restoring) {
            self.insert_restored(now, record);
            for (_, delivery) in deliveries {
                lapsed.extend(self.add_restored(now, delivery));
            }
            let Some(stored) = self.inboxes.find(id) else {
                continue;
            };
            if stored.is_done() {
                finished.push((stored.finished_at(), id));
            } else {
                self.deadlines.set(stored.due, Deadline::Message(id));
            }
        }
        finished.sort_unstable();
        for (finished_at, id) in finished {
            self.finish_restored(now, finished_at, id);
        }
        for token in lapsed {
            self.delivery_lapsed(now, token);
        }
        let names: Vec<AgentName> = self.inboxes.names().cloned().collect();
        for name in names {
            self.update_load(&name);
        }
    }

    fn insert_restored(&mut self, now: Now, record: MessageRecord) {
        let id = record.id;
        let header = Header {
            from: record.from,
            to: record.to,
            r#type: record.r#type,
            subject: record.subject,
            correlation_id: record.correlation_id,
            in_reply_to: record.in_reply_to,
            reply_to: record.reply_to,
            thread_id: record.thread_id,
            priority: record.priority,
            sent_at: record.sent_at,
        };
        let dedupe_until = record.sent_at.saturating_add(DEDUPE_MS);
        let dedupe = record
            .dedupe
            .filter(|_| dedupe_until > now.unix_ms)
            .and_then(|dedupe| Some((header.from.clone()?, dedupe)));
        let due = now.due_at(record.expires_at);
        let mut stored = Stored::new(header, record.payload, record.ttl_ms, due);
        stored.request = record.request;
        stored.answer = record.answer;
        stored.late = record.late;
        if let Some((from, DedupeRecord { key, recipients })) = dedupe {
            let due = now.due_at(dedupe_until);
            stored.dedupe_key = Some(key.clone());
            self.inboxes.dedupes.insert((from, key), Dedupe { id, recipients, due });
            self.deadlines.set(due, Deadline::ForgetDedupe(id));
        }
        self.inboxes.insert(id, stored);
    }

    /// Adds a delivery; gives its token when what its lease was bound to is gone.
    fn add_restored(&mut self, now: Now, record: DeliveryRecord) -> Option<Token> {
        let (id, agent) = (record.message, record.agent.clone());
        let (standing, lapsed) = self.restored_standing(now, &record);
        let delivery = Delivery {
            agent: record.agent,
            standing,
            attempts: record.attempts,
            queued_at: record.queued_at,
            leased_at: record.leased_at,
            ended_at: record.ended_at,
        };
        self.inboxes.add(id, delivery);
        let ready = Deadline::Ready(agent, id);
        self.deadlines.change(None, standing.ready_at(), ready);
        standing.token().filter(|_| lapsed)
    }

    fn restored_standing(&mut self, now: Now, record: &DeliveryRecord) -> (Standing, bool) {
        let ready_at = record.ready_at.filter(|ready_at| *ready_at > now.unix_ms);
        let ready_at = ready_at.map(|ready_at| now.due_at(ready_at));
        let standing = match record.state {
            DeliveryState::Queued => Standing::Queued { ready_at },
            DeliveryState::Leased => {
                let Some(lease) = &record.lease else {
                    return (Standing::Queued { ready_at: None }, false);
                };
                return self.restored_lease(now, record.message, lease);
            }
            DeliveryState::Acked => Standing::Acked,
            DeliveryState::Dead => Standing::Dead,
            DeliveryState::Expired => Standing::Expired,
            DeliveryState::Refused => Standing::Refused,
        };
        (standing, false)
    }

    fn restored_lease(&mut self, now: Now, id: MessageId, record: &LeaseRecord) -> (Standing, bool) {
        let lease = self.lease_after_restart(now, Leased::Message(id), record);
        let due = lease.due.unwrap_or(now.monotonic);
        let lapsed = self.is_orphan(&lease);
        self.leases.grant(&mut self.deadlines, record.token, lease);
        (Standing::Leased { token: record.token, due, subscription: None }, lapsed)
    }

    fn finish_restored(&mut self, now: Now, finished_at: u64, id: MessageId) {
        let Some(stored) = self.inboxes.find(id) else {
            return;
        };
        let kept_ms = if stored.has_died() { DEAD_MESSAGE_MS } else { FINISHED_MESSAGE_MS };
        let forget_due = now.due_at(finished_at.saturating_add(kept_ms)).max(stored.due);
        self.keep_finished(id, forget_due);
    }
}
