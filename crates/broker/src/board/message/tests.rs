//! A board in virtual time, spoken to in the words of the wire, and what messages do on it.

mod model;
mod properties;
mod requests;
mod restart;
mod sending;
mod subscribing;
mod taking;

use std::collections::BTreeMap;

use callboard_protocol::id::RequestId;
use callboard_protocol::methods::session::{Open, Program};
use callboard_protocol::methods::{Command, Method};
use callboard_protocol::names::AgentName;
use callboard_protocol::revision::Revision;
use serde_json::{Value, json};

use crate::board::{Board, BoardConfig, OpenSession, Outcome};
use crate::effects::{Outgoing, Output};
use crate::now::{Monotonic, Now};
use crate::record::Record;
use crate::session::SessionId;

const START_UNIX_MS: u64 = 1_700_000_000_000;

/// A board, its clock, and all that came out of it.
pub(super) struct Scene {
    pub board: Board,
    pub now: Now,
    pub records: Vec<Record>,
    /// What a session was sent and has not read yet.
    sent: BTreeMap<SessionId, Vec<Value>>,
    /// The messages that the last replies to waiting requests handed over.
    pub handed: Vec<Revision>,
    /// What the wall clock shows more than the other.
    wall_ahead_ms: u64,
    last: u64,
}

pub(super) fn name(text: &str) -> AgentName {
    AgentName::new(text).unwrap()
}

impl Scene {
    pub fn new() -> Self {
        Self::with(BoardConfig::default())
    }

    pub fn with(config: BoardConfig) -> Self {
        Self {
            board: Board::new(config, Revision(0)),
            now: Now { monotonic: Monotonic(0), unix_ms: START_UNIX_MS },
            records: Vec::new(),
            sent: BTreeMap::new(),
            handed: Vec::new(),
            wall_ahead_ms: START_UNIX_MS,
            last: 0,
        }
    }

    /// A new session of an agent; its resume token is its number.
    pub fn join(&mut self, agent: &str) -> SessionId {
        self.last += 1;
        let id = SessionId(self.last);
        let open = OpenSession {
            id,
            resume_token: Some(self.last.to_string()),
            agent: Some(name(agent)),
            client: Program::default(),
        };
        self.board.open_session(self.now, open).unwrap();
        self.collect();
        id
    }

    /// As [`Scene::join`], with a role.
    pub fn join_as(&mut self, agent: &str, role: &str) -> SessionId {
        let session = self.join(agent);
        self.call(session, "agent.register", json!({ "role": role }));
        session
    }

    pub fn resume(&mut self, session: SessionId) {
        let token = session.0.to_string();
        let resumed = self.board.resume_session(self.now, session, &token, &Open::default());
        assert!(resumed.unwrap().is_some());
        self.collect();
    }

    /// The result; `{"kind":..}` and the error's other details; or `"waiting"`.
    pub fn call(&mut self, session: SessionId, method: &str, params: Value) -> Value {
        self.last += 1;
        let request = RequestId::from(i64::try_from(self.last).unwrap());
        let method = Method::from_name(method).unwrap();
        let command = match Command::decode(method, Some(&params.to_string()), 1 << 20).unwrap() {
            Command::BoardCommand(command) => command,
            Command::HostCommand(_) => panic!("{method:?} is not the board's"),
        };
        let outcome = self.board.apply(self.now, session, Some(&request), command);
        self.collect();
        match outcome {
            Outcome::Done(result) => in_words(result.map(|answer| serde_json::to_value(answer).unwrap())),
            Outcome::Waiting => json!("waiting"),
            Outcome::Ignored => json!("ignored"),
        }
    }

    /// Sends a message; gives its id.
    pub fn send(&mut self, session: SessionId, params: Value) -> u64 {
        let sent = self.call(session, "message.send", params);
        sent["id"].as_u64().unwrap_or_else(|| panic!("{sent}"))
    }

    /// Receives all that is ready.
    pub fn receive(&mut self, session: SessionId) -> Vec<Value> {
        let received = self.call(session, "message.receive", json!({ "max": 1000 }));
        received["messages"].as_array().unwrap().clone()
    }

    /// Receives exactly one message; gives its receipt.
    pub fn take(&mut self, session: SessionId) -> String {
        let received = self.call(session, "message.receive", json!({}));
        let receipt = received["messages"][0]["receipt"].as_str();
        receipt.unwrap_or_else(|| panic!("{received}")).to_owned()
    }

