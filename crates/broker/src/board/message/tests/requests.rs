//! Questions and their one answer.

use serde_json::{Value, json};

use super::Scene;
use crate::session::SessionId;

/// A question of alice's that bob has received; gives its id.
fn ask(scene: &mut Scene, alice: SessionId, bob: SessionId) -> u64 {
    let asked =
        scene.call(alice, "message.request", json!({"to": "bob", "payload": "?", "timeout_ms": 1000}));
    assert_eq!(asked, "waiting");
    let question = scene.receive(bob).remove(0);
    assert_eq!(question["type"], "request");
    question["id"].as_u64().unwrap()
}

fn reply(scene: &mut Scene, session: SessionId, to: u64) -> Value {
    scene.call(session, "message.reply", json!({"to_message": to, "payload": "!"}))
}

#[test]
fn the_answer_goes_to_the_waiting_caller_alone() {
    let mut scene = Scene::new();
    let (alice, alice2, bob) = (scene.join("alice"), scene.join("alice"), scene.join("bob"));
    scene.call(alice2, "message.receive", json!({"wait_ms": 9000}));
    let question = ask(&mut scene, alice, bob);
    let id = reply(&mut scene, bob, question)["id"].as_u64().unwrap();
    let answered = scene.read(alice).remove(0);
    let now = scene.now.unix_ms;
    let expected = json!({"id": id, "from": "bob", "to": "alice", "type": "response", "subject": null,
        "payload": "!", "correlation_id": null, "in_reply_to": question, "reply_to": "bob", "thread_id": question,
        "priority": "normal", "sent_at": now, "attempt": 1, "receipt": null, "lease_expires_at": null,
        "late": false});
    assert_eq!(answered, json!({"id": question, "reply": expected}));
    assert!(scene.read(alice2).is_empty());
    assert_eq!(scene.state(bob, question), "acked");
    assert_eq!(scene.state(bob, id), "acked");
    assert_eq!(scene.board.inboxes.load(&super::name("alice")), 0);
}

#[test]
fn nobody_there_is_told_at_once() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    scene.board.close_session(scene.now, bob, true);
    for to in ["bob", "stranger", "any:role"] {
        let error = scene.call(alice, "message.request", json!({"to": to, "payload": 0}));
        assert_eq!(error, json!({"kind": "no_responders", "to": to}));
    }
    for to in ["*", "role:r"] {
        let error = scene.call(alice, "message.request", json!({"to": to, "payload": 0}));
        assert_eq!(error["member"], "to");
    }
}

#[test]
fn a_timeout_carries_the_id_and_the_answer_comes_late_to_the_inbox() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let question = ask(&mut scene, alice, bob);
    scene.lag(1000);
    reply(&mut scene, bob, question);
    let error = scene.read(alice).remove(0);
    assert_eq!(error, json!({"kind": "timeout", "waited_ms": 1000, "id": question}));
    let late = scene.receive(alice).remove(0);
    assert_eq!((&late["late"], &late["in_reply_to"]), (&json!(true), &json!(question)));
    assert_eq!(reply(&mut scene, bob, question)["kind"], "already_exists");
}

#[test]
fn the_answer_to_a_caller_that_hung_up_or_could_not_be_written_to_lands_in_its_inbox() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    let question = ask(&mut scene, alice, bob);
    scene.board.withdraw_waits(scene.now, alice);
    reply(&mut scene, bob, question);
    let late = scene.receive(alice).remove(0);
    assert_eq!(late["late"], true);
    scene.ack(alice, late["receipt"].as_str().unwrap());

    let question = ask(&mut scene, alice, bob);
    let id = reply(&mut scene, bob, question)["id"].as_u64();
    scene.read(alice);
    let handed = scene.handed.remove(0);
    assert_eq!(Some(handed.0), id);
    scene.tick(30_000);
    scene.board.reply_unwritten(scene.now, handed);
    scene.board.reply_unwritten(scene.now, handed);
    let late = scene.receive(alice);
    assert_eq!(late.len(), 1);
    assert_eq!((&late[0]["late"], &late[0]["payload"]), (&json!(true), &json!("!")));
    assert_eq!((&late[0]["attempt"], &late[0]["id"]), (&json!(1), &json!(id)));
}

#[test]
fn a_cancelled_request_stays_sent() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.join("alice"), scene.join("bob"));
    scene.call(alice, "message.request", json!({"to": "bob", "payload": 0}));
    let wait = scene.board.waits.find(crate::wait::WaitId(1)).unwrap().request.clone();
    assert!(scene.board.cancel(scene.now, alice, &wait));
    let question = scene.receive(bob).remove(0)["id"].as_u64().unwrap();
    reply(&mut scene, bob, question);
    assert_eq!(scene.receive(alice)[0]["late"], true);
}

#[test]
fn a_reply_acks_wherever_the_delivery_stands_and_fills_in_the_thread() {
    let mut scene = Scene::new();
    let (alice, bob, carol) = (scene.join("alice"), scene.join("bob"), scene.join("carol"));
    let params = json!({"to": ["bob"], "payload": 0, "correlation_id": "c", "thread_id": "t",
        "reply_to": "carol", "priority": "urgent"});
    let id = scene.send(alice, params);
    let error = reply(&mut scene, carol, id);
    assert_eq!(error, json!({"kind": "not_owner", "agent": "bob"}));
    reply(&mut scene, bob, id);
    assert_eq!(scene.state(alice, id), "acked");
    reply(&mut scene, bob, id);
    let replies = scene.receive(carol);
    assert_eq!(replies.len(), 2);
    let first = &replies[0];
    assert_eq!(
        (&first["correlation_id"], &first["thread_id"], &first["in_reply_to"], &first["late"]),
        (&json!("c"), &json!("t"), &json!(id), &json!(false))
    );
    assert_eq!(reply(&mut scene, bob, 999)["kind"], "not_found");
    let answer = replies[0]["id"].as_u64().unwrap();
    reply(&mut scene, carol, answer);
    let back = scene.receive(bob).remove(0);
    assert_eq!((&back["thread_id"], &back["in_reply_to"]), (&json!("t"), &json!(answer)));
}

#[test]
fn a_full_inbox_refuses_a_question_and_leaves_no_wait_behind() {
    let mut config = crate::board::BoardConfig::default();
    config.limits.inbox_depth = 1;
    let mut scene = Scene::with(config);
    let (alice, _bob) = (scene.join("alice"), scene.join("bob"));
    scene.send(alice, json!({"to": "bob", "payload": 0}));
    let error = scene.call(alice, "message.request", json!({"to": "bob", "payload": 0}));
    assert_eq!(error["limit"], "inbox_depth");
    assert_eq!(scene.board.waiting(alice), 0);
}
