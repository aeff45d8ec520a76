//! `callboard subscribe`: what is published from now on.

use callboard_client::Event;
use callboard_protocol::event::TopicMessage;
use callboard_protocol::methods::topic::Subscribe;
use callboard_protocol::{Label, Topic};
use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, bare};
use crate::streaming::{StreamArgs, print_events};
use crate::table::one_line;

/// `subscribe`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callboard subscribe 'build.*'\n  callboard subscribe '>' --json --count 1 --wait 1m"
)]
pub struct SubscribeArgs {
    /// Topics: * is one word, > one or more at the end
    pattern: Topic,
    /// Share the topics with the others of this group: each message goes to one of it
    #[arg(long)]
    group: Option<Label>,
    /// When to stop
    #[command(flatten)]
    until: StreamArgs,
}

/// Listens until there is reason to stop.
///
/// # Errors
/// Why it could not.
pub async fn run(args: SubscribeArgs, context: &Context) -> Result<Exit, Failure> {
    let params = Subscribe { pattern: args.pattern, group: args.group };
    let output = context.output;
    let people = |event: &Event| print(output, event);
    print_events("listen", context, &params, &args.until, people, |_| true).await
}

fn print(output: Output, event: &Event) -> Result<(), Failure> {
    let Some(message) = event.as_kind::<TopicMessage>() else {
        return Ok(());
    };
    let from = message.from.as_ref().map(|from| format!("  {from}")).unwrap_or_default();
    let payload = bare(&message.payload);
    output.line(format_args!("{}{from}  {}", message.topic, one_line(&payload)))
}
