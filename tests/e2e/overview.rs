//! What only the daemon around the boards knows: its namespaces, its counters, its timers, and who hears of what.

use serde_json::{Value, json};

use crate::harness::{Home, wait_for};

#[test]
fn namespaces_are_listed_in_pages_and_can_be_cleared() {
    let home = Home::new();
    let daemon = home.start();
    for (name, keys) in [("a", 1), ("b", 2), ("c/d", 3)] {
        let (mut client, _) = home.open(json!({"namespace": name}));
        for key in 0..keys {
            client.call("kv.set", json!({"key": format!("k{key}"), "value": 1}));
        }
    }
    let mut person = home.connect();
    let mut listed = Vec::new();
    let mut params = json!({"limit": 1});
    loop {
        let page = person.call("namespace.list", params.clone());
        for namespace in page["namespaces"].as_array().expect("namespaces") {
            listed.push((namespace["name"].clone(), namespace["keys"].clone()));
        }
        if page["cursor"].is_null() {
            break;
        }
        params["cursor"] = page["cursor"].clone();
    }
    listed.retain(|(_, keys)| *keys != 0);
    assert_eq!(json!(listed), json!([["a", 1], ["b", 2], ["c/d", 3]]));
    let (mut watcher, _) = home.open(json!({"namespace": "b"}));
    watcher.call("kv.watch", json!({"prefix": ""}));
    assert_eq!(person.call("namespace.clear", json!({"namespace": "b"})), json!({"removed": 2}));
    assert_eq!(watcher.call("kv.get", json!({"key": "k0"})), json!({"exists": false}));
    let _daemon = home.stop_and_start(daemon);
    let (mut after, _) = home.open(json!({"namespace": "b"}));
    assert_eq!(after.call("kv.list", json!({}))["entries"], json!([]));
    assert_eq!(home.open(json!({"namespace": "a"})).0.call("kv.get", json!({"key": "k0"}))["value"], 1);
}

#[test]
fn the_counters_count_what_happened() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect_as("ada");
    for number in 0..3 {
        client.call("kv.set", json!({"key": format!("k{number}"), "value": 1}));
    }
    client.refused("invalid_params", "kv.set", json!({}));
    client.refused("method_not_found", "no.such", json!({}));
    client.call("lock.acquire", json!({"keys": ["a"]}));
    let mut waiter = home.connect_as("bob");
    waiter.start("lock.acquire", json!({"keys": ["a"], "wait_ms": 3_600_000}));
    waiter.call("server.ping", json!({}));
    let stats = client.call("server.stats", json!({}));
    assert_eq!((&stats["keys"], &stats["locks"], &stats["waiters"]), (&json!(3), &json!(1), &json!(1)));
    assert_eq!(
        (&stats["connections"], &stats["sessions"], &stats["agents"]),
        (&json!(2), &json!(2), &json!(2))
    );
    assert_eq!((&stats["requests"]["kv.set"], &stats["requests"]["lock.acquire"]), (&json!(4), &json!(2)));
    assert_eq!(stats["errors"]["invalid_params"], 1);
    assert_eq!(stats["errors"]["method_not_found"], 1);
    assert!(stats["bytes"].as_u64() > Some(0), "{stats}");
}

#[test]
fn nothing_is_left_of_clients_that_came_and_went() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 0);
    let _daemon = home.start();
    let mut observer = home.connect();
    let before = observer.call("server.stats", json!({}));
    for number in 0..300 {
        let mut client = home.connect_as(&format!("agent{}", number % 10));
        client.call("kv.watch", json!({"prefix": ""}));
        client.start("message.receive", json!({"wait_ms": 3_600_000}));
        client.start("lock.acquire", json!({"keys": ["a"], "bind": "session", "wait_ms": 3_600_000}));
    }
    wait_for("all are gone", || {
        let now = observer.call("server.stats", json!({}));
        let is_same =
            ["connections", "sessions", "locks", "waiters"].iter().all(|name| now[name] == before[name]);
        is_same.then_some(())
    });
}

#[test]
fn time_tells_those_who_are_concerned_without_anybody_looking() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut ada, mut other_ada, mut watcher) =
        (home.connect_as("ada"), home.connect_as("ada"), home.connect_as("bob"));
    watcher.call("kv.watch", json!({"key": "k"}));
    ada.call("kv.set", json!({"key": "k", "value": 1, "ttl_ms": 30}));
    let token = ada.call("lock.acquire", json!({"keys": ["a"], "ttl_ms": 30}))["token"].take();
    assert_eq!(watcher.event_of("kv.put")["by"], "ada");
    assert_eq!(watcher.event_of("kv.expire")["by"], Value::Null);
    for client in [&mut ada, &mut other_ada] {
        let lost = client.event_of("lock.lost");
        assert_eq!((&lost["token"], &lost["why"]), (&token, &json!("expired")));
        assert_eq!((&lost["subscription"], &lost["seq"]), (&json!(0), &json!(1)));
    }
    assert!(!watcher.has_events());
}

#[test]
fn a_tail_sees_the_changes_of_its_namespace() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut person, mut client) = (home.connect(), home.connect_as("ada"));
    let subscription = person.call("server.tail", json!({"areas": ["lock"]}))["subscription"].take();
    client.call("kv.set", json!({"key": "k", "value": 1}));
    client.call("lock.acquire", json!({"keys": ["a"]}));
    client.call("lock.release", json!({"keys": ["a"]}));
    home.open(json!({"namespace": "other", "agent": "ada"})).0.call("lock.acquire", json!({"keys": ["b"]}));
    for seq in 1..=2 {
        let event = person.event();
        assert_eq!((&event["subscription"], &event["seq"]), (&subscription, &json!(seq)), "{event}");
    }
    assert!(!person.has_events());
}
