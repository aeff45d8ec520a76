//! The keyspace against a map, with watchers that must always know what the map holds.

use callboard_broker::SessionId;
use callboard_protocol::limits::Limits;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bench::{Bench, Event};
use crate::model::{Condition, Entry, KEYS, Model, NEVER, Op, op, ttl};
use crate::watchers::{Change, Fold, Watcher, fold_before};

const PREFIXES: [&str; 5] = ["", "a", "a/", "c", "zzz"];
const WATCHERS_MAX: usize = 6;
/// Events that the board keeps: few, so that they run out.
const HISTORY: usize = 12;

#[derive(Debug, Clone)]
enum Step {
    Op(Op),
    Increment { key: usize, by: i64, ttl_ms: Option<u64> },
    Expire { key: usize, ttl_ms: Option<u64> },
    Txn { key: usize, condition: Condition, then: Vec<Op>, otherwise: Vec<Op> },
    List { prefix: usize, limit: usize },
    Watch { prefix: usize, initial: bool, paused: bool },
    WatchFrom { prefix: usize, back: u64 },
    Unwatch(prop::sample::Index),
    Pause(prop::sample::Index),
    Unpause(prop::sample::Index),
    Tick { ms: u64, is_late: bool },
    FireTimer,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    let key = || 0..KEYS.len();
    let ops = || prop::collection::vec(op(Condition::None), 0..4);
    let condition =
        prop::sample::select(vec![Condition::Absent, Condition::PresentRevision, Condition::NeverRevision]);
    prop_oneof![
        12 => op(Condition::PresentRevision).prop_map(Step::Op),
        2 => (key(), -2..3i64, ttl()).prop_map(|(key, by, ttl_ms)| Step::Increment { key, by, ttl_ms }),
        2 => (key(), ttl()).prop_map(|(key, ttl_ms)| Step::Expire { key, ttl_ms }),
        2 => (key(), condition, ops(), ops()).prop_map(|(key, condition, then, otherwise)| Step::Txn { key, condition, then, otherwise }),
        1 => (0..PREFIXES.len(), 1..9usize).prop_map(|(prefix, limit)| Step::List { prefix, limit }),
        1 => (0..PREFIXES.len(), any::<bool>(), any::<bool>())
            .prop_map(|(prefix, initial, paused)| Step::Watch { prefix, initial, paused }),
        1 => (0..PREFIXES.len(), 0..20u64).prop_map(|(prefix, back)| Step::WatchFrom { prefix, back }),
        1 => index().prop_map(Step::Unwatch),
        1 => index().prop_map(Step::Pause),
        1 => index().prop_map(Step::Unpause),
        4 => (0..40u64, any::<bool>()).prop_map(|(ms, is_late)| Step::Tick { ms, is_late }),
        1 => Just(Step::FireTimer),
    ]
}

struct Run {
    bench: Bench,
    model: Model,
    session: SessionId,
    /// It hears everything from the beginning.
    master: Watcher,
    watchers: Vec<Watcher>,
}

impl Run {
    fn new() -> Self {
        let limits = Limits { watch_history: HISTORY, ..Limits::default() };
        let mut bench = Bench::new(limits);
        let session = bench.open(None);
        let listener = bench.open(None);
        bench.call(listener, "kv.watch", &json!({"prefix": ""})).unwrap();
        Self {
            bench,
            model: Model::default(),
            session,
            master: Watcher::new(listener, "", false, 1, Fold::new()),
            watchers: Vec::new(),
        }
    }

