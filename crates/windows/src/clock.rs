//! How long the machine has slept: on Windows the clock behind `std::time::Instant` goes on meanwhile.
//!
//! Invariant: the answer never falls, and changes only by sleeps of a second and more. It is the difference of two clocks that
//! tick some ten milliseconds apart, and must not shake what is measured with the fine one.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::WindowsProgramming::QueryUnbiasedInterruptTime;

/// The shortest sleep that counts, in milliseconds.
const SLEEP_MS_MIN: u64 = 1000;
/// Units of the unbiased clock in a millisecond: it counts 100 ns.
const UNITS_PER_MS: u64 = 10_000;

/// How long the machine has slept since the first call.
#[must_use]
pub fn asleep() -> Duration {
    static FIRST_MS: OnceLock<u64> = OnceLock::new();
    static KNOWN_MS: AtomicU64 = AtomicU64::new(0);
    let slept_ms = slept_ms();
    let since_first = slept_ms.saturating_sub(*FIRST_MS.get_or_init(|| slept_ms));
    let known = KNOWN_MS.load(Ordering::Relaxed);
    let counted = counted(known, since_first);
    if counted != known {
        KNOWN_MS.fetch_max(counted, Ordering::Relaxed);
    }
    Duration::from_millis(counted)
}

fn counted(known_ms: u64, measured_ms: u64) -> u64 {
    if measured_ms >= known_ms + SLEEP_MS_MIN { measured_ms } else { known_ms }
}

/// What the clock that counts sleep is ahead of the one that does not.
fn slept_ms() -> u64 {
    let mut awake = 0;
    // SAFETY: `awake` lives through the call; it fails only for a null pointer.
    unsafe { QueryUnbiasedInterruptTime(&raw mut awake) };
    // SAFETY: nothing is handed over.
    let with_sleep_ms = unsafe { GetTickCount64() };
    with_sleep_ms.saturating_sub(awake / UNITS_PER_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_sleeps_count_and_none_is_forgotten() {
        assert_eq!(counted(0, 40), 0);
        assert_eq!(counted(0, 60_000), 60_000);
        assert_eq!(counted(60_000, 59_980), 60_000);
        assert_eq!(counted(60_000, 61_000), 61_000);
    }

    #[test]
    fn a_machine_that_is_awake_has_not_slept() {
        let before = asleep();
        assert_eq!(asleep(), before);
    }
}
