//! Busy polling: a daemon that is asked again at once asks for more input a while before it sleeps.
//!
//! Who asks again within microseconds, as a worker in its loop does, would have to wake the daemon for each request, and
//! that costs more than most requests do. So when a thread is woken soon after it fell asleep, it lets the runtime poll for
//! input again and again, until none has come for `WINDOW`. Linux does the same for sockets (`busy_poll`) and for
//! processors of virtual machines (`haltpoll`).
//!
//! Invariants: it polls for nobody who asks less often, and an idle daemon sleeps; other programs get the core: a daemon
//! that loses it while it polls has to leave it alone for a while, each time twice as long. It deliberately lacks
//! settings.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::outbox::ConnectionId;

#[cfg(test)]
mod tests;

/// How long it polls without finding anything, and how soon a sleep must end to be one too many. For a worker that waits
/// for its answers 20 to 100 microseconds were the same, 10 a twentieth slower.
const WINDOW: Duration = Duration::from_micros(50);
/// What passes between two polls only where another program had the core; a scheduler's slice is some milliseconds.
const LOST_CORE: Duration = Duration::from_millis(1);
/// How long the core is left alone when it was lost for the first time.
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// And at most; with slices of three milliseconds less than a hundredth is spent in vain.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Longer input may be many requests of a client that does not wait for each answer, to which a second call only costs.
const LONE_BYTES: usize = 512;

thread_local! {
    static THREAD: RefCell<Thread> = RefCell::default();
}

/// What a thread of the runtime has seen.
#[derive(Debug, Default)]
struct Thread {
    fell_asleep: Option<Instant>,
    /// Whether the last sleep was too short, and nothing was read since.
    was_woken_soon: bool,
    /// Whether there was nothing to read since something was read.
    was_idle: bool,
    /// Whether something was read since the last poll.
    has_read: bool,
    /// Whose input was read last, unless it was long.
    lone: Option<ConnectionId>,
}

impl Thread {
    fn falls_asleep(&mut self, now: Instant) {
        self.fell_asleep = Some(now);
    }

    fn wakes(&mut self, now: Instant) {
        self.was_idle = true;
        self.was_woken_soon = self.fell_asleep.is_some_and(|then| now - then < WINDOW);
    }

    /// Input was read; whether it ends a sleep that was too short.
    fn reads(&mut self, connection: ConnectionId, bytes: usize) -> bool {
        self.has_read = true;
        self.was_idle = false;
        self.lone = (bytes <= LONE_BYTES).then_some(connection);
        std::mem::take(&mut self.was_woken_soon)
    }

    /// Whether something was read since the last poll.
    fn polls(&mut self) -> bool {
        let has_read = std::mem::take(&mut self.has_read);
        self.was_idle |= !has_read;
        has_read
    }

    fn awaits(&self, connection: ConnectionId) -> bool {
        self.was_idle || self.lone == Some(connection)
    }
}

/// When to poll, and for how long.
#[derive(Debug)]
struct Polling {
    input_at: Instant,
    polled_at: Instant,
    /// How long it has polled since the last pause.
    undisturbed: Duration,
    pause: Duration,
    pause_ends: Instant,
}

impl Polling {
    fn new(now: Instant) -> Self {
        let (undisturbed, pause) = (Duration::ZERO, Duration::ZERO);
        Self { input_at: now, polled_at: now, undisturbed, pause, pause_ends: now }
    }

    /// There was input; whether to poll for more.
    fn begins(&mut self, now: Instant) -> bool {
        (self.input_at, self.polled_at) = (now, now);
        self.pause_ends <= now
    }

    /// Whether to poll once more.
    fn goes_on(&mut self, now: Instant, has_read: bool) -> bool {
        let lap = now - self.polled_at;
        self.polled_at = now;
        if lap > LOST_CORE {
            self.leave_alone(now);
            return false;
        }
        self.undisturbed += lap;
        if has_read {
            self.input_at = now;
        }
        now - self.input_at < WINDOW
    }

    fn leave_alone(&mut self, now: Instant) {
        let is_first = std::mem::take(&mut self.undisturbed) > self.pause;
        self.pause = if is_first { PAUSE_MIN } else { (2 * self.pause).clamp(PAUSE_MIN, PAUSE_MAX) };
        self.pause_ends = now + self.pause;
    }
}

/// A daemon's busy polling.
#[derive(Debug, Default)]
pub struct BusyPoll(Notify);

impl BusyPoll {
    /// To be called when so many bytes of a connection were read.
    pub(crate) fn note_read(&self, connection: ConnectionId, bytes: usize) {
        if THREAD.with_borrow_mut(|thread| thread.reads(connection, bytes)) {
            self.0.notify_one();
        }
    }

    /// Keeps threads from sleeping where that pays; to be left out on a machine with one core, where no client could run
    /// meanwhile. Never ends.
    pub(crate) async fn run(&self) {
        let mut polling = Polling::new(Instant::now());
        loop {
            self.0.notified().await;
            let mut goes_on = polling.begins(Instant::now());
            while goes_on {
                tokio::task::yield_now().await;
                goes_on = polling.goes_on(Instant::now(), THREAD.with_borrow_mut(Thread::polls));
            }
        }
    }
}

/// To be called when a thread of the runtime is about to sleep.
pub(crate) fn note_park() {
    THREAD.with_borrow_mut(|thread| thread.falls_asleep(Instant::now()));
}

/// To be called when a thread of the runtime has slept.
pub(crate) fn note_unpark() {
    THREAD.with_borrow_mut(|thread| thread.wakes(Instant::now()));
}

/// Whether the client of a connection is likely to be the only one that waits for this thread.
pub(crate) fn awaits(connection: ConnectionId) -> bool {
    THREAD.with_borrow(|thread| thread.awaits(connection))
}
