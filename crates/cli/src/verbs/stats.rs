//! `callboard stats`: the daemon's counters and gauges.

use callboard_protocol::methods::server::{ReadStats, Stats};

use crate::context::Context;
use crate::duration::format_ms;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::or_dash;
use crate::table::Table;

/// Prints them.
///
/// # Errors
/// Why it could not.
pub async fn run(context: &Context) -> Result<Exit, Failure> {
    let stats: Stats = context.call("read the counters", &ReadStats {}).await?;
    context.output.result(&stats, |output| {
        output.table(&gauges(&stats), "")?;
        for (name, counters) in [("REQUESTS", &stats.requests), ("ERRORS", &stats.errors)] {
            if counters.is_empty() {
                continue;
            }
            let mut table = Table::new([name, "COUNT"]);
            for (member, count) in counters {
                table.row([member.clone(), count.to_string()]);
            }
            output.line(format_args!(""))?;
            output.table(&table, "")?;
        }
        Ok(())
    })?;
    Ok(Exit::Ok)
}

fn gauges(stats: &Stats) -> Table {
    let tasks: usize = stats.tasks.values().sum();
    Table::of_facts([
        ("up for", format_ms(stats.uptime_ms)),
        ("connections", stats.connections.to_string()),
        ("sessions", stats.sessions.to_string()),
        ("namespaces", stats.namespaces.to_string()),
        ("agents live", stats.agents.to_string()),
        ("keys", stats.keys.to_string()),
        ("bytes", stats.bytes.to_string()),
        ("locks", stats.locks.to_string()),
        ("waiters", stats.waiters.to_string()),
        ("messages queued", stats.inbox.queued.to_string()),
        ("messages leased", stats.inbox.leased.to_string()),
        ("messages dead", stats.inbox.dead.to_string()),
        ("oldest message", or_dash(stats.inbox.oldest_ms.map(format_ms))),
        ("tasks", tasks.to_string()),
        ("changes unsaved", stats.store.unsaved_changes.to_string()),
        ("snapshots", stats.store.snapshots.to_string()),
        ("snapshots failed", stats.store.failures.to_string()),
        ("events dropped", stats.drops.to_string()),
    ])
}
