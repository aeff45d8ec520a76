//! `callboard daemon`: the daemon itself, in the foreground.
//!
//! This is what launchd, systemd and the other verbs start. It logs to standard error.

use std::io::{self, IsTerminal as _};

use callboard_daemon::config::{Durability, LogFormat};
use callboard_daemon::{Options, prepare};
use clap::{Args, ValueEnum};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// `daemon`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callboard daemon\n  callboard daemon --home /tmp/board --durability memory --log debug"
)]
pub struct DaemonArgs {
    /// What survives the daemon [default: $CALLBOARD_DURABILITY, or as config.toml in the home says]
    #[arg(long)]
    durability: Option<DurabilityArg>,
    /// What to log: error, warn, info, debug, trace, off, or by module as in info,callboard_daemon=debug
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How log lines look
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormatArg>,
}

/// [`Durability`] on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum DurabilityArg {
    /// Nothing is written
    Memory,
    /// Snapshots now and then, and at a clean stop
    Snapshot,
    /// Each change reaches the operating system before anybody sees it
    Journal,
    /// Each change reaches the disk before anybody sees it
    Sync,
}

impl From<DurabilityArg> for Durability {
    fn from(durability: DurabilityArg) -> Self {
        match durability {
            DurabilityArg::Memory => Self::Memory,
            DurabilityArg::Snapshot => Self::Snapshot,
            DurabilityArg::Journal => Self::Journal,
            DurabilityArg::Sync => Self::Sync,
        }
    }
}

/// [`LogFormat`] on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogFormatArg {
    /// Lines for people
    Text,
    /// One JSON object per line
    Json,
}

impl From<LogFormatArg> for LogFormat {
    fn from(format: LogFormatArg) -> Self {
        match format {
            LogFormatArg::Text => Self::Text,
            LogFormatArg::Json => Self::Json,
        }
    }
}

/// Runs the daemon until it is asked to stop.
///
/// # Errors
/// Why it did not run.
pub fn run(args: DaemonArgs, context: &Context) -> Result<Exit, Failure> {
    let failed = |error| Failure::new(Exit::Failure, "run the daemon", format_args!("failed to {error}"));
    let prepared = prepare(&Options {
        home: context.globals.home.clone(),
        socket: context.globals.socket.clone(),
        durability: args.durability.map(Durability::from),
        log: args.log,
        log_format: args.log_format.map(LogFormat::from),
    })
    .map_err(failed)?;
    install_log(&prepared.config.log, prepared.config.log_format)?;
    callboard_daemon::run(prepared).map_err(failed)?;
    Ok(Exit::Ok)
}

fn install_log(filter: &str, format: LogFormat) -> Result<(), Failure> {
    let targets: Targets = filter.parse().map_err(|error| {
        let why = format!("failed to read the log's filter {filter:?}: {error}");
        Failure::usage("run the daemon", why).or_next("callboard daemon --log info")
    })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(is_coloured()).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
    Ok(())
}

fn is_coloured() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
