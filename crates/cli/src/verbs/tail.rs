//! `callboard tail`: every change of the board, for people.

use callboard_client::Event;
use callboard_protocol::event::Change;
use callboard_protocol::methods::server::{Area, Tail};
use clap::{Args, ValueEnum};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::instant::time_of_day;
use crate::output::Output;
use crate::streaming::{StreamArgs, print_events};
use crate::table::one_line;

/// `tail`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard tail --area lock,message")]
pub struct TailArgs {
    /// Only these parts of the board, several with commas [default: all]
    #[arg(long = "area", value_name = "AREA", value_delimiter = ',')]
    areas: Vec<AreaArg>,
    /// When to stop
    #[command(flatten)]
    until: StreamArgs,
}

/// [`Area`] on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum AreaArg {
    /// Keys
    Kv,
    /// Locks
    Lock,
    /// Messages
    Message,
    /// Topics
    Topic,
    /// Agents
    Agent,
    /// Tasks
    Task,
    /// Votes and limiters
    Coordination,
}

impl From<AreaArg> for Area {
    fn from(area: AreaArg) -> Self {
        match area {
            AreaArg::Kv => Self::Kv,
            AreaArg::Lock => Self::Lock,
            AreaArg::Message => Self::Message,
            AreaArg::Topic => Self::Topic,
            AreaArg::Agent => Self::Agent,
            AreaArg::Task => Self::Task,
            AreaArg::Coordination => Self::Coordination,
        }
    }
}

/// Watches until there is reason to stop.
///
/// # Errors
/// Why it could not.
pub async fn run(args: TailArgs, context: &Context) -> Result<Exit, Failure> {
    let areas: Vec<Area> = args.areas.into_iter().map(Area::from).collect();
    let params = Tail { areas: (!areas.is_empty()).then_some(areas) };
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
