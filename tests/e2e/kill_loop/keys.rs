//! A client that writes values of its own under keys of its own, several without waiting.
//!
//! Invariant: values rise, so one look at a key says which writes it has seen: the last one acknowledged, or a later one.

use serde_json::json;

use super::round::{Round, Session, Workload};
use crate::harness::{Home, Random};

const KEYS: usize = 5;
/// Requests that may be under way at once.
const BURST_MAX: usize = 8;
/// Of what fills a value, so that the journal grows at the pace of an ordinary one.
const FILLER_BYTES_MAX: usize = 400;

/// The last value of a key that was acknowledged, and the last that was tried; 0 before the first one.
#[derive(Debug, Default, Clone, Copy)]
struct Written {
    acknowledged: u64,
    attempted: u64,
}

#[derive(Debug)]
pub struct Keys {
    prefix: &'static str,
    written: [Written; KEYS],
    last: u64,
    /// Writes acknowledged since the last look.
    acknowledged: usize,
}

impl Keys {
    pub fn new(prefix: &'static str) -> Self {
        Self { prefix, written: Default::default(), last: 0, acknowledged: 0 }
    }

    fn key(&self, at: usize) -> String {
        format!("{}/{at}", self.prefix)
    }
}

impl Workload for Keys {
    fn step(&mut self, round: &Round<'_>, session: &mut Session, random: &mut Random) -> Option<()> {
        let floor = round.floor();
        let (mut sent, mut is_gone) = (Vec::new(), false);
        for _ in 0..=random.below(BURST_MAX) {
            let at = random.below(KEYS);
            self.last += 1;
            self.written[at].attempted = self.last;
            let value = json!([self.last, "x".repeat(random.below(FILLER_BYTES_MAX))]);
            match session.client.try_start("kv.set", json!({"key": self.key(at), "value": value})) {
                Some(id) => sent.push((id, at, self.last)),
                None => is_gone = true,
            }
        }
        for (id, at, value) in sent {
            let set = round.take(session, id)?.expect("a write without conditions");
            round.rise(&set["revision"], floor);
            self.written[at].acknowledged = value;
            self.acknowledged += 1;
        }
        (!is_gone).then_some(())
    }

    fn verify(&mut self, _home: &Home, session: &mut Session) -> usize {
        for at in 0..KEYS {
            let found = session.client.call("kv.get", json!({"key": self.key(at)}));
            let value = if found["exists"] == true { found["value"][0].as_u64().expect("ours") } else { 0 };
            let Written { acknowledged, attempted } = self.written[at];
            assert!(
                (acknowledged..=attempted).contains(&value),
                "{}: {value} is there, {acknowledged} was acknowledged, {attempted} was tried",
                self.key(at)
            );
            self.written[at] = Written { acknowledged: value, attempted: value };
        }
        std::mem::take(&mut self.acknowledged)
    }
}
