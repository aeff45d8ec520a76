//! The life of the daemon: start, accept, stop.
//!
//! Start: home, configuration, instance lock, socket, store. Stop: no more connections, `server.stopping`, the time
//! that clients were promised, the snapshot, the socket removed. A stop does not wait for clients to leave.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use callboard_protocol::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::boards::Boards;
use crate::busy_poll::{self, BusyPoll};
use crate::clock::{Clock, unix_ms};
use crate::config::{Config, ConfigError, Durability, Options};
use crate::connection::{Connection, refuse};
use crate::home::{Home, HomeError, process_environment, resolve};
use crate::host::Host;
use crate::instance::{Instance, InstanceError};
use crate::listener::{Listener, ListenerError, SocketWatch, activated, raise_open_files};
use crate::opening::random_hex;
use crate::recovery::{Recovered, RecoveryError, recover};
use crate::seats::Seats;
use crate::signals::{SignalError, stop_requested};
use crate::stats::Stats;
use crate::store::{Forgiven, Keeper, LastRun, Opened, StoreError};

/// Random bytes of an instance id.
const INSTANCE_BYTES: usize = 8;
/// How long connections get to write what waits, once the daemon stops.
const CLOSE_TIME: Duration = Duration::from_secs(1);
/// How often a draining daemon looks whether all clients are gone.
const DRAIN_LOOK: Duration = Duration::from_millis(10);
/// Worker threads at most: one that reads while the other one writes. Boards are locked for microseconds, so more only
/// fight.
const WORKERS_MAX: usize = 2;

