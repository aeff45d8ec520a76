//! The clients: agents with their sessions and connections, and what they ask for.
//!
//! A new area gets a function of its own here, a line in [`any_command`], and its judgement in `model`.

mod coordination;
mod tasks;

use callboard_broker::{Now, SessionId};
use callboard_protocol::methods::BoardCommand;
use callboard_protocol::{AgentName, Namespace, Params};
use serde_json::{Value, json};

use super::model::{Presence, State};
use super::random::Random;

const AGENTS: usize = 4;
const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const LOCKS: [&str; 5] = ["v", "w", "x", "y", "z"];

/// A client with its session.
#[derive(Debug, Clone)]
pub struct Client {
    pub namespace: Namespace,
    pub agent: AgentName,
    pub session: Option<SessionId>,
    pub is_connected: bool,
}

impl Client {
    /// What takes its session over.
    pub fn resume_token(session: SessionId) -> String {
        format!("resume-{session}")
    }

    /// All clients of a run: two namespaces, each agent with two sessions.
    pub fn all() -> Vec<Self> {
        let places =
            ["one", "two"].into_iter().flat_map(|name| (0..AGENTS * 2).map(move |number| (name, number)));
        places
            .map(|(name, number)| Self {
                namespace: Namespace::new(name).unwrap(),
                agent: agent(number % AGENTS),
                session: None,
                is_connected: false,
            })
            .collect()
    }
}

fn agent(number: usize) -> AgentName {
    AgentName::new(&format!("agent-{number}")).unwrap()
}

