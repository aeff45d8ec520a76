//! What all connections share: the boards, the seats, the store, the counters, and the one way into a board.
//!
//! The way of a call: lock the board, make sure that revisions are reserved, `apply`, hand the records to the store,
//! put replies and pushes into the outboxes (all under the board's lock, so every order is the board's), unlock, wake.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use callboard_broker::{Board, Now, Outcome, Outgoing, Output, SessionId};
use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::methods::BoardCommand;
use callboard_protocol::methods::session::Durability;
use callboard_protocol::revision::Revision;
use callboard_protocol::{Namespace, RequestId};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::boards::{BoardHandle, Boards};
use crate::busy_poll::BusyPoll;
use crate::changes::is_change;
use crate::clock::Clock;
use crate::config::Config;
use crate::outbox::{FlowChange, Frame};
use crate::seats::Seats;
use crate::stats::Stats;
use crate::store::{Keeper, Position};

/// When fewer reserved revisions than this are left, the next block is reserved.
const REVISIONS_LEFT_MIN: u64 = 500_000;
/// More revisions than one call can use up: with all limits at their defaults, one agent's removal ends 100,000 locks
/// and 10,000 messages.
const REVISIONS_PER_CALL_MAX: u64 = 250_000;
/// How many deadlines a timer works off before it lets others have the board.
const DEADLINES_PER_SLICE: usize = 256;

/// What has to be stored before something leaves the daemon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The last change that it may show.
    pub position: Position,
    /// Whether that change is its own.
    pub is_change: bool,
}

/// What all connections share.
#[derive(Debug)]
pub struct Host {
    /// The settings in force.
    pub config: Config,
    /// The clocks.
    pub clock: Clock,
    /// When the daemon started, in Unix milliseconds.
    pub started_at: u64,
    /// Changes when in-memory state was lost.
    pub instance_id: String,
    /// The home.
    pub home: PathBuf,
    /// The socket.
    pub socket: PathBuf,
    /// The boards.
    pub boards: Boards,
    /// The sessions' places.
    pub seats: Seats,
    /// The store.
    pub keeper: Keeper,
    /// The counters.
    pub stats: Stats,
    /// What all boards hold, in bytes as accounted.
    pub bytes: AtomicUsize,
    /// No more connections, a clean stop begins.
    pub draining: CancellationToken,
    /// How long clients get to finish once the stop began, in milliseconds.
    pub drain_ms: AtomicUsize,
    /// No more changes: every request is refused.
    pub stopping: AtomicBool,
    /// Connections are to write what waits, and close.
    pub closing: CancellationToken,
    /// What keeps the runtime's threads awake where that pays.
    pub busy_poll: BusyPoll,
    /// The connections and timers.
    pub tasks: TaskTracker,
}

impl Host {
    /// The durability in force, as the protocol calls it.
    #[must_use]
    pub fn durability(&self) -> Durability {
        if self.keeper.is_failed() {
            return Durability::Failed;
        }
        match self.config.durability {
            crate::config::Durability::Memory => Durability::Memory,
            crate::config::Durability::Snapshot => Durability::Snapshot,
            crate::config::Durability::Journal => Durability::Journal,
            crate::config::Durability::Sync => Durability::Sync,
        }
    }

    /// The board of a namespace, made when it is missing.
    ///
    /// # Errors
    /// `limit_exceeded` when it would be one too many.
    pub fn board(self: &Arc<Self>, namespace: &Namespace) -> Result<Arc<BoardHandle>, Error> {
        if let Some(handle) = self.boards.find(namespace) {
            return Ok(handle);
        }
        let max = self.config.limits.namespaces;
        let used = self.boards.len();
        if used >= max && !self.boards.remove_empty() {
            let message = format!("namespaces is reached: {used} of {max}; clear one with namespace.clear");
            return Err(Error::new(ErrorKind::LimitExceeded, message)
                .with("limit", "namespaces")
                .with("used", used)
                .with("max", max));
        }
        let last = self.keeper.first_free_revision(namespace) - 1;
        Ok(self.add_board(namespace, Board::new(self.config.board_config(), Revision(last))))
    }

