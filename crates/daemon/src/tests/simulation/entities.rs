//! What records say, entity by entity: the plainest possible restore, written without the broker's.
//!
//! Invariant: a record overwrites its entity, an end removes it. Two states are compared in what a restart must keep;
//! times are compared as far as the wall clock allowed them to be right.

use std::collections::BTreeMap;

use callboard_broker::Record;
use callboard_protocol::Namespace;

use super::model::LEASE_MS_MIN;

/// Names one entity of a board, in the order of an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntityId {
    Session(u64),
    Leaving(String),
    Agent(String),
    Key(String),
    Lock(u64),
    Message(u64),
    Delivery(u64, String),
    Task(u64),
    TaskState(u64),
    Vote(u64),
    Ballot(u64, String),
    Limiter(String),
}

impl EntityId {
    /// Whether it ends with the other one, without a record of its own.
    fn is_part_of(&self, whole: &Self) -> bool {
        match (self, whole) {
            (Self::Delivery(of, _), Self::Message(id))
            | (Self::TaskState(of), Self::Task(id))
            | (Self::Ballot(of, _), Self::Vote(id)) => of == id,
            _others => false,
        }
    }
}

/// How exactly times are compared.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// The wall clock at the comparison, in Unix milliseconds.
    pub unix_ms: u64,
    /// How far apart two readings of one instant may be, in milliseconds.
    pub apart_ms: u64,
    /// Times before this one count as this one: what a restart leaves of a lease at least.
    pub lease_floor_ms: u64,
}

/// All entities of all boards.
#[derive(Debug, Clone, Default)]
pub struct Entities {
    map: BTreeMap<(Namespace, EntityId), Record>,
}

fn id_of(record: &Record) -> Option<(EntityId, bool)> {
    let (id, is_end) = match record {
        Record::Revision(_) => return None,
        Record::Key(key) => (EntityId::Key(key.key.to_string()), false),
        Record::KeyEnded(key) => (EntityId::Key(key.to_string()), true),
        Record::Lock(lock) => (EntityId::Lock(lock.lease.token.0), false),
        Record::LockEnded(token) => (EntityId::Lock(token.0), true),
        Record::Agent(agent) => (EntityId::Agent(agent.name.to_string()), false),
        Record::AgentEnded(name) => (EntityId::Agent(name.to_string()), true),
        Record::Session(session) => (EntityId::Session(session.id.0), false),
        Record::SessionEnded(id) => (EntityId::Session(id.0), true),
        Record::Leaving(leaving) => (EntityId::Leaving(leaving.agent.to_string()), false),
        Record::LeavingEnded(agent) => (EntityId::Leaving(agent.to_string()), true),
        Record::Message(message) => (EntityId::Message(message.id.0), false),
        Record::MessageEnded(id) => (EntityId::Message(id.0), true),
        Record::Delivery(delivery) => {
            (EntityId::Delivery(delivery.message.0, delivery.agent.to_string()), false)
        }
        Record::Task(task) => (EntityId::Task(task.id.0), false),
        Record::TaskState(state) => (EntityId::TaskState(state.task.0), false),
        Record::TaskEnded(id) => (EntityId::Task(id.0), true),
        Record::Vote(vote) => (EntityId::Vote(vote.id.0), false),
        Record::Ballot(ballot) => (EntityId::Ballot(ballot.vote.0, ballot.voter.to_string()), false),
        Record::VoteEnded(id) => (EntityId::Vote(id.0), true),
        Record::Limiter(limiter) => (EntityId::Limiter(limiter.name.to_string()), false),
        Record::LimiterEnded(name) => (EntityId::Limiter(name.to_string()), true),
    };
    Some((id, is_end))
}

impl Entities {
    /// Takes one record.
    pub fn apply(&mut self, namespace: &Namespace, record: &Record) {
        let Some((id, is_end)) = id_of(record) else { return };
        if !is_end {
            self.map.insert((namespace.clone(), id), record.clone());
            return;
        }
        self.map.retain(|(of, part), _| of != namespace || !part.is_part_of(&id));
        self.map.remove(&(namespace.clone(), id));
    }

