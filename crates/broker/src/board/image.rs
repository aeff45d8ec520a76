//! The board as records, and back: what a snapshot holds and what recovery loads.
//!
//! Invariant: restoring an image and then the records that followed it, in order, gives the state that they describe:
//! each record overwrites its whole entity and nothing is compared. Whatever concerns several entities is checked and
//! rebuilt at the end, in [`Board::finish_restore`]. While the daemon was down wall time counted.

use std::ops::Bound;

use callboard_protocol::limits::{FORGET_AGENT_MS, RESTART_LEASE_MS_MIN};
use callboard_protocol::methods::message::Stale;
use callboard_protocol::revision::{MessageId, Revision, TaskId, Token, VoteId};
use callboard_protocol::{AgentName, Key};

use crate::agents::{Agent, Profile};
use crate::board::lock_grants::{Ending, GrantInfo};
use crate::board::{Board, BoardConfig};
use crate::deadlines::Deadline;
use crate::keyspace::Entry;
use crate::keyspace::history::History;
use crate::lease::{Binding, Lease, Leased};
use crate::lock::{LockName, LockNameError, LockNames, Request};
use crate::now::Now;
use crate::record::{AgentRecord, KeyRecord, LeaseRecord, LockRecord, Record, SessionRecord};
use crate::session::{Link, Session, SessionId};

/// Why a record can't be restored. `Display` completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A lock's name is none.
    #[error("restore the lock {token}: {name:?}: {source}")]
    LockName {
        /// The lock's token.
        token: Token,
        /// The name.
        name: String,
        /// What is wrong with it.
        source: LockNameError,
    },
}

/// How far the walk of an image is: what was given last, area by area. Areas that others refer to come first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ImageCursor {
    /// Nothing was given yet.
    #[default]
    Start,
    /// Sessions, up to this one.
    Sessions(Option<SessionId>),
    /// Agents, up to this one.
    Agents(Option<AgentName>),
    /// Keys, up to this one.
    Keys(Option<Key>),
    /// Locks, up to this one.
    Locks(Token),
    /// Messages with their deliveries, up to this one.
    Messages(MessageId),
    /// Tasks, up to this one.
    Tasks(TaskId),
    /// Votes with their ballots, up to this one.
    Votes(VoteId),
    /// Buckets, up to this one.
    Limiters(Option<Key>),
    /// All was given.
    End,
}

impl Board {
    /// The next slice of the board's image: entities as they are now, each whole, about `limit` of them. The board may
    /// change between slices: all slices, followed by the records of everything that changed since the first one, give
    /// the board as it is after them.
    pub fn image_slice(&self, now: Now, cursor: &mut ImageCursor, limit: usize) -> Vec<Record> {
        let mut records = Vec::new();
        while records.len() < limit && *cursor != ImageCursor::End {
            let room = limit - records.len();
            self.add_to_slice(now, cursor, room, &mut records);
        }
        records
    }

    /// Adds up to `room` entities of the area that the cursor is in; once there are fewer, it goes on to the next area.
    fn add_to_slice(&self, now: Now, cursor: &mut ImageCursor, room: usize, records: &mut Vec<Record>) {
        let mut left = room;
        let next = match cursor {
            ImageCursor::Start => {
                records.push(Record::Revision(self.revision));
                records.extend(self.leaving_records().into_iter().map(Record::Leaving));
                ImageCursor::Sessions(None)
            }
            ImageCursor::Sessions(last) => {
                let from = last.map_or(Bound::Unbounded, Bound::Excluded);
                let ids = self.sessions.table.range((from, Bound::Unbounded)).map(|(id, _)| *id).take(room);
                left -= each(ids, last, |id| records.extend(self.session_record(id).map(Record::Session)));
                ImageCursor::Agents(None)
            }
            ImageCursor::Agents(last) => {
                let after = last.take();
                let agents = self.agents.iter_after(after.as_ref().map(AgentName::as_str)).take(room);
                left -= each(agents.map(|(name, _)| name.clone()), last, |name| {
                    records.extend(self.agent_record(now, &name).map(Box::new).map(Record::Agent));
                });
                ImageCursor::Keys(None)
            }
            ImageCursor::Keys(last) => {
                let after = last.take();
                let after = after.as_ref().map(Key::as_str);
                for (key, entry) in self.keyspace.range("", after, now.monotonic).take(room) {
                    *last = Some(key.clone());
                    left -= 1;
                    records.push(Record::Key(crate::board::kv::key_record(now, key, entry)));
                }
                ImageCursor::Locks(Revision(0))
            }
            ImageCursor::Locks(last) => {
                let tokens = self.locks.grants_from(last.0 + 1).map(|(token, _)| Revision(token));
                left -= each(tokens.take(room), last, |token| {
                    records.extend(self.lock_record(now, token).map(Record::Lock));
                });
                ImageCursor::Messages(Revision(0))
            }
            ImageCursor::Messages(last) => {
                let ids = self.inboxes.iter_after(*last).map(|(id, _)| id).take(room);
                left -= each(ids, last, |id| records.extend(self.records_of_message(now, id)));
                ImageCursor::Tasks(Revision(0))
            }
            ImageCursor::Tasks(last) => {
                let ids = self.tasks.iter_after(*last).map(|(id, _)| id).take(room);
                left -= each(ids, last, |id| records.extend(self.records_of_task(now, id)));
                ImageCursor::Votes(Revision(0))
            }
            ImageCursor::Votes(last) => {
                let ids = self.votes.iter_after(*last).map(|(id, _)| id).take(room);
                left -= each(ids, last, |id| records.extend(self.records_of_vote(now, id)));
                ImageCursor::Limiters(None)
            }
            ImageCursor::Limiters(last) => {
                let after = last.take();
                let names = self.limiters.after(after.as_ref()).map(|(name, _)| name.clone()).take(room);
                left -= each(names, last, |name| {
                    records.extend(self.limiter_record(now, &name).map(Record::Limiter));
                });
                ImageCursor::End
            }
            ImageCursor::End => return,
        };
        if left > 0 {
            *cursor = next;
        }
    }

