//! Leases: a held lock, a delivered message and a claimed task are the same thing, something granted to an agent
//! under a token, bound to it or to one of its sessions, until a deadline.
//!
//! Invariant: a token is in the table exactly as long as its lease is live or overdue and unnoticed; what the lease is of
//! holds the same token. Ended tokens are remembered for a while, so that a late caller hears why.
//! Lacks what becomes of what a lease was of: the areas act when one ends.

mod unbound;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use callboard_protocol::AgentName;
use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::event::LeaseKind;
use callboard_protocol::limits::DEADLINE_SOON_TTL_MS_MIN;
use callboard_protocol::methods::message::Stale;
use callboard_protocol::revision::{MessageId, Revision, TaskId, Token};

use crate::deadlines::{Deadline, Deadlines};
use crate::now::Monotonic;
use crate::session::SessionId;

pub use unbound::{Cascade, Leaving, Step};

/// How many ended tokens are remembered: a few minutes of a busy board.
const ENDED_REMEMBERED_MAX: usize = 65_536;

/// What ends a lease besides its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// The agent's leaving or removal.
    Agent,
    /// The end of this session.
    Session(SessionId),
}

/// What a lease is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leased {
    /// The lock under the same token.
    Lock,
    /// The agent's delivery of a message.
    Message(MessageId),
    /// A claimed task.
    Task(TaskId),
}

impl Leased {
    /// Its kind, as others see it.
    #[must_use]
    pub fn kind(self) -> LeaseKind {
        match self {
            Self::Lock => LeaseKind::Lock,
            Self::Message(_) => LeaseKind::Message,
            Self::Task(_) => LeaseKind::Task,
        }
    }

    /// The message.
    #[must_use]
    pub fn message(self) -> Option<MessageId> {
        match self {
            Self::Message(id) => Some(id),
            Self::Lock | Self::Task(_) => None,
        }
    }

    /// The task.
    #[must_use]
    pub fn task(self) -> Option<TaskId> {
        match self {
            Self::Task(id) => Some(id),
            Self::Lock | Self::Message(_) => None,
        }
    }
}

/// One lease.
#[derive(Debug, Clone)]
pub struct Lease {
    /// What it is of.
    pub of: Leased,
    /// To whom it was granted.
    pub agent: AgentName,
    /// What it is bound to.
    pub binding: Binding,
    /// Its TTL in milliseconds, or none.
    pub ttl_ms: Option<u64>,
    /// When it ends, or never.
    pub due: Option<Monotonic>,
}

impl Lease {
    /// Whether its time is over.
    #[must_use]
    pub fn is_overdue(&self, now: Monotonic) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// When `deadline_soon` is due: a tenth of the TTL before the end, for TTLs of 10 s and more.
    fn soon(&self) -> Option<Monotonic> {
        let ttl_ms = self.ttl_ms.filter(|ttl_ms| *ttl_ms >= DEADLINE_SOON_TTL_MS_MIN)?;
        self.due.map(|due| Monotonic(due.0.saturating_sub(ttl_ms * 100)))
    }
}

/// All leases of a board.
#[derive(Debug, Default)]
pub struct Leases {
    live: BTreeMap<Token, Lease>,
    by_session: BTreeSet<(SessionId, Token)>,
    by_agent: BTreeSet<(AgentName, Token)>,
    /// In order, since tokens end about in the order in which they were given: what is added and what goes is near what
    /// was touched last.
    ended: BTreeMap<Token, Stale>,
    ended_order: VecDeque<Token>,
    unbound: unbound::Unbound,
}

impl Leases {
    /// Grants a lease under a fresh token.
    pub fn grant(&mut self, deadlines: &mut Deadlines, token: Token, lease: Lease) {
        start(deadlines, token, &lease);
        if let Binding::Session(session) = lease.binding {
            self.by_session.insert((session, token));
        }
        self.by_agent.insert((lease.agent.clone(), token));
        self.live.insert(token, lease);
    }

