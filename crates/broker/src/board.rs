//! The board: one namespace's whole state as a pure state machine.
//!
//! `apply(now, session, request, command)` answers a call or makes it wait; what else is to be done (replies to
//! requests that waited, pushes, change records) is polled with [`Board::take_effects`]. The board reads no clock,
//! draws no random number, opens nothing. Invariant: between two calls every part of it agrees with every other:
//! a token is in `leases` exactly when its lock or delivery is there, a deadline exactly when its entity has one.
//!
//! The verbs are in the files of their areas; this file has what they share.

mod agent;
mod cascade;
mod image;
mod kv;
mod limiter;
mod lock;
mod lock_grants;
mod lock_list;
mod lock_verbs;
mod message;
mod presence;
mod route;
mod session;
mod summary;
mod tail;
mod task;
mod time;
mod topic;
mod txn;
mod vote;
mod watching;

pub use image::{ImageCursor, RestoreError};
pub use session::{OpenSession, OpenedSession};
pub use summary::Summary;

use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::id::RequestId;
use callboard_protocol::limits::Limits;
use callboard_protocol::methods::BoardAnswer;
use callboard_protocol::names::AgentName;
use callboard_protocol::revision::Revision;

use crate::agents::Agents;
use crate::deadlines::Deadlines;
use crate::effects::{Effects, Outgoing, Output};
use crate::inbox::Inboxes;
use crate::keyspace::Keyspace;
use crate::keyspace::history::History;
use crate::keyspace::watch::WatchIndex;
use crate::lease::Leases;
use crate::limiter::Limiters;
use crate::lock::LockTable;
use crate::now::{Monotonic, Now};
use crate::record::Record;
use crate::session::{SessionId, Sessions};
use crate::storm::Storms;
use crate::task::Tasks;
use crate::topics::Topics;
use crate::vote::Votes;
use crate::wait::{Wait, WaitId, WaitKind, Waits};

/// Room for more records than this is not kept between calls.
const KEPT_RECORDS_MAX: usize = 64;

/// What a board is handed at birth.
#[derive(Debug, Clone)]
pub struct BoardConfig {
    /// The limits in force.
    pub limits: Limits,
    /// How long a session outlives its connection, in milliseconds.
    pub grace_ms: u64,
    /// Whether the verbs for people are allowed.
    pub admin: bool,
    /// Whether changes are recorded; a board that is never stored needs no records.
    pub records: bool,
}

impl Default for BoardConfig {
    fn default() -> Self {
        Self { limits: Limits::default(), grace_ms: 5000, admin: true, records: true }
    }
}

/// Who calls, when.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The moment.
    pub now: Now,
    /// The caller's session.
    pub session: SessionId,
    /// The session's agent.
    pub agent: Option<AgentName>,
    /// The request, unless it is a notification.
    pub request: Option<RequestId>,
}

impl Call {
    /// The caller's agent, for verbs that need one.
    pub fn agent(&self) -> Result<&AgentName, Error> {
        self.agent.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::AgentRequired,
                "this session has no agent: name one in session.open, or call agent.register first",
            )
        })
    }
}

/// What became of a call.
#[allow(
    clippy::large_enum_variant,
    reason = "an answer lives for one encode, and boxing it costs every call an allocation"
)]
#[derive(Debug)]
pub enum Outcome {
    /// It is answered.
    Done(Result<BoardAnswer, Error>),
    /// It waits; its answer comes as an effect.
    Waiting,
    /// It would have granted something to a notification, and was ignored.
    Ignored,
}

/// What a verb that can wait gives.
#[derive(Debug)]
pub(crate) enum Verdict<T> {
    /// The answer.
    Done(T),
    /// The answer comes later.
    Waiting,
}