    fn call(&mut self, method: &str, params: &Value) -> Result<Value, String> {
        self.bench.call(self.session, method, params)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Op(op) => {
                let (verb, params, error) = self.model.request(&op);
                match (self.call(&format!("kv.{verb}"), &params), error) {
                    (Ok(result), None) => self.model.apply(&op, &result),
                    (result, error) => assert_eq!(result.err().as_deref(), error),
                }
            }
            Step::Increment { key, by, ttl_ms } => self.increment(KEYS[key], by, ttl_ms),
            Step::Expire { key, ttl_ms } => {
                let result = self.call("kv.expire", &json!({"key": KEYS[key], "ttl_ms": ttl_ms})).unwrap();
                assert_eq!(result["exists"], json!(self.model.live(KEYS[key]).is_some()));
                let due = ttl_ms.map(|ttl_ms| self.model.now + ttl_ms);
                if result["exists"] == true {
                    self.model.entries.get_mut(KEYS[key]).unwrap().due = due;
                }
            }
            Step::Txn { key, condition, then, otherwise } => {
                self.txn(KEYS[key], condition, &then, &otherwise);
            }
            Step::List { prefix, limit } => self.list(PREFIXES[prefix], limit),
            Step::Watch { prefix, initial, paused } => self.watch(PREFIXES[prefix], None, initial, paused),
            Step::WatchFrom { prefix, back } => {
                let from = (self.bench.board.revision().0 + 1).saturating_sub(back);
                self.watch(PREFIXES[prefix], Some(from), false, false);
            }
            Step::Unwatch(index) => {
                if let Some(index) = self.pick(index) {
                    let watcher = self.watchers.remove(index);
                    self.bench.tell(|board, now| board.close_session(now, watcher.session, false));
                }
            }
            Step::Pause(index) => self.set_paused(index, true),
            Step::Unpause(index) => self.set_paused(index, false),
            Step::Tick { ms, is_late } => {
                self.model.now += ms;
                if is_late {
                    self.bench.now_ms += ms;
                } else {
                    self.bench.tick(ms);
                }
            }
            Step::FireTimer => self.bench.fire_timer(),
        }
    }

    fn pick(&self, index: prop::sample::Index) -> Option<usize> {
        (!self.watchers.is_empty()).then(|| index.index(self.watchers.len()))
    }

    fn set_paused(&mut self, index: prop::sample::Index, paused: bool) {
        let Some(index) = self.pick(index) else { return };
        let session = self.watchers[index].session;
        self.bench.tell(|board, now| board.set_paused(now, session, paused));
    }

    fn increment(&mut self, key: &'static str, by: i64, ttl_ms: Option<u64>) {
        let params = json!({"key": key, "by": by, "ttl_ms": ttl_ms});
        let result = self.call("kv.increment", &params).unwrap();
        let before = self.model.live(key).cloned();
        let entry = Entry {
            value: before.as_ref().map_or(0, |entry| entry.value) + by,
            revision: result["revision"].as_u64().unwrap(),
            due: before.map_or(ttl_ms.map(|ttl_ms| self.model.now + ttl_ms), |entry| entry.due),
        };
        assert_eq!(result["value"], json!(entry.value));
        self.model.entries.insert(key, entry);
    }

    /// Each op is judged after the ones before it; with one error nothing is done.
    fn txn(&mut self, key: &'static str, condition: Condition, then: &[Op], otherwise: &[Op]) {
        let present = self.model.revision(key);
        let wanted = match condition {
            Condition::None | Condition::PresentRevision => present,
            Condition::Absent => 0,
            Condition::NeverRevision => NEVER,
        };
        let written = |ops: &[Op]| -> Vec<Value> {
            let requests = ops.iter().map(|op| self.model.request(op));
            requests.map(|(verb, params, _)| json!({ verb: params })).collect()
        };
        let params = json!({
            "if": [{"key": key, "revision": wanted}],
            "then": written(then),
            "else": written(otherwise),
        });
        let succeeds = wanted == present;
        let chosen = if succeeds { then } else { otherwise };
        let mut planned = self.model.clone();
        let expected_error = chosen.iter().find_map(|op| {
            let (_, _, error) = planned.request(op);
            planned.plan(op);
            error
        });
        match self.call("kv.txn", &params) {
            Ok(result) => {
                assert_eq!((expected_error, &result["succeeded"]), (None, &json!(succeeds)));
                for (op, result) in chosen.iter().zip(result["results"].as_array().unwrap()) {
                    self.model.apply(op, result);
                }
            }
            Err(error) => assert_eq!(Some(error.as_str()), expected_error),
        }
    }

    /// All pages together are the live keys with the prefix, in order.
    fn list(&mut self, prefix: &str, limit: usize) {
        let mut listed = Vec::new();
        let mut cursor = Value::Null;
        loop {
            let params = json!({"prefix": prefix, "limit": limit, "cursor": cursor, "values": true});
            let page = self.call("kv.list", &params).unwrap();
            let entries = page["entries"].as_array().unwrap();
            listed.extend(entries.iter().cloned());
            cursor = page["cursor"].clone();
            if cursor.is_null() {
                assert!(entries.len() <= limit);
                break;
            }
            assert_eq!(entries.len(), limit);
        }
        let live = self.model.entries.keys().filter_map(|key| Some((*key, self.model.live(key)?)));
        let expected: Vec<Value> = live
            .filter(|(key, _)| key.starts_with(prefix))
            .map(|(key, entry)| {
                let [value, revision, ttl_ms] = self.model.shown(entry);
                json!({"key": key, "value": value, "revision": revision, "ttl_ms": ttl_ms})
            })
            .collect();
        assert_eq!(listed, expected);
    }

    /// Opens a session, watches, and takes what it was told at once.
    fn watch(&mut self, prefix: &'static str, from: Option<u64>, initial: bool, paused: bool) {
        if self.watchers.len() == WATCHERS_MAX {
            return;
        }
        let session = self.bench.open(None);
        self.bench.tell(|board, now| board.set_paused(now, session, paused));
        let params = json!({"prefix": prefix, "initial": initial, "from_revision": from});
        let result = self.bench.call(session, "kv.watch", &params);
        let (own, others): (Vec<Event>, Vec<Event>) =
            self.bench.take_events().into_iter().partition(|event| event.session == session);
        self.hear(&others);
        let all = self.master.changes();
        let forgotten = all.len().checked_sub(HISTORY + 1);
        let min = forgotten.map_or(1, |last| all[last].revision + 1);
        if from.is_some_and(|from| from < min) {
            assert_eq!(result, Err("compacted".to_owned()));
            return;
        }
        let revision = result.unwrap()["revision"].as_u64().unwrap();
        let first = from.unwrap_or(revision + 1);
        let known = if initial { Fold::new() } else { fold_before(all, first, prefix) };
        let watcher = Watcher::new(session, prefix, initial, first, known);
        self.watchers.push(watcher);
        self.hear(&own);
    }

    fn hear(&mut self, events: &[Event]) {
        for event in events {
            let watchers = std::iter::once(&mut self.master).chain(&mut self.watchers);
            for watcher in watchers.filter(|watcher| watcher.session == event.session) {
                watcher.hear(event);
            }
        }
    }

    fn check(&mut self) {
        let events = self.bench.take_events();
        self.hear(&events);
        let live = self.model.fold();
        let is_over = |key: &str| self.model.entries.contains_key(key) && self.model.live(key).is_none();
        for watcher in std::iter::once(&self.master).chain(&self.watchers) {
            let told: Vec<&Change> = watcher.changes().iter().collect();
            assert_eq!(told, watcher.share(self.master.changes()));
            if watcher.initial != Some(false) {
                assert_eq!(watcher.knows(is_over), watcher.should_know(&live));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn keys_and_whoever_watches_them_agree_with_a_map(steps in prop::collection::vec(step(), 1..80)) {
        let mut run = Run::new();
        for step in steps {
            run.step(step);
            run.check();
        }
    }
}
