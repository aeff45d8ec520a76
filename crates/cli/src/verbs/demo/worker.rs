//! A worker's process: gets files by message, reserves each by lock, counts and checksums it, asks a colleague for a second
//! opinion now and then, and answers the questions of others meanwhile.
//!
//! Invariant: a file counts as done by one transaction: the record (only if there is none yet, and only while the file's lock
//! is held) and the totals (only while their lock is held). So whatever is killed, and whatever comes again, each file is
//! counted exactly once.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use callboard_client::{ClientError, EventStream};
use callboard_protocol::address::Address;
use callboard_protocol::event::{Event as _, LockContended};
use callboard_protocol::methods::kv::{IfLock, Operation, Set, Txn};
use callboard_protocol::methods::lock::{Acquire, Bind};
use callboard_protocol::methods::message::{Message, Reply, Request};
use callboard_protocol::revision::Token;
use callboard_protocol::{AgentName, ErrorKind, Json, Key, Label, WaitMs};
use clap::Args;
use serde::Serialize;

use super::files::{Tally, hex_digest};
use super::peer::{Peer, starter_left};
use super::words::{
    DONE, DONE_PREFIX, Done, FILE, LOCK_PREFIX, MANAGER, Order, QUESTION, Record, Report, STOP, TOTALS,
    Totals, WORKER, unix_us,
};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Files and the order to stop that may be unacked: one in hand, one to go on with.
const ORDERS_CREDIT: u32 = 2;
/// Questions that may be unanswered.
const QUESTIONS_CREDIT: u32 = 16;
/// Every so many files a colleague is asked for a second opinion.
const FILES_PER_QUESTION: usize = 5;

/// `demo-worker`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard demo    (starts it)")]
pub struct WorkerArgs {
    /// Where the files are
    #[arg(long)]
    pub root: PathBuf,
    /// Where the system's own locks are taken as a second witness
    #[arg(long)]
    pub witness: PathBuf,
    /// How long to hold on to each file
    #[arg(long)]
    pub pace_ms: u64,
    /// Whom to ask
    #[arg(long)]
    pub colleague: Vec<AgentName>,
}

/// Works until told to stop.
///
/// # Errors
/// The daemon's, that it or the demo is gone, or that a file can't be read.
pub async fn run(args: WorkerArgs, context: &Context) -> Result<Exit, Failure> {
    let peer = Peer::sign_in(context, WORKER).await?;
    let notices = peer.client().notices();
    let mut contended = 0;
    let mut worker = Worker { peer: &peer, args: &args, turns: 0, report: Report::default() };
    let questions = peer.messages([QUESTION], QUESTIONS_CREDIT).await?;
    tokio::select! {
        worked = worker.work() => worked?,
        answered = answer(&peer, &args, questions) => answered?,
        () = count_contended(notices, &mut contended) => {}
        () = starter_left() => return Err(Failure::new(Exit::Failure, "work", "the demo was ended")),
    }
    let report = Report { contended, ..worker.report };
    peer.leave(&report).await?;
    Ok(Exit::Ok)
}

