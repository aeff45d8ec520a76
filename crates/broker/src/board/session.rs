//! Opening, losing, resuming and ending sessions; their subscriptions.

use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::event::{Event, LeftWhy, ServerStopping};
use callboard_protocol::id::RequestId;
use callboard_protocol::methods::session::{Program, Unsubscribe};
use callboard_protocol::methods::{Empty, session};
use callboard_protocol::names::AgentName;

use crate::board::route::DEADLINES_PER_CALL;
use crate::board::{Board, Call, limit_exceeded, not_found};
use crate::deadlines::Deadline;
use crate::effects::{Outgoing, Output};
use crate::now::Now;
use crate::record::{Record, SessionRecord};
use crate::session::{Link, Session, SessionId, Subscribed, SubscriptionId};
use crate::wait::WaitId;

/// What a new session is handed. The id and the token are drawn at random by the caller.
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// Its name.
    pub id: SessionId,
    /// What will take it over; none for a connection that never said `session.open`.
    pub resume_token: Option<String>,
    /// For whom it acts.
    pub agent: Option<AgentName>,
    /// The program at the other end.
    pub client: Program,
}

/// What `session.open` reports of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedSession {
    /// For whom it acts.
    pub agent: Option<AgentName>,
    /// How many sessions that agent has now.
    pub sessions: usize,
}

impl Board {
    /// Opens a session for a new connection.
    ///
    /// # Errors
    /// `limit_exceeded` when its agent would be one too many.
    pub fn open_session(&mut self, now: Now, open: OpenSession) -> Result<OpenedSession, Error> {
        self.advance(now, DEADLINES_PER_CALL);
        let OpenSession { id, resume_token, agent, client } = open;
        if let Some(agent) = &agent {
            self.check_agent_limit(agent)?;
        }
        let session = Session::new(now, Link::Connected, agent.clone(), resume_token, client);
        self.sessions.insert(id, session);
        self.record_session(id);
        if let Some(agent) = &agent {
            self.sign_in(now, agent);
        }
        Ok(self.opened(id))
    }

    /// What a session is now.
    #[must_use]
    pub fn opened(&self, id: SessionId) -> OpenedSession {
        let agent = self.sessions.table.get(&id).and_then(|session| session.agent.clone());
        let sessions = agent.as_ref().map_or(0, |agent| self.sessions.of_agent(agent).count());
        OpenedSession { agent, sessions }
    }

    /// Whether this is the token of that session.
    #[must_use]
    pub fn is_resume_token(&self, id: SessionId, token: &str) -> bool {
        self.sessions.table.get(&id).is_some_and(|session| session.resume_token.as_deref() == Some(token))
    }

    /// Takes a session over for a new connection: what waited ended with the old one, leased pushes come again.
    /// `None` when there is no such session or the token is not its own.
    ///
    /// # Errors
    /// `invalid_params` when `open` names another agent than the session's.
    pub fn resume_session(
        &mut self,
        now: Now,
        id: SessionId,
        resume_token: &str,
        open: &session::Open,
    ) -> Result<Option<OpenedSession>, Error> {
        self.advance(now, DEADLINES_PER_CALL);
        let Some(session) = self.sessions.table.get(&id) else {
            return Ok(None);
        };
        if session.resume_token.as_deref() != Some(resume_token) {
            return Ok(None);
        }
        if let Link::Grace(due) = session.link
            && due <= now.monotonic
        {
            self.end_session(now, id);
            return Ok(None);
        }
        if open.agent.is_some() && open.agent != session.agent {
            let message =
                "the session to resume acts for another agent: leave `agent` out, or open a new session";
            return Err(Error::new(ErrorKind::InvalidParams, message).with("member", "agent"));
        }
        self.withdraw_waits(now, id);
        let Some(session) = self.sessions.table.get_mut(&id) else {
            return Ok(None);
        };
        if let Link::Grace(due) = session.link {
            self.deadlines.clear(due, Deadline::Grace(id));
        }
        session.link = Link::Connected;
        session.paused = false;
        self.note_call(now, id)?;
        self.push_leased_again(now, id);
        self.feed_takers(now, id);
        Ok(Some(self.opened(id)))
    }

