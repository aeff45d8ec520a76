//! Locks: who holds what, who waits for it, and that nobody was passed over.

use std::collections::BTreeSet;

use callboard_broker::{Now, Record, SessionId};
use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::methods::lock::{Acquire, Bind, Mode};
use callboard_protocol::methods::{BoardAnswer, BoardCommand};
use callboard_protocol::{AgentName, Namespace};

use super::{Asked, Due, Fact, Model, State};
use crate::simulation::entities::Entities;

/// A grant.
#[derive(Debug, Clone)]
pub struct Held {
    pub agent: AgentName,
    pub names: BTreeSet<String>,
    pub mode: Mode,
    pub due: Option<Due>,
    pub session: Option<SessionId>,
    /// What it is bound to may be over.
    pub is_doubtful: bool,
}

/// A request that waits for its grant.
#[derive(Debug, Clone)]
pub struct Waiter {
    pub request: i64,
    pub session: SessionId,
    agent: AgentName,
    names: BTreeSet<String>,
    mode: Mode,
    due: Due,
}

fn names(keys: &[String]) -> BTreeSet<String> {
    keys.iter().cloned().collect()
}

fn meet(a: (&BTreeSet<String>, Mode), b: (&BTreeSet<String>, Mode)) -> bool {
    (a.1 == Mode::Exclusive || b.1 == Mode::Exclusive) && !a.0.is_disjoint(b.0)
}

impl Held {
    fn is_certain(&self, now: Now) -> bool {
        !self.is_doubtful && self.due.is_none_or(|due| due.is_certainly_ahead(now))
    }
}

impl State {
    /// The tokens that are surely live, with their holders.
    pub fn live_locks(&self, now: Now) -> Vec<(u64, AgentName)> {
        let live = self.locks.iter().filter(|(_, held)| held.is_certain(now));
        live.map(|(token, held)| (*token, held.agent.clone())).collect()
    }

    pub(super) fn check_lock(&self, now: Now, record: &callboard_broker::record::LockRecord) {
        let token = record.lease.token.0;
        let Some(held) = self.locks.get(&token) else {
            panic!("the lock {token} is there and was given back, or never granted: {record:?}");
        };
        let is_right = held.agent == record.lease.agent
            && held.names == names(&record.keys)
            && held.mode == record.mode
            && held.due.is_some() == record.lease.expires_at.is_some();
        assert!(is_right || held.is_doubtful, "{record:?} instead of {held:?} at {now:?}");
    }

    /// Everything that clients know to be there is there.
    pub(super) fn check_complete(&self, now: Now, namespace: &Namespace, found: &Entities) {
        let of_board = || found.iter().filter(|(name, _)| *name == namespace).map(|(_, record)| record);
        let keys: BTreeSet<&str> = of_board()
            .filter_map(|record| match record {
                Record::Key(key) => Some(key.key.as_str()),
                _other => None,
            })
            .collect();
        for key in self.certain_keys(now) {
            assert!(keys.contains(key.as_str()), "{namespace}: {key} is lost: {:?}", self.keys[key]);
        }
        let tokens: BTreeSet<u64> = of_board()
            .filter_map(|record| match record {
                Record::Lock(lock) => Some(lock.lease.token.0),
                _other => None,
            })
            .collect();
        for (token, holder) in self.live_locks(now) {
            assert!(tokens.contains(&token), "{namespace}: the lock {token} of {holder} is lost");
        }
        let found: Vec<&Record> = of_board().collect();
        self.check_deliveries(now, namespace, &found);
        self.check_lasting(&found);
    }

    /// A grant is made beside nobody who is in its way, and past nobody who came first.
    fn check_grant(
        &self,
        now: Now,
        token: u64,
        agent: &AgentName,
        asked: (&BTreeSet<String>, Mode),
        id: Option<usize>,
    ) {
        for (other, held) in &self.locks {
            let is_free = *other == token || held.agent == *agent || !held.is_certain(now);
            assert!(
                is_free || !meet(asked, (&held.names, held.mode)),
                "{token} is granted to {agent} beside {other}: {held:?}"
            );
        }
        let earlier = id.unwrap_or(self.waiters.len());
        for waiter in &self.waiters[..earlier] {
            let waits_for_agent = self.locks.values().any(|held| {
                held.agent == *agent && meet((&waiter.names, waiter.mode), (&held.names, held.mode))
            });
            let is_in_order = waiter.agent == *agent
                || waits_for_agent
                || !waiter.due.is_certainly_ahead(now)
                || !meet(asked, (&waiter.names, waiter.mode));
            assert!(is_in_order, "{token} is granted to {agent} past {waiter:?}");
        }
    }
}

