//! Which commands change what the store keeps: these are refused while it can't keep anything.
//!
//! Invariant: a command that is not listed as a change leaves no record that its caller relies on. What a session or a
//! presence leaves behind goes on in memory, like expiry: else nobody could even read.

use callboard_protocol::methods::BoardCommand;
use callboard_protocol::methods::kv::Operation;

/// Whether a command changes what the store keeps.
pub(crate) fn is_change(command: &BoardCommand) -> bool {
    match command {
        BoardCommand::SessionUnsubscribe(_)
        | BoardCommand::KvGet(_)
        | BoardCommand::KvGetMany(_)
        | BoardCommand::KvList(_)
        | BoardCommand::KvWatch(_)
        | BoardCommand::LockCheck(_)
        | BoardCommand::LockList(_)
        | BoardCommand::MessageStatus(_)
        | BoardCommand::MessageList(_)
        | BoardCommand::MessageCounts(_)
        | BoardCommand::TopicPublish(_)
        | BoardCommand::TopicSubscribe(_)
        | BoardCommand::AgentHeartbeat(_)
        | BoardCommand::AgentList(_)
        | BoardCommand::AgentGet(_)
        | BoardCommand::AgentWatch(_)
        | BoardCommand::TaskGet(_)
        | BoardCommand::TaskList(_)
        | BoardCommand::TaskNext(_)
        | BoardCommand::TaskGraph(_)
        | BoardCommand::TaskCounts(_)
        | BoardCommand::TaskWait(_)
        | BoardCommand::TaskWatch(_)
        | BoardCommand::VoteGet(_)
        | BoardCommand::ServerTail(_) => false,
        BoardCommand::KvTxn(txn) => {
            let mut operations = txn.then.iter().chain(txn.otherwise.iter().flatten());
            operations.any(|operation| !matches!(operation, Operation::Get(_)))
        }
        BoardCommand::KvSet(_)
        | BoardCommand::KvDelete(_)
        | BoardCommand::KvIncrement(_)
        | BoardCommand::KvExpire(_)
        | BoardCommand::LockAcquire(_)
        | BoardCommand::LockExtend(_)
        | BoardCommand::LockRelease(_)
        | BoardCommand::LockBreak(_)
        | BoardCommand::MessageSend(_)
        | BoardCommand::MessageReceive(_)
        | BoardCommand::MessageAck(_)
        | BoardCommand::MessageNack(_)
        | BoardCommand::MessageExtend(_)
        | BoardCommand::MessageSubscribe(_)
        | BoardCommand::MessageRequest(_)
        | BoardCommand::MessageReply(_)
        | BoardCommand::MessageRequeue(_)
        | BoardCommand::AgentRegister(_)
        | BoardCommand::AgentUpdate(_)
        | BoardCommand::AgentRemove(_)
        | BoardCommand::TaskCreate(_)
        | BoardCommand::TaskCreateMany(_)
        | BoardCommand::TaskClaim(_)
        | BoardCommand::TaskExtend(_)
        | BoardCommand::TaskComplete(_)
        | BoardCommand::TaskFail(_)
        | BoardCommand::TaskRelease(_)
        | BoardCommand::TaskReview(_)
        | BoardCommand::TaskCancel(_)
        | BoardCommand::TaskRetry(_)
        | BoardCommand::TaskUpdate(_)
        | BoardCommand::VoteOpen(_)
        | BoardCommand::VoteCast(_)
        | BoardCommand::LimiterTake(_) => true,
    }
}
