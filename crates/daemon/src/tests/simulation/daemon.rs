//! A running daemon without sockets and threads: the real boards and the real store, put together as `host` does it.
//!
//! Invariant: what a change recorded is handed to the store before anything that shows it is put out. What is put out
//! leaves only when the store says so, see [`Out`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use callboard_broker::{Board, BoardConfig, Now, Output, Record};
use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::revision::Revision;
use callboard_protocol::{Limits, Namespace};

use super::history::History;
use crate::recovery::{Recovered, RecoveryError, recover};
use crate::store::{Fate, Forgiven, Keeper, Opened, Position};

/// Fewer revisions left than this: no change is let in.
const REVISIONS_PER_CALL_MAX: u64 = 250_000;
const REVISIONS_LEFT_MIN: u64 = 500_000;

/// One board with what the daemon keeps beside it.
#[derive(Debug)]
pub struct Seat {
    pub board: Board,
    ceiling: u64,
    last_change: Position,
}

/// Something that waits to leave.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    position: Position,
    /// The changes there were, if this tells of the last of them; else it only looked.
    change: Option<usize>,
}

impl Out {
    /// The same for what only shows a change: while nothing can be stored, it may leave all the same.
    pub fn looking(self) -> Self {
        Self { change: None, ..self }
    }
}

/// What one call brought about.
#[derive(Debug)]
pub struct Settled {
    pub outputs: Vec<(Output, Out)>,
    pub out: Out,
}

/// See the module.
#[derive(Debug)]
pub struct Daemon {
    pub keeper: Arc<Keeper>,
    pub seats: BTreeMap<Namespace, Seat>,
}

/// The settings of all simulated boards. Without a history of keys and of turns, what a board holds is what a restart
/// brings back.
pub fn board_config() -> BoardConfig {
    let limits = Limits { watch_history: 0, thread_turns_per_minute: 0, ..Limits::default() };
    BoardConfig { limits, ..BoardConfig::default() }
}

impl Seat {
    fn new(board: Board) -> Self {
        Self { board, ceiling: 0, last_change: Position::default() }
    }

    fn revisions_left(&self) -> u64 {
        self.ceiling.saturating_sub(self.board.revision().0 + 1)
    }

    /// The records of the whole board.
    pub fn image(&self, now: Now) -> Vec<Record> {
        let mut cursor = callboard_broker::ImageCursor::default();
        self.board.image_slice(now, &mut cursor, usize::MAX)
    }
}

impl Daemon {
    /// A daemon that keeps nothing.
    pub fn in_memory() -> Self {
        Self { keeper: Arc::new(Keeper::in_memory()), seats: BTreeMap::new() }
    }

    /// The daemon that goes on with what is in the store.
    ///
    /// # Errors
    /// The store's.
    pub fn start(
        mut opened: Opened,
        mode: crate::config::Durability,
        now: Now,
    ) -> Result<Self, RecoveryError> {
        let recovered = recover(&mut opened, Forgiven::TornEnd, &board_config(), now)?;
        recovered.settle_journal(&opened.volume)?;
        let Recovered { boards, replayed } = recovered;
        let keeper = Arc::new(Keeper::resume(opened, mode, 1 << 20, &replayed));
        let seats = boards.into_iter().map(|(namespace, board)| (namespace, Seat::new(board))).collect();
        Ok(Self { keeper, seats })
    }

    /// The last position that the store gave out.
    pub fn position(&self) -> u64 {
        self.keeper.journal().map_or(0, |journal| journal.positions().0)
    }

    /// Whether a change is let in at the moment.
    ///
    /// # Errors
    /// `storage_failed`: nothing was changed.
    pub fn check_storage(&self, namespace: &Namespace) -> Result<(), Error> {
        let has_room = |seat: &Seat| seat.revisions_left() >= REVISIONS_PER_CALL_MAX;
        if !self.keeper.is_failed() && self.seats.get(namespace).is_some_and(has_room) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::StorageFailed, "refused").with("applied", false))
    }

    /// Makes the board of a namespace, and revisions for it.
    pub fn prepare(&mut self, namespace: &Namespace) {
        if !self.seats.contains_key(namespace) {
            let last = self.keeper.first_free_revision(namespace) - 1;
            let board = Board::new(board_config(), Revision(last));
            self.seats.insert(namespace.clone(), Seat::new(board));
        }
        let seat = self.seats.get_mut(namespace).unwrap();
        if seat.revisions_left() < REVISIONS_LEFT_MIN
            && let Ok(ceiling) = self.keeper.reserve(namespace, seat.board.revision().0 + 1)
        {
            seat.ceiling = ceiling;
        }
    }

    /// Whether time may pass on a board: expiry too needs revisions.
    pub fn may_advance(&self, namespace: &Namespace) -> bool {
        self.seats.get(namespace).is_some_and(|seat| seat.revisions_left() >= REVISIONS_PER_CALL_MAX)
    }

    /// Hands the store what a board's last call recorded.
    pub fn settle(&mut self, namespace: &Namespace, history: &mut History) -> Settled {
        let seat = self.seats.get_mut(namespace).unwrap();
        let mut outputs = Vec::new();
        let mut out = Out { position: seat.last_change, change: None };
        loop {
            let mut effects = seat.board.take_effects();
            if effects.is_empty() {
                seat.board.reuse_effects(effects);
                return Settled { outputs, out };
            }
            if !effects.records.is_empty() {
                let position = self.keeper.append(namespace, &effects.records);
                let last = self.keeper.journal().map_or(0, |journal| journal.positions().0);
                history.push(namespace, &effects.records, last);
                seat.last_change = position;
                out = Out { position, change: Some(history.len()) };
            }
            outputs.extend(effects.outputs.drain(..).map(|output| (output, out)));
            seat.board.reuse_effects(effects);
        }
    }

    /// Whether something may leave by now: up to which change everything is promised then.
    pub fn poll(&self, out: Out, history: &History) -> Poll<Option<usize>> {
        let context = Context::from_waker(Waker::noop());
        match self.keeper.poll_stored(&context, out.position) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Fate::Lost { .. }) => Poll::Ready(None),
            Poll::Ready(Fate::Stored) => {
                let shown = history.count_at(out.position.0);
                Poll::Ready(Some(out.change.unwrap_or(shown)))
            }
        }
    }
}
