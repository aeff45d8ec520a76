//! Messages: each delivery is open until it was acked, and then never handed out again.

use std::collections::BTreeMap;

use callboard_broker::{Now, Record, SessionId};
use callboard_protocol::error::Error;
use callboard_protocol::limits::{ATTEMPTS_MAX, MESSAGE_LEASE_MS_DEFAULT, MESSAGE_TTL_MS_DEFAULT};
use callboard_protocol::methods::lock::Bind;
use callboard_protocol::methods::message::{DeliveryState, Message};
use callboard_protocol::methods::{BoardAnswer, BoardCommand};
use callboard_protocol::{AgentName, Namespace};

use super::{Asked, Due, Fact, Model, Restart, State};

/// What became of one recipient's message.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub is_acked: bool,
    pub attempts: u32,
    pub receipt: Option<String>,
    pub(super) lease: Option<Due>,
    /// When its message is over.
    pub(super) due: Due,
    pub session: Option<SessionId>,
    /// Its lease may be over for another reason than time.
    pub is_doubtful: bool,
    /// What becomes of it is not known.
    pub is_unjudged: bool,
}

impl Delivery {
    pub(super) fn restart(&mut self, restart: &Restart) {
        self.is_doubtful |= self.lease.is_some_and(|due| !due.is_certainly_ahead(restart.before));
        self.lease = self.lease.map(|due| due.moved_lease(restart));
        self.due = self.due.moved(restart);
    }

    fn is_leased(&self, now: Now) -> bool {
        !self.is_acked
            && !self.is_unjudged
            && !self.is_doubtful
            && self.lease.is_some_and(|due| due.is_certainly_ahead(now))
    }
}

impl State {
    /// Receipts of an agent, live ones and old ones.
    pub fn receipts(&self, agent: &AgentName) -> Vec<String> {
        let own = self.deliveries.iter().filter(|((_, of), _)| of == agent);
        own.rev().take(12).filter_map(|(_, delivery)| delivery.receipt.clone()).collect()
    }

    /// Messages that an agent got.
    pub fn received(&self, agent: &AgentName) -> Vec<u64> {
        let own = self.deliveries.iter().filter(|((_, of), delivery)| of == agent && delivery.attempts > 0);
        own.rev().take(5).map(|((id, _), _)| *id).collect()
    }

    pub(super) fn check_delivery(&self, now: Now, record: &callboard_broker::record::DeliveryRecord) {
        let Some(delivery) = self.deliveries.get(&(record.message.0, record.agent.clone())) else { return };
        if delivery.is_unjudged {
            return;
        }
        if delivery.is_acked {
            assert_eq!(record.state, DeliveryState::Acked, "an acked message is back: {record:?}");
            return;
        }
        let is_right = match record.state {
            DeliveryState::Queued | DeliveryState::Leased => true,
            DeliveryState::Dead => record.attempts >= ATTEMPTS_MAX,
            DeliveryState::Expired => !delivery.due.is_certainly_ahead(now),
            DeliveryState::Acked | DeliveryState::Refused => false,
        };
        assert!(is_right, "{record:?} instead of {delivery:?}");
        assert_eq!(record.attempts, delivery.attempts, "{record:?} instead of {delivery:?}");
        assert!(
            !delivery.is_leased(now) || record.state == DeliveryState::Leased,
            "the lease is lost: {record:?} instead of {delivery:?}"
        );
    }

    pub(super) fn check_deliveries(&self, now: Now, namespace: &Namespace, found: &[&Record]) {
        let present: BTreeMap<(u64, &str), ()> = found
            .iter()
            .filter_map(|record| match record {
                Record::Delivery(delivery) => Some(((delivery.message.0, delivery.agent.as_str()), ())),
                _other => None,
            })
            .collect();
        for ((id, agent), delivery) in &self.deliveries {
            let must_be = !delivery.is_acked && !delivery.is_unjudged && delivery.due.is_certainly_ahead(now);
            assert!(
                !must_be || present.contains_key(&(*id, agent.as_str())),
                "{namespace}: message {id} to {agent} is lost: {delivery:?}"
            );
        }
    }
}