    /// Adds a board and its timer, unless the namespace has one.
    pub fn add_board(self: &Arc<Self>, namespace: &Namespace, board: Board) -> Arc<BoardHandle> {
        let (handle, is_new) = self.boards.insert(namespace, board, 0);
        if is_new {
            let host = Arc::clone(self);
            let timed = Arc::clone(&handle);
            self.tasks.spawn(async move {
                let closing = host.closing.clone();
                tokio::select! {
                    () = host.keep_time(&timed) => {}
                    () = timed.retired() => {}
                    () = closing.cancelled() => {}
                }
            });
        }
        handle
    }

    /// Carries out one call of a session.
    pub fn apply(
        &self,
        now: Now,
        handle: &BoardHandle,
        session: SessionId,
        request: Option<&RequestId>,
        command: BoardCommand,
    ) -> (Outcome, Stamp) {
        let is_change = is_change(&command);
        let (outcome, stamp) = self.with_board(handle, |board| {
            let allowed = if is_change { self.check_storage(handle, board) } else { Ok(()) };
            match allowed {
                Ok(()) => board.apply(now, session, request, command),
                Err(error) => Outcome::Done(Err(error)),
            }
        });
        // What only looked is answered also when expiry that it came across could not be stored.
        (outcome, Stamp { is_change: is_change && stamp.is_change, ..stamp })
    }

    /// Does something with a board, and puts its effects in their places.
    pub fn with_board<T>(&self, handle: &BoardHandle, act: impl FnOnce(&mut Board) -> T) -> (T, Stamp) {
        let mut wakers = Vec::new();
        let mut board = handle.lock();
        board.set_memory_full(self.bytes.load(Ordering::Relaxed) >= self.config.limits.memory_bytes);
        self.reserve(handle, &board);
        let result = act(&mut board);
        let stamp = self.settle(handle, &mut board, &mut wakers);
        self.account(handle, &board);
        handle.arm(board.next_due());
        drop(board);
        wakers.into_iter().for_each(Waker::wake);
        (result, stamp)
    }

    /// Long before the revisions run out: reserves the next block, for the price of one fsync. A failure is logged, and
    /// tried again at the next call.
    fn reserve(&self, handle: &BoardHandle, board: &Board) {
        if handle.revisions_left(board) >= REVISIONS_LEFT_MIN {
            return;
        }
        match self.keeper.reserve(&handle.namespace, board.revision().0 + 1) {
            Ok(ceiling) => handle.ceiling.store(ceiling, Ordering::Relaxed),
            Err(error) => {
                tracing::error!(namespace = %handle.namespace, %error, "no revisions could be reserved");
            }
        }
    }

    /// Refuses a change that could not be stored.
    ///
    /// # Errors
    /// `storage_failed`: nothing was changed.
    pub fn check_storage(&self, handle: &BoardHandle, board: &Board) -> Result<(), Error> {
        if self.keeper.is_failed() {
            let message = "changes are refused until a snapshot succeeds: the store can't be written, see the daemon's \
                           log; nothing was changed";
            return Err(Error::new(ErrorKind::StorageFailed, message).with("applied", false));
        }
        self.check_revisions(handle, board)
    }

    /// Refuses a call that might use up more revisions than are reserved.
    ///
    /// # Errors
    /// `storage_failed`: nothing was changed.
    pub fn check_revisions(&self, handle: &BoardHandle, board: &Board) -> Result<(), Error> {
        if handle.revisions_left(board) >= REVISIONS_PER_CALL_MAX {
            return Ok(());
        }
        let message = format!(
            "failed to reserve revisions for {}: the store can't be written, see the daemon's log; nothing was changed",
            handle.namespace
        );
        Err(Error::new(ErrorKind::StorageFailed, message).with("applied", false))
    }