fn params<T: Params>(json: &Value) -> T {
    serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// Some command of a client; none when what it would touch is not known well enough to judge the answer.
pub fn any_command(random: &mut Random, now: Now, client: &Client, state: &State) -> Option<BoardCommand> {
    match random.below(100) {
        0..28 => key_command(random, now, state),
        28..44 => Some(lock_command(random, now, client, state)),
        44..64 => Some(message_command(random, client, state)),
        64..91 => Some(tasks::task_command(random, client, state)),
        91..95 => Some(coordination::vote_command(random, state)),
        _ => Some(coordination::limiter_command(random)),
    }
}

fn value(random: &mut Random) -> Value {
    let number = random.below(1000);
    if random.chance(700) { json!(number) } else { json!("x".repeat(number % 40)) }
}

fn with_ttl(random: &mut Random, json: Value, per_thousand: usize) -> Value {
    let ttl_ms = random.ms(60_000);
    with_some(random, json, per_thousand, "ttl_ms", json!(ttl_ms))
}

/// Adds a member, in so many of a thousand cases.
fn with_some(random: &mut Random, mut json: Value, per_thousand: usize, member: &str, value: Value) -> Value {
    if random.chance(per_thousand) {
        json[member] = value;
    }
    json
}

fn set(random: &mut Random, now: Now, state: &State) -> Value {
    let key = *random.pick(&KEYS);
    let mut json = json!({"key": key, "value": value(random)});
    match random.below(10) {
        0 => json["if_absent"] = json!(true),
        1 | 2 => json["if_revision"] = json!(state.revision(now, key)),
        3 => json["if_revision"] = json!(7),
        4 => json["keep_ttl"] = json!(true),
        _ => return with_ttl(random, json, 300),
    }
    json
}

fn key_command(random: &mut Random, now: Now, state: &State) -> Option<BoardCommand> {
    let key = *random.pick(&KEYS);
    let command = match random.below(12) {
        0..5 => BoardCommand::KvSet(params(&set(random, now, state))),
        5 => BoardCommand::KvGet(params(&json!({"key": key}))),
        6 => BoardCommand::KvDelete(params(&json!({"key": key}))),
        7 => BoardCommand::KvDelete(params(&json!({"key": key, "if_revision": state.revision(now, key)}))),
        8 => {
            let json = json!({"key": key, "by": 1 + random.below(9)});
            BoardCommand::KvIncrement(params(&with_ttl(random, json, 300)))
        }
        9 => {
            let ttl_ms = if random.chance(500) { json!(random.ms(60_000)) } else { Value::Null };
            BoardCommand::KvExpire(params(&json!({"key": key, "ttl_ms": ttl_ms})))
        }
        _ => BoardCommand::KvTxn(params(&txn(random, now, state))),
    };
    let text = serde_json::to_value(keys_of(&command)).unwrap();
    let touched = text.as_array().unwrap().iter().filter_map(Value::as_str);
    let mut touched = touched.filter(|key| state.presence(now, key) == Presence::Unsure);
    match touched.next() {
        Some(key) => Some(BoardCommand::KvGet(params(&json!({"key": key})))),
        None => Some(command),
    }
}

fn txn(random: &mut Random, now: Now, state: &State) -> Value {
    let condition = *random.pick(&KEYS);
    let revision = if random.chance(800) { state.revision(now, condition) } else { 7 };
    let mut operations = Vec::new();
    for _ in 0..1 + random.below(5) {
        operations.push(match random.below(4) {
            0 => json!({"delete": {"key": *random.pick(&KEYS)}}),
            1 => json!({"get": {"key": *random.pick(&KEYS)}}),
            _ => {
                let json = json!({"key": *random.pick(&KEYS), "value": 1});
                json!({"set": with_ttl(random, json, 200)})
            }
        });
    }
    let otherwise = json!([{"set": {"key": *random.pick(&KEYS), "value": "else"}}]);
    json!({"if": [{"key": condition, "revision": revision}], "then": operations, "else": otherwise})
}

fn keys_of(command: &BoardCommand) -> Vec<String> {
    match command {
        BoardCommand::KvSet(set) => vec![set.key.to_string()],
        BoardCommand::KvGet(_) => Vec::new(),
        BoardCommand::KvDelete(delete) => vec![delete.key.to_string()],
        BoardCommand::KvIncrement(increment) => vec![increment.key.to_string()],
        BoardCommand::KvExpire(expire) => vec![expire.key.to_string()],
        _other => KEYS.iter().map(|key| (*key).to_owned()).collect(),
    }
}

fn lock_command(random: &mut Random, now: Now, client: &Client, state: &State) -> BoardCommand {
    let live = state.live_locks(now);
    if !live.is_empty() && random.chance(550) {
        let own: Vec<u64> =
            live.iter().filter(|(_, holder)| *holder == client.agent).map(|(token, _)| *token).collect();
        let token = if own.is_empty() { random.pick(&live).0 } else { *random.pick(&own) };
        return match random.below(3) {
            0 => BoardCommand::LockExtend(params(&json!({"token": token, "ttl_ms": random.ms(60_000)}))),
            _ => BoardCommand::LockRelease(params(&json!({"token": token}))),
        };
    }
    let mut names: Vec<&str> = (0..=random.below(2)).map(|_| *random.pick(&LOCKS)).collect();
    names.dedup();
    let mut json = json!({"keys": names, "ttl_ms": random.ms(100_000)});
    if random.chance(300) {
        json["mode"] = json!("shared");
    }
    if random.chance(600) {
        json["wait_ms"] = json!(random.ms(60_000));
    }
    if random.chance(300) {
        json["bind"] = json!("session");
    }
    BoardCommand::LockAcquire(params(&json))
}

fn message_command(random: &mut Random, client: &Client, state: &State) -> BoardCommand {
    let receipts = state.receipts(&client.agent);
    let received = state.received(&client.agent);
    match random.below(20) {
        0..6 => BoardCommand::MessageSend(params(&message(random))),
        6..11 => {
            let mut json = json!({"max": 1 + random.below(3), "lease_ms": random.ms(100_000)});
            if random.chance(400) {
                json["wait_ms"] = json!(random.ms(30_000));
            }
            if random.chance(500) {
                json["bind"] = json!("agent");
            }
            BoardCommand::MessageReceive(params(&json))
        }
        11 => BoardCommand::MessageSubscribe(params(&json!({"credit": 2, "lease_ms": random.ms(60_000)}))),
        12 => BoardCommand::MessageRequest(params(
            &json!({"to": to(random), "payload": 1, "timeout_ms": random.ms(30_000)}),
        )),
        13 if !received.is_empty() => {
            BoardCommand::MessageReply(params(&json!({"to_message": *random.pick(&received), "payload": 2})))
        }
        14 if !receipts.is_empty() => {
            let json = json!({"receipt": random.pick(&receipts), "delay_ms": random.below(2) * 5000});
            BoardCommand::MessageNack(params(&json))
        }
        _ => BoardCommand::MessageAck(params(
            &json!({"receipts": receipts.iter().take(1 + random.below(3)).collect::<Vec<_>>()}),
        )),
    }
}

fn to(random: &mut Random) -> String {
    agent(random.below(AGENTS)).to_string()
}

fn message(random: &mut Random) -> Value {
    let mut json = json!({"to": to(random), "payload": value(random)});
    if random.chance(200) {
        json["to"] = json!([to(random), to(random), "nobody"]);
    }
    match random.below(8) {
        0 => json["delay_ms"] = json!(random.below(10_000)),
        1 => json["priority"] = json!("high"),
        2 => json["dedupe_key"] = json!(format!("key-{}", random.below(3))),
        3 => json["ttl_ms"] = json!(random.ms(100_000)),
        _ => {}
    }
    json
}
