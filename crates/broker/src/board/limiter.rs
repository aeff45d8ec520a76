//! `limiter.take`: a token bucket by name, shared by all who name it.
//!
//! Invariant: each bucket in the table has one deadline: its next token while somebody waits, else the moment when it is
//! full and goes. Who waits is served in the order of coming; nobody overtakes.

use callboard_protocol::error::Error;
use callboard_protocol::limits::{LIMITER_TOKENS_MAX, LIMITERS_MAX};
use callboard_protocol::methods::BoardAnswer;
use callboard_protocol::methods::coordination::{Take, Taken};
use callboard_protocol::names::Key;
use callboard_protocol::params::WaitMs;

use crate::board::{Board, Call, Verdict, invalid_params, limit_exceeded};
use crate::deadlines::Deadline;
use crate::limiter::{Bucket, Rate};
use crate::now::Now;
use crate::record::{LimiterRecord, Record};
use crate::wait::{WaitId, WaitKind};

const ALLOWED: Taken = Taken { allowed: true, retry_after_ms: 0 };

impl Board {
    pub(crate) fn limiter_take(&mut self, call: &Call, params: Take) -> Result<Verdict<Taken>, Error> {
        let rate = checked_rate(&params)?;
        let now = call.now;
        self.serve_limiter(now, &params.name);
        let wait_ms = params.wait_ms.map_or(0, WaitMs::get);
        if !self.limiters.buckets.contains_key(&params.name) {
            self.check_memory()?;
            self.check_limiter_room(now)?;
        }
        let fresh = || Bucket::full(rate, now.monotonic);
        let bucket = self.limiters.buckets.entry(params.name.clone()).or_insert_with(fresh);
        bucket.refill(now.monotonic, rate);
        if bucket.waiting.is_empty() && bucket.take() {
            self.limiter_changed(now, &params.name);
            return Ok(Verdict::Done(ALLOWED));
        }
        if wait_ms == 0 {
            let refused = refused(now, bucket);
            self.schedule_limiter(&params.name);
            return Ok(Verdict::Done(refused));
        }
        let wait = self.start_wait(call, WaitKind::Limiter, wait_ms)?;
        if let Some(bucket) = self.limiters.buckets.get_mut(&params.name) {
            bucket.waiting.push_back(wait);
        }
        self.limiters.waits.insert(wait, params.name.clone());
        self.schedule_limiter(&params.name);
        Ok(Verdict::Waiting)
    }

    fn check_limiter_room(&mut self, now: Now) -> Result<(), Error> {
        if self.limiters.buckets.len() >= LIMITERS_MAX {
            self.make_room(now);
        }
        let used = self.limiters.buckets.len();
        if used < LIMITERS_MAX {
            return Ok(());
        }
        Err(limit_exceeded("limiters", used, LIMITERS_MAX, "use fewer names, or faster rates"))
    }

    /// Records a bucket out of which a token was taken.
    fn limiter_changed(&mut self, now: Now, name: &Key) {
        self.next_revision();
        if let Some(record) = self.limiter_record(now, name) {
            self.record(Record::Limiter(record));
        }
        self.schedule_limiter(name);
    }

    fn schedule_limiter(&mut self, name: &Key) {
        let Some(bucket) = self.limiters.buckets.get_mut(name) else { return };
        let due = if bucket.waiting.is_empty() { bucket.full_at() } else { bucket.token_at(1) };
        self.deadlines.clear(bucket.due, Deadline::Limiter(name.clone()));
        self.deadlines.set(due, Deadline::Limiter(name.clone()));
        bucket.due = due;
    }

    /// Gives the tokens that have come to those who wait; a bucket that is full then goes.
    pub(crate) fn serve_limiter(&mut self, now: Now, name: &Key) {
        let Some(bucket) = self.limiters.buckets.get_mut(name) else { return };
        bucket.refill(now.monotonic, bucket.rate());
        let mut served = Vec::new();
        while let Some(wait) = bucket.waiting.front().copied() {
            let is_over = self.waits.find(wait).is_none_or(|wait| wait.due <= now.monotonic);
            if !is_over && !bucket.take() {
                break;
            }
            bucket.waiting.pop_front();
            served.push((wait, is_over));
        }
        if bucket.waiting.is_empty() && bucket.full_at() <= now.monotonic {
            self.deadlines.clear(bucket.due, Deadline::Limiter(name.clone()));
            self.limiters.buckets.remove(name);
            self.record(Record::LimiterEnded(name.clone()));
        } else if served.iter().any(|(_, is_over)| !is_over) {
            self.limiter_changed(now, name);
        } else {
            self.schedule_limiter(name);
        }
        for (wait, is_over) in served {
            self.limiters.waits.remove(&wait);
            let taken = if is_over { self.refusal(now, name) } else { ALLOWED };
            self.answer(wait, Ok(BoardAnswer::LimiterTake(taken)));
        }
    }

