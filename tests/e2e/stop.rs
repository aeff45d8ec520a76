//! The clean stop on request: told to all, waited for by nobody.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Daemon, Framing, Home, PATIENCE, Raw, Stream};

/// A home whose configuration keeps the methods for people away.
fn without_admin() -> Home {
    Home::in_memory().with("CALLBOARD_ADMIN", false)
}

/// Sees a daemon out that was asked to stop.
#[track_caller]
pub fn expect_clean_end(home: &Home, daemon: Daemon) {
    let status = daemon.wait();
    assert!(status.success(), "{status}:\n{}", home.read_log());
    assert!(!home.socket().exists(), "the socket is still there");
    assert!(!home.read_log().contains("panicked"), "{}", home.read_log());
}

#[test]
fn a_stop_never_waits_for_those_who_do_not_read() {
    let home = Home::in_memory();
    let daemon = home.start();
    let mut deaf = home.connect();
    deaf.call("kv.set", json!({"key": "big", "value": "x".repeat(500_000)}));
    for _ in 0..8 {
        deaf.start("kv.get", json!({"key": "big"}));
    }
    let mut waiting = home.connect_as("ada");
    waiting.call("lock.acquire", json!({"keys": ["a"]}));
    let mut other = home.connect_as("bob");
    other.start("lock.acquire", json!({"keys": ["a"], "wait_ms": 3_600_000}));
    waiting.event_of("lock.contended");
    let asked = Instant::now();
    waiting.call("server.shutdown", json!({}));
    expect_clean_end(&home, daemon);
    assert!(asked.elapsed() < Duration::from_secs(4), "it took {:?}", asked.elapsed());
}

#[test]
fn a_request_stops_it_and_is_answered() {
    let home = Home::new();
    let daemon = home.start();
    let mut client = home.connect();
    client.call("kv.set", json!({"key": "a", "value": 1}));
    let mut other = home.connect();
    other.call("server.ping", json!({}));
    assert_eq!(client.call("server.shutdown", json!({})), json!({}));
    other.event_of("server.stopping");
    other.expect_end();
    client.drain();
    expect_clean_end(&home, daemon);
    let _next = home.start();
    assert_eq!(home.connect().call("kv.get", json!({"key": "a"}))["value"], 1);
}

#[test]
fn a_drain_gives_clients_their_time_and_ends_with_the_last_one() {
    let home = Home::new();
    let daemon = home.start();
    let mut worker = home.connect_as("ada");
    worker.call("server.ping", json!({}));
    let mut person = home.connect();
    let asked = Instant::now();
    person.call("server.shutdown", json!({"drain_ms": PATIENCE.as_millis()}));
    drop(person);
    worker.event_of("server.stopping");
    worker.call("kv.set", json!({"key": "last", "value": "words"}));
    drop(worker);
    expect_clean_end(&home, daemon);
    assert!(asked.elapsed() < PATIENCE / 2, "it took {:?}", asked.elapsed());
    let _next = home.start();
    assert_eq!(home.connect().call("kv.get", json!({"key": "last"}))["value"], "words");
}

#[test]
fn while_it_drains_nobody_else_is_let_in() {
    let home = Home::in_memory();
    let daemon = home.start();
    let mut worker = home.connect();
    worker.call("server.shutdown", json!({"drain_ms": 300}));
    worker.event_of("server.stopping");
    let answered = Stream::connect(home.socket()).is_ok_and(|stream| {
        let mut late = Raw::of(stream, Framing::Lines);
        let sent = std::io::Write::write_all(&mut late.writer(), b"{\"id\":1,\"method\":\"server.ping\"}\n");
        sent.is_ok() && late.frame().is_some_and(|frame| frame.contains("\"result\""))
    });
    assert!(!answered, "a stopping daemon let somebody in");
    worker.drain();
    expect_clean_end(&home, daemon);
}

#[test]
fn a_stopped_daemon_can_be_started_again_and_again() {
    let home = Home::new();
    let mut daemon = home.start();
    for count in 1..=5 {
        assert_eq!(home.connect().call("kv.increment", json!({"key": "n"}))["value"], count);
        daemon = home.stop_and_start(daemon);
    }
}

#[test]
fn agents_may_not_stop_it_where_the_configuration_says_so() {
    let home = without_admin();
    let _daemon = home.start();
    let mut client = home.connect_as("ada");
    client.refused("permission_denied", "server.shutdown", json!({}));
    client.refused("permission_denied", "namespace.clear", json!({"namespace": "default"}));
    client.refused("permission_denied", "agent.remove", json!({"name": "ada"}));
    client.refused("permission_denied", "lock.break", json!({"token": 1, "reason": "x"}));
    client.call("server.ping", json!({}));
}