    pub fn ack(&mut self, session: SessionId, receipt: &str) -> Value {
        self.call(session, "message.ack", json!({ "receipts": [receipt] }))
    }

    /// The first recipient's state.
    pub fn state(&mut self, session: SessionId, id: u64) -> String {
        let status = self.call(session, "message.status", json!({ "id": id }));
        let state = status["recipients"][0]["state"].as_str().or(status["kind"].as_str());
        state.unwrap_or_else(|| panic!("{status}")).to_owned()
    }

    /// Lets time pass, each deadline at its moment.
    pub fn tick(&mut self, ms: u64) {
        let end = self.now.monotonic.plus_ms(ms);
        while let Some(due) = self.board.next_due().filter(|due| *due <= end) {
            self.set_time(due.max(self.now.monotonic));
            self.board.advance(self.now, 1);
            self.collect();
        }
        self.set_time(end);
    }

    /// Lets time pass without any deadline being worked off.
    pub fn lag(&mut self, ms: u64) {
        self.set_time(self.now.monotonic.plus_ms(ms));
    }

    fn set_time(&mut self, monotonic: Monotonic) {
        self.now = Now { monotonic, unix_ms: self.wall_ahead_ms + monotonic.0 / 1000 };
    }

    /// A new board made of `records`, `down_ms` after this one went down, with a session of alice's and one of bob's:
    /// the same as before (sessions 1 and 2 must have been theirs), or new ones.
    pub fn restart(&mut self, records: Vec<Record>, down_ms: u64, resumed: bool) -> (SessionId, SessionId) {
        self.board = Board::new(self.board.config.clone(), self.board.revision());
        self.wall_ahead_ms += down_ms;
        self.set_time(self.now.monotonic);
        self.last = if resumed { 0 } else { 1000 };
        let sessions = (self.join("alice"), self.join("bob"));
        for record in records {
            match record {
                Record::Message(message) => self.board.restore_message(*message),
                Record::MessageEnded(id) => self.board.restore_message_ended(id),
                Record::Delivery(delivery) => self.board.restore_delivery(delivery),
                Record::Revision(_)
                | Record::Key(_)
                | Record::KeyEnded(_)
                | Record::Lock(_)
                | Record::LockEnded(_)
                | Record::Agent(_)
                | Record::AgentEnded(_)
                | Record::Session(_)
                | Record::SessionEnded(_)
                | Record::Leaving(_)
                | Record::LeavingEnded(_)
                | Record::Task(_)
                | Record::TaskState(_)
                | Record::TaskEnded(_)
                | Record::Vote(_)
                | Record::Ballot(_)
                | Record::VoteEnded(_)
                | Record::Limiter(_)
                | Record::LimiterEnded(_) => {}
            }
        }
        self.board.finish_restore_messages(self.now);
        self.collect();
        sessions
    }

    /// What an image of the messages would be.
    pub fn image(&self) -> Vec<Record> {
        let ids = self.board.inboxes.iter_after(Revision(0)).map(|(id, _)| id);
        ids.flat_map(|id| self.board.records_of_message(self.now, id)).collect()
    }

    /// Gathers what came out of the board.
    pub fn collect(&mut self) {
        let effects = self.board.take_effects();
        self.records.extend(effects.records);
        for Output { session, what } in effects.outputs {
            let words = match what {
                Outgoing::Reply { result, reply_message, .. } => {
                    self.handed.extend(reply_message);
                    in_words(result.map(|answer| serde_json::to_value(answer).unwrap()))
                }
                Outgoing::Push { seq, body, .. } => {
                    let text = format!("{{\"seq\":{seq},{}", body.as_str());
                    serde_json::from_str(&text).unwrap()
                }
                Outgoing::MoreInitial | Outgoing::Ended => continue,
            };
            self.sent.entry(session).or_default().push(words);
        }
    }

    /// What a session was sent since it was last asked: replies to waiting requests, and events.
    pub fn read(&mut self, session: SessionId) -> Vec<Value> {
        self.sent.remove(&session).unwrap_or_default()
    }
}

fn in_words(result: Result<Value, callboard_protocol::error::Error>) -> Value {
    result.unwrap_or_else(|error| serde_json::to_value(error).unwrap()["data"].clone())
}

/// One member of each message.
pub(super) fn each(messages: &[Value], member: &str) -> Vec<u64> {
    messages.iter().map(|message| message[member].as_u64().unwrap()).collect()
}
