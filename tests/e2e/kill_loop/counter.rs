//! Clients that increment one counter.
//!
//! Invariant: after a kill the counter has every increment that was acknowledged, and none that nobody tried.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::round::{Round, Session, Workload};
use crate::harness::{Home, Random};

/// What all of them know of the counter.
#[derive(Debug, Default)]
pub struct Count {
    acknowledged: AtomicU64,
    attempted: AtomicU64,
}

#[derive(Debug)]
pub struct Counter {
    count: Arc<Count>,
    /// The highest value that this client was told.
    seen: u64,
    /// Increments acknowledged since the last look.
    acknowledged: usize,
}

impl Counter {
    pub fn new(count: &Arc<Count>) -> Self {
        Self { count: Arc::clone(count), seen: 0, acknowledged: 0 }
    }
}

impl Workload for Counter {
    fn step(&mut self, round: &Round<'_>, session: &mut Session, _random: &mut Random) -> Option<()> {
        self.count.attempted.fetch_add(1, Ordering::SeqCst);
        let counted = round.ask_for_new(session, "kv.increment", json!({"key": "counter"}), "/revision")?;
        self.count.acknowledged.fetch_add(1, Ordering::SeqCst);
        self.acknowledged += 1;
        let value = counted["value"].as_u64().expect("a count");
        assert!(value > self.seen, "{value} after {}", self.seen);
        self.seen = value;
        Some(())
    }

    fn verify(&mut self, _home: &Home, session: &mut Session) -> usize {
        let found = session.client.call("kv.get", json!({"key": "counter"}));
        let value = found["value"].as_u64().unwrap_or(0);
        let acknowledged = self.count.acknowledged.swap(value, Ordering::SeqCst);
        let attempted = self.count.attempted.swap(value, Ordering::SeqCst);
        assert!(
            (acknowledged..=attempted).contains(&value) && value >= self.seen,
            "the counter is {value}; {acknowledged} increments were acknowledged, {attempted} tried, {} was told",
            self.seen
        );
        std::mem::take(&mut self.acknowledged)
    }
}
