//! `message.*`: inboxes with at-least-once delivery, receipts that say what is known and no more, and request/reply.

mod parts;

pub use parts::{CorrelationId, DeliveryState, MailBox, Message, Priority, Stale};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::{Address, Recipients};
use crate::json::{Json, present};
use crate::limits::{CREDIT_MAX, LABELS_MAX, RECEIVE_MAX};
use crate::methods::lock::Bind;
use crate::names::{AgentName, Label};
use crate::params::{ListLimit, Params, TtlMs, WaitMs};
use crate::revision::MessageId;

/// `message.send`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// `NAME`, `role:ROLE`, `any:ROLE` or `*`; one or several.
    pub to: Recipients,
    /// Any JSON, null too.
    pub payload: Json,
    /// Default `direct`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<Label>,
    /// What it is about, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The sender's own id for the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<CorrelationId>,
    /// Who gets the answer; default the sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<AgentName>,
    /// The thread it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<CorrelationId>,
    /// Default normal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// From `sent_at`; default 86400000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<TtlMs>,
    /// When it may first be received, from now; default 0. Below the TTL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// The same key from the same sender within 2 min gives the first answer again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedupe_key: Option<Label>,
}

/// What became of one recipient when the message was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recipient {
    /// Whose inbox.
    pub agent: AgentName,
    /// `queued`, `leased` (a taker waited) or `refused` (the inbox is full).
    pub state: DeliveryState,
    /// Whether the name was ever registered.
    pub known: bool,
}

/// The answer to `message.send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    /// The message's id.
    pub id: MessageId,
    /// Each recipient once.
    pub recipients: Vec<Recipient>,
    /// True when `dedupe_key` gave the first answer again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<bool>,
}

/// `message.receive`: highest priority first, then oldest.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Receive {
    /// Messages at most, 1 to 1000; default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<ListLimit>,
    /// How long to wait for the first; default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<WaitMs>,
    /// How long each may stay unacked; default 60000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<TtlMs>,
    /// Default session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<Bind>,
    /// Only these types, 1 to 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = LABELS_MAX))]
    pub types: Option<Vec<Label>>,
    /// Only from this sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<AgentName>,
    /// Only of this conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<CorrelationId>,
}

/// The answer to `message.receive`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Received {
    /// The messages; none when the wait ran out.
    pub messages: Vec<Message>,
}

impl Received {
    /// What acks all of them.
    #[must_use]
    pub fn receipts(&self) -> Vec<String> {
        self.messages.iter().filter_map(|message| message.receipt.clone()).collect()
    }
}

/// `message.ack`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// The receipts, at most 1000.
    #[schemars(length(max = RECEIVE_MAX))]
    pub receipts: Vec<String>,
}

/// The answer to `message.ack`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acked {
    /// The receipts that counted.
    pub acked: Vec<String>,
    /// Those that did not.
    pub stale: Vec<StaleReceipt>,
}

/// A receipt that no longer counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StaleReceipt {
    /// The receipt.
    pub receipt: String,
    /// Why.
    pub why: Stale,
}

/// `message.nack`: gives a delivery back.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nack {
    /// The receipt.
    pub receipt: String,
    /// When it may be received again, from now; default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// Why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `message.extend`: more time for a delivery.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// The receipt.
    pub receipt: String,
    /// The new lease, from now.
    pub lease_ms: TtlMs,
}

/// `message.subscribe`: messages are pushed as they come.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// Unacked messages at most, 1 to 10,000; default 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = CREDIT_MAX))]
    pub credit: Option<u32>,
    /// How long each may stay unacked; default 60000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<TtlMs>,
    /// Default session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<Bind>,
    /// Only these types, 1 to 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = LABELS_MAX))]
    pub types: Option<Vec<Label>>,
    /// Only tell that messages wait, by one `message.waiting` for all that come until the agent receives; default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wake: Option<bool>,
}

/// The answer to a subscription that has nothing more to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subscribed {
    /// Names the subscription in events and in `session.unsubscribe`.
    pub subscription: u64,
}

