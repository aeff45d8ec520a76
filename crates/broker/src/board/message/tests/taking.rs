//! Receiving, acking, giving back; attempts, dead letters and the TTL.

use callboard_protocol::limits::{ATTEMPTS_MAX, DEAD_MESSAGE_MS};
use serde_json::json;

use super::{Scene, each};
use crate::board::BoardConfig;

#[test]
fn the_highest_priority_comes_first_then_the_oldest() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let ids: Vec<u64> = ["normal", "low", "urgent", "normal", "high"]
        .iter()
        .map(|priority| scene.send(alice, json!({"to": "bob", "payload": 0, "priority": priority})))
        .collect();
    let order = [ids[2], ids[4], ids[0], ids[3], ids[1]];
    assert_eq!(each(&scene.receive(bob), "id"), order);
    scene.tick(60_000);
    let again = scene.receive(bob);
    assert_eq!(each(&again, "id"), order);
    assert_eq!(each(&again, "attempt"), [2; 5]);
}

#[test]
fn a_receipt_counts_once_and_from_any_session_of_the_agent() {
    let mut scene = Scene::new();
    let (alice, bob, bob2) = (scene.join("alice"), scene.join("bob"), scene.join("bob"));
    scene.send(alice, json!({"to": "bob", "payload": 0}));
    let receipt = scene.take(bob);
    let stale = |receipt: &str, why: &str| json!({"receipt": receipt, "why": why});
    let acked = scene.ack(alice, &receipt);
    assert_eq!(acked["stale"], json!([stale(&receipt, "expired")]));
    let params = json!({"receipts": [receipt, receipt, "nonsense", "r00"]});
    let acked = scene.call(bob2, "message.ack", params);
    assert_eq!(acked["acked"], json!([receipt]));
    let expected = [stale(&receipt, "acked"), stale("nonsense", "expired"), stale("r00", "expired")];
    assert_eq!(acked["stale"], json!(expected));
    assert!(scene.receive(bob).is_empty());
    let many = vec!["r1"; 1001];
    let error = scene.call(bob, "message.ack", json!({"receipts": many}));
    assert_eq!(error["member"], "receipts");
}

#[test]
fn an_unacked_message_comes_five_times_and_is_dead_then_until_it_is_requeued() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let id = scene.send(alice, json!({"to": "bob", "payload": "p", "ttl_ms": 400_000}));
    for attempt in 1..=ATTEMPTS_MAX {
        let message = scene.receive(bob).remove(0);
        assert_eq!(message["attempt"], attempt);
        scene.tick(60_000);
    }
    assert!(scene.receive(bob).is_empty());
    assert_eq!(scene.state(alice, id), "dead");
    assert_eq!(scene.call(bob, "message.counts", json!({}))["dead"], 1);
    let error = scene.call(alice, "message.requeue", json!({"id": id}));
    assert_eq!(error["kind"], "not_found");
    scene.tick(DEAD_MESSAGE_MS - 1);
    assert_eq!(scene.call(bob, "message.requeue", json!({"id": id})), json!({"id": id}));
    let message = scene.receive(bob).remove(0);
    assert_eq!((&message["attempt"], &message["payload"]), (&json!(1), &json!("p")));
    for _ in 0..ATTEMPTS_MAX - 1 {
        scene.tick(60_000);
        scene.take(bob);
    }
    scene.tick(60_000 + DEAD_MESSAGE_MS);
    assert_eq!(scene.state(alice, id), "not_found");
    assert!(scene.board.inboxes.bytes() == 0);
}

