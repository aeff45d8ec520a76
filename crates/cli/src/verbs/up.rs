//! `callboard up`: start the daemon if none runs.

use callboard_protocol::methods::server::{Info, ReadInfo};

use super::status;
use crate::context::{Context, Session};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress;

/// Waits until the daemon answers, and prints where it is.
///
/// # Errors
/// When it could not be started.
pub async fn run(context: &Context) -> Result<Exit, Failure> {
    let open = Session::open(context.spawning_options(None)?);
    let session =
        progress::while_waiting(context.output, open, async || "starting the daemon".to_owned()).await?;
    let info: Info = session.call("read the status", &ReadInfo {}).await?;
    session.close().await;
    status::print(context.output, &info)?;
    Ok(Exit::Ok)
}
