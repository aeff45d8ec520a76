//! Replies that must not leave before what they tell is stored, and what becomes of them when it can't be.
//!
//! Invariant: nothing is written while a change that it shows is not stored. A change that was made in memory and then
//! could not be stored is told as exactly that; everything else of the batch leaves as it is.

use std::ops::Range;
use std::task::{Context, Poll};

use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::methods::Empty;
use callboard_protocol::{Framing, RequestId};
use serde::Deserialize;

use super::Connection;
use crate::host::Stamp;
use crate::outbox::encode_response;
use crate::store::{Fate, Position};

/// The reply to a request that changed something, in the output.
#[derive(Debug)]
pub(super) struct UnstoredReply {
    place: Range<usize>,
    position: Position,
}

impl Connection {
    /// Whatever shows a change waits for it to be stored.
    pub(crate) fn needs(&mut self, stamp: Stamp) {
        self.needed = self.needed.max(stamp.position);
    }

    /// Notes the reply from `start` to the end of the output as one that tells of a change.
    pub(super) fn note_unstored(&mut self, start: usize, stamp: Stamp) {
        if stamp.is_change && stamp.position > Position::default() {
            let place = start..self.output.len();
            self.unstored.push(UnstoredReply { place, position: stamp.position });
        }
    }

    /// Ready with the position up to which everything may leave.
    pub(super) fn poll_stored(&mut self, context: &Context<'_>) -> Poll<Position> {
        let newest = self.seat.as_ref().map_or(Position::default(), |seat| seat.outbox().newest());
        let wanted = self.needed.max(newest);
        match self.host.keeper.poll_stored(context, wanted) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Fate::Stored) => self.unstored.clear(),
            Poll::Ready(Fate::Lost { after }) => self.disown(after),
        }
        Poll::Ready(wanted)
    }

    /// Replaces the replies to changes that could not be stored by the error that says so.
    fn disown(&mut self, after: Position) {
        let unstored = std::mem::take(&mut self.unstored);
        let Some(first) = unstored.iter().find(|reply| reply.position > after) else {
            return;
        };
        let framing = self.framing();
        let old = self.output.split_off(first.place.start);
        let start = first.place.start;
        let mut copied = 0;
        for UnstoredReply { place, position } in &unstored {
            if *position <= after {
                continue;
            }
            let (from, to) = (place.start - start, place.end - start);
            self.output.extend_from_slice(&old[copied..from]);
            let error = lost_error();
            self.host.stats.count_error(&error);
            let id = request_id(framing, &old[from..to]);
            encode_response::<Empty>(framing, id.as_ref(), Err(&error), &mut self.output);
            copied = to;
        }
        self.output.extend_from_slice(&old[copied..]);
    }
}

/// What is told instead of success when the change is in memory only.
pub(crate) fn lost_error() -> Error {
    let message = "failed to store the change: it is in memory, and a crash would lose it; changes are refused until a \
                   snapshot succeeds, see the daemon's log";
    Error::new(ErrorKind::StorageFailed, message).with("applied", true)
}

#[derive(Deserialize)]
struct WithId {
    id: RequestId,
}

fn request_id(framing: Framing, reply: &[u8]) -> Option<RequestId> {
    let json = match framing {
        Framing::LengthDelimited => reply.get(callboard_protocol::frame::HEADER_BYTES..)?,
        Framing::LineDelimited => reply,
    };
    serde_json::from_slice(json).ok().map(|WithId { id }| id)
}
