//! Granting, handing over and ending locks.
//!
//! Invariant: `leases`, `locks` and `lock_grants` hold the same tokens, `waits`, `locks` and `lock_waiters` the same
//! waiters. After each change of the table [`Board::hand_over`] grants to whoever nothing blocks any more.

use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::event::{Event, LockContended, LockLost, LostWhy};
use callboard_protocol::methods::BoardAnswer;
use callboard_protocol::methods::kv::IfLock;
use callboard_protocol::methods::lock::{Acquired, CycleEdge};
use callboard_protocol::methods::message::Stale;
use callboard_protocol::methods::server::Area;
use callboard_protocol::names::AgentName;
use callboard_protocol::revision::{Revision, Token};

use crate::board::lock_grants::{Ending, GrantInfo, GrantTerms};
use crate::board::{Board, Verdict, invalid_params, limit_exceeded};
use crate::lease::{Binding, Lease, Leased, stale_token};
use crate::lock::{Deadlock, LockName, LockNames, Request};
use crate::now::{Monotonic, Now};
use crate::page::ENVELOPE_BYTES;
use crate::record::{LeaseRecord, LockRecord, Record};
use crate::wait::WaitId;

/// What a row takes on the wire at most besides its names and reason, in bytes.
const ROW_BYTES: usize = 512;

impl Board {
    /// Answers an acquire that need not wait.
    pub(crate) fn grant_at_once(
        &mut self,
        now: Now,
        request: Request,
        terms: GrantTerms,
    ) -> Result<Verdict<Acquired>, Error> {
        let (acquired, newcomers) = self.grant(now, request, terms, 0)?;
        self.announce_waiters(&newcomers, acquired.token);
        Ok(Verdict::Done(acquired))
    }

    /// Grants names that nothing stands in the way of, or extends the grant that the agent has of them. Gives also
    /// the waiters to announce once the holder knows its token.
    fn grant(
        &mut self,
        now: Now,
        request: Request,
        terms: GrantTerms,
        waited_ms: u64,
    ) -> Result<(Acquired, Vec<u64>), Error> {
        if let Some(token) = self.locks.find_same(&request) {
            let extended = self.extend_same(now, Revision(token), &request, &terms, waited_ms);
            return Ok((extended, Vec::new()));
        }
        let max = self.config.limits.locks;
        let used = self.lock_grants.len();
        if used >= max {
            return Err(limit_exceeded(
                "locks",
                used,
                max,
                "release locks, or lock a pattern instead of many files",
            ));
        }
        let token = self.next_revision();
        let due = terms.ttl_ms.map(|ttl_ms| now.monotonic.plus_ms(ttl_ms));
        let agent = request.agent.clone();
        let GrantTerms { binding, ttl_ms, reason, .. } = terms;
        let lease = Lease { of: Leased::Lock, agent: agent.clone(), binding, ttl_ms, due };
        self.leases.grant(&mut self.deadlines, token, lease);
        self.lock_grants.insert(token, GrantInfo::new(&request.names, reason, now.unix_ms));
        let keys = key_texts(&request.names);
        let mode = request.mode;
        let newcomers = self.locks.grant(token.0, request);
        self.record_lock(now, token);
        self.tail_lock(now, "granted", &keys.join(" "), &agent, token);
        let expires_at = due.map(|due| now.unix_of(due));
        let acquired = Acquired { token, keys, mode, ttl_ms, expires_at, waited_ms, extended: None };
        Ok((acquired, newcomers))
    }

    fn announce_waiters(&mut self, waiters: &[u64], token: Token) {
        for waiter in waiters {
            self.announce_waiter(WaitId(*waiter), &[token.0]);
        }
    }

    fn extend_same(
        &mut self,
        now: Now,
        token: Token,
        request: &Request,
        terms: &GrantTerms,
        waited_ms: u64,
    ) -> Acquired {
        let own = self.leases.find(token).and_then(|lease| lease.ttl_ms);
        let ttl_ms = terms.ttl_ms_asked.or(own);
        let due = self.extend_lock(now, token, ttl_ms);
        Acquired {
            token,
            keys: key_texts(&request.names),
            mode: request.mode,
            ttl_ms,
            expires_at: due.map(|due| now.unix_of(due)),
            waited_ms,
            extended: Some(true),
        }
    }

    /// Starts a grant's time anew; gives its new end.
    pub(crate) fn extend_lock(&mut self, now: Now, token: Token, ttl_ms: Option<u64>) -> Option<Monotonic> {
        let due = self.leases.extend(&mut self.deadlines, token, now.monotonic, ttl_ms);
        self.next_revision();
        self.record_lock(now, token);
        if let Some(request) = self.locks.grant_of(token.0) {
            let (names, agent) = (key_texts(&request.names).join(" "), request.agent.clone());
            self.tail_lock(now, "extended", &names, &agent, token);
        }
        due
    }

