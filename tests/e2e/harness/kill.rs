//! Clients that work at once until their daemon is killed in the middle of it.
//!
//! Invariant: the kill comes after a number of replies, not after a time, so that it falls into work on every machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

/// Counts replies, and tells when there are enough.
#[derive(Debug, Clone)]
pub struct Progress {
    replies: Arc<AtomicUsize>,
    wanted: usize,
    reached: Sender<()>,
}

impl Progress {
    /// Counts one.
    pub fn count(&self) {
        if self.replies.fetch_add(1, Ordering::Relaxed) + 1 == self.wanted {
            self.reached.send(()).expect("somebody waits to kill the daemon");
        }
    }
}

/// Lets all workers work, each on a thread of its own, and kills the daemon after so many replies; gives how many came.
/// A worker has to come back when its daemon is gone.
pub fn work_until_killed<W: Send>(
    workers: &mut [W],
    wanted: usize,
    kill: impl FnOnce(),
    work: impl Fn(&mut W, &Progress) + Sync,
) -> usize {
    let (reached, told) = channel();
    let replies = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for worker in workers {
            let progress = Progress { replies: Arc::clone(&replies), wanted, reached: reached.clone() };
            let work = &work;
            scope.spawn(move || work(worker, &progress));
        }
        drop(reached);
        // An error is that all workers have failed, which the scope tells.
        let _ = told.recv();
        kill();
    });
    replies.load(Ordering::Relaxed)
}
