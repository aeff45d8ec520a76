//! `callboard status`: whether the daemon runs, and where. Starts nothing.

use callboard_protocol::methods::server::{Info, ReadInfo};
use callboard_protocol::methods::session::Durability;

use crate::context::{Context, Session};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::instant::now_ms;
use crate::output::Output;
use crate::table::Table;

/// Prints it.
///
/// # Errors
/// When no daemon answers.
pub async fn run(context: &Context) -> Result<Exit, Failure> {
    let session = Session::open(context.options(None)?)
        .await
        .map_err(|failure| failure.replacing_next("callboard up"))?;
    let info: Info = session.call("read the status", &ReadInfo {}).await?;
    session.close().await;
    print(context.output, &info)?;
    Ok(Exit::Ok)
}

/// Prints where the daemon is.
///
/// # Errors
/// When standard output can't be written.
pub fn print(output: Output, info: &Info) -> Result<(), Failure> {
    output.result(info, |output| {
        let table = Table::of_facts([
            ("socket", info.socket.clone()),
            ("pid", info.pid.to_string()),
            ("home", info.home.clone()),
            ("version", info.version.clone()),
            ("up for", crate::duration::format_ms(now_ms().saturating_sub(info.started_at))),
            ("durability", durability(info.durability).to_owned()),
        ]);
        output.table(&table, "")
    })
}

/// What an acknowledged change survives.
pub fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Memory => "memory: all is lost with the daemon",
        Durability::Snapshot => "snapshot: a clean stop loses nothing, a crash up to the last minute",
        Durability::Journal => "journal: a crash of the daemon loses nothing",
        Durability::Sync => "sync: a power cut loses nothing",
        Durability::Failed => "failed: the store can't be written, changes are refused",
    }
}