/// Why the daemon did not run. `Display` completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The home.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Another daemon runs.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The socket.
    #[error(transparent)]
    Listener(#[from] ListenerError),
    /// The signals.
    #[error(transparent)]
    Signals(#[from] SignalError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is in it.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The runtime.
    #[error("start the runtime: {0}; raise the limits of the process (ulimit -u, ulimit -n)")]
    Runtime(std::io::Error),
    /// Random bytes.
    #[error("{0}")]
    Random(String),
    /// The last snapshot.
    #[error("stop cleanly: {0}")]
    LastSnapshot(Box<str>),
}

/// What is decided before anything runs: for whoever installs the log before [`run`].
#[derive(Debug)]
pub struct Prepared {
    pub(crate) home: Home,
    /// The settings in force.
    pub config: Config,
}

/// Finds the home and reads the configuration.
///
/// # Errors
/// [`RunError`] names the path or the setting, and what to do.
pub fn prepare(options: &Options) -> Result<Prepared, RunError> {
    let path = resolve(options.home.as_deref(), &process_environment)?;
    let home = Home::open(&path)?;
    let config = Config::load(&home, &process_environment, options)?;
    Ok(Prepared { home, config })
}

/// Runs the daemon until it is asked to stop.
///
/// # Errors
/// [`RunError`] says why it could not start, or what was lost at the stop.
pub fn run(prepared: Prepared) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .thread_name("callboard")
        .enable_all()
        .on_thread_park(busy_poll::note_park)
        .on_thread_unpark(busy_poll::note_unpark)
        .build()
        .map_err(RunError::Runtime)?;
    runtime.block_on(serve(prepared))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// One core is left to the clients: on two cores, two workers keep each other and the clients from running.
fn workers() -> usize {
    cores().saturating_sub(1).clamp(1, WORKERS_MAX)
}

async fn serve(prepared: Prepared) -> Result<(), RunError> {
    let Prepared { home, config } = prepared;
    home.log_tightening();
    let stop = stop_requested()?;
    let socket = config.socket(&home);
    let instance = Instance::acquire(&home, &socket)?;
    raise_open_files(config.limits.connections);
    let (host, last_run) = start_host(&home, config, socket.clone())?;
    let mut listener = match activated()? {
        Some(listener) => listener,
        None => Listener::bind(&socket, &instance)?,
    };
    tracing::info!(socket = %socket.display(), pid = std::process::id(), durability = ?host.config.durability, "ready");
    let watch = listener.is_bound().then(|| SocketWatch::start(&socket)).transpose();
    let watch = watch.unwrap_or_else(|error| {
        tracing::warn!(%error, "a deleted socket will not be noticed");
        None
    });
    let syncing = start_syncing(&host)?;
    let snapshots = tokio::spawn(Arc::clone(&host).keep_snapshots());
    if cores() > 1 {
        let host = Arc::clone(&host);
        tokio::spawn(async move { host.busy_poll.run().await });
    }
    let signalled = CancellationToken::new();
    let signals = tokio::spawn(heed_signals(Arc::clone(&host), stop, signalled.clone()));
    accept(&host, &mut listener, &instance, watch.as_ref()).await;
    snapshots.abort();
    let stopped = stop_host(&host, &signalled, syncing).await;
    if let (Ok(()), Some(last_run)) = (&stopped, last_run) {
        last_run.end(&home);
    }
    signals.abort();
    listener.close();
    drop(instance);
    stopped
}

/// Brings the store back, and the boards in it. Gives the entry of this run, where there is a store.
fn start_host(
    home: &Home,
    config: Config,
    socket: PathBuf,
) -> Result<(Arc<Host>, Option<LastRun>), RunError> {
    let fresh_id = random_hex(INSTANCE_BYTES).map_err(|error| RunError::Random(error.message.to_string()))?;
    let clock = Clock::start();
    let (keeper, boards, last_run) = if config.durability == Durability::Memory {
        (Keeper::in_memory(), BTreeMap::new(), None)
    } else {
        let mut opened = Opened::at(Arc::new(home.open_store()?))?;
        let recovered = recover(&mut opened, Forgiven::TornEnd, &config.board_config(), clock.now())?;
        recovered.settle_journal(&opened.volume)?;
        let Recovered { boards, replayed } = recovered;
        let last_run = LastRun::follow(home, config.durability, fresh_id.clone())?;
        (Keeper::resume(opened, config.durability, config.journal_bytes, &replayed), boards, Some(last_run))
    };
    let host = Arc::new(Host {
        config,
        clock,
        started_at: unix_ms(),
        instance_id: last_run.as_ref().map_or(fresh_id, |run| run.instance_id().to_owned()),
        home: home.path().to_owned(),
        socket,
        boards: Boards::default(),
        seats: Seats::default(),
        keeper,
        stats: Stats::default(),
        bytes: AtomicUsize::new(0),
        draining: CancellationToken::new(),
        drain_ms: AtomicUsize::new(0),
        stopping: AtomicBool::new(false),
        closing: CancellationToken::new(),
        busy_poll: BusyPoll::default(),
        tasks: TaskTracker::new(),
    });
    host.adopt(boards);
    Ok((host, last_run))
}

/// Begins a stop at the first signal; it also ends the time that a stop under way gives to clients.
async fn heed_signals(
    host: Arc<Host>,
    stop: impl Future<Output = &'static str>,
    signalled: CancellationToken,
) {
    let name = stop.await;
    tracing::info!(signal = name, "stopping");
    host.begin_stop(0);
    signalled.cancel();
}

/// Lets clients in until the daemon is asked to stop.
async fn accept(host: &Arc<Host>, listener: &mut Listener, instance: &Instance, watch: Option<&SocketWatch>) {
    let mut last_id = 0;
    loop {
        let moved = async {
            match watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            (stream, peer) = listener.accept() => {
                last_id += 1;
                let used = host.stats.connections.load(Ordering::Relaxed);
                let max = host.config.limits.connections;
                if used >= max {
                    refuse(stream, used, max);
                    continue;
                }
                host.stats.connections.fetch_add(1, Ordering::Relaxed);
                let connection = Connection::new(Arc::clone(host), last_id, stream, peer);
                host.tasks.spawn(connection.serve());
            }
            () = moved => match listener.rebind(instance) {
                Ok(true) => tracing::warn!(socket = %listener.path().display(), "the socket was gone: bound again"),
                Ok(false) => {}
                Err(ListenerError::LockLost { path }) => {
                    tracing::error!(socket = %path.display(), "the home is gone: stopping");
                    host.begin_stop(0);
                }
                Err(error) => tracing::error!(%error, "the socket is gone and can't be bound again"),
            },
            () = host.draining.cancelled() => return,
        }
    }
}

/// Starts the thread that brings the journal to the disk, in the modes that have one.
fn start_syncing(host: &Arc<Host>) -> Result<Option<JoinHandle<()>>, RunError> {
    if host.keeper.journal().is_none() {
        return Ok(None);
    }
    let host = Arc::clone(host);
    let thread = std::thread::Builder::new().name("callboard-sync".to_owned());
    thread.spawn(move || host.keep_synced()).map(Some).map_err(RunError::Runtime)
}

/// Stores what is to be stored, and lets clients read what waits for them.
async fn stop_host(
    host: &Arc<Host>,
    signalled: &CancellationToken,
    syncing: Option<JoinHandle<()>>,
) -> Result<(), RunError> {
    for handle in host.boards.all() {
        host.with_board(&handle, callboard_broker::Board::announce_stop);
    }
    let drained = async {
        while host.stats.connections.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    };
    tokio::select! {
        _ran_out = tokio::time::timeout(host.drain_time(), drained) => {}
        () = signalled.cancelled() => {}
    }
    host.stopping.store(true, Ordering::Release);
    let saved = save(host, syncing).await;
    host.closing.cancel();
    host.tasks.close();
    let _ran_out = tokio::time::timeout(CLOSE_TIME, host.tasks.wait()).await;
    saved.map_err(|error| RunError::LastSnapshot(error.message))?;
    tracing::info!("stopped");
    Ok(())
}

/// What a clean stop leaves behind: a journal that ends with a mark, or else a snapshot.
async fn save(host: &Arc<Host>, syncing: Option<JoinHandle<()>>) -> Result<(), Error> {
    if let Some(syncing) = syncing {
        let closed = Arc::clone(host);
        let close = move || {
            closed.keeper.close();
            syncing.join()
        };
        if !matches!(tokio::task::spawn_blocking(close).await, Ok(Ok(()))) {
            tracing::error!("the thread that syncs the journal died");
        }
    }
    let is_stored = host.keeper.journal().is_some() && !host.keeper.is_failed();
    if is_stored || !host.keeper.is_on_disk() { Ok(()) } else { host.snapshot(None).await.map(drop) }
}
