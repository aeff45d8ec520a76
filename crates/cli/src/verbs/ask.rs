//! `callboard ask`: a question, and the answer to it.

use callboard_protocol::Label;
use callboard_protocol::WaitMs;
use callboard_protocol::address::Address;
use callboard_protocol::id::RequestId;
use callboard_protocol::methods::message::{Answered, Request};
use clap::Args;

use super::send::conversation;
use crate::context::Context;
use crate::duration::parse_wait;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::payload::PayloadArgs;
use crate::progress;

/// `ask`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callboard ask bob 'may I merge?' --wait 5m\n  callboard ask any:reviewer -j '{\"pr\": 12}' --json"
)]
pub struct AskArgs {
    /// Whom: NAME, or any:ROLE (one of a role)
    to: Address,
    /// What to ask
    #[command(flatten)]
    payload: PayloadArgs,
    /// What kind of message it is, for programs [default: request]
    #[arg(long = "type", value_name = "TYPE")]
    message_type: Option<Label>,
    /// What it is about, for people
    #[arg(long)]
    subject: Option<String>,
    /// The thread it belongs to
    #[arg(long, value_name = "ID", value_parser = conversation)]
    thread: Option<RequestId>,
    /// How long to wait for the answer [default: 30s]
    #[arg(long, visible_alias = "timeout", value_name = "DURATION", value_parser = parse_wait)]
    wait: Option<WaitMs>,
}

/// Asks, and prints the answer.
///
/// # Errors
/// Why there is none.
pub async fn run(args: AskArgs, context: &Context) -> Result<Exit, Failure> {
    let what = format!("ask {}", args.to);
    let waiting = format!("waiting for {}", args.to);
    let params = Request {
        to: args.to,
        payload: args.payload.read(&what)?,
        r#type: args.message_type,
        subject: args.subject,
        thread_id: args.thread,
        timeout_ms: args.wait,
    };
    let call = context.call_as_agent(what, &params);
    let answered: Answered = progress::while_waiting(context.output, call, async || waiting.clone()).await?;
    context.output.result(&answered, |output| output.value(&answered.reply.payload))?;
    Ok(Exit::Ok)
}
