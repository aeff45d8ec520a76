//! Change records: the state of one entity after a change, or its end. Physical, never the command, so that replay
//! needs no behaviour and old records keep their meaning.
//!
//! Invariant: applying a board's image and then its records in order, overwriting whole entities, gives the board's
//! state. A record depends on nothing of this machine: no process id, no path, no clock but Unix milliseconds.
//! Every record is one line of JSON on disk; the version of the form is the file's ([`VERSION`]).

mod coordination;
mod task;

pub use coordination::{BallotRecord, LimiterRecord, VoteRecord};
pub use task::{TaskRecord, TaskStateRecord};

use callboard_protocol::address::Recipients;
use callboard_protocol::json::{Json, present};
use callboard_protocol::methods::agent::Status;
use callboard_protocol::methods::lock::Mode;
use callboard_protocol::methods::message::{CorrelationId, DeliveryState, Priority, Recipient};
use callboard_protocol::methods::session::Program;
use callboard_protocol::names::{AgentName, Key, Label, Role};
use callboard_protocol::object;
use callboard_protocol::revision::{MessageId, Revision, TaskId, Token, VoteId};
use callboard_protocol::scalar::{Object, Scalar};
use serde::Deserialize;

use crate::session::SessionId;

/// The version of this form. A reader refuses what is newer.
pub const VERSION: u32 = 1;

/// One entity after a change, or its end.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// The namespace's revision counter.
    Revision(Revision),
    /// A key.
    Key(KeyRecord),
    /// A key is gone.
    KeyEnded(Key),
    /// A lease with what it is of.
    Lock(LockRecord),
    /// A lock is gone.
    LockEnded(Token),
    /// An agent.
    Agent(Box<AgentRecord>),
    /// An agent is forgotten.
    AgentEnded(AgentName),
    /// A session.
    Session(SessionRecord),
    /// A session is gone.
    SessionEnded(SessionId),
    /// An agent that left or was removed, whose leases are not all ended yet.
    Leaving(LeavingRecord),
    /// All leases of such an agent ended.
    LeavingEnded(AgentName),
    /// A message, without its deliveries.
    Message(Box<MessageRecord>),
    /// A message is forgotten, with its deliveries.
    MessageEnded(MessageId),
    /// One recipient's delivery of a message.
    Delivery(DeliveryRecord),
    /// A task, without where it stands.
    Task(Box<TaskRecord>),
    /// Where a task stands.
    TaskState(Box<TaskStateRecord>),
    /// A task is forgotten, with where it stood.
    TaskEnded(TaskId),
    /// A vote, without its ballots.
    Vote(VoteRecord),
    /// One agent's vote.
    Ballot(BallotRecord),
    /// A vote is forgotten, with its ballots.
    VoteEnded(VoteId),
    /// A bucket that is not full.
    Limiter(LimiterRecord),
    /// A bucket is full.
    LimiterEnded(Key),
}

object!(tagged Record {
    Revision = "revision",
    Key = "key",
    KeyEnded = "key_ended",
    Lock = "lock",
    LockEnded = "lock_ended",
    Agent = "agent",
    AgentEnded = "agent_ended",
    Session = "session",
    SessionEnded = "session_ended",
    Leaving = "leaving",
    LeavingEnded = "leaving_ended",
    Message = "message",
    MessageEnded = "message_ended",
    Delivery = "delivery",
    Task = "task",
    TaskState = "task_state",
    TaskEnded = "task_ended",
    Vote = "vote",
    Ballot = "ballot",
    VoteEnded = "vote_ended",
    Limiter = "limiter",
    LimiterEnded = "limiter_ended",
});

/// A key.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct KeyRecord {
    /// The key.
    pub key: Key,
    /// Its value.
    pub value: Json,
    /// The revision of its last change.
    pub revision: Revision,
    /// When its TTL ends, in Unix milliseconds.
    #[serde(default)]
    pub expires_at: Option<u64>,
    /// When it last changed, in Unix milliseconds.
    pub updated_at: u64,
    /// Who last changed it.
    #[serde(default)]
    pub updated_by: Option<AgentName>,
}

object!(sparse KeyRecord {
    key, value, revision, expires_at, updated_at, updated_by,
});

/// What every lease has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LeaseRecord {
    /// Its token.
    pub token: Token,
    /// To whom it was granted.
    pub agent: AgentName,
    /// The session it is bound to, or none for the agent.
    #[serde(default)]
    pub session: Option<SessionId>,
    /// Its TTL in milliseconds.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
    /// When it ends, in Unix milliseconds.
    #[serde(default)]
    pub expires_at: Option<u64>,
}

object!(sparse LeaseRecord {
    token, agent, session, ttl_ms, expires_at,
});

/// A held lock.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LockRecord {
    /// Its lease.
    pub lease: LeaseRecord,
    /// Its names, normalised.
    pub keys: Vec<String>,
    /// Its mode.
    pub mode: Mode,
    /// Why, for people.
    #[serde(default)]
    pub reason: Option<String>,
    /// When it was granted, in Unix milliseconds.
    pub acquired_at: u64,
}

object!(sparse LockRecord {
    lease, keys, mode, reason, acquired_at,
});