/// `message.request`: asks one agent and waits for the answer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `NAME` or `any:ROLE`.
    pub to: Address,
    /// Any JSON, null too.
    pub payload: Json,
    /// Default `request`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<Label>,
    /// What it is about, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The thread it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<CorrelationId>,
    /// How long to wait; default 30000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<WaitMs>,
}

/// The answer to `message.request`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answered {
    /// The question's id.
    pub id: MessageId,
    /// The answer.
    pub reply: Message,
}

/// `message.reply`: answers a message, and acks its delivery.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The message to answer.
    pub to_message: MessageId,
    /// Any JSON, null too.
    pub payload: Json,
    /// Default `response`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<Label>,
}

/// An answer that is a message's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ById {
    /// The message's id.
    pub id: MessageId,
}

/// `message.status`: what became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// The message's id.
    pub id: MessageId,
}

/// `message.requeue`: a dead message of the caller's inbox starts anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requeue {
    /// The message's id.
    pub id: MessageId,
}

/// One recipient of `message.status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecipientStatus {
    /// Whose inbox.
    pub agent: AgentName,
    /// Where its delivery stands.
    pub state: DeliveryState,
    /// Deliveries so far.
    pub attempts: u32,
    /// When it was queued, in Unix milliseconds.
    pub queued_at: u64,
    /// When it was last handed out, in Unix milliseconds.
    pub leased_at: Option<u64>,
    /// When it was acked, in Unix milliseconds.
    pub acked_at: Option<u64>,
}

/// The answer to `message.status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusResult {
    /// Each recipient.
    pub recipients: Vec<RecipientStatus>,
}

/// `message.list`: looks, changes nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Default inbox.
    #[serde(rename = "box", skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<MailBox>,
    /// Entries at most; default 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<ListLimit>,
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Whether to give payloads; default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bodies: Option<bool>,
}

/// A message as `message.list` shows it: without lease members, plus its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// The message's id.
    pub id: MessageId,
    /// The sender; null for the daemon itself.
    pub from: Option<AgentName>,
    /// The addresses, as the sender gave them.
    pub to: Recipients,
    /// What kind of message it is, for programs.
    pub r#type: Label,
    /// What it is about, for people.
    pub subject: Option<String>,
    /// The content, if asked for and still kept.
    #[serde(default, deserialize_with = "present::deserialize", skip_serializing_if = "Option::is_none")]
    pub payload: Option<Json>,
    /// The sender's own id for the conversation.
    pub correlation_id: Option<CorrelationId>,
    /// The message that this one answers.
    pub in_reply_to: Option<MessageId>,
    /// Who gets the answer.
    pub reply_to: Option<AgentName>,
    /// The thread it belongs to.
    pub thread_id: Option<CorrelationId>,
    /// Its priority.
    pub priority: Priority,
    /// When it was sent, in Unix milliseconds.
    pub sent_at: u64,
    /// Deliveries so far.
    pub attempt: u32,
    /// True for an answer that came after its question had timed out.
    pub late: bool,
    /// The caller's delivery; in `sent` that of the recipient furthest from done.
    pub state: DeliveryState,
}

/// The answer to `message.list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListResult {
    /// The messages, oldest first.
    pub messages: Vec<Listed>,
    /// There while more follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The answer to `message.counts`: the caller's inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Waiting, delayed ones included.
    pub queued: usize,
    /// Handed out, not acked.
    pub leased: usize,
    /// Dead.
    pub dead: usize,
    /// The age of the oldest queued one, in milliseconds; null when there is none.
    pub oldest_ms: Option<u64>,
}

impl Params for Send {
    fn each_payload(&self, visit: &mut dyn FnMut(&'static str, &Json)) {
        visit("payload", &self.payload);
    }
}

impl Params for Request {
    fn each_payload(&self, visit: &mut dyn FnMut(&'static str, &Json)) {
        visit("payload", &self.payload);
    }
}

impl Params for Reply {
    fn each_payload(&self, visit: &mut dyn FnMut(&'static str, &Json)) {
        visit("payload", &self.payload);
    }
}

/// `message.counts`: what is in the caller's inbox.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {}
