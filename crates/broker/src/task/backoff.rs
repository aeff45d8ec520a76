//! How long a task rests before it is tried again.

use callboard_protocol::limits::WAIT_MS_MAX;
use callboard_protocol::revision::TaskId;

/// Claims that may be given back without progress before each further one lets the task rest too.
pub const FREE_RELEASES: u32 = 3;

/// The rest after the `count`th attempt (from 1), in milliseconds: `base_ms`, doubled for each attempt before, at most
/// 24 h, and up to a quarter more, so that tasks that failed together don't come back together. The same task rests the
/// same time after the same attempt: nothing is drawn at random.
#[must_use]
pub fn backoff_ms(base_ms: u64, count: u32, task: TaskId) -> u64 {
    let doublings = count.saturating_sub(1).min(63);
    let rest_ms = base_ms.saturating_mul(1 << doublings).min(WAIT_MS_MAX);
    let spread = rest_ms / 4;
    rest_ms + mixed(task.0 ^ (u64::from(count) << 53)) % (spread + 1)
}

/// Scatters neighbouring numbers: the finaliser of `MurmurHash3`, 64 bits.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let number = (number ^ (number >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use callboard_protocol::revision::Revision;

    use super::*;

    #[test]
    fn a_rest_doubles_and_is_at_most_a_quarter_longer() {
        for count in 1..80 {
            let plain = 1000_u64.saturating_mul(1 << (count - 1).min(40)).min(WAIT_MS_MAX);
            let rest = backoff_ms(1000, count, Revision(7));
            assert!((plain..=plain + plain / 4).contains(&rest), "{count}: {rest}");
        }
        assert_eq!(backoff_ms(0, 9, Revision(7)), 0);
        assert_eq!(backoff_ms(u64::MAX, 1, Revision(7)) / WAIT_MS_MAX, 1);
    }

    #[test]
    fn tasks_that_failed_together_come_back_scattered() {
        let rests: BTreeSet<u64> = (0..100).map(|id| backoff_ms(1000, 1, Revision(id))).collect();
        assert!(rests.len() > 60, "{rests:?}");
    }
}
