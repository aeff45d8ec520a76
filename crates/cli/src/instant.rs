//! Instants of the daemon, which are Unix milliseconds, as people read them.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::duration::{format_left_ms, format_ms};

/// Unix milliseconds now.
pub fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// How long ago the instant `at` was.
pub fn ago(at: u64) -> String {
    format!("{} ago", format_ms(now_ms().saturating_sub(at)))
}

/// What is left until the instant `at`.
pub fn left(at: u64) -> String {
    format_left_ms(at.saturating_sub(now_ms()))
}

/// How long a lease still runs that ends at the instant `expires_at`.
pub fn remaining(expires_at: Option<u64>) -> String {
    match expires_at {
        None => "until released".to_owned(),
        Some(at) => format!("for {}", left(at)),
    }
}

/// The time of day of the instant `at`, in UTC: `17:04:09.123Z`. The day is the reader's own.
pub fn time_of_day(at: u64) -> String {
    let (seconds, ms) = (at / 1000, at % 1000);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_told_relative_to_now() {
        assert_eq!(remaining(None), "until released");
        assert_eq!(remaining(Some(1)), "for 0ms");
        assert_eq!(remaining(Some(now_ms() + 300_000)), "for 5m");
        assert!(ago(now_ms()).ends_with("ms ago"));
    }

    #[test]
    fn the_time_of_day_is_that_of_greenwich() {
        // date -u -d @1700000000
        assert_eq!(time_of_day(1_700_000_000_007), "22:13:20.007Z");
    }
}
