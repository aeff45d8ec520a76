//! The plain model: what clients were told, as simple maps, and what must follow from it.
//!
//! Invariant: it knows commands, replies and pushes, and nothing of how the broker works. Each thing that it learnt
//! carries after how many changes it was true, so that a restart can go back to any of them. Times are ranges: a moved
//! wall clock makes them wide, and what may or may not be over is not judged.

mod keys;
mod limiters;
mod locks;
mod messages;
mod sights;
mod task_calls;
mod tasks;
mod votes;
mod waits;

use std::collections::BTreeMap;

use callboard_broker::{Now, SessionId};
use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::methods::{BoardAnswer, BoardCommand};
use callboard_protocol::{AgentName, Namespace};

use super::entities::Entities;
pub use keys::Presence;
pub use messages::Delivery;
use tasks::Standing;

/// What is still over after a restart at the earliest, for leases, in milliseconds.
pub const LEASE_MS_MIN: u64 = 5000;

/// When something ends, on the clock of deadlines, in microseconds: not before, and not after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    pub earliest: u64,
    pub latest: u64,
}

impl Due {
    /// So long from now.
    pub fn after(now: Now, ms: u64) -> Self {
        let at = now.monotonic.plus_ms(ms).0;
        Self { earliest: at, latest: at }
    }

    fn is_certainly_over(self, now: Now) -> bool {
        self.latest <= now.monotonic.0
    }

    fn is_certainly_ahead(self, now: Now) -> bool {
        self.earliest > now.monotonic.0
    }

    /// The same end after a restart.
    fn moved(self, restart: &Restart) -> Self {
        let at = |due: u64, offset: i64| {
            let unix_ms = (i64::try_from(due / 1000).unwrap() + offset).max(0);
            let left_ms = (unix_ms - i64::try_from(restart.now.unix_ms).unwrap()).max(0);
            restart.now.monotonic.plus_ms(u64::try_from(left_ms).unwrap()).0
        };
        // Milliseconds are rounded up on the way to a record.
        let latest = at(self.latest, restart.offset_ms.1).saturating_add(2000);
        Self { earliest: at(self.earliest, restart.offset_ms.0), latest }
    }

    fn moved_lease(self, restart: &Restart) -> Self {
        let least = restart.now.monotonic.plus_ms(LEASE_MS_MIN).0;
        let moved = self.moved(restart);
        Self { earliest: moved.earliest.max(least), latest: moved.latest.max(least) }
    }
}

/// A start after a stop or a crash.
#[derive(Debug)]
pub struct Restart {
    /// The last moment before it.
    pub before: Now,
    pub now: Now,
    /// The least and the largest distance of the two clocks while the daemon ran, in milliseconds.
    pub offset_ms: (i64, i64),
}

/// What somebody asked for, as far as the answer will tell.
#[derive(Debug, Clone)]
pub struct Asked {
    pub namespace: Namespace,
    pub session: SessionId,
    pub agent: AgentName,
    pub command: BoardCommand,
}

/// One thing that became true.
#[derive(Debug, Clone)]
enum Fact {
    Key(String, Option<keys::Value>),
    Lock(u64, Option<locks::Held>),
    Delivery((u64, AgentName), Delivery),
    Task(u64, Box<tasks::Task>),
    Vote(u64, votes::Vote),
    Limiter(String, limiters::Bucket),
}

/// One board.
#[derive(Debug, Clone, Default)]
pub struct State {
    keys: BTreeMap<String, keys::Value>,
    locks: BTreeMap<u64, locks::Held>,
    deliveries: BTreeMap<(u64, AgentName), Delivery>,
    /// In order of arrival; nobody waits over a restart.
    waiters: Vec<locks::Waiter>,
    tasks: BTreeMap<u64, tasks::Task>,
    votes: BTreeMap<u64, votes::Vote>,
    limiters: BTreeMap<String, limiters::Bucket>,
    /// Those who wait for tasks and tokens, in order of arrival.
    waits: Vec<waits::Wait>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Model {
    base: BTreeMap<Namespace, State>,
    now: BTreeMap<Namespace, State>,
    facts: Vec<(usize, Namespace, Fact)>,
    /// The changes so far.
    pub changes: usize,
    /// The highest token of each task. None is given again, whatever a restart brings back.
    tokens: BTreeMap<(Namespace, u64), u64>,
}

impl State {
    fn apply(&mut self, fact: Fact) {
        match fact {
            Fact::Key(key, Some(value)) => {
                self.keys.insert(key, value);
            }
            Fact::Key(key, None) => {
                self.keys.remove(&key);
            }
            Fact::Lock(token, Some(held)) => {
                self.locks.insert(token, held);
            }
            Fact::Lock(token, None) => {
                self.locks.remove(&token);
            }
            Fact::Delivery(id, delivery) => {
                self.deliveries.insert(id, delivery);
            }
            Fact::Task(id, task) => {
                self.tasks.insert(id, *task);
            }
            Fact::Vote(id, vote) => {
                self.votes.insert(id, vote);
            }
            Fact::Limiter(name, bucket) => {
                self.limiters.insert(name, bucket);
            }
        }
    }