    fn refusal(&self, now: Now, name: &Key) -> Taken {
        self.limiters
            .buckets
            .get(name)
            .map_or(Taken { allowed: false, retry_after_ms: 0 }, |bucket| refused(now, bucket))
    }

    /// `limiter.take` waited in vain.
    pub(crate) fn limiter_wait_ran_out(&mut self, now: Now, id: WaitId) {
        let Some(name) = self.limiters.waits.get(&id).cloned() else { return };
        self.withdraw_limiter_wait(id);
        let taken = self.refusal(now, &name);
        self.answer(id, Ok(BoardAnswer::LimiterTake(taken)));
    }

    /// A waiting `limiter.take` is withdrawn (the wait itself is taken out by the caller).
    pub(crate) fn withdraw_limiter_wait(&mut self, id: WaitId) {
        let Some(name) = self.limiters.waits.remove(&id) else { return };
        if let Some(bucket) = self.limiters.buckets.get_mut(&name) {
            bucket.waiting.retain(|wait| *wait != id);
        }
        self.schedule_limiter(&name);
    }

    pub(crate) fn limiter_record(&self, now: Now, name: &Key) -> Option<LimiterRecord> {
        let bucket = self.limiters.buckets.get(name)?;
        let Rate { tokens, per_ms, burst } = bucket.rate();
        let full_at = now.unix_of(bucket.full_at());
        Some(LimiterRecord { name: name.clone(), rate: tokens, per_ms, burst, full_at })
    }

    /// Takes in a bucket's record.
    pub(crate) fn restore_limiter(&mut self, now: Now, record: &LimiterRecord) {
        self.drop_limiter(&record.name);
        let rate = Rate { tokens: record.rate, per_ms: record.per_ms, burst: record.burst };
        let bucket = Bucket::filling(rate, now.monotonic, now.due_at(record.full_at));
        self.limiters.buckets.insert(record.name.clone(), bucket);
        self.schedule_limiter(&record.name);
    }

    /// Takes a bucket out.
    pub(crate) fn drop_limiter(&mut self, name: &Key) {
        if let Some(bucket) = self.limiters.buckets.remove(name) {
            self.deadlines.clear(bucket.due, Deadline::Limiter(name.clone()));
        }
    }

    /// `namespace.clear`: every bucket is full again; who waits is served.
    pub(crate) fn clear_limiters(&mut self) {
        let names: Vec<Key> = self.limiters.buckets.keys().cloned().collect();
        for name in names {
            let Some(bucket) = self.limiters.buckets.remove(&name) else { continue };
            self.deadlines.clear(bucket.due, Deadline::Limiter(name.clone()));
            self.record(Record::LimiterEnded(name));
            for wait in bucket.waiting {
                self.limiters.waits.remove(&wait);
                self.answer(wait, Ok(BoardAnswer::LimiterTake(ALLOWED)));
            }
        }
    }
}

/// The answer to whoever comes now, behind those who wait.
fn refused(now: Now, bucket: &Bucket) -> Taken {
    let there = bucket.token_at(bucket.waiting.len() + 1);
    Taken { allowed: false, retry_after_ms: there.ms_left(now.monotonic).max(1) }
}

fn checked_rate(params: &Take) -> Result<Rate, Error> {
    let burst = params.burst.unwrap_or(params.rate);
    for (member, given) in [("rate", params.rate), ("burst", burst)] {
        if !(1..=LIMITER_TOKENS_MAX).contains(&given) {
            return Err(invalid_params(
                member,
                format!("`{member}` is out of range: give 1 to {LIMITER_TOKENS_MAX}"),
            ));
        }
    }
    Ok(Rate { tokens: params.rate, per_ms: params.per_ms.get(), burst })
}
