//! What a daemon finds again after a restart, from the journal alone and from an image.

use serde_json::json;

use super::{Scene, each};
use crate::session::SessionId;

/// One message in each state, with a dedupe key on the first.
fn busy() -> (Scene, SessionId, SessionId, Vec<u64>) {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let mut ids = Vec::new();
    for priority in ["low", "normal", "high", "urgent"] {
        let params = json!({"to": "bob", "payload": priority, "priority": priority, "dedupe_key": priority});
        ids.push(scene.send(alice, params));
    }
    ids.push(scene.send(alice, json!({"to": "bob", "payload": 0, "delay_ms": 100_000})));
    let urgent = scene.take(bob);
    scene.take(bob);
    scene.ack(bob, &urgent);
    (scene, alice, bob, ids)
}

#[test]
fn an_image_and_the_journal_give_the_same_board() {
    let (mut scene, ..) = busy();
    let image = scene.image();
    let journal = scene.records.clone();
    scene.restart(journal, 0, true);
    assert_eq!(scene.image(), image);
    scene.restart(image.clone(), 0, true);
    assert_eq!(scene.image(), image);
}

#[test]
fn orders_states_leases_and_dedupe_keys_survive() {
    let (mut scene, _, _, ids) = busy();
    let records = scene.records.clone();
    let (alice, bob) = scene.restart(records, 30_000, true);
    assert_eq!(scene.state(alice, ids[3]), "acked");
    assert_eq!(scene.state(alice, ids[2]), "leased");
    assert_eq!(scene.board.inboxes.load(&super::name("bob")), 4);
    let params = json!({"to": "bob", "payload": 0, "dedupe_key": "low"});
    let duplicate = scene.call(alice, "message.send", params);
    assert_eq!((&duplicate["id"], &duplicate["duplicate"]), (&json!(ids[0]), &json!(true)));
    assert_eq!(each(&scene.receive(bob), "id"), [ids[1], ids[0]]);
    scene.tick(30_000);
    assert_eq!(each(&scene.receive(bob), "id"), [ids[2]]);
    scene.tick(40_000);
    assert_eq!(scene.receive(bob).iter().filter(|message| message["id"] == ids[4]).count(), 1);
}

#[test]
fn a_lease_has_five_seconds_left_and_its_receipt_still_counts() {
    let (mut scene, _, bob, ids) = busy();
    let receipt = scene.take(bob);
    let records = scene.records.clone();
    let (_, bob) = scene.restart(records, 3_600_000, true);
    scene.tick(4999);
    assert_eq!(scene.state(bob, ids[2]), "leased");
    assert_eq!(scene.ack(bob, &receipt)["acked"], json!([receipt]));
    scene.tick(1);
    assert_eq!(scene.state(bob, ids[2]), "queued");
}

#[test]
fn a_lease_of_a_session_that_is_gone_lapses_at_once() {
    let (mut scene, _, _, ids) = busy();
    let records = scene.records.clone();
    let (_, bob) = scene.restart(records, 0, false);
    let messages = scene.receive(bob);
    assert_eq!(each(&messages, "id"), [ids[2], ids[1], ids[0]]);
    assert_eq!(each(&messages, "attempt"), [2, 1, 1]);
}

#[test]
fn the_ttl_ran_while_the_daemon_was_down() {
    let (mut scene, _, _, ids) = busy();
    let records = scene.records.clone();
    let (alice, bob) = scene.restart(records, 86_400_000, true);
    assert!(scene.receive(bob).is_empty());
    assert_eq!(scene.state(alice, ids[0]), "expired");
    assert_eq!(scene.state(alice, ids[3]), "not_found");
    scene.tick(60_000);
    scene.tick(60_000);
    assert_eq!(scene.board.inboxes.bytes(), 0);
}