#[test]
fn a_nack_gives_a_message_back_now_or_later_and_counts_as_an_attempt() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let id = scene.send(alice, json!({"to": "bob", "payload": 0}));
    let receipt = scene.take(bob);
    let nack = json!({"receipt": receipt, "reason": "busy"});
    assert_eq!(scene.call(bob, "message.nack", nack.clone()), json!({}));
    assert_eq!(scene.call(bob, "message.nack", nack), json!({"kind": "stale_token", "why": "released"}));
    let receipt = scene.take(bob);
    scene.call(bob, "message.nack", json!({"receipt": receipt, "delay_ms": 100}));
    scene.lag(99);
    assert!(scene.receive(bob).is_empty());
    scene.lag(1);
    let message = scene.receive(bob).remove(0);
    assert_eq!(message["attempt"], 3);
    let mut receipt = message["receipt"].clone();
    for _ in 3..ATTEMPTS_MAX {
        scene.call(bob, "message.nack", json!({"receipt": receipt}));
        receipt = json!(scene.take(bob));
    }
    scene.call(bob, "message.nack", json!({"receipt": receipt}));
    assert_eq!(scene.state(bob, id), "dead");
}

#[test]
fn an_extended_lease_lasts_and_an_old_receipt_extends_nothing() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    scene.send(alice, json!({"to": "bob", "payload": 0}));
    let receipt = scene.take(bob);
    let extend = json!({"receipt": receipt, "lease_ms": 100_000});
    let extended = scene.call(bob, "message.extend", extend.clone());
    assert_eq!(extended, json!({"expires_at": scene.now.unix_ms + 100_000}));
    scene.tick(99_999);
    assert!(scene.receive(bob).is_empty());
    let soon = scene.read(bob).remove(0);
    assert_eq!((&soon["kind"], &soon["what"]), (&json!("deadline_soon"), &json!("message")));
    scene.lag(1);
    let error = scene.call(bob, "message.extend", extend);
    assert_eq!(error, json!({"kind": "stale_token", "why": "expired"}));
    assert_eq!(scene.receive(bob)[0]["attempt"], 2);
}

#[test]
fn an_overdue_lease_does_not_count_though_its_deadline_was_not_worked_off() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    for _ in 0..100 {
        scene.send(alice, json!({"to": "bob", "payload": 0, "ttl_ms": 60_000}));
    }
    scene.send(alice, json!({"to": "bob", "payload": 0}));
    let messages = scene.receive(bob);
    scene.lag(60_000);
    let counts = scene.call(bob, "message.counts", json!({}));
    assert_eq!(counts, json!({"queued": 1, "leased": 0, "dead": 0, "oldest_ms": 60_000}));
    assert_eq!(scene.receive(bob).len(), 1);
    let acked = scene.ack(bob, messages[50]["receipt"].as_str().unwrap());
    assert_eq!(acked["stale"][0]["why"], "expired");
}

#[test]
fn what_is_queued_expires_and_what_is_leased_may_be_acked_but_not_come_again() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let ids: Vec<u64> =
        (0..3).map(|_| scene.send(alice, json!({"to": "bob", "payload": 0, "ttl_ms": 1000}))).collect();
    let (first, _second) = (scene.take(bob), scene.take(bob));
    scene.tick(1000);
    assert_eq!(scene.state(bob, ids[2]), "expired");
    assert_eq!(scene.ack(bob, &first)["acked"], json!([first]));
    assert_eq!(scene.state(bob, ids[1]), "leased");
    scene.tick(59_000);
    assert_eq!(scene.state(bob, ids[1]), "expired");
    assert_eq!(scene.state(bob, ids[0]), "acked");
}

#[test]
fn a_lease_ends_with_what_it_is_bound_to() {
    let mut scene = Scene::new();
    let (alice, bob, bob2) = (scene.join("alice"), scene.join("bob"), scene.join("bob"));
    for _ in 0..2 {
        scene.send(alice, json!({"to": "bob", "payload": 0}));
    }
    scene.take(bob);
    scene.call(bob, "message.receive", json!({"bind": "agent"}));
    scene.board.lose_connection(scene.now, bob);
    scene.tick(4999);
    assert!(scene.receive(bob2).is_empty());
    scene.tick(1);
    assert_eq!(scene.receive(bob2).len(), 1);
    scene.board.close_session(scene.now, bob2, true);
    assert_eq!(scene.board.inboxes.counts(&super::name("bob")).queued, 2);
}

