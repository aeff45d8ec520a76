//! One run: a daemon, its clients, its disk, and what is known of all three.
//!
//! Invariant: everything in it follows from the seed and the mode. It is never locked while a sync or a walk is under
//! way: these let other steps come in between.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use callboard_broker::{OpenSession, Outcome, Outgoing, Output, SessionId};
use callboard_protocol::methods::message::Message;
use callboard_protocol::methods::{BoardAnswer, session};
use callboard_protocol::{Error, Namespace, RequestId};

use super::clients::{Client, any_command};
use super::daemon::{Daemon, Out, Settled};
use super::history::History;
use super::model::{Asked, Model};
use super::random::Random;
use super::time::Time;
use crate::changes::is_change;
use crate::config::Durability;
use crate::files::simulated::SimulatedVolume;

/// What was met, for people who want to know whether a run is worth anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub steps: u64,
    pub commands: u64,
    pub refused: u64,
    pub acknowledged: u64,
    pub lost: u64,
    pub failures: u64,
    pub walks: u64,
    pub crashes: u64,
    pub power_cuts: u64,
    pub stops: u64,
}

impl Tally {
    /// Counts another run.
    pub fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.commands += other.commands;
        self.refused += other.refused;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.failures += other.failures;
        self.walks += other.walks;
        self.crashes += other.crashes;
        self.power_cuts += other.power_cuts;
        self.stops += other.stops;
    }
}

/// See the module.
#[derive(Debug)]
pub struct World {
    pub mode: Durability,
    pub random: Random,
    pub time: Time,
    pub volume: SimulatedVolume,
    pub daemon: Daemon,
    pub history: History,
    pub model: Model,
    pub clients: Vec<Client>,
    /// Up to which change everything that was told survives a crash of the process.
    pub told: usize,
    /// Up to which change everything survives a power cut.
    pub durable: usize,
    /// The changes there were at each snapshot that may be the newest, in `snapshot` mode.
    pub saved: Vec<usize>,
    pub is_walking: bool,
    /// Whether each step is printed.
    pub is_traced: bool,
    /// When the daemon last started, in Unix milliseconds.
    pub started_at: u64,
    pub tally: Tally,
    /// The last revision of each board.
    pub revisions: BTreeMap<Namespace, u64>,
    asked: BTreeMap<i64, Asked>,
    outs: VecDeque<Out>,
    last_request: i64,
}

/// The run, for steps that let others come in between.
pub type Shared = Arc<Mutex<World>>;

/// The run, for a moment.
pub fn locked(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap()
}

impl World {
    /// A run that has not begun.
    pub fn new(seed: u64, mode: Durability) -> Self {
        Self {
            mode,
            random: Random::new(seed),
            time: Time::new(),
            volume: SimulatedVolume::default(),
            daemon: Daemon::in_memory(),
            history: History::default(),
            model: Model::default(),
            clients: Client::all(),
            told: 0,
            durable: 0,
            saved: vec![0],
            is_walking: false,
            is_traced: false,
            started_at: 0,
            tally: Tally::default(),
            revisions: BTreeMap::new(),
            asked: BTreeMap::new(),
            outs: VecDeque::new(),
            last_request: 0,
        }
    }

    /// Prints what happens, when a seed is replayed.
    pub fn trace(&self, what: &str) {
        if self.is_traced {
            let keeper = &self.daemon.keeper;
            let positions = keeper.journal().map(crate::store::Journal::positions);
            let (step, len, told, durable) = (self.tally.steps, self.history.len(), self.told, self.durable);
            let is_failed = keeper.is_failed();
            eprintln!(
                "{step:5} {what}: changes {len}, told {told}, durable {durable}, {positions:?}, failed {is_failed}"
            );
        }
    }

    /// Nothing of before leaves any more, and nobody is connected.
    pub fn forget_process(&mut self) {
        self.asked.clear();
        self.outs.clear();
        for client in &mut self.clients {
            client.is_connected = false;
        }
    }

