//! `callboard demo`: the main job on real input, and a summary that is checked against the evidence.
//!
//! A daemon of its own, a manager and several workers as processes: the manager lays out the work on the files of a directory
//! as tasks that depend on each other, the workers claim them, reserve each file by lock, count and checksum it, ask each
//! other, add up, review what others added up, and vote on the sums. Midway one worker is killed while it holds a lock. Invariant: nothing of the user's is touched, and every
//! process is ended and reaped however this one ends.

mod company;
mod desk;
mod files;
mod ledger;
mod manager;
mod peer;
mod place;
mod summary;
mod view;
mod words;
mod worker;

pub use manager::ManagerArgs;
pub use worker::WorkerArgs;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use callboard_client::{Client, ConnectOptions, EventStream};
use callboard_protocol::Namespace;
use callboard_protocol::methods::server::Tail;
use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use company::Company;
use files::Source;
use ledger::{Ledger, Turn};
use place::Place;
use summary::Evidence;
use view::View;
use words::{END_KEY, FILES_KEY, NAMESPACE};

/// How long the daemon may take to answer.
const START_TIME: Duration = Duration::from_secs(5);
/// How long to wait before the daemon is tried again.
const RETRY_TIME: Duration = Duration::from_millis(5);
/// How often the picture is drawn anew.
const FRAME_TIME: Duration = Duration::from_millis(100);
/// How long all of it may take: the slowest pace over the most files ends well before.
const DEMO_TIME: Duration = Duration::from_secs(300);
/// The worker that is killed.
const VICTIM: usize = 2;

/// `demo`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard demo ~/src/project --workers 6")]
pub struct DemoArgs {
    /// The directory whose text files are worked on [default: the git repository here, else this directory]
    pub directory: Option<PathBuf>,
    /// Worker processes
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(2..=32))]
    pub workers: u8,
    /// How long a worker holds on to each file, in milliseconds, so that one can watch
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..=1000))]
    pub pace_ms: u64,
    /// Keep the demo's folder with its logs and its store
    #[arg(long)]
    pub keep: bool,
}

/// `demo-manager`.
///
/// # Errors
/// Those of the manager.
pub async fn run_manager(args: ManagerArgs, context: &Context) -> Result<Exit, Failure> {
    manager::run(args, context).await
}

/// `demo-worker`.
///
/// # Errors
/// Those of the worker.
pub async fn run_worker(args: WorkerArgs, context: &Context) -> Result<Exit, Failure> {
    worker::run(args, context).await
}

/// Plays the demo.
///
/// # Errors
/// When there are no files, or a process can't be started or fails.
pub async fn run(args: DemoArgs, context: &Context) -> Result<Exit, Failure> {
    let source = Source::find(args.directory.as_deref())?;
    let place = Place::create(args.keep)?;
    let mut company = Company::new(&place)?;
    let mut view = View::new(context.output, source.paths.len());
    let played = tokio::select! {
        played = play(&args, &source, &place, &mut company, &mut view) => played,
        _ = tokio::signal::ctrl_c() => Err(Failure::new(Exit::Failure, "play the demo", "interrupted")),
        () = tokio::time::sleep(DEMO_TIME) => Err(Failure::new(Exit::Timeout, "play the demo", "it took too long")),
    };
    company.end().await;
    let evidence = played?;
    if args.keep {
        context.output.note(format_args!("kept: {}", place.path().display()));
    }
    evidence.tell(context.output)
}

/// Everything of one demo that changes while it goes on.
struct Stage<'a, 'b> {
    args: &'a DemoArgs,
    source: &'a Source,
    place: &'a Place,
    company: &'a mut Company<'b>,
    ledger: Ledger,
    killed: Option<Killing>,
}

/// The worker that was killed.
struct Killing {
    lock: String,
    at: Instant,
    freed_after: Option<Duration>,
}

async fn play(
    args: &DemoArgs,
    source: &Source,
    place: &Place,
    company: &mut Company<'_>,
    view: &mut View,
) -> Result<Evidence, Failure> {
    let start = Instant::now();
    let daemon = company.start_daemon()?;
    let client = connect(place).await?;
    let mut tail =
        client.subscribe(&Tail::default()).await.map_err(|error| Failure::client("watch", error))?;
    let kept = client.kv_set(FILES_KEY, &source.paths).await;
    kept.map_err(|error| Failure::client("hand over the files", error))?;
    view.say(format_args!(
        "daemon {daemon} in a home of its own; {} files of {}",
        source.paths.len(),
        source.root.display()
    ));
    let mut stage = Stage { args, source, place, company, ledger: Ledger::default(), killed: None };
    stage.start(view)?;
    stage.watch(&client, &mut tail, view).await?;
    view.finish(&stage.ledger);
    let Stage { ledger, killed, .. } = stage;
    let evidence = Evidence::gather(source, &client, ledger, killed, start.elapsed()).await?;
    let stopping = client.server_shutdown(None).await;
    stopping.map_err(|error| Failure::client("stop the demo's daemon", error))?;
    drop(client);
    let is_clean = company.is_daemon_done().await?;
    Ok(evidence.with_clean_stop(is_clean))
}

