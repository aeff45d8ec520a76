//! A daemon that has nothing to do does nothing.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Daemon, Home, Raw, wait_for};

/// How long the daemon is watched.
const WATCHED: Duration = Duration::from_secs(2);

/// How often each thread of a process went to sleep so far; empty where the system does not tell.
fn sleeps(daemon: &Daemon) -> BTreeMap<String, u64> {
    let threads = fs::read_dir(format!("/proc/{}/task", daemon.pid())).into_iter().flatten();
    let statuses = threads.filter_map(|thread| {
        let path = thread.ok()?.path().join("status");
        let status = fs::read_to_string(&path).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        Some((path.display().to_string(), line.trim().parse().ok()?))
    });
    statuses.collect()
}

/// Watches a daemon that was left alone.
#[track_caller]
fn expect_no_wake_ups(daemon: &Daemon) {
    if sleeps(daemon).is_empty() {
        eprintln!("SKIPPED: this system does not count how often a thread sleeps");
        return;
    }
    let mut last = BTreeMap::new();
    let mut same = 0;
    let before = wait_for("the daemon has settled", || {
        let now = sleeps(daemon);
        same = if now == last { same + 1 } else { 0 };
        last.clone_from(&now);
        (same == 50).then_some(now)
    });
    // The one thing that is awaited here is that nothing happens.
    std::thread::sleep(WATCHED);
    assert_eq!(sleeps(daemon), before);
}

#[test]
fn a_daemon_that_nobody_uses_never_wakes_up() {
    let home = Home::new();
    let daemon = home.start();
    expect_no_wake_ups(&daemon);
}

#[test]
fn clients_leases_and_subscriptions_that_rest_cost_nothing() {
    let home = Home::new();
    let daemon = home.start();
    let mut clients: Vec<Raw> = (0..10).map(|number| home.connect_as(&format!("agent{number}"))).collect();
    let wait = json!({"keys": ["one/of/them"], "wait_ms": 3_600_000});
    for client in &mut clients {
        client.call("kv.set", json!({"key": "k", "value": 1, "ttl_ms": 3_600_000}));
        client.call("kv.watch", json!({"prefix": "none"}));
        client.call("topic.subscribe", json!({"pattern": "none"}));
        client.start("lock.acquire", wait.clone());
    }
    for client in &mut clients {
        client.call("server.ping", json!({}));
    }
    // One that is gone and in its grace no more, one that only ended its input.
    clients[9].end_input();
    clients[8].call("session.close", json!({}));
    // The last change is brought to the disk within a second.
    wait_for("all is synced", || {
        let store = clients[0].call("server.stats", json!({}))["store"].take();
        (store["unsynced_changes"] == 0).then_some(())
    });
    expect_no_wake_ups(&daemon);
}
