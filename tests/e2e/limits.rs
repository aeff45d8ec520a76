//! Limits that a client runs into, set low by the configuration.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::{Framing, Home, Raw, wait_for};

/// Checks what `limit_exceeded` carries.
#[track_caller]
fn expect_limit(data: &Value, limit: &str, max: u64) {
    assert_eq!((&data["limit"], &data["max"]), (&json!(limit), &json!(max)), "{data}");
    assert!(data["used"].is_u64(), "{data}");
}

#[test]
fn a_connection_too_many_gets_one_line_and_the_end() {
    let home = Home::in_memory().with_limits("connections = 3");
    let _daemon = home.start();
    let mut clients: Vec<Raw> = (0..3).map(|_| home.connect()).collect();
    for client in &mut clients {
        client.call("server.ping", json!({}));
    }
    for _ in 0..10 {
        let mut refused = home.connect();
        expect_limit(&refused.next_failure("limit_exceeded"), "connections", 3);
        refused.expect_end();
    }
    for client in &mut clients {
        client.call("server.ping", json!({}));
    }
    drop(clients.pop());
    wait_for("room for one more", || home.answer().filter(|answer| answer.contains("result")));
}

#[test]
fn requests_of_one_connection_that_wait_are_counted() {
    let home = Home::in_memory().with_limits("waiting_per_connection = 2");
    let _daemon = home.start();
    home.connect_as("ada").call("lock.acquire", json!({"keys": ["a"]}));
    let wait = json!({"keys": ["a"], "wait_ms": 3_600_000});
    let mut client = home.connect_as("bob");
    let first = client.start("lock.acquire", wait.clone());
    client.start("lock.acquire", wait.clone());
    let data = client.refused("limit_exceeded", "lock.acquire", wait.clone());
    expect_limit(&data, "waiting_per_connection", 2);
    client.call("session.cancel", json!({"id": first}));
    let third = client.start("lock.acquire", wait.clone());
    client.call("session.cancel", json!({"id": third}));
    client.failure("cancelled", third);
    let mut other = home.connect_as("bob");
    let elsewhere = other.start("lock.acquire", wait);
    other.call("session.cancel", json!({"id": elsewhere}));
    other.failure("cancelled", elsewhere);
}

#[test]
fn subscriptions_of_one_session_are_counted() {
    let home = Home::in_memory().with_limits("subscriptions_per_session = 2");
    let _daemon = home.start();
    let mut client = home.connect();
    let first = client.call("kv.watch", json!({"prefix": ""}))["subscription"].take();
    client.call("topic.subscribe", json!({"pattern": ">"}));
    let data = client.refused("limit_exceeded", "agent.watch", json!({}));
    expect_limit(&data, "subscriptions_per_session", 2);
    client.call("session.unsubscribe", json!({"subscription": first}));
    client.call("agent.watch", json!({}));
    home.connect().call("kv.watch", json!({"prefix": ""}));
}

