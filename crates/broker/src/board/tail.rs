//! `server.tail`: every change of the namespace as an event for a person.

use std::fmt::Display;

use callboard_protocol::error::Error;
use callboard_protocol::event::{Change, Event};
use callboard_protocol::methods::message::Subscribed as SubscribedResult;
use callboard_protocol::methods::server::{Area, Tail};
use callboard_protocol::names::{AgentName, Label};

use crate::board::{Board, Call};
use crate::effects::PushClass;
use crate::now::Now;
use crate::session::Subscribed;

impl Board {
    pub(crate) fn server_tail(&mut self, call: &Call, params: Tail) -> Result<SubscribedResult, Error> {
        let all =
            [Area::Kv, Area::Lock, Area::Message, Area::Topic, Area::Agent, Area::Task, Area::Coordination];
        let areas = params.areas.unwrap_or_else(|| all.to_vec()).into_iter().collect();
        Ok(SubscribedResult { subscription: self.subscribe(call, Subscribed::Tail(areas))? })
    }

    /// Tells whoever tails of a change that was just made. `subject` and `detail` are only asked for if somebody does.
    pub(crate) fn tail(
        &mut self,
        now: Now,
        area: Area,
        action: &'static str,
        subject: &dyn Display,
        agent: Option<&AgentName>,
        detail: impl FnOnce() -> Option<String>,
    ) {
        if !self.sessions.has_tails() {
            return;
        }
        let Ok(action) = Label::new(action) else { return };
        let change = Change {
            area,
            action,
            subject: subject.to_string(),
            agent: agent.cloned(),
            revision: self.revision,
            at: now.unix_ms,
            detail: detail(),
        };
        let body = change.body();
        for (session, number) in self.sessions.tails() {
            let wanted = self.sessions.subscription(session, number).is_some_and(
                |subscription| matches!(&subscription.to, Subscribed::Tail(areas) if areas.contains(&area)),
            );
            if wanted {
                self.sessions.push(&mut self.effects, session, number, body.clone(), PushClass::Droppable);
            }
        }
    }
}
