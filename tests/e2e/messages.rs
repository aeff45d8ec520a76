//! Messages between clients that wait, hang up, die and come back, and between daemons.

use serde_json::{Value, json};

use crate::harness::{Framing, Home, Raw, wait_for};

const HOUR_MS: u64 = 3_600_000;

#[track_caller]
fn send(client: &mut Raw, to: &str, payload: Value) -> Value {
    client.call("message.send", json!({"to": to, "payload": payload}))["id"].take()
}

/// Receives the messages that are there.
#[track_caller]
fn receive(client: &mut Raw) -> Vec<Value> {
    let mut received = client.call("message.receive", json!({"max": 100}));
    serde_json::from_value(received["messages"].take()).expect("messages")
}

#[track_caller]
fn ack(client: &mut Raw, message: &Value) {
    let acked = client.call("message.ack", json!({"receipts": [message["receipt"]]}));
    assert_eq!(acked["acked"], json!([message["receipt"]]), "{acked}");
}

/// The state of a message at its only recipient.
#[track_caller]
fn state(client: &mut Raw, id: &Value) -> Value {
    client.call("message.status", json!({"id": id}))["recipients"][0]["state"].take()
}

#[test]
fn a_message_is_there_until_it_is_acked() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut ada, mut bob) = (home.connect_as("ada"), home.connect_as("bob"));
    let id = send(&mut ada, "bob", json!({"n": 1.0}));
    let messages = receive(&mut bob);
    let message = &messages[0];
    assert_eq!((&message["id"], &message["from"], &message["to"]), (&id, &json!("ada"), &json!("bob")));
    assert_eq!((&message["attempt"], &message["late"]), (&json!(1), &json!(false)));
    assert_eq!(state(&mut ada, &id), "leased");
    assert!(receive(&mut bob).is_empty());
    ack(&mut bob, message);
    assert_eq!(state(&mut ada, &id), "acked");
}

#[test]
fn a_receive_that_waits_holds_up_nothing_and_gets_the_message_when_it_comes() {
    let home = Home::in_memory();
    let _daemon = home.start();
    for framing in [Framing::Lines, Framing::Lengths] {
        let (mut ada, mut bob) = (home.connect_as("ada"), home.connect_with(framing));
        bob.call("session.open", json!({"agent": "bob"}));
        let waiting = bob.start("message.receive", json!({"wait_ms": HOUR_MS}));
        bob.call("server.ping", json!({}));
        send(&mut ada, "bob", json!("hello"));
        let received = bob.result(waiting);
        assert_eq!(received["messages"][0]["payload"], "hello");
        ack(&mut bob, &received["messages"][0]);
    }
}

#[test]
fn a_receive_that_waited_in_vain_is_empty_and_one_may_be_cancelled() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut bob = home.connect_as("bob");
    assert_eq!(bob.call("message.receive", json!({"wait_ms": 30}))["messages"], json!([]));
    let waiting = bob.start("message.receive", json!({"wait_ms": HOUR_MS}));
    assert_eq!(bob.call("session.cancel", json!({"id": waiting})), json!({"cancelled": true}));
    bob.failure("cancelled", waiting);
    let mut ada = home.connect_as("ada");
    send(&mut ada, "bob", json!(1));
    assert_eq!(receive(&mut bob).len(), 1);
}

#[test]
fn notifications_that_would_take_a_message_are_ignored() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut ada, mut bob) = (home.connect_as("ada"), home.connect_as("bob"));
    ada.notify("message.send", json!({"to": "bob", "payload": "sent"}));
    ada.notify("message.request", json!({"to": "bob", "payload": "never asked"}));
    ada.call("server.ping", json!({}));
    bob.notify("message.receive", json!({}));
    let messages = receive(&mut bob);
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!((&messages[0]["payload"], &messages[0]["attempt"]), (&json!("sent"), &json!(1)));
}

