//! The table of all methods: each name, its parameters, its result. The only place that knows a method's name.
//!
//! Invariant: [`BoardCommand`] and [`HostCommand`] together are the protocol; routing matches on them exhaustively.
//! Board methods are answered by a namespace's board, host methods by the daemon around the boards.

pub mod agent;
pub mod coordination;
pub mod kv;
pub mod lock;
pub mod message;
mod required;
pub mod server;
pub mod session;
pub mod task;
pub mod topic;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::json::object::Text;
use crate::params::{self, Params};

/// A result that says nothing but "done".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Empty {}

/// What a response can carry as its result.
pub trait Answer {
    /// Appends it as JSON.
    ///
    /// # Errors
    /// When JSON can't express it; `out` has a part of it then.
    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()>;
}

impl Answer for Empty {
    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        out.extend_from_slice(b"{}");
        Ok(())
    }
}

/// Appends an answer: one that is marked with `text` writes itself, the others are left to the serializer.
macro_rules! write_answer {
    ($answer:ident, $out:ident, text) => {{
        Text::write($answer, $out);
        Ok(())
    }};
    ($answer:ident, $out:ident) => {
        serde_json::to_writer($out, $answer)
    };
}

/// Parameters that belong to exactly one method.
pub trait Verb: Serialize {
    /// The method.
    const METHOD: Method;
    /// What it answers.
    type Result: serde::de::DeserializeOwned;
}

macro_rules! without_payload {
    ($($params:ty),* $(,)?) => { $(impl Params for $params {})* };
}

without_payload!(
    server::Ping,
    server::ReadInfo,
    server::ReadStats,
    server::TakeSnapshot,
    message::Count,
    agent::Watch,
    session::Open,
    session::Close,
    session::Cancel,
    session::Unsubscribe,
    kv::Get,
    kv::GetMany,
    kv::Delete,
    kv::List,
    kv::Increment,
    kv::Expire,
    kv::Watch,
    lock::Acquire,
    lock::Extend,
    lock::Release,
    lock::Check,
    lock::List,
    lock::Break,
    message::Receive,
    message::Ack,
    message::Nack,
    message::Extend,
    message::Subscribe,
    message::Status,
    message::List,
    message::Requeue,
    topic::Subscribe,
    agent::Heartbeat,
    agent::List,
    agent::Get,
    agent::Remove,
    task::Claim,
    task::Fail,
    task::Release,
    task::Review,
    task::Cancel,
    task::Retry,
    task::Update,
    task::Get,
    task::List,
    task::Next,
    task::Graph,
    task::Count,
    task::Wait,
    task::Watch,
    coordination::Open,
    coordination::Cast,
    coordination::Get,
    coordination::Take,
    server::Shutdown,
    server::Tail,
    server::ListNamespaces,
    server::Clear,
);

macro_rules! methods {
    ($(
        $(#[$doc:meta])* $commands:ident / $answers:ident { $( $variant:ident $name:literal $params:ty => $result:ty $([$text:ident])?, )* }
    )*) => {
        /// A method of the protocol.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method { $($(
            #[doc = concat!("`", $name, "`")]
            $variant,
        )*)* }

        impl Method {
            /// Every method, in the order of the contract.
            pub const ALL: &[Self] = &[$($(Self::$variant,)*)*];

            /// The name on the wire.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($(Self::$variant => $name,)*)* }
            }

            /// The method with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($($name => Some(Self::$variant),)*)*
                    _other => None,
                }
            }
        }

        $(
            $(#[$doc])*
            #[derive(Debug, Clone)]
            pub enum $commands { $(
                #[doc = concat!("`", $name, "`")]
                $variant($params),
            )* }

            #[doc = concat!("The answer to a [`", stringify!($commands), "`], variant by variant.")]
            #[derive(Debug, Clone, Serialize)]
            #[serde(untagged)]
            pub enum $answers { $(
                #[doc = concat!("`", $name, "`")]
                $variant($result),
            )* }

            impl Answer for $answers {
                fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
                    match self { $(Self::$variant(answer) => write_answer!(answer, out $(, $text)?),)* }
                }
            }

            impl $commands {
                /// The method that this is a call of.
                #[must_use]
                pub fn method(&self) -> Method {
                    match self { $(Self::$variant(_) => Method::$variant,)* }
                }
            }
        )*

        $($(
            impl Verb for $params {
                const METHOD: Method = Method::$variant;
                type Result = $result;
            }
        )*)*

        /// One call with its typed parameters.
        #[derive(Debug, Clone)]
        pub enum Command { $(
            #[doc = concat!("For [`", stringify!($commands), "`].")]
            $commands($commands),
        )* }

        impl Command {
            /// Types the parameters of a call, a JSON text.
            ///
            /// # Errors
            /// `invalid_params` naming the member, `parse_error` for a payload nested too deep, `limit_exceeded`
            /// for one that is longer than `value_bytes`.
            pub fn decode(method: Method, raw: Option<&str>, value_bytes: usize) -> Result<Self, Error> {
                match method { $($(
                    Method::$variant => {
                        let typed: $params = params::decode(raw)?;
                        params::check_payloads(&typed, value_bytes)?;
                        Ok(Self::$commands($commands::$variant(typed)))
                    }
                )*)* }
            }
        }

        /// The JSON Schemas of each method's parameters and result, for `schema.rs`.
        pub fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<(&'static str, schemars::Schema, schemars::Schema)> {
            vec![$($((
                $name,
                generator.subschema_for::<$params>(),
                generator.subschema_for::<$result>(),
            ),)*)*]
        }
    };
}