/// Answers questions for as long as there is a daemon.
async fn answer(peer: &Peer, args: &WorkerArgs, mut questions: EventStream) -> Result<(), Failure> {
    loop {
        let question = peer.next(&mut questions).await?;
        let Order { path } = peer.read(&question)?;
        let tally = Tally::of(&args.root, &path)?;
        let reply = async {
            let payload = Json::from_value(&tally)?;
            peer.client().call(&Reply { to_message: question.id, payload, r#type: None }).await
        };
        reply.await.map_err(|error| peer.failed("answer a question", error))?;
    }
}

/// Counts who had to wait for a lock of this process. Ends with the connection, which the others tell of.
async fn count_contended(mut notices: EventStream, contended: &mut u64) {
    while let Some(notice) = notices.next().await {
        *contended += u64::from(notice.kind == LockContended::KIND);
    }
    std::future::pending::<()>().await;
}

/// A lock that is held, and its second witness.
struct Held {
    name: String,
    token: Token,
    /// None when the system's own lock showed another holder.
    witness: Option<File>,
}

impl Held {
    fn condition(&self) -> Option<IfLock> {
        Some(IfLock { key: self.name.clone(), token: self.token })
    }
}

struct Worker<'a> {
    peer: &'a Peer,
    args: &'a WorkerArgs,
    turns: usize,
    report: Report,
}

impl Worker<'_> {
    async fn work(&mut self) -> Result<(), Failure> {
        let mut orders = self.peer.messages([FILE, STOP], ORDERS_CREDIT).await?;
        loop {
            let message = self.peer.next(&mut orders).await?;
            let is_stop = message.r#type.as_str() == STOP;
            if !is_stop {
                self.work_on(&message).await?;
            }
            self.peer.ack(&message).await?;
            if is_stop {
                return Ok(());
            }
        }
    }

    async fn work_on(&mut self, message: &Message) -> Result<(), Failure> {
        let Order { path } = self.peer.read(message)?;
        let asked = Instant::now();
        let lock = self.acquire(format!("{LOCK_PREFIX}{path}")).await?;
        self.report.lock_us.push(microseconds(asked));
        let tally = Tally::of(&self.args.root, &path)?;
        tokio::time::sleep(Duration::from_millis(self.args.pace_ms)).await;
        self.turns += 1;
        if self.turns.is_multiple_of(FILES_PER_QUESTION) {
            self.ask(&path, &tally).await?;
        }
        let record = Record { tally, pid: std::process::id(), attempt: message.attempt };
        self.record(&path, &record, &lock).await?;
        self.release(lock).await?;
        self.peer.send(MANAGER, DONE, &Done { path, sent_us: unix_us() }).await?;
        Ok(())
    }

    /// Takes a lock, waiting for it, and has the system's own lock witness that nobody else holds it.
    async fn acquire(&mut self, name: String) -> Result<Held, Failure> {
        let acquire = Acquire {
            keys: vec![name.clone()],
            mode: None,
            ttl_ms: None,
            wait_ms: WaitMs::new(60_000),
            bind: Some(Bind::Session),
            reason: None,
        };
        let acquired = self.peer.client().lock_acquire(&acquire).await;
        let token = acquired.map_err(|error| self.peer.failed("take a lock", error))?.token;
        let path = self.args.witness.join(hex_digest(name.as_bytes()));
        let witness = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let witness = witness.and_then(|file| match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        });
        let witness =
            witness.map_err(|error| Failure::new(Exit::Failure, format_args!("witness {name}"), error))?;
        self.report.overlaps += u64::from(witness.is_none());
        Ok(Held { name, token, witness })
    }

    async fn release(&self, lock: Held) -> Result<(), Failure> {
        drop(lock.witness);
        let released = self.peer.client().lock_release(lock.token).await;
        released.map(drop).map_err(|error| self.peer.failed("give a lock back", error))
    }

    /// Asks the colleagues in turn whether they count the same.
    async fn ask(&mut self, path: &str, tally: &Tally) -> Result<(), Failure> {
        let colleagues = &self.args.colleague;
        let Some(colleague) = colleagues.get(self.turns / FILES_PER_QUESTION % colleagues.len().max(1))
        else {
            return Ok(());
        };
        let asked = Instant::now();
        let answered = async {
            let request = Request {
                to: Address::Agent(colleague.clone()),
                payload: Json::from_value(&Order { path: path.to_owned() })?,
                r#type: Some(Label::new(QUESTION)?),
                subject: None,
                thread_id: None,
                timeout_ms: None,
            };
            self.peer.client().call(&request).await
        };
        let reply = answered.await.map_err(|error| self.peer.failed("ask a colleague", error))?.reply;
        self.report.question_us.push(microseconds(asked));
        let second: Tally = self.peer.read(&reply)?;
        self.report.disagreements += u64::from(second != *tally);
        Ok(())
    }

    /// Counts the file as done, if it does not count yet.
    async fn record(&mut self, path: &str, record: &Record, lock: &Held) -> Result<(), Failure> {
        let totals_lock = self.acquire(TOTALS.to_owned()).await?;
        let client = self.peer.client();
        let counted = async {
            let totals = client.kv_get(TOTALS).await?.value;
            let mut totals: Totals = totals.and_then(|value| value.to().ok()).unwrap_or_default();
            totals.add(&record.tally);
            let record = set(&format!("{DONE_PREFIX}{path}"), record, Some(true), lock)?;
            let totals = set(TOTALS, &totals, None, &totals_lock)?;
            client.kv_txn(&Txn { then: vec![record, totals], ..Txn::default() }).await
        };
        match counted.await {
            Ok(_) => {}
            // The process that had the file before was killed after it had done this.
            Err(ClientError::Rpc(error)) if error.kind == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(self.peer.failed("record a file", error)),
        }
        self.release(totals_lock).await
    }
}

fn set(
    key: &str,
    value: &impl Serialize,
    if_absent: Option<bool>,
    lock: &Held,
) -> Result<Operation, ClientError> {
    Ok(Operation::Set(Set {
        key: Key::new(key)?,
        value: Json::from_value(value)?,
        ttl_ms: None,
        if_absent,
        if_revision: None,
        keep_ttl: None,
        if_lock: lock.condition(),
    }))
}

fn microseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