    /// A board that has restored nothing yet. `revision` is the last one that may have been given out.
    #[must_use]
    pub fn restoring(config: BoardConfig, revision: Revision) -> Self {
        Self::new(config, revision)
    }

    /// Takes one record of an image or of what followed it.
    ///
    /// # Errors
    /// [`RestoreError`] when what it says can't be.
    pub fn restore(&mut self, now: Now, record: Record) -> Result<(), RestoreError> {
        match record {
            Record::Revision(revision) => self.revision = self.revision.max(revision),
            Record::Key(record) => self.restore_key(now, record),
            Record::KeyEnded(key) => self.drop_key(&key),
            Record::Lock(record) => self.restore_lock(now, record)?,
            Record::LockEnded(token) => self.drop_lock(token),
            Record::Agent(record) => self.restore_agent(now, *record),
            Record::AgentEnded(name) => self.drop_restored_agent(&name),
            Record::Session(record) => self.restore_session(now, record),
            Record::SessionEnded(id) => {
                self.sessions.remove(id);
            }
            Record::Leaving(record) => self.restore_leaving(&record),
            Record::LeavingEnded(agent) => self.restore_leaving_ended(&agent),
            Record::Message(record) => self.restore_message(*record),
            Record::MessageEnded(id) => self.restore_message_ended(id),
            Record::Delivery(record) => self.restore_delivery(record),
            Record::Task(record) => self.restore_task(*record),
            Record::TaskState(record) => self.restore_task_state(*record),
            Record::TaskEnded(id) => self.restore_task_ended(id),
            Record::Vote(record) => self.restore_vote(record),
            Record::Ballot(record) => self.restore_ballot(record),
            Record::VoteEnded(id) => {
                self.votes.restoring.remove(&id);
            }
            Record::Limiter(record) => self.restore_limiter(now, &record),
            Record::LimiterEnded(name) => self.drop_limiter(&name),
        }
        Ok(())
    }

    /// Ends the restore: graces and presences run from now, leases whose session is gone end, queues are rebuilt.
    pub fn finish_restore(&mut self, now: Now) {
        self.history = History::starting_after(self.revision);
        self.recorded_revision = self.revision;
        let grace_due = now.monotonic.plus_ms(self.config.grace_ms);
        let sessions: Vec<SessionId> = self.sessions.table.keys().copied().collect();
        for id in sessions {
            if let Some(session) = self.sessions.table.get_mut(&id) {
                session.link = Link::Grace(grace_due);
                self.deadlines.set(grace_due, Deadline::Grace(id));
            }
        }
        self.finish_restore_messages(now);
        self.finish_restore_tasks(now);
        self.finish_restore_votes(now);
        self.finish_agents(now);
        self.finish_leaving(now);
        let orphans: Vec<Token> = self
            .locks
            .grants_from(0)
            .map(|(token, _)| Revision(token))
            .filter(|token| self.leases.find(*token).is_some_and(|lease| self.is_orphan(lease)))
            .collect();
        for token in orphans {
            self.end_lock(now, token, Ending::quietly(Stale::Expired));
        }
    }