/// One namespace's state.
#[derive(Debug)]
pub struct Board {
    pub(crate) config: BoardConfig,
    pub(crate) revision: Revision,
    pub(crate) recorded_revision: Revision,
    pub(crate) sessions: Sessions,
    pub(crate) agents: Agents,
    pub(crate) keyspace: Keyspace,
    pub(crate) history: History,
    pub(crate) watches: WatchIndex,
    pub(crate) locks: LockTable,
    pub(crate) lock_grants: lock_grants::Grants,
    pub(crate) lock_waiters: lock_grants::Waiters,
    pub(crate) inboxes: Inboxes,
    pub(crate) storms: Storms,
    pub(crate) topics: Topics,
    pub(crate) tasks: Tasks,
    pub(crate) votes: Votes,
    pub(crate) limiters: Limiters,
    pub(crate) leases: Leases,
    pub(crate) waits: Waits,
    pub(crate) deadlines: Deadlines,
    pub(crate) effects: Effects,
    pub(crate) memory_full: bool,
}

impl Board {
    /// An empty board whose first change gets the revision after `revision`.
    #[must_use]
    pub fn new(config: BoardConfig, revision: Revision) -> Self {
        Self {
            config,
            revision,
            recorded_revision: revision,
            sessions: Sessions::default(),
            agents: Agents::default(),
            keyspace: Keyspace::default(),
            history: History::starting_after(revision),
            watches: WatchIndex::default(),
            locks: LockTable::default(),
            lock_grants: lock_grants::Grants::default(),
            lock_waiters: lock_grants::Waiters::default(),
            inboxes: Inboxes::default(),
            storms: Storms::default(),
            topics: Topics::default(),
            tasks: Tasks::default(),
            votes: Votes::default(),
            limiters: Limiters::default(),
            leases: Leases::default(),
            waits: Waits::default(),
            deadlines: Deadlines::default(),
            effects: Effects::default(),
            memory_full: false,
        }
    }