    /// Where this state is not the one that is expected; nothing when they agree.
    pub fn difference(&self, expected: &Self, tolerance: Tolerance) -> Option<String> {
        let missing = expected.map.iter().filter(|(id, _)| !self.map.contains_key(*id));
        for (id, record) in missing {
            if !is_overdue_key(record, tolerance) {
                return Some(format!("missing: {id:?}: {record:?}"));
            }
        }
        for (id, record) in &self.map {
            let Some(wanted) = expected.map.get(id) else {
                if is_overdue_key(record, tolerance) {
                    continue;
                }
                return Some(format!("unexpected: {id:?}: {record:?}"));
            };
            if record == wanted {
                continue;
            }
            let (mut found, mut wanted) = (record.clone(), wanted.clone());
            drop_what_is_not_needed(&mut found, &mut wanted);
            let (found_times, wanted_times) = (times(&mut found, tolerance), times(&mut wanted, tolerance));
            let is_close = |(a, b): (&u64, &u64)| a.abs_diff(*b) <= tolerance.apart_ms;
            let are_close = found_times.len() == wanted_times.len()
                && found_times.iter().zip(&wanted_times).all(is_close);
            if found != wanted || !are_close {
                return Some(format!("{id:?}: found {record:?}, expected {:?}", expected.map[id]));
            }
        }
        None
    }

    /// Each entity.
    pub fn iter(&self) -> impl Iterator<Item = (&Namespace, &Record)> {
        self.map.iter().map(|((namespace, _), record)| (namespace, record))
    }
}

/// Whether a record is of a key whose time may be over: an image leaves it out before it is worked off.
fn is_overdue_key(record: &Record, tolerance: Tolerance) -> bool {
    let at = match record {
        Record::Key(key) => key.expires_at,
        _other => None,
    };
    at.is_some_and(|at| at <= tolerance.unix_ms + tolerance.apart_ms)
}

/// A message that is finished loses its payload without a record.
fn drop_what_is_not_needed(found: &mut Record, wanted: &mut Record) {
    if let (Record::Message(found), Record::Message(wanted)) = (found, wanted)
        && (found.payload.is_none() || wanted.payload.is_none())
    {
        (found.payload, wanted.payload) = (None, None);
    }
}

/// Takes the times out of a record that depend on when it was written, and what a restart derives anew.
fn times(record: &mut Record, tolerance: Tolerance) -> Vec<u64> {
    let mut times = Vec::new();
    let floor = tolerance.lease_floor_ms;
    match record {
        Record::Key(key) => times.extend(key.expires_at.take()),
        Record::Lock(lock) => times.extend(lock.lease.expires_at.take().map(|at| at.max(floor))),
        Record::Delivery(delivery) => {
            delivery.ready_at = None;
            let lease = delivery.lease.as_mut().and_then(|lease| lease.expires_at.take());
            times.extend(lease.map(|at| at.max(floor)));
        }
        Record::Message(message) => {
            // One that is over counts from a restart as one that is just over.
            times.push(std::mem::take(&mut message.expires_at).max(tolerance.unix_ms));
            message.dedupe = None;
        }
        Record::Agent(agent) => agent.last_seen_at = 0,
        Record::TaskState(state) => {
            // A restart forgets a delay that is over.
            times.push(state.not_before.take().unwrap_or(0).max(tolerance.unix_ms));
            times.extend(state.forget_at.take());
            let lease = state.lease.as_mut().and_then(|lease| lease.expires_at.take());
            times.extend(lease.map(|at| at.max(floor)));
        }
        Record::Vote(vote) => {
            times.push(std::mem::take(&mut vote.closes_at));
            times.extend(vote.forget_at.take());
        }
        Record::Limiter(limiter) => {
            // However far the wall clock was moved, a bucket that is empty is full after this.
            let full_ms = limiter.burst * limiter.per_ms / limiter.rate;
            let latest = floor - LEASE_MS_MIN - 2 * tolerance.apart_ms + full_ms;
            // One that was full before counts from a restart as one that is just full.
            times.push(std::mem::take(&mut limiter.full_at).min(latest).max(tolerance.unix_ms));
        }
        _other => {}
    }
    times
}
