//! The verbs as methods, for both clients: one table, so that neither has one that the other lacks.
//!
//! Invariant: a verb here is nothing but `call` or `subscribe` with its parameters; verbs of one or two parameters take these,
//! verbs of many take their type. What a verb has besides goes through `call`. The verbs of a session itself are not here: the
//! client opens, closes, cancels and unsubscribes on its own.

use callboard_protocol::methods::{Empty, agent, coordination, kv, lock, message, server, task, topic};
use callboard_protocol::revision::{MessageId, TaskId, Token, VoteId};
use callboard_protocol::{AgentName, Json, Key, Label, Namespace, Topic, TtlMs};
use serde::Serialize;

use crate::{Client, ClientError, EventStream};

macro_rules! verbs {
    ($define:ident) => {
        $define! {
            calls {
                #[doc = "`server.ping`: whether the daemon answers."]
                server_ping() -> Empty = &server::Ping {};
                #[doc = "`server.info`: the daemon about itself."]
                server_info() -> server::Info = &server::ReadInfo {};
                #[doc = "`server.stats`: counters and gauges."]
                server_stats() -> server::Stats = &server::ReadStats {};
                #[doc = "`server.snapshot`: writes a snapshot now."]
                server_snapshot() -> server::Snapshotted = &server::TakeSnapshot {};
                #[doc = "`server.shutdown`: a clean stop, after `drain_ms` at most."]
                server_shutdown(drain_ms: Option<u64>) -> Empty = &server::Shutdown { drain_ms };
                #[doc = "`namespace.list`: the boards there are."]
                namespace_list(params: &server::ListNamespaces) -> server::ListNamespacesResult = params;
                #[doc = "`namespace.clear`: empties a board. For a person."]
                namespace_clear(namespace: &str) -> server::Cleared =
                    &server::Clear { namespace: Namespace::new(namespace)? };

                #[doc = "`kv.set` without a condition and without a TTL: gives a key a value."]
                kv_set(key: &str, value: &(impl Serialize + ?Sized)) -> kv::SetResult =
                    &kv::Set::new(Key::new(key)?, Json::from_value(value)?);
                #[doc = "`kv.get`: one key; a missing one is no error."]
                kv_get(key: &str) -> kv::GetResult = &kv::Get { key: Key::new(key)? };
                #[doc = "`kv.get_many`: up to 1000 keys, answered in order."]
                kv_get_many(keys: &[Key]) -> kv::GetManyResult = &kv::GetMany { keys: keys.to_vec() };
                #[doc = "`kv.delete` without a condition: ends a key."]
                kv_delete(key: &str) -> kv::DeleteResult =
                    &kv::Delete { key: Key::new(key)?, if_revision: None, if_lock: None };
                #[doc = "`kv.list`: keys in byte order."]
                kv_list(params: &kv::List) -> kv::ListResult = params;
                #[doc = "`kv.increment`: adds `by` to an integer; a missing key counts as 0."]
                kv_increment(key: &str, by: i64) -> kv::IncrementResult =
                    &kv::Increment { key: Key::new(key)?, by: Some(by), ttl_ms: None };
                #[doc = "`kv.expire`: changes a key's TTL alone; `None` is for ever."]
                kv_expire(key: &str, ttl_ms: Option<TtlMs>) -> kv::ExpireResult =
                    &kv::Expire { key: Key::new(key)?, ttl_ms: Some(ttl_ms) };
                #[doc = "`kv.txn`: several conditions and changes as one step."]
                kv_txn(params: &kv::Txn) -> kv::TxnResult = params;

                #[doc = "`lock.acquire`: all names or none."]
                lock_acquire(params: &lock::Acquire) -> lock::Acquired = params;
                #[doc = "`lock.extend`: a grant's own TTL starts anew."]
                lock_extend(token: Token) -> lock::Extended = &lock::Extend { token, ttl_ms: None };
                #[doc = "`lock.release` of one grant."]
                lock_release(token: Token) -> lock::Released =
                    &lock::Release { token: Some(token), keys: None };
                #[doc = "`lock.check`: whether `lock.acquire` would succeed now."]
                lock_check(params: &lock::Check) -> lock::Checked = params;
                #[doc = "`lock.list`: grants and waiters."]
                lock_list(params: &lock::List) -> lock::ListResult = params;
                #[doc = "`lock.break`: ends somebody's grant. For a person."]
                lock_break(token: Token, reason: &str) -> lock::Broken =
                    &lock::Break { token, reason: reason.to_owned() };

                #[doc = "`message.send` with nothing but a payload, to `NAME`, `role:ROLE`, `any:ROLE`, `*`, or several with commas."]
                message_send(to: &str, payload: &(impl Serialize + ?Sized)) -> message::Sent =
                    &message::Send::new(to.parse()?, Json::from_value(payload)?);
                #[doc = "`message.receive`: takes messages out of the inbox, each under a lease."]
                message_receive(params: &message::Receive) -> message::Received = params;
                #[doc = "`message.ack`: done with these deliveries."]
                message_ack(receipts: &[String]) -> message::Acked =
                    &message::Ack { receipts: receipts.to_vec() };
                #[doc = "`message.nack`: gives a delivery back at once."]
                message_nack(receipt: &str) -> Empty =
                    &message::Nack { receipt: receipt.to_owned(), delay_ms: None, reason: None };
                #[doc = "`message.extend`: more time for a delivery."]
                message_extend(receipt: &str, lease_ms: TtlMs) -> lock::Extended =
                    &message::Extend { receipt: receipt.to_owned(), lease_ms };
                #[doc = "`message.request`: asks `NAME` or `any:ROLE`, and waits up to 30 s for the answer."]
                message_request(to: &str, payload: &(impl Serialize + ?Sized)) -> message::Answered =
                    &message::Request::new(to.parse()?, Json::from_value(payload)?);
                #[doc = "`message.reply`: answers a message, and acks its delivery."]
                message_reply(to_message: MessageId, payload: &(impl Serialize + ?Sized)) -> message::ById =
                    &message::Reply { to_message, payload: Json::from_value(payload)?, r#type: None };
                #[doc = "`message.status`: what became of a message."]
                message_status(id: MessageId) -> message::StatusResult = &message::Status { id };
                #[doc = "`message.list`: looks at messages, changes nothing."]
                message_list(params: &message::List) -> message::ListResult = params;
                #[doc = "`message.requeue`: a dead message starts anew."]
                message_requeue(id: MessageId) -> message::ById = &message::Requeue { id };
                #[doc = "`message.counts`: what is in the caller's inbox."]
                message_counts() -> message::Counts = &message::Count {};

                #[doc = "`topic.publish`: to whoever listens now."]
                topic_publish(topic: &str, payload: &(impl Serialize + ?Sized)) -> topic::Published =
                    &topic::Publish { topic: Topic::new(topic)?, payload: Json::from_value(payload)? };

                #[doc = "`agent.register`: says who this session's agent is and what it is for."]
                agent_register(params: &agent::Register) -> agent::Registered = params;
                #[doc = "`agent.heartbeat`: the agent is alive."]
                agent_heartbeat(params: &agent::Heartbeat) -> Empty = params;
                #[doc = "`agent.update`: changes what the agent says of itself."]
                agent_update(params: &agent::Update) -> Empty = params;
                #[doc = "`agent.list`: who is here."]
                agent_list(params: &agent::List) -> agent::ListResult = params;
                #[doc = "`agent.get`: one agent."]
                agent_get(name: &str) -> agent::GetResult = &agent::Get { name: AgentName::new(name)? };
                #[doc = "`agent.remove`: ends an agent and its leases. For a person."]
                agent_remove(name: &str) -> Empty = &agent::Remove { name: AgentName::new(name)? };

                #[doc = "`task.create`: adds a task."]
                task_create(params: &task::Create) -> task::Created = params;
                #[doc = "`task.create_many`: adds tasks that may name each other, all or none."]
                task_create_many(params: &task::CreateMany) -> task::Several = params;
                #[doc = "`task.claim`: takes the task that comes first, or one by its id."]
                task_claim(params: &task::Claim) -> task::Claimed = params;
                #[doc = "`task.extend`: more time for a claim; says how far it is."]
                task_extend(params: &task::Extend) -> task::One = params;
                #[doc = "`task.complete`: done, with a result."]
                task_complete(token: Token, result: &(impl Serialize + ?Sized)) -> task::One =
                    &task::Complete { token, result: Some(Json::from_value(result)?) };
                #[doc = "`task.fail`: this attempt came to nothing."]
                task_fail(params: &task::Fail) -> task::One = params;
                #[doc = "`task.release`: gives a claim back; costs no attempt."]
                task_release(token: Token) -> task::One = &task::Release { token, reason: None };
                #[doc = "`task.review`: approves of what somebody else did, or has it done again."]
                task_review(params: &task::Review) -> task::One = params;
                #[doc = "`task.cancel`: calls a task off."]
                task_cancel(id: TaskId) -> task::One = &task::Cancel { id };
                #[doc = "`task.retry`: a failed or cancelled task starts anew."]
                task_retry(id: TaskId) -> task::One = &task::Retry { id };
                #[doc = "`task.update`: changes what a task says of itself."]
                task_update(params: &task::Update) -> task::One = params;
                #[doc = "`task.get`: one task, and what its parts have come to."]
                task_get(id: TaskId) -> task::GetResult = &task::Get { id };
                #[doc = "`task.list`: tasks in order of ids."]
                task_list(params: &task::List) -> task::ListResult = params;
                #[doc = "`task.next`: what a claim would give."]
                task_next(params: &task::Next) -> task::NextResult = params;
                #[doc = "`task.graph`: what depends on what."]
                task_graph(root: Option<TaskId>) -> task::GraphResult = &task::Graph { root };
                #[doc = "`task.counts`: how many tasks there are of each status."]
                task_counts() -> task::Counts = &task::Count {};
                #[doc = "`task.wait`: waits until tasks are finished."]
                task_wait(params: &task::Wait) -> task::Several = params;

                #[doc = "`vote.open`: asks several agents to choose."]
                vote_open(params: &coordination::Open) -> coordination::Opened = params;
                #[doc = "`vote.cast`: votes, without a rationale."]
                vote_cast(id: VoteId, choice: &str) -> Empty =
                    &coordination::Cast { id, choice: Label::new(choice)?, rationale: None };
                #[doc = "`vote.get`: how a vote stands."]
                vote_get(id: VoteId) -> coordination::Vote = &coordination::Get { id };
                #[doc = "`limiter.take`: takes a token out of a bucket."]
                limiter_take(params: &coordination::Take) -> coordination::Taken = params;
            }
            subscriptions {
                #[doc = "`kv.watch`: the changes of one key, or of all keys with a prefix."]
                kv_watch(params: &kv::Watch) = params;
                #[doc = "`message.subscribe`: messages as they come, each under a lease."]
                message_subscribe(params: &message::Subscribe) = params;
                #[doc = "`topic.subscribe` outside any group: what is published on topics that match."]
                topic_subscribe(pattern: &str) =
                    &topic::Subscribe { pattern: Topic::new(pattern)?, group: None };
                #[doc = "`agent.watch`: agents that join, change and leave."]
                agent_watch() = &agent::Watch {};
                #[doc = "`task.watch`: tasks that are created and that change."]
                task_watch(params: &task::Watch) = params;
                #[doc = "`server.tail`: every change of the namespace."]
                server_tail(params: &server::Tail) = params;
            }
        }
    };
}

macro_rules! define {
    (
        calls { $($(#[$call_doc:meta])* $call:ident($($call_arg:ident: $call_type:ty),*) -> $result:ty = $call_params:expr;)* }
        subscriptions { $($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) = $params:expr;)* }
    ) => {
        /// The verbs. Each is [`Client::call`] or [`Client::subscribe`] and has its errors; a name that the protocol does not
        /// take is `invalid_params` without the daemon being asked.
        impl Client {
            $(
                $(#[$call_doc])*
                pub async fn $call(&self, $($call_arg: $call_type),*) -> Result<$result, ClientError> {
                    self.call($call_params).await
                }
            )*
            $(
                $(#[$doc])*
                pub async fn $name(&self, $($arg: $type),*) -> Result<EventStream, ClientError> {
                    self.subscribe($params).await
                }
            )*
        }
    };
}

verbs!(define);

pub(crate) use verbs;