#[test]
fn a_receiver_that_hung_up_is_passed_over() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", HOUR_MS);
    let _daemon = home.start();
    let mut ada = home.connect_as("ada");
    let mut gone = home.connect_as("bob");
    gone.start("message.receive", json!({"wait_ms": HOUR_MS}));
    gone.call("server.ping", json!({}));
    drop(gone);
    let connections = |client: &mut Raw| client.call("server.stats", json!({}))["connections"].take();
    wait_for("the hang-up is noticed", || (connections(&mut ada) == 1).then_some(()));
    send(&mut ada, "bob", json!("for who is there"));
    let messages = receive(&mut home.connect_as("bob"));
    assert_eq!((&messages[0]["payload"], &messages[0]["attempt"]), (&json!("for who is there"), &json!(1)));
}

#[cfg(unix)]
#[test]
fn what_waits_is_answered_after_the_end_of_input() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut ada, mut bob) = (home.connect_as("ada"), home.connect_as("bob"));
    let waiting = bob.start("message.receive", json!({"wait_ms": HOUR_MS, "bind": "agent"}));
    bob.call("message.subscribe", json!({"types": ["other"]}));
    bob.end_input();
    send(&mut ada, "bob", json!(1));
    assert_eq!(bob.result(waiting)["messages"][0]["payload"], 1);
    bob.expect_end();
}

#[test]
fn what_a_session_did_not_ack_comes_again_after_its_grace() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 40);
    let _daemon = home.start();
    let mut ada = home.connect_as("ada");
    let mut bob = home.connect_as("bob");
    let ids = [send(&mut ada, "bob", json!("session")), send(&mut ada, "bob", json!("agent"))];
    let first = bob.call("message.receive", json!({}))["messages"][0].take();
    let second = bob.call("message.receive", json!({"bind": "agent"}))["messages"][0].take();
    assert_eq!([&first["id"], &second["id"]], [&ids[0], &ids[1]]);
    drop(bob);
    let mut again = home.connect_as("bob");
    let received = again.call("message.receive", json!({"wait_ms": 9000}));
    let message = &received["messages"][0];
    assert_eq!((&message["id"], &message["attempt"]), (&ids[0], &json!(2)));
    assert_ne!(message["receipt"], first["receipt"]);
    let acked = again.call("message.ack", json!({"receipts": [first["receipt"], second["receipt"]]}));
    assert_eq!(
        (&acked["acked"], &acked["stale"][0]["receipt"]),
        (&json!([second["receipt"]]), &first["receipt"])
    );
    ack(&mut again, message);
}

#[test]
fn pushes_that_were_not_acked_come_again_after_a_resume_with_the_same_receipt() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", HOUR_MS);
    let _daemon = home.start();
    let mut ada = home.connect_as("ada");
    let (mut bob, opened) = home.open(json!({"agent": "bob"}));
    let subscription = bob.call("message.subscribe", json!({"credit": 2}))["subscription"].take();
    for number in 0..3 {
        send(&mut ada, "bob", json!(number));
    }
    let (first, second) = (bob.event_of("message"), bob.event_of("message"));
    assert!(!bob.has_events(), "credit is 2");
    ack(&mut bob, &first);
    let third = bob.event_of("message");
    assert_eq!((&third["payload"], &third["seq"]), (&json!(2), &json!(3)));
    bob.call("server.ping", json!({}));
    drop(bob);

    let (mut again, _) = home.open(json!({"resume": opened["resume_token"]}));
    for (before, seq) in [(&second, 4), (&third, 5)] {
        let event = again.event_of("message");
        assert_eq!((&event["id"], &event["receipt"]), (&before["id"], &before["receipt"]));
        assert_eq!((&event["seq"], &event["subscription"]), (&json!(seq), &subscription));
        assert_eq!(event["attempt"], 1);
        ack(&mut again, &event);
    }
    send(&mut ada, "bob", json!("new"));
    assert_eq!(again.event_of("message")["seq"], 6);
}

