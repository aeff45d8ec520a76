//! The manager's process: waits for the workers, hands the files out by message, and collects what was done.
//!
//! Invariant: it hands each file out once. Whether a file is handed out again is the daemon's affair: a message that was not
//! acked by the process that got it comes again. So a file may be reported twice, and counts once.

use std::collections::BTreeSet;

use callboard_protocol::Role;
use callboard_protocol::methods::agent::{List, Watch};
use clap::Args;

use super::peer::{Peer, starter_left};
use super::words::{DONE, Done, FILE, FILES_KEY, MANAGER, Order, Report, STOP, WORKER, unix_us};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Files handed out and not done, for each worker: one in hand, one to go on with, one on its way.
const FILES_PER_WORKER: usize = 3;
/// Reports that may be unacked.
const CREDIT: u32 = 64;

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
    let mut reports = peer.messages([DONE], CREDIT).await?;
    let files =
        peer.client().kv_get(FILES_KEY).await.map_err(|error| peer.failed("read the files", error))?;
    let files: Vec<String> = files.value.and_then(|value| value.to().ok()).unwrap_or_default();
    wait_for_workers(peer, workers).await?;
    let mut waiting = files.iter();
    let mut handed_out = 0;
    let mut done: BTreeSet<String> = BTreeSet::new();
    let mut report = Report::default();
    while done.len() < files.len() {
        let room = (done.len() + workers * FILES_PER_WORKER).saturating_sub(handed_out);
        for path in waiting.by_ref().take(room) {
            peer.send("any:worker", FILE, &Order { path: path.clone() }).await?;
            handed_out += 1;
        }
        let message = peer.next(&mut reports).await?;
        let arrived_us = unix_us();
        let Done { path, sent_us } = peer.read(&message)?;
        report.message_us.push(arrived_us.saturating_sub(sent_us));
        if !done.insert(path) {
            report.duplicates += 1;
        }
        peer.ack(&message).await?;
    }
    peer.send("role:worker", STOP, &()).await?;
    Ok(report)
}

/// Waits until so many workers are signed in.
async fn wait_for_workers(peer: &Peer, workers: usize) -> Result<(), Failure> {
    let wait = async {
        let mut changes = peer.client().subscribe(&Watch {}).await?;
        let list = List { role: Some(Role::new(WORKER)?), live: Some(true), ..List::default() };
        while peer.client().call(&list).await?.agents.len() < workers {
            if changes.next().await.is_none() {
                break;
            }
        }
        Ok(())
    };
    wait.await.map_err(|error| peer.failed("wait for the workers", error))
}
