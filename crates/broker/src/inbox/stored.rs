//! A message as it is kept, and where it stands with each of its recipients.
//!
//! Invariant: `deliveries` is in order of names, each once; `open` and `dead` count those that are queued or leased,
//! and those that died. Only [`super::Inboxes`] changes a delivery, so that its indexes follow.

use callboard_protocol::address::Recipients;
use callboard_protocol::json::Json;
use callboard_protocol::methods::message::{CorrelationId, DeliveryState, Message, Priority};
use callboard_protocol::names::{AgentName, Label};
use callboard_protocol::revision::{MessageId, Token};

use crate::inbox::SubscriptionKey;
use crate::now::Monotonic;
use crate::wait::WaitId;

/// What a message costs besides its texts and payload, in bytes: table, indexes, deadlines.
const MESSAGE_BYTES: usize = 700;
/// What each delivery costs, in bytes: its inbox's indexes, lease, deadlines.
const DELIVERY_BYTES: usize = 600;
/// What the members of a message take on the wire besides its texts, addresses and payload, in bytes: names of
/// members, numbers, two agent names, receipt and type, escaped.
const WIRE_BYTES: usize = 2048;

/// What a message says besides its payload; it never changes.
#[derive(Debug, Clone)]
pub struct Header {
    /// The sender; none for the daemon itself.
    pub from: Option<AgentName>,
    /// The addresses, as the sender gave them.
    pub to: Recipients,
    /// Its type.
    pub r#type: Label,
    /// What it is about.
    pub subject: Option<String>,
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
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In the inbox; not to be received before `ready_at`.
    Queued {
        /// When its delay ends.
        ready_at: Option<Monotonic>,
    },
    /// Handed to a taker.
    Leased {
        /// The lease.
        token: Token,
        /// When the lease ends.
        due: Monotonic,
        /// The subscription that it was pushed to.
        subscription: Option<SubscriptionKey>,
    },
    /// Acked.
    Acked,
    /// Delivered too often, or its inbox went.
    Dead,
    /// Its TTL ended first.
    Expired,
    /// The inbox was full.
    Refused,
}

impl Standing {
    /// As the wire has it.
    #[must_use]
    pub fn state(self) -> DeliveryState {
        match self {
            Self::Queued { .. } => DeliveryState::Queued,
            Self::Leased { .. } => DeliveryState::Leased,
            Self::Acked => DeliveryState::Acked,
            Self::Dead => DeliveryState::Dead,
            Self::Expired => DeliveryState::Expired,
            Self::Refused => DeliveryState::Refused,
        }
    }

    /// Whether it is queued or leased.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued { .. } | Self::Leased { .. })
    }

    /// When its delay ends, while it is delayed.
    #[must_use]
    pub fn ready_at(self) -> Option<Monotonic> {
        match self {
            Self::Queued { ready_at } => ready_at,
            Self::Leased { .. } | Self::Acked | Self::Dead | Self::Expired | Self::Refused => None,
        }
    }

    /// Its lease, while it is leased.
    #[must_use]
    pub fn token(self) -> Option<Token> {
        match self {
            Self::Leased { token, .. } => Some(token),
            Self::Queued { .. } | Self::Acked | Self::Dead | Self::Expired | Self::Refused => None,
        }
    }
}

/// One recipient's delivery.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Whose inbox.
    pub agent: AgentName,
    /// Where it stands.
    pub standing: Standing,
    /// Deliveries so far.
    pub attempts: u32,
    /// When it was queued, in Unix milliseconds.
    pub queued_at: u64,
    /// When it was last handed out, in Unix milliseconds.
    pub leased_at: Option<u64>,
    /// When it was acked, died, expired or was refused, in Unix milliseconds.
    pub ended_at: Option<u64>,
}