    /// Somebody does something.
    pub fn command(&mut self) {
        let number = self.random.below(self.clients.len());
        self.connect(number);
        let client = self.clients[number].clone();
        let Some(session) = client.session.filter(|_| client.is_connected) else { return };
        let now = self.time.now();
        let state = self.model.board(&client.namespace);
        let Some(command) = any_command(&mut self.random, now, &client, state) else { return };
        self.last_request += 1;
        let (request, id) = (RequestId::from(self.last_request), self.last_request);
        self.daemon.prepare(&client.namespace);
        self.tally.commands += 1;
        if is_change(&command) && self.daemon.check_storage(&client.namespace).is_err() {
            self.tally.refused += 1;
            return;
        }
        let is_change = is_change(&command);
        let board = &mut self.daemon.seats.get_mut(&client.namespace).unwrap().board;
        let outcome = board.apply(now, session, Some(&request), command.clone());
        let settled = self.settle(&client.namespace);
        let asked = Asked { namespace: client.namespace, session, agent: client.agent, command };
        match outcome {
            Outcome::Done(result) => {
                let out = if is_change { settled.out } else { settled.out.looking() };
                if is_held_already(&result) {
                    self.put_out(&asked.namespace, settled);
                    self.told_of(&asked, id, &result);
                    self.outs.push_back(out);
                } else {
                    self.told_of(&asked, id, &result);
                    self.outs.push_back(out);
                    self.put_out(&asked.namespace, settled);
                }
                self.model.shown(now, &asked, id, &result);
            }
            Outcome::Waiting => {
                self.model.waits(now, &asked, id);
                self.asked.insert(id, asked.clone());
                self.put_out(&asked.namespace, settled);
            }
            Outcome::Ignored => panic!("ignored: {asked:?}"),
        }
        self.check_waits(&asked.namespace);
    }

    fn check_waits(&mut self, namespace: &Namespace) {
        let now = self.time.now();
        let next_due = self.daemon.seats[namespace].board.next_due();
        if next_due.is_none_or(|due| due > now.monotonic) {
            self.model.check_waits(now, namespace);
        }
    }

    fn told_of(&mut self, asked: &Asked, id: i64, result: &Result<BoardAnswer, Error>) {
        let now = self.time.now();
        if self.is_traced {
            self.trace(&format!("{} {}: {:?}: {result:?}", asked.agent, asked.session, asked.command));
        }
        self.model.answered(now, asked, id, result);
    }

    fn settle(&mut self, namespace: &Namespace) -> Settled {
        let settled = self.daemon.settle(namespace, &mut self.history);
        self.model.changes = self.history.len();
        // Before the call's answer is judged: a session whose grace is over may end within it.
        let ended = settled.outputs.iter().filter(|(output, _)| matches!(output.what, Outgoing::Ended));
        ended.for_each(|(output, _)| self.model.session_ends(namespace, output.session, None));
        let revision = self.daemon.seats[namespace].board.revision().0;
        let last = self.revisions.insert(namespace.clone(), revision);
        assert!(last.is_none_or(|last| last <= revision), "revisions went back from {last:?} to {revision}");
        settled
    }

    fn put_out(&mut self, namespace: &Namespace, settled: Settled) {
        for (output, out) in settled.outputs {
            let is_reply = matches!(output.what, Outgoing::Reply { .. });
            self.put_out_one(namespace, output);
            self.outs.push_back(if is_reply { out } else { out.looking() });
        }
    }

    fn put_out_one(&mut self, namespace: &Namespace, output: Output) {
        let Output { session, what } = output;
        match what {
            Outgoing::Reply { id, result, .. } => {
                let id = id.as_i64().unwrap();
                let asked =
                    self.asked.remove(&id).unwrap_or_else(|| panic!("{id} is answered, and nobody asked"));
                self.told_of(&asked, id, &result);
            }
            Outgoing::Push { body, .. } => self.pushed(namespace, session, body.as_str()),
            Outgoing::Ended => {
                for client in self.clients.iter_mut().filter(|client| client.session == Some(session)) {
                    (client.session, client.is_connected) = (None, false);
                }
            }
            Outgoing::MoreInitial => {}
        }
    }

    fn pushed(&mut self, namespace: &Namespace, session: SessionId, body: &str) {
        let Some(members) = body.strip_prefix("\"kind\":\"message\",") else { return };
        let now = self.time.now();
        let message: Message = serde_json::from_str(&format!("{{{members}")).unwrap();
        if self.is_traced {
            self.trace(&format!("pushed to {session}: {message:?}"));
        }
        let client = self.clients.iter().find(|client| client.session == Some(session));
        let agent = client.map(|client| client.agent.clone()).unwrap();
        let lease_ms = message.lease_expires_at.unwrap() - now.unix_ms;
        self.model.delivered(now, namespace, (&agent, Some(session)), lease_ms, &message);
    }

