//! `callboard tail`: every change of the board, for people.

use callboard_client::Event;
use callboard_protocol::event::Change;
use callboard_protocol::methods::server::{Area, Tail};
use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::instant::time_of_day;
use crate::output::Output;
use crate::streaming::{StreamArgs, print_events};
use crate::table::one_line;
use crate::word::{AREAS, one_of};

/// `tail`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard tail --area lock,message")]
pub struct TailArgs {
    /// Only these parts of the board, several with commas [default: all]
    #[arg(long = "area", value_name = "AREA", value_delimiter = ',', value_parser = one_of::<Area, 7>(AREAS))]
    areas: Vec<Area>,
    /// When to stop
    #[command(flatten)]
    until: StreamArgs,
}

/// Watches until there is reason to stop.
///
/// # Errors
/// Why it could not.
pub async fn run(args: TailArgs, context: &Context) -> Result<Exit, Failure> {
    let params = Tail { areas: (!args.areas.is_empty()).then_some(args.areas) };
    let output = context.output;
    let people = |event: &Event| print(output, event);
    print_events("watch the board", context, &params, &args.until, people, |_| true).await
}

fn print(output: Output, event: &Event) -> Result<(), Failure> {
    let Some(change) = event.as_kind::<Change>() else {
        return Ok(());
    };
    let area = match change.area {
        Area::Kv => "kv",
        Area::Lock => "lock",
        Area::Message => "message",
        Area::Topic => "topic",
        Area::Agent => "agent",
        Area::Task => "task",
        Area::Coordination => "coordination",
    };
    let agent = change.agent.as_ref().map_or("-", |agent| agent.as_str());
    let detail = change.detail.as_deref().map(|detail| format!("  {detail}")).unwrap_or_default();
    let said = one_line(&format!("{}  {}{detail}", change.action, change.subject));
    output.line(format_args!("{}  {area:<8} {agent:<12} {said}", time_of_day(change.at)))
}