    /// Whether the session that a lease is bound to is gone.
    pub(crate) fn is_orphan(&self, lease: &Lease) -> bool {
        match lease.binding {
            Binding::Agent => false,
            Binding::Session(session) => !self.sessions.table.contains_key(&session),
        }
    }

    fn finish_agents(&mut self, now: Now) {
        let agents: Vec<(AgentName, bool)> =
            self.agents.iter_after(None).map(|(name, agent)| (name.clone(), agent.live)).collect();
        for (name, live) in agents {
            self.count_load(&name);
            if live && self.sessions.of_agent(&name).next().is_none() {
                self.start_presence_clock(now, &name);
            } else if !live {
                let due = self.last_seen(&name).plus_ms(FORGET_AGENT_MS);
                self.deadlines.set(due, Deadline::ForgetAgent(name.clone()));
                self.agents.change(&name, |agent| agent.forget_due = Some(due));
            }
        }
    }

    fn restore_key(&mut self, now: Now, record: KeyRecord) {
        let KeyRecord { key, value, revision, expires_at, updated_at, updated_by } = record;
        let due = expires_at.map(|at| now.due_at(at));
        let entry = Entry { value, revision, due, updated_at, updated_by };
        let before = self.keyspace.insert(key.clone(), entry);
        self.deadlines.change(before.and_then(|before| before.due), due, Deadline::Key(key));
    }

    fn drop_key(&mut self, key: &Key) {
        if let Some(entry) = self.keyspace.remove(key) {
            self.deadlines.change(entry.due, None, Deadline::Key(key.clone()));
        }
    }

    /// A lease as it goes on after a restart: with at least 5 s left, so that its holder can extend it.
    pub(crate) fn lease_after_restart(&self, now: Now, of: Leased, record: &LeaseRecord) -> Lease {
        let least = now.monotonic.plus_ms(RESTART_LEASE_MS_MIN);
        Lease {
            of,
            agent: record.agent.clone(),
            binding: record.session.map_or(Binding::Agent, Binding::Session),
            ttl_ms: record.ttl_ms,
            due: record.expires_at.map(|at| now.due_at(at).max(least)),
        }
    }

    fn restore_lock(&mut self, now: Now, record: LockRecord) -> Result<(), RestoreError> {
        let token = record.lease.token;
        self.drop_lock(token);
        let name = |text: &String| {
            LockName::restore(text).map_err(|source| RestoreError::LockName {
                token,
                name: text.clone(),
                source,
            })
        };
        let names: LockNames = record.keys.iter().map(name).collect::<Result<_, _>>()?;
        let lease = self.lease_after_restart(now, Leased::Lock, &record.lease);
        self.leases.grant(&mut self.deadlines, token, lease);
        self.lock_grants.insert(token, GrantInfo::new(&names, record.reason, record.acquired_at));
        self.locks.grant(token.0, Request { agent: record.lease.agent, names, mode: record.mode });
        Ok(())
    }

    fn drop_lock(&mut self, token: Token) {
        if self.locks.release(token.0).is_some() {
            self.leases.end(&mut self.deadlines, token, Stale::Expired);
            self.lock_grants.remove(token);
        }
    }

    fn restore_agent(&mut self, now: Now, record: AgentRecord) {
        self.drop_restored_agent(&record.name);
        let mut agent = Agent::new(record.ttl_ms, record.registered_at, now.past(record.last_seen_at));
        agent.live = record.live;
        agent.profile = Profile {
            role: record.role,
            capabilities: record.capabilities,
            description: record.description,
            metadata: record.metadata,
            status: record.status,
            task: record.task,
            note: record.note,
            progress: record.progress,
        };
        self.agents.insert(record.name, agent);
    }

    fn drop_restored_agent(&mut self, name: &AgentName) {
        self.agents.remove(name);
    }

    fn restore_session(&mut self, now: Now, record: SessionRecord) {
        let SessionRecord { id, resume_token, agent, client } = record;
        self.sessions.remove(id);
        let link = Link::Grace(now.monotonic);
        self.sessions.insert(id, Session::new(now, link, agent, resume_token, client));
    }

    /// The sessions that a restored board waits for.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionId> {
        self.sessions.table.keys().copied().collect()
    }
}

/// Adds each of these and notes the last one; gives how many there were.
fn each<T: Clone, L: From<T>>(ids: impl Iterator<Item = T>, last: &mut L, mut add: impl FnMut(T)) -> usize {
    let mut count = 0;
    for id in ids {
        *last = L::from(id.clone());
        count += 1;
        add(id);
    }
    count
}