    fn settle(&self, handle: &BoardHandle, board: &mut Board, wakers: &mut Vec<Waker>) -> Stamp {
        // What is only looked at may be a change that is not stored yet.
        let mut last =
            Stamp { position: Position(handle.last_change.load(Ordering::Relaxed)), is_change: false };
        while board.has_effects() {
            let mut effects = board.take_effects();
            let mut stamp = Stamp { position: last.position, is_change: !effects.records.is_empty() };
            if stamp.is_change {
                stamp.position = self.keeper.append(&handle.namespace, &effects.records);
                handle.last_change.store(stamp.position.0, Ordering::Relaxed);
            }
            last = Stamp { position: stamp.position, is_change: last.is_change || stamp.is_change };
            if !effects.outputs.is_empty() {
                let now = Instant::now();
                for output in effects.outputs.drain(..) {
                    self.place(board, now, stamp, output, wakers);
                }
            }
            board.reuse_effects(effects);
        }
        last
    }

    /// Puts one output into its outbox.
    fn place(&self, board: &mut Board, now: Instant, stamp: Stamp, output: Output, wakers: &mut Vec<Waker>) {
        let Output { session, what } = output;
        if matches!(what, Outgoing::Ended) {
            if let Some(seat) = self.seats.free(session) {
                let mut outbox = seat.outbox();
                outbox.ended = true;
                wakers.extend(outbox.take_waker());
            }
            return;
        }
        let Some(seat) = self.seats.find(session) else {
            return;
        };
        let mut outbox = seat.outbox();
        let mut flow = None;
        match what {
            Outgoing::Reply { id, result, reply_message } => {
                if let Err(error) = result.as_ref() {
                    self.stats.count_error(error);
                }
                let is_change = stamp.is_change;
                outbox.push_reply(stamp.position, Frame::Reply { id, result, reply_message, is_change });
            }
            Outgoing::Push { subscription, seq, body, class } => {
                let drops = outbox.drops;
                flow = outbox.push_event(now, stamp.position, Frame::Push { subscription, seq, body }, class);
                self.stats.drops.fetch_add(outbox.drops - drops, Ordering::Relaxed);
            }
            Outgoing::MoreInitial => outbox.more_initial = true,
            Outgoing::Ended => {}
        }
        wakers.extend(outbox.take_waker());
        drop(outbox);
        if flow == Some(FlowChange::Slow) {
            board.set_paused(self.clock.now(), session, true);
        }
    }

    fn account(&self, handle: &BoardHandle, board: &Board) {
        let bytes = board.bytes();
        let before = handle.bytes.swap(bytes, Ordering::Relaxed);
        if bytes >= before {
            self.bytes.fetch_add(bytes - before, Ordering::Relaxed);
        } else {
            self.bytes.fetch_sub(before - bytes, Ordering::Relaxed);
        }
    }

    /// The timer of one board: sleeps until something is due, for ever when nothing is.
    async fn keep_time(&self, handle: &BoardHandle) {
        loop {
            let next_due = {
                let board = handle.lock();
                let next_due = board.next_due();
                handle.armed_for(next_due);
                next_due
            };
            let Some(due) = next_due else {
                handle.rearmed().await;
                continue;
            };
            let now = self.clock.now();
            if due > now.monotonic {
                // The timer has a resolution of a millisecond and never fires early.
                let sleep = tokio::time::sleep_until(self.clock.instant(due).into());
                tokio::select! {
                    () = sleep => {}
                    () = handle.rearmed() => continue,
                }
            }
            self.advance(handle);
            tokio::task::yield_now().await;
        }
    }

    fn advance(&self, handle: &BoardHandle) {
        let now = self.clock.now();
        self.with_board(handle, |board| {
            if self.check_revisions(handle, board).is_ok() {
                board.advance(now, DEADLINES_PER_SLICE);
            }
        });
    }

    /// Begins a clean stop; clients get `drain_ms` to finish.
    pub fn begin_stop(&self, drain_ms: u64) {
        let drain_ms = usize::try_from(drain_ms).unwrap_or(usize::MAX);
        self.drain_ms.store(drain_ms, Ordering::Relaxed);
        self.draining.cancel();
    }

    /// How long clients get to finish.
    #[must_use]
    pub fn drain_time(&self) -> Duration {
        Duration::from_millis(self.drain_ms.load(Ordering::Relaxed) as u64)
    }
}
