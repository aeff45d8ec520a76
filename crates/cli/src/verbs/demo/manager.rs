//! The manager's process: lays out the work as tasks, has what was added up reviewed by others, and calls a vote at the end.
//!
//! Invariant: all tasks are created in one step, and once. Who does which, and what comes after what, is the daemon's affair;
//! this one only watches that nothing is begun too early.

use std::collections::BTreeSet;

use callboard_client::{ClientError, EventStream};
use callboard_protocol::event::TaskChanged;
use callboard_protocol::methods::agent::{List, Watch};
use callboard_protocol::methods::coordination;
use callboard_protocol::methods::message::Priority;
use callboard_protocol::methods::task::{self, CreateMany, Draft, Status, Task, TaskRef};
use callboard_protocol::revision::TaskId;
use callboard_protocol::{AgentName, Json, Label, Role, TtlMs, WaitMs};
use clap::Args;

use super::peer::{Peer, starter_left};
use super::words::{
    CHOICES, EVERYTHING_KEY, FILES_KEY, MANAGER, REVIEW, Report, ReviewOrder, STOP, VOTE_KEY, VOTE_RESULT,
    WORKER, Work, unix_us,
};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Files that are added up together.
const FILES_PER_PART: usize = 20;
/// How long the voters have, in milliseconds.
const VOTE_MS: u64 = 30_000;

/// `demo-manager`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard demo    (starts it)")]
pub struct ManagerArgs {
    /// For how many workers to wait
    #[arg(long)]
    pub workers: usize,
}

/// Manages until all is done.
///
/// # Errors
/// The daemon's, or that it or the demo is gone.
pub async fn run(args: ManagerArgs, context: &Context) -> Result<Exit, Failure> {
    let peer = Peer::sign_in(context, MANAGER).await?;
    tokio::select! {
        report = manage(&peer, args.workers) => {
            peer.leave(&report?).await?;
            Ok(Exit::Ok)
        }
        () = starter_left() => {
            // Nobody else is left to stop the demo's own daemon.
            let stopped = peer.client().server_shutdown(None).await;
            stopped.map_err(|error| peer.failed("stop the daemon", error))?;
            Err(Failure::new(Exit::Failure, "manage", "the demo was ended"))
        }
    }
}

async fn manage(peer: &Peer, workers: usize) -> Result<Report, Failure> {
    let files: Vec<String> = peer.value(FILES_KEY).await?.unwrap_or_default();
    let workers = wait_for_workers(peer, workers).await?;
    let watched = peer.client().task_watch(&task::Watch::default()).await;
    let tasks = watched.map_err(|error| peer.failed("watch the tasks", error))?;
    let everything = create(peer, &files).await.map_err(|error| peer.failed("create the tasks", error))?;
    let mut following =
        Following { peer, workers: &workers, completed: BTreeSet::new(), report: Report::default() };
    following.until_done(tasks, everything).await?;
    let report = following.report;
    vote(peer, &workers).await?;
    peer.send("role:worker", STOP, &()).await?;
    Ok(report)
}

/// Waits until so many workers are signed in; gives who they are.
async fn wait_for_workers(peer: &Peer, workers: usize) -> Result<Vec<AgentName>, Failure> {
    let wait = async {
        let mut changes = peer.client().subscribe(&Watch {}).await?;
        let list = List { role: Some(Role::new(WORKER)?), live: Some(true), ..List::default() };
        loop {
            let agents = peer.client().call(&list).await?.agents;
            if agents.len() >= workers || changes.next().await.is_none() {
                return Ok(agents.into_iter().map(|agent| agent.name).collect());
            }
        }
    };
    wait.await.map_err(|error| peer.failed("wait for the workers", error))
}

