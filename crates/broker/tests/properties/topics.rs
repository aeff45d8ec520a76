//! Topics against matching token by token.

use callboard_broker::SessionId;
use callboard_protocol::limits::Limits;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bench::Bench;

const SESSIONS: usize = 4;

#[derive(Debug, Clone)]
enum Step {
    Subscribe(usize, String, Option<u8>),
    Unsubscribe(prop::sample::Index),
    Publish(usize, String),
    Lose(usize),
    Resume(usize),
}

fn pattern() -> impl Strategy<Value = String> {
    "((a|b|\\*)\\.){0,3}(a|b|\\*|>)"
}

fn step() -> impl Strategy<Value = Step> {
    let group = prop::option::of(0..2u8);
    prop_oneof![
        4 => (0..SESSIONS, pattern(), group).prop_map(|(session, pattern, group)| Step::Subscribe(session, pattern, group)),
        1 => any::<prop::sample::Index>().prop_map(Step::Unsubscribe),
        6 => (0..SESSIONS, "((a|b)\\.){0,3}(a|b|c)").prop_map(|(session, topic)| Step::Publish(session, topic)),
        1 => (0..SESSIONS).prop_map(Step::Lose),
        1 => (0..SESSIONS).prop_map(Step::Resume),
    ]
}

fn matches(pattern: &[&str], topic: &[&str]) -> bool {
    match (pattern.split_first(), topic.split_first()) {
        (None, None) => true,
        (Some((&">", _)), Some(_)) => true,
        (Some((first, pattern)), Some((token, topic))) => {
            (*first == "*" || first == token) && matches(pattern, topic)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[derive(Debug)]
struct Subscriber {
    session: usize,
    number: u64,
    pattern: String,
    group: Option<u8>,
    last_turn: u64,
}

struct Model {
    subscribers: Vec<Subscriber>,
    connected: [bool; SESSIONS],
    turn: u64,
}

impl Model {
    /// Who gets what is published: everybody that matches, but one of each group.
    fn publish(&mut self, topic: &str) -> Vec<(usize, u64)> {
        let tokens: Vec<&str> = topic.split('.').collect();
        let connected = self.connected;
        let mut readers = Vec::new();
        for group in [None, Some(0), Some(1)] {
            let mut found: Vec<&mut Subscriber> = self
                .subscribers
                .iter_mut()
                .filter(|subscriber| subscriber.group == group)
                .filter(|subscriber| matches(&subscriber.pattern.split('.').collect::<Vec<_>>(), &tokens))
                .collect();
            if group.is_some() {
                found.sort_by_key(|subscriber| {
                    (
                        !connected[subscriber.session],
                        subscriber.last_turn,
                        subscriber.session,
                        subscriber.number,
                    )
                });
                found.truncate(1);
            }
            for subscriber in found {
                self.turn += 1;
                subscriber.last_turn = self.turn;
                readers.push((subscriber.session, subscriber.number));
            }
        }
        readers.sort_unstable();
        readers
    }
}

struct Run {
    bench: Bench,
    sessions: Vec<SessionId>,
    model: Model,
}

impl Run {
    fn step(&mut self, step: Step) {
        match step {
            Step::Subscribe(session, pattern, group) if self.model.connected[session] => {
                let group_name = group.map(|group| format!("g{group}"));
                let params = json!({"pattern": pattern, "group": group_name});
                let result = self.bench.call(self.sessions[session], "topic.subscribe", &params).unwrap();
                self.model.subscribers.push(Subscriber {
                    session,
                    number: result["subscription"].as_u64().unwrap(),
                    pattern,
                    group,
                    last_turn: 0,
                });
            }
            Step::Unsubscribe(index) if !self.model.subscribers.is_empty() => {
                let subscriber = self.model.subscribers.remove(index.index(self.model.subscribers.len()));
                let params = json!({"subscription": subscriber.number});
                self.bench.call(self.sessions[subscriber.session], "session.unsubscribe", &params).unwrap();
            }
            Step::Publish(session, topic) if self.model.connected[session] => self.publish(session, &topic),
            Step::Lose(session) => {
                self.model.connected[session] = false;
                let id = self.sessions[session];
                self.bench.tell(|board, now| board.lose_connection(now, id));
            }
            Step::Resume(session) => {
                self.model.connected[session] = true;
                assert!(self.bench.resume(self.sessions[session]));
            }
            Step::Subscribe(..) | Step::Unsubscribe(_) | Step::Publish(..) => {}
        }
    }

    fn publish(&mut self, session: usize, topic: &str) {
        let expected = self.model.publish(topic);
        let params = json!({"topic": topic, "payload": self.model.turn});
        let result = self.bench.call(self.sessions[session], "topic.publish", &params).unwrap();
        assert_eq!(result["subscribers"], json!(expected.len()));
        let events = self.bench.take_events();
        let index = |id: SessionId| self.sessions.iter().position(|session| *session == id).unwrap();
        let mut readers: Vec<(usize, u64)> =
            events.iter().map(|event| (index(event.session), event.subscription)).collect();
        readers.sort_unstable();
        assert_eq!(readers, expected);
        let body = |event: &crate::bench::Event| {
            event.members
                == json!({"kind": "topic", "topic": topic, "from": Value::Null, "payload": self.model.turn})
        };
        assert!(events.iter().all(body));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn whoever_matches_gets_it_and_groups_take_turns(steps in prop::collection::vec(step(), 1..60)) {
        let mut bench = Bench::new(Limits::default());
        let sessions = (0..SESSIONS).map(|_| bench.open(None)).collect();
        let model = Model { subscribers: Vec::new(), connected: [true; SESSIONS], turn: 0 };
        let mut run = Run { bench, sessions, model };
        for step in steps {
            run.step(step);
        }
    }
}
