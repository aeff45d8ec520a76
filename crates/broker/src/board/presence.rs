//! Presence: when an agent counts as here, and what its leaving ends.
//!
//! Presence lasts while a session of the agent is connected or in grace, then until its TTL after the last call.
//! Refreshing it is no change: no revision, no record.

use callboard_protocol::error::Error;
use callboard_protocol::event::{AgentLeft, Event, LeaseKind, LeftWhy};
use callboard_protocol::limits::{FORGET_AGENT_MS, PRESENCE_TTL_MS_DEFAULT};
use callboard_protocol::methods::server::Area;
use callboard_protocol::names::AgentName;
use callboard_protocol::revision::Token;

use crate::agents::Agent;
use crate::board::{Board, limit_exceeded};
use crate::deadlines::Deadline;
use crate::effects::PushClass;
use crate::now::{Monotonic, Now};
use crate::record::{AgentRecord, Record};

impl Board {
    /// Refuses an agent that would be one too many.
    pub(crate) fn check_agent_limit(&self, name: &AgentName) -> Result<(), Error> {
        let max = self.config.limits.agents;
        let used = self.agents.len().max(self.inboxes.len());
        if self.agents.find(name).is_some() || used < max {
            return Ok(());
        }
        Err(limit_exceeded("agents", used, max, "remove names that are gone with agent.remove"))
    }

    /// Makes a name known; its presence begins with [`Board::sign_in`].
    pub(crate) fn insert_agent(&mut self, now: Now, name: &AgentName) {
        if self.agents.find(name).is_none() {
            let agent = Agent::new(PRESENCE_TTL_MS_DEFAULT, now.unix_ms, now.monotonic);
            self.agents.insert(name.clone(), agent);
            self.count_load(name);
        }
    }

    /// Begins an agent's presence, unless it lasts already.
    pub(crate) fn sign_in(&mut self, now: Now, name: &AgentName) {
        self.insert_agent(now, name);
        if self.agents.find(name).is_some_and(|agent| agent.live && !agent.is_live_at(now.monotonic)) {
            self.presence_ran_out(now, name);
        }
        let sessions: Vec<_> = self.sessions.of_agent(name).collect();
        for id in &sessions {
            if let Some(session) = self.sessions.table.get_mut(id) {
                session.signed_out = false;
            }
        }
        let deadlines = &mut self.deadlines;
        let joined = self.agents.change(name, |agent| {
            deadlines.change(agent.presence_due.take(), None, Deadline::Presence(name.clone()));
            deadlines.change(agent.forget_due.take(), None, Deadline::ForgetAgent(name.clone()));
            !std::mem::replace(&mut agent.live, true)
        });
        if joined == Some(true) {
            self.next_revision();
            self.record_agent(now, name);
            self.announce_joined(now, name);
        }
        if sessions.is_empty() {
            self.start_presence_clock(now, name);
        }
    }

    /// One of an agent's sessions ended: without another one its presence clock runs from its last call.
    pub(crate) fn session_of_agent_ended(&mut self, now: Now, name: &AgentName, last_call: Now) {
        self.agents.change(name, |agent| {
            agent.last_seen = agent.last_seen.max(last_call.monotonic);
        });
        if self.sessions.of_agent(name).next().is_none() && self.agents.is_live(name) {
            self.start_presence_clock(now, name);
        }
    }

    pub(crate) fn start_presence_clock(&mut self, now: Now, name: &AgentName) {
        let deadlines = &mut self.deadlines;
        let is_over = self.agents.change(name, |agent| {
            let due = agent.last_seen.plus_ms(agent.ttl_ms);
            deadlines.change(agent.presence_due, Some(due), Deadline::Presence(name.clone()));
            agent.presence_due = Some(due);
            due <= now.monotonic
        });
        if is_over == Some(true) {
            self.presence_ran_out(now, name);
        }
    }

    pub(crate) fn presence_ran_out(&mut self, now: Now, name: &AgentName) {
        self.end_presence(now, name, LeftWhy::Expired);
    }

    /// The agent says that it leaves, or is removed: its presence and all leases bound to it end.
    pub(crate) fn leave(&mut self, now: Now, name: &AgentName, why: LeftWhy) {
        let sessions: Vec<_> = self.sessions.of_agent(name).collect();
        for id in sessions {
            if let Some(session) = self.sessions.table.get_mut(&id) {
                session.signed_out = true;
            }
        }
        self.end_agent_leases(now, name, why == LeftWhy::Removed);
        self.end_presence(now, name, why);
    }

