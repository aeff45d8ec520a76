//! Subscriptions: credit, turns, slow readers, resume.

use serde_json::{Value, json};

use super::{Scene, each};
use crate::board::BoardConfig;
use crate::session::SessionId;

fn send(scene: &mut Scene, from: SessionId, count: usize) -> Vec<u64> {
    (0..count).map(|_| scene.send(from, json!({"to": "bob", "payload": 0}))).collect()
}

#[test]
fn at_most_credit_messages_are_unacked_and_each_ack_lets_one_more_come() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let mut ids = send(&mut scene, alice, 3);
    scene.call(bob, "message.subscribe", json!({"credit": 2}));
    ids.extend(send(&mut scene, alice, 1));
    let first = scene.read(bob);
    assert_eq!(each(&first, "id"), ids[..2]);
    assert_eq!(each(&first, "seq"), [1, 2]);
    assert_eq!(first[0]["kind"], "message");
    let receipt = first[0]["receipt"].as_str().unwrap();
    scene.ack(bob, receipt);
    assert_eq!(each(&scene.read(bob), "id"), ids[2..3]);
    let receipt = first[1]["receipt"].clone();
    scene.call(bob, "message.nack", json!({"receipt": receipt}));
    let again = scene.read(bob);
    assert_eq!((each(&again, "id"), each(&again, "attempt")), (vec![ids[1]], vec![2]));
    for credit in [0, 10_001] {
        let error = scene.call(bob, "message.subscribe", json!({ "credit": credit }));
        assert_eq!(error["member"], "credit");
    }
}

#[test]
fn a_lapse_gives_credit_back() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let ids = send(&mut scene, alice, 2);
    scene.call(bob, "message.subscribe", json!({"credit": 1, "lease_ms": 100}));
    scene.tick(100);
    let pushed = scene.read(bob);
    assert_eq!(each(&pushed, "id"), [ids[0], ids[0]]);
    assert_eq!(each(&pushed, "attempt"), [1, 2]);
}

#[test]
fn subscriptions_and_receives_take_turns() {
    let mut scene = Scene::new();
    let alice = scene.join("alice");
    let bobs: Vec<_> = (0..3).map(|_| scene.join("bob")).collect();
    scene.call(bobs[0], "message.subscribe", json!({}));
    scene.call(bobs[1], "message.subscribe", json!({"types": ["direct"]}));
    scene.call(bobs[2], "message.receive", json!({"wait_ms": 1000}));
    let mut served = Vec::new();
    for _ in 0..5 {
        send(&mut scene, alice, 1);
        served.extend(bobs.iter().position(|bob| !scene.read(*bob).is_empty()));
    }
    assert_eq!(served, [0, 1, 2, 0, 1]);
}

#[test]
fn a_slow_session_and_one_in_grace_are_leased_nothing_until_they_are_back() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    scene.call(bob, "message.subscribe", json!({}));
    scene.board.set_paused(scene.now, bob, true);
    send(&mut scene, alice, 1);
    assert!(scene.read(bob).is_empty());
    scene.board.set_paused(scene.now, bob, false);
    scene.collect();
    assert_eq!(scene.read(bob).len(), 1);
    scene.board.lose_connection(scene.now, bob);
    let sent = scene.call(alice, "message.send", json!({"to": "bob", "payload": 0}));
    assert_eq!(sent["recipients"][0]["state"], "queued");
    scene.resume(bob);
    assert_eq!(scene.read(bob).len(), 2);
}

#[test]
fn after_a_resume_unacked_pushes_come_again_under_the_same_receipt() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    scene.call(bob, "message.subscribe", json!({}));
    send(&mut scene, alice, 2);
    let before = scene.read(bob);
    scene.ack(bob, before[0]["receipt"].as_str().unwrap());
    scene.board.lose_connection(scene.now, bob);
    scene.tick(1000);
    scene.resume(bob);
    let mut again = scene.read(bob);
    assert_eq!(again.len(), 1);
    let mut expected = before[1].clone();
    expected["seq"] = json!(3);
    assert_eq!(again.remove(0), expected);
    assert_eq!(scene.ack(bob, before[1]["receipt"].as_str().unwrap())["stale"], json!([]));
}

#[test]
fn a_push_whose_lease_is_over_at_the_resume_comes_as_a_new_delivery_only() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    scene.call(bob, "message.subscribe", json!({"lease_ms": 1000}));
    send(&mut scene, alice, 1);
    scene.read(bob);
    scene.board.lose_connection(scene.now, bob);
    scene.lag(1000);
    scene.resume(bob);
    assert_eq!(each(&scene.read(bob), "attempt"), [2]);
}

#[test]
fn leases_outlive_their_subscription_until_acked_or_lapsed() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let subscription = scene.call(bob, "message.subscribe", json!({"credit": 2}));
    send(&mut scene, alice, 2);
    let pushed = scene.read(bob);
    scene.call(bob, "session.unsubscribe", json!({"subscription": subscription["subscription"]}));
    assert_eq!(scene.ack(bob, pushed[0]["receipt"].as_str().unwrap())["stale"], json!([]));
    assert!(scene.receive(bob).is_empty());
    scene.tick(60_000);
    let kinds: Vec<Value> = scene.read(bob).iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["deadline_soon"]);
    assert_eq!(each(&scene.receive(bob), "attempt"), [2]);
}

#[test]
fn more_than_the_soft_limit_comes_in_slices() {
    let mut config = BoardConfig::default();
    config.limits.outbound_soft_bytes = 10_000;
    let mut scene = Scene::with(config);
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    for _ in 0..4 {
        scene.send(alice, json!({"to": "bob", "payload": "x".repeat(6000)}));
    }
    scene.call(bob, "message.subscribe", json!({}));
    assert_eq!(scene.read(bob).len(), 2);
    scene.board.set_paused(scene.now, bob, true);
    scene.tick(1);
    assert!(scene.read(bob).is_empty());
    scene.board.set_paused(scene.now, bob, false);
    scene.tick(1);
    assert_eq!(scene.read(bob).len(), 2);
}
