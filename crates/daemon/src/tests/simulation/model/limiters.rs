//! Limiters: over any time a bucket gives its burst and what has come, and no more.
//!
//! A bucket is known by when it is full: a token makes that one interval later, and there is one as long as it is not
//! further off than all but one of its tokens take.

use callboard_broker::Now;
use callboard_broker::record::LimiterRecord;
use callboard_protocol::Error;
use callboard_protocol::methods::coordination::Take;
use callboard_protocol::methods::{BoardAnswer, BoardCommand};

use super::tasks::PAST;
use super::{Asked, Due, Fact, Model, Restart, State};

/// One bucket, whose rate stays.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    full: Due,
    /// When one is full that was empty at the start.
    empty: u64,
    interval_us: u64,
    burst: u64,
}

impl Bucket {
    fn new(take: &Take) -> Self {
        let interval_us = take.per_ms.get() * 1000 / take.rate;
        Self { full: PAST, empty: u64::MAX, interval_us, burst: take.burst.unwrap_or(take.rate) }
    }

    fn has_token(&self, now: Now, full_at: u64) -> bool {
        full_at.max(now.monotonic.0) + self.interval_us - now.monotonic.0 <= self.burst * self.interval_us
    }

    /// The same bucket after a restart. However far the wall clock was moved, it is not emptier than empty; but the
    /// next restart goes by what is on record again.
    pub(super) fn restart(&mut self, restart: &Restart) {
        self.empty = restart.now.monotonic.0 + self.burst * self.interval_us;
        let Due { earliest, latest } = self.full.moved(restart);
        self.full = Due { earliest: earliest.min(self.empty), latest };
    }

    fn latest(&self) -> u64 {
        self.full.latest.min(self.empty)
    }

    fn taken(&self, now: Now) -> Self {
        let later = |at: u64| at.max(now.monotonic.0) + self.interval_us;
        let full = Due { earliest: later(self.full.earliest), latest: later(self.latest()) };
        Self { full, empty: u64::MAX, ..self.clone() }
    }
}

impl State {
    /// Whether there surely is a token.
    pub(super) fn has_token(&self, now: Now, name: &str) -> bool {
        self.limiters.get(name).is_none_or(|bucket| bucket.has_token(now, bucket.latest()))
    }

    pub(super) fn check_limiter(&self, now: Now, record: &LimiterRecord) {
        let Some(bucket) = self.limiters.get(record.name.as_str()) else {
            panic!("nobody took from it: {record:?}");
        };
        let at = |us| now.unix_of(callboard_broker::Monotonic(us));
        let range = at(bucket.full.earliest)..=at(bucket.latest());
        let is_right = range.contains(&record.full_at) || record.full_at <= now.unix_ms;
        assert!(is_right, "{record:?} at {now:?}: {bucket:?}");
    }
}

impl Model {
    pub(super) fn limiter_answered(
        &mut self,
        now: Now,
        asked: &Asked,
        request: i64,
        result: &Result<BoardAnswer, Error>,
    ) {
        let (BoardCommand::LimiterTake(take), Ok(BoardAnswer::LimiterTake(taken))) = (&asked.command, result)
        else {
            panic!("{asked:?} was answered with {result:?}");
        };
        let state = self.board(&asked.namespace);
        let name = take.name.to_string();
        let bucket = state.limiters.get(&name).cloned().unwrap_or_else(|| Bucket::new(take));
        let has_waited = state.waits.iter().any(|wait| wait.request == request);
        if !taken.allowed {
            let is_needless =
                bucket.has_token(now, bucket.latest()) && !state.is_waited_for(now, &name, None);
            assert!(has_waited || !is_needless, "{asked:?} at {now:?}: {taken:?} of {bucket:?}");
            return;
        }
        let is_there = bucket.has_token(now, bucket.full.earliest);
        assert!(is_there, "too many at {now:?}: {asked:?} of {bucket:?}");
        let is_passed = has_waited && state.is_waited_for(now, &name, Some(request));
        assert!(!is_passed, "{asked:?} goes past others at {now:?}: {:?}", state.waits);
        self.learn(&asked.namespace, Fact::Limiter(name, bucket.taken(now)));
    }
}
