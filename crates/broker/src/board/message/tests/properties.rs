//! Random subscriptions, receives, slow readers and lost connections: what must hold between any two calls.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Scene, name};
use crate::inbox::takers::TakerId;
use crate::session::SessionId;

#[derive(Debug, Clone)]
enum Step {
    Send { urgent: bool, kind: usize, delay_ms: u64 },
    Receive { who: usize, kind: Option<usize> },
    Subscribe { who: usize, kind: Option<usize>, credit: u32 },
    Unsubscribe { who: usize },
    Ack { which: usize },
    Nack { which: usize },
    Pause { who: usize, paused: bool },
    Drop { who: usize },
    Resume { who: usize },
    Tick { ms: u64 },
}

const KINDS: [&str; 2] = ["a", "b"];

fn step() -> impl Strategy<Value = Step> {
    let who = 0_usize..3;
    let kind = || prop::option::of(0_usize..2);
    prop_oneof![
        6 => (any::<bool>(), 0_usize..2, prop_oneof![Just(0_u64), Just(500)])
            .prop_map(|(urgent, kind, delay_ms)| Step::Send { urgent, kind, delay_ms }),
        2 => (who.clone(), kind()).prop_map(|(who, kind)| Step::Receive { who, kind }),
        2 => (who.clone(), kind(), 1_u32..3)
            .prop_map(|(who, kind, credit)| Step::Subscribe { who, kind, credit }),
        1 => who.clone().prop_map(|who| Step::Unsubscribe { who }),
        3 => any::<usize>().prop_map(|which| Step::Ack { which }),
        2 => any::<usize>().prop_map(|which| Step::Nack { which }),
        1 => (who.clone(), any::<bool>()).prop_map(|(who, paused)| Step::Pause { who, paused }),
        1 => who.clone().prop_map(|who| Step::Drop { who }),
        1 => who.prop_map(|who| Step::Resume { who }),
        3 => (0_u64..3000).prop_map(|ms| Step::Tick { ms }),
    ]
}

struct Run {
    scene: Scene,
    alice: SessionId,
    bobs: Vec<SessionId>,
    receipts: Vec<Value>,
}

impl Run {
    fn new() -> Self {
        let mut scene = Scene::new();
        let alice = scene.join("alice");
        let bobs = (0..3).map(|_| scene.join("bob")).collect();
        Self { scene, alice, bobs, receipts: Vec::new() }
    }

    fn is_connected(&self, session: SessionId) -> bool {
        let session = self.scene.board.sessions.table.get(&session);
        session.is_some_and(crate::session::Session::is_connected)
    }

    fn carry_out(&mut self, step: &Step) {
        let call = |run: &mut Self, who: usize, method: &str, params: Value| {
            let session = run.bobs[who];
            if run.is_connected(session) {
                run.scene.call(session, method, params);
            }
        };
        match *step {
            Step::Send { urgent, kind, delay_ms } => {
                let priority = if urgent { "urgent" } else { "normal" };
                let params = json!({"to": "bob", "payload": 0, "priority": priority, "type": KINDS[kind],
                    "delay_ms": delay_ms});
                self.scene.send(self.alice, params);
            }
            Step::Receive { who, kind } => {
                let types = kind.map(|kind| [KINDS[kind]]);
                let params = json!({"wait_ms": 2000, "max": 2, "types": types, "lease_ms": 4000});
                call(self, who, "message.receive", params);
            }
            Step::Subscribe { who, kind, credit } => {
                let types = kind.map(|kind| [KINDS[kind]]);
                let params = json!({"credit": credit, "types": types, "lease_ms": 4000});
                call(self, who, "message.subscribe", params);
            }
            Step::Unsubscribe { who } => {
                call(self, who, "session.unsubscribe", json!({"subscription": 1}));
            }
            Step::Ack { which } => {
                if let Some(receipt) = self.pick(which) {
                    call(self, 0, "message.ack", json!({"receipts": [receipt]}));
                }
            }
            Step::Nack { which } => {
                if let Some(receipt) = self.pick(which) {
                    call(self, 0, "message.nack", json!({ "receipt": receipt }));
                }
            }
            Step::Pause { who, paused } => {
                let now = self.scene.now;
                self.scene.board.set_paused(now, self.bobs[who], paused);
            }
            Step::Drop { who } => self.scene.board.lose_connection(self.scene.now, self.bobs[who]),
            Step::Resume { who } => {
                if self.scene.board.sessions.table.contains_key(&self.bobs[who]) {
                    self.scene.resume(self.bobs[who]);
                } else {
                    self.bobs[who] = self.scene.join("bob");
                }
            }
            Step::Tick { ms } => self.scene.tick(ms),
        }
        self.scene.collect();
    }

    /// Reads what the sessions were sent, and picks one of the receipts seen so far.
    fn pick(&mut self, which: usize) -> Option<Value> {
        for bob in self.bobs.clone() {
            for words in self.scene.read(bob) {
                let messages = words["messages"].as_array().cloned().unwrap_or_default();
                let seen = messages.into_iter().chain([words]);
                self.receipts.extend(seen.map(|message| message["receipt"].clone()).filter(Value::is_string));
            }
        }
        let len = self.receipts.len();
        (len > 0).then(|| self.receipts.swap_remove(which % len))
    }

    fn check(&self) {
        let board = &self.scene.board;
        let bob = name("bob");
        let mut place = None;
        while let Some(next) = board.inboxes.next_ready(&bob, place) {
            place = Some(next);
            let stored = board.inboxes.find(next.1).unwrap();
            let taker = board.longest_waiting(self.scene.now, &bob, &stored.header);
            assert_eq!(taker, None, "{} waits though somebody takes it", next.1);
        }
        for (id, taker) in board.inboxes.takers.of_agent(&bob) {
            if let TakerId::Subscription(session, number) = id {
                let unacked = board.inboxes.takers.unacked((session, number));
                assert!(unacked.len() <= taker.terms.max);
                for token in unacked {
                    assert!(board.leases.find(token).is_some());
                    let stored = board.leases.message_of(token).and_then(|id| board.inboxes.find(id));
                    assert!(taker.terms.filter.matches(&stored.unwrap().header));
                }
            }
        }
        let load = board.inboxes.load(&bob);
        let open = board
            .inboxes
            .iter_after(callboard_protocol::revision::Revision(0))
            .filter(|(_, stored)| !stored.is_done())
            .count();
        assert_eq!(load, open);
        assert_eq!(board.inboxes.counts(&bob).leased, board.leases.of_agent(&bob).len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn nothing_waits_for_a_taker_that_could_have_it(steps in prop::collection::vec(step(), 1..100)) {
        let mut run = Run::new();
        for step in &steps {
            run.carry_out(step);
            run.check();
        }
    }
}
