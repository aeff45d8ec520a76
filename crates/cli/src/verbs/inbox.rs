//! `callboard inbox`: receive messages, follow them, and settle what was received.
//!
//! A message counts as delivered once it was printed: only then it is acked. With `--no-ack` whoever reads the output acks.

use callboard_protocol::methods::lock::Bind;
use callboard_protocol::methods::message::{Ack, Acked, Message, Nack, Receive, Received};
use callboard_protocol::{AgentName, Label, ListLimit, TtlMs, WaitMs};
use clap::{Args, Subcommand};

use crate::context::{Context, Session};
use crate::duration::{parse_ms, parse_ttl, parse_wait};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::progress;

mod follow;
mod look;
mod print;

/// `inbox`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  callboard inbox --wait 30s\n  callboard inbox --from bob --payloads\n  callboard inbox --follow --json\n  callboard inbox --no-ack; callboard inbox ack RECEIPT"
)]
pub struct InboxArgs {
    /// What else to do
    #[command(subcommand)]
    verb: Option<InboxVerb>,
    /// What to receive
    #[command(flatten)]
    receive: ReceiveArgs,
}

/// What else to do with an inbox.
#[derive(Debug, Subcommand)]
pub enum InboxVerb {
    /// Settle messages that were received with --no-ack
    #[command(after_help = "Example:\n  callboard inbox ack RECEIPT")]
    Ack {
        /// The receipts
        #[arg(required = true, value_name = "RECEIPT")]
        receipts: Vec<String>,
    },
    /// Give a message back, to be received again
    #[command(after_help = "Example:\n  callboard inbox nack RECEIPT --delay 10s")]
    Nack {
        /// The receipt
        receipt: String,
        /// Not before this long
        #[arg(long, value_name = "DURATION", value_parser = parse_ms)]
        delay: Option<u64>,
        /// Why, for people
        #[arg(long)]
        reason: Option<String>,
    },
    /// Look at messages without receiving them
    List(look::ListArgs),
    /// Count what is in the inbox
    #[command(after_help = "Example:\n  callboard inbox counts")]
    Counts,
    /// Show what became of a message
    #[command(after_help = "Example:\n  callboard inbox status 42")]
    Status {
        /// The message's id
        message: u64,
    },
    /// Put a dead message back into the inbox
    #[command(after_help = "Example:\n  callboard inbox requeue 42")]
    Requeue {
        /// The message's id
        message: u64,
    },
}

/// What to receive.
#[derive(Debug, Args)]
pub struct ReceiveArgs {
    /// Receive at most this many [default: 100]
    #[arg(long, value_name = "COUNT", value_parser = max, conflicts_with = "follow")]
    max: Option<ListLimit>,
    /// Wait this long for the first one; nothing in time is exit code 3
    #[arg(long, value_name = "DURATION", value_parser = parse_wait)]
    wait: Option<WaitMs>,
    /// Go on receiving
    #[arg(long, short = 'f')]
    follow: bool,
    /// With --follow: stop after this many
    #[arg(long, value_name = "COUNT", requires = "follow")]
    count: Option<u64>,
    /// With --follow: only tell that messages wait, once until somebody receives
    #[arg(long, requires = "follow", conflicts_with_all = ["no_ack", "lease"])]
    wake: bool,
    /// Leave it to the reader to ack each receipt in time
    #[arg(long)]
    no_ack: bool,
    /// Print what the messages say, and nothing about them
    #[arg(long, conflicts_with = "no_ack")]
    payloads: bool,
    /// How long a message may stay unacked before it is delivered again [default: 1m]
    #[arg(long, value_name = "DURATION", value_parser = parse_ttl)]
    lease: Option<TtlMs>,
    /// Only messages of this type; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<Label>,
    /// Only messages of this sender
    #[arg(long, value_name = "AGENT", conflicts_with = "follow")]
    from: Option<AgentName>,
}

fn max(text: &str) -> Result<ListLimit, String> {
    let count = text.parse().ok().and_then(ListLimit::new);
    count.ok_or_else(|| "it may be 1 to 1000".to_owned())
}