methods! {
    /// A call that the daemon answers itself, perhaps with a board's help.
    HostCommand / HostAnswer {
        SessionOpen "session.open" session::Open => session::Opened,
        SessionClose "session.close" session::Close => Empty,
        SessionCancel "session.cancel" session::Cancel => session::Cancelled,
        ServerPing "server.ping" server::Ping => Empty,
        ServerInfo "server.info" server::ReadInfo => server::Info,
        ServerStats "server.stats" server::ReadStats => server::Stats,
        ServerSnapshot "server.snapshot" server::TakeSnapshot => server::Snapshotted,
        ServerShutdown "server.shutdown" server::Shutdown => Empty,
        NamespaceList "namespace.list" server::ListNamespaces => server::ListNamespacesResult,
        NamespaceClear "namespace.clear" server::Clear => server::Cleared,
    }
    /// A call that the caller's board answers.
    BoardCommand / BoardAnswer {
        SessionUnsubscribe "session.unsubscribe" session::Unsubscribe => Empty,
        KvSet "kv.set" kv::Set => kv::SetResult [text],
        KvGet "kv.get" kv::Get => kv::GetResult [text],
        KvGetMany "kv.get_many" kv::GetMany => kv::GetManyResult,
        KvDelete "kv.delete" kv::Delete => kv::DeleteResult,
        KvList "kv.list" kv::List => kv::ListResult,
        KvIncrement "kv.increment" kv::Increment => kv::IncrementResult,
        KvExpire "kv.expire" kv::Expire => kv::ExpireResult,
        KvTxn "kv.txn" kv::Txn => kv::TxnResult,
        KvWatch "kv.watch" kv::Watch => kv::WatchResult,
        LockAcquire "lock.acquire" lock::Acquire => lock::Acquired,
        LockExtend "lock.extend" lock::Extend => lock::Extended,
        LockRelease "lock.release" lock::Release => lock::Released,
        LockCheck "lock.check" lock::Check => lock::Checked,
        LockList "lock.list" lock::List => lock::ListResult,
        LockBreak "lock.break" lock::Break => lock::Broken,
        MessageSend "message.send" message::Send => message::Sent,
        MessageReceive "message.receive" message::Receive => message::Received,
        MessageAck "message.ack" message::Ack => message::Acked,
        MessageNack "message.nack" message::Nack => Empty,
        MessageExtend "message.extend" message::Extend => lock::Extended,
        MessageSubscribe "message.subscribe" message::Subscribe => message::Subscribed,
        MessageRequest "message.request" message::Request => message::Answered,
        MessageReply "message.reply" message::Reply => message::ById,
        MessageStatus "message.status" message::Status => message::StatusResult,
        MessageList "message.list" message::List => message::ListResult,
        MessageRequeue "message.requeue" message::Requeue => message::ById,
        MessageCounts "message.counts" message::Count => message::Counts,
        TopicPublish "topic.publish" topic::Publish => topic::Published,
        TopicSubscribe "topic.subscribe" topic::Subscribe => message::Subscribed,
        AgentRegister "agent.register" agent::Register => agent::Registered,
        AgentHeartbeat "agent.heartbeat" agent::Heartbeat => Empty,
        AgentUpdate "agent.update" agent::Update => Empty,
        AgentList "agent.list" agent::List => agent::ListResult,
        AgentGet "agent.get" agent::Get => agent::GetResult,
        AgentRemove "agent.remove" agent::Remove => Empty,
        AgentWatch "agent.watch" agent::Watch => message::Subscribed,
        TaskCreate "task.create" task::Create => task::Created [text],
        TaskCreateMany "task.create_many" task::CreateMany => task::Several,
        TaskClaim "task.claim" task::Claim => task::Claimed [text],
        TaskExtend "task.extend" task::Extend => task::One [text],
        TaskComplete "task.complete" task::Complete => task::One [text],
        TaskFail "task.fail" task::Fail => task::One [text],
        TaskRelease "task.release" task::Release => task::One [text],
        TaskReview "task.review" task::Review => task::One [text],
        TaskCancel "task.cancel" task::Cancel => task::One [text],
        TaskRetry "task.retry" task::Retry => task::One [text],
        TaskUpdate "task.update" task::Update => task::One [text],
        TaskGet "task.get" task::Get => task::GetResult,
        TaskList "task.list" task::List => task::ListResult,
        TaskNext "task.next" task::Next => task::NextResult,
        TaskGraph "task.graph" task::Graph => task::GraphResult,
        TaskCounts "task.counts" task::Count => task::Counts,
        TaskWait "task.wait" task::Wait => task::Several,
        TaskWatch "task.watch" task::Watch => message::Subscribed,
        VoteOpen "vote.open" coordination::Open => coordination::Opened,
        VoteCast "vote.cast" coordination::Cast => Empty,
        VoteGet "vote.get" coordination::Get => coordination::Vote,
        LimiterTake "limiter.take" coordination::Take => coordination::Taken,
        ServerTail "server.tail" server::Tail => message::Subscribed,
    }
}

/// The error for a method name that does not exist, with the nearest ones of its area.
#[must_use]
pub fn unknown_method(name: &str) -> Error {
    let area = name.split('.').next().unwrap_or_default();
    let mut known: Vec<&str> = Method::ALL
        .iter()
        .map(|method| method.name())
        .filter(|known| known.split('.').next() == Some(area))
        .collect();
    if known.is_empty() {
        known = vec![
            "session.*",
            "kv.*",
            "lock.*",
            "message.*",
            "topic.*",
            "agent.*",
            "task.*",
            "vote.*",
            "limiter.*",
            "server.*",
            "namespace.*",
        ];
    }
    Error::new(
        ErrorKind::MethodNotFound,
        format!("there is no method {name:?}; there is {}", known.join(", ")),
    )
}
