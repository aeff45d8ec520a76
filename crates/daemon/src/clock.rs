//! The two clocks that the boards are handed. The only place of the daemon that reads them for a board.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use callboard_broker::{Monotonic, Now};

/// Reads both clocks. `std::time::Instant` stands still while the machine sleeps (Linux CLOCK_MONOTONIC, macOS
/// CLOCK_UPTIME_RAW), which is what the contract asks of TTLs.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Now {
        let since_start = self.start.elapsed().as_micros();
        Now { monotonic: Monotonic(u64::try_from(since_start).unwrap_or(u64::MAX)), unix_ms: unix_ms() }
    }

    /// The timer's instant of a deadline.
    #[must_use]
    pub fn instant(&self, due: Monotonic) -> Instant {
        self.start + Duration::from_micros(due.0)
    }
}

/// The wall clock, in Unix milliseconds; 0 before 1970.
#[must_use]
pub fn unix_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
