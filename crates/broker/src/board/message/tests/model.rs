//! Random sends, receives, acks, nacks and lapses against a naive model of an inbox.

use callboard_protocol::limits::ATTEMPTS_MAX;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Scene, each};
use crate::record::Record;
use crate::session::SessionId;

const LEASE_MS: u64 = 10_000;
const PRIORITIES: [&str; 4] = ["low", "normal", "high", "urgent"];

#[derive(Debug, Clone)]
enum Step {
    Send { priority: usize, ttl_ms: u64, delay_ms: u64 },
    Receive { max: usize },
    Ack { which: usize },
    Nack { which: usize, delay_ms: u64 },
    Extend { which: usize },
    Tick { ms: u64, lag: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let ttl_ms = prop_oneof![Just(15_000_u64), Just(86_400_000)];
    let delay_ms = prop_oneof![3 => Just(0_u64), 1 => 1_u64..9000];
    prop_oneof![
        4 => (0_usize..4, ttl_ms, delay_ms.clone())
            .prop_map(|(priority, ttl_ms, delay_ms)| Step::Send { priority, ttl_ms, delay_ms }),
        4 => (1_usize..4).prop_map(|max| Step::Receive { max }),
        2 => any::<usize>().prop_map(|which| Step::Ack { which }),
        2 => (any::<usize>(), delay_ms).prop_map(|(which, delay_ms)| Step::Nack { which, delay_ms }),
        1 => any::<usize>().prop_map(|which| Step::Extend { which }),
        4 => (0_u64..12_000, any::<bool>()).prop_map(|(ms, lag)| Step::Tick { ms, lag }),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Queued { ready_at: u64 },
    Leased { until: u64 },
    Acked,
    Dead,
    Expired,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    priority: usize,
    ends_at: u64,
    attempts: u32,
    state: State,
    receipt: String,
}

/// The inbox as one would write it without any index.
#[derive(Debug, Default)]
struct Model {
    now: u64,
    entries: Vec<Entry>,
}

impl Model {
    fn give_back(entry: &mut Entry, at: u64, ready_at: u64) {
        entry.state = if entry.ends_at <= at {
            State::Expired
        } else if entry.attempts >= ATTEMPTS_MAX {
            State::Dead
        } else {
            State::Queued { ready_at }
        };
    }

    fn pass(&mut self, ms: u64) {
        self.now += ms;
        for entry in &mut self.entries {
            if let State::Leased { until } = entry.state
                && until <= self.now
            {
                Self::give_back(entry, until, until);
            }
            if matches!(entry.state, State::Queued { .. }) && entry.ends_at <= self.now {
                entry.state = State::Expired;
            }
        }
    }

    fn receive(&mut self, max: usize) -> Vec<u64> {
        let now = self.now;
        let mut ready: Vec<&mut Entry> = self
            .entries
            .iter_mut()
            .filter(|entry| matches!(entry.state, State::Queued { ready_at } if ready_at <= now))
            .collect();
        ready.sort_by_key(|entry| (std::cmp::Reverse(entry.priority), entry.id));
        ready.truncate(max);
        for entry in &mut ready {
            entry.state = State::Leased { until: now + LEASE_MS };
            entry.attempts += 1;
        }
        ready.iter().map(|entry| entry.id).collect()
    }

    fn count(&self, wanted: impl Fn(State) -> bool) -> usize {
        self.entries.iter().filter(|entry| wanted(entry.state)).count()
    }

    fn of(&mut self, id: u64) -> &mut Entry {
        self.entries.iter_mut().find(|entry| entry.id == id).unwrap()
    }
}

struct Run {
    scene: Scene,
    model: Model,
    alice: SessionId,
    bob: SessionId,
}

impl Run {
    fn new() -> Self {
        let mut scene = Scene::new();
        let (alice, bob) = (scene.join("alice"), scene.join("bob"));
        Self { scene, model: Model::default(), alice, bob }
    }

    fn carry_out(&mut self, step: &Step) {
        match *step {
            Step::Send { priority, ttl_ms, delay_ms } => self.send(priority, ttl_ms, delay_ms),
            Step::Receive { max } => self.receive(max),
            Step::Ack { which } => {
                self.with_receipt(which, |run, id, receipt, live| {
                    let acked = run.scene.ack(run.bob, &receipt)["acked"] == json!([receipt]);
                    assert_eq!(acked, live, "{receipt}");
                    if live {
                        run.model.of(id).state = State::Acked;
                    }
                });
            }
            Step::Nack { which, delay_ms } => {
                self.with_receipt(which, |run, id, receipt, live| {
                    let params = json!({"receipt": receipt, "delay_ms": delay_ms});
                    let nacked = run.scene.call(run.bob, "message.nack", params) == json!({});
                    assert_eq!(nacked, live);
                    if live {
                        let now = run.model.now;
                        Model::give_back(run.model.of(id), now, now + delay_ms);
                    }
                });
            }
            Step::Extend { which } => {
                self.with_receipt(which, |run, id, receipt, live| {
                    let params = json!({"receipt": receipt, "lease_ms": LEASE_MS});
                    let extended = run.scene.call(run.bob, "message.extend", params);
                    assert_eq!(extended.get("expires_at").is_some(), live);
                    if live {
                        let until = run.model.now + LEASE_MS;
                        run.model.of(id).state = State::Leased { until };
                    }
                });
            }
            Step::Tick { ms, lag: false } => {
                self.scene.tick(ms);
                self.model.pass(ms);
            }
            Step::Tick { ms, lag: true } => {
                self.scene.lag(ms);
                self.model.pass(ms);
            }
        }
    }

    fn send(&mut self, priority: usize, ttl_ms: u64, delay_ms: u64) {
        let params = json!({"to": "bob", "payload": 0, "priority": PRIORITIES[priority],
            "ttl_ms": ttl_ms, "delay_ms": delay_ms});
        let id = self.scene.send(self.alice, params);
        let now = self.model.now;
        self.model.entries.push(Entry {
            id,
            priority,
            ends_at: now + ttl_ms,
            attempts: 0,
            state: State::Queued { ready_at: now + delay_ms },
            receipt: String::new(),
        });
    }

    fn receive(&mut self, max: usize) {
        let params = json!({"max": max, "lease_ms": LEASE_MS});
        let received = self.scene.call(self.bob, "message.receive", params);
        let messages: Vec<Value> = received["messages"].as_array().unwrap().clone();
        assert_eq!(each(&messages, "id"), self.model.receive(max));
        for message in messages {
            let entry = self.model.of(message["id"].as_u64().unwrap());
            assert_eq!(message["attempt"], entry.attempts);
            entry.receipt = message["receipt"].as_str().unwrap().to_owned();
        }
    }

    /// Does something with the last receipt of one of the messages that were received.
    fn with_receipt(&mut self, which: usize, act: impl FnOnce(&mut Self, u64, String, bool)) {
        let received: Vec<(u64, String, bool)> = self
            .model
            .entries
            .iter()
            .filter(|entry| !entry.receipt.is_empty())
            .map(|entry| (entry.id, entry.receipt.clone(), matches!(entry.state, State::Leased { .. })))
            .collect();
        if !received.is_empty() {
            let (id, receipt, live) = received[which % received.len()].clone();
            act(self, id, receipt, live);
        }
    }

    /// What the journal gives is what an image would have given, but for times that are over or that leases have left.
    fn restart(&mut self) {
        let before = self.scene.image();
        let journal = self.scene.records.clone();
        self.scene.restart(journal, 0, true);
        let after = self.scene.image();
        let now = self.scene.now.unix_ms;
        assert_eq!(without_ends(after, now), without_ends(before, now));
    }

    fn compare(&mut self) {
        let counts = self.scene.call(self.bob, "message.counts", json!({}));
        let queued = self.model.count(|state| matches!(state, State::Queued { .. }));
        let leased = self.model.count(|state| matches!(state, State::Leased { .. }));
        let dead = self.model.count(|state| state == State::Dead);
        assert_eq!(
            (&counts["queued"], &counts["leased"], &counts["dead"]),
            (&json!(queued), &json!(leased), &json!(dead))
        );
        for entry in &self.model.entries {
            let expected = match entry.state {
                State::Queued { .. } => "queued",
                State::Leased { .. } => "leased",
                State::Acked => "acked",
                State::Dead => "dead",
                State::Expired => "expired",
            };
            let state = self.scene.state(self.bob, entry.id);
            // A header may be forgotten a minute after it finished.
            let forgotten = state == "not_found" && matches!(entry.state, State::Acked | State::Expired);
            assert!(state == expected || forgotten, "{} is {state}: {entry:?}", entry.id);
        }
    }
}

fn without_ends(mut records: Vec<Record>, now: u64) -> Vec<Record> {
    for record in &mut records {
        if let Record::Message(message) = record {
            message.expires_at = message.expires_at.max(now);
        }
        if let Record::Delivery(delivery) = record
            && let Some(lease) = &mut delivery.lease
        {
            lease.expires_at = None;
        }
    }
    records
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn an_inbox_behaves_like_the_model(steps in prop::collection::vec(step(), 1..80)) {
        let mut run = Run::new();
        for step in &steps {
            run.carry_out(step);
            run.compare();
        }
        run.scene.tick(0);
        run.restart();
        run.compare();
        run.scene.tick(86_400_000 * 8);
        prop_assert_eq!(run.scene.board.inboxes.bytes(), 0);
        prop_assert_eq!(run.scene.board.inboxes.load(&super::name("bob")), 0);
    }
}
