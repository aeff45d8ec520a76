//! A session that outlives its connection, and its daemon.

use serde_json::{Value, json};

use crate::harness::{Daemon, Home, Raw, wait_for};

const HOUR_MS: u64 = 3_600_000;

/// A daemon whose sessions outlive any test.
fn patient() -> (Home, Daemon) {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", HOUR_MS);
    let daemon = home.start();
    (home, daemon)
}

#[track_caller]
fn resume(home: &Home, opened: &Value) -> (Raw, Value) {
    home.open(json!({"resume": opened["resume_token"]}))
}

/// Hangs up, and sees that the daemon has noticed: what it wrote before that is gone with the connection.
#[track_caller]
fn hang_up(client: Raw, other: &mut Raw) {
    let connections = |other: &mut Raw| other.call("server.stats", json!({}))["connections"].as_u64();
    let before = connections(other);
    drop(client);
    wait_for("the daemon notices the hang-up", || (connections(other) < before).then_some(()));
}

#[test]
fn a_resumed_session_is_the_same_one() {
    let (home, _daemon) = patient();
    let (mut client, opened) = home.open(json!({"agent": "ada", "namespace": "n"}));
    let held = client.call("lock.acquire", json!({"keys": ["a"], "bind": "session"}));
    assert_eq!((&held["ttl_ms"], &held["expires_at"]), (&json!(null), &json!(null)));
    drop(client);
    let (mut again, resumed) = resume(&home, &opened);
    assert_eq!(resumed["resumed"], true);
    for member in ["session_id", "agent", "namespace", "instance_id", "sessions"] {
        assert_eq!(resumed[member], opened[member], "{member}");
    }
    assert_eq!(again.call("lock.list", json!({}))["locks"][0]["token"], held["token"]);
    again.call("lock.release", json!({"token": held["token"]}));
    drop(again);
    let (_third, third) = resume(&home, &resumed);
    assert_eq!((&third["resumed"], &third["session_id"]), (&json!(true), &opened["session_id"]));
}

#[test]
fn subscriptions_go_on_where_they_were() {
    let (home, _daemon) = patient();
    let (mut client, opened) = home.open(json!({}));
    let watch = client.call("kv.watch", json!({"prefix": ""}))["subscription"].take();
    client.call("kv.set", json!({"key": "a", "value": 1}));
    assert_eq!(client.event_of("kv.put")["seq"], 1);
    // Once this is answered, the daemon knows that it has written the event.
    client.call("server.ping", json!({}));
    let mut other = home.connect();
    hang_up(client, &mut other);
    for value in 2..5 {
        other.call("kv.set", json!({"key": "a", "value": value}));
    }
    let (mut again, _) = resume(&home, &opened);
    other.call("kv.set", json!({"key": "a", "value": 5}));
    for value in 2..=5 {
        let event = again.event_of("kv.put");
        assert_eq!(event["value"], value);
        assert_eq!((&event["seq"], &event["subscription"]), (&json!(value), &watch));
    }
    let second = again.call("kv.watch", json!({"prefix": ""}))["subscription"].take();
    assert_ne!(second, watch);
}

#[test]
fn what_was_not_read_comes_once_and_in_order_after_a_resume() {
    let (home, _daemon) = patient();
    let (mut client, opened) = home.open(json!({}));
    client.call("topic.subscribe", json!({"pattern": ">"}));
    let mut publisher = home.connect();
    // More than the buffers of a socket hold, less than the soft limit.
    let padding = "x".repeat(20_000);
    for number in 0..100 {
        publisher.call("topic.publish", json!({"topic": "t", "payload": [number, padding]}));
    }
    let mut last = 0;
    while last < 10 {
        last = client.event_of("topic")["seq"].as_u64().expect("a seq");
    }
    drop(client);
    let (mut again, _) = resume(&home, &opened);
    // What the system had taken and nobody read is gone; what comes is in order, and has no hole.
    let first = again.event_of("topic")["seq"].as_u64().expect("a seq");
    assert!(first > 1, "event {first} came again, of {last} that were read");
    for seq in first + 1..=100 {
        let event = again.event_of("topic");
        assert_eq!((&event["seq"], &event["payload"][0]), (&json!(seq), &json!(seq - 1)));
    }
    assert!(!again.has_events());
}