impl Model {
    /// A message was handed to an agent, by a reply or by a push.
    pub fn delivered(
        &mut self,
        now: Now,
        namespace: &Namespace,
        to: (&AgentName, Option<SessionId>),
        lease_ms: u64,
        message: &Message,
    ) {
        let (agent, session) = to;
        let id = (message.id.0, agent.clone());
        let Some(before) = self.board(namespace).deliveries.get(&id).cloned() else {
            return;
        };
        if before.receipt == message.receipt {
            assert_eq!(message.attempt, before.attempts, "{message:?}");
            return;
        }
        assert!(!before.is_acked, "an acked message is delivered again: {message:?}");
        assert!(!before.is_leased(now), "{message:?} is leased already: {before:?} at {now:?}");
        assert_eq!(message.attempt, before.attempts + 1, "{message:?} after {before:?}");
        assert!(message.attempt <= ATTEMPTS_MAX, "{message:?}");
        let delivery = Delivery {
            attempts: message.attempt,
            receipt: message.receipt.clone(),
            lease: Some(Due::after(now, lease_ms)),
            session,
            is_doubtful: false,
            ..before
        };
        self.learn(namespace, Fact::Delivery(id, delivery));
    }

    pub(super) fn message_answered(&mut self, now: Now, asked: &Asked, result: &Result<BoardAnswer, Error>) {
        let namespace = &asked.namespace;
        match (&asked.command, result) {
            (BoardCommand::MessageSend(send), Ok(BoardAnswer::MessageSend(sent))) => {
                let due = Due::after(
                    now,
                    send.ttl_ms.map_or(MESSAGE_TTL_MS_DEFAULT, callboard_protocol::TtlMs::get),
                );
                if sent.duplicate == Some(true) {
                    return;
                }
                for recipient in &sent.recipients {
                    let id = (sent.id.0, recipient.agent.clone());
                    let delivery = Delivery {
                        is_acked: false,
                        attempts: 0,
                        receipt: None,
                        lease: None,
                        due,
                        session: None,
                        is_doubtful: false,
                        is_unjudged: false,
                    };
                    // It may have been pushed before its sender heard of it.
                    if !self.board(namespace).deliveries.contains_key(&id) {
                        self.learn(namespace, Fact::Delivery(id, delivery));
                    }
                }
            }
            (BoardCommand::MessageReceive(receive), Ok(BoardAnswer::MessageReceive(received))) => {
                let lease_ms =
                    receive.lease_ms.map_or(MESSAGE_LEASE_MS_DEFAULT, callboard_protocol::TtlMs::get);
                let session = (receive.bind != Some(Bind::Agent)).then_some(asked.session);
                for message in &received.messages {
                    self.delivered(now, namespace, (&asked.agent, session), lease_ms, message);
                }
            }
            (BoardCommand::MessageAck(ack), Ok(BoardAnswer::MessageAck(told))) => {
                for receipt in &ack.receipts {
                    self.acked(now, asked, receipt, told.acked.contains(receipt));
                }
            }
            (BoardCommand::MessageNack(nack), Ok(_)) => {
                let found = self.find_receipt(asked, &nack.receipt);
                if let Some((id, delivery)) = found {
                    let fact = Fact::Delivery(id, Delivery { lease: None, receipt: None, ..delivery });
                    self.learn(namespace, fact);
                }
            }
            (BoardCommand::MessageReply(reply), Ok(_)) => {
                let id = (reply.to_message.0, asked.agent.clone());
                if let Some(delivery) = self.board(namespace).deliveries.get(&id).cloned() {
                    // A reply is taken after the end of its delivery too, and does not change that.
                    let is_acked = delivery.is_acked || delivery.is_leased(now);
                    let delivery = Delivery { is_acked, is_unjudged: !is_acked, ..delivery };
                    self.learn(namespace, Fact::Delivery(id, delivery));
                }
            }
            (_command, _result) => {}
        }
    }

    fn find_receipt(&mut self, asked: &Asked, receipt: &str) -> Option<((u64, AgentName), Delivery)> {
        let state = self.board(&asked.namespace);
        let mut own = state.deliveries.iter().filter(|((_, agent), _)| *agent == asked.agent);
        let found = own.find(|(_, delivery)| delivery.receipt.as_deref() == Some(receipt));
        found.map(|(id, delivery)| (id.clone(), delivery.clone()))
    }

    fn acked(&mut self, now: Now, asked: &Asked, receipt: &str, is_acked: bool) {
        let Some((id, delivery)) = self.find_receipt(asked, receipt) else {
            return;
        };
        if is_acked {
            assert!(!delivery.is_acked, "acked twice: {delivery:?}");
            let fact = Fact::Delivery(id, Delivery { is_acked: true, ..delivery });
            self.learn(&asked.namespace, fact);
        } else {
            assert!(!delivery.is_leased(now), "a live receipt is stale: {id:?} {delivery:?}");
        }
    }
}
