//! `message.*`: the verbs that send, give back and look at single messages.
//!
//! Invariant: a receipt is `r` and the token of the delivery's lease, and counts exactly as long as that lease is live.
//! Taking, asking, listing and what becomes of deliveries are in the files below.

mod delivery;
mod listing;
mod notice;
mod posting;
mod request;
mod restore;
mod storm;
mod taking;
#[cfg(test)]
mod tests;
mod waking;

pub(crate) use notice::Notice;

use callboard_protocol::error::Error;
use callboard_protocol::limits::{MESSAGE_TTL_MS_DEFAULT, RECEIVE_MAX};
use callboard_protocol::methods::message::{
    Ack, Acked, ById, Counts, Extend, Nack, RecipientStatus, Requeue, Send, Sent, Stale, StaleReceipt,
    Status, StatusResult,
};
use callboard_protocol::methods::server::Area;
use callboard_protocol::methods::{Empty, lock::Extended};
use callboard_protocol::names::{AgentName, Label};
use callboard_protocol::params::TtlMs;
use callboard_protocol::revision::{MessageId, Revision, Token};

use crate::board::{Board, Call, check_text, invalid_params, not_found};
use crate::inbox::stored::{Header, Standing};
use crate::lease::stale_token;
use crate::now::Now;

use posting::{Draft, check_id};

/// The receipt of a delivery leased under a token.
fn receipt_of(token: Token) -> String {
    format!("r{token}")
}

fn token_of(receipt: &str) -> Option<Token> {
    let token = Revision(receipt.strip_prefix('r')?.parse().ok()?);
    (receipt_of(token) == receipt).then_some(token)
}

/// Whether a delivery could be received at once.
fn is_ready(standing: Standing) -> bool {
    standing == Standing::Queued { ready_at: None }
}

/// The error for a message that nobody knows, or nobody knows any more.
fn no_message(id: MessageId) -> Error {
    not_found(
        "message",
        format!(
            "there is no message {id}, or it was finished and forgotten: message.list shows what is there"
        ),
    )
}

impl Board {
    pub(crate) fn message_send(&mut self, call: &Call, params: Send) -> Result<Sent, Error> {
        let from = call.agent()?.clone();
        let now = call.now;
        check_text("subject", params.subject.as_ref())?;
        check_id("correlation_id", params.correlation_id.as_ref())?;
        check_id("thread_id", params.thread_id.as_ref())?;
        let ttl_ms = params.ttl_ms.map_or(MESSAGE_TTL_MS_DEFAULT, TtlMs::get);
        let delay_ms = params.delay_ms.unwrap_or(0);
        if delay_ms >= ttl_ms {
            let message = format!(
                "`delay_ms` {delay_ms} is not below `ttl_ms` {ttl_ms}: the message would be over before it is ready"
            );
            return Err(invalid_params("delay_ms", message));
        }
        if let Some(sent) = self.first_answer(now, &from, params.dedupe_key.as_ref()) {
            return Ok(sent);
        }
        self.check_memory()?;
        let recipients = self.resolve(now, &from, &params.to)?;
        self.make_inbox_room(now, &recipients)?;
        let header = Header {
            reply_to: Some(params.reply_to.unwrap_or_else(|| from.clone())),
            from: Some(from),
            to: params.to,
            r#type: params.r#type.map_or_else(|| label("direct"), Ok)?,
            subject: params.subject,
            correlation_id: params.correlation_id,
            in_reply_to: None,
            thread_id: params.thread_id,
            priority: params.priority.unwrap_or_default(),
            sent_at: now.unix_ms,
        };
        self.check_storm(now, &header, &recipients)?;
        let draft =
            Draft { delay_ms, dedupe_key: params.dedupe_key, ..Draft::new(header, params.payload, ttl_ms) };
        Ok(self.post(now, draft, &recipients))
    }

    /// The first answer to a dedupe key, while it is to be given again.
    fn first_answer(&self, now: Now, from: &AgentName, key: Option<&Label>) -> Option<Sent> {
        let place = (from.clone(), key?.clone());
        let dedupe = self.inboxes.dedupes.get(&place)?;
        (dedupe.due > now.monotonic).then(|| Sent {
            id: dedupe.id,
            recipients: dedupe.recipients.clone(),
            duplicate: Some(true),
        })
    }

    /// The token under a receipt, if its lease is live and the agent's own.
    fn live_receipt(&mut self, now: Now, agent: &AgentName, receipt: &str) -> Result<Token, Stale> {
        let token = token_of(receipt).ok_or(Stale::Expired)?;
        self.end_if_lapsed(now, token);
        match self.leases.find(token) {
            Some(lease) if lease.of.message().is_some() && lease.agent == *agent => Ok(token),
            Some(_) => Err(Stale::Expired),
            None => Err(self.leases.why_ended(token)),
        }
    }

    pub(crate) fn message_ack(&mut self, call: &Call, params: Ack) -> Result<Acked, Error> {
        let agent = call.agent()?.clone();
        let used = params.receipts.len();
        if used > RECEIVE_MAX {
            let message = format!("`receipts` has {used} entries, at most {RECEIVE_MAX} are allowed");
            return Err(invalid_params("receipts", message));
        }
        let (mut acked, mut stale) = (Vec::new(), Vec::new());
        for receipt in params.receipts {
            match self.live_receipt(call.now, &agent, &receipt) {
                Ok(token) => {
                    self.ack_lease(call.now, token);
                    acked.push(receipt);
                }
                Err(why) => stale.push(StaleReceipt { receipt, why }),
            }
        }
        Ok(Acked { acked, stale })
    }