#[test]
fn a_waiting_receive_gets_what_comes_and_nothing_when_nothing_comes() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    assert_eq!(scene.call(bob, "message.receive", json!({})), json!({"messages": []}));
    assert_eq!(scene.call(bob, "message.receive", json!({"wait_ms": 50})), "waiting");
    let sent = scene.call(alice, "message.send", json!({"to": "bob", "payload": 1}));
    assert_eq!(sent["recipients"][0]["state"], "leased");
    assert_eq!(scene.read(bob)[0]["messages"][0]["payload"], 1);
    scene.call(bob, "message.receive", json!({"wait_ms": 50}));
    scene.tick(50);
    assert_eq!(scene.read(bob), [json!({"messages": []})]);
    scene.call(bob, "message.receive", json!({"wait_ms": 50}));
    scene.lag(50);
    let sent = scene.call(alice, "message.send", json!({"to": "bob", "payload": 1}));
    assert_eq!(sent["recipients"][0]["state"], "queued");
}

#[test]
fn the_longest_waiting_taker_whose_filter_matches_is_served() {
    let mut scene = Scene::new();
    let alice = scene.join("alice");
    let bobs: Vec<_> = (0..4).map(|_| scene.join("bob")).collect();
    let wait = |filter: serde_json::Value| {
        let mut params = filter;
        params["wait_ms"] = json!(1000);
        params
    };
    scene.call(bobs[0], "message.receive", wait(json!({"types": ["x"]})));
    scene.call(bobs[1], "message.receive", wait(json!({"from": "carol"})));
    scene.call(bobs[2], "message.receive", wait(json!({"correlation_id": 7})));
    scene.call(bobs[3], "message.receive", wait(json!({})));
    let mut served = Vec::new();
    for extra in [json!({}), json!({"correlation_id": 7}), json!({"type": "x"})] {
        let mut params = json!({"to": "bob", "payload": 0});
        params.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        scene.send(alice, params);
        served.extend(bobs.iter().position(|bob| !scene.read(*bob).is_empty()));
    }
    assert_eq!(served, [3, 2, 0]);
    let error = scene.call(bobs[0], "message.receive", json!({"types": []}));
    assert_eq!(error["member"], "types");
}

#[test]
fn a_receive_whose_connection_is_gone_gets_nothing() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    scene.call(bob, "message.receive", json!({"wait_ms": 1000}));
    scene.board.withdraw_waits(scene.now, bob);
    let sent = scene.call(alice, "message.send", json!({"to": "bob", "payload": 1}));
    assert_eq!(sent["recipients"][0]["state"], "queued");
    assert!(scene.read(bob).is_empty());
}

#[test]
fn a_receive_ends_early_so_that_its_reply_fits_a_frame_but_gives_one_message_always() {
    let mut config = BoardConfig::default();
    config.limits.frame_bytes = 10_000;
    let mut scene = Scene::with(config);
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    for bytes in [3000, 3000, 3000, 20_000] {
        scene.send(alice, json!({"to": "bob", "payload": "x".repeat(bytes)}));
    }
    assert_eq!(scene.receive(bob).len(), 1);
    assert_eq!(scene.receive(bob).len(), 1);
    assert_eq!(scene.receive(bob).len(), 1);
    assert_eq!(scene.receive(bob).len(), 1);
    assert!(scene.receive(bob).is_empty());
}

#[test]
fn status_tells_each_recipients_story() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let start = scene.now.unix_ms;
    let id = scene.send(alice, json!({"to": ["bob", "carol"], "payload": 0}));
    scene.tick(5);
    let receipt = scene.take(bob);
    scene.tick(5);
    scene.ack(bob, &receipt);
    let status = scene.call(alice, "message.status", json!({"id": id}));
    let expected = json!({"recipients": [
        {"agent": "bob", "state": "acked", "attempts": 1, "queued_at": start, "leased_at": start + 5, "acked_at": start + 10},
        {"agent": "carol", "state": "queued", "attempts": 0, "queued_at": start, "leased_at": null, "acked_at": null},
    ]});
    assert_eq!(status, expected);
}
