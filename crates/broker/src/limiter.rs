//! Token buckets by name, and who waits for their tokens.
//!
//! Invariant: a bucket that is full and that nobody waits for is not in the table: one that nobody knows is full. Levels
//! are whole numbers (a token is as many parts as the period has microseconds, and a microsecond brings `rate` parts), so
//! nothing is ever rounded away.

use std::collections::{BTreeMap, VecDeque};

use callboard_protocol::names::Key;

use crate::now::Monotonic;
use crate::wait::WaitId;

/// What a bucket costs besides its name, in bytes.
const BUCKET_BYTES: usize = 300;

/// How fast tokens come, and how many are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// This many...
    pub tokens: u64,
    /// ...in this time, in milliseconds.
    pub per_ms: u64,
    /// At most.
    pub burst: u64,
}

impl Rate {
    /// The parts of one token.
    fn token(self) -> u128 {
        u128::from(self.per_ms) * 1000
    }

    /// The parts of a full bucket.
    fn full(self) -> u128 {
        self.token() * u128::from(self.burst)
    }

    /// How long `parts` take to come, in microseconds, rounded up.
    fn us_for(self, parts: u128) -> u64 {
        u64::try_from(parts.div_ceil(u128::from(self.tokens.max(1)))).unwrap_or(u64::MAX)
    }
}

/// One bucket.
#[derive(Debug)]
pub struct Bucket {
    rate: Rate,
    level: u128,
    at: Monotonic,
    /// Who waits, the longest waiting first.
    pub waiting: VecDeque<WaitId>,
    /// When the board looks at it next.
    pub due: Monotonic,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn full(rate: Rate, now: Monotonic) -> Self {
        Self { rate, level: rate.full(), at: now, waiting: VecDeque::new(), due: now }
    }

    /// A bucket that will be full at `full_at`, if nobody takes from it.
    #[must_use]
    pub fn filling(rate: Rate, now: Monotonic, full_at: Monotonic) -> Self {
        let missing = u128::from(full_at.0.saturating_sub(now.0)) * u128::from(rate.tokens);
        Self { level: rate.full().saturating_sub(missing), ..Self::full(rate, now) }
    }

    /// How fast its tokens come.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Adds what has come by now; then goes on at `rate`, with as many tokens as there are.
    pub fn refill(&mut self, now: Monotonic, rate: Rate) {
        let came = u128::from(now.0.saturating_sub(self.at.0)) * u128::from(self.rate.tokens);
        let level = self.level.saturating_add(came).min(self.rate.full());
        self.level = if rate.token() == self.rate.token() {
            level
        } else {
            level / self.rate.token() * rate.token()
                + level % self.rate.token() * rate.token() / self.rate.token()
        };
        self.level = self.level.min(rate.full());
        self.at = now;
        self.rate = rate;
    }

    /// Takes a token, if there is one. The bucket was refilled.
    pub fn take(&mut self) -> bool {
        let token = self.rate.token();
        let is_there = self.level >= token;
        if is_there {
            self.level -= token;
        }
        is_there
    }

    /// When its `count`th token from now on is there.
    #[must_use]
    pub fn token_at(&self, count: usize) -> Monotonic {
        let wanted = self.rate.token().saturating_mul(count as u128);
        Monotonic(self.at.0.saturating_add(self.rate.us_for(wanted.saturating_sub(self.level))))
    }

    /// When it is full, if nobody takes from it.
    #[must_use]
    pub fn full_at(&self) -> Monotonic {
        Monotonic(self.at.0.saturating_add(self.rate.us_for(self.rate.full().saturating_sub(self.level))))
    }
}

/// The buckets of a board that are not full.
#[derive(Debug, Default)]
pub struct Limiters {
    /// By name.
    pub buckets: BTreeMap<Key, Bucket>,
    /// Which bucket a request waits for.
    pub waits: BTreeMap<WaitId, Key>,
}

impl Limiters {
    /// The buckets after a name, in order of names.
    pub fn after<'a>(&'a self, name: Option<&'a Key>) -> impl Iterator<Item = (&'a Key, &'a Bucket)> + 'a {
        use std::ops::Bound::{Excluded, Unbounded};
        self.buckets.range::<Key, _>((name.map_or(Unbounded, Excluded), Unbounded))
    }

    /// What the buckets hold, in bytes as accounted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buckets.len() * BUCKET_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { tokens: 3, per_ms: 1, burst: 2 };

    #[test]
    fn a_bucket_gives_its_burst_and_then_what_comes() {
        let mut bucket = Bucket::full(RATE, Monotonic(0));
        assert!(bucket.take() && bucket.take() && !bucket.take());
        assert_eq!(bucket.token_at(1), Monotonic(334));
        bucket.refill(Monotonic(333), RATE);
        assert!(!bucket.take());
        bucket.refill(Monotonic(334), RATE);
        assert!(bucket.take());
        assert_eq!(bucket.token_at(1), Monotonic(667), "what came too early is not lost");
        assert_eq!(bucket.full_at(), Monotonic(1000));
        bucket.refill(Monotonic(1_000_000), RATE);
        assert!(bucket.take() && bucket.take() && !bucket.take(), "never more than the burst");
    }

    #[test]
    fn a_new_rate_keeps_the_tokens() {
        let mut bucket = Bucket::full(RATE, Monotonic(0));
        assert!(bucket.take());
        let slower = Rate { tokens: 1, per_ms: 1000, burst: 5 };
        bucket.refill(Monotonic(0), slower);
        assert!(bucket.take() && !bucket.take());
        assert_eq!(bucket.token_at(2), Monotonic(2_000_000));
        let kept = Bucket::filling(slower, Monotonic(7), bucket.full_at());
        assert_eq!(kept.full_at(), bucket.full_at());
    }
}
