//! Agents and their presence against a list of sessions.

use std::collections::BTreeMap;

use callboard_broker::SessionId;
use callboard_protocol::limits::{FORGET_AGENT_MS, Limits, PRESENCE_TTL_MS_DEFAULT};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bench::Bench;

const GRACE_MS: u64 = 5000;
const NAMES: [&str; 3] = ["alice", "bob", "carol"];

#[derive(Debug, Clone)]
enum Step {
    Open(usize),
    OpenWithoutAgent,
    Register(prop::sample::Index, usize, Option<u64>),
    Call(prop::sample::Index),
    Lose(prop::sample::Index),
    Resume(prop::sample::Index),
    Close(prop::sample::Index, bool),
    Remove(usize),
    Tick(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let any_session = || any::<prop::sample::Index>();
    let ttl = prop::option::of(prop::sample::select(vec![1, 3000, 60_000]));
    let pauses = vec![1, 1000, 4999, 5000, 60_000, 115_000, 120_000, FORGET_AGENT_MS / 2, FORGET_AGENT_MS];
    prop_oneof![
        3 => (0..NAMES.len()).prop_map(Step::Open),
        1 => Just(Step::OpenWithoutAgent),
        2 => (any_session(), 0..NAMES.len(), ttl).prop_map(|(session, name, ttl)| Step::Register(session, name, ttl)),
        3 => any_session().prop_map(Step::Call),
        3 => any_session().prop_map(Step::Lose),
        2 => any_session().prop_map(Step::Resume),
        2 => (any_session(), any::<bool>()).prop_map(|(session, leave)| Step::Close(session, leave)),
        1 => (0..NAMES.len()).prop_map(Step::Remove),
        6 => prop::sample::select(pauses).prop_map(Step::Tick),
    ]
}

#[derive(Debug, Clone)]
struct Session {
    agent: Option<usize>,
    /// When its grace ends, without a connection.
    grace: Option<u64>,
}

#[derive(Debug, Clone)]
struct Agent {
    live: bool,
    ttl_ms: u64,
    last_seen: u64,
    left_at: u64,
}

#[derive(Debug, Default)]
struct Model {
    now: u64,
    sessions: BTreeMap<SessionId, Session>,
    agents: BTreeMap<usize, Agent>,
    /// Names with whether they joined or left and why.
    events: Vec<(usize, &'static str)>,
}

impl Model {
    /// A call of a session that has an agent signs it in.
    fn call(&mut self, id: SessionId) {
        let now = self.now;
        let Some(name) = self.sessions[&id].agent else {
            return;
        };
        let agent = self.agents.entry(name).or_insert(Agent {
            live: false,
            ttl_ms: PRESENCE_TTL_MS_DEFAULT,
            last_seen: now,
            left_at: 0,
        });
        agent.last_seen = now;
        if !agent.live {
            agent.live = true;
            self.events.push((name, "joined"));
        }
    }

    fn leave(&mut self, name: usize, why: &'static str) {
        let now = self.now;
        if let Some(agent) = self.agents.get_mut(&name).filter(|agent| agent.live) {
            agent.live = false;
            agent.left_at = now;
            self.events.push((name, why));
        }
    }

    fn has_session(&self, name: usize) -> bool {
        self.sessions.values().any(|session| session.agent == Some(name))
    }

    /// Stops wherever something may end.
    fn tick(&mut self, ms: u64) {
        let until = self.now + ms;
        while let Some(due) = self.next_due().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.settle();
        }
        self.now = until;
    }

    fn next_due(&self) -> Option<u64> {
        let graces = self.sessions.values().filter_map(|session| session.grace);
        let presences = self.agents.iter().filter_map(|(name, agent)| {
            (agent.live && !self.has_session(*name)).then_some(agent.last_seen + agent.ttl_ms)
        });
        let names = self.agents.values().filter(|agent| !agent.live);
        let names = names.map(|agent| (agent.last_seen + FORGET_AGENT_MS).max(agent.left_at));
        graces.chain(presences).chain(names).min()
    }

    /// Ends what is due.
    fn settle(&mut self) {
        let now = self.now;
        self.sessions.retain(|_, session| session.grace.is_none_or(|due| due > now));
        let gone: Vec<usize> = self.agents.keys().copied().filter(|name| !self.has_session(*name)).collect();
        for name in gone {
            let agent = &self.agents[&name];
            if agent.live && agent.last_seen + agent.ttl_ms <= now {
                self.leave(name, "expired");
            }
        }
        self.agents
            .retain(|_, agent| agent.live || (agent.last_seen + FORGET_AGENT_MS).max(agent.left_at) > now);
    }
}

struct Run {
    bench: Bench,
    model: Model,
    watcher: SessionId,
}

impl Run {
    fn new() -> Self {
        let mut bench = Bench::new(Limits::default());
        let watcher = bench.open(None);
        bench.call(watcher, "agent.watch", &json!({})).unwrap();
        Self { bench, model: Model::default(), watcher }
    }

    fn pick(&self, index: prop::sample::Index, connected: bool) -> Option<SessionId> {
        let fitting: Vec<SessionId> = self
            .model
            .sessions
            .iter()
            .filter(|(_, session)| session.grace.is_none() == connected)
            .map(|(id, _)| *id)
            .collect();
        (!fitting.is_empty()).then(|| fitting[index.index(fitting.len())])
    }

