//! Where each session sits: its board and its outbox. What a session is, its board knows.
//!
//! Invariant: a seat is in the map from the session's opening until its board says that it ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callboard_broker::SessionId;
use callboard_protocol::Limits;
use dashmap::DashMap;

use crate::boards::BoardHandle;
use crate::outbox::Outbox;

/// One session's place.
#[derive(Debug)]
pub struct Seat {
    /// The session.
    pub session: SessionId,
    /// Its board.
    pub board: Arc<BoardHandle>,
    outbox: Mutex<Outbox>,
}

impl Seat {
    /// The outbox, locked. Whoever holds it takes no other lock.
    pub fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All seats.
#[derive(Debug, Default)]
pub struct Seats {
    map: DashMap<SessionId, Arc<Seat>>,
}

impl Seats {
    /// Gives a session its seat.
    pub fn take(&self, session: SessionId, board: Arc<BoardHandle>, limits: &Limits) -> Arc<Seat> {
        let seat = Arc::new(Seat { session, board, outbox: Mutex::new(Outbox::new(limits)) });
        self.map.insert(session, Arc::clone(&seat));
        seat
    }

    /// The seat of a session.
    #[must_use]
    pub fn find(&self, session: SessionId) -> Option<Arc<Seat>> {
        self.map.get(&session).map(|found| Arc::clone(found.value()))
    }

    /// Frees a seat.
    pub fn free(&self, session: SessionId) -> Option<Arc<Seat>> {
        self.map.remove(&session).map(|(_, seat)| seat)
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
}
