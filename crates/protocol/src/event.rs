//! What the daemon pushes: one type for each kind of event, and the body that is encoded once for all its readers.
//!
//! A push is `{"jsonrpc":"2.0","method":"event","params":{"subscription":3,"seq":17,"kind":"kv.put",...}}`.
//! The members from `kind` on are the [`EventBody`]; the rest differs from reader to reader and is written by [`write_push`].
//! Clients ignore kinds and members that they don't know.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::Json;
use crate::methods::agent::Status;
use crate::methods::message::Message;
use crate::methods::server::Area;
use crate::methods::task::Task;
use crate::names::{AgentName, Key, Label, Role, Topic};
use crate::revision::{Revision, TaskId, Token};
use crate::scalar::{Object, Scalar};

/// An event's members from `kind` on, as JSON without the opening brace. Cloning is a reference count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventBody(Arc<str>);

/// A kind of event.
pub trait Event: Serialize {
    /// The `kind` on the wire.
    const KIND: &'static str;

    /// Encodes the body that all readers share.
    fn body(&self) -> EventBody {
        let members = serde_json::to_string(self).unwrap_or_default();
        let members = members.strip_prefix('{').unwrap_or("}");
        let comma = if members == "}" { "" } else { "," };
        EventBody(Arc::from(format!("\"kind\":\"{}\"{comma}{members}", Self::KIND)))
    }
}