#[test]
fn what_overflowed_while_nobody_was_there_is_a_gap() {
    let home = Home::in_memory()
        .with("CALLBOARD_GRACE_MS", HOUR_MS)
        .with_limits("outbound_soft_bytes = 65536\noutbound_hard_bytes = 262144");
    let _daemon = home.start();
    let (mut client, opened) = home.open(json!({}));
    client.call("kv.watch", json!({"prefix": ""}));
    let mut writer = home.connect();
    hang_up(client, &mut writer);
    let value = "x".repeat(2000);
    for number in 0..300 {
        writer.call("kv.set", json!({"key": format!("k{number}"), "value": value}));
    }
    let (mut again, _) = resume(&home, &opened);
    let mut next = 1;
    let mut missed = 0;
    while next <= 300 {
        let event = again.event();
        assert_eq!(event["seq"], next);
        let count = event["missed"].as_u64().unwrap_or_default();
        missed += count;
        next += count.max(1);
    }
    assert!(missed > 0 && next == 301, "{missed} of {next}");
    writer.call("kv.set", json!({"key": "last", "value": 1}));
    assert_eq!(again.event_of("kv.put")["seq"], 301);
}

#[test]
fn a_resume_closes_the_connection_that_is_still_open() {
    let (home, _daemon) = patient();
    let (mut first, opened) = home.open(json!({"agent": "bob"}));
    let mut holder = home.connect_as("ada");
    let token = holder.call("lock.acquire", json!({"keys": ["a"]}))["token"].take();
    let waiting = first.start("lock.acquire", json!({"keys": ["a"], "wait_ms": HOUR_MS}));
    holder.event_of("lock.contended");
    let (mut second, resumed) = resume(&home, &opened);
    assert_eq!((&resumed["resumed"], &resumed["sessions"]), (&json!(true), &json!(1)));
    first.expect_end();
    // Waiting requests ended with their connection.
    assert_eq!(second.call("session.cancel", json!({"id": waiting})), json!({"cancelled": false}));
    holder.call("lock.release", json!({"token": token}));
    assert_eq!(second.call("lock.list", json!({}))["locks"], json!([]));
    // And it is still this session: the old connection's end starts no grace.
    second.call("session.close", json!({}));
    second.expect_end();
}

#[test]
fn an_unknown_token_is_a_new_session_and_no_error() {
    let (home, _daemon) = patient();
    let (_client, opened) = home.open(json!({"agent": "ada"}));
    let id = opened["session_id"].as_str().expect("an id").to_owned();
    let forged = format!("{id}.00000000000000000000000000000000");
    for token in ["", "nonsense", "0123456789abcdef", &id, &forged, "....", "\u{e9}"] {
        let (_, other) = home.open(json!({"resume": token, "agent": "bob"}));
        assert_eq!((&other["resumed"], &other["agent"]), (&json!(false), &json!("bob")), "{token}");
        assert_ne!(other["session_id"], opened["session_id"]);
    }
    let mut wrong = home.connect();
    wrong.refused("invalid_params", "session.open", json!({"resume": 7}));
}

#[test]
fn a_resume_for_another_agent_or_namespace_is_refused_and_may_be_tried_again() {
    let (home, _daemon) = patient();
    let (mut first, opened) = home.open(json!({"agent": "ada", "namespace": "n"}));
    let token = &opened["resume_token"];
    let mut client = home.connect();
    let data = client.refused("invalid_params", "session.open", json!({"resume": token, "agent": "bob"}));
    assert_eq!(data["member"], "agent");
    let data = client.refused("invalid_params", "session.open", json!({"resume": token, "namespace": "m"}));
    assert_eq!(data["member"], "namespace");
    first.call("server.ping", json!({}));
    let right = json!({"resume": token, "agent": "ada", "namespace": "n"});
    assert_eq!(client.call("session.open", right)["resumed"], true);
    first.expect_end();
}

