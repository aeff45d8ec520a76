//! `callboard kv watch`: changes of keys as they happen.

use callboard_client::Event;
use callboard_protocol::event::{KvDelete, KvExpire, KvPut, KvSynced};
use callboard_protocol::methods::kv::Watch;
use callboard_protocol::{AgentName, Key, Revision};
use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::streaming::{StreamArgs, print_events};
use crate::table::one_line;

const SYNCED: &str = "kv.synced";

/// `kv watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callboard kv watch build/status\n  callboard kv watch --prefix build/ --initial --json"
)]
pub struct WatchArgs {
    /// The key to watch [default: all keys]
    #[arg(conflicts_with = "prefix")]
    key: Option<Key>,
    /// Watch all keys that begin with this
    #[arg(long)]
    prefix: Option<String>,
    /// First print what is there now
    #[arg(long)]
    initial: bool,
    /// Begin with the changes since this revision, inclusive
    #[arg(long, value_name = "REVISION", conflicts_with = "initial")]
    from_revision: Option<u64>,
    /// When to stop
    #[command(flatten)]
    until: StreamArgs,
}

/// Watches until there is reason to stop.
///
/// # Errors
/// Why it could not.
pub async fn run(args: WatchArgs, context: &Context) -> Result<Exit, Failure> {
    let prefix = match args.key {
        Some(_) => None,
        None => Some(args.prefix.unwrap_or_default()),
    };
    let params = Watch {
        key: args.key,
        prefix,
        from_revision: args.from_revision.map(Revision),
        initial: args.initial.then_some(true),
    };
    let output = context.output;
    let people = |event: &Event| print(output, event);
    print_events("watch keys", context, &params, &args.until, people, |event| event.kind != SYNCED).await
}

fn print(output: Output, event: &Event) -> Result<(), Failure> {
    let by = |by: &Option<AgentName>| by.as_ref().map(|by| format!("  by {by}")).unwrap_or_default();
    if let Some(put) = event.as_kind::<KvPut>() {
        let value = one_line(put.value.as_str());
        return output.line(format_args!("{}  put     {} = {value}{}", put.revision, put.key, by(&put.by)));
    }
    if let Some(deleted) = event.as_kind::<KvDelete>() {
        return output.line(format_args!("{}  delete  {}{}", deleted.revision, deleted.key, by(&deleted.by)));
    }
    if let Some(expired) = event.as_kind::<KvExpire>() {
        return output.line(format_args!("{}  expire  {}", expired.revision, expired.key));
    }
    if let Some(synced) = event.as_kind::<KvSynced>() {
        output.note(format_args!("up to date at revision {}", synced.revision));
    }
    Ok(())
}