    fn end_presence(&mut self, now: Now, name: &AgentName, why: LeftWhy) {
        let forget_due = self.last_seen(name).plus_ms(FORGET_AGENT_MS).max(now.monotonic);
        let deadlines = &mut self.deadlines;
        let left = self.agents.change(name, |agent| {
            deadlines.change(agent.presence_due.take(), None, Deadline::Presence(name.clone()));
            if !std::mem::replace(&mut agent.live, false) {
                return false;
            }
            deadlines.change(agent.forget_due, Some(forget_due), Deadline::ForgetAgent(name.clone()));
            agent.forget_due = Some(forget_due);
            true
        });
        if left == Some(true) {
            self.next_revision();
            self.record_agent(now, name);
            self.announce_left(now, name, why);
        }
    }

    pub(crate) fn announce_left(&mut self, now: Now, name: &AgentName, why: LeftWhy) {
        let detail = match why {
            LeftWhy::Closed => "closed",
            LeftWhy::Expired => "expired",
            LeftWhy::Removed => "removed",
        };
        self.tail(now, Area::Agent, "left", name, Some(name), || Some(detail.to_owned()));
        let body = AgentLeft { agent: name.clone(), why, live: false }.body();
        self.push_to_agent_watchers(&body);
    }

    /// Forgets a name that left. Later, when its inbox holds something, or when it was seen after it left: by the end of a
    /// session that it had not left through.
    pub(crate) fn forget_agent(&mut self, now: Now, name: &AgentName) {
        if self.agents.find(name).is_none_or(|agent| agent.live) {
            return;
        }
        let since = if self.inboxes.load(name) > 0 { now.monotonic } else { self.last_seen(name) };
        let due = since.plus_ms(FORGET_AGENT_MS);
        if due > now.monotonic {
            self.deadlines.set(due, Deadline::ForgetAgent(name.clone()));
            self.agents.change(name, |agent| agent.forget_due = Some(due));
            return;
        }
        self.drop_agent(now, name);
    }

    /// Takes a name out of the table for good.
    pub(crate) fn drop_agent(&mut self, now: Now, name: &AgentName) {
        let Some(agent) = self.agents.remove(name) else {
            return;
        };
        self.deadlines.change(agent.forget_due, None, Deadline::ForgetAgent(name.clone()));
        self.deadlines.change(agent.presence_due, None, Deadline::Presence(name.clone()));
        self.inboxes.forget_if_empty(name);
        self.next_revision();
        self.record(Record::AgentEnded(name.clone()));
        self.tail(now, Area::Agent, "forgotten", name, Some(name), || None);
    }

    /// When an agent last called, through whichever session.
    pub(crate) fn last_seen(&self, name: &AgentName) -> Monotonic {
        let of_sessions = self
            .sessions
            .of_agent(name)
            .filter_map(|id| self.sessions.table.get(&id))
            .map(|session| session.last_call.monotonic)
            .max();
        let of_agent = self.agents.find(name).map(|agent| agent.last_seen);
        of_sessions.max(of_agent).unwrap_or_default()
    }

    pub(crate) fn record_agent(&mut self, now: Now, name: &AgentName) {
        self.record_entity(|board| Some(Record::Agent(Box::new(board.agent_record(now, name)?))));
    }

    pub(crate) fn agent_record(&self, now: Now, name: &AgentName) -> Option<AgentRecord> {
        let agent = self.agents.find(name)?;
        let profile = agent.profile.clone();
        Some(AgentRecord {
            name: name.clone(),
            role: profile.role,
            capabilities: profile.capabilities,
            description: profile.description,
            metadata: profile.metadata,
            status: profile.status,
            task: profile.task,
            note: profile.note,
            progress: profile.progress,
            live: agent.live,
            ttl_ms: agent.ttl_ms,
            registered_at: agent.registered_at,
            last_seen_at: now.unix_of(self.last_seen(name)),
        })
    }

    /// Pushes an event to whoever watches agents.
    pub(crate) fn push_to_agent_watchers(&mut self, body: &callboard_protocol::event::EventBody) {
        let watchers: Vec<_> = self.agents.watchers.iter().copied().collect();
        for (session, subscription) in watchers {
            self.sessions.push(&mut self.effects, session, subscription, body.clone(), PushClass::Droppable);
        }
    }

    /// Counts what an agent has queued, leased and claimed, which `any:` goes by, where it can't have been told of it.
    pub(crate) fn count_load(&mut self, name: &AgentName) {
        let queued = self.inboxes.load(name);
        // Other than in `lease_count` overdue ones count: their end is still to be told.
        let is_claim = |token: &Token| self.leases.task_of(*token).is_some();
        let claimed = self.leases.of_agent(name).iter().filter(|token| is_claim(token)).count();
        self.agents.set_queued(name, queued);
        self.agents.set_claimed(name, claimed);
    }

    /// How many leases of a kind an agent holds.
    pub(crate) fn lease_count(&self, now: Now, name: &AgentName, kind: LeaseKind) -> usize {
        let tokens = self.leases.of_agent(name);
        tokens
            .iter()
            .filter(|token| {
                let live = self.leases.find_live(**token, now.monotonic);
                live.is_some_and(|lease| lease.of.kind() == kind)
            })
            .count()
    }
}