#[test]
fn an_answer_that_the_old_connection_could_not_write_lands_in_the_inbox() {
    let (home, _daemon) = patient();
    let (mut asker, opened) = home.open(json!({"agent": "ada"}));
    let mut other = home.connect_as("bob");
    other.call("kv.set", json!({"key": "big", "value": "x".repeat(1_000_000)}));
    // More than the system takes, and nobody reads it.
    for _ in 0..4 {
        asker.start("kv.get", json!({"key": "big"}));
    }
    asker.start("message.request", json!({"to": "bob", "payload": "?"}));
    let received = other.call("message.receive", json!({"wait_ms": HOUR_MS}));
    other.call("message.reply", json!({"to_message": received["messages"][0]["id"], "payload": "!"}));
    let (mut again, _) = resume(&home, &opened);
    let messages = again.call("message.receive", json!({}))["messages"].take();
    assert_eq!((&messages[0]["payload"], &messages[0]["late"]), (&json!("!"), &json!(true)));
    drop(asker);
}

#[test]
fn after_the_grace_it_is_too_late() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 30);
    let _daemon = home.start();
    let (client, opened) = home.open(json!({"agent": "ada"}));
    drop(client);
    let mut other = home.connect();
    wait_for("the session is over", || {
        let agent = other.call("agent.get", json!({"name": "ada"}))["agent"].take();
        (agent["sessions"] == 0).then_some(())
    });
    let (_late, late) = resume(&home, &opened);
    assert_eq!((&late["resumed"], &late["agent"]), (&json!(false), &json!(null)));
}

#[test]
fn after_a_restart_the_leases_are_there_and_the_subscriptions_are_not() {
    let home = Home::new();
    let daemon = home.start();
    let (mut client, opened) = home.open(json!({"agent": "ada", "namespace": "n"}));
    let bound = client.call("lock.acquire", json!({"keys": ["s"], "bind": "session"}));
    client.call("kv.watch", json!({"prefix": ""}));
    let daemon = home.stop_and_start(daemon);
    client.drain();

    let (mut again, resumed) = resume(&home, &opened);
    assert_eq!((&resumed["resumed"], &resumed["agent"]), (&json!(true), &json!("ada")));
    for member in ["session_id", "namespace", "instance_id"] {
        assert_eq!(resumed[member], opened[member], "{member}");
    }
    again.call("kv.set", json!({"key": "a", "value": 1}));
    assert!(!again.has_events());
    let lock = again.call("lock.list", json!({}))["locks"][0].take();
    assert_eq!((&lock["token"], &lock["bind"]), (&bound["token"], &json!("session")));
    again.call("lock.release", json!({"token": bound["token"]}));
    again.call("kv.watch", json!({"prefix": ""}));
    again.call("kv.set", json!({"key": "a", "value": 2}));
    assert_eq!(again.event_of("kv.put")["seq"], 1);
    drop(daemon);
}

#[test]
fn after_a_restart_in_memory_nobody_is_remembered() {
    let (home, daemon) = patient();
    let (client, opened) = home.open(json!({"agent": "ada"}));
    drop(client);
    let _daemon = home.stop_and_start(daemon);
    let (_again, resumed) = resume(&home, &opened);
    assert_eq!(resumed["resumed"], false);
    assert_ne!(resumed["instance_id"], opened["instance_id"]);
}

#[test]
fn a_session_that_is_not_resumed_after_a_restart_ends_after_its_grace() {
    let home = Home::new().with("CALLBOARD_GRACE_MS", 50);
    let daemon = home.start();
    let (mut client, _) = home.open(json!({"agent": "ada"}));
    client.call("lock.acquire", json!({"keys": ["s"], "bind": "session"}));
    let _daemon = home.stop_and_start(daemon);
    let mut other = home.connect_as("bob");
    let granted = other.call("lock.acquire", json!({"keys": ["s"], "wait_ms": 9000}));
    assert_eq!(granted["keys"], json!(["s"]));
}
