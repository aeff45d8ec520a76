//! Addresses, limits, dedupe keys, headers, lists.

use callboard_protocol::json::Json;
use callboard_protocol::limits::{FINISHED_MESSAGES_MAX, Limits};
use callboard_protocol::revision::Revision;
use serde_json::{Value, json};

use super::super::posting::Draft;
use super::{Scene, each};
use crate::board::BoardConfig;

fn agents(sent: &Value) -> Vec<&str> {
    let recipients = sent["recipients"].as_array().unwrap();
    recipients.iter().map(|recipient| recipient["agent"].as_str().unwrap()).collect()
}

fn limited(change: impl FnOnce(&mut Limits)) -> Scene {
    let mut config = BoardConfig::default();
    change(&mut config.limits);
    Scene::with(config)
}

#[test]
fn a_message_arrives_with_every_member() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let sent = scene.call(
        alice,
        "message.send",
        json!({"to": ["bob"], "payload": {"a": 1}, "subject": "s", "correlation_id": "c", "thread_id": 7}),
    );
    let id = sent["id"].as_u64().unwrap();
    assert_eq!(sent, json!({"id": id, "recipients": [{"agent": "bob", "state": "queued", "known": true}]}));
    let message = scene.receive(bob).remove(0);
    let now = scene.now.unix_ms;
    let receipt = message["receipt"].clone();
    assert!(receipt.is_string());
    assert_eq!(
        message,
        json!({"id": id, "from": "alice", "to": ["bob"], "type": "direct", "subject": "s", "payload": {"a": 1},
            "correlation_id": "c", "in_reply_to": null, "reply_to": "alice", "thread_id": 7, "priority": "normal",
            "sent_at": now, "attempt": 1, "receipt": receipt, "lease_expires_at": now + 60_000, "late": false})
    );
}

#[test]
fn an_unknown_name_has_an_inbox_that_counts_as_an_agent_until_it_is_empty() {
    let mut scene = limited(|limits| limits.agents = 2);
    let alice = scene.join("alice");
    let sent = scene.call(alice, "message.send", json!({"to": "later", "payload": 1, "ttl_ms": 500}));
    assert_eq!(sent["recipients"][0]["known"], false);
    let refused = scene.call(alice, "message.send", json!({"to": ["x1", "x2", "x3"], "payload": 1}));
    assert_eq!(refused["kind"], "limit_exceeded");
    assert_eq!(refused["limit"], "agents");
    assert_eq!(scene.board.inboxes.len(), 1);
    scene.tick(500);
    assert_eq!(scene.board.inboxes.len(), 0);
    scene.tick(200_000);
    assert_eq!(scene.board.inboxes.bytes(), 0);
}

#[test]
fn roles_any_and_everyone_reach_who_is_live_and_each_once() {
    let mut scene = Scene::new();
    let alice = scene.join_as("alice", "tester");
    scene.join_as("bob", "tester");
    let carol = scene.join("carol");
    let to = |to: Value| json!({"to": to, "payload": 0});
    let sent = scene.call(alice, "message.send", to(json!(["role:tester", "bob"])));
    assert_eq!(agents(&sent), ["alice", "bob"]);
    let sent = scene.call(carol, "message.send", to(json!("*")));
    assert_eq!(agents(&sent), ["alice", "bob"]);
    let gone = scene.call(alice, "message.send", to(json!(["bob", "role:nobody"])));
    assert_eq!(gone, json!({"kind": "no_responders", "to": "role:nobody"}));
    assert_eq!(scene.board.inboxes.load(&super::name("bob")), 2);
}

#[test]
fn everyone_of_an_empty_house_is_no_recipient_and_no_error() {
    let mut scene = Scene::new();
    let alice = scene.join("alice");
    let sent = scene.call(alice, "message.send", json!({"to": "*", "payload": 0}));
    assert_eq!(sent["recipients"], json!([]));
    let status = scene.call(alice, "message.status", json!({"id": sent["id"]}));
    assert_eq!(status, json!({"recipients": []}));
}

