//! From the outbox to bytes: late replies and events join the output, and what is written whole is forgotten.

use std::cell::Cell;
use std::task::{Context, Poll};

use super::{Connection, Phase};
use crate::listener::poll_write;
use crate::outbox::{Batch, FlowChange};
use crate::store::Position;

/// How much output is collected before it is written, in bytes.
const ENOUGH_BYTES: usize = 256 << 10;
/// A buffer larger than this is not kept once it is empty, in bytes.
const KEPT_BYTES: usize = ENOUGH_BYTES;

thread_local! {
    /// The buffer for output of the connection whose turn it is. One that rests without output has none.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Connection {
    /// Takes the thread's buffer for output, unless there is output already.
    pub(super) fn take_buffer(&mut self) {
        if self.output.is_empty() {
            self.output = BUFFER.take();
        }
    }

    /// Gives the thread its buffer back, unless there is still output.
    pub(super) fn give_buffer(&mut self) {
        if self.output.is_empty() {
            let buffer = std::mem::take(&mut self.output);
            BUFFER.set(if buffer.capacity() <= KEPT_BYTES { buffer } else { Vec::new() });
        }
    }

    /// How much output waits, in bytes.
    pub(super) fn backlog(&self) -> usize {
        self.output.len() - self.written
    }

    /// Whether so much output waits that nothing more is read or carried out.
    pub(super) fn is_behind(&self) -> bool {
        self.backlog() > self.host.config.limits.outbound_soft_bytes
    }

    /// Whether all that is to be written is written.
    pub(super) fn is_flushed(&self) -> bool {
        self.backlog() == 0 && self.seat.as_ref().is_none_or(|seat| seat.outbox().is_empty())
    }

    /// Takes what the outbox has and may leave, and leaves word where to be woken.
    pub(super) fn collect(&mut self, context: &Context<'_>, stored: Position) {
        let Some(seat) = self.seat.clone() else { return };
        let mut outbox = seat.outbox();
        if !outbox.serves(self.id) {
            // Another connection took the session over.
            self.phase = Phase::Closed;
            return;
        }
        outbox.set_waker(context.waker());
        if outbox.ended && self.phase == Phase::Open {
            self.phase = Phase::Closing;
        }
        let lost_after = self.host.keeper.lost_after();
        let batch =
            Batch { framing: self.framing(), base: self.base, enough: ENOUGH_BYTES, stored, lost_after };
        outbox.hand_over(&batch, &mut self.output);
        let wants_more = std::mem::take(&mut outbox.more_initial);
        let is_fine = outbox.bytes() <= self.host.config.limits.outbound_soft_bytes;
        outbox.more_initial = wants_more && !is_fine;
        self.has_frames = !outbox.is_empty();
        drop(outbox);
        if wants_more && is_fine {
            let now = self.host.clock.now();
            self.host.with_board(&seat.board, |board| board.continue_initial(now, seat.session));
            context.waker().wake_by_ref();
        }
    }

    /// Writes as much as the peer takes; whether that was something.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>) -> bool {
        if self.backlog() == 0 || self.phase == Phase::Closed {
            return false;
        }
        match poll_write(&mut self.stream, context, &self.output[self.written..]) {
            Poll::Pending => false,
            Poll::Ready(Ok(count)) if count > 0 => {
                self.written += count;
                self.note_written();
                true
            }
            Poll::Ready(Ok(_) | Err(_)) => {
                self.phase = Phase::Closed;
                true
            }
        }
    }

    fn note_written(&mut self) {
        let place = self.base + self.written as u64;
        if self.written == self.output.len() {
            self.base = place;
            self.written = 0;
            self.output.clear();
        }
        let Some(seat) = self.seat.as_ref().filter(|_| self.has_frames) else { return };
        let mut outbox = seat.outbox();
        let flow = outbox.written(self.id, place);
        let has_frames = !outbox.is_empty();
        drop(outbox);
        if flow == Some(FlowChange::Fine) {
            let now = self.host.clock.now();
            self.host.with_board(&seat.board, |board| board.set_paused(now, seat.session, false));
        }
        self.has_frames = has_frames;
    }
}
