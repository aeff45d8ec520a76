//! `callboard limit`: rates that agents share.

use callboard_protocol::methods::coordination::{Take, Taken};
use callboard_protocol::{Key, TtlMs, WaitMs};
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::duration::{format_left_ms, parse_ttl, parse_wait};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress;

/// What to do with shared rates.
#[derive(Debug, Subcommand)]
pub enum LimitVerb {
    /// Take a token from a bucket (exit code 3 when there is none in time)
    Take(TakeArgs),
}

/// `limit take`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callboard limit take api.example.com --rate 30 --per 1m --wait 5m && curl https://api.example.com/\n  callboard limit take builds --rate 2 --per 1h --json"
)]
pub struct TakeArgs {
    /// The bucket: whoever names it shares it
    name: Key,
    /// How many tokens come into it...
    #[arg(long, value_name = "COUNT")]
    rate: u64,
    /// ...in this time, such as 1m
    #[arg(long, value_name = "DURATION", value_parser = parse_ttl)]
    per: TtlMs,
    /// How many it holds at most [default: the rate]
    #[arg(long, value_name = "COUNT")]
    burst: Option<u64>,
    /// Wait this long for one [default: not at all]
    #[arg(long, value_name = "DURATION", value_parser = parse_wait)]
    wait: Option<WaitMs>,
}

/// Does what `verb` says.
///
/// # Errors
/// Why it could not.
pub async fn run(verb: LimitVerb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        LimitVerb::Take(args) => take(args, context).await,
    }
}

async fn take(args: TakeArgs, context: &Context) -> Result<Exit, Failure> {
    let what = format!("take a token from {}", args.name);
    let waiting = format!("waiting for a token from {}", args.name);
    let params =
        Take { name: args.name, rate: args.rate, per_ms: args.per, burst: args.burst, wait_ms: args.wait };
    let call = context.call(what, &params);
    let taken: Taken = progress::while_waiting(context.output, call, async || waiting.clone()).await?;
    context.output.result(&taken, |output| {
        if taken.allowed {
            return output.line(format_args!("allowed"));
        }
        output.line(format_args!("not allowed, retry after {}", format_left_ms(taken.retry_after_ms)))
    })?;
    Ok(if taken.allowed { Exit::Ok } else { Exit::Timeout })
}
