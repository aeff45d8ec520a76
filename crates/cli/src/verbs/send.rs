//! `callboard send`: a message into inboxes.

use callboard_protocol::address::Recipients;
use callboard_protocol::id::RequestId;
use callboard_protocol::methods::message::{DeliveryState, Priority, Recipient, Send, Sent};
use callboard_protocol::{AgentName, Label, TtlMs};
use clap::Args;

use crate::context::Context;
use crate::duration::{parse_ms, parse_ttl};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::payload::PayloadArgs;
use crate::word::{PRIORITIES, one_of};

/// `send`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callboard send bob 'the build is green'\n  callboard send alice,role:tester -j '{\"branch\": \"main\"}' --priority high"
)]
pub struct SendArgs {
    /// To whom: NAME, role:ROLE (all of a role), any:ROLE (one of them) or '*' (everybody here); several with commas
    to: Recipients,
    /// What to say
    #[command(flatten)]
    payload: PayloadArgs,
    /// What kind of message it is, for programs [default: direct]
    #[arg(long = "type", value_name = "TYPE")]
    message_type: Option<Label>,
    /// What it is about, for people
    #[arg(long)]
    subject: Option<String>,
    /// What goes first [default: normal]
    #[arg(long, value_parser = one_of::<Priority, 4>(PRIORITIES))]
    priority: Option<Priority>,
    /// Who gets the answer [default: the sender]
    #[arg(long, value_name = "AGENT")]
    reply_to: Option<AgentName>,
    /// The thread it belongs to
    #[arg(long, value_name = "ID", value_parser = conversation)]
    thread: Option<RequestId>,
    /// Your own id for the conversation
    #[arg(long, value_name = "ID", value_parser = conversation)]
    correlation: Option<RequestId>,
    /// Drop it when it was not received for this long [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = parse_ttl)]
    ttl: Option<TtlMs>,
    /// Let it be received only after this long
    #[arg(long, value_name = "DURATION", value_parser = parse_ms)]
    delay: Option<u64>,
    /// Send it once: the same key within 2 minutes sends nothing
    #[arg(long, value_name = "KEY")]
    dedupe: Option<Label>,
}

/// An id as typed: an integer where it is one, else a string.
pub fn conversation(text: &str) -> Result<RequestId, String> {
    let string = || RequestId::from_json(&serde_json::Value::from(text).to_string());
    RequestId::from_json(text)
        .filter(|id| id.as_i64().is_some())
        .or_else(string)
        .ok_or_else(|| "it is no id".to_owned())
}

/// Sends the message.
///
/// # Errors
/// Why it could not.
pub async fn run(args: SendArgs, context: &Context) -> Result<Exit, Failure> {
    let what = "send the message";
    let params = Send {
        to: args.to,
        payload: args.payload.read(what)?,
        r#type: args.message_type,
        subject: args.subject,
        correlation_id: args.correlation,
        reply_to: args.reply_to,
        thread_id: args.thread,
        priority: args.priority,
        ttl_ms: args.ttl,
        delay_ms: args.delay,
        dedupe_key: args.dedupe,
    };
    let sent: Sent = context.call_as_agent(what, &params).await?;
    context.output.result(&sent, |output| {
        let verb = if sent.duplicate == Some(true) { "sent before" } else { "sent" };
        let outcomes: Vec<String> = sent.recipients.iter().map(outcome).collect();
        let outcomes = if outcomes.is_empty() { "nobody is here".to_owned() } else { outcomes.join(", ") };
        output.line(format_args!("{verb}, message {}: {outcomes}", sent.id))
    })?;
    Ok(Exit::Ok)
}

fn outcome(recipient: &Recipient) -> String {
    let agent = &recipient.agent;
    match recipient.state {
        DeliveryState::Refused => format!("{agent} refused (the inbox is full)"),
        _ if !recipient.known => format!("{agent} (never seen here, it waits)"),
        DeliveryState::Leased => format!("{agent} received"),
        DeliveryState::Queued | DeliveryState::Acked | DeliveryState::Dead | DeliveryState::Expired => {
            format!("{agent} queued")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_an_integer_or_a_string() {
        let written = |text| serde_json::to_string(&conversation(text).unwrap()).unwrap();
        assert_eq!(written("17"), "17");
        assert_eq!(written("release-1"), r#""release-1""#);
        assert_eq!(written("\"q\""), r#""\"q\"""#);
    }
}
