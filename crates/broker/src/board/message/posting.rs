//! From addresses to recipients, and a message into their inboxes.
//!
//! Invariant: who is live is decided by the clock, and nothing is sent unless every check has passed.

use std::collections::BTreeSet;

use callboard_protocol::address::{Address, Recipients};
use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::json::Json;
use callboard_protocol::limits::{DEDUPE_MS, TEXT_BYTES_MAX};
use callboard_protocol::methods::message::{CorrelationId, DeliveryState, Recipient, Sent};
use callboard_protocol::methods::server::Area;
use callboard_protocol::names::{AgentName, Label, Role};
use callboard_protocol::revision::MessageId;

use crate::board::{Board, invalid_params, limit_exceeded};
use crate::deadlines::Deadline;
use crate::inbox::Dedupe;
use crate::inbox::stored::{Delivery, Header, Standing, Stored};
use crate::now::Now;
use crate::wait::WaitId;

/// A message that is about to be sent.
#[derive(Debug)]
pub(super) struct Draft {
    pub header: Header,
    pub payload: Json,
    pub ttl_ms: u64,
    pub delay_ms: u64,
    pub dedupe_key: Option<Label>,
    /// The request that waits for an answer; then it is a question.
    pub waiter: Option<WaitId>,
    pub late: bool,
}

impl Draft {
    /// A plain message, without delay and dedupe key.
    pub fn new(header: Header, payload: Json, ttl_ms: u64) -> Self {
        Self { header, payload, ttl_ms, delay_ms: 0, dedupe_key: None, waiter: None, late: false }
    }
}

impl Board {
    /// Whether an agent's presence lasts, by the clock.
    pub(super) fn is_present(&self, now: Now, name: &AgentName) -> bool {
        self.agents
            .find(name)
            .is_some_and(|agent| agent.live && agent.presence_due.is_none_or(|due| due > now.monotonic))
    }

    /// The live agent of a role that work goes to next.
    pub(super) fn next_of_role(&self, now: Now, role: &Role) -> Option<AgentName> {
        let mut agents = self.agents.of_role(role);
        agents.find(|name| self.is_present(now, name)).cloned()
    }

    /// Whom a message goes to, each once, in the order in which they were named.
    pub(super) fn resolve(
        &self,
        now: Now,
        from: &AgentName,
        to: &Recipients,
    ) -> Result<Vec<AgentName>, Error> {
        let mut named = Vec::new();
        for address in to.addresses() {
            let before = named.len();
            match address {
                Address::Agent(name) => named.push(name.clone()),
                Address::Role(role) => {
                    named
                        .extend(self.agents.of_role(role).filter(|name| self.is_present(now, name)).cloned());
                }
                Address::Any(role) => named.extend(self.next_of_role(now, role)),
                Address::Everyone => {
                    let all = self.agents.iter_after(None).map(|(name, _)| name);
                    named.extend(all.filter(|name| *name != from && self.is_present(now, name)).cloned());
                    continue;
                }
            }
            if named.len() == before {
                return Err(no_responders(address));
            }
        }
        let mut seen = BTreeSet::new();
        named.retain(|name| seen.insert(name.clone()));
        Ok(named)
    }

    /// Checks that each recipient may have an inbox, and that a sole one's has room.
    pub(super) fn make_inbox_room(&mut self, now: Now, recipients: &[AgentName]) -> Result<(), Error> {
        for name in recipients {
            self.settle_inbox(now, name);
        }
        let max = self.config.limits.inbox_depth;
        if let [only] = recipients
            && self.inboxes.load(only) >= max
        {
            let used = self.inboxes.load(only);
            let advice = format!("the inbox of {only} is full until it receives and acks");
            return Err(limit_exceeded("inbox_depth", used, max, &advice));
        }
        let mut opened: Vec<&AgentName> = Vec::new();
        for name in recipients {
            if self.inboxes.exists(name) {
                continue;
            }
            if let Err(error) = self.check_agent_limit(name) {
                for name in opened {
                    self.inboxes.forget_if_empty(name);
                }
                return Err(error);
            }
            self.inboxes.open(name);
            opened.push(name);
        }
        Ok(())
    }

