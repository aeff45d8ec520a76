//! `callboard store`: what is in the files, and what to do when one is damaged.
//!
//! `check` and `export` work beside a running daemon and change nothing; `repair` needs the daemon stopped, and keeps
//! whatever it takes out of the way.

use callboard_daemon::store::Examined;
use callboard_daemon::{Options, Prepared, RunError, prepare};
use clap::Subcommand;
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, or_dash};
use crate::table::Table;

/// `store`.
#[derive(Debug, Subcommand)]
pub enum StoreVerb {
    /// Read every file, and say what is wrong (exit code 1 when a daemon would not start on it)
    #[command(after_help = "Example:\n  callboard store check --json")]
    Check,
    /// Take damage out of the way so that a daemon starts with what is left; nothing is deleted
    #[command(after_help = "Example:\n  callboard down && callboard store repair")]
    Repair,
    /// Print every entity as a line of JSON
    #[command(after_help = "Example:\n  callboard store export > backup.jsonl")]
    Export,
}

/// What `repair` prints for programs.
#[derive(Debug, Serialize)]
struct Repaired {
    put_aside: Vec<String>,
}

/// Does what `verb` says.
///
/// # Errors
/// Why it could not.
pub fn run(verb: &StoreVerb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        StoreVerb::Check => check(&prepared("check the store", context)?, context.output),
        StoreVerb::Repair => repair(&prepared("repair the store", context)?, context.output),
        StoreVerb::Export => export(&prepared("export the store", context)?, context.output),
    }
}

fn prepared(what: &str, context: &Context) -> Result<Prepared, Failure> {
    let options = Options {
        home: context.globals.home.clone(),
        socket: context.globals.socket.clone(),
        ..Options::default()
    };
    prepare(&options).map_err(|error| failed(what, &error))
}

fn failed(what: &str, error: &RunError) -> Failure {
    Failure::new(Exit::Failure, what, format_args!("failed to {error}"))
}

fn check(prepared: &Prepared, output: Output) -> Result<Exit, Failure> {
    let examined = prepared.check_store().map_err(|error| failed("check the store", &error))?;
    output.result(&examined, |output| print(&examined, output))?;
    let Some(damage) = &examined.damage else {
        return Ok(Exit::Ok);
    };
    let failure = Failure::new(Exit::Failure, "check the store", format_args!("failed to {damage}"));
    Err(failure.or_next("callboard store repair"))
}

fn print(examined: &Examined, output: Output) -> Result<(), Failure> {
    let mut table = Table::new(["FILE", "RECORDS", "STATE"]);
    for file in &examined.files {
        let state = if file.fault.is_some() { "damaged" } else { "good" };
        table.row([file.path.clone(), or_dash(file.records), state.to_owned()]);
    }
    output.table(&table, "no files")?;
    let (changes, bytes) = (examined.journal_changes, examined.journal_bytes);
    output.line(format_args!("journal since the last snapshot: {changes} changes, {bytes} bytes"))?;
    if let Some(torn) = &examined.torn {
        output.note(format_args!(
            "the journal has a torn end ({torn}): a line being written, or what a power cut left; the next start cuts it \
             off and keeps it"
        ));
    }
    Ok(())
}

fn repair(prepared: &Prepared, output: Output) -> Result<Exit, Failure> {
    let aside = prepared.repair_store().map_err(|error| match error {
        RunError::Instance(_) => failed("repair the store", &error).or_next("callboard down"),
        error => failed("repair the store", &error),
    })?;
    let repaired = Repaired { put_aside: aside.iter().map(|path| path.display().to_string()).collect() };
    output.result(&repaired, |output| {
        for path in &repaired.put_aside {
            output.line(format_args!("put aside {path}"))?;
        }
        if repaired.put_aside.is_empty() {
            output.line(format_args!("nothing is damaged"))?;
        }
        Ok(())
    })?;
    Ok(Exit::Ok)
}

/// Either the store can't be read, or nobody reads what is printed.
enum ExportError {
    Store(RunError),
    Print(Failure),
}

impl From<RunError> for ExportError {
    fn from(error: RunError) -> Self {
        Self::Store(error)
    }
}

fn export(prepared: &Prepared, output: Output) -> Result<Exit, Failure> {
    prepared.export_store(|line| output.json(line).map_err(ExportError::Print)).map_err(
        |error| match error {
            ExportError::Store(error) => failed("export the store", &error).or_next("callboard store check"),
            ExportError::Print(failure) => failure,
        },
    )?;
    Ok(Exit::Ok)
}