impl EventBody {
    /// The text: `"kind":"...",...}`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Writes the whole push for one reader: its subscription (0 for none) and its seq there.
pub fn write_push(out: &mut Vec<u8>, subscription: u64, seq: u64, body: &EventBody) {
    use std::io::Write as _;
    // Writing into a Vec can't fail.
    let _ = write!(
        out,
        r#"{{"jsonrpc":"2.0","method":"event","params":{{"subscription":{subscription},"seq":{seq},{}}}"#,
        body.as_str()
    );
}

macro_rules! events {
    ($($kind:literal $type:ident { $($(#[$doc:meta])* $member:ident: $member_type:ty,)* } $about:literal)*) => {
        $(
            #[doc = concat!("`", $kind, "`: ", $about)]
            #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
            pub struct $type { $($(#[$doc])* pub $member: $member_type,)* }
            impl Event for $type {
                const KIND: &'static str = $kind;
            }
        )*

        /// The JSON Schemas of each kind's members, for `schema.rs`.
        pub fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<(&'static str, schemars::Schema)> {
            vec![
                ("message", generator.subschema_for::<Message>()),
                ("agent.joined", generator.subschema_for::<AgentJoined>()),
                ("agent.updated", generator.subschema_for::<AgentUpdated>()),
                $(($kind, generator.subschema_for::<$type>()),)*]
        }
    };
}

events! {
    "gap" Gap {
        /// How many events of the subscription were missed; the next one's seq is this one's plus that.
        missed: u64,
        /// The namespace's revision at the last event missed, for watches.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<Revision>,
    } "events that this reader was too slow for. It has the seq of the first one missed."

    "kv.put" KvPut {
        /// The key.
        key: Key,
        /// Its value.
        value: Json,
        /// The revision of this change.
        revision: Revision,
        /// The revision before; 0 when it was absent.
        previous_revision: Revision,
        /// What is left of its TTL in milliseconds, or null for none.
        ttl_ms: Option<u64>,
        /// Who changed it.
        by: Option<AgentName>,
    } "a key has a new value."

    "kv.delete" KvDelete {
        /// The key.
        key: Key,
        /// The revision of this change.
        revision: Revision,
        /// The revision before.
        previous_revision: Revision,
        /// Who deleted it.
        by: Option<AgentName>,
    } "a key was deleted."

    "kv.expire" KvExpire {
        /// The key.
        key: Key,
        /// The revision of this change.
        revision: Revision,
        /// The revision before.
        previous_revision: Revision,
        /// Null: time did it.
        by: Option<AgentName>,
    } "a key's TTL ended."

    "kv.synced" KvSynced {
        /// The namespace's revision.
        revision: Revision,
    } "each present key has been told."

    "lock.lost" LockLost {
        /// The grant's token.
        token: Token,
        /// Its names.
        keys: Vec<String>,
        /// `broken` or `expired`.
        why: LostWhy,
        /// Who broke it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<AgentName>,
        /// Why it was broken.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    } "a grant ended without its holder's doing."

    "lock.contended" LockContended {
        /// The grant's token.
        token: Token,
        /// Its names.
        keys: Vec<String>,
        /// Who waits.
        waiter: AgentName,
        /// How many waiters the grant blocks now.
        waiters: usize,
    } "somebody waits for a grant of this agent."

    "message.waiting" MessageWaiting {
        /// How many messages are queued.
        queued: usize,
    } "messages wait to be received. It stands for all that come until the agent receives."

    "deadline_soon" DeadlineSoon {
        /// What kind of lease ends.
        what: LeaseKind,
        /// The message's or task's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<Revision>,
        /// The lock's token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Token>,
        /// When it ends, in Unix milliseconds.
        expires_at: u64,
    } "a lease has a tenth of its time left."

    "server.stopping" ServerStopping {} "the daemon stops cleanly."

    "topic" TopicMessage {
        /// The topic published on.
        topic: Topic,
        /// Who published.
        from: Option<AgentName>,
        /// The content.
        payload: Json,
    } "somebody published on a topic."

    "agent.left" AgentLeft {
        /// Its name.
        agent: AgentName,
        /// Why.
        why: LeftWhy,
        /// Always false.
        live: bool,
    } "an agent's presence ended."

    "task.created" TaskCreated {
        /// The task.
        task: Task,
    } "a task is there."

    "task.changed" TaskChanged {
        /// The task as it is now.
        task: Task,
    } "a task changed."

    "task.cancelled" TaskCancelled {
        /// The task's id.
        id: TaskId,
        /// The token of the claim that ended.
        token: Token,
        /// Who called it off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<AgentName>,
    } "a task that this agent held was called off."

    "change" Change {
        /// The part of the board.
        area: Area,
        /// What happened, a verb in the past tense.
        action: Label,
        /// To what: a key, a lock's names, a message's id, an agent.
        subject: String,
        /// By whom.
        agent: Option<AgentName>,
        /// The namespace's revision after it.
        revision: Revision,
        /// When, in Unix milliseconds.
        at: u64,
        /// More, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    } "something changed, for `server.tail`."
}

/// `message`: a message for this subscription, leased to it.
impl Event for Message {
    const KIND: &'static str = "message";
}

/// An agent as `agent.joined` and `agent.updated` tell of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AgentProfile {
    /// Its name.
    pub agent: AgentName,
    /// What it can be addressed by.
    pub role: Option<Role>,
    /// What it can do.
    pub capabilities: Vec<Label>,
    /// What it is, for people.
    pub description: Option<String>,
    /// Anything else, an object.
    pub metadata: Option<Object>,
    /// What it is doing.
    pub status: Status,
    /// On which task.
    pub task: Option<Scalar>,
    /// A note for people.
    pub note: Option<String>,
    /// How far it is.
    pub progress: Option<Scalar>,
    /// Whether it can be addressed by role.
    pub live: bool,
}

/// `agent.joined`: an agent's presence began.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AgentJoined(pub AgentProfile);

impl Event for AgentJoined {
    const KIND: &'static str = "agent.joined";
}

/// `agent.updated`: an agent changed what it says of itself.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AgentUpdated(pub AgentProfile);

impl Event for AgentUpdated {
    const KIND: &'static str = "agent.updated";
}

/// Why a grant was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LostWhy {
    /// A person broke it.
    Broken,
    /// Its TTL ended.
    Expired,
}

/// Why an agent left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeftWhy {
    /// It said so.
    Closed,
    /// Its presence's TTL ended.
    Expired,
    /// A person removed it.
    Removed,
}

/// What a lease is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeaseKind {
    /// A lock.
    Lock,
    /// A claimed task.
    Task,
    /// A delivered message.
    Message,
}
