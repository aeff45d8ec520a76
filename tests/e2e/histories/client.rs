//! A client that does something by chance with pairs of keys and with locks, and notes each call with its answer.
//!
//! Invariant: a call is noted whatever becomes of it; one without an answer has no end. What the client believes of an
//! object is what it was told last, so its conditions hold often and fail often.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::linearizability::Call;
use super::lock;
use super::registers::{self, Outcome, Seen};
use crate::harness::{Home, Random, Raw};

/// Longer than any run: no lock ends by itself.
const HOUR_MS: u64 = 3_600_000;
/// Long enough to be handed a lock now and then.
const WAIT_MS: u64 = 5;

/// The moments of a run, which all clients share. Each is given out once.
#[derive(Debug, Default)]
pub struct Clock(AtomicU64);

impl Clock {
    fn tick(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// An object: what this client did with it, and what it believes of it.
#[derive(Debug)]
pub struct Object<O, B> {
    pub name: String,
    pub history: Vec<Call<O>>,
    believed: B,
}

/// Two keys, and the revisions that they had when the client heard of them last.
pub type Pair = Object<registers::Operation, [u64; 2]>;
/// A lock, and the token under which the client has it.
pub type Lock = Object<lock::Operation, Option<u64>>;

impl<O, B: Default> Object<O, B> {
    fn new(name: String) -> Self {
        Self { name, history: Vec::new(), believed: B::default() }
    }
}

/// A result, or the `data` of an error; `None`: no answer came.
type Reply = Option<Result<Value, Value>>;

/// The connection of a client, and its name in histories.
#[derive(Debug)]
struct Line<'a> {
    client: usize,
    raw: &'a mut Raw,
    clock: &'a Clock,
}

impl Line<'_> {
    /// Calls, and notes what `read` makes of the reply; `None` when none came.
    fn call<O>(
        &mut self,
        history: &mut Vec<Call<O>>,
        method: &str,
        params: Value,
        read: impl FnOnce(&Reply) -> O,
    ) -> Option<Result<Value, Value>> {
        let started = self.clock.tick();
        let reply = self.raw.try_start(method, params).and_then(|id| self.raw.try_reply(id));
        let ended = reply.is_some().then(|| self.clock.tick());
        let reply = reply.map(|mut reply| match reply.get_mut("error") {
            Some(error) => Err(error["data"].take()),
            None => Ok(reply["result"].take()),
        });
        history.push(Call { client: self.client, started, ended, operation: read(&reply) });
        reply
    }
}

/// The client.
#[derive(Debug)]
pub struct Client {
    number: usize,
    random: Random,
    raw: Option<Raw>,
    last_value: u64,
    pub pairs: Vec<Pair>,
    pub locks: Vec<Lock>,
}

impl Client {
    pub fn new(number: usize, random: Random) -> Self {
        Self { number, random, raw: None, last_value: 0, pairs: Vec::new(), locks: Vec::new() }
    }

    /// Forgets all objects, and starts on new ones.
    pub fn start_on(&mut self, pairs: &[String], locks: &[String]) {
        self.pairs = pairs.iter().cloned().map(Object::new).collect();
        self.locks = locks.iter().cloned().map(Object::new).collect();
    }

    /// Connects to the daemon of the moment.
    pub fn connect(&mut self, home: &Home) {
        self.raw = Some(home.connect_as(&agent(self.number)));
    }

    /// Does one thing; `None` when the daemon is gone.
    pub fn step(&mut self, clock: &Clock) -> Option<()> {
        let raw = self.raw.as_mut().expect("connected first");
        let mut line = Line { client: self.number, raw, clock };
        let at = self.random.below(self.pairs.len() + self.locks.len());
        match self.locks.get_mut(at) {
            Some(lock) => lock.step(&mut line, &mut self.random),
            None => {
                let at = at - self.locks.len();
                self.last_value += 2;
                // No two clients ever write the same value.
                let value = self.last_value << 8 | u64::try_from(self.number).expect("few clients");
                self.pairs[at].step(&mut line, &mut self.random, [value, value + (1 << 8)])
            }
        }
    }

