//! `callboard lock list`: who holds what, and who waits.

use callboard_protocol::AgentName;
use callboard_protocol::methods::lock::{List, ListResult, Mode};
use clap::Args;

use crate::context::Context;
use crate::duration::format_ms;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::instant::left;
use crate::output::{Output, or_dash};
use crate::paging::{PageArgs, print_list};
use crate::table::Table;

/// `lock list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  callboard lock list\n  callboard lock list src/ --holder bob --json")]
pub struct ListArgs {
    /// Only locks with a name that begins with this
    prefix: Option<String>,
    /// Only locks of this agent
    #[arg(long, value_name = "AGENT")]
    holder: Option<AgentName>,
    /// How much
    #[command(flatten)]
    page: PageArgs,
}

/// Lists the locks.
///
/// # Errors
/// Why it could not.
pub async fn run(args: ListArgs, context: &Context) -> Result<Exit, Failure> {
    let params = List { prefix: args.prefix, agent: args.holder, ..List::default() };
    let output = context.output;
    context
        .in_session(context.agent()?, async |session| {
            print_list(session, output, "list locks", params, &args.page, print).await
        })
        .await?;
    Ok(Exit::Ok)
}

fn print(output: Output, pages: Vec<ListResult>) -> Result<(), Failure> {
    let mut held = Table::new(["TOKEN", "HOLDER", "MODE", "LEFT", "NAMES", "REASON"]);
    let mut waiting = Table::new(["WAITER", "MODE", "POSITION", "WAITED", "NAMES", "WAITS FOR"]);
    for page in pages {
        for lock in page.locks {
            let left = lock.expires_at.map(left);
            held.row([
                lock.token.to_string(),
                lock.agent.to_string(),
                mode(lock.mode),
                or_dash(left),
                lock.keys.join(" "),
                or_dash(lock.reason),
            ]);
        }
        for waiter in page.waiters {
            let holders: Vec<&str> = waiter.waits_for.iter().map(AgentName::as_str).collect();
            waiting.row([
                waiter.agent.to_string(),
                mode(waiter.mode),
                waiter.position.to_string(),
                format_ms(waiter.waited_ms),
                waiter.keys.join(" "),
                holders.join(" "),
            ]);
        }
    }
    output.table(&held, "no locks")?;
    if !waiting.is_empty() {
        output.line(format_args!(""))?;
        output.table(&waiting, "")?;
    }
    Ok(())
}

fn mode(mode: Mode) -> String {
    match mode {
        Mode::Exclusive => "exclusive".to_owned(),
        Mode::Shared => "shared".to_owned(),
    }
}
