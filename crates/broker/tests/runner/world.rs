//! The board under test with its time, its sessions by label, and what came out for each of them.
//!
//! Invariant: in timely mode every deadline is met at its own instant. The seq of each subscription has no hole, and
//! a request is answered once.

use std::collections::{BTreeMap, VecDeque};

use callboard_broker::{
    Board, BoardConfig, ImageCursor, Monotonic, Now, OpenSession, OpenedSession, Outcome, Outgoing, SessionId,
};
use callboard_protocol::error::Error;
use callboard_protocol::event::EventBody;
use callboard_protocol::id::RequestId;
use callboard_protocol::methods::{Command, Method, session};
use callboard_protocol::names::AgentName;
use callboard_protocol::revision::{MessageId, Revision};
use callboard_protocol::scan;
use serde::Serialize;
use serde_json::{Value, json};

use super::store::Store;

/// The wall clock at the start of each script, in Unix milliseconds.
const START_UNIX_MS: u64 = 1_700_000_000_000;
/// How many deadlines the timer works off at once.
const SLICE: usize = 8;

/// What a call gave at once.
#[derive(Debug)]
pub enum Answer {
    /// A result, or null for a command that has none.
    Result(Value),
    /// An error: its kind, its other data and its message.
    Error(Value, String),
    /// The request waits.
    Waiting,
    /// The notification was ignored.
    Ignored,
}

/// What came for a session.
#[derive(Debug)]
pub enum Seen {
    /// The answer to a request that waited.
    Reply(String, Answer),
    /// An event: all members of its params.
    Event(Value),
    /// Initial state is left.
    More,
    /// The session is over.
    Ended,
}

/// See the module.
#[derive(Debug)]
pub struct World {
    board: Board,
    config: BoardConfig,
    value_bytes: usize,
    monotonic_us: u64,
    wall_clock_ms: u64,
    labels: BTreeMap<String, SessionId>,
    label_of: BTreeMap<SessionId, String>,
    last_request: i64,
    waiting: BTreeMap<String, SessionId>,
    handed_over: BTreeMap<String, MessageId>,
    last_seq: BTreeMap<(SessionId, u64), u64>,
    /// What came for whom, oldest first.
    pub seen: BTreeMap<String, VecDeque<Seen>>,
    /// What a store would hold.
    pub store: Store,
    /// Whether ticking leaves deadlines alone.
    pub late: bool,
    /// Whether the script says when more initial state is sent.
    pub holds_initial: bool,
}

impl World {
    /// A board without anything on it.
    pub fn new(config: BoardConfig) -> Self {
        Self {
            value_bytes: config.limits.value_bytes,
            board: Board::new(config.clone(), Revision(0)),
            config,
            monotonic_us: 0,
            wall_clock_ms: START_UNIX_MS,
            labels: BTreeMap::new(),
            label_of: BTreeMap::new(),
            last_request: 0,
            waiting: BTreeMap::new(),
            handed_over: BTreeMap::new(),
            last_seq: BTreeMap::new(),
            seen: BTreeMap::new(),
            store: Store::default(),
            late: false,
            holds_initial: false,
        }
    }

    /// A new board with what an image of the old one brings back.
    pub fn restart(&mut self) {
        let now = self.now();
        let mut fresh = Board::restoring(self.config.clone(), self.board.revision());
        let mut cursor = ImageCursor::default();
        while cursor != ImageCursor::End {
            for record in self.board.image_slice(now, &mut cursor, SLICE) {
                fresh.restore(now, record).unwrap();
            }
        }
        fresh.finish_restore(now);
        self.board = fresh;
        self.waiting.clear();
        self.last_seq.clear();
        self.seen.clear();
    }

    /// The board, for what needs no translation.
    pub fn board(&mut self) -> &mut Board {
        &mut self.board
    }

    /// The moment.
    pub fn now(&self) -> Now {
        Now {
            monotonic: Monotonic(self.monotonic_us),
            unix_ms: self.wall_clock_ms + self.monotonic_us / 1000,
        }
    }

    /// Sets the wall clock alone.
    pub fn shift_wall_clock(&mut self, by_ms: i64) {
        self.wall_clock_ms = self.wall_clock_ms.checked_add_signed(by_ms).unwrap();
    }

    /// Lets time pass.
    pub fn tick(&mut self, ms: u64) {
        let until = self.monotonic_us + ms * 1000;
        while !self.late
            && let Some(due) = self.board.next_due().filter(|due| due.0 <= until)
        {
            self.monotonic_us = self.monotonic_us.max(due.0);
            self.fire_timer();
        }
        self.monotonic_us = until;
    }

    /// Works off what is due.
    pub fn fire_timer(&mut self) {
        while self.board.next_due().is_some_and(|due| due.0 <= self.monotonic_us) {
            self.board.advance(self.now(), SLICE);
            self.collect();
        }
    }

    /// The session under a label.
    pub fn session(&self, label: &str) -> Result<SessionId, String> {
        self.labels.get(label).copied().ok_or_else(|| format!("no session is called {label}"))
    }

    /// Opens a session; `raw` for a connection that never says `session.open`.
    pub fn open(&mut self, label: &str, agent: Option<&str>, raw: bool) -> Answer {
        let id = SessionId(self.label_of.len() as u64 + 1);
        self.labels.insert(label.to_owned(), id);
        self.label_of.insert(id, label.to_owned());
        let open = OpenSession {
            id,
            resume_token: (!raw).then(|| format!("resume-{label}")),
            agent: agent.map(agent_name),
            client: session::Program::default(),
        };
        let opened = self.board.open_session(self.now(), open);
        self.collect();
        answer(opened.as_ref().map(opened_json))
    }

