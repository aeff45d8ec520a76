//! `callboard reply`: the answer to a message.

use callboard_protocol::methods::message::{ById, Reply};
use callboard_protocol::{Label, Revision};
use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::payload::PayloadArgs;

/// `reply`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard reply 42 'yes, go ahead'")]
pub struct ReplyArgs {
    /// The message to answer, by its id
    #[arg(value_name = "MESSAGE")]
    message: u64,
    /// What to say
    #[command(flatten)]
    payload: PayloadArgs,
    /// What kind of message it is, for programs [default: response]
    #[arg(long = "type", value_name = "TYPE")]
    message_type: Option<Label>,
}

/// Answers the message, which also acks it.
///
/// # Errors
/// Why it could not.
pub async fn run(args: ReplyArgs, context: &Context) -> Result<Exit, Failure> {
    let what = format!("answer message {}", args.message);
    let params = Reply {
        to_message: Revision(args.message),
        payload: args.payload.read(&what)?,
        r#type: args.message_type,
    };
    let sent: ById = context.call_as_agent(what, &params).await?;
    context.output.result(&sent, |output| output.line(format_args!("answered, message {}", sent.id)))?;
    Ok(Exit::Ok)
}
