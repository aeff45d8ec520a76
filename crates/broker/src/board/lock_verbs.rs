//! `lock.*`

use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::limits::{CONFLICTS_MAX, LOCK_KEYS_MAX, LOCK_TTL_MS_DEFAULT};
use callboard_protocol::methods::lock::{
    Acquire, Acquired, Bind, Break, Broken, Check, Checked, Conflict, Extend, Extended, Release, Released,
};
use callboard_protocol::methods::message::Stale;
use callboard_protocol::names::AgentName;
use callboard_protocol::params::ListLimit;
use callboard_protocol::revision::{Revision, Token};

use crate::board::lock::{key_texts, row_bytes};
use crate::board::lock_grants::{Ending, GrantTerms};
use crate::board::{Board, Call, Verdict, check_text, invalid_params, limit_exceeded};
use crate::lease::{Binding, Lease, stale_token};
use crate::lock::{Conflicts, LockName, LockNames, Request};
use crate::now::Now;
use crate::page::Page;
use crate::wait::{WaitId, WaitKind};

impl Board {
    pub(crate) fn lock_acquire(&mut self, call: &Call, params: Acquire) -> Result<Verdict<Acquired>, Error> {
        let agent = call.agent()?.clone();
        let names = checked_names(&params.keys)?;
        check_text("reason", params.reason.as_ref())?;
        self.end_overdue(call.now, &names);
        let request = Request { agent, names, mode: params.mode.unwrap_or_default() };
        let wait_ms = params.wait_ms.map_or(0, callboard_protocol::WaitMs::get);
        let terms = terms(call, &params);
        if self.locks.find_same(&request).is_some() {
            return self.grant_at_once(call.now, request, terms);
        }
        self.check_memory()?;
        self.make_room_for_locks(call.now);
        let conflicts = self.locks.conflicts(Some(&request.agent), &request.names, request.mode);
        if conflicts.is_empty() {
            return self.grant_at_once(call.now, request, terms);
        }
        if wait_ms == 0 {
            return Err(self.lock_held(call.now, &request.names, &conflicts));
        }
        self.wait_for_lock(call, request, terms, wait_ms)
    }

    fn wait_for_lock(
        &mut self,
        call: &Call,
        request: Request,
        terms: GrantTerms,
        wait_ms: u64,
    ) -> Result<Verdict<Acquired>, Error> {
        let max = self.config.limits.lock_waiters;
        let used = self.locks.waiter_count();
        if used >= max {
            return Err(limit_exceeded("lock_waiters", used, max, "try again later, or without waiting"));
        }
        let id = self.start_wait(call, WaitKind::Lock, wait_ms)?;
        match self.locks.enqueue(id.0, request) {
            Err(deadlock) => {
                self.end_wait(id);
                Err(self.deadlock_error(&deadlock))
            }
            Ok(blocking) => {
                self.lock_waiters.insert(id, terms);
                self.announce_waiter(id, &blocking);
                Ok(Verdict::Waiting)
            }
        }
    }

    /// Ends what is overdue among the grants and waiters that meet these names.
    fn end_overdue(&mut self, now: Now, names: &LockNames) {
        for token in self.locks.overlapping_grants(names) {
            self.end_if_overdue(now, Revision(token));
        }
        for id in self.locks.overlapping_waiters(names) {
            if self.is_wait_over(now, WaitId(id)) {
                self.lock_wait_ran_out(now, WaitId(id));
            }
        }
    }

    pub(crate) fn is_wait_over(&self, now: Now, id: WaitId) -> bool {
        self.waits.find(id).is_some_and(|wait| wait.due <= now.monotonic)
    }

    /// Before locks and waiters are counted: those that are over leave room, worked off or not.
    fn make_room_for_locks(&mut self, now: Now) {
        let limits = &self.config.limits;
        if self.lock_grants.len() >= limits.locks || self.locks.waiter_count() >= limits.lock_waiters {
            self.make_room(now);
        }
    }

