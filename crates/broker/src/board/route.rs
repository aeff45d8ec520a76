//! Which verb answers which command: one exhaustive match, no behaviour.

use callboard_protocol::error::Error;
use callboard_protocol::id::RequestId;
use callboard_protocol::methods::{BoardAnswer, BoardCommand};

use crate::board::{Board, Call, Outcome, Verdict};
use crate::now::Now;
use crate::session::SessionId;

/// How many overdue deadlines a call works off on its way.
pub(crate) const DEADLINES_PER_CALL: usize = 16;

impl Board {
    /// Carries out one call of a session. `request` is its id; a notification has none.
    ///
    /// A session that the board does not know answers `internal`: whoever calls opens it first.
    pub fn apply(
        &mut self,
        now: Now,
        session: SessionId,
        request: Option<&RequestId>,
        command: BoardCommand,
    ) -> Outcome {
        self.advance(now, DEADLINES_PER_CALL);
        let agent = match self.note_call(now, session) {
            Ok(agent) => agent,
            Err(error) => return Outcome::Done(Err(error)),
        };
        let call = Call { now, session, agent, request: request.cloned() };
        if call.request.is_none() && grants_something(&command) {
            return Outcome::Ignored;
        }
        match self.route(&call, command) {
            Ok(Verdict::Done(answer)) => Outcome::Done(Ok(answer)),
            Ok(Verdict::Waiting) => Outcome::Waiting,
            Err(error) => Outcome::Done(Err(error)),
        }
    }