#[test]
fn any_goes_to_the_least_loaded_then_to_the_one_longest_without_work() {
    let mut scene = Scene::new();
    let alice = scene.join("alice");
    let (ann, bea) = (scene.join_as("ann", "w"), scene.join_as("bea", "w"));
    let any = || json!({"to": "any:w", "payload": 0});
    let sent = scene.call(alice, "message.send", any());
    assert_eq!(agents(&sent), ["ann"]);
    let sent = scene.call(alice, "message.send", any());
    assert_eq!(agents(&sent), ["bea"]);
    scene.tick(1);
    let receipt = scene.take(bea);
    scene.ack(bea, &receipt);
    scene.tick(1);
    let receipt = scene.take(ann);
    scene.ack(ann, &receipt);
    let sent = scene.call(alice, "message.send", any());
    assert_eq!(agents(&sent), ["bea"]);
}

#[test]
fn whose_presence_is_over_by_the_clock_is_not_live() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join_as("bob", "w"));
    scene.call(bob, "agent.register", json!({"ttl_ms": 6000}));
    scene.board.close_session(scene.now, bob, false);
    scene.call(alice, "message.send", json!({"to": "any:w", "payload": 0}));
    // More overdue deadlines than one call works off keep the presence from having ended.
    for _ in 0..100 {
        scene.send(alice, json!({"to": "x", "payload": 0, "ttl_ms": 5000}));
    }
    scene.lag(6000);
    let error = scene.call(alice, "message.send", json!({"to": "any:w", "payload": 0}));
    assert_eq!(error["kind"], "no_responders");
    let error = scene.call(alice, "message.request", json!({"to": "bob", "payload": 0}));
    assert_eq!(error, json!({"kind": "no_responders", "to": "bob"}));
}

#[test]
fn a_full_inbox_refuses() {
    let mut scene = limited(|limits| limits.inbox_depth = 1);
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    scene.send(alice, json!({"to": "bob", "payload": 0, "ttl_ms": 9000}));
    let error = scene.call(alice, "message.send", json!({"to": "bob", "payload": 0}));
    assert_eq!(error, json!({"kind": "limit_exceeded", "limit": "inbox_depth", "used": 1, "max": 1}));
    let id = scene.send(alice, json!({"to": ["bob", "carol"], "payload": 0}));
    assert_eq!(scene.state(alice, id), "refused");
    scene.take(bob);
    let error = scene.call(alice, "message.send", json!({"to": "bob", "payload": 0}));
    assert_eq!(error["kind"], "limit_exceeded");
    scene.tick(60_000);
    scene.send(alice, json!({"to": "bob", "payload": 0}));
}

#[test]
fn a_delay_holds_a_message_back_and_must_be_below_the_ttl() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let error =
        scene.call(alice, "message.send", json!({"to": "bob", "payload": 0, "ttl_ms": 10, "delay_ms": 10}));
    assert_eq!(error, json!({"kind": "invalid_params", "member": "delay_ms"}));
    scene.send(alice, json!({"to": "bob", "payload": 0, "delay_ms": 10}));
    assert!(scene.receive(bob).is_empty());
    scene.lag(10);
    assert_eq!(scene.receive(bob).len(), 1);
}

#[test]
fn a_dedupe_key_gives_the_first_answer_again_for_two_minutes() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let params = json!({"to": "bob", "payload": 0, "ttl_ms": 1000, "dedupe_key": "k"});
    let mut first = scene.call(alice, "message.send", params.clone());
    let other = scene.call(bob, "message.send", params.clone());
    assert_ne!(other["id"], first["id"]);
    scene.tick(119_999);
    first["duplicate"] = json!(true);
    assert_eq!(scene.call(alice, "message.send", params.clone()), first);
    scene.lag(1);
    let second = scene.call(alice, "message.send", params.clone());
    assert!(second["id"].as_u64() > first["id"].as_u64());
    scene.tick(119_999);
    assert_eq!(scene.call(alice, "message.send", params)["id"], second["id"]);
}