/// A message with its deliveries.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What it says.
    pub header: Header,
    /// The content, while it is needed.
    pub payload: Option<Json>,
    /// Its TTL in milliseconds.
    pub ttl_ms: u64,
    /// When its TTL ends.
    pub due: Monotonic,
    /// Whether it is a question of `message.request`.
    pub request: bool,
    /// The answer to a question, once given.
    pub answer: Option<MessageId>,
    /// The request that waits for the answer.
    pub waiter: Option<WaitId>,
    /// Whether it came after its question had timed out.
    pub late: bool,
    /// Whether it was handed to a waiting caller: then its payload is kept until it is forgotten, in case that it
    /// could not be written.
    pub handed: bool,
    /// The sender's dedupe key.
    pub dedupe_key: Option<Label>,
    /// When it is forgotten, once it is finished.
    pub forget_due: Option<Monotonic>,
    pub(super) finished_turn: Option<u64>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) open: usize,
    pub(super) dead: usize,
}

impl Stored {
    /// A message without deliveries.
    #[must_use]
    pub fn new(header: Header, payload: Option<Json>, ttl_ms: u64, due: Monotonic) -> Self {
        Self {
            header,
            payload,
            ttl_ms,
            due,
            request: false,
            answer: None,
            waiter: None,
            late: false,
            handed: false,
            dedupe_key: None,
            forget_due: None,
            finished_turn: None,
            deliveries: Vec::new(),
            open: 0,
            dead: 0,
        }
    }

    /// Its deliveries, in order of names.
    #[must_use]
    pub fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    /// The delivery to an agent.
    #[must_use]
    pub fn delivery(&self, agent: &AgentName) -> Option<&Delivery> {
        let place = self.place_of(agent).ok()?;
        self.deliveries.get(place)
    }

    pub(super) fn place_of(&self, agent: &AgentName) -> Result<usize, usize> {
        self.deliveries.binary_search_by(|delivery| delivery.agent.cmp(agent))
    }

    /// Whether no delivery is queued or leased any more.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.open == 0
    }

    /// Whether a delivery died.
    #[must_use]
    pub fn has_died(&self) -> bool {
        self.dead > 0
    }

    /// When the last delivery ended, in Unix milliseconds; a message that nobody got was finished when it was sent.
    #[must_use]
    pub fn finished_at(&self) -> u64 {
        let ends = self.deliveries.iter().filter_map(|delivery| delivery.ended_at).max();
        ends.unwrap_or(self.header.sent_at)
    }

    /// The message as a recipient gets it.
    #[must_use]
    pub fn message(&self, id: MessageId, attempt: u32) -> Message {
        let header = self.header.clone();
        Message {
            id,
            from: header.from,
            to: header.to,
            r#type: header.r#type,
            subject: header.subject,
            payload: self.payload.clone().unwrap_or_else(Json::null),
            correlation_id: header.correlation_id,
            in_reply_to: header.in_reply_to,
            reply_to: header.reply_to,
            thread_id: header.thread_id,
            priority: header.priority,
            sent_at: header.sent_at,
            attempt,
            receipt: None,
            lease_expires_at: None,
            late: self.late,
        }
    }

    fn texts_bytes(&self) -> usize {
        let ids = [&self.header.correlation_id, &self.header.thread_id];
        let ids_bytes: usize =
            ids.into_iter().flatten().map(|id| id.as_i64().map_or_else(|| id.to_string().len(), |_| 0)).sum();
        ids_bytes + self.header.subject.as_ref().map_or(0, String::len)
    }

    /// What the message without its payload takes on the wire at most, in bytes.
    #[must_use]
    pub fn header_wire_bytes(&self) -> usize {
        WIRE_BYTES + 6 * self.texts_bytes() + 80 * self.header.to.addresses().len()
    }

    /// What the message takes on the wire at most, in bytes.
    #[must_use]
    pub fn wire_bytes(&self) -> usize {
        self.header_wire_bytes() + self.payload.as_ref().map_or(0, Json::len)
    }

    /// What it holds, in bytes as accounted.
    pub(super) fn cost(&self) -> usize {
        MESSAGE_BYTES
            + self.texts_bytes()
            + 80 * self.header.to.addresses().len()
            + self.payload.as_ref().map_or(0, Json::len)
            + DELIVERY_BYTES * self.deliveries.len()
    }
}