impl Model {
    /// A request waits.
    pub(super) fn lock_waits(&mut self, now: Now, asked: &Asked, request: i64, acquire: &Acquire) {
        let due = Due::after(now, acquire.wait_ms.unwrap().get());
        let waiter = Waiter {
            request,
            session: asked.session,
            agent: asked.agent.clone(),
            names: names(&acquire.keys),
            mode: acquire.mode.unwrap_or_default(),
            due,
        };
        self.board(&asked.namespace).waiters.push(waiter);
    }

    /// A request is granted: whether that is its turn, before it leaves the queue.
    pub(super) fn lock_turn(&mut self, now: Now, asked: &Asked, request: i64, answer: &BoardAnswer) {
        let (BoardCommand::LockAcquire(acquire), BoardAnswer::LockAcquire(acquired)) =
            (&asked.command, answer)
        else {
            return;
        };
        if acquired.extended == Some(true) {
            return;
        }
        let state = self.board(&asked.namespace);
        let place = state.waiters.iter().position(|waiter| waiter.request == request);
        let wanted = (&names(&acquire.keys), acquire.mode.unwrap_or_default());
        state.check_grant(now, acquired.token.0, &asked.agent, wanted, place);
    }

    pub(super) fn lock_answered(&mut self, now: Now, asked: &Asked, result: &Result<BoardAnswer, Error>) {
        match (&asked.command, result) {
            (BoardCommand::LockAcquire(acquire), Ok(BoardAnswer::LockAcquire(acquired))) => {
                let (names, mode) = (names(&acquire.keys), acquire.mode.unwrap_or_default());
                let token = acquired.token.0;
                let state = self.board(&asked.namespace);
                let bound = (acquire.bind == Some(Bind::Session)).then_some(asked.session);
                let before = state.locks.get(&token).cloned();
                assert_eq!(before.is_some(), acquired.extended == Some(true), "{acquired:?}");
                let (session, is_doubtful) =
                    before.map_or((bound, false), |before| (before.session, before.is_doubtful));
                let due = acquired.ttl_ms.map(|ttl_ms| Due::after(now, ttl_ms));
                let agent = asked.agent.clone();
                let held = Held { agent, names, mode, due, session, is_doubtful };
                self.learn(&asked.namespace, Fact::Lock(token, Some(held)));
            }
            (BoardCommand::LockRelease(release), Ok(BoardAnswer::LockRelease(_))) => {
                let token = release.token.unwrap().0;
                self.learn(&asked.namespace, Fact::Lock(token, None));
            }
            (BoardCommand::LockExtend(extend), Ok(BoardAnswer::LockExtend(_))) => {
                let token = extend.token.0;
                let mut held = self.board(&asked.namespace).locks[&token].clone();
                held.due = extend.ttl_ms.map(|ttl| Due::after(now, ttl.get())).or(held.due);
                self.learn(&asked.namespace, Fact::Lock(token, Some(held)));
            }
            (BoardCommand::LockRelease(_) | BoardCommand::LockExtend(_), Err(error)) => {
                assert!(matches!(error.kind, ErrorKind::StaleToken | ErrorKind::NotOwner), "{error:?}");
                self.check_refusal(now, asked, error.kind);
            }
            (BoardCommand::LockAcquire(_), Err(error)) => {
                let known =
                    [ErrorKind::LockHeld, ErrorKind::Timeout, ErrorKind::Deadlock, ErrorKind::Cancelled];
                assert!(known.contains(&error.kind), "{error:?}");
            }
            (command, result) => panic!("{command:?} was answered with {result:?}"),
        }
    }

    fn check_refusal(&mut self, now: Now, asked: &Asked, kind: ErrorKind) {
        let token = match &asked.command {
            BoardCommand::LockRelease(release) => release.token.unwrap().0,
            BoardCommand::LockExtend(extend) => extend.token.0,
            _other => return,
        };
        let live = self.board(&asked.namespace).live_locks(now);
        if let Some((_, holder)) = live.iter().find(|(live, _)| *live == token) {
            assert!(kind == ErrorKind::NotOwner && *holder != asked.agent, "{token} is {holder}'s: {kind:?}");
        }
    }
}