#[test]
fn the_lists_show_each_box_page_by_page() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let ids: Vec<u64> = ["low", "urgent", "normal"]
        .iter()
        .map(|priority| scene.send(alice, json!({"to": "bob", "payload": 5, "priority": priority})))
        .collect();
    let receipt = scene.take(bob);
    let page = scene.call(bob, "message.list", json!({"limit": 2}));
    let messages = page["messages"].as_array().unwrap().clone();
    assert_eq!(each(&messages, "id"), ids[..2]);
    assert_eq!((&messages[0]["state"], &messages[1]["state"]), (&json!("queued"), &json!("leased")));
    assert!(messages[0].get("payload").is_none() && messages[0].get("receipt").is_none());
    let page = scene.call(bob, "message.list", json!({"cursor": page["cursor"], "bodies": true}));
    assert_eq!(each(page["messages"].as_array().unwrap(), "id"), ids[2..]);
    assert_eq!((&page["messages"][0]["payload"], page.get("cursor")), (&json!(5), None));
    scene.ack(bob, &receipt);
    let sent = scene.call(alice, "message.list", json!({"box": "sent", "bodies": true}));
    let states: Vec<&Value> = sent["messages"].as_array().unwrap().iter().map(|m| &m["state"]).collect();
    assert_eq!(states, ["queued", "acked", "queued"]);
    assert!(sent["messages"][1].get("payload").is_none());
    let error = scene.call(bob, "message.list", json!({"cursor": "x"}));
    assert_eq!(error["member"], "cursor");
}

#[test]
fn headers_are_kept_until_the_ttl_ends_and_at_least_a_minute() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let long = scene.send(alice, json!({"to": "bob", "payload": 0, "ttl_ms": 90_000}));
    let short = scene.send(alice, json!({"to": "bob", "payload": 0, "ttl_ms": 1000}));
    let receipt = scene.take(bob);
    scene.ack(bob, &receipt);
    scene.tick(60_999);
    assert_eq!((scene.state(bob, long), scene.state(bob, short)), ("acked".into(), "expired".into()));
    scene.lag(1);
    assert_eq!(scene.state(bob, short), "not_found");
    scene.lag(28_999);
    assert_eq!(scene.state(bob, long), "acked");
    scene.lag(1);
    assert_eq!(scene.state(bob, long), "not_found");
    scene.tick(0);
    assert_eq!(scene.board.inboxes.bytes(), 0);
}

#[test]
fn the_oldest_finished_headers_go_first_when_there_are_too_many() {
    let mut scene = Scene::new();
    let alice = scene.join("alice");
    let first = scene.send(alice, json!({"to": "*", "payload": 0}));
    let header = scene.board.inboxes.find(Revision(first)).unwrap().header.clone();
    for _ in 1..=FINISHED_MESSAGES_MAX {
        let draft = Draft::new(header.clone(), Json::null(), 1000);
        scene.board.post(scene.now, draft, &[]);
    }
    scene.board.take_effects();
    assert_eq!(scene.call(alice, "message.status", json!({"id": first}))["kind"], "not_found");
    let second = scene.call(alice, "message.status", json!({"id": first + 1}));
    assert_eq!(second, json!({"recipients": []}));
}

#[test]
fn while_memory_is_full_nothing_is_sent_but_acks_count() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    scene.send(alice, json!({"to": "bob", "payload": 0}));
    scene.board.set_memory_full(true);
    let error = scene.call(alice, "message.send", json!({"to": "bob", "payload": 0}));
    assert_eq!((&error["kind"], &error["limit"]), (&json!("limit_exceeded"), &json!("memory_bytes")));
    let receipt = scene.take(bob);
    assert_eq!(scene.ack(bob, &receipt)["acked"], json!([receipt]));
}

#[test]
fn a_removed_agents_queue_dies() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let ids: Vec<u64> = (0..3).map(|_| scene.send(alice, json!({"to": "bob", "payload": 0}))).collect();
    scene.call(bob, "message.subscribe", json!({"credit": 1}));
    scene.call(bob, "message.receive", json!({"types": ["x"], "wait_ms": 1000}));
    scene.read(bob);
    scene.call(alice, "agent.remove", json!({"name": "bob"}));
    for id in ids {
        assert_eq!(scene.state(alice, id), "dead");
    }
    assert_eq!(scene.read(bob), [json!({"kind": "agent_required"})]);
    let again = scene.join("bob");
    let dead = scene.call(again, "message.list", json!({"box": "dead", "bodies": true}));
    assert_eq!(dead["messages"][2]["payload"], 0);
}
