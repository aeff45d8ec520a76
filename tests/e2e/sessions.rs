//! `session.open`, `session.close` and what a session is without them.

use serde_json::json;

use crate::harness::{Home, wait_for};

#[test]
fn opening_tells_who_serves_and_within_which_limits() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 1234);
    let daemon = home.start();
    let (mut client, opened) = home.open(json!({
        "protocol": {"min": 1, "max": 9},
        "namespace": "repo/x-0123456789ab",
        "agent": "ada",
        "client": {"name": "test", "version": "0", "pid": 1},
    }));
    assert_eq!(opened["protocol"], 1);
    assert_eq!(opened["server"]["name"], "callboard");
    assert_eq!(opened["namespace"], "repo/x-0123456789ab");
    assert_eq!(opened["agent"], "ada");
    assert_eq!(opened["sessions"], 1);
    assert_eq!(opened["resumed"], false);
    assert_eq!(opened["durability"], "memory");
    assert_eq!(opened["grace_ms"], 1234);
    assert_eq!(opened["limits"]["frame_bytes"], 4 << 20);
    assert_eq!(opened["limits"]["outbound_soft_bytes"], 8 << 20);
    for name in ["instance_id", "session_id", "resume_token"] {
        assert!(opened[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {opened}");
    }
    let info = client.call("server.info", json!({}));
    assert_eq!(info["pid"], daemon.pid());
    assert_eq!(info["instance_id"], opened["instance_id"]);
    assert_eq!(info["limits"], opened["limits"]);
    assert_eq!(info["socket"], home.socket().to_str().expect("a path"));
    assert_eq!(info["home"], home.path().to_str().expect("a path"));
}

#[test]
fn without_opening_a_connection_is_nobody_in_the_default_namespace() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut raw = home.connect();
    raw.call("kv.set", json!({"key": "a", "value": 1}));
    raw.refused("agent_required", "lock.acquire", json!({"keys": ["a"]}));
    let (mut opened, answer) = home.open(json!({"namespace": "default"}));
    assert_eq!(answer["agent"], json!(null));
    let got = opened.call("kv.get", json!({"key": "a"}));
    assert_eq!((&got["value"], &got["updated_by"]), (&json!(1), &json!(null)));
    let (mut other, _) = home.open(json!({"namespace": "other"}));
    assert_eq!(other.call("kv.get", json!({"key": "a"})), json!({"exists": false}));
}

#[test]
fn opening_comes_first_and_once() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut late = home.connect();
    late.call("server.ping", json!({}));
    late.refused("invalid_request", "session.open", json!({}));
    late.call("server.ping", json!({}));

    for (kind, method) in [("method_not_found", "server.pong"), ("invalid_params", "kv.get")] {
        let mut mistyped = home.connect();
        mistyped.refused(kind, method, json!({}));
        mistyped.refused("invalid_request", "session.open", json!({}));
    }

    let (mut twice, _) = home.open(json!({}));
    twice.refused("invalid_request", "session.open", json!({}));
    twice.call("server.ping", json!({}));
}

#[test]
fn an_opening_that_was_refused_may_be_tried_again() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    let data = client.refused("unsupported_version", "session.open", json!({"protocol": 99}));
    assert_eq!((&data["min"], &data["max"]), (&json!(1), &json!(1)));
    client.refused("unsupported_version", "session.open", json!({"protocol": {"min": 2, "max": 3}}));
    client.refused("invalid_params", "session.open", json!({"agent": "a b"}));
    client.refused("invalid_params", "session.open", json!({"namespace": ""}));
    let opened = client.call("session.open", json!({"protocol": 1, "agent": "ada"}));
    assert_eq!((&opened["protocol"], &opened["agent"]), (&json!(1), &json!("ada")));
    client.refused("invalid_request", "session.open", json!({}));
}

#[test]
fn an_unwanted_namesake_shows() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (_first, _) = home.open(json!({"agent": "ada"}));
    let (second, opened) = home.open(json!({"agent": "ada"}));
    assert_eq!(opened["sessions"], 2);
    let (_elsewhere, opened) = home.open(json!({"agent": "ada", "namespace": "other"}));
    assert_eq!(opened["sessions"], 1);
    drop(second);
}

#[test]
fn closing_answers_and_ends_the_connection_and_what_is_bound_to_the_session() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut client, opened) = home.open(json!({"agent": "ada"}));
    client.call("lock.acquire", json!({"keys": ["s"], "bind": "session"}));
    client.call("lock.acquire", json!({"keys": ["a"]}));
    client.call("kv.watch", json!({"prefix": ""}));
    assert_eq!(client.call("session.close", json!({})), json!({}));
    client.expect_end();

    let mut other = home.connect();
    let locks = other.call("lock.list", json!({}))["locks"].take();
    assert_eq!((&locks[0]["keys"], &locks[1]), (&json!(["a"]), &json!(null)));
    let (_late, reopened) = home.open(json!({"resume": opened["resume_token"]}));
    assert_eq!(reopened["resumed"], false);
}

#[test]
fn leaving_ends_what_is_bound_to_the_agent_though_others_are_connected() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut stays = home.connect_as("ada");
    stays.call("lock.acquire", json!({"keys": ["a"]}));
    let mut watcher = home.connect();
    watcher.call("agent.watch", json!({}));
    let mut leaves = home.connect_as("ada");
    leaves.call("session.close", json!({"leave": true}));
    leaves.expect_end();
    let left = watcher.event_of("agent.left");
    assert_eq!((&left["agent"], &left["why"]), (&json!("ada"), &json!("closed")));
    assert_eq!(watcher.call("lock.list", json!({}))["locks"], json!([]));

    stays.call("kv.set", json!({"key": "k", "value": 1}));
    assert_eq!(watcher.event_of("agent.joined")["agent"], "ada");
}

#[test]
fn closing_gives_answers_to_what_came_before_it() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    client.start("kv.set", json!({"key": "a", "value": 1}));
    let got = client.start("kv.get", json!({"key": "a"}));
    let closed = client.start("session.close", json!({}));
    assert_eq!(client.result(got)["value"], 1);
    assert_eq!(client.result(closed), json!({}));
    client.expect_end();
}

#[test]
fn unsubscribing_ends_the_events() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    let watch = client.call("kv.watch", json!({"prefix": ""}))["subscription"].take();
    let other = client.call("kv.watch", json!({"key": "a"}))["subscription"].take();
    assert_ne!(watch, other);
    client.call("session.unsubscribe", json!({"subscription": watch}));
    client.call("kv.set", json!({"key": "a", "value": 1}));
    client.call("kv.set", json!({"key": "b", "value": 1}));
    let event = client.event_of("kv.put");
    assert_eq!((&event["subscription"], &event["seq"]), (&other, &json!(1)));
    assert!(!client.has_events());
    client.refused("not_found", "session.unsubscribe", json!({"subscription": watch}));
}

#[test]
fn subscriptions_end_with_the_connection_of_a_session_that_nobody_can_resume() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 20);
    let _daemon = home.start();
    let mut client = home.connect();
    client.call("topic.subscribe", json!({"pattern": "news"}));
    let mut publisher = home.connect();
    assert_eq!(publisher.call("topic.publish", json!({"topic": "news", "payload": 1}))["subscribers"], 1);
    drop(client);
    wait_for("nobody listens", || {
        let published = publisher.call("topic.publish", json!({"topic": "news", "payload": 1}));
        (published["subscribers"] == 0).then_some(())
    });
}
