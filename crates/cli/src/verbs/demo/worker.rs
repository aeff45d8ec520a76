//! A worker's process: claims one task after the other, reserves each file by lock, counts and checksums it, adds up what
//! others counted, and asks a colleague for a second opinion now and then. What others ask of it meanwhile is `desk`'s.
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
use callboard_protocol::methods::message::Request;
use callboard_protocol::methods::task::{Claim, Claimed, Review, Task};
use callboard_protocol::revision::{TaskId, Token};
use callboard_protocol::{AgentName, ErrorKind, Json, Key, Label, Role, WaitMs};
use clap::Args;
use serde::Serialize;

use super::desk::Desk;
use super::files::{Tally, hex_digest};
use super::peer::{Peer, starter_left};
use super::words::{DONE_PREFIX, LOCK_PREFIX, Order, QUESTION, Record, Report, TOTALS, Totals, WORKER, Work};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// How long to wait for a task before asking again, in milliseconds.
const CLAIM_WAIT_MS: u64 = 60_000;
/// How long to wait for a lock, in milliseconds.
const LOCK_WAIT_MS: u64 = 60_000;
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
    let mut desk = Desk::new(&peer, &args.root);
    tokio::select! {
        worked = worker.work() => worked?,
        stopped = desk.work() => stopped?,
        () = count_contended(notices, &mut contended) => {}
        () = starter_left() => return Err(Failure::new(Exit::Failure, "work", "the demo was ended")),
    }
    let mut report = Report { contended, ..worker.report };
    report.merge(desk.into_report());
    peer.leave(&report).await?;
    Ok(Exit::Ok)
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
    /// Works on tasks for as long as there is a daemon.
    async fn work(&mut self) -> Result<(), Failure> {
        let role = Role::new(WORKER).map_err(|error| self.peer.failed("claim a task", error.into()))?;
        let claim = Claim { role: Some(role), wait_ms: WaitMs::new(CLAIM_WAIT_MS), ..Claim::default() };
        loop {
            let claimed = self.peer.client().task_claim(&claim).await;
            let claimed = claimed.map_err(|error| self.peer.failed("claim a task", error))?;
            if let Claimed { task: Some(task), token: Some(token) } = claimed {
                self.work_on(&task, token).await?;
            }
        }
    }

    async fn work_on(&mut self, task: &Task, token: Token) -> Result<(), Failure> {
        let work = task.payload.as_ref().map(|payload| self.peer.parse(&task.title, payload));
        match work.transpose()? {
            Some(Work::File(path)) => {
                let tally = self.count(&path).await?;
                self.complete(token, &tally).await
            }
            Some(Work::Part(_)) => {
                let mut totals = Totals::default();
                let looked = self.peer.client().task_get(task.id).await;
                let parts = looked.map_err(|error| self.peer.failed("look at a task", error))?.children;
                for part in parts.into_iter().flat_map(|parts| parts.results) {
                    totals.add(&self.peer.parse(&task.title, &part.result)?);
                }
                self.complete(token, &totals).await?;
                self.approve_own(task.id).await
            }
            Some(Work::Everything) => {
                let totals = self.peer.add_up(&task.depends_on).await?;
                self.complete(token, &totals).await?;
                self.approve_own(task.id).await
            }
            None => Err(Failure::new(Exit::Failure, &task.title, "the task does not say what to do")),
        }
    }

    async fn complete(&mut self, token: Token, result: &impl Serialize) -> Result<(), Failure> {
        let asked = Instant::now();
        let completed = self.peer.client().task_complete(token, result).await;
        completed.map_err(|error| self.peer.failed("complete a task", error))?;
        self.report.complete_us.push(microseconds(asked));
        Ok(())
    }

    /// Tries to approve of its own work, which must not be possible.
    async fn approve_own(&mut self, id: TaskId) -> Result<(), Failure> {
        match self.peer.client().task_review(&Review { id, approve: true, comments: None }).await {
            Ok(_) => self.report.own_approved += 1,
            Err(ClientError::Rpc(error)) if error.kind == ErrorKind::PermissionDenied => {
                self.report.own_refused += 1;
            }
            // Somebody else was quicker.
            Err(ClientError::Rpc(error)) if error.kind == ErrorKind::NotReady => {}
            Err(error) => return Err(self.peer.failed("review a task", error)),
        }
        Ok(())
    }

    async fn count(&mut self, path: &str) -> Result<Tally, Failure> {
        let asked = Instant::now();
        let lock = self.acquire(format!("{LOCK_PREFIX}{path}")).await?;
        self.report.lock_us.push(microseconds(asked));
        let tally = Tally::of(&self.args.root, path)?;
        tokio::time::sleep(Duration::from_millis(self.args.pace_ms)).await;
        self.turns += 1;
        if self.turns.is_multiple_of(FILES_PER_QUESTION) {
            self.ask(path, &tally).await?;
        }
        let record = Record { tally: tally.clone(), pid: std::process::id() };
        self.record(path, &record, &lock).await?;
        self.release(lock).await?;
        Ok(tally)
    }

    /// Takes a lock, waiting for it, and has the system's own lock witness that nobody else holds it.
    async fn acquire(&mut self, name: String) -> Result<Held, Failure> {
        let acquire = Acquire {
            wait_ms: WaitMs::new(LOCK_WAIT_MS),
            bind: Some(Bind::Session),
            ..Acquire::new([name.as_str()])
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
            let order = Json::from_value(&Order { path: path.to_owned() })?;
            let request = Request {
                r#type: Some(Label::new(QUESTION)?),
                ..Request::new(Address::Agent(colleague.clone()), order)
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
    let set = Set::new(Key::new(key)?, Json::from_value(value)?);
    Ok(Operation::Set(Set { if_absent, if_lock: lock.condition(), ..set }))
}

fn microseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
