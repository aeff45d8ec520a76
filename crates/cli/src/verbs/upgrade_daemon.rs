//! `callboard upgrade-daemon`: let this program's version serve the board, without losing anything.
//!
//! The running daemon stores everything and stops; a daemon of this version starts on its store. Locks, claims and
//! receipts live on, and clients resume their sessions by themselves within the grace.

use callboard_client::Spawn;
use callboard_protocol::WaitMs;
use callboard_protocol::methods::server::{Info, ReadInfo, TakeSnapshot};
use callboard_protocol::methods::session::Durability;
use clap::Args;
use serde::Serialize;

use super::down;
use crate::context::{Context, Session};
use crate::duration::parse_wait;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress;

const WHAT: &str = "upgrade the daemon";

/// `upgrade-daemon`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard upgrade-daemon --drain 5s")]
pub struct UpgradeDaemonArgs {
    /// Let clients finish for this long first [default: not at all]
    #[arg(long, value_name = "DURATION", value_parser = parse_wait)]
    drain: Option<WaitMs>,
}

/// What the verb prints for programs.
#[derive(Debug, Serialize)]
struct Upgraded {
    before: Option<Info>,
    now: Info,
}

/// Replaces the running daemon, if there is one, by one of this version.
///
/// # Errors
/// When something would be lost, or one of the two does not do its part.
pub async fn run(args: UpgradeDaemonArgs, context: &Context) -> Result<Exit, Failure> {
    let before = match Session::open(context.daemon_options()).await {
        Ok(session) => Some(stop(session, args.drain, context).await?),
        Err(Failure::Told(report)) if report.exit == Exit::Unreachable => None,
        Err(failure) => return Err(failure),
    };
    let mut options = context.spawning_options()?;
    if let (Some(before), Spawn::IfNeeded { args, .. }) = (&before, &mut options.spawn) {
        // However the mode was chosen, the next daemon promises no less.
        args.extend(["--durability".into(), mode(before.durability).into()]);
    }
    let started = Session::open(options);
    let session =
        progress::while_waiting(context.output, started, async || "starting the daemon".to_owned()).await?;
    let now: Info = session.call(WHAT, &ReadInfo {}).await?;
    session.close().await;
    let upgraded = Upgraded { before, now };
    context.output.result(&upgraded, |output| {
        let Upgraded { before, now } = &upgraded;
        let before = before.as_ref().map_or_else(
            || "no daemon ran".to_owned(),
            |before| format!("{} (pid {}) stopped", before.version, before.pid),
        );
        output.line(format_args!("{before}; {} (pid {}) runs", now.version, now.pid))
    })?;
    Ok(Exit::Ok)
}

/// The word for a mode that a daemon can be started with.
fn mode(durability: Durability) -> &'static str {
    match durability {
        Durability::Memory => "memory",
        Durability::Snapshot => "snapshot",
        Durability::Sync => "sync",
        // What failed was started with a journal; which of the two the configuration says.
        Durability::Journal | Durability::Failed => "journal",
    }
}

/// Has the daemon store everything, and stops it.
async fn stop(session: Session, drain: Option<WaitMs>, context: &Context) -> Result<Info, Failure> {
    let info: Info = session.call(WHAT, &ReadInfo {}).await?;
    match info.durability {
        Durability::Memory => {
            let why = "its durability is memory, so that it would lose everything";
            return Err(Failure::new(Exit::Conflict, WHAT, why).or_next("callboard down"));
        }
        Durability::Failed => {
            let why = "its store can't be written, so that it would lose what it could not store";
            return Err(Failure::new(Exit::Conflict, WHAT, why).or_next("callboard doctor"));
        }
        Durability::Snapshot | Durability::Journal | Durability::Sync => {}
    }
    session.call(WHAT, &TakeSnapshot {}).await?;
    down::stop(session, &info, drain, WHAT, context).await?;
    Ok(info)
}