/// An agent that left or was removed, whose leases are not all ended yet.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LeavingRecord {
    /// The agent.
    pub agent: AgentName,
    /// The last token that may be one of them.
    pub up_to: Token,
    /// Whether leases bound to its sessions end too.
    pub is_removed: bool,
}

object!(sparse LeavingRecord {
    agent, up_to, is_removed,
});

/// An agent.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AgentRecord {
    /// Its name.
    pub name: AgentName,
    /// What it can be addressed by.
    #[serde(default)]
    pub role: Option<Role>,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Vec<Label>,
    /// What it is, for people.
    #[serde(default)]
    pub description: Option<String>,
    /// Anything else.
    #[serde(default)]
    pub metadata: Option<Object>,
    /// What it is doing.
    pub status: Status,
    /// On which task.
    #[serde(default)]
    pub task: Option<Scalar>,
    /// A note for people.
    #[serde(default)]
    pub note: Option<String>,
    /// How far it is.
    #[serde(default)]
    pub progress: Option<Scalar>,
    /// Whether its presence lasts.
    pub live: bool,
    /// How long its presence outlasts its last call, in milliseconds.
    pub ttl_ms: u64,
    /// When it was first registered, in Unix milliseconds.
    pub registered_at: u64,
    /// When it last called, in Unix milliseconds.
    pub last_seen_at: u64,
}

object!(sparse AgentRecord {
    name, role, capabilities, description, metadata, status, task, note, progress, live, ttl_ms,
    registered_at, last_seen_at,
});

/// A session that outlives its connection.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SessionRecord {
    /// Its name.
    pub id: SessionId,
    /// What takes it over.
    #[serde(default)]
    pub resume_token: Option<String>,
    /// For whom it acts.
    #[serde(default)]
    pub agent: Option<AgentName>,
    /// The program at the other end.
    pub client: Program,
}

object!(sparse SessionRecord {
    id, resume_token, agent, client,
});

/// A message, without its deliveries.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct MessageRecord {
    /// Its id.
    pub id: MessageId,
    /// The sender; none for the daemon itself.
    #[serde(default)]
    pub from: Option<AgentName>,
    /// The addresses, as the sender gave them.
    pub to: Recipients,
    /// Its type.
    pub r#type: Label,
    /// What it is about.
    #[serde(default)]
    pub subject: Option<String>,
    /// The content, while it is needed.
    #[serde(default, deserialize_with = "present::deserialize")]
    pub payload: Option<Json>,
    /// The sender's own id for the conversation.
    #[serde(default)]
    pub correlation_id: Option<CorrelationId>,
    /// The message that this one answers.
    #[serde(default)]
    pub in_reply_to: Option<MessageId>,
    /// Who gets the answer.
    #[serde(default)]
    pub reply_to: Option<AgentName>,
    /// The thread it belongs to.
    #[serde(default)]
    pub thread_id: Option<CorrelationId>,
    /// Its priority.
    pub priority: Priority,
    /// When it was sent, in Unix milliseconds.
    pub sent_at: u64,
    /// Its TTL in milliseconds; it starts anew when a dead message is requeued after its end.
    pub ttl_ms: u64,
    /// When its TTL ends, in Unix milliseconds.
    pub expires_at: u64,
    /// Whether it is a question of `message.request`.
    #[serde(default)]
    pub request: bool,
    /// The answer to a question, once given.
    #[serde(default)]
    pub answer: Option<MessageId>,
    /// Whether it came after its question had timed out.
    #[serde(default)]
    pub late: bool,
    /// The sender's dedupe key, with the first answer.
    #[serde(default)]
    pub dedupe: Option<DedupeRecord>,
}

object!(sparse MessageRecord {
    id, from, to, r#type = "type", subject, payload, correlation_id, in_reply_to, reply_to, thread_id,
    priority, sent_at, ttl_ms, expires_at, request, answer, late, dedupe,
});

/// What `dedupe_key` needs to give the first answer again.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct DedupeRecord {
    /// The key.
    pub key: Label,
    /// The first answer's recipients.
    pub recipients: Vec<Recipient>,
}

object!(DedupeRecord { key, recipients });

/// One recipient's delivery of a message.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct DeliveryRecord {
    /// The message.
    pub message: MessageId,
    /// Whose inbox.
    pub agent: AgentName,
    /// Where it stands.
    pub state: DeliveryState,
    /// Deliveries so far.
    pub attempts: u32,
    /// When it was queued, in Unix milliseconds.
    pub queued_at: u64,
    /// When it becomes ready, in Unix milliseconds, while it is delayed.
    #[serde(default)]
    pub ready_at: Option<u64>,
    /// When it was last handed out, in Unix milliseconds.
    #[serde(default)]
    pub leased_at: Option<u64>,
    /// When it was acked, died, expired or was refused, in Unix milliseconds.
    #[serde(default)]
    pub ended_at: Option<u64>,
    /// Its lease, while it is leased.
    #[serde(default)]
    pub lease: Option<LeaseRecord>,
}

object!(sparse DeliveryRecord {
    message, agent, state, attempts, queued_at, ready_at, leased_at, ended_at, lease,
});