    /// The connection of a session is gone: its waits end now, the session itself after its grace.
    pub fn lose_connection(&mut self, now: Now, id: SessionId) {
        self.withdraw_waits(now, id);
        let grace_ms = self.config.grace_ms;
        let Some(session) = self.sessions.table.get_mut(&id).filter(|session| session.is_connected()) else {
            return;
        };
        if !session.is_lasting() || grace_ms == 0 {
            self.end_session(now, id);
            return;
        }
        let due = now.monotonic.plus_ms(grace_ms);
        session.link = Link::Grace(due);
        self.deadlines.set(due, Deadline::Grace(id));
    }

    /// The peer hung up, though the connection is not closed yet: requests that wait are withdrawn before any grace.
    pub fn withdraw_waits(&mut self, now: Now, id: SessionId) {
        let waits: Vec<WaitId> = self
            .sessions
            .table
            .get(&id)
            .map(|session| session.waits.iter().copied().collect())
            .unwrap_or_default();
        for wait in waits {
            self.withdraw_wait(now, wait);
        }
    }

    /// How many requests of a session wait.
    #[must_use]
    pub fn waiting(&self, id: SessionId) -> usize {
        self.sessions.table.get(&id).map_or(0, |session| session.waits.len())
    }

    /// `session.close`: ends a session, and with `leave` its agent's presence and agent-bound leases.
    pub fn close_session(&mut self, now: Now, id: SessionId, leave: bool) {
        let agent = self.sessions.table.get_mut(&id).and_then(|session| {
            session.last_call = now;
            session.agent.clone()
        });
        self.end_session(now, id);
        if let Some(agent) = agent.filter(|_| leave) {
            self.leave(now, &agent, LeftWhy::Closed);
        }
    }

    /// `session.cancel`: whether a request with this id waited; it ends with `cancelled`.
    pub fn cancel(&mut self, now: Now, id: SessionId, request: &RequestId) -> bool {
        let Some(session) = self.sessions.table.get_mut(&id) else {
            return false;
        };
        session.last_call = now;
        let wait = session
            .waits
            .iter()
            .copied()
            .find(|wait| self.waits.find(*wait).is_some_and(|wait| wait.request == *request));
        let Some(wait) = wait else { return false };
        let error = Error::new(ErrorKind::Cancelled, "cancelled by session.cancel; nothing was changed");
        self.refuse_wait(now, wait, error);
        true
    }

    /// Tells each connected session that the daemon stops.
    pub fn announce_stop(&mut self) {
        let body = ServerStopping {}.body();
        let sessions: Vec<SessionId> = self.sessions.table.keys().copied().collect();
        for id in sessions {
            self.sessions.notify_session(&mut self.effects, id, &body);
        }
    }

    /// Tells whether a session is slow. While it is, it is leased no messages and sent no initial state.
    pub fn set_paused(&mut self, now: Now, id: SessionId, paused: bool) {
        let Some(session) = self.sessions.table.get_mut(&id) else {
            return;
        };
        session.paused = paused;
        if !paused {
            self.feed_takers(now, id);
            self.continue_initial(now, id);
        }
    }

    /// Notes a call that the daemon answers itself: it counts for the presence of the session's agent.
    pub fn note_host_call(&mut self, now: Now, id: SessionId) {
        // A session that is over has no presence left to refresh.
        let _ = self.note_call(now, id);
    }

    /// Notes a call of a session; gives the agent that it acts for.
    pub(crate) fn note_call(&mut self, now: Now, id: SessionId) -> Result<Option<AgentName>, Error> {
        let Some(session) = self.sessions.table.get_mut(&id) else {
            return Err(Error::new(ErrorKind::Internal, "this session is over: open a new one"));
        };
        session.last_call = now;
        let agent = session.agent.clone();
        if session.signed_out
            && let Some(agent) = &agent
        {
            self.sign_in(now, agent);
        }
        Ok(agent)
    }

