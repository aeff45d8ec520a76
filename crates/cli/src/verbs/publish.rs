//! `callboard publish`: to whoever listens now.

use callboard_protocol::Topic;
use callboard_protocol::methods::topic::{Publish, Published};
use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::payload::PayloadArgs;

/// `publish`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard publish build.done -j '{\"ok\": true}'")]
pub struct PublishArgs {
    /// The topic: words with dots between them
    topic: Topic,
    /// What to say
    #[command(flatten)]
    payload: PayloadArgs,
}

/// Publishes.
///
/// # Errors
/// Why it could not.
pub async fn run(args: PublishArgs, context: &Context) -> Result<Exit, Failure> {
    let what = format!("publish on {}", args.topic);
    let params = Publish { payload: args.payload.read(&what)?, topic: args.topic };
    let result: Published = context.call(what, &params).await?;
    context.output.result(&result, |output| {
        output.line(format_args!("published to {} subscribers", result.subscribers))
    })?;
    Ok(Exit::Ok)
}
