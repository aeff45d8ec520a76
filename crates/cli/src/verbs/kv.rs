//! `callboard kv`: shared keys.

use callboard_protocol::methods::kv::{
    Delete, DeleteResult, Get, IfLock, Increment, IncrementResult, List, ListResult, Set, SetResult,
};
use callboard_protocol::{Key, Revision, TtlMs};
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::duration::{format_left_ms, parse_ttl};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, or_dash};
use crate::paging::{PageArgs, print_list};
use crate::table::Table;
use crate::text_value;

pub mod watch;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KvVerb {
    /// Give a key a value: a string, or JSON with -j
    Set(SetArgs),
    /// Print a key's value: a string bare, anything else as JSON (exit code 4 when there is no such key)
    #[command(after_help = "Example:\n  callboard kv get build/status")]
    Get {
        /// The key
        key: Key,
    },
    /// Delete a key; one that is not there is no error
    #[command(after_help = "Example:\n  callboard kv delete build/status")]
    Delete {
        /// The key
        key: Key,
        /// What must hold for it
        #[command(flatten)]
        condition: ConditionArgs,
    },
    /// List keys
    List(ListArgs),
    /// Print changes of keys as they happen
    Watch(watch::WatchArgs),
    /// Add to a whole number; a key that is not there counts as 0
    Incr(IncrArgs),
}

/// `kv set`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callboard kv set build/status green --ttl 5m\n  callboard kv set plan -j '{\"step\": 2}'\n  git diff | callboard kv set patch -"
)]
pub struct SetArgs {
    /// The key
    key: Key,
    /// The value, kept as a string whatever it looks like; - reads standard input, less one line break at its end
    #[arg(allow_negative_numbers = true)]
    value: String,
    /// The value is JSON
    #[arg(long, short = 'j')]
    json_value: bool,
    /// End the key after this long, such as 5m [default: never]
    #[arg(long, value_name = "DURATION", value_parser = parse_ttl)]
    ttl: Option<TtlMs>,
    /// Keep the TTL that the key has
    #[arg(long, conflicts_with = "ttl")]
    keep_ttl: bool,
    /// Only if there is no such key (else exit code 5)
    #[arg(long)]
    if_absent: bool,
    /// What must hold for it
    #[command(flatten)]
    condition: ConditionArgs,
}

/// What must hold for a change.
#[derive(Debug, Args)]
pub struct ConditionArgs {
    /// Only at this revision, 0 for no such key (else exit code 5)
    #[arg(long, value_name = "REVISION")]
    if_revision: Option<u64>,
    /// Only while the lock with this token is held and covers PATH (else exit code 5)
    #[arg(long, value_name = "PATH=TOKEN")]
    if_lock: Option<String>,
    /// Take the PATH of --if-lock as a name, as it is, not as a path
    #[arg(long = "name", requires = "if_lock")]
    is_name: bool,
}

/// `kv list`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard kv list build/ --values")]
pub struct ListArgs {
    /// Only keys that begin with this
    prefix: Option<String>,
    /// Give the values too
    #[arg(long)]
    values: bool,
    /// How much
    #[command(flatten)]
    page: PageArgs,
}

/// `kv incr`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callboard kv incr builds")]
pub struct IncrArgs {
    /// The key
    key: Key,
    /// What to add
    #[arg(default_value_t = 1, allow_negative_numbers = true)]
    by: i64,
    /// End the key after this long, if this creates it [default: never]
    #[arg(long, value_name = "DURATION", value_parser = parse_ttl)]
    ttl: Option<TtlMs>,
}

/// Does what `verb` says.
///
/// # Errors
/// Why it could not.
pub async fn run(verb: KvVerb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        KvVerb::Set(args) => set(args, context).await,
        KvVerb::Get { key } => get(key, context).await,
        KvVerb::Delete { key, condition } => delete(key, &condition, context).await,
        KvVerb::List(args) => list(args, context).await,
        KvVerb::Watch(args) => watch::run(args, context).await,
        KvVerb::Incr(args) => increment(args, context).await,
    }
}