    fn open(&mut self, agent: Option<usize>) {
        let id = self.bench.open(agent.map(|name| NAMES[name]));
        let session = Session { agent, grace: None };
        self.model.sessions.insert(id, session);
        self.model.call(id);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Open(name) => self.open(Some(name)),
            Step::OpenWithoutAgent => self.open(None),
            Step::Register(index, name, ttl_ms) => {
                let Some(id) = self.pick(index, true) else { return };
                self.register(id, name, ttl_ms);
            }
            Step::Call(index) => {
                let Some(id) = self.pick(index, true) else { return };
                self.bench.call(id, "kv.get", &json!({"key": "k"})).unwrap();
                self.model.call(id);
            }
            Step::Lose(index) => {
                let Some(id) = self.pick(index, true) else { return };
                self.bench.tell(|board, now| board.lose_connection(now, id));
                let grace = self.model.now + GRACE_MS;
                self.model.sessions.get_mut(&id).unwrap().grace = Some(grace);
            }
            Step::Resume(index) => {
                let Some(id) = self.pick(index, false) else { return };
                assert!(self.bench.resume(id));
                self.model.sessions.get_mut(&id).unwrap().grace = None;
                self.model.call(id);
            }
            Step::Close(index, leave) => {
                let Some(id) = self.pick(index, true) else { return };
                self.bench.tell(|board, now| board.close_session(now, id, leave));
                self.close(id, leave);
            }
            Step::Remove(name) => self.remove(name),
            Step::Tick(ms) => {
                self.bench.tick(ms);
                self.model.tick(ms);
            }
        }
    }

    fn register(&mut self, id: SessionId, name: usize, ttl_ms: Option<u64>) {
        let own = self.model.sessions[&id].agent;
        let params = json!({"name": NAMES[name], "ttl_ms": ttl_ms});
        let result = self.bench.call(id, "agent.register", &params);
        if own.is_some_and(|own| own != name) {
            assert_eq!(result, Err("invalid_params".to_owned()));
            self.model.call(id);
            return;
        }
        // The call itself signs a known agent in, so only a new name is created.
        let created = own.is_none() && !self.model.agents.contains_key(&name);
        let forgotten = own.is_some() && !self.model.agents.contains_key(&name);
        self.model.sessions.get_mut(&id).unwrap().agent = Some(name);
        self.model.call(id);
        let agent = self.model.agents.get_mut(&name).unwrap();
        agent.ttl_ms = ttl_ms.unwrap_or(agent.ttl_ms);
        if !forgotten {
            assert_eq!(result, Ok(json!({"name": NAMES[name], "created": created})));
        }
    }

    fn close(&mut self, id: SessionId, leave: bool) {
        let now = self.model.now;
        let Some(name) = self.model.sessions.remove(&id).and_then(|session| session.agent) else {
            return;
        };
        if let Some(agent) = self.model.agents.get_mut(&name) {
            agent.last_seen = now;
        }
        if leave {
            self.model.leave(name, "closed");
        }
    }

    fn remove(&mut self, name: usize) {
        let result = self.bench.call(self.watcher, "agent.remove", &json!({"name": NAMES[name]}));
        let is_known = self.model.agents.contains_key(&name);
        assert_eq!(result.is_ok(), is_known);
        if !is_known {
            return;
        }
        self.model.leave(name, "removed");
        self.model.agents.remove(&name);
        for session in self.model.sessions.values_mut().filter(|session| session.agent == Some(name)) {
            session.agent = None;
        }
    }

    fn check(&mut self) {
        self.model.settle();
        self.bench.fire_timer();
        let mut told: Vec<(usize, String)> = self
            .bench
            .take_events()
            .into_iter()
            .filter(|event| event.members["kind"] != "agent.updated")
            .map(|event| {
                let name = event.members["agent"].as_str().unwrap();
                let name = NAMES.iter().position(|known| *known == name).unwrap();
                (name, event.members["why"].as_str().unwrap_or("joined").to_owned())
            })
            .collect();
        let mut expected: Vec<(usize, String)> = std::mem::take(&mut self.model.events)
            .into_iter()
            .map(|(name, what)| (name, what.to_owned()))
            .collect();
        // What happens to different agents at one instant has no order.
        told.sort_by_key(|(name, _)| *name);
        expected.sort_by_key(|(name, _)| *name);
        assert_eq!(told, expected);
        let listed = self.bench.call(self.watcher, "agent.list", &json!({})).unwrap();
        let rows: Vec<Value> = self.model.agents.iter().map(|(name, agent)| self.row(*name, agent)).collect();
        let listed: Vec<Value> = listed["agents"].as_array().unwrap().iter().map(|row| {
            json!({"name": row["name"], "live": row["live"], "sessions": row["sessions"], "last_seen_at": row["last_seen_at"]})
        }).collect();
        assert_eq!(listed, rows);
    }

    fn row(&self, name: usize, agent: &Agent) -> Value {
        let sessions: Vec<&Session> =
            self.model.sessions.values().filter(|session| session.agent == Some(name)).collect();
        json!({"name": NAMES[name], "live": agent.live, "sessions": sessions.len(), "last_seen_at": agent.last_seen})
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn presence_begins_lasts_and_ends_as_told(steps in prop::collection::vec(step(), 1..50)) {
        let mut run = Run::new();
        for step in steps {
            run.step(step);
            run.check();
        }
    }
}
