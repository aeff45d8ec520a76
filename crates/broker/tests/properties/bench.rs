//! A board with its time, driven by JSON as a client would.

use callboard_broker::{
    Board, BoardConfig, ImageCursor, Monotonic, Now, OpenSession, Outcome, Outgoing, Record, SessionId,
};
use callboard_protocol::error::Error;
use callboard_protocol::id::RequestId;
use callboard_protocol::limits::Limits;
use callboard_protocol::methods::{BoardAnswer, Command, Method, session};
use callboard_protocol::names::AgentName;
use callboard_protocol::revision::Revision;
use serde_json::Value;

/// An event: for whom, under which subscription, and its members.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// For whom.
    pub session: SessionId,
    /// Its subscription.
    pub subscription: u64,
    /// The members from `kind` on.
    pub members: Value,
}

/// See the module.
#[derive(Debug)]
pub struct Bench {
    /// The board.
    pub board: Board,
    /// The moment, in milliseconds.
    pub now_ms: u64,
    sessions: u64,
    events: Vec<Event>,
    /// All change records so far, in order.
    pub records: Vec<Record>,
    /// Answers to requests that waited, by the request's id, since they were last asked for.
    pub replies: Vec<(i64, Result<Value, String>)>,
    /// Sessions that ended since they were last asked for.
    pub ended: Vec<SessionId>,
}

impl Bench {
    /// An empty board.
    pub fn new(limits: Limits) -> Self {
        let config = BoardConfig { limits, ..BoardConfig::default() };
        Self {
            board: Board::new(config, Revision(0)),
            now_ms: 0,
            sessions: 0,
            events: Vec::new(),
            records: Vec::new(),
            replies: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// The moment.
    pub fn now(&self) -> Now {
        Now { monotonic: Monotonic(self.now_ms * 1000), unix_ms: self.now_ms }
    }

    /// A board that another one's records bring back, at the same moment.
    pub fn restored(&self, records: Vec<Record>) -> Self {
        let mut board = Board::restoring(BoardConfig::default(), Revision(0));
        for record in records {
            board.restore(self.now(), record).unwrap();
        }
        board.finish_restore(self.now());
        board.take_effects();
        Self { board, now_ms: self.now_ms, sessions: self.sessions, ..Self::new(Limits::default()) }
    }

    /// What a snapshot taken now holds.
    pub fn image(&self) -> Vec<Record> {
        let mut cursor = ImageCursor::default();
        let mut records = Vec::new();
        while cursor != ImageCursor::End {
            records.extend(self.board.image_slice(self.now(), &mut cursor, 3));
        }
        records
    }

    /// Opens a session that can be resumed with [`Bench::resume`].
    pub fn open(&mut self, agent: Option<&str>) -> SessionId {
        self.sessions += 1;
        let id = SessionId(self.sessions);
        let open = OpenSession {
            id,
            resume_token: Some(id.to_string()),
            agent: agent.map(|name| AgentName::new(name).unwrap()),
            client: session::Program::default(),
        };
        self.board.open_session(self.now(), open).unwrap();
        self.collect();
        id
    }

    /// Takes a session over; whether it was there.
    pub fn resume(&mut self, id: SessionId) -> bool {
        let open = session::Open::default();
        let resumed = self.board.resume_session(self.now(), id, &id.to_string(), &open);
        self.collect();
        resumed.unwrap().is_some()
    }

    /// A call that need not wait: its result, or the kind of its error.
    pub fn call(&mut self, session: SessionId, method: &str, params: &Value) -> Result<Value, String> {
        let answer = self.start(session, 1, method, params);
        answer.unwrap_or_else(|| panic!("{method} neither answered nor refused"))
    }

    /// A call: its result, or the kind of its error; `None` when it waits.
    pub fn start(
        &mut self,
        session: SessionId,
        request: i64,
        method: &str,
        params: &Value,
    ) -> Option<Result<Value, String>> {
        let method = Method::from_name(method).unwrap();
        let params = params.to_string();
        let Command::BoardCommand(command) = Command::decode(method, Some(&params), usize::MAX).unwrap()
        else {
            panic!("{method:?} is no method of the board");
        };
        let request = RequestId::from(request);
        let outcome = self.board.apply(self.now(), session, Some(&request), command);
        self.collect();
        match outcome {
            Outcome::Done(result) => Some(written(result)),
            Outcome::Waiting => None,
            Outcome::Ignored => panic!("{method:?} was ignored"),
        }
    }

    /// Works off all that is due.
    pub fn fire_timer(&mut self) {
        while self.board.next_due().is_some_and(|due| due <= self.now().monotonic) {
            self.board.advance(self.now(), 3);
            self.collect();
        }
    }

    /// Lets time pass, each deadline at its instant.
    pub fn tick(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while let Some(due) = self.board.next_due().filter(|due| due.0 <= until * 1000) {
            self.now_ms = self.now_ms.max(due.0 / 1000);
            self.fire_timer();
        }
        self.now_ms = until;
    }

    /// Tells the board something, and takes what it wants done.
    pub fn tell(&mut self, what: impl FnOnce(&mut Board, Now)) {
        let now = self.now();
        what(&mut self.board, now);
        self.collect();
    }

    /// The events since the last time, in order.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn collect(&mut self) {
        let effects = self.board.take_effects();
        self.records.extend(effects.records);
        for output in effects.outputs {
            let session = output.session;
            match output.what {
                Outgoing::Push { subscription, body, .. } => self.events.push(Event {
                    session,
                    subscription,
                    members: serde_json::from_str(&format!("{{{}", body.as_str())).unwrap(),
                }),
                Outgoing::Ended => self.ended.push(session),
                Outgoing::MoreInitial => {}
                Outgoing::Reply { id, result, .. } => {
                    self.replies.push((id.as_i64().unwrap(), written(*result)));
                }
            }
        }
    }
}

fn written(result: Result<BoardAnswer, Error>) -> Result<Value, String> {
    let answer = result.map_err(|error| error.kind.name().to_owned())?;
    Ok(serde_json::from_str(&serde_json::to_string(&answer).unwrap()).unwrap())
}