/// A task for each file, one for so many of them that adds them up, and one that adds up all; gives the last one.
async fn create(peer: &Peer, files: &[String]) -> Result<TaskId, ClientError> {
    let part_ref = |number: usize| Label::new(&format!("part-{number}"));
    let file_ref = |number: usize| Label::new(&format!("file-{number}"));
    let mut tasks = Vec::new();
    let mut parts = Vec::new();
    for (number, paths) in files.chunks(FILES_PER_PART).enumerate() {
        let part = part_ref(number)?;
        let mut depends_on = Vec::new();
        for path in paths {
            let name = file_ref(tasks.len())?;
            depends_on.push(TaskRef::Ref(name.clone()));
            let parent = Some(TaskRef::Ref(part.clone()));
            let count = draft(name, format!("count {path}"), &Work::File(path.clone()), Vec::new(), false)?;
            tasks.push(Draft { parent, ..count });
        }
        let title = format!("add up part {}", number + 1);
        tasks.push(draft(part.clone(), title, &Work::Part(paths.to_vec()), depends_on, true)?);
        parts.push(TaskRef::Ref(part));
    }
    let everything = Label::new("everything")?;
    tasks.push(draft(everything, "add up everything".to_owned(), &Work::Everything, parts, true)?);
    let created = peer.client().task_create_many(&CreateMany { tasks }).await?.tasks;
    let everything = created.last().map(|task| task.id).unwrap_or_default();
    peer.client().kv_set(EVERYTHING_KEY, &everything).await?;
    Ok(everything)
}

/// A task for the workers, which is handed out again at once when its worker dies.
fn draft(
    name: Label,
    title: String,
    work: &Work,
    depends_on: Vec<TaskRef>,
    is_reviewed: bool,
) -> Result<Draft, ClientError> {
    Ok(Draft {
        r#ref: Some(name),
        payload: Some(Json::from_value(work)?),
        // What adds up comes before more to add up.
        priority: is_reviewed.then_some(Priority::High),
        role: Some(Role::new(WORKER)?),
        depends_on: Some(depends_on),
        backoff_ms: WaitMs::new(0),
        review: Some(is_reviewed),
        ..Draft::new(title)
    })
}

/// Follows the tasks.
struct Following<'a> {
    peer: &'a Peer,
    workers: &'a [AgentName],
    completed: BTreeSet<TaskId>,
    report: Report,
}

impl Following<'_> {
    async fn until_done(&mut self, mut tasks: EventStream, everything: TaskId) -> Result<(), Failure> {
        while !self.completed.contains(&everything) {
            let Some(event) = tasks.next().await else {
                return Err(Failure::new(Exit::Unreachable, "manage", "the daemon is gone"));
            };
            if let Some(TaskChanged { task }) = event.as_kind() {
                self.see(task).await?;
            }
        }
        Ok(())
    }

    async fn see(&mut self, task: Task) -> Result<(), Failure> {
        match task.status {
            Status::InProgress => {
                self.report.begun += 1;
                let is_early = !task.depends_on.iter().all(|of| self.completed.contains(of));
                self.report.early += u64::from(is_early);
            }
            Status::PendingReview => self.have_reviewed(&task).await?,
            Status::Completed => drop(self.completed.insert(task.id)),
            Status::Failed | Status::Cancelled => {
                let why = format!("task {} ({}) is {}", task.id, task.title, task.status);
                return Err(
                    Failure::new(Exit::Failure, "manage", why).with_details(task.error.into_iter().collect())
                );
            }
            Status::Blocked | Status::Delayed | Status::Pending => {}
        }
        Ok(())
    }

    /// Asks a worker who did not do it to review a task.
    async fn have_reviewed(&self, task: &Task) -> Result<(), Failure> {
        let turn = usize::try_from(task.id.0).unwrap_or_default();
        let others: Vec<&AgentName> =
            self.workers.iter().filter(|worker| task.assignee.as_ref() != Some(worker)).collect();
        let Some(reviewer) = others.get(turn % others.len().max(1)) else {
            return Ok(());
        };
        let order = ReviewOrder { task: task.id, sent_us: unix_us() };
        self.peer.send(reviewer.as_str(), REVIEW, &order).await.map(drop)
    }
}

/// Has the workers vote on the sums, and waits for the result.
async fn vote(peer: &Peer, workers: &[AgentName]) -> Result<(), Failure> {
    let mut results = peer.messages([VOTE_RESULT], 1).await?;
    let opened = async {
        let options = CHOICES.into_iter().map(Label::new).collect::<Result<_, _>>()?;
        let deadline_ms = TtlMs::clamped(VOTE_MS);
        let open = coordination::Open {
            voters: Some(workers.to_vec()),
            quorum: Some(workers.len()),
            ..coordination::Open::new("are the sums right?", options, deadline_ms)
        };
        let id = peer.client().vote_open(&open).await?.id;
        peer.client().kv_set(VOTE_KEY, &id).await
    };
    opened.await.map_err(|error| peer.failed("open a vote", error))?;
    let result = peer.next(&mut results).await?;
    peer.ack(&result).await
}
