//! `callboard vote wait`: until a vote is closed.
//!
//! The result also comes into inboxes; it is not taken from there, where a program may wait for it. Instead this listens to
//! the board, and asks how the vote stands whenever something happened to it.

use std::time::{Duration, Instant};

use callboard_protocol::WaitMs;
use callboard_protocol::methods::coordination::{Get, State, Vote};
use callboard_protocol::methods::server::{Area, Tail};
use callboard_protocol::revision::VoteId;
use clap::Args;

use super::{id, print};
use crate::context::{Context, Session};
use crate::duration::parse_wait;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress;
use crate::streaming::next_event;

/// `vote wait`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard vote wait 12 --timeout 10m --json")]
pub struct WaitArgs {
    /// The vote's id
    #[arg(value_parser = id)]
    id: VoteId,
    /// How long to wait [default: until its deadline]
    #[arg(long, value_name = "DURATION", value_parser = parse_wait)]
    timeout: Option<WaitMs>,
}

/// Waits, and shows the vote.
///
/// # Errors
/// Why it is not closed.
pub async fn run(args: WaitArgs, context: &Context) -> Result<Exit, Failure> {
    let output = context.output;
    let waiting = format!("waiting for vote {} to close", args.id);
    context
        .in_lasting_session(context.agent()?, async |session| {
            let closed = until_closed(session, context, &args);
            let vote = progress::while_waiting(output, closed, async || waiting.clone()).await?;
            print(output, &vote)
        })
        .await?;
    Ok(Exit::Ok)
}

async fn until_closed(session: &Session, context: &Context, args: &WaitArgs) -> Result<Vote, Failure> {
    let what = format!("wait for vote {}", args.id);
    let start = Instant::now();
    let tail = Tail { areas: Some(vec![Area::Coordination]) };
    let mut changes = session.subscribe(&what, &tail).await?;
    loop {
        let vote = session.call(&what, &Get { id: args.id }).await?;
        if vote.state == State::Closed {
            return Ok(vote);
        }
        // Another vote's event does not make the wait any longer.
        let left = args.timeout.map(|timeout| {
            let left = Duration::from_millis(timeout.get()).saturating_sub(start.elapsed());
            WaitMs::new(u64::try_from(left.as_millis()).unwrap_or(u64::MAX)).unwrap_or(timeout)
        });
        next_event(&what, context.output, &mut changes, left).await?;
    }
}