#[test]
fn a_value_is_measured_as_it_was_sent() {
    let home = Home::in_memory().with_limits("value_bytes = 100");
    let _daemon = home.start();
    let mut client = home.connect();
    let set = |value: &str| format!(r#"{{"id":1,"method":"kv.set","params":{{"key":"k","value":{value}}}}}"#);
    let spaced = |length: usize| format!("[{}]", " ".repeat(length - 2));
    client.send(&set(&spaced(100)));
    client.result(1);
    client.send(&set(&spaced(101)));
    expect_limit(&client.failure("limit_exceeded", 1), "value_bytes", 100);
    client.send(&set(&format!("\"{}\"", "\u{e9}".repeat(50))));
    client.failure("limit_exceeded", 1);
    let payload = json!({"topic": "t", "payload": "x".repeat(99)});
    client.refused("limit_exceeded", "topic.publish", payload);
}

#[test]
fn no_reply_is_larger_than_a_frame() {
    let home = Home::in_memory().with_limits("frame_bytes = 8192\nvalue_bytes = 4096");
    let _daemon = home.start();
    let mut client = home.connect();
    let keys: Vec<String> = (0..10).map(|number| format!("k{number}")).collect();
    for key in &keys {
        client.call("kv.set", json!({"key": key, "value": "x".repeat(2000)}));
    }
    let data = client.refused("limit_exceeded", "kv.get_many", json!({"keys": keys}));
    assert_eq!(data["limit"], "frame_bytes");
    let gets: Vec<Value> = keys.iter().map(|key| json!({"get": {"key": key}})).collect();
    let then = [vec![json!({"set": {"key": "new", "value": 1}})], gets].concat();
    client.refused("limit_exceeded", "kv.txn", json!({"if": [], "then": then}));
    assert_eq!(client.call("kv.get", json!({"key": "new"})), json!({"exists": false}));

    let mut listed = Vec::new();
    let mut params = json!({"prefix": "k", "values": true});
    loop {
        let id = client.start("kv.list", params.clone());
        let page = client.result(id);
        assert!(page.to_string().len() <= 8192);
        let entries = page["entries"].as_array().expect("entries");
        listed.extend(entries.iter().map(|entry| entry["key"].as_str().expect("a key").to_owned()));
        if page["cursor"].is_null() {
            break;
        }
        params["cursor"] = page["cursor"].clone();
    }
    assert_eq!(listed, keys);
}

#[test]
fn tables_of_a_namespace_have_their_limits() {
    let home = Home::in_memory().with_limits("keys = 2\nagents = 2\nlocks = 2\nlock_waiters = 1");
    let _daemon = home.start();
    let mut client = home.connect_as("ada");
    for key in ["a", "b"] {
        client.call("kv.set", json!({"key": key, "value": 1}));
        client.call("lock.acquire", json!({"keys": [key]}));
    }
    let data = client.refused("limit_exceeded", "kv.set", json!({"key": "c", "value": 1}));
    expect_limit(&data, "keys", 2);
    let data = client.refused("limit_exceeded", "lock.acquire", json!({"keys": ["c"]}));
    expect_limit(&data, "locks", 2);
    client.call("kv.set", json!({"key": "a", "value": 2}));
    client.call("lock.acquire", json!({"keys": ["a"]}));

    let mut waiter = home.connect_as("bob");
    waiter.start("lock.acquire", json!({"keys": ["a"], "wait_ms": 3_600_000}));
    let wait = json!({"keys": ["b"], "wait_ms": 3_600_000});
    expect_limit(&waiter.refused("limit_exceeded", "lock.acquire", wait), "lock_waiters", 1);
    let mut third = home.connect();
    expect_limit(&third.refused("limit_exceeded", "session.open", json!({"agent": "cyd"})), "agents", 2);
    third.call("session.open", json!({"agent": "bob"}));
}

#[test]
fn namespaces_have_their_limit_and_empty_ones_make_room() {
    let home = Home::in_memory().with_limits("namespaces = 2");
    let _daemon = home.start();
    for name in ["one", "two"] {
        let (mut client, _) = home.open(json!({"namespace": name}));
        client.call("kv.set", json!({"key": "a", "value": 1}));
        client.call("session.close", json!({}));
        client.expect_end();
    }
    let mut client = home.connect();
    let data = client.refused("limit_exceeded", "session.open", json!({"namespace": "three"}));
    expect_limit(&data, "namespaces", 2);
    let (mut person, _) = home.open(json!({"namespace": "one"}));
    person.call("namespace.clear", json!({"namespace": "two"}));
    client.call("session.open", json!({"namespace": "three"}));
}

#[test]
fn when_memory_is_used_up_only_what_grows_is_refused() {
    let home = Home::in_memory().with_limits("memory_bytes = 1000000");
    let _daemon = home.start();
    let mut client = home.connect_as("ada");
    let mut watcher = home.connect();
    watcher.call("kv.watch", json!({"prefix": "timed"}));
    client.call("lock.acquire", json!({"keys": ["held"]}));
    client.call("kv.set", json!({"key": "timed", "value": 1, "ttl_ms": 200}));
    let value = "x".repeat(50_000);
    let full = (0..100).find_map(|number| {
        let set = json!({"key": format!("k{number}"), "value": value});
        let id = client.start("kv.set", set);
        let reply = client.reply(id);
        reply.get("error").map(|error| error["data"].clone())
    });
    expect_limit(&full.expect("a limit"), "memory_bytes", 1_000_000);
    client.refused("limit_exceeded", "kv.set", json!({"key": "more", "value": value}));
    assert_eq!(client.call("kv.get", json!({"key": "k0"}))["value"], value);
    assert_eq!(client.call("lock.release", json!({"keys": ["held"]})), json!({"released": 1}));
    watcher.event_of("kv.put");
    watcher.event_of("kv.expire");
    for number in 0..10 {
        client.call("kv.delete", json!({"key": format!("k{number}")}));
    }
    wait_for("room again", || {
        let id = client.start("kv.set", json!({"key": "again", "value": 1}));
        client.reply(id).get("result").cloned()
    });
}

#[test]
fn a_configuration_that_is_wrong_stops_the_start_and_is_quoted() {
    for (text, parts) in [
        ("durabilty = \"memory\"", ["config.toml:1", "durabilty"]),
        ("grace_ms = 1\n[limits]\nconnections = 0", ["connections", "0"]),
        ("[limits]\nframe_bytes = 16777216", ["frame_bytes", "16777215"]),
        ("grace_ms = \"long\"", ["config.toml:1", "grace_ms"]),
    ] {
        let home = Home::in_memory().with_limits("");
        fs::write(home.path().join("config.toml"), text).expect("a configuration");
        let output = home.daemon().stderr(Stdio::piped()).output().expect("it ends");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && parts.iter().all(|part| log.contains(part)), "{text}: {log}");
    }
}

#[test]
fn a_thousand_clients_are_served_at_once() {
    raise_open_files();
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut clients: Vec<Raw> = (0..1000)
        .map(|number| home.connect_with(if number % 2 == 0 { Framing::Lines } else { Framing::Lengths }))
        .collect();
    let watch = json!({"key": "all"});
    let started: Vec<u64> =
        clients.iter_mut().map(|client| client.start("kv.watch", watch.clone())).collect();
    for (client, id) in clients.iter_mut().zip(started) {
        client.result(id);
    }
    assert_eq!(clients[0].call("server.stats", json!({}))["connections"], 1000);
    clients[1].call("kv.set", json!({"key": "all", "value": "together"}));
    for client in &mut clients {
        assert_eq!(client.event_of("kv.put")["value"], "together");
    }
}

#[cfg(unix)]
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("as many descriptors as are allowed");
}

#[cfg(windows)]
fn raise_open_files() {}
