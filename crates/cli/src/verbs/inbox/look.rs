//! Looking into inboxes: what is there, and what became of a message.

use callboard_protocol::Revision;
use callboard_protocol::methods::message::{
    ById, Count, Counts, List, ListResult, Listed, MailBox, Requeue, Status, StatusResult,
};
use clap::{Args, ValueEnum};

use super::print;
use crate::context::Context;
use crate::duration::format_ms;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::instant::ago;
use crate::output::{Output, or_dash};
use crate::paging::{PageArgs, print_list};
use crate::table::Table;

/// `inbox list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  callboard inbox list --bodies\n  callboard inbox list --box dead")]
pub struct ListArgs {
    /// Which messages
    #[arg(long = "box", value_name = "BOX", default_value = "inbox")]
    mailbox: BoxArg,
    /// Give what they say too
    #[arg(long)]
    bodies: bool,
    /// How much
    #[command(flatten)]
    page: PageArgs,
}

/// [`MailBox`] on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum BoxArg {
    /// What waits or is being worked on
    Inbox,
    /// What you sent
    Sent,
    /// What was delivered too often, or could not be
    Dead,
}

impl From<BoxArg> for MailBox {
    fn from(mailbox: BoxArg) -> Self {
        match mailbox {
            BoxArg::Inbox => Self::Inbox,
            BoxArg::Sent => Self::Sent,
            BoxArg::Dead => Self::Dead,
        }
    }
}

/// Lists messages.
///
/// # Errors
/// Why it could not.
pub async fn list(args: ListArgs, context: &Context) -> Result<Exit, Failure> {
    let what = "list messages";
    let agent = context.acting_agent(what)?;
    let params =
        List { mailbox: Some(args.mailbox.into()), bodies: args.bodies.then_some(true), ..List::default() };
    let output = context.output;
    context
        .in_session(Some(agent), async |session| {
            print_list(session, output, what, params, &args.page, print_messages).await
        })
        .await?;
    Ok(Exit::Ok)
}

fn print_messages(output: Output, pages: Vec<ListResult>) -> Result<(), Failure> {
    let mut table = Table::new(["ID", "FROM", "TO", "TYPE", "STATE", "SENT", "SUBJECT", "SAYS"]);
    for message in pages.into_iter().flat_map(|page| page.messages) {
        table.row([
            message.id.to_string(),
            or_dash(message.from.as_ref()),
            recipients(&message),
            message.r#type.to_string(),
            print::state(message.state),
            ago(message.sent_at),
            or_dash(message.subject.as_ref()),
            print::payload(message.payload.as_ref()),
        ]);
    }
    output.table(&table, "no messages")
}

fn recipients(message: &Listed) -> String {
    let addresses = message.to.addresses().iter();
    addresses.map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Counts what is in the inbox.
///
/// # Errors
/// Why it could not.
pub async fn counts(context: &Context) -> Result<Exit, Failure> {
    let counts: Counts = context.call_as_agent("count messages", &Count {}).await?;
    context.output.result(&counts, |output| {
        let table = Table::of_facts([
            ("queued", counts.queued.to_string()),
            ("leased", counts.leased.to_string()),
            ("dead", counts.dead.to_string()),
            ("oldest", or_dash(counts.oldest_ms.map(format_ms))),
        ]);
        output.table(&table, "")
    })?;
    Ok(Exit::Ok)
}

/// Shows what became of a message.
///
/// # Errors
/// Why it could not.
pub async fn status(message: u64, context: &Context) -> Result<Exit, Failure> {
    let what = format!("look at message {message}");
    let params = Status { id: Revision(message) };
    let result: StatusResult = context.call(what, &params).await?;
    context.output.result(&result, |output| {
        let mut table = Table::new(["AGENT", "STATE", "DELIVERIES", "QUEUED", "RECEIVED", "ACKED"]);
        for recipient in &result.recipients {
            table.row([
                recipient.agent.to_string(),
                print::state(recipient.state),
                recipient.attempts.to_string(),
                ago(recipient.queued_at),
                or_dash(recipient.leased_at.map(ago)),
                or_dash(recipient.acked_at.map(ago)),
            ]);
        }
        output.table(&table, "it had no recipients")
    })?;
    Ok(Exit::Ok)
}

/// Puts a dead message back.
///
/// # Errors
/// Why it could not.
pub async fn requeue(message: u64, context: &Context) -> Result<Exit, Failure> {
    let what = format!("requeue message {message}");
    let params = Requeue { id: Revision(message) };
    let result: ById = context.call_as_agent(what, &params).await?;
    context.output.result(&result, |output| output.line(format_args!("requeued message {}", result.id)))?;
    Ok(Exit::Ok)
}
