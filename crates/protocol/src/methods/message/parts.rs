//! What messages are made of: the message itself, its priority, where its delivery stands, why a receipt is stale.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::Recipients;
use crate::id::RequestId;
use crate::json::Json;
use crate::names::{AgentName, Label};
use crate::revision::MessageId;

/// What goes first. Within one priority the oldest goes first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// After all others.
    Low,
    /// The usual.
    #[default]
    Normal,
    /// Before the usual.
    High,
    /// Before all others.
    Urgent,
}

impl Priority {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

/// A client's own id for a conversation: an integer or a string, given back as it came.
pub type CorrelationId = RequestId;

/// A message as its recipient gets it. Absent members are null.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct Message {
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
    /// The content.
    pub payload: Json,
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
    /// Which delivery this is, from 1.
    pub attempt: u32,
    /// What acks this delivery.
    pub receipt: Option<String>,
    /// When this delivery's lease ends, in Unix milliseconds.
    pub lease_expires_at: Option<u64>,
    /// True for an answer that came after its question had timed out.
    pub late: bool,
}

crate::object!(Message {
    id, from, to, r#type = "type", subject, payload, correlation_id, in_reply_to, reply_to,
    thread_id, priority, sent_at, attempt, receipt, lease_expires_at, late,
});

/// Where one recipient's delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// In the inbox, perhaps delayed.
    Queued,
    /// Handed to a taker, not acked yet.
    Leased,
    /// Acked.
    Acked,
    /// Delivered too often, or its inbox went.
    Dead,
    /// Its TTL ended first.
    Expired,
    /// The inbox was full.
    Refused,
}

/// Why a token or a receipt no longer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stale {
    /// Its time was over, or what it was bound to ended, or it was never given.
    Expired,
    /// It was released or given back.
    Released,
    /// A person broke it.
    Broken,
    /// It was acked.
    Acked,
}

/// Which messages to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailBox {
    /// What is queued or leased in the caller's inbox.
    #[default]
    Inbox,
    /// What the caller sent.
    Sent,
    /// What died in the caller's inbox.
    Dead,
}