    /// Starts a lease's time anew, with a new TTL (`None`: no end).
    pub fn extend(
        &mut self,
        deadlines: &mut Deadlines,
        token: Token,
        now: Monotonic,
        ttl_ms: Option<u64>,
    ) -> Option<Monotonic> {
        let lease = self.live.get_mut(&token)?;
        stop(deadlines, token, lease);
        lease.ttl_ms = ttl_ms;
        lease.due = ttl_ms.map(|ttl_ms| now.plus_ms(ttl_ms));
        start(deadlines, token, lease);
        lease.due
    }

    /// A lease has come to the last tenth of its time: what is due next is its end.
    pub fn note_soon(&self, deadlines: &mut Deadlines, token: Token) -> Option<&Lease> {
        let lease = self.live.get(&token)?;
        deadlines.change(None, lease.due, Deadline::Lease(token));
        Some(lease)
    }

    /// Ends a lease and remembers why.
    pub fn end(&mut self, deadlines: &mut Deadlines, token: Token, why: Stale) -> Option<Lease> {
        let lease = self.live.remove(&token)?;
        stop(deadlines, token, &lease);
        if let Binding::Session(session) = lease.binding {
            self.by_session.remove(&(session, token));
        }
        self.by_agent.remove(&(lease.agent.clone(), token));
        self.remember(token, why);
        Some(lease)
    }

    fn remember(&mut self, token: Token, why: Stale) {
        self.ended.insert(token, why);
        self.ended_order.push_back(token);
        if self.ended_order.len() > ENDED_REMEMBERED_MAX
            && let Some(oldest) = self.ended_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }

    /// The lease under a token, overdue or not.
    #[must_use]
    pub fn find(&self, token: Token) -> Option<&Lease> {
        self.live.get(&token)
    }

    /// The lease under a token, unless its time is over or what it was bound to ended.
    #[must_use]
    pub fn find_live(&self, token: Token, now: Monotonic) -> Option<&Lease> {
        self.find(token).filter(|lease| !lease.is_overdue(now) && !self.is_unbound(token, lease))
    }

    /// The message that a delivery's lease is of.
    #[must_use]
    pub fn message_of(&self, token: Token) -> Option<MessageId> {
        self.find(token)?.of.message()
    }

    /// The task that a claim's lease is of.
    #[must_use]
    pub fn task_of(&self, token: Token) -> Option<TaskId> {
        self.find(token)?.of.task()
    }

    /// Why a token no longer counts; one that was never given counts as expired.
    #[must_use]
    pub fn why_ended(&self, token: Token) -> Stale {
        self.ended.get(&token).copied().unwrap_or(Stale::Expired)
    }

    /// The tokens granted to an agent, oldest first.
    #[must_use]
    pub fn of_agent(&self, agent: &AgentName) -> Vec<Token> {
        let from = (agent.clone(), Revision(0));
        self.by_agent.range(from..).take_while(|(name, _)| name == agent).map(|(_, token)| *token).collect()
    }
}

/// The error for a token that no longer counts.
#[must_use]
pub fn stale_token(what: &str, why: Stale) -> Error {
    let reason = match why {
        Stale::Expired => "it expired, or was never given",
        Stale::Released => "it was released",
        Stale::Broken => "it was broken or cancelled",
        Stale::Acked => "it was acked",
    };
    Error::new(ErrorKind::StaleToken, format!("{what} no longer counts: {reason}; nothing was changed"))
        .with("why", why)
}

/// Sets what is due first of a lease: the last tenth of its time, or its end.
fn start(deadlines: &mut Deadlines, token: Token, lease: &Lease) {
    match lease.soon() {
        Some(soon) => deadlines.set(soon, Deadline::LeaseSoon(token)),
        None => deadlines.change(None, lease.due, Deadline::Lease(token)),
    }
}

/// Clears what is due of a lease.
fn stop(deadlines: &mut Deadlines, token: Token, lease: &Lease) {
    let was_early = lease.soon().is_some_and(|soon| deadlines.clear(soon, Deadline::LeaseSoon(token)));
    if !was_early {
        deadlines.change(lease.due, None, Deadline::Lease(token));
    }
}
