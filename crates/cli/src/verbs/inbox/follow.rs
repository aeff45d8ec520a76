//! `callboard inbox --follow`: messages as they come.

use callboard_protocol::event::{Gap, MessageWaiting};
use callboard_protocol::methods::lock::Bind;
use callboard_protocol::methods::message::{Message, Subscribe};

use super::{ReceiveArgs, settle};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::streaming::{next_event, note_gap};

/// Receives until there is reason to stop.
///
/// # Errors
/// Why it could not.
pub async fn run(args: ReceiveArgs, context: &Context) -> Result<Exit, Failure> {
    let what = "receive messages";
    let output = context.output;
    let agent = context.acting_agent(what)?;
    let params = Subscribe {
        wake: args.wake.then_some(true),
        lease_ms: args.lease,
        // One that reads and acks elsewhere may do so after this program has ended.
        bind: args.no_ack.then_some(Bind::Agent),
        types: args.types(),
        ..Subscribe::default()
    };
    context
        .in_lasting_session(Some(agent), async |session| {
            let mut stream = session.subscribe(what, &params).await?;
            let mut missing = args.count;
            while missing != Some(0) {
                let event = next_event(what, output, &mut stream, args.wait).await?;
                if output.is_json() {
                    output.json(&event.params)?;
                } else if let Some(gap) = event.as_kind::<Gap>() {
                    note_gap(output, &gap);
                }
                if let Some(message) = event.as_kind::<Message>() {
                    if !output.is_json() {
                        args.print(output, &message)?;
                    }
                    if !args.no_ack {
                        settle(session, message.receipt.into_iter().collect()).await?;
                    }
                } else if let Some(MessageWaiting { queued }) = event.as_kind() {
                    if !output.is_json() {
                        output.line(format_args!("{queued} waiting"))?;
                    }
                } else {
                    continue;
                }
                missing = missing.map(|missing| missing - 1);
            }
            Ok(Exit::Ok)
        })
        .await
}