    fn restart(&mut self, restart: &Restart) {
        let ends = |due: Option<Due>| due.is_some_and(|due| due.is_certainly_over(restart.now));
        for value in self.keys.values_mut() {
            value.due = value.due.map(|due| due.moved(restart));
        }
        self.keys.retain(|_, value| !ends(value.due));
        for held in self.locks.values_mut() {
            held.is_doubtful |= held.due.is_some_and(|due| !due.is_certainly_ahead(restart.before));
            held.due = held.due.map(|due| due.moved_lease(restart));
        }
        for delivery in self.deliveries.values_mut() {
            delivery.restart(restart);
        }
        self.tasks.values_mut().for_each(|task| task.restart(restart));
        self.votes.values_mut().for_each(|vote| vote.due = vote.due.moved(restart));
        self.limiters.values_mut().for_each(|bucket| bucket.restart(restart));
        self.waiters.clear();
        self.waits.clear();
    }
}

impl Model {
    /// One board as it should be.
    pub fn board(&mut self, namespace: &Namespace) -> &mut State {
        self.now.entry(namespace.clone()).or_default()
    }

    fn learn(&mut self, namespace: &Namespace, fact: Fact) {
        self.board(namespace).apply(fact.clone());
        self.facts.push((self.changes, namespace.clone(), fact));
    }

    /// Takes the answer to a request. New commands of the board are judged here.
    pub fn answered(&mut self, now: Now, asked: &Asked, id: i64, result: &Result<BoardAnswer, Error>) {
        let refusal = result.as_ref().err().map(|error| error.kind);
        if refusal == Some(ErrorKind::StorageFailed) {
            return;
        }
        self.wait_answered(now, asked, id, result);
        match asked.command.method().name().split('.').next().unwrap() {
            "kv" => self.key_answered(now, asked, result),
            "lock" => {
                if let Ok(answer) = result {
                    self.lock_turn(now, asked, id, answer);
                }
                self.lock_answered(now, asked, result);
            }
            "vote" => self.vote_answered(now, asked, result),
            "limiter" => self.limiter_answered(now, asked, id, result),
            "task" => {
                if let Ok(answer) = result {
                    self.task_told(now, asked, id, answer);
                }
            }
            _other => self.message_answered(now, asked, result),
        }
        let state = self.board(&asked.namespace);
        state.waiters.retain(|waiter| waiter.request != id);
        state.waits.retain(|wait| wait.request != id);
    }

    /// A request waits.
    pub fn waits(&mut self, now: Now, asked: &Asked, id: i64) {
        match &asked.command {
            BoardCommand::LockAcquire(acquire) => self.lock_waits(now, asked, id, acquire),
            _other => self.task_waits(now, asked, id),
        }
    }

    /// Looks at what an answer shows, after everything that came of its call.
    pub fn shown(&mut self, now: Now, asked: &Asked, id: i64, result: &Result<BoardAnswer, Error>) {
        if asked.command.method().name().starts_with("task.") {
            self.task_shown(now, asked, id, result);
        }
    }

    /// A session is over, or may be soon: what is bound to it is not judged any more.
    pub fn session_ends(&mut self, namespace: &Namespace, session: SessionId, agent: Option<&AgentName>) {
        let state = self.board(namespace);
        state.waiters.retain(|waiter| waiter.session != session);
        state.waits.retain(|wait| wait.session != session);
        let is_ending = |bound: &Option<SessionId>, of: &AgentName| {
            *bound == Some(session) || agent.is_some_and(|agent| agent == of)
        };
        let mut facts = Vec::new();
        for (token, held) in &state.locks {
            if is_ending(&held.session, &held.agent) {
                facts.push(Fact::Lock(*token, Some(locks::Held { is_doubtful: true, ..held.clone() })));
            }
        }
        for (id, delivery) in &state.deliveries {
            if is_ending(&delivery.session, &id.1) {
                facts.push(Fact::Delivery(id.clone(), Delivery { is_doubtful: true, ..delivery.clone() }));
            }
        }
        for (id, task) in &state.tasks {
            let mut task = task.clone();
            if let Standing::Held(claim) = &mut task.standing
                && is_ending(&claim.session, &claim.agent)
            {
                claim.is_doubtful = true;
                facts.push(Fact::Task(*id, Box::new(task)));
            }
        }
        facts.into_iter().for_each(|fact| self.learn(namespace, fact));
    }

    /// Goes back to what was true after the first `count` changes, and holds it against what was found.
    pub fn restart(&mut self, count: usize, restart: &Restart, found: &Entities) {
        let mut state = std::mem::take(&mut self.base);
        for (changes, namespace, fact) in self.facts.drain(..) {
            if changes <= count {
                state.entry(namespace).or_default().apply(fact);
            }
        }
        state.values_mut().for_each(|state| state.restart(restart));
        (self.base, self.now, self.changes) = (state.clone(), state, 0);
        self.check(restart.now, found);
    }

    /// Holds what the boards say of themselves against what clients know.
    pub fn check(&self, now: Now, found: &Entities) {
        let empty = State::default();
        for (namespace, record) in found.iter() {
            let state = self.now.get(namespace).unwrap_or(&empty);
            state.check_record(now, record);
        }
        for (namespace, state) in &self.now {
            state.check_complete(now, namespace, found);
        }
    }
}