#[test]
fn a_request_is_answered_to_the_waiting_caller_alone() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut ada, mut bob) = (home.connect_as("ada"), home.connect_as("bob"));
    let mut other_ada = home.connect_as("ada");
    let elsewhere = other_ada.start("message.receive", json!({"wait_ms": HOUR_MS}));
    let waiting = ada.start("message.request", json!({"to": "bob", "payload": "?", "timeout_ms": HOUR_MS}));
    ada.call("server.ping", json!({}));
    let question = bob.call("message.receive", json!({"wait_ms": 9000}))["messages"][0].take();
    bob.call("message.reply", json!({"to_message": question["id"], "payload": "!"}));
    let answer = ada.result(waiting);
    assert_eq!((&answer["id"], &answer["reply"]["payload"]), (&question["id"], &json!("!")));
    assert_eq!(answer["reply"]["in_reply_to"], question["id"]);
    bob.refused("already_exists", "message.reply", json!({"to_message": question["id"], "payload": "!!"}));
    other_ada.call("session.cancel", json!({"id": elsewhere}));
    other_ada.failure("cancelled", elsewhere);
    assert!(receive(&mut ada).is_empty());
}

#[test]
fn nobody_there_is_told_at_once_and_nobody_answering_in_time() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut ada = home.connect_as("ada");
    let _bob = home.connect_as("bob");
    let data = ada.refused("no_responders", "message.request", json!({"to": "nobody", "payload": 1}));
    assert_eq!(data["to"], "nobody");
    let ask = json!({"to": "bob", "payload": 1, "timeout_ms": 30});
    let data = ada.refused("timeout", "message.request", ask);
    assert!(data["id"].is_u64() && data["waited_ms"].as_u64() >= Some(30), "{data}");
}

#[test]
fn the_answer_to_a_caller_that_left_lands_in_its_inbox_late() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 10);
    let _daemon = home.start();
    let mut bob = home.connect_as("bob");
    let mut ada = home.connect_as("ada");
    ada.start("message.request", json!({"to": "bob", "payload": "?", "timeout_ms": HOUR_MS}));
    let question = bob.call("message.receive", json!({"wait_ms": 9000}))["messages"][0].take();
    drop(ada);
    let connections = |client: &mut Raw| client.call("server.stats", json!({}))["connections"].take();
    wait_for("the hang-up is noticed", || (connections(&mut bob) == 1).then_some(()));
    bob.call("message.reply", json!({"to_message": question["id"], "payload": "!"}));
    let messages = receive(&mut home.connect_as("ada"));
    assert_eq!((&messages[0]["payload"], &messages[0]["late"]), (&json!("!"), &json!(true)));
    assert_eq!(messages[0]["in_reply_to"], question["id"]);
}

#[test]
fn an_answer_is_never_lost_however_the_caller_goes() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 0);
    let _daemon = home.start();
    let mut bob = home.connect_as("bob");
    for round in 0..30 {
        let mut ada = home.connect_as("ada");
        ada.call("agent.heartbeat", json!({}));
        ada.start("message.request", json!({"to": "bob", "payload": round, "timeout_ms": HOUR_MS}));
        let question = bob.call("message.receive", json!({"wait_ms": 9000}))["messages"][0].take();
        // The answer and the hang-up race: it must be in the inbox, or have been written.
        let replied = bob.start("message.reply", json!({"to_message": question["id"], "payload": round}));
        drop(ada);
        bob.result(replied);
    }
    let mut ada = home.connect_as("ada");
    for message in receive(&mut ada) {
        assert_eq!(message["late"], true);
        ack(&mut ada, &message);
    }
    assert!(receive(&mut bob).is_empty());
}

#[test]
fn messages_survive_a_clean_stop() {
    let home = Home::new();
    let daemon = home.start();
    let (mut ada, mut bob) = (home.connect_as("ada"), home.connect_as("bob"));
    let leased = send(&mut ada, "bob", json!({"a": 1.0}));
    let lease = json!({"bind": "agent", "lease_ms": HOUR_MS});
    let message = bob.call("message.receive", lease)["messages"][0].take();
    let urgent = json!({"to": "bob", "payload": "u", "priority": "urgent", "subject": "now"});
    let queued = [send(&mut ada, "bob", json!(1)), ada.call("message.send", urgent)["id"].take()];
    let _daemon = home.stop_and_start(daemon);
    let mut bob = home.connect_as("bob");
    let messages = receive(&mut bob);
    let ids: Vec<&Value> = messages.iter().map(|message| &message["id"]).collect();
    assert_eq!(ids, [&queued[1], &queued[0]], "{messages:?}");
    assert_eq!((&messages[0]["subject"], &messages[0]["from"]), (&json!("now"), &json!("ada")));
    assert_eq!(state(&mut bob, &leased), "leased");
    ack(&mut bob, &message);
    assert_eq!(state(&mut bob, &leased), "acked");
}