async fn set(args: SetArgs, context: &Context) -> Result<Exit, Failure> {
    let what = format!("set the key {}", args.key);
    let params = Set {
        value: text_value::read(&what, &args.value, args.json_value)?,
        ttl_ms: args.ttl,
        if_absent: args.if_absent.then_some(true),
        if_revision: args.condition.if_revision.map(Revision),
        keep_ttl: args.keep_ttl.then_some(true),
        if_lock: args.condition.lock(&what, context)?,
        key: args.key,
    };
    let result: SetResult = context.call(what, &params).await?;
    context.output.result(&result, |output| {
        let verb = if result.created { "created" } else { "set" };
        output.line(format_args!("{verb}, revision {}", result.revision))
    })?;
    Ok(Exit::Ok)
}

async fn get(key: Key, context: &Context) -> Result<Exit, Failure> {
    let what = format!("get the key {key}");
    let result = context.call(&what, &Get { key }).await?;
    match &result.value {
        Some(value) => {
            context.output.result(&result, |output| output.value(value))?;
            Ok(Exit::Ok)
        }
        None if context.output.is_json() => {
            context.output.json(&result)?;
            Ok(Exit::NotFound)
        }
        None => Err(Failure::new(Exit::NotFound, what, "there is no such key").or_next("callboard kv list")),
    }
}

async fn delete(key: Key, condition: &ConditionArgs, context: &Context) -> Result<Exit, Failure> {
    let what = format!("delete the key {key}");
    let params = Delete {
        key,
        if_revision: condition.if_revision.map(Revision),
        if_lock: condition.lock(&what, context)?,
    };
    let result: DeleteResult = context.call(what, &params).await?;
    context.output.result(&result, |output| {
        let text = if result.deleted { "deleted" } else { "was not there" };
        output.line(format_args!("{text}"))
    })?;
    Ok(Exit::Ok)
}

async fn list(args: ListArgs, context: &Context) -> Result<Exit, Failure> {
    let params = List { prefix: args.prefix, values: args.values.then_some(true), ..List::default() };
    let people = |output: Output, pages: Vec<ListResult>| {
        let entries = pages.into_iter().flat_map(|page| page.entries);
        if args.values {
            let mut table = Table::new(["KEY", "REVISION", "TTL", "VALUE"]);
            for entry in entries {
                let value = or_dash(entry.value.as_ref());
                table.row([entry.key.to_string(), entry.revision.to_string(), ttl(entry.ttl_ms), value]);
            }
            return output.table(&table, "no keys");
        }
        let mut table = Table::new(["KEY", "REVISION", "TTL"]);
        for entry in entries {
            table.row([entry.key.to_string(), entry.revision.to_string(), ttl(entry.ttl_ms)]);
        }
        output.table(&table, "no keys")
    };
    let output = context.output;
    context
        .in_session(context.agent()?, async |session| {
            print_list(session, output, "list keys", params, &args.page, people).await
        })
        .await?;
    Ok(Exit::Ok)
}

async fn increment(args: IncrArgs, context: &Context) -> Result<Exit, Failure> {
    let what = format!("add to the key {}", args.key);
    let params = Increment { key: args.key, by: Some(args.by), ttl_ms: args.ttl };
    let result: IncrementResult = context.call(what, &params).await?;
    let value = result.value;
    context.output.result(&result, |output| output.line(format_args!("{value}")))?;
    Ok(Exit::Ok)
}

fn ttl(ttl_ms: Option<u64>) -> String {
    or_dash(ttl_ms.map(format_left_ms))
}

impl ConditionArgs {
    fn lock(&self, what: &str, context: &Context) -> Result<Option<IfLock>, Failure> {
        let Some(text) = &self.if_lock else {
            return Ok(None);
        };
        let wrong = || Failure::usage(what, "--if-lock takes PATH=TOKEN, such as src/main.rs=17");
        let (path, token) = text.rsplit_once('=').ok_or_else(wrong)?;
        let token = Revision(token.parse().map_err(|_| wrong())?);
        if self.is_name {
            return Ok(Some(IfLock { key: path.to_owned(), token }));
        }
        let name = context.place()?.lock_name(path);
        let name = name.map_err(|error| Failure::usage(what, format_args!("failed to {error}")))?;
        Ok(Some(IfLock { key: name.name, token }))
    }
}