impl ReceiveArgs {
    /// Prints a message as it was asked for.
    fn print(&self, output: Output, message: &Message) -> Result<(), Failure> {
        if self.payloads {
            output.value(&message.payload)
        } else {
            print::message(output, message, self.no_ack)
        }
    }

    fn types(&self) -> Option<Vec<Label>> {
        (!self.types.is_empty()).then(|| self.types.clone())
    }
}

/// Does what `args` say.
///
/// # Errors
/// Why it could not.
pub async fn run(args: InboxArgs, context: &Context) -> Result<Exit, Failure> {
    match args.verb {
        None if args.receive.follow => follow::run(args.receive, context).await,
        None => receive(args.receive, context).await,
        Some(InboxVerb::Ack { receipts }) => ack(receipts, context).await,
        Some(InboxVerb::Nack { receipt, delay, reason }) => nack(receipt, delay, reason, context).await,
        Some(InboxVerb::List(args)) => look::list(args, context).await,
        Some(InboxVerb::Counts) => look::counts(context).await,
        Some(InboxVerb::Status { message }) => look::status(message, context).await,
        Some(InboxVerb::Requeue { message }) => look::requeue(message, context).await,
    }
}

async fn receive(args: ReceiveArgs, context: &Context) -> Result<Exit, Failure> {
    let what = "receive messages";
    let output = context.output;
    let params = Receive {
        max: Some(args.max.unwrap_or_default()),
        wait_ms: args.wait,
        lease_ms: args.lease,
        bind: Some(Bind::Agent),
        types: args.types(),
        from: args.from.clone(),
        correlation_id: None,
    };
    let agent = context.acting_agent(what)?;
    context
        .in_session(Some(agent), async |session| {
            let call = session.call(what, &params);
            let received: Received =
                progress::while_waiting(output, call, async || "waiting for a message".to_owned()).await?;
            output.result(&received, |output| {
                received.messages.iter().try_for_each(|message| args.print(output, message))
            })?;
            if received.messages.is_empty() {
                return Ok(nothing(&args, context));
            }
            if !args.no_ack {
                settle(session, received.receipts()).await?;
            }
            Ok(Exit::Ok)
        })
        .await
}

fn nothing(args: &ReceiveArgs, context: &Context) -> Exit {
    if !context.output.is_json() {
        context.output.note(format_args!("no messages"));
    }
    match args.wait {
        Some(wait) if wait.get() > 0 => Exit::Timeout,
        Some(_) | None => Exit::Ok,
    }
}

/// Acks what was printed.
async fn settle(session: &Session, receipts: Vec<String>) -> Result<(), Failure> {
    let acked: Acked = session.call("ack what was printed", &Ack { receipts }).await?;
    match acked.stale.len() {
        0 => Ok(()),
        late => {
            let why = format!("{late} leases had run out: those messages will come again");
            Err(Failure::new(Exit::Conflict, "ack what was printed", why))
        }
    }
}

async fn ack(receipts: Vec<String>, context: &Context) -> Result<Exit, Failure> {
    let result: Acked = context.call_as_agent("ack", &Ack { receipts }).await?;
    context.output.result(&result, |output| {
        for receipt in &result.acked {
            output.line(format_args!("acked {receipt}"))?;
        }
        for stale in &result.stale {
            output.note(format_args!("callboard: stale {}: {}", stale.receipt, print::why(stale.why)));
        }
        Ok(())
    })?;
    Ok(if result.stale.is_empty() { Exit::Ok } else { Exit::Conflict })
}

async fn nack(
    receipt: String,
    delay: Option<u64>,
    reason: Option<String>,
    context: &Context,
) -> Result<Exit, Failure> {
    let params = Nack { receipt, delay_ms: delay, reason };
    let result = context.call_as_agent("give the message back", &params).await?;
    context.output.result(&result, |output| output.line(format_args!("given back")))?;
    Ok(Exit::Ok)
}