#[test]
fn a_full_inbox_is_told() {
    let home = Home::in_memory().with_limits("inbox_depth = 2");
    let _daemon = home.start();
    let (mut ada, mut bob) = (home.connect_as("ada"), home.connect_as("bob"));
    send(&mut ada, "bob", json!(1));
    send(&mut ada, "bob", json!(2));
    let more = json!({"to": "bob", "payload": 3});
    let data = ada.refused("limit_exceeded", "message.send", more.clone());
    assert_eq!((&data["limit"], &data["max"]), (&json!("inbox_depth"), &json!(2)));
    let sent = ada.call("message.send", json!({"to": ["bob", "cyd"], "payload": 3}));
    let states: Vec<&Value> = (0..2).map(|at| &sent["recipients"][at]["state"]).collect();
    assert_eq!(states, ["refused", "queued"]);
    let messages = receive(&mut bob);
    ack(&mut bob, &messages[0]);
    ada.call("message.send", more);
}

#[test]
fn a_slow_subscriber_misses_no_message_and_holds_up_no_sender() {
    let home = Home::in_memory().with_limits("outbound_soft_bytes = 65536\noutbound_hard_bytes = 262144");
    let _daemon = home.start();
    let (mut ada, mut bob) = (home.connect_as("ada"), home.connect_as("bob"));
    bob.call("message.subscribe", json!({"credit": 10_000}));
    let padding = "x".repeat(4000);
    for number in 0..400 {
        ada.call("message.send", json!({"to": "bob", "payload": [number, padding]}));
    }
    let counts = home.connect_as("bob").call("message.counts", json!({}));
    assert!(counts["queued"].as_u64() > Some(0), "all were leased to who does not read: {counts}");
    for number in 0..400 {
        let event = bob.event_of("message");
        assert_eq!((&event["payload"][0], &event["seq"]), (&json!(number), &json!(number + 1)));
        ack(&mut bob, &event);
    }
}

#[test]
fn one_word_wakes_for_many_messages() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut ada, mut bob) = (home.connect_as("ada"), home.connect_as("bob"));
    bob.call("message.subscribe", json!({"wake": true}));
    for number in 0..3 {
        send(&mut ada, "bob", json!(number));
    }
    assert_eq!(bob.event_of("message.waiting")["queued"], 1);
    assert!(!bob.has_events());
    assert_eq!(bob.call("message.receive", json!({"max": 9}))["messages"].as_array().unwrap().len(), 3);
    assert!(!bob.has_events());

    let follow = ["--namespace", "default", "-a", "bob", "inbox", "--follow", "--wake", "--count", "1"];
    let following = home.begin(follow, "");
    send(&mut ada, "bob", json!("for whoever looks"));
    assert_eq!(following.end().text(), "1 waiting");
    assert_eq!(receive(&mut bob).len(), 1);
}

#[test]
fn a_script_reads_what_messages_say_and_nothing_about_them() {
    let home = Home::in_memory().with("CALLBOARD_NAMESPACE", "work");
    let _daemon = home.start();
    for text in ["first", "two\nlines"] {
        home.run(["-a", "ada", "send", "bob", text]).text();
    }
    let read = ["-a", "bob", "inbox", "--payloads"];
    assert_eq!(home.run(read).text(), "first\ntwo\nlines");
    assert_eq!(home.run(read).text(), "", "they are acked");
    home.run(["-a", "ada", "send", "bob", "-j", r#"{"a":1}"#]).text();
    assert_eq!(
        home.run(["-a", "bob", "inbox", "--payloads", "--follow", "--count", "1"]).text(),
        r#"{"a":1}"#
    );
    home.run(["-a", "bob", "inbox", "--payloads", "--no-ack"]).with_code(2);
}