    /// Looks at every object, with nobody else there.
    pub fn look_at_all(&mut self, clock: &Clock) {
        let raw = self.raw.as_mut().expect("connected first");
        let mut line = Line { client: self.number, raw, clock };
        for pair in &mut self.pairs {
            pair.get_both(&mut line).expect("an answer");
        }
        for lock in &mut self.locks {
            lock.look(&mut line).expect("an answer");
        }
    }
}

fn agent(number: usize) -> String {
    format!("agent-{number}")
}

fn seen(entry: &Value) -> Seen {
    match entry["exists"] == true {
        true => Seen { value: number(&entry["value"]), revision: number(&entry["revision"]) },
        false => Seen::default(),
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number was expected: {value}"))
}

/// What a change on condition was answered.
fn answer(reply: &Reply) -> Option<registers::Answer> {
    match reply.as_ref()? {
        Ok(made) => Some(registers::Answer::Made { revision: made["revision"].as_u64().unwrap_or(0) }),
        Err(error) => {
            assert_eq!(error["kind"], "revision_mismatch", "{error}");
            Some(registers::Answer::Mismatch { revision: number(&error["revision"]) })
        }
    }
}

impl Pair {
    fn step(&mut self, line: &mut Line<'_>, random: &mut Random, values: [u64; 2]) -> Option<()> {
        let key = random.below(2);
        match random.below(8) {
            0 | 1 => self.get(line, key),
            2 => self.get_both(line),
            3 => self.set(line, key, values[0], None),
            4 | 5 => self.set(line, key, values[0], Some(self.believed[key])),
            6 => self.delete(line, key),
            _ => self.transact(line, values),
        }
    }

    fn key(&self, key: registers::Key) -> String {
        format!("{}/{key}", self.name)
    }

    fn get(&mut self, line: &mut Line<'_>, key: registers::Key) -> Option<()> {
        let params = json!({"key": self.key(key)});
        let reply = line.call(&mut self.history, "kv.get", params, |reply| {
            let entry = reply.as_ref().map(|reply| reply.as_ref().expect("a read"));
            registers::Operation::Get { key, seen: entry.map(seen) }
        })?;
        self.believed[key] = seen(&reply.ok()?).revision;
        Some(())
    }

    fn get_both(&mut self, line: &mut Line<'_>) -> Option<()> {
        let params = json!({"keys": [self.key(0), self.key(1)]});
        let both = |entries: &Value| [seen(&entries["entries"][0]), seen(&entries["entries"][1])];
        let reply = line.call(&mut self.history, "kv.get_many", params, |reply| {
            let entries = reply.as_ref().map(|reply| reply.as_ref().expect("a read"));
            registers::Operation::GetBoth { seen: entries.map(both) }
        })?;
        self.believed = both(&reply.ok()?).map(|seen| seen.revision);
        Some(())
    }

    fn set(
        &mut self,
        line: &mut Line<'_>,
        key: registers::Key,
        value: u64,
        if_revision: Option<u64>,
    ) -> Option<()> {
        let params = json!({"key": self.key(key), "value": value, "if_revision": if_revision});
        let reply = line.call(&mut self.history, "kv.set", params, |reply| registers::Operation::Set {
            key,
            value,
            if_revision,
            answer: answer(reply),
        });
        self.believe(key, &reply)
    }

    fn delete(&mut self, line: &mut Line<'_>, key: registers::Key) -> Option<()> {
        let if_revision = self.believed[key];
        let params = json!({"key": self.key(key), "if_revision": if_revision});
        let reply = line.call(&mut self.history, "kv.delete", params, |reply| registers::Operation::Delete {
            key,
            if_revision,
            answer: answer(reply),
        });
        self.believe(key, &reply)
    }

    fn believe(&mut self, key: registers::Key, reply: &Reply) -> Option<()> {
        let (registers::Answer::Made { revision } | registers::Answer::Mismatch { revision }) =
            answer(reply)?;
        self.believed[key] = revision;
        Some(())
    }

    fn transact(&mut self, line: &mut Line<'_>, values: [u64; 2]) -> Option<()> {
        let (if_revisions, keys) = (self.believed, [self.key(0), self.key(1)]);
        let each = |make: &dyn Fn(usize) -> Value| json!([make(0), make(1)]);
        let params = json!({
            "if": each(&|at| json!({"key": keys[at], "revision": if_revisions[at]})),
            "then": each(&|at| json!({"set": {"key": keys[at], "value": values[at]}})),
            "else": each(&|at| json!({"get": {"key": keys[at]}})),
        });
        let outcome = |reply: &Reply| {
            let done = reply.as_ref()?.as_ref().expect("no operation has a condition of its own");
            let results = [&done["results"][0], &done["results"][1]];
            Some(match done["succeeded"] == true {
                true => Outcome::Made { revisions: results.map(|result| number(&result["revision"])) },
                false => Outcome::Mismatch { seen: results.map(seen) },
            })
        };
        let reply = line.call(&mut self.history, "kv.txn", params, |reply| {
            registers::Operation::Transaction { if_revisions, values, answer: outcome(reply) }
        });
        self.believed = match outcome(&reply)? {
            Outcome::Made { revisions } => revisions,
            Outcome::Mismatch { seen } => seen.map(|seen| seen.revision),
        };
        Some(())
    }
}

/// The grant that a list of locks or conflicts shows; those who wait have no token.
fn grant(rows: &Value) -> Option<lock::Grant> {
    let row = rows.as_array().expect("rows").iter().find(|row| !row["token"].is_null())?;
    let agent = row["agent"].as_str().and_then(|agent| agent.strip_prefix("agent-")).expect("one of ours");
    Some(lock::Grant { agent: agent.parse().expect("a number"), token: number(&row["token"]) })
}

impl Lock {
    fn step(&mut self, line: &mut Line<'_>, random: &mut Random) -> Option<()> {
        match (random.below(8), self.believed) {
            (0, _) => self.look(line),
            (1, _) => self.release_name(line),
            (2..=6, Some(token)) => self.release(line, token),
            _ => self.acquire(line, *random.pick(&[0, WAIT_MS])),
        }
    }

    fn acquire(&mut self, line: &mut Line<'_>, wait_ms: u64) -> Option<()> {
        let params = json!({"keys": [self.name], "ttl_ms": HOUR_MS, "wait_ms": wait_ms});
        let answer = |reply: &Reply| {
            Some(match reply.as_ref()? {
                Ok(granted) if granted["extended"] == true => {
                    lock::Answer::Extended { token: number(&granted["token"]) }
                }
                Ok(granted) => lock::Answer::Granted { token: number(&granted["token"]) },
                Err(error) if error["kind"] == "lock_held" => {
                    lock::Answer::Refused { holder: grant(&error["conflicts"]).expect("a holder") }
                }
                Err(error) => {
                    assert!(error["kind"] == "timeout" || error["kind"] == "deadlock", "{error}");
                    lock::Answer::Busy
                }
            })
        };
        let agent = line.client;
        let reply = line.call(&mut self.history, "lock.acquire", params, |reply| {
            lock::Operation::Acquire { agent, answer: answer(reply) }
        })?;
        self.believed = reply.ok().map(|granted| number(&granted["token"]));
        Some(())
    }

    fn release(&mut self, line: &mut Line<'_>, token: u64) -> Option<()> {
        self.believed = None;
        let agent = line.client;
        line.call(&mut self.history, "lock.release", json!({"token": token}), |reply| {
            let released = reply.as_ref().map(|reply| match reply {
                Ok(_) => true,
                Err(error) => {
                    assert_eq!(error["kind"], "stale_token", "{error}");
                    false
                }
            });
            lock::Operation::Release { agent, token, released }
        })
        .map(drop)
    }

    fn release_name(&mut self, line: &mut Line<'_>) -> Option<()> {
        self.believed = None;
        let agent = line.client;
        line.call(&mut self.history, "lock.release", json!({"keys": [self.name]}), |reply| {
            let counted = reply.as_ref().map(|reply| reply.as_ref().expect("no error")["released"] == 1);
            lock::Operation::ReleaseName { agent, released: counted }
        })
        .map(drop)
    }

    fn look(&mut self, line: &mut Line<'_>) -> Option<()> {
        line.call(&mut self.history, "lock.list", json!({"prefix": self.name}), |reply| {
            let listed = reply.as_ref().map(|reply| grant(&reply.as_ref().expect("a read")["locks"]));
            lock::Operation::Look { holder: listed }
        })
        .map(drop)
    }
}