    fn ack_lease(&mut self, now: Now, token: Token) {
        if let Some(unleased) = self.end_delivery_lease(token, Stale::Acked) {
            self.acked(now, unleased.id, &unleased.agent);
            self.return_credit(now, unleased.subscription);
        }
    }

    fn acked(&mut self, now: Now, id: MessageId, agent: &AgentName) {
        self.set_standing(now, id, agent, Standing::Acked);
        self.tail(now, Area::Message, "acked", &id, Some(agent), || None);
    }

    pub(crate) fn message_nack(&mut self, call: &Call, params: &Nack) -> Result<Empty, Error> {
        let agent = call.agent()?.clone();
        check_text("reason", params.reason.as_ref())?;
        let now = call.now;
        let token = self
            .live_receipt(now, &agent, &params.receipt)
            .map_err(|why| stale_receipt(&params.receipt, why))?;
        if let Some(unleased) = self.end_delivery_lease(token, Stale::Released) {
            let delay_ms = params.delay_ms.filter(|delay_ms| *delay_ms > 0);
            let ready_at = delay_ms.map(|delay_ms| now.monotonic.plus_ms(delay_ms));
            self.give_back(now, &unleased, ready_at, || params.reason.clone());
        }
        Ok(Empty {})
    }

    pub(crate) fn message_extend(&mut self, call: &Call, params: &Extend) -> Result<Extended, Error> {
        let agent = call.agent()?.clone();
        let now = call.now;
        let token = self
            .live_receipt(now, &agent, &params.receipt)
            .map_err(|why| stale_receipt(&params.receipt, why))?;
        let lease_ms = Some(params.lease_ms.get());
        let extended = self.leases.extend(&mut self.deadlines, token, now.monotonic, lease_ms);
        if let (Some(end), Some(id)) = (extended, self.leases.message_of(token)) {
            self.next_revision();
            self.change_delivery(now, id, &agent, |delivery| {
                if let Standing::Leased { due, .. } = &mut delivery.standing {
                    *due = end;
                }
            });
            self.tail(now, Area::Message, "extended", &id, Some(&agent), || None);
        }
        let expires_at = extended.map(|due| now.unix_of(due));
        Ok(Extended { expires_at })
    }

    pub(crate) fn message_status(&mut self, call: &Call, params: &Status) -> Result<StatusResult, Error> {
        self.settle_message(call.now, params.id);
        let stored = self.inboxes.find(params.id).ok_or_else(|| no_message(params.id))?;
        let recipients = stored.deliveries().iter().map(|delivery| RecipientStatus {
            agent: delivery.agent.clone(),
            state: delivery.standing.state(),
            attempts: delivery.attempts,
            queued_at: delivery.queued_at,
            leased_at: delivery.leased_at,
            acked_at: delivery.ended_at.filter(|_| delivery.standing == Standing::Acked),
        });
        Ok(StatusResult { recipients: recipients.collect() })
    }

    /// A dead message of the caller's inbox starts anew: its attempts, and its TTL where that is over.
    pub(crate) fn message_requeue(&mut self, call: &Call, params: &Requeue) -> Result<ById, Error> {
        let agent = call.agent()?.clone();
        let (now, id) = (call.now, params.id);
        self.settle_message(now, id);
        let stored = self.inboxes.find(id).ok_or_else(|| no_message(id))?;
        let standing = stored.delivery(&agent).map(|delivery| delivery.standing);
        if standing != Some(Standing::Dead) {
            let message = format!(
                "message {id} is not dead in the inbox of {agent}: message.list {{\"box\":\"dead\"}} shows what is"
            );
            return Err(not_found("dead message", message));
        }
        let (ttl_ms, due) = (stored.ttl_ms, stored.due);
        self.make_inbox_room(now, std::slice::from_ref(&agent))?;
        if due <= now.monotonic {
            self.inboxes.restart_ttl(id, ttl_ms, now.monotonic.plus_ms(ttl_ms));
        }
        self.reopen(id);
        self.record_message(now, id);
        self.next_revision();
        self.change_delivery(now, id, &agent, |delivery| {
            delivery.standing = Standing::Queued { ready_at: None };
            delivery.attempts = 0;
            delivery.queued_at = now.unix_ms;
            delivery.ended_at = None;
        });
        self.tail(now, Area::Message, "requeued", &id, Some(&agent), || None);
        self.offer(now, &agent, id);
        Ok(ById { id })
    }

    pub(crate) fn message_counts(&mut self, call: &Call) -> Result<Counts, Error> {
        let agent = call.agent()?.clone();
        self.settle_inbox(call.now, &agent);
        let oldest = self.inboxes.inbox(&agent).and_then(crate::inbox::queue::Inbox::oldest_queued);
        let sent_at = oldest.and_then(|id| self.inboxes.find(id)).map(|stored| stored.header.sent_at);
        Ok(Counts {
            oldest_ms: sent_at.map(|sent_at| call.now.unix_ms.saturating_sub(sent_at)),
            ..self.inboxes.counts(&agent)
        })
    }
}

/// A type that the daemon gives a message.
fn label(text: &str) -> Result<Label, Error> {
    Label::new(text).map_err(|error| invalid_params("type", error.to_string()))
}

fn stale_receipt(receipt: &str, why: Stale) -> Error {
    stale_token(&format!("receipt {receipt:?}"), why)
}
