//! A client that writes to a daemon that will be killed: its session, its chance, and how it hears of the end.
//!
//! Invariant: a session that was opened is resumed after each kill, and every revision, token and id that is given out
//! while somebody works is higher than all that were acknowledged before it was asked for.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::harness::{Home, Progress, Random, Raw};

/// What a client does, and how it knows afterwards that nothing is missing.
pub trait Workload: Send {
    /// Does one thing; `None` when the daemon is gone.
    fn step(&mut self, round: &Round<'_>, session: &mut Session, random: &mut Random) -> Option<()>;

    /// Holds what is there against what was acknowledged; gives how many acknowledged writes were found.
    fn verify(&mut self, home: &Home, session: &mut Session) -> usize;

    /// Does so for everything since the first round, where a round looks at its own only.
    fn verify_all(&mut self, _session: &mut Session) {}
}

/// The session of one agent.
#[derive(Debug)]
pub struct Session {
    /// Whose it is.
    pub agent: String,
    /// Its connection.
    pub client: Raw,
    resume_token: Value,
}

impl Session {
    /// Opens a new one.
    pub fn open(home: &Home, agent: &str) -> Self {
        let (client, opened) = home.open(json!({"agent": agent}));
        Self { agent: agent.into(), client, resume_token: opened["resume_token"].clone() }
    }

    /// Goes on with the one of before the kill.
    fn resume(home: &Home, before: &Self) -> Self {
        let (client, opened) = home.open(json!({"agent": before.agent, "resume": before.resume_token}));
        assert_eq!(opened["resumed"], true, "a session that was acknowledged is there after the kill");
        Self { agent: before.agent.clone(), client, resume_token: opened["resume_token"].clone() }
    }

    /// Ends it with all leases that are bound to it, and opens the agent's next one.
    pub fn renew(&mut self, home: &Home) {
        self.client.call("session.close", json!({}));
        *self = Self::open(home, &self.agent);
    }
}

/// The highest revision that anybody was told, in all rounds.
#[derive(Debug, Default)]
pub struct Revisions(AtomicU64);

impl Revisions {
    fn highest(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Notes a revision that was given out after `floor` had been.
    #[track_caller]
    fn rise(&self, revision: u64, floor: u64) {
        assert!(revision > floor, "{revision} was given out, after {floor} had been");
        self.0.fetch_max(revision, Ordering::SeqCst);
    }
}

/// One round's work.
#[derive(Debug)]
pub struct Round<'a> {
    progress: &'a Progress,
    revisions: &'a Revisions,
}

impl<'a> Round<'a> {
    pub fn new(progress: &'a Progress, revisions: &'a Revisions) -> Self {
        Self { progress, revisions }
    }

    /// A request whose result is awaited; `None` when the daemon is gone.
    #[track_caller]
    pub fn ask(&self, session: &mut Session, method: &str, params: Value) -> Option<Value> {
        let result = self.try_ask(session, method, params)?;
        Some(result.unwrap_or_else(|error| panic!("{method}: {error}")))
    }

    /// As [`Self::ask`], for requests that may be refused.
    #[track_caller]
    pub fn try_ask(
        &self,
        session: &mut Session,
        method: &str,
        params: Value,
    ) -> Option<Result<Value, Value>> {
        let id = session.client.try_start(method, params)?;
        self.take(session, id)
    }

    /// The reply to a request that was sent.
    #[track_caller]
    pub fn take(&self, session: &mut Session, id: u64) -> Option<Result<Value, Value>> {
        let mut reply = session.client.try_reply(id)?;
        self.progress.count();
        Some(match reply.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(reply["result"].take()),
        })
    }

    /// A request whose result has a new revision (a token, an id) at `pointer`, or nothing there.
    #[track_caller]
    pub fn ask_for_new(
        &self,
        session: &mut Session,
        method: &str,
        params: Value,
        pointer: &str,
    ) -> Option<Value> {
        let floor = self.revisions.highest();
        let result = self.ask(session, method, params)?;
        if let Some(revision) = result.pointer(pointer).and_then(Value::as_u64) {
            self.revisions.rise(revision, floor);
        }
        Some(result)
    }

    /// The highest revision known, from before a request.
    pub fn floor(&self) -> u64 {
        self.revisions.highest()
    }

    /// Notes a revision that was asked for when `floor` was the highest.
    #[track_caller]
    pub fn rise(&self, revision: &Value, floor: u64) {
        self.revisions.rise(revision.as_u64().expect("a revision"), floor);
    }
}

/// A client through all rounds.
pub struct Worker {
    agent: String,
    workload: Box<dyn Workload>,
    random: Random,
    session: Option<Session>,
}

impl Worker {
    pub fn new(agent: String, workload: Box<dyn Workload>, random: Random) -> Self {
        Self { agent, workload, random, session: None }
    }

    /// Comes back after a kill and looks at what is there.
    pub fn verify(&mut self, home: &Home) -> usize {
        let session = match &self.session {
            Some(before) => Session::resume(home, before),
            None => Session::open(home, &self.agent),
        };
        self.workload.verify(home, self.session.insert(session))
    }

    /// Works until the daemon is gone.
    pub fn work(&mut self, round: Round<'_>) {
        let session = self.session.as_mut().expect("verified first, which opens it");
        while self.workload.step(&round, session, &mut self.random).is_some() {}
    }

    /// Looks once more at everything since the first round.
    pub fn verify_all(&mut self) {
        let session = self.session.as_mut().expect("verified first, which opens it");
        self.workload.verify_all(session);
    }
}