    /// Takes a session over.
    pub fn resume(
        &mut self,
        label: &str,
        token: Option<&str>,
        agent: Option<&str>,
    ) -> Result<Answer, String> {
        let id = self.session(label)?;
        let own = format!("resume-{label}");
        let open = session::Open { agent: agent.map(agent_name), ..session::Open::default() };
        let resumed = self.board.resume_session(self.now(), id, token.unwrap_or(&own), &open);
        if self.board.waiting(id) == 0 {
            self.forget_withdrawn(id);
        }
        self.collect();
        Ok(answer(resumed.as_ref().map(|opened| opened.as_ref().map(opened_json))))
    }

    /// Sends a request, or with no `name` for it one with a fresh id.
    pub fn call(
        &mut self,
        label: &str,
        method: &str,
        params: &str,
        name: Option<&str>,
    ) -> Result<Answer, String> {
        let id = name.map_or_else(
            || {
                self.last_request += 1;
                self.last_request.to_string()
            },
            |name| Value::from(name).to_string(),
        );
        let request = RequestId::from_json(&id).unwrap();
        let answer = self.send(label, method, params, Some(&request))?;
        if matches!(answer, Answer::Waiting) {
            self.waiting.insert(request_name(&request), self.session(label)?);
        }
        Ok(answer)
    }

    /// Sends a request (or a notification) without keeping count of it.
    pub fn send(
        &mut self,
        label: &str,
        method: &str,
        params: &str,
        request: Option<&RequestId>,
    ) -> Result<Answer, String> {
        let session = self.session(label)?;
        let method = Method::from_name(method).ok_or_else(|| format!("no method is called {method}"))?;
        scan::grammar(params)
            .map_err(|offence| format!("these params are no JSON: {offence:?}: {params}"))?;
        let command = match Command::decode(method, Some(params), self.value_bytes) {
            Ok(Command::BoardCommand(command)) => command,
            Ok(Command::HostCommand(_)) => return Err("the board does not answer this method".to_owned()),
            Err(error) => return Ok(answer::<()>(Err(&error))),
        };
        let outcome = self.board.apply(self.now(), session, request, command);
        self.collect();
        Ok(match outcome {
            Outcome::Done(result) => answer(result.as_ref()),
            Outcome::Waiting => Answer::Waiting,
            Outcome::Ignored => Answer::Ignored,
        })
    }

    /// The requests that wait.
    pub fn waiting(&self) -> Vec<&str> {
        self.waiting.keys().map(String::as_str).collect()
    }

    /// The connection of a session is gone: its waiting requests get no answer.
    pub fn forget_withdrawn(&mut self, id: SessionId) {
        self.waiting.retain(|_, session| *session != id);
    }

    /// Whether exactly those requests wait on the board that were not answered.
    pub fn check_waiting(&self) -> Result<(), String> {
        for (id, label) in &self.label_of {
            let unanswered = self.waiting.values().filter(|session| *session == id).count();
            let waiting = self.board.waiting(*id);
            if waiting != unanswered {
                return Err(format!("{label}: {waiting} requests wait, {unanswered} were not answered"));
            }
        }
        Ok(())
    }

    /// A reply that handed a message over was lost on the way.
    pub fn lose_reply(&mut self, name: &str) -> Result<(), String> {
        let message = self.handed_over.remove(name);
        let message = message.ok_or_else(|| format!("{name} handed nothing over"))?;
        self.board.reply_unwritten(self.now(), message);
        self.collect();
        Ok(())
    }

    /// Takes what the board wants done.
    pub fn collect(&mut self) {
        loop {
            let effects = self.board.take_effects();
            if effects.is_empty() {
                return;
            }
            for record in &effects.records {
                self.store.apply(record);
            }
            for output in effects.outputs {
                self.see(output.session, output.what);
            }
        }
    }

    fn see(&mut self, session: SessionId, what: Outgoing) {
        let label = self.label_of[&session].clone();
        let seen = match what {
            Outgoing::Reply { id, result, reply_message } => {
                let name = request_name(&id);
                assert!(
                    self.waiting.remove(&name).is_some(),
                    "{label}: {name} did not wait, but was answered: {result:?}"
                );
                if let Some(message) = reply_message {
                    self.handed_over.insert(name.clone(), message);
                }
                Seen::Reply(name, answer(result.as_ref().as_ref()))
            }
            Outgoing::Push { subscription, seq, body, .. } => {
                let last = self.last_seq.insert((session, subscription), seq).unwrap_or(0);
                assert_eq!(seq, last + 1, "{label}: a hole in subscription {subscription}");
                Seen::Event(event_json(subscription, seq, &body))
            }
            Outgoing::MoreInitial if self.holds_initial => Seen::More,
            Outgoing::MoreInitial => {
                self.board.continue_initial(self.now(), session);
                return;
            }
            Outgoing::Ended => Seen::Ended,
        };
        self.seen.entry(label).or_default().push_back(seen);
    }
}

fn request_name(id: &RequestId) -> String {
    let text = serde_json::to_string(id).unwrap();
    text.trim_matches('"').to_owned()
}

fn agent_name(name: &str) -> AgentName {
    AgentName::new(name).unwrap()
}

fn opened_json(opened: &OpenedSession) -> Value {
    json!({"agent": opened.agent, "sessions": opened.sessions})
}

fn event_json(subscription: u64, seq: u64, body: &EventBody) -> Value {
    let text = format!(r#"{{"subscription":{subscription},"seq":{seq},{}"#, body.as_str());
    serde_json::from_str(&text).unwrap()
}

fn written(value: &impl Serialize) -> Value {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

fn answer<T: Serialize>(result: Result<T, &Error>) -> Answer {
    match result {
        Ok(result) => Answer::Result(written(&result)),
        Err(error) => Answer::Error(written(error)["data"].clone(), error.message.to_string()),
    }
}
