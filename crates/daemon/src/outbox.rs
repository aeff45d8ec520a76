//! What waits to be written to one session: replies that came late, and events.
//!
//! Invariants: replies and leased messages are never dropped; what may be dropped becomes part of a gap of its
//! subscription, and the gap is told before the next event of it. What was handed to a connection but not written whole
//! stays here until it is, so that a connection that breaks loses nothing: events go to the next connection, replies
//! are given back to the board. Knows no sockets and reads no clock.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;
use std::time::{Duration, Instant};

use callboard_broker::PushClass;
use callboard_protocol::error::Error;
use callboard_protocol::event::{Event as _, EventBody, Gap, write_push};
use callboard_protocol::methods::{Answer, BoardAnswer, Empty};
use callboard_protocol::revision::{MessageId, Revision};
use callboard_protocol::{Framing, Limits, RequestId, Response};

use crate::connection::lost_error;
use crate::store::Position;

#[cfg(test)]
mod tests;

/// What a queued frame costs besides its body, in bytes.
const FRAME_BYTES: usize = 128;
/// What a reply is taken for until it is encoded, in bytes.
const REPLY_BYTES: usize = 512;

/// Names one connection among all that a session has had.
pub type ConnectionId = u64;

/// One frame to be written.
#[derive(Debug)]
pub enum Frame {
    /// The answer to a request that waited.
    Reply {
        /// The request.
        id: RequestId,
        /// Its answer.
        result: Box<Result<BoardAnswer, Error>>,
        /// The message that it hands over.
        reply_message: Option<MessageId>,
        /// Whether it tells of a change.
        is_change: bool,
    },
    /// An event.
    Push {
        /// The subscription, 0 for none.
        subscription: u64,
        /// Its seq there.
        seq: u64,
        /// The event.
        body: EventBody,
    },
}

impl Frame {
    fn bytes(&self) -> usize {
        match self {
            Self::Reply { .. } => REPLY_BYTES,
            Self::Push { body, .. } => FRAME_BYTES + body.as_str().len(),
        }
    }

    fn encode(&self, framing: Framing, is_lost: bool, out: &mut Vec<u8>) {
        match self {
            Self::Reply { id, result, is_change: true, .. } if is_lost && result.is_ok() => {
                encode_response::<Empty>(framing, Some(id), Err(&lost_error()), out);
            }
            Self::Reply { id, result, .. } => {
                encode_response(framing, Some(id), result.as_ref().as_ref(), out);
            }
            Self::Push { subscription, seq, body } => {
                framing.write(out, |out| write_push(out, *subscription, *seq, body));
            }
        }
    }
}

/// Writes one response; an answer that can't be encoded becomes the error that says so.
pub fn encode_response<T: Answer>(
    framing: Framing,
    id: Option<&RequestId>,
    outcome: Result<&T, &Error>,
    out: &mut Vec<u8>,
) {
    if let Err(error) = framing.encode_with(out, |out| Response { id, outcome }.write(out)) {
        let outcome: Result<&T, &Error> = Err(&error);
        // An error of ours is short and plain: it can be encoded.
        let _ = framing.encode_with(out, |out| Response { id, outcome }.write(out));
    }
}

#[derive(Debug)]
struct OpenGap {
    seq: u64,
    missed: u64,
    revision: Option<Revision>,
    /// What must be stored before it leaves: the last change that was missed.
    position: Position,
}

/// What the session's flow changed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowChange {
    /// It is slow now.
    Slow,
    /// It is no longer slow.
    Fine,
}

/// What a connection can take of an outbox.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// How it is framed.
    pub framing: Framing,
    /// How many bytes the connection put out before its output.
    pub base: u64,
    /// How many bytes of output are enough.
    pub enough: usize,
    /// Frames that need no later position than this one may leave.
    pub stored: Position,
    /// Changes after this position could not be stored.
    pub lost_after: Option<Position>,
}

/// The outbox of one session.
#[derive(Debug)]
pub struct Outbox {
    soft_bytes: usize,
    soft_time: Duration,
    hard_bytes: usize,
    queue: VecDeque<(Position, Frame)>,
    /// Handed to the connection, with the place in its output where each frame ends.
    in_flight: VecDeque<(u64, Position, Frame)>,
    bytes: usize,
    gaps: BTreeMap<u64, OpenGap>,
    slow_since: Option<Instant>,
    connection: Option<ConnectionId>,
    waker: Option<Waker>,
    /// Whether the session has initial state left.
    pub more_initial: bool,
    /// Whether the session is over.
    pub ended: bool,
    /// Events that were missed.
    pub drops: u64,
}

