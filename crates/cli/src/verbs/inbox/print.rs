//! Messages and their states as people read them.

use callboard_protocol::Json;
use callboard_protocol::methods::message::{DeliveryState, Message, Priority, Stale};

use crate::failure::Failure;
use crate::instant::ago;
use crate::output::Output;
use crate::table::one_line;

/// The type of a message whose sender waits for an answer, unless it chose another.
const REQUEST: &str = "request";

/// Prints a message: a line about it, then what it says. With `with_receipt` also what acks it.
///
/// # Errors
/// When standard output can't be written.
pub fn message(output: Output, message: &Message, with_receipt: bool) -> Result<(), Failure> {
    let from = message.from.as_ref().map_or("callboard", |from| from.as_str());
    let mut head =
        format!("message {} from {from}, {}, {}", message.id, message.r#type, ago(message.sent_at));
    match message.priority {
        Priority::Normal => {}
        Priority::Low => head.push_str(", low priority"),
        Priority::High => head.push_str(", high priority"),
        Priority::Urgent => head.push_str(", urgent"),
    }
    if message.attempt > 1 {
        head.push_str(&format!(", delivery {}", message.attempt));
    }
    if message.late {
        head.push_str(", late");
    }
    if let Some(answered) = message.in_reply_to {
        head.push_str(&format!(", answers {answered}"));
    }
    if let Some(subject) = &message.subject {
        head.push_str(&format!(": {}", one_line(subject)));
    }
    output.line(format_args!("{head}"))?;
    output.value(&message.payload)?;
    if message.r#type.as_str() == REQUEST {
        output.line(format_args!("answer with: callboard reply {} TEXT", message.id))?;
    }
    match message.receipt.as_ref().filter(|_| with_receipt) {
        Some(receipt) => output.line(format_args!("receipt {receipt}")),
        None => Ok(()),
    }
}

/// A payload in a table.
pub fn payload(payload: Option<&Json>) -> String {
    payload.map(crate::output::bare).unwrap_or_default()
}

/// Where a delivery stands.
pub fn state(state: DeliveryState) -> String {
    match state {
        DeliveryState::Queued => "queued",
        DeliveryState::Leased => "leased",
        DeliveryState::Acked => "acked",
        DeliveryState::Dead => "dead",
        DeliveryState::Expired => "expired",
        DeliveryState::Refused => "refused",
    }
    .to_owned()
}

/// Why a receipt no longer counts.
pub fn why(stale: Stale) -> &'static str {
    match stale {
        Stale::Expired => "its time was over",
        Stale::Released => "it was given back",
        Stale::Broken => "it was broken",
        Stale::Acked => "it was acked before",
    }
}
