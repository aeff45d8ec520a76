//! The boards of the daemon, one for each namespace, each behind its own lock with its own timer.
//!
//! Invariant: a handle is cloned out of the map at once; no guard of the map lives across a call or an await. A board's
//! lock is held for one `apply` and for putting its effects in their places, never across an await.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callboard_broker::{Board, Monotonic};
use callboard_protocol::Namespace;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// References to a board that nobody uses: the map's and its timer's.
const UNUSED_COUNT: usize = 2;
/// No deadline is armed.
const UNARMED: u64 = u64::MAX;

/// One namespace's board with what the daemon keeps beside it.
#[derive(Debug)]
pub struct BoardHandle {
    /// Its name.
    pub namespace: Namespace,
    board: Mutex<Board>,
    /// The exclusive upper bound of the revisions that may be given out.
    pub ceiling: AtomicU64,
    /// The position of its last change.
    pub last_change: AtomicU64,
    /// What the board held when it was last asked, in bytes.
    pub bytes: AtomicUsize,
    armed: AtomicU64,
    rearm: Notify,
    retired: CancellationToken,
}

impl BoardHandle {
    fn new(namespace: Namespace, board: Board, ceiling: u64) -> Self {
        Self {
            namespace,
            board: Mutex::new(board),
            ceiling: AtomicU64::new(ceiling),
            last_change: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            armed: AtomicU64::new(UNARMED),
            rearm: Notify::new(),
            retired: CancellationToken::new(),
        }
    }

    /// The board, locked.
    pub fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many reserved revisions the board has not given out yet.
    #[must_use]
    pub fn revisions_left(&self, board: &Board) -> u64 {
        self.ceiling.load(Ordering::Relaxed).saturating_sub(board.revision().0 + 1)
    }

    /// Wakes the board's timer when its next deadline is earlier than what the timer sleeps for.
    pub fn arm(&self, next_due: Option<Monotonic>) {
        let due = next_due.map_or(UNARMED, |due| due.0);
        if due < self.armed.load(Ordering::Acquire) {
            self.armed.store(due, Ordering::Release);
            self.rearm.notify_one();
        }
    }

    /// Tells what the timer is about to sleep for.
    pub fn armed_for(&self, next_due: Option<Monotonic>) {
        self.armed.store(next_due.map_or(UNARMED, |due| due.0), Ordering::Release);
    }

    /// Ends the board's timer: the board is out of the map.
    fn retire(&self) {
        self.retired.cancel();
    }

    /// Waits until the board is out of the map.
    pub async fn retired(&self) {
        self.retired.cancelled().await;
    }

    /// Waits until the timer has to look again.
    pub async fn rearmed(&self) {
        self.rearm.notified().await;
    }
}

/// All boards.
#[derive(Debug, Default)]
pub struct Boards {
    map: DashMap<Namespace, Arc<BoardHandle>>,
}

impl Boards {
    /// The board of a namespace, if there is one.
    #[must_use]
    pub fn find(&self, namespace: &Namespace) -> Option<Arc<BoardHandle>> {
        self.map.get(namespace).map(|found| Arc::clone(found.value()))
    }

    /// Adds a board, unless the namespace has one by now; gives the one that is there, and whether it was added.
    pub fn insert(&self, namespace: &Namespace, board: Board, ceiling: u64) -> (Arc<BoardHandle>, bool) {
        match self.map.entry(namespace.clone()) {
            Entry::Occupied(found) => (Arc::clone(found.get()), false),
            Entry::Vacant(place) => {
                let handle = Arc::new(BoardHandle::new(namespace.clone(), board, ceiling));
                place.insert(Arc::clone(&handle));
                (handle, true)
            }
        }
    }

    /// Removes one board that holds nothing and that nobody uses; whether there was one.
    pub fn remove_empty(&self) -> bool {
        let unused =
            |handle: &Arc<BoardHandle>| Arc::strong_count(handle) <= UNUSED_COUNT && handle.lock().is_empty();
        let found = self.map.iter().find(|entry| unused(entry.value())).map(|entry| entry.key().clone());
        found.is_some_and(|namespace| {
            let removed = self.map.remove_if(&namespace, |_, handle| unused(handle));
            removed.is_some_and(|(_, handle)| {
                handle.retire();
                true
            })
        })
    }

    /// All boards, in order of names.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<BoardHandle>> {
        let mut all: Vec<Arc<BoardHandle>> = self.map.iter().map(|entry| Arc::clone(entry.value())).collect();
        all.sort_by(|a, b| a.namespace.cmp(&b.namespace));
        all
    }

    /// How many there are.
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