impl Outbox {
    /// An empty outbox.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            soft_bytes: limits.outbound_soft_bytes,
            soft_time: Duration::from_millis(limits.outbound_soft_ms),
            hard_bytes: limits.outbound_hard_bytes,
            queue: VecDeque::new(),
            in_flight: VecDeque::new(),
            bytes: 0,
            gaps: BTreeMap::new(),
            slow_since: None,
            connection: None,
            waker: None,
            more_initial: false,
            ended: false,
            drops: 0,
        }
    }

    /// Makes a connection the session's own. The one before sees [`Outbox::serves`] turn false; events that it did not
    /// write whole come again, its late replies are gone (their requests ended with it). Gives whom to wake of it, and
    /// the messages whose replies it did not write whole.
    pub fn attach(&mut self, connection: ConnectionId) -> (Option<Waker>, Vec<MessageId>) {
        let unwritten = self.drop_replies();
        self.connection = Some(connection);
        (self.waker.take(), unwritten)
    }

    /// The connection is gone. Gives the messages whose replies were not written whole.
    pub fn detach(&mut self, connection: ConnectionId) -> Vec<MessageId> {
        if self.connection != Some(connection) {
            return Vec::new();
        }
        self.connection = None;
        self.waker = None;
        self.drop_replies()
    }

    fn drop_replies(&mut self) -> Vec<MessageId> {
        self.take_back();
        let mut unwritten = Vec::new();
        self.queue.retain(|(_, frame)| match frame {
            Frame::Reply { reply_message, .. } => {
                unwritten.extend(reply_message);
                false
            }
            Frame::Push { .. } => true,
        });
        self.recount();
        unwritten
    }

    fn take_back(&mut self) {
        while let Some((_, position, frame)) = self.in_flight.pop_back() {
            self.queue.push_front((position, frame));
        }
    }

    fn recount(&mut self) {
        self.bytes = self.queue.iter().map(|(_, frame)| frame.bytes()).sum();
        self.slow_since = self.slow_since.filter(|_| self.bytes > self.soft_bytes);
    }

    /// Whether this connection is still the session's own.
    #[must_use]
    pub fn serves(&self, connection: ConnectionId) -> bool {
        self.connection == Some(connection)
    }

    /// Whom to wake when there is something new.
    pub fn set_waker(&mut self, waker: &Waker) {
        if self.waker.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }

    /// Whom to wake now.
    pub fn take_waker(&mut self) -> Option<Waker> {
        self.waker.take()
    }

    /// Adds a reply.
    pub fn push_reply(&mut self, position: Position, frame: Frame) {
        self.add(position, frame);
    }

    /// Adds an event, or counts it as missed when the session is too slow for it.
    pub fn push_event(
        &mut self,
        now: Instant,
        position: Position,
        frame: Frame,
        class: PushClass,
    ) -> Option<FlowChange> {
        let Frame::Push { subscription, seq, .. } = &frame else {
            return None;
        };
        let revision = match class {
            PushClass::Kept => {
                self.add(position, frame);
                return self.note_slow(now);
            }
            PushClass::Droppable => None,
            PushClass::DroppableAt(revision) => Some(revision),
        };
        let is_slow_for_long =
            self.slow_since.is_some_and(|since| now.saturating_duration_since(since) >= self.soft_time);
        let is_over = self.bytes + frame.bytes() > self.hard_bytes || is_slow_for_long;
        if is_over || self.gaps.contains_key(subscription) {
            let gap = OpenGap { seq: *seq, missed: 0, revision, position };
            let gap = self.gaps.entry(*subscription).or_insert(gap);
            gap.missed += 1;
            gap.revision = revision;
            gap.position = position;
            self.drops += 1;
            return None;
        }
        self.add(position, frame);
        self.note_slow(now)
    }

    fn add(&mut self, position: Position, frame: Frame) {
        self.bytes += frame.bytes();
        self.queue.push_back((position, frame));
    }

    fn note_slow(&mut self, now: Instant) -> Option<FlowChange> {
        if self.bytes <= self.soft_bytes || self.slow_since.is_some() {
            return None;
        }
        self.slow_since = Some(now);
        Some(FlowChange::Slow)
    }

    /// Whether nothing waits to be handed to the connection.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_empty() && self.gaps.is_empty()
    }

    /// The position that must be stored before all that waits may leave.
    #[must_use]
    pub fn newest(&self) -> Position {
        self.queue.back().map_or(Position::default(), |(position, _)| *position)
    }

    /// Encodes frames that may leave into a connection's output until that has [`Batch::enough`] bytes.
    pub fn hand_over(&mut self, batch: &Batch, out: &mut Vec<u8>) {
        if self.bytes <= self.soft_bytes {
            self.tell_gaps();
        }
        while out.len() < batch.enough
            && self.queue.front().is_some_and(|(needed, _)| *needed <= batch.stored)
        {
            let Some((position, frame)) = self.queue.pop_front() else {
                break;
            };
            let is_lost = batch.lost_after.is_some_and(|after| position > after);
            frame.encode(batch.framing, is_lost, out);
            self.in_flight.push_back((batch.base + out.len() as u64, position, frame));
        }
    }

    /// Tells that a connection has written its output up to a place. Below the soft limit the gaps are told. Places of
    /// a connection that lost the session mean nothing here any more.
    pub fn written(&mut self, connection: ConnectionId, place: u64) -> Option<FlowChange> {
        if !self.serves(connection) {
            return None;
        }
        while self.in_flight.front().is_some_and(|(end, ..)| *end <= place) {
            if let Some((_, _, frame)) = self.in_flight.pop_front() {
                self.bytes = self.bytes.saturating_sub(frame.bytes());
            }
        }
        if self.bytes > self.soft_bytes {
            return None;
        }
        self.tell_gaps();
        self.slow_since.take().map(|_| FlowChange::Fine)
    }

    fn tell_gaps(&mut self) {
        if self.gaps.is_empty() {
            return;
        }
        for (subscription, gap) in std::mem::take(&mut self.gaps) {
            let body = Gap { missed: gap.missed, revision: gap.revision }.body();
            let position = gap.position.max(self.newest());
            self.add(position, Frame::Push { subscription, seq: gap.seq, body });
        }
    }

    /// Forgets the gap of a subscription that ended.
    pub fn forget(&mut self, subscription: u64) {
        self.gaps.remove(&subscription);
    }

    /// How many bytes wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