    /// Sends a message to recipients whose inboxes are open.
    pub(super) fn post(&mut self, now: Now, draft: Draft, recipients: &[AgentName]) -> Sent {
        let id = self.next_revision();
        let due = now.monotonic.plus_ms(draft.ttl_ms);
        let ready_at = Some(draft.delay_ms).filter(|delay_ms| *delay_ms > 0);
        let ready_at = ready_at.map(|delay_ms| now.monotonic.plus_ms(delay_ms));
        let answer: Vec<(Recipient, Standing)> = recipients
            .iter()
            .map(|agent| self.reception(now, agent, &draft.header, Standing::Queued { ready_at }))
            .collect();
        let (recipients, standings): (Vec<Recipient>, Vec<Standing>) = answer.into_iter().unzip();
        let dedupe_key = draft.dedupe_key;
        let mut stored = Stored::new(draft.header, Some(draft.payload), draft.ttl_ms, due);
        stored.request = draft.waiter.is_some();
        stored.waiter = draft.waiter;
        stored.late = draft.late;
        stored.dedupe_key.clone_from(&dedupe_key);
        let from = stored.header.from.clone();
        self.inboxes.insert(id, stored);
        if let (Some(from), Some(key)) = (from.clone(), dedupe_key) {
            self.note_dedupe(now, (from, key), id, recipients.clone());
        }
        self.record_message(now, id);
        self.deadlines.set(due, Deadline::Message(id));
        for (recipient, standing) in recipients.iter().zip(standings) {
            self.deliver(now, id, recipient, standing);
        }
        self.tail(now, Area::Message, "sent", &id, from.as_ref(), || {
            let names: Vec<&str> = recipients.iter().map(|to| to.agent.as_str()).collect();
            Some(format!("to {}", names.join(" ")))
        });
        self.finish_if_done(now, id);
        for recipient in &recipients {
            self.offer(now, &recipient.agent, id);
        }
        Sent { id, recipients, duplicate: None }
    }

    /// What will become of one recipient: a message that a taker waits for is leased at once.
    fn reception(
        &self,
        now: Now,
        agent: &AgentName,
        header: &Header,
        queued: Standing,
    ) -> (Recipient, Standing) {
        let standing = if self.inboxes.load(agent) >= self.config.limits.inbox_depth {
            Standing::Refused
        } else {
            queued
        };
        let is_awaited = super::is_ready(standing) && self.longest_waiting(now, agent, header).is_some();
        let state = if is_awaited { DeliveryState::Leased } else { standing.state() };
        let recipient = Recipient { agent: agent.clone(), state, known: self.agents.find(agent).is_some() };
        (recipient, standing)
    }

    /// Puts a message into an inbox. What is leased in a moment is recorded then.
    fn deliver(&mut self, now: Now, id: MessageId, recipient: &Recipient, standing: Standing) {
        let agent = &recipient.agent;
        let delivery = Delivery {
            agent: agent.clone(),
            standing,
            attempts: 0,
            queued_at: now.unix_ms,
            leased_at: None,
            ended_at: (!standing.is_open()).then_some(now.unix_ms),
        };
        self.inboxes.add(id, delivery);
        let ready = Deadline::Ready(agent.clone(), id);
        self.deadlines.change(None, standing.ready_at(), ready);
        if recipient.state != DeliveryState::Leased {
            self.record_delivery(now, id, agent);
        }
        self.update_load(agent);
    }

    fn note_dedupe(
        &mut self,
        now: Now,
        place: (AgentName, Label),
        id: MessageId,
        recipients: Vec<Recipient>,
    ) {
        let due = now.monotonic.plus_ms(DEDUPE_MS);
        let dedupe = Dedupe { id, recipients, due };
        if let Some(before) = self.inboxes.dedupes.insert(place, dedupe) {
            self.deadlines.clear(before.due, Deadline::ForgetDedupe(before.id));
        }
        self.deadlines.set(due, Deadline::ForgetDedupe(id));
    }
}

/// The error for an address that nobody live answers to.
pub(super) fn no_responders(to: &Address) -> Error {
    let message = format!("nobody live answers to {to}: agent.list {{\"live\":true}} shows who is here");
    Error::new(ErrorKind::NoResponders, message).with("to", to)
}

/// Refuses a conversation's id that is longer than a text may be.
pub(super) fn check_id(member: &'static str, id: Option<&CorrelationId>) -> Result<(), Error> {
    let text = id.filter(|id| id.as_i64().is_none()).map(ToString::to_string);
    match text.map(|text| text.len()) {
        Some(used) if used > TEXT_BYTES_MAX => Err(invalid_params(
            member,
            format!("`{member}` has {used} bytes, at most {TEXT_BYTES_MAX} are allowed"),
        )),
        Some(_) | None => Ok(()),
    }
}
