//! `callboard down`: stop the daemon cleanly, and wait until it is gone.

use std::path::Path;
use std::time::Duration;

use callboard_protocol::WaitMs;
use callboard_protocol::methods::server::{Info, ReadInfo, Shutdown};
#[cfg(windows)]
use callboard_windows::process::is_running;
use clap::Args;
use tokio::time::{Instant, sleep};

use crate::context::{Context, Session};
use crate::duration::parse_wait;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress;

/// How long the last snapshot and the removal of the socket may take, beside the time for clients to finish.
const STOP_TIME: Duration = Duration::from_secs(30);
/// How often to look whether the socket is gone.
const LOOK_PERIOD: Duration = Duration::from_millis(10);

/// `down`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard down --drain 10s")]
pub struct DownArgs {
    /// Let clients finish for this long first [default: not at all]
    #[arg(long, value_name = "DURATION", value_parser = parse_wait)]
    drain: Option<WaitMs>,
}

/// Stops the daemon; that none runs is no failure.
///
/// # Errors
/// When it does not stop.
pub async fn run(args: DownArgs, context: &Context) -> Result<Exit, Failure> {
    let what = "stop the daemon";
    let session = match Session::open(context.daemon_options()).await {
        Ok(session) => session,
        Err(Failure::Told(report)) if report.exit == Exit::Unreachable => {
            context.output.note(format_args!("no daemon answers"));
            return Ok(Exit::Ok);
        }
        Err(failure) => return Err(failure),
    };
    let info: Info = session.call(what, &ReadInfo {}).await?;
    stop(session, &info, args.drain, what, context).await?;
    context.output.result(&info, |output| output.line(format_args!("stopped, pid was {}", info.pid)))?;
    Ok(Exit::Ok)
}

/// Stops the daemon that `info` is of, and waits until it is gone; `what` names the deed in the error.
///
/// # Errors
/// When it does not stop.
pub async fn stop(
    session: Session,
    info: &Info,
    drain: Option<WaitMs>,
    what: &str,
    context: &Context,
) -> Result<(), Failure> {
    let drain_ms = drain.map(WaitMs::get);
    session.call(what, &Shutdown { drain_ms }).await?;
    session.close().await;
    let patience = STOP_TIME + Duration::from_millis(drain_ms.unwrap_or(0));
    let gone = until_gone(Path::new(&info.socket), info.pid, patience);
    let is_gone =
        progress::while_waiting(context.output, gone, async || "waiting for the daemon to stop".to_owned());
    if !is_gone.await {
        let why = format!("process {} still has its socket {}", info.pid, info.socket);
        return Err(Failure::new(Exit::Timeout, what, why).or_next(format!("kill {}", info.pid)));
    }
    Ok(())
}

/// Waits until the socket is gone, or is another daemon's already; false when that takes longer than `patience`.
async fn until_gone(socket: &Path, pid: u32, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while is_there(socket) && is_running(pid) {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOOK_PERIOD).await;
    }
    true
}

#[cfg(unix)]
fn is_there(socket: &Path) -> bool {
    socket.symlink_metadata().is_ok()
}

/// A look at a pipe would be a connection: only the process is looked at.
#[cfg(windows)]
fn is_there(_socket: &Path) -> bool {
    true
}

/// Whether the process exists. A socket that a service manager keeps open stays when the daemon goes.
#[cfg(unix)]
fn is_running(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}