    fn lock_held(&self, now: Now, names: &LockNames, conflicts: &Conflicts) -> Error {
        let (rows, more) = self.conflict_rows(now, names, conflicts);
        let who = rows.first().map_or_else(String::new, |row| format!("{} by {}", row.key, row.agent));
        let message = format!("held: {who}; wait with wait_ms, ask the holder, or work on something else");
        let error = Error::new(ErrorKind::LockHeld, message).with("conflicts", rows);
        if more { error.with("more", true) } else { error }
    }

    /// What stands in the way, a row for each name asked for and each grant or waiter that it meets, as far as one
    /// frame takes them; and whether there is more.
    fn conflict_rows(&self, now: Now, names: &LockNames, conflicts: &Conflicts) -> (Vec<Conflict>, bool) {
        let grants = conflicts.grants.iter().filter_map(|id| Some((*id, true, self.locks.grant_of(*id)?)));
        let waiters =
            conflicts.waiters.iter().filter_map(|id| Some((*id, false, self.locks.waiter_of(*id)?)));
        let limit = ListLimit::clamped(CONFLICTS_MAX);
        let mut page = Page::new(Some(limit), self.config.limits.frame_bytes);
        'rows: for (id, is_grant, other) in grants.chain(waiters) {
            for name in names.as_slice() {
                if !other.names.as_slice().iter().any(|theirs| theirs.overlaps(name)) {
                    continue;
                }
                let key = name.to_string();
                let row = if is_grant {
                    self.grant_row(now, key, id, other)
                } else {
                    self.waiter_row(key, id, other)
                };
                let bytes = row_bytes(&row.keys, row.reason.as_deref()) + 2 * row.key.len();
                if !page.push(row, bytes, name.as_str()) {
                    break 'rows;
                }
            }
        }
        let (rows, next) = page.finish();
        (rows, next.is_some())
    }

    fn grant_row(&self, now: Now, key: String, id: u64, other: &Request) -> Conflict {
        let token = Revision(id);
        let info = self.lock_grants.find(token);
        Conflict {
            key,
            agent: other.agent.clone(),
            keys: key_texts(&other.names),
            mode: other.mode,
            token: Some(token),
            waiting: None,
            reason: info.and_then(|info| info.reason.clone()),
            acquired_at: info.map(|info| info.acquired_at),
            expires_at: self.leases.find(token).and_then(|lease| lease.due).map(|due| now.unix_of(due)),
            waiters: self.locks.blocked_count(id),
        }
    }

    fn waiter_row(&self, key: String, id: u64, other: &Request) -> Conflict {
        Conflict {
            key,
            agent: other.agent.clone(),
            keys: key_texts(&other.names),
            mode: other.mode,
            token: None,
            waiting: Some(true),
            reason: self.lock_waiters.get(&WaitId(id)).and_then(|terms| terms.reason.clone()),
            acquired_at: None,
            expires_at: None,
            waiters: 0,
        }
    }

    pub(crate) fn lock_extend(&mut self, call: &Call, params: &Extend) -> Result<Extended, Error> {
        let lease = self.own_lock(call, params.token)?;
        let ttl_ms = params.ttl_ms.map(callboard_protocol::TtlMs::get).or(lease.ttl_ms);
        let due = self.extend_lock(call.now, params.token, ttl_ms);
        Ok(Extended { expires_at: due.map(|due| call.now.unix_of(due)) })
    }

    /// The live lock lease under a token of the caller's.
    fn own_lock(&mut self, call: &Call, token: Token) -> Result<Lease, Error> {
        let agent = call.agent()?;
        self.end_if_overdue(call.now, token);
        let lease = self.leases.find(token).filter(|_| self.locks.grant_of(token.0).is_some());
        let Some(lease) = lease else {
            return Err(stale_token(&format!("lock token {token}"), self.leases.why_ended(token)));
        };
        if lease.agent != *agent {
            let message =
                format!("lock token {token} is {}'s: ask it, or let a person use lock.break", lease.agent);
            return Err(Error::new(ErrorKind::NotOwner, message).with("agent", &lease.agent));
        }
        Ok(lease.clone())
    }

    pub(crate) fn lock_release(&mut self, call: &Call, params: Release) -> Result<Released, Error> {
        let agent = call.agent()?.clone();
        match (params.token, params.keys) {
            (Some(token), None) => {
                self.own_lock(call, token)?;
                self.end_lock(call.now, token, Ending::quietly(Stale::Released));
                Ok(Released { released: 1 })
            }
            (None, Some(keys)) => {
                let names = checked_names(&keys)?;
                self.end_overdue(call.now, &names);
                let own: Vec<u64> = self.own_within(&agent, &names);
                for token in &own {
                    self.end_lock(call.now, Revision(*token), Ending::quietly(Stale::Released));
                }
                Ok(Released { released: own.len() })
            }
            (Some(_), Some(_)) | (None, None) => {
                Err(invalid_params("token", "give `token` or `keys`, and not both"))
            }
        }
    }

    /// The agent's grants whose names are all among these.
    fn own_within(&self, agent: &AgentName, names: &LockNames) -> Vec<u64> {
        let mut tokens = self.locks.overlapping_grants(names);
        tokens.retain(|token| {
            self.locks
                .grant_of(*token)
                .is_some_and(|grant| grant.agent == *agent && grant.names.is_subset(names))
        });
        tokens
    }

    pub(crate) fn lock_check(&mut self, call: &Call, params: &Check) -> Result<Checked, Error> {
        let names = checked_names(&params.keys)?;
        self.end_overdue(call.now, &names);
        let mode = params.mode.unwrap_or_default();
        let own =
            call.agent.as_ref().map(|agent| Request { agent: agent.clone(), names: names.clone(), mode });
        if own.is_some_and(|request| self.locks.find_same(&request).is_some()) {
            return Ok(Checked { free: true, conflicts: Vec::new(), more: None });
        }
        let found = self.locks.conflicts(call.agent.as_ref(), &names, mode);
        let (conflicts, more) = self.conflict_rows(call.now, &names, &found);
        Ok(Checked { free: found.is_empty(), conflicts, more: more.then_some(true) })
    }

    pub(crate) fn lock_break(&mut self, call: &Call, params: Break) -> Result<Broken, Error> {
        self.check_admin("lock.break")?;
        if params.reason.trim().is_empty() {
            return Err(invalid_params("reason", "`reason` is empty: say why, the holder gets to read it"));
        }
        check_text("reason", Some(&params.reason))?;
        self.end_if_overdue(call.now, params.token);
        if self.locks.grant_of(params.token.0).is_none() {
            return Ok(Broken { broken: false });
        }
        let ending = Ending {
            why: Stale::Broken,
            lost: Some(callboard_protocol::event::LostWhy::Broken),
            by: call.agent.clone(),
            reason: Some(params.reason),
        };
        self.end_lock(call.now, params.token, ending);
        Ok(Broken { broken: true })
    }
}

fn terms(call: &Call, params: &Acquire) -> GrantTerms {
    let ttl_ms_asked = params.ttl_ms.map(callboard_protocol::TtlMs::get);
    let (binding, default) = match params.bind.unwrap_or(Bind::Agent) {
        Bind::Agent => (Binding::Agent, Some(LOCK_TTL_MS_DEFAULT)),
        Bind::Session => (Binding::Session(call.session), None),
    };
    GrantTerms { binding, ttl_ms: ttl_ms_asked.or(default), ttl_ms_asked, reason: params.reason.clone() }
}

fn checked_names(keys: &[String]) -> Result<LockNames, Error> {
    let given = keys.len();
    if !(1..=LOCK_KEYS_MAX).contains(&given) {
        return Err(invalid_params("keys", format!("`keys` has {given} names: give 1 to {LOCK_KEYS_MAX}")));
    }
    keys.iter()
        .map(|key| {
            LockName::parse(key).map_err(|error| invalid_params("keys", format!("`keys`: {key:?}: {error}")))
        })
        .collect()
}