    fn tail_lock(&mut self, now: Now, action: &'static str, names: &str, agent: &AgentName, token: Token) {
        let detail = || Some(format!("token {token}"));
        self.tail(now, Area::Lock, action, &names, Some(agent), detail);
    }

    /// Tells the holders of these grants, each once, that a waiter wants what they have.
    pub(crate) fn announce_waiter(&mut self, waiter: WaitId, grants: &[u64]) {
        let Some(waiting) = self.locks.waiter_of(waiter.0).map(|request| request.agent.clone()) else {
            return;
        };
        let mut told: Vec<AgentName> = Vec::new();
        for token in grants {
            let Some(grant) = self.locks.grant_of(*token) else {
                continue;
            };
            if told.contains(&grant.agent) {
                continue;
            }
            let event = LockContended {
                token: Revision(*token),
                keys: key_texts(&grant.names),
                waiter: waiting.clone(),
                waiters: self.locks.blocked_count(*token),
            };
            let holder = grant.agent.clone();
            self.sessions.notify(&mut self.effects, &holder, &event.body());
            told.push(holder);
        }
    }

    /// Ends a grant, tells its holder if it has to know, and hands over to whoever waited.
    pub(crate) fn end_lock(&mut self, now: Now, token: Token, ending: Ending) {
        let Some(lease) = self.leases.end(&mut self.deadlines, token, ending.why) else {
            return;
        };
        let Some(request) = self.locks.release(token.0) else {
            return;
        };
        self.lock_grants.remove(token);
        self.next_revision();
        self.record(Record::LockEnded(token));
        let keys = key_texts(&request.names);
        let action = match ending.why {
            Stale::Expired => "expired",
            Stale::Released | Stale::Acked => "released",
            Stale::Broken => "broken",
        };
        self.tail_lock(now, action, &keys.join(" "), &lease.agent, token);
        if let Some(why) = ending.lost {
            let event = LockLost { token, keys, why, by: ending.by, reason: ending.reason };
            self.sessions.notify(&mut self.effects, &lease.agent, &event.body());
        }
        self.hand_over(now);
    }

    /// Grants to waiters that nothing blocks any more, in order, and ends waits that would never end.
    pub(crate) fn hand_over(&mut self, now: Now) {
        loop {
            while let Some(id) = self.locks.next_ready() {
                self.grant_waiter(now, WaitId(id));
            }
            let Some((id, deadlock)) = self.locks.next_deadlock() else {
                return;
            };
            self.forget_waiter(WaitId(id));
            let error = self.deadlock_error(&deadlock);
            self.answer(WaitId(id), Err(error));
        }
    }

    fn grant_waiter(&mut self, now: Now, id: WaitId) {
        let request = self.locks.take(id.0);
        let terms = self.lock_waiters.remove(&id);
        let since = self.waits.find(id).map(|wait| (wait.since, wait.due));
        let (Some(request), Some(terms), Some((since, due))) = (request, terms, since) else {
            return;
        };
        let waited_ms = now.monotonic.ms_since(since);
        if due <= now.monotonic {
            self.answer(id, Err(waited_in_vain(&request.names, waited_ms)));
            return;
        }
        match self.grant(now, request, terms, waited_ms) {
            Ok((acquired, newcomers)) => {
                let token = acquired.token;
                self.answer(id, Ok(BoardAnswer::LockAcquire(acquired)));
                self.announce_waiters(&newcomers, token);
            }
            Err(error) => self.answer(id, Err(error)),
        }
    }

    /// The error for a wait that would never end. Of a long circle with many names each edge has as many as its part
    /// of a frame takes.
    pub(crate) fn deadlock_error(&self, deadlock: &Deadlock) -> Error {
        let frame_bytes = self.config.limits.frame_bytes.saturating_sub(ENVELOPE_BYTES);
        let edge_bytes = frame_bytes / deadlock.cycle.len().max(1);
        let cycle: Vec<CycleEdge> = deadlock
            .cycle
            .iter()
            .map(|edge| CycleEdge {
                agent: edge.agent.clone(),
                waits_for: edge.waits_for.clone(),
                keys: keys_within(&edge.keys, edge_bytes.saturating_sub(ROW_BYTES)),
            })
            .collect();
        let path: Vec<String> =
            cycle.iter().map(|edge| format!("{} waits for {}", edge.agent, edge.waits_for)).collect();
        let message =
            format!("waiting would never end ({}): release what you hold, then try again", path.join(", "));
        Error::new(ErrorKind::Deadlock, message).with("cycle", cycle)
    }

