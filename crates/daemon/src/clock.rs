//! The two clocks that the boards are handed. The only place of the daemon that reads them for a board.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use callboard_broker::{Monotonic, Now};
#[cfg(windows)]
use callboard_windows::clock::asleep;

/// What the first clock shows at the start, in microseconds: 30 years, so that what happened before has a place on it.
pub const START_US: u64 = 1_000_000_000_000_000;

/// Reads both clocks. `std::time::Instant` stands still while the machine sleeps (Linux CLOCK_MONOTONIC, macOS
/// CLOCK_UPTIME_RAW), which is what the contract asks of TTLs; on Windows it goes on, so sleep is taken off.
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
        let since_start = self.start.elapsed().saturating_sub(asleep()).as_micros();
        let since_start = u64::try_from(since_start).unwrap_or(u64::MAX);
        Now { monotonic: Monotonic(START_US.saturating_add(since_start)), unix_ms: unix_ms() }
    }

    /// The timer's instant of a deadline, if the machine does not sleep until then.
    #[must_use]
    pub fn instant(&self, due: Monotonic) -> Instant {
        self.start + asleep() + Duration::from_micros(due.0.saturating_sub(START_US))
    }
}

/// How much sleep the clock has counted.
#[cfg(unix)]
fn asleep() -> Duration {
    Duration::ZERO
}

/// The wall clock, in Unix milliseconds; 0 before 1970.
#[must_use]
pub fn unix_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_before_the_start_keeps_its_time() {
        let now = Clock::start().now();
        let a_week_ago = now.unix_ms - 7 * 24 * 3_600_000;
        assert_eq!(now.unix_of(now.past(a_week_ago)), a_week_ago);
    }

    #[test]
    fn a_deadline_has_its_instant() {
        let clock = Clock::start();
        let due = Monotonic(START_US).plus_ms(1500);
        assert_eq!(clock.instant(due), clock.start + asleep() + Duration::from_millis(1500));
    }
}