    fn route(&mut self, call: &Call, command: BoardCommand) -> Result<Verdict<BoardAnswer>, Error> {
        use BoardAnswer as A;
        use BoardCommand as C;
        let answer = match command {
            C::SessionUnsubscribe(p) => A::SessionUnsubscribe(self.session_unsubscribe(call, &p)?),
            C::KvSet(p) => A::KvSet(self.kv_set(call, p)?),
            C::KvGet(p) => A::KvGet(self.kv_get(call, &p)),
            C::KvGetMany(p) => A::KvGetMany(self.kv_get_many(call, &p)?),
            C::KvDelete(p) => A::KvDelete(self.kv_delete(call, &p)?),
            C::KvList(p) => A::KvList(self.kv_list(call, &p)?),
            C::KvIncrement(p) => A::KvIncrement(self.kv_increment(call, p)?),
            C::KvExpire(p) => A::KvExpire(self.kv_expire(call, &p)?),
            C::KvTxn(p) => A::KvTxn(self.kv_txn(call, p)?),
            C::KvWatch(p) => A::KvWatch(self.kv_watch(call, p)?),
            C::LockAcquire(p) => return Ok(self.lock_acquire(call, p)?.map(A::LockAcquire)),
            C::LockExtend(p) => A::LockExtend(self.lock_extend(call, &p)?),
            C::LockRelease(p) => A::LockRelease(self.lock_release(call, p)?),
            C::LockCheck(p) => A::LockCheck(self.lock_check(call, &p)?),
            C::LockList(p) => A::LockList(self.lock_list(call, &p)?),
            C::LockBreak(p) => A::LockBreak(self.lock_break(call, p)?),
            C::MessageSend(p) => A::MessageSend(self.message_send(call, p)?),
            C::MessageReceive(p) => return Ok(self.message_receive(call, p)?.map(A::MessageReceive)),
            C::MessageAck(p) => A::MessageAck(self.message_ack(call, p)?),
            C::MessageNack(p) => A::MessageNack(self.message_nack(call, &p)?),
            C::MessageExtend(p) => A::MessageExtend(self.message_extend(call, &p)?),
            C::MessageSubscribe(p) => A::MessageSubscribe(self.message_subscribe(call, p)?),
            C::MessageRequest(p) => return Ok(self.message_request(call, p)?.map(A::MessageRequest)),
            C::MessageReply(p) => A::MessageReply(self.message_reply(call, p)?),
            C::MessageStatus(p) => A::MessageStatus(self.message_status(call, &p)?),
            C::MessageList(p) => A::MessageList(self.message_list(call, &p)?),
            C::MessageRequeue(p) => A::MessageRequeue(self.message_requeue(call, &p)?),
            C::MessageCounts(_) => A::MessageCounts(self.message_counts(call)?),
            C::TopicPublish(p) => A::TopicPublish(self.topic_publish(call, p)?),
            C::TopicSubscribe(p) => A::TopicSubscribe(self.topic_subscribe(call, &p)?),
            C::AgentRegister(p) => A::AgentRegister(self.agent_register(call, p)?),
            C::AgentHeartbeat(p) => A::AgentHeartbeat(self.agent_heartbeat(call, p)?),
            C::AgentUpdate(p) => A::AgentUpdate(self.agent_update(call, p)?),
            C::AgentList(p) => A::AgentList(self.agent_list(call, &p)?),
            C::AgentGet(p) => A::AgentGet(self.agent_get(call, &p)?),
            C::AgentRemove(p) => A::AgentRemove(self.agent_remove(call, &p)?),
            C::AgentWatch(_) => A::AgentWatch(self.agent_watch(call)?),
            C::TaskCreate(p) => A::TaskCreate(self.task_create(call, p)?),
            C::TaskCreateMany(p) => A::TaskCreateMany(self.task_create_many(call, &p)?),
            C::TaskClaim(p) => return Ok(self.task_claim(call, p)?.map(A::TaskClaim)),
            C::TaskExtend(p) => A::TaskExtend(self.task_extend(call, p)?),
            C::TaskComplete(p) => A::TaskComplete(self.task_complete(call, p)?),
            C::TaskFail(p) => A::TaskFail(self.task_fail(call, p)?),
            C::TaskRelease(p) => A::TaskRelease(self.task_release(call, p)?),
            C::TaskReview(p) => A::TaskReview(self.task_review(call, p)?),
            C::TaskCancel(p) => A::TaskCancel(self.task_cancel(call, &p)?),
            C::TaskRetry(p) => A::TaskRetry(self.task_retry(call, &p)?),
            C::TaskUpdate(p) => A::TaskUpdate(self.task_update(call, p)?),
            C::TaskGet(p) => A::TaskGet(self.task_get(call, &p)?),
            C::TaskList(p) => A::TaskList(self.task_list(call, &p)?),
            C::TaskNext(p) => A::TaskNext(self.task_next(call, &p)?),
            C::TaskGraph(p) => A::TaskGraph(self.task_graph(call, &p)?),
            C::TaskCounts(_) => A::TaskCounts(self.task_counts(call.now)),
            C::TaskWait(p) => return Ok(self.task_wait(call, p)?.map(A::TaskWait)),
            C::TaskWatch(p) => A::TaskWatch(self.task_watch(call, p)?),
            C::VoteOpen(p) => A::VoteOpen(self.vote_open(call, p)?),
            C::VoteCast(p) => A::VoteCast(self.vote_cast(call, p)?),
            C::VoteGet(p) => A::VoteGet(self.vote_get(call, &p)?),
            C::LimiterTake(p) => return Ok(self.limiter_take(call, p)?.map(A::LimiterTake)),
            C::ServerTail(p) => A::ServerTail(self.server_tail(call, p)?),
        };
        Ok(Verdict::Done(answer))
    }
}

impl<T> Verdict<T> {
    fn map<U>(self, wrap: impl FnOnce(T) -> U) -> Verdict<U> {
        match self {
            Self::Done(answer) => Verdict::Done(wrap(answer)),
            Self::Waiting => Verdict::Waiting,
        }
    }
}

/// Whether a command would hand its caller something, which a notification has no way to take.
fn grants_something(command: &BoardCommand) -> bool {
    matches!(
        command,
        BoardCommand::LockAcquire(_)
            | BoardCommand::MessageReceive(_)
            | BoardCommand::MessageRequest(_)
            | BoardCommand::TaskClaim(_)
    )
}