    fn forget_waiter(&mut self, id: WaitId) -> Option<Request> {
        self.lock_waiters.remove(&id);
        self.locks.take(id.0)
    }

    pub(crate) fn lock_wait_ran_out(&mut self, now: Now, id: WaitId) {
        let waited_ms = self.waits.find(id).map_or(0, |wait| now.monotonic.ms_since(wait.since));
        if let Some(request) = self.forget_waiter(id) {
            self.answer(id, Err(waited_in_vain(&request.names, waited_ms)));
            self.hand_over(now);
        }
    }

    /// Takes a waiter out of the queue; those behind it are looked at again.
    pub(crate) fn withdraw_lock_wait(&mut self, now: Now, id: WaitId) {
        if self.forget_waiter(id).is_some() {
            self.hand_over(now);
        }
    }

    /// The condition of `if_lock`.
    pub(crate) fn check_lock_covers(&mut self, now: Now, if_lock: &IfLock) -> Result<(), Error> {
        let name = LockName::parse(&if_lock.key)
            .map_err(|error| invalid_params("if_lock.key", format!("`if_lock.key`: {error}")))?;
        let token = if_lock.token;
        self.end_if_overdue(now, token);
        let Some(grant) = self.locks.grant_of(token.0) else {
            return Err(stale_token(&format!("lock token {token}"), self.leases.why_ended(token)));
        };
        if grant.names.as_slice().iter().any(|held| held.covers(&name)) {
            return Ok(());
        }
        let message = format!("lock token {token} does not cover {name}: acquire that name first");
        Err(Error::new(ErrorKind::StaleToken, message).with("why", Stale::Released))
    }

    /// Ends a grant whose time is over, or whose binding, though that was not worked off yet.
    pub(crate) fn end_if_overdue(&mut self, now: Now, token: Token) {
        let Some(lease) = self.leases.find(token).filter(|lease| lease.of == Leased::Lock) else {
            return;
        };
        if self.leases.is_unbound(token, lease) {
            self.end_lock(now, token, Ending::quietly(Stale::Expired));
        } else if lease.is_overdue(now.monotonic) {
            self.end_lock(now, token, Ending::lost(Stale::Expired, LostWhy::Expired));
        }
    }

    pub(crate) fn record_lock(&mut self, now: Now, token: Token) {
        self.record_entity(|board| board.lock_record(now, token).map(Record::Lock));
    }

    pub(crate) fn lock_record(&self, now: Now, token: Token) -> Option<LockRecord> {
        let grant = self.locks.grant_of(token.0)?;
        let info = self.lock_grants.find(token)?;
        Some(LockRecord {
            lease: self.lease_record(now, token)?,
            keys: key_texts(&grant.names),
            mode: grant.mode,
            reason: info.reason.clone(),
            acquired_at: info.acquired_at,
        })
    }

    pub(crate) fn lease_record(&self, now: Now, token: Token) -> Option<LeaseRecord> {
        let lease = self.leases.find(token)?;
        let session = match lease.binding {
            Binding::Agent => None,
            Binding::Session(session) => Some(session),
        };
        Some(LeaseRecord {
            token,
            agent: lease.agent.clone(),
            session,
            ttl_ms: lease.ttl_ms,
            expires_at: lease.due.map(|due| now.unix_of(due)),
        })
    }
}

/// The names as they stand in answers.
pub(crate) fn key_texts(names: &LockNames) -> Vec<String> {
    names.as_slice().iter().map(ToString::to_string).collect()
}

fn keys_within(names: &LockNames, mut bytes: usize) -> Vec<String> {
    let mut keys = key_texts(names);
    keys.retain(|key| {
        let fits = key_bytes(key) <= bytes;
        bytes = if fits { bytes - key_bytes(key) } else { 0 };
        fits
    });
    keys
}

/// What a row with these names takes on the wire at most, in bytes.
pub(crate) fn row_bytes(keys: &[String], reason: Option<&str>) -> usize {
    let keys: usize = keys.iter().map(|key| key_bytes(key)).sum();
    ROW_BYTES + keys + 6 * reason.map_or(0, str::len)
}

/// Any byte of a name may need an escape, and there are quotes and a comma.
fn key_bytes(key: &str) -> usize {
    2 * key.len() + 3
}

fn waited_in_vain(names: &LockNames, waited_ms: u64) -> Error {
    let names = key_texts(names).join(" ");
    let message = format!("waited {waited_ms} ms for {names} in vain: lock.check tells who holds it");
    Error::new(ErrorKind::Timeout, message).with("waited_ms", waited_ms)
}
