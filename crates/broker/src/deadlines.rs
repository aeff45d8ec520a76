//! The table of what is due next: TTLs, leases, delays, presence, graces, waits. Tasks have one of their own, since what is
//! due of them follows from the tasks.
//!
//! Invariant: each entity keeps its own due time and moves its entry here whenever that changes, so that no entry is
//! ever stale. Overdue is decided by the clock: whoever looks at an entity compares its due time with `now` and does
//! not rely on this table having been worked off.

use std::collections::BTreeSet;

use callboard_protocol::revision::{MessageId, TaskId, Token, VoteId};
use callboard_protocol::{AgentName, Key};

use crate::lease::Cascade;
use crate::now::Monotonic;
use crate::session::SessionId;
use crate::wait::WaitId;

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deadline {
    /// A waiting request runs out.
    Wait(WaitId),
    /// A lease ends.
    Lease(Token),
    /// A lease has a tenth of its time left.
    LeaseSoon(Token),
    /// A session's grace ends.
    Grace(SessionId),
    /// An agent's presence ends.
    Presence(AgentName),
    /// A name that left is forgotten.
    ForgetAgent(AgentName),
    /// A key's TTL ends.
    Key(Key),
    /// A delayed message of an inbox becomes ready.
    Ready(AgentName, MessageId),
    /// A message's TTL ends.
    Message(MessageId),
    /// A finished message's header goes.
    ForgetMessage(MessageId),
    /// A dedupe key is forgotten.
    ForgetDedupe(MessageId),
    /// What a session or an agent held goes on ending where one slice ended.
    Cascade(Cascade),
    /// A session's subscriptions to its inbox go on where one slice ended.
    Feed(SessionId),
    /// The ends of tasks go on to their dependents where one slice ended.
    SpreadTasks,
    /// A task's dedupe key is forgotten.
    ForgetTaskDedupe(TaskId),
    /// A vote closes, or a closed one is forgotten.
    Vote(VoteId),
    /// A bucket has its next token for those who wait, or is full.
    Limiter(Key),
}

/// Deadlines in order. Setting, clearing and taking the next one are O(log n).
#[derive(Debug, Default)]
pub struct Deadlines {
    due: BTreeSet<(Monotonic, Deadline)>,
}

impl Deadlines {
    /// Adds a deadline.
    pub fn set(&mut self, at: Monotonic, deadline: Deadline) {
        self.due.insert((at, deadline));
    }

    /// Removes a deadline that was set for `at`; whether it was.
    pub fn clear(&mut self, at: Monotonic, deadline: Deadline) -> bool {
        self.due.remove(&(at, deadline))
    }

    /// Moves a deadline; `None` on either side means that there is none.
    pub fn change(&mut self, from: Option<Monotonic>, to: Option<Monotonic>, deadline: Deadline) {
        if from == to {
            return;
        }
        if let Some(at) = from {
            self.clear(at, deadline.clone());
        }
        if let Some(at) = to {
            self.set(at, deadline);
        }
    }

    /// When the next one is due.
    #[must_use]
    pub fn next(&self) -> Option<Monotonic> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the next one that is due at `now`.
    pub fn take_due(&mut self, now: Monotonic) -> Option<Deadline> {
        if self.next()? > now {
            return None;
        }
        self.due.pop_first().map(|(_, deadline)| deadline)
    }

    /// Whether nothing will ever be due.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}
