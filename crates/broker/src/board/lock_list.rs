//! `lock.list`: the grants, then the waiters, in pages.

use callboard_protocol::error::Error;
use callboard_protocol::methods::lock::{Bind, Held, List, ListResult, Waiting};
use callboard_protocol::revision::{Revision, Token};

use crate::board::lock::{key_texts, row_bytes};
use crate::board::{Board, Call, invalid_params};
use crate::lease::Binding;
use crate::lock::Request;
use crate::now::Now;
use crate::page::Page;
use crate::wait::WaitId;

impl Board {
    pub(crate) fn lock_list(&self, call: &Call, params: &List) -> Result<ListResult, Error> {
        let (first_grant, first_waiter) = parse_cursor(params.cursor.as_deref())?;
        let wanted = |request: &Request| {
            params.agent.as_ref().is_none_or(|agent| request.agent == *agent)
                && params.prefix.as_ref().is_none_or(|prefix| {
                    request.names.as_slice().iter().any(|name| name.as_str().starts_with(prefix.as_str()))
                })
        };
        let mut page: Page<Row> = Page::new(params.limit, self.config.limits.frame_bytes);
        let grants = first_grant.into_iter().flat_map(|first| self.locks.grants_from(first));
        let grants = grants.filter(|(_, request)| wanted(request)).filter_map(|(token, request)| {
            let held = self.held(call.now, Revision(token), request)?;
            Some((format!("g{}", token + 1), Row::Held(held)))
        });
        let waiters = self
            .locks
            .waiters_from(first_waiter)
            .filter(|(id, request)| wanted(request) && !self.is_wait_over(call.now, WaitId(*id)));
        let waiters = waiters.map(|(id, request)| {
            (format!("w{}", id + 1), Row::Waiting(self.waiting_row(call.now, WaitId(id), request)))
        });
        for (place, row) in grants.chain(waiters) {
            let bytes = row.bytes();
            if !page.push(row, bytes, &place) {
                break;
            }
        }
        let (rows, cursor) = page.finish();
        let mut result = ListResult { locks: Vec::new(), waiters: Vec::new(), cursor };
        for row in rows {
            match row {
                Row::Held(held) => result.locks.push(held),
                Row::Waiting(waiting) => result.waiters.push(waiting),
            }
        }
        Ok(result)
    }

    fn held(&self, now: Now, token: Token, request: &Request) -> Option<Held> {
        let lease = self.leases.find_live(token, now.monotonic)?;
        let info = self.lock_grants.find(token)?;
        Some(Held {
            token,
            agent: request.agent.clone(),
            keys: key_texts(&request.names),
            mode: request.mode,
            bind: match lease.binding {
                Binding::Agent => Bind::Agent,
                Binding::Session(_) => Bind::Session,
            },
            reason: info.reason.clone(),
            acquired_at: info.acquired_at,
            expires_at: lease.due.map(|due| now.unix_of(due)),
        })
    }

    fn waiting_row(&self, now: Now, id: WaitId, request: &Request) -> Waiting {
        Waiting {
            agent: request.agent.clone(),
            keys: key_texts(&request.names),
            mode: request.mode,
            position: self.locks.position(id.0).unwrap_or(1),
            waited_ms: self.waits.find(id).map_or(0, |wait| now.monotonic.ms_since(wait.since)),
            waits_for: self.locks.waits_for(id.0),
        }
    }
}

enum Row {
    Held(Held),
    Waiting(Waiting),
}

impl Row {
    /// What it takes on the wire at most, in bytes.
    fn bytes(&self) -> usize {
        match self {
            Self::Held(held) => row_bytes(&held.keys, held.reason.as_deref()),
            Self::Waiting(waiting) => {
                let agents: usize = waiting.waits_for.iter().map(|agent| agent.as_str().len() + 3).sum();
                row_bytes(&waiting.keys, None) + agents
            }
        }
    }
}

/// Where a page of `lock.list` goes on: the first grant, or none once all grants were listed, and the first waiter.
fn parse_cursor(cursor: Option<&str>) -> Result<(Option<u64>, u64), Error> {
    let Some(cursor) = cursor else {
        return Ok((Some(0), 0));
    };
    let number = |digits: &str| digits.parse::<u64>().ok();
    let place = match (cursor.strip_prefix('g').and_then(number), cursor.strip_prefix('w').and_then(number)) {
        (Some(grant), _) => Some((Some(grant), 0)),
        (None, Some(waiter)) => Some((None, waiter)),
        (None, None) => None,
    };
    place.ok_or_else(|| invalid_params("cursor", "`cursor` is not one that lock.list gave: start without it"))
}
