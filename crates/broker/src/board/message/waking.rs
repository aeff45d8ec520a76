//! `message.subscribe` with `wake`: the subscriber is told that messages wait, and receives them when it likes.
//!
//! Invariant: nothing that waits is kept from a waker for ever: it was told of something since its agent last received, or
//! nothing that it wants is ready. Nothing is leased here.

use callboard_protocol::error::Error;
use callboard_protocol::event::{Event as _, MessageWaiting};
use callboard_protocol::methods::message::{Subscribe, Subscribed};
use callboard_protocol::names::AgentName;
use callboard_protocol::revision::MessageId;

use crate::board::{Board, Call, invalid_params};
use crate::effects::PushClass;
use crate::inbox::takers::Filter;
use crate::session;

impl Board {
    pub(super) fn subscribe_to_wakes(&mut self, call: &Call, params: Subscribe) -> Result<Subscribed, Error> {
        let agent = call.agent()?.clone();
        let takes = [
            ("credit", params.credit.is_some()),
            ("lease_ms", params.lease_ms.is_some()),
            ("bind", params.bind.is_some()),
        ];
        if let Some((member, _)) = takes.iter().find(|(_, is_given)| *is_given) {
            let why = format!(
                "`{member}` is about messages that are leased, and `wake` leases none: leave one out"
            );
            return Err(invalid_params(member, why));
        }
        let subscription = self.subscribe(call, session::Subscribed::Wake)?;
        self.settle_inbox(call.now, &agent);
        let filter = Filter { types: params.types, ..Filter::default() };
        self.inboxes.wakers.insert((call.session, subscription), agent.clone(), filter);
        self.wake_for_what_waits(&agent);
        Ok(Subscribed { subscription })
    }

    /// The agent received: what it left is told once more, and so is what comes from now on.
    pub(super) fn arm_wakers(&mut self, agent: &AgentName) {
        self.inboxes.wakers.arm(agent);
        self.wake_for_what_waits(agent);
    }

    fn wake_for_what_waits(&mut self, agent: &AgentName) {
        let mut place = None;
        while self.inboxes.wakers.has_armed(agent) {
            place = self.inboxes.next_ready(agent, place);
            let Some((_, id)) = place else { return };
            self.wake(agent, id);
        }
    }

    /// A message stays in the inbox, as nobody takes it now.
    pub(super) fn wake(&mut self, agent: &AgentName, id: MessageId) {
        let told = self.inboxes.wake(agent, id);
        if told.is_empty() {
            return;
        }
        let body = MessageWaiting { queued: self.inboxes.counts(agent).queued }.body();
        for (session, number) in told {
            self.sessions.push(&mut self.effects, session, number, body.clone(), PushClass::Droppable);
        }
    }
}
