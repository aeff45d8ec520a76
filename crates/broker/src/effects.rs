//! What an `apply` wants done: replies to requests that waited, pushes, change records. The board never performs them.
//!
//! Invariant: outputs are in the order in which they must reach each session. Whoever polls them hands the records to
//! the store first; nothing of an `apply` may leave the process before its records are as safe as the mode promises.

use callboard_protocol::error::Error;
use callboard_protocol::event::EventBody;
use callboard_protocol::id::RequestId;
use callboard_protocol::methods::BoardAnswer;
use callboard_protocol::revision::{MessageId, Revision};

use crate::record::Record;
use crate::session::SessionId;

/// Something for one session.
#[derive(Debug)]
pub struct Output {
    /// For whom.
    pub session: SessionId,
    /// What.
    pub what: Outgoing,
}

/// What goes out to a session.
#[derive(Debug)]
pub enum Outgoing {
    /// The answer to a request that waited. Never dropped.
    Reply {
        /// The request.
        id: RequestId,
        /// Its answer.
        result: Box<Result<BoardAnswer, Error>>,
        /// The message that this hands over directly; when it can't be written, [`crate::Board::reply_unwritten`].
        reply_message: Option<MessageId>,
    },
    /// An event.
    Push {
        /// The subscription, 0 for none.
        subscription: u64,
        /// Its seq there, from 1.
        seq: u64,
        /// The event.
        body: EventBody,
        /// What may be done with it when the session is slow.
        class: PushClass,
    },
    /// The session has initial state left: call [`crate::Board::continue_initial`] once it is not slow.
    MoreInitial,
    /// The session ended: nothing will come for it any more.
    Ended,
}

/// What may be done with a push when its reader is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushClass {
    /// Kept: leased messages, and events of no subscription.
    Kept,
    /// May become part of a gap.
    Droppable,
    /// May become part of a gap that names this revision.
    DroppableAt(Revision),
}

/// Everything that one `apply` (or one slice of deadlines) wants done.
#[derive(Debug, Default)]
pub struct Effects {
    /// Replies and pushes, in order.
    pub outputs: Vec<Output>,
    /// Changed entities, in order.
    pub records: Vec<Record>,
}

impl Effects {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty() && self.records.is_empty()
    }
}
