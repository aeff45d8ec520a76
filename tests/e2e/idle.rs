//! A daemon that has nothing to do does nothing.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Daemon, Home, Raw, wait_for};

/// How long the daemon is watched.
const WATCHED: Duration = Duration::from_secs(2);

/// How often each thread of a process went to sleep so far, and for how many nanoseconds it ran, as text; empty where the
/// system does not tell.
fn doings(daemon: &Daemon) -> BTreeMap<String, (String, String)> {
    let threads = fs::read_dir(format!("/proc/{}/task", daemon.pid())).into_iter().flatten();
    let doings = threads.filter_map(|thread| {
        let thread = thread.ok()?.path();
        let status = fs::read_to_string(thread.join("status")).ok()?;
        let sleeps = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        let times = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
        let ran = times.split(' ').next().unwrap_or_default();
        Some((thread.display().to_string(), (sleeps.trim().to_owned(), ran.to_owned())))
    });
    doings.collect()
}

/// Waits for the last change to be brought to the disk, which happens within a second.
fn expect_synced(client: &mut Raw) {
    wait_for("all is synced", || {
        let store = client.call("server.stats", json!({}))["store"].take();
        (store["unsynced_changes"] == 0).then_some(())
    });
}

/// Watches a daemon that was left alone.
#[track_caller]
fn expect_no_wake_ups(daemon: &Daemon) {
    if doings(daemon).is_empty() {
        eprintln!("SKIPPED: this system does not count how often a thread sleeps");
        return;
    }
    let mut last = BTreeMap::new();
    let mut same = 0;
    let before = wait_for("the daemon has settled", || {
        let now = doings(daemon);
        same = if now == last { same + 1 } else { 0 };
        last.clone_from(&now);
        (same == 50).then_some(now)
    });
    // The one thing that is awaited here is that nothing happens.
    std::thread::sleep(WATCHED);
    assert_eq!(doings(daemon), before);
}

#[test]
fn a_daemon_that_nobody_uses_never_wakes_up() {
    let home = Home::new();
    let daemon = home.start();
    expect_no_wake_ups(&daemon);
}

#[test]
fn a_client_in_a_hurry_keeps_it_awake_no_longer_than_it_lasts() {
    let home = Home::new();
    let daemon = home.start();
    let mut client = home.connect_as("hasty");
    for _ in 0..2_000 {
        client.call("server.ping", json!({}));
    }
    expect_synced(&mut client);
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
    expect_synced(&mut clients[0]);
    expect_no_wake_ups(&daemon);
}