    /// Makes sure that a client has a session and a connection, if the board lets it.
    fn connect(&mut self, number: usize) {
        let Client { namespace, agent, session, is_connected } = self.clients[number].clone();
        if is_connected {
            return;
        }
        self.daemon.prepare(&namespace);
        if !self.daemon.may_advance(&namespace) {
            return;
        }
        let now = self.time.now();
        let board = &mut self.daemon.seats.get_mut(&namespace).unwrap().board;
        let resumed = session.and_then(|id| {
            let token = Client::resume_token(id);
            board.resume_session(now, id, &token, &session::Open::default()).unwrap().map(|_| id)
        });
        let id = resumed.unwrap_or_else(|| {
            let id = SessionId(self.random.next());
            let resume_token = Some(Client::resume_token(id));
            let client = session::Program::default();
            board.open_session(now, OpenSession { id, resume_token, agent: Some(agent), client }).unwrap();
            id
        });
        (self.clients[number].session, self.clients[number].is_connected) = (Some(id), true);
        let settled = self.settle(&namespace);
        self.outs.push_back(settled.out.looking());
        // The end of a session that could not be resumed must not take the new one.
        self.put_out(&namespace, settled);
    }

    /// A connection is lost, or a session closed.
    pub fn disconnect(&mut self) {
        let number = self.random.below(self.clients.len());
        let Client { namespace, agent, session, is_connected } = self.clients[number].clone();
        let Some(id) = session.filter(|_| is_connected && self.daemon.may_advance(&namespace)) else {
            return;
        };
        let now = self.time.now();
        let board = &mut self.daemon.seats.get_mut(&namespace).unwrap().board;
        self.clients[number].is_connected = false;
        let is_lost = self.random.chance(700);
        let leave = !is_lost && self.random.chance(200);
        if is_lost {
            board.lose_connection(now, id);
        } else {
            board.close_session(now, id, leave);
        }
        let leaving = leave.then_some(&agent);
        self.model.session_ends(&namespace, id, leaving);
        self.asked.retain(|_, asked| asked.session != id);
        let settled = self.settle(&namespace);
        self.put_out(&namespace, settled);
        // What another session of the agent was handed on the way is over too.
        self.model.session_ends(&namespace, id, leaving);
    }

    /// Time passes, and the timers do some of their work.
    pub fn tick(&mut self) {
        let us = match self.random.below(10) {
            0..5 => self.random.ms(10_000) * 10,
            5..9 => self.random.ms(5_000) * 1000,
            _ => self.random.ms(120_000) * 1000,
        };
        self.time.pass_us(us);
        let now = self.time.now();
        let boards: Vec<Namespace> = self.daemon.seats.keys().cloned().collect();
        for namespace in boards {
            self.daemon.prepare(&namespace);
            let mut budget = if self.random.chance(800) { 1000 } else { self.random.below(3) };
            while budget > 0 && self.daemon.may_advance(&namespace) {
                let board = &mut self.daemon.seats.get_mut(&namespace).unwrap().board;
                if board.next_due().is_none_or(|due| due > now.monotonic) {
                    break;
                }
                let slice = budget.min(1 + self.random.below(4));
                board.advance(now, slice);
                budget -= slice;
                let settled = self.settle(&namespace);
                self.put_out(&namespace, settled);
            }
            self.check_waits(&namespace);
        }
    }

    /// What waits leaves, as far as the store lets it.
    pub fn harvest(&mut self) {
        let waiting = self.outs.len();
        for _ in 0..waiting {
            let Some(out) = self.outs.pop_front() else { return };
            match self.daemon.poll(out, &self.history) {
                // Nothing is written by a process that died.
                _ if self.volume.left().is_some() => return,
                Poll::Pending => self.outs.push_back(out),
                Poll::Ready(None) => self.tally.lost += 1,
                Poll::Ready(Some(shown)) => {
                    if shown > self.told {
                        self.trace(&format!("told up to {shown}, {out:?}"));
                    }
                    self.tally.acknowledged += 1;
                    self.told = self.told.max(shown);
                }
            }
        }
    }
}

/// Whether a lock was its caller's already: a request of its that waited may have been granted on the way to this answer.
fn is_held_already(result: &Result<BoardAnswer, Error>) -> bool {
    matches!(result, Ok(BoardAnswer::LockAcquire(acquired)) if acquired.extended == Some(true))
}