async fn connect(place: &Place) -> Result<Client, Failure> {
    let what = "reach the demo's daemon";
    let socket = place.socket().map_err(|error| Failure::client(what, error))?;
    let options = || ConnectOptions {
        home: Some(place.path().to_owned()),
        socket: Some(socket.clone()),
        namespace: Namespace::new(NAMESPACE).ok(),
        ..ConnectOptions::default()
    };
    let deadline = Instant::now() + START_TIME;
    loop {
        match Client::connect(options()).await {
            Ok(client) => return Ok(client),
            Err(error) if Instant::now() > deadline => {
                return Err(Failure::client(what, error));
            }
            Err(_) => tokio::time::sleep(RETRY_TIME).await,
        }
    }
}

fn worker_name(number: usize) -> String {
    format!("worker-{number}")
}

impl Stage<'_, '_> {
    fn start(&mut self, view: &mut View) -> Result<(), Failure> {
        let workers = usize::from(self.args.workers);
        let count = OsString::from(workers.to_string());
        let manager =
            self.company.start_agent(words::MANAGER, "demo-manager", vec!["--workers".into(), count])?;
        let mut pids = Vec::new();
        for number in 1..=workers {
            pids.push(self.start_worker(number)?.to_string());
        }
        view.say(format_args!("manager {manager}, workers {}", pids.join(" ")));
        Ok(())
    }

    fn start_worker(&mut self, number: usize) -> Result<u32, Failure> {
        let mut args: Vec<OsString> = vec![
            "--root".into(),
            self.source.root.clone().into(),
            "--witness".into(),
            self.place.witness().into(),
            "--pace-ms".into(),
            self.args.pace_ms.to_string().into(),
        ];
        for colleague in (1..=usize::from(self.args.workers)).filter(|colleague| *colleague != number) {
            args.extend(["--colleague".into(), worker_name(colleague).into()]);
        }
        self.company.start_agent(&worker_name(number), "demo-worker", args)
    }

    /// Follows the work to its end, and kills one worker on the way.
    async fn watch(
        &mut self,
        client: &Client,
        tail: &mut EventStream,
        view: &mut View,
    ) -> Result<(), Failure> {
        let mut frames = tokio::time::interval(FRAME_TIME);
        let mut is_ending = false;
        while !self.ledger.is_complete {
            tokio::select! {
                event = tail.next() => {
                    let Some(event) = event else {
                        return Err(Failure::new(Exit::Unreachable, "watch", "the daemon is gone"));
                    };
                    let turn = self.ledger.note(&event);
                    self.act(turn, view).await?;
                }
                _ = frames.tick() => {
                    view.draw(&self.ledger);
                    if !is_ending && self.company.are_agents_done()? {
                        is_ending = true;
                        let marked = client.kv_set(END_KEY, &true).await;
                        marked.map_err(|error| Failure::client("mark the end", error))?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn act(&mut self, turn: Turn, view: &mut View) -> Result<(), Failure> {
        let victim = worker_name(VICTIM);
        match turn {
            Turn::Took { agent, path }
                if self.killed.is_none()
                    && agent == victim
                    && self.ledger.done() * 5 >= self.source.paths.len() * 2 =>
            {
                self.company.kill(&victim).await?;
                view.say(format_args!("killed {victim} while it held {path}"));
                let lock = format!("{}{path}", words::LOCK_PREFIX);
                self.killed = Some(Killing { lock, at: Instant::now(), freed_after: None });
            }
            Turn::Took { .. } | Turn::Other => {}
        }
        let is_freed = |lock: &str| self.ledger.expired.iter().any(|(name, _)| name == lock);
        if let Some(killed) = &mut self.killed
            && killed.freed_after.is_none()
            && is_freed(&killed.lock)
        {
            let after = killed.at.elapsed();
            killed.freed_after = Some(after);
            let pid = self.start_worker(VICTIM)?;
            view.say(format_args!("its lock is free after {} ms; {pid} takes its place", after.as_millis()));
        }
        Ok(())
    }
}
