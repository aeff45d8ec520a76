//! `message.*`
use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::id::RequestId;
use callboard_protocol::methods::message::*;
use callboard_protocol::methods::{Empty, lock::Extended};
use callboard_protocol::names::AgentName;
use callboard_protocol::revision::{MessageId, Token};

use crate::board::{Board, Call, Verdict};
use crate::now::Now;
use crate::session::SessionId;
use crate::wait::WaitId;

fn stub<T>() -> Result<T, Error> {
    Err(Error::new(ErrorKind::Internal, "stub"))
}

impl Board {
    pub(crate) fn message_send(&mut self, _: &Call, _: Send) -> Result<Sent, Error> {
        stub()
    }
    pub(crate) fn message_receive(&mut self, _: &Call, _: Receive) -> Result<Verdict<Received>, Error> {
        stub()
    }
    pub(crate) fn message_ack(&mut self, _: &Call, _: Ack) -> Result<Acked, Error> {
        stub()
    }
    pub(crate) fn message_nack(&mut self, _: &Call, _: &Nack) -> Result<Empty, Error> {
        stub()
    }
    pub(crate) fn message_extend(&mut self, _: &Call, _: &Extend) -> Result<Extended, Error> {
        stub()
    }
    pub(crate) fn message_subscribe(&mut self, _: &Call, _: Subscribe) -> Result<Subscribed, Error> {
        stub()
    }
    pub(crate) fn message_request(&mut self, _: &Call, _: Request) -> Result<Verdict<Answered>, Error> {
        stub()
    }
    pub(crate) fn message_reply(&mut self, _: &Call, _: Reply) -> Result<ById, Error> {
        stub()
    }
    pub(crate) fn message_status(&mut self, _: &Call, _: &Status) -> Result<StatusResult, Error> {
        stub()
    }
    pub(crate) fn message_list(&mut self, _: &Call, _: &List) -> Result<ListResult, Error> {
        stub()
    }
    pub(crate) fn message_requeue(&mut self, _: &Call, _: &Requeue) -> Result<ById, Error> {
        stub()
    }
    pub(crate) fn message_counts(&mut self, _: &Call) -> Result<Counts, Error> {
        stub()
    }

    /// The reply that was handed to a waiting caller could not be written to it: it goes to its inbox, late.
    pub fn reply_unwritten(&mut self, _: Now, _: MessageId) {}
    /// After a resume: unacked pushes of the session's subscriptions are sent again, same receipt, new seq.
    pub(crate) fn push_leased_again(&mut self, _: Now, _: SessionId) {}
    /// A session may be leased messages (again): its subscriptions take what waits, within their credit.
    pub(crate) fn feed_takers(&mut self, _: Now, _: SessionId) {}
    /// The agent is removed: its queued messages become dead.
    pub(crate) fn kill_queued(&mut self, _: Now, _: &AgentName) {}
    /// Deadline or binding of a delivery's lease is over.
    pub(crate) fn delivery_lapsed(&mut self, _: Now, _: Token) {}
    /// A delayed delivery becomes ready.
    pub(crate) fn delivery_ready(&mut self, _: Now, _: &AgentName, _: MessageId) {}
    /// A message's TTL is over.
    pub(crate) fn message_ran_out(&mut self, _: Now, _: MessageId) {}
    /// A finished message's header goes.
    pub(crate) fn forget_message(&mut self, _: MessageId) {}
    /// A dedupe key is forgotten.
    pub(crate) fn forget_dedupe(&mut self, _: MessageId) {}
    /// `message.receive` waited in vain: answer an empty list.
    pub(crate) fn receive_ran_out(&mut self, _: WaitId) {}
    /// `message.request` waited in vain: answer `timeout` with the id.
    pub(crate) fn request_ran_out(&mut self, _: Now, _: WaitId) {}
    /// A waiting receive is withdrawn (the wait itself is taken out by the caller).
    pub(crate) fn withdraw_receive(&mut self, _: WaitId) {}
    /// A waiting request is withdrawn; the question stays sent.
    pub(crate) fn withdraw_request(&mut self, _: WaitId) {}
    pub(crate) fn message_records(&self, _: Now) -> Vec<crate::record::Record> {
        Vec::new()
    }
    pub(crate) fn restore_message(&mut self, _: Now, _: crate::record::MessageRecord) {}
    pub(crate) fn drop_message(&mut self, _: MessageId) {}
    pub(crate) fn restore_delivery(&mut self, _: Now, _: crate::record::DeliveryRecord) {}
    pub(crate) fn finish_messages(&mut self, _: Now) {}
    pub(crate) fn clear_messages(&mut self, _: Now) -> usize {
        0
    }
    /// The session lost its agent: its inbox subscriptions end.
    pub(crate) fn agent_of_session_removed(&mut self, _: SessionId) {}
}
fn _unused(_: RequestId) {}
