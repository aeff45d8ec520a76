//! Threads that meet at the file: who finds it taken is told when its change is stored, and soon.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::*;

const ROUNDS: usize = 6_000;
const PATIENCE: Duration = Duration::from_secs(10);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits as a connection does: only a waker has it look again.
fn wait(journal: &Journal, position: Position) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let start = Instant::now();
    while journal.poll_stored(&Context::from_waker(&waker), position).is_pending() {
        thread::park_timeout(PATIENCE);
        assert!(start.elapsed() < PATIENCE, "nobody wrote position {}", position.0);
    }
}

#[test]
fn whoever_finds_the_file_taken_is_not_forgotten() {
    let volume = SimulatedVolume::default();
    let (journal, _) = start(&volume, false).unwrap();
    let round = AtomicUsize::new(0);
    let until = |wanted: usize| {
        let start = Instant::now();
        while round.load(Ordering::Acquire) != wanted {
            assert!(start.elapsed() < 2 * PATIENCE, "the other thread is gone");
        }
    };
    thread::scope(|threads| {
        // It takes the file once for each change, so that no later round makes up for what this one forgot.
        threads.spawn(|| {
            for number in 0..ROUNDS {
                until(2 * number + 1);
                match number % 3 {
                    0 => _ = journal.rotate(),
                    1 => journal.end_snapshot(SnapshotEnd::Absent),
                    _ => journal.sync(),
                }
                round.fetch_add(1, Ordering::Release);
            }
        });
        for number in 0..ROUNDS {
            round.fetch_add(1, Ordering::Release);
            wait(&journal, append(&journal, number as u64));
            until(2 * number + 2);
        }
    });
    assert_eq!(journal.positions().0, ROUNDS as u64);
}