    /// The revision of the last change.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// When [`Board::advance`] has something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Monotonic> {
        [self.deadlines.next(), self.tasks.next_due()].into_iter().flatten().min()
    }

    /// Whether the calls since the last time want something done.
    #[must_use]
    pub fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    /// What the calls since the last time want done.
    pub fn take_effects(&mut self) -> Effects {
        if !self.effects.records.is_empty() && self.recorded_revision != self.revision {
            self.recorded_revision = self.revision;
            self.effects.records.push(Record::Revision(self.revision));
        }
        std::mem::take(&mut self.effects)
    }

    /// Takes emptied effects back, so that the next call finds their room instead of asking for memory.
    pub fn reuse_effects(&mut self, mut effects: Effects) {
        effects.outputs.clear();
        effects.records.clear();
        if self.effects.is_empty() && effects.records.capacity() <= KEPT_RECORDS_MAX {
            self.effects = effects;
        }
    }

    /// What the board holds, in bytes as accounted against the memory ceiling.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.keyspace.bytes()
            + self.history.bytes()
            + self.inboxes.bytes()
            + self.storms.bytes()
            + self.lock_grants.bytes()
            + self.tasks.bytes()
            + self.votes.bytes()
            + self.limiters.bytes()
    }

    /// Tells whether the memory ceiling is reached: then changes that grow are refused.
    pub fn set_memory_full(&mut self, memory_full: bool) {
        self.memory_full = memory_full;
    }

    /// Whether the board holds nothing that anybody could miss.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keyspace.is_empty()
            && self.lock_grants.is_empty()
            && self.inboxes.is_empty()
            && self.tasks.is_empty()
            && self.votes.is_empty()
            && self.limiters.buckets.is_empty()
            && self.agents.is_empty()
            && self.sessions.table.is_empty()
    }

    /// Counts one change.
    pub(crate) fn next_revision(&mut self) -> Revision {
        self.revision.0 += 1;
        self.revision
    }

    pub(crate) fn record(&mut self, record: Record) {
        if self.config.records {
            self.effects.records.push(record);
        }
    }

    /// As [`Board::record`], for an entity that is costly to describe.
    pub(crate) fn record_entity(&mut self, describe: impl FnOnce(&Self) -> Option<Record>) {
        if self.config.records
            && let Some(record) = describe(self)
        {
            self.effects.records.push(record);
        }
    }

    /// Refuses a change that grows while memory is full.
    pub(crate) fn check_memory(&self) -> Result<(), Error> {
        if !self.memory_full {
            return Ok(());
        }
        let max = self.config.limits.memory_bytes;
        Err(limit_exceeded("memory_bytes", max, max, "delete keys, ack messages or raise memory_bytes"))
    }

    /// Makes a request wait until `wait_ms` from now.
    ///
    /// # Errors
    /// `limit_exceeded` when the connection has too many requests waiting.
    pub(crate) fn start_wait(&mut self, call: &Call, kind: WaitKind, wait_ms: u64) -> Result<WaitId, Error> {
        let max = self.config.limits.waiting_per_connection;
        let session = self.sessions.table.get_mut(&call.session);
        let (Some(request), Some(session)) = (call.request.clone(), session) else {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                "a notification can't wait: give the request an id",
            ));
        };
        let used = session.waits.len();
        if used >= max {
            return Err(limit_exceeded(
                "waiting_per_connection",
                used,
                max,
                "cancel one, or use another connection",
            ));
        }
        let due = call.now.monotonic.plus_ms(wait_ms);
        let wait = Wait { session: call.session, request, kind, since: call.now.monotonic, due };
        let id = self.waits.add(wait);
        session.waits.insert(id);
        self.deadlines.set(due, crate::deadlines::Deadline::Wait(id));
        Ok(id)
    }

    /// Takes a wait out of every table but its area's.
    pub(crate) fn end_wait(&mut self, id: WaitId) -> Option<Wait> {
        let wait = self.waits.take(id)?;
        self.deadlines.clear(wait.due, crate::deadlines::Deadline::Wait(id));
        if let Some(session) = self.sessions.table.get_mut(&wait.session) {
            session.waits.remove(&id);
        }
        Some(wait)
    }

    /// Answers a request that waited; its area has forgotten it.
    pub(crate) fn answer(&mut self, id: WaitId, result: Result<BoardAnswer, Error>) {
        self.answer_with(id, result, None);
    }

    /// As [`Board::answer`], for an answer that hands a message over.
    pub(crate) fn answer_with(
        &mut self,
        id: WaitId,
        result: Result<BoardAnswer, Error>,
        reply_message: Option<Revision>,
    ) {
        let Some(wait) = self.end_wait(id) else { return };
        let what = Outgoing::Reply { id: wait.request, result: Box::new(result), reply_message };
        self.effects.outputs.push(Output { session: wait.session, what });
    }
}

/// The error for a limit that is reached.
pub(crate) fn limit_exceeded(limit: &'static str, used: usize, max: usize, advice: &str) -> Error {
    Error::new(ErrorKind::LimitExceeded, format!("{limit} is reached: {used} of {max}; {advice}"))
        .with("limit", limit)
        .with("used", used)
        .with("max", max)
}

/// The error for a parameter that is wrong in itself.
pub(crate) fn invalid_params(member: &'static str, message: impl Into<Box<str>>) -> Error {
    Error::new(ErrorKind::InvalidParams, message).with("member", member)
}

/// The error for something that is not there.
pub(crate) fn not_found(what: &'static str, message: String) -> Error {
    Error::new(ErrorKind::NotFound, message).with("what", what)
}

/// Refuses a free text that is too long, or absurd.
pub(crate) fn check_text(member: &'static str, text: Option<&String>) -> Result<(), Error> {
    let max = callboard_protocol::limits::TEXT_BYTES_MAX;
    match text {
        Some(text) if text.len() > max => {
            let message = format!(
                "`{member}` has {} bytes, at most {max} are allowed: put more into a payload",
                text.len()
            );
            Err(invalid_params(member, message))
        }
        Some(_) | None => Ok(()),
    }
}
