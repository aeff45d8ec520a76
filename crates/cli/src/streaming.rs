//! Events as they come, for the verbs that listen.
//!
//! Invariant: every event is printed before the next one is taken; a hole is told. A stream ends when enough came, when
//! nothing came in time, or when the daemon is gone, each with its own exit code.

use std::time::Duration;

use callboard_client::{Event, EventStream};
use callboard_protocol::WaitMs;
use callboard_protocol::event::Gap;
use callboard_protocol::methods::Verb;
use clap::Args;

use crate::context::Context;
use crate::duration::parse_wait;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// When to stop listening.
#[derive(Debug, Clone, Args)]
pub struct StreamArgs {
    /// Stop after this many events [default: never]
    #[arg(long, value_name = "COUNT")]
    pub count: Option<u64>,
    /// Stop, with exit code 3, when nothing comes for this long [default: never]
    #[arg(long, value_name = "DURATION", value_parser = parse_wait)]
    pub wait: Option<WaitMs>,
}

/// Subscribes by `params` and prints each event: its object with `--json`, else whatever `people` does with it. `counts`
/// says whether an event is one of those that `--count` counts.
///
/// # Errors
/// When nothing came in time, the daemon is gone, or `people` fails.
pub async fn print_events<V: Verb>(
    what: &str,
    context: &Context,
    params: &V,
    until: &StreamArgs,
    mut people: impl FnMut(&Event) -> Result<(), Failure>,
    counts: impl Fn(&Event) -> bool,
) -> Result<Exit, Failure> {
    let output = context.output;
    context
        .in_lasting_session(context.agent()?, async |session| {
            let mut stream = session.subscribe(what, params).await?;
            let mut missing = until.count;
            while missing != Some(0) {
                let event = next_event(what, output, &mut stream, until.wait).await?;
                if output.is_json() {
                    output.json(&event.params)?;
                } else if let Some(gap) = event.as_kind::<Gap>() {
                    note_gap(output, &gap);
                } else {
                    people(&event)?;
                }
                if counts(&event) && !event.is_gap() {
                    missing = missing.map(|missing| missing - 1);
                }
            }
            Ok(Exit::Ok)
        })
        .await
}

/// The next event.
///
/// # Errors
/// When there is none in time, the daemon is gone, or nobody reads the output any more.
pub async fn next_event(
    what: &str,
    output: Output,
    stream: &mut EventStream,
    wait: Option<WaitMs>,
) -> Result<Event, Failure> {
    let out_of_time = async {
        match wait {
            Some(wait) => tokio::time::sleep(Duration::from_millis(wait.get())).await,
            None => std::future::pending().await,
        }
    };
    let event = tokio::select! {
        biased;
        event = stream.next() => event,
        () = out_of_time => return Err(Failure::new(Exit::Timeout, what, "nothing came in time")),
        () = output.reader_left() => return Err(Failure::ReaderLeft),
    };
    event.ok_or_else(|| match stream.end() {
        Some(error) => Failure::client(what, error),
        None => Failure::new(Exit::Unreachable, what, "the daemon ended the connection"),
    })
}

/// Tells a person that events were missed.
pub fn note_gap(output: Output, gap: &Gap) {
    let missed = gap.missed;
    output.note(format_args!(
        "callboard: {missed} events were missed here: this reader was too slow, or the daemon started anew"
    ));
}