    /// Ends a session: its subscriptions, waits and bound leases, and perhaps its agent's presence clock starts.
    pub(crate) fn end_session(&mut self, now: Now, id: SessionId) {
        self.withdraw_waits(now, id);
        let subscriptions: Vec<SubscriptionId> = self
            .sessions
            .table
            .get(&id)
            .map(|session| session.subscriptions.keys().copied().collect())
            .unwrap_or_default();
        for subscription in subscriptions {
            self.unsubscribe(id, subscription);
        }
        let Some(session) = self.sessions.remove(id) else {
            return;
        };
        if let Link::Grace(due) = session.link {
            self.deadlines.clear(due, Deadline::Grace(id));
        }
        if session.is_lasting() {
            self.record(Record::SessionEnded(id));
        }
        self.effects.outputs.push(Output { session: id, what: Outgoing::Ended });
        self.end_session_leases(now, id);
        if let Some(agent) = &session.agent {
            self.session_of_agent_ended(now, agent, session.last_call);
        }
    }

    /// Adds a subscription.
    pub(crate) fn subscribe(&mut self, call: &Call, to: Subscribed) -> Result<SubscriptionId, Error> {
        let max = self.config.limits.subscriptions_per_session;
        let used = self.sessions.table.get(&call.session).map_or(0, |session| session.subscriptions.len());
        if used >= max {
            return Err(limit_exceeded(
                "subscriptions_per_session",
                used,
                max,
                "end one with session.unsubscribe",
            ));
        }
        Ok(self.sessions.subscribe(call.session, to))
    }

    /// Takes a subscription out of its area's index.
    fn unsubscribe(&mut self, id: SessionId, number: SubscriptionId) -> bool {
        let Some(subscription) = self.sessions.unsubscribe(id, number) else {
            return false;
        };
        match subscription.to {
            Subscribed::Watch(watch) => self.watches.remove(&watch.scope, id, number),
            Subscribed::Inbox => self.inboxes.remove_taker(id, number),
            Subscribed::Wake => self.inboxes.wakers.remove((id, number)),
            Subscribed::Topic => self.topics.remove(id, number),
            Subscribed::Agents => {
                self.agents.watchers.remove(&(id, number));
            }
            Subscribed::Tasks => {
                self.tasks.watchers.remove(&(id, number));
            }
            Subscribed::Tail(_) => {}
        }
        true
    }

    pub(crate) fn session_unsubscribe(&mut self, call: &Call, params: &Unsubscribe) -> Result<Empty, Error> {
        if self.unsubscribe(call.session, params.subscription) {
            return Ok(Empty {});
        }
        Err(not_found("subscription", format!("this session has no subscription {}", params.subscription)))
    }

    /// Takes a session's agent away, on record too.
    pub(crate) fn remove_agent_of_session(&mut self, id: SessionId) {
        self.sessions.set_agent(id, None);
        let is_lasting = self.sessions.table.get(&id).is_some_and(Session::is_lasting);
        if is_lasting {
            self.record_session(id);
        } else {
            self.record(Record::SessionEnded(id));
        }
    }

    /// Refuses what a session waits for, as its agent is removed.
    pub(crate) fn refuse_waits(&mut self, now: Now, id: SessionId) {
        let session = self.sessions.table.get(&id);
        let waits: Vec<WaitId> =
            session.map_or_else(Vec::new, |session| session.waits.iter().copied().collect());
        for wait in waits {
            let error = Error::new(
                ErrorKind::AgentRequired,
                "this session's agent was removed: call agent.register, then ask again",
            );
            self.refuse_wait(now, wait, error);
        }
    }

    /// Records a session that outlives its connection.
    pub(crate) fn record_session(&mut self, id: SessionId) {
        self.record_entity(|board| board.session_record(id).map(Record::Session));
    }

    pub(crate) fn session_record(&self, id: SessionId) -> Option<SessionRecord> {
        let session = self.sessions.table.get(&id).filter(|session| session.is_lasting())?;
        Some(SessionRecord {
            id,
            resume_token: session.resume_token.clone(),
            agent: session.agent.clone(),
            // A process id means nothing after a restart of the machine, or on another one.
            client: Program { pid: None, ..session.client.clone() },
        })
    }
}
