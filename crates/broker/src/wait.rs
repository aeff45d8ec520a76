//! Requests that wait: for a lock, a message, an answer.
//!
//! Invariant: a wait is in the table exactly as long as its request is unanswered and its connection is there. Whoever
//! takes a wait out of the table answers it, or its connection is gone. What the wait is for lives in its own area.

use std::collections::BTreeMap;

use callboard_protocol::id::RequestId;

use crate::now::Monotonic;
use crate::session::SessionId;

/// A waiting request; ids ascend, so their order is the order of waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaitId(pub u64);

/// What a request waits for; the area of the same name holds the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitKind {
    /// `lock.acquire`
    Lock,
    /// `message.receive`
    Receive,
    /// `message.request`
    Request,
    /// `task.claim`
    Claim,
    /// `task.wait`
    TaskEnd,
    /// `limiter.take`
    Limiter,
}

/// One waiting request.
#[derive(Debug)]
pub struct Wait {
    /// Whose.
    pub session: SessionId,
    /// The request's own id.
    pub request: RequestId,
    /// What for.
    pub kind: WaitKind,
    /// Since when.
    pub since: Monotonic,
    /// Until when.
    pub due: Monotonic,
}

/// The waiting requests of a board.
#[derive(Debug, Default)]
pub struct Waits {
    table: BTreeMap<WaitId, Wait>,
    last: u64,
}

impl Waits {
    /// Adds a wait.
    pub fn add(&mut self, wait: Wait) -> WaitId {
        self.last += 1;
        let id = WaitId(self.last);
        self.table.insert(id, wait);
        id
    }

    /// The wait, if it is still there.
    #[must_use]
    pub fn find(&self, id: WaitId) -> Option<&Wait> {
        self.table.get(&id)
    }

    /// Takes a wait out; the caller answers it.
    pub fn take(&mut self, id: WaitId) -> Option<Wait> {
        self.table.remove(&id)
    }
}
