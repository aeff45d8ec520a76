//! Requests in the order sent, replies in that order too, and those that wait out of it.

use serde_json::{Value, json};

use crate::harness::{Framing, Home, Raw};

#[test]
fn ten_thousand_requests_without_waiting_are_answered_in_order() {
    let home = Home::in_memory();
    let _daemon = home.start();
    for framing in [Framing::Lines, Framing::Lengths] {
        let mut client = home.connect_with(framing);
        let mut requests = Vec::new();
        for id in 0..10_000 {
            let request =
                json!({"id": id, "method": "kv.increment", "params": {"key": format!("{framing:?}")}});
            requests.extend(framing.frame(&request.to_string()));
        }
        let mut writer = client.writer();
        let writing = std::thread::spawn(move || std::io::Write::write_all(&mut writer, &requests));
        for id in 0..10_000 {
            let reply = client.next_reply();
            assert_eq!((&reply["id"], &reply["result"]["value"]), (&json!(id), &json!(id + 1)));
        }
        writing.join().expect("the writer").expect("the daemon reads");
    }
}

#[test]
fn a_client_may_send_all_before_it_reads_anything() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    for _ in 0..10_000 {
        client.start("server.ping", json!({}));
    }
    for id in 1..=10_000 {
        assert_eq!(client.next_reply()["id"], id);
    }
}

#[test]
fn errors_take_their_turn_among_the_replies() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    client.write(concat!(
        "{\"id\":1,\"method\":\"server.ping\"}\n",
        "{\"id\":2,\"method\":\"no.such\"}\n",
        "{\"id\":3\n",
        "{\"id\":4,\"method\":\"kv.get\",\"params\":{}}\n",
        "{\"id\":5,\"method\":\"server.snapshot\"}\n",
        "{\"id\":6,\"method\":\"server.ping\"}\n",
    ));
    let ids: Vec<Value> = (0..6).map(|_| client.next_reply()["id"].take()).collect();
    assert_eq!(Value::from(ids), json!([1, 2, null, 4, 5, 6]));
}

#[test]
fn a_request_that_takes_its_time_is_still_answered_in_turn() {
    let home = Home::new();
    let _daemon = home.start();
    let mut client = home.connect();
    client.start("kv.set", json!({"key": "a", "value": 1}));
    client.start("server.snapshot", json!({}));
    client.start("kv.get", json!({"key": "a"}));
    let ids: Vec<Value> = (0..3).map(|_| client.next_reply()["id"].take()).collect();
    assert_eq!(Value::from(ids), json!([1, 2, 3]));
}

/// One agent that holds `a`, one that waits for it, with the id of the waiting request.
fn holder_and_waiter(home: &Home) -> (Raw, Value, Raw, u64) {
    let mut holder = home.connect_as("ada");
    let held = holder.call("lock.acquire", json!({"keys": ["a"]}));
    let mut waiter = home.connect_as("bob");
    let waiting = waiter.start("lock.acquire", json!({"keys": ["a"], "wait_ms": 60_000}));
    assert_eq!(holder.event_of("lock.contended")["waiter"], "bob");
    (holder, held["token"].clone(), waiter, waiting)
}

#[test]
fn what_waits_holds_up_nothing_behind_it() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut holder, token, mut waiter, waiting) = holder_and_waiter(&home);
    waiter.call("kv.set", json!({"key": "k", "value": 1}));
    let other = waiter.start("lock.acquire", json!({"keys": ["a", "b"], "wait_ms": 60_000}));
    waiter.call("server.ping", json!({}));
    holder.call("lock.release", json!({"token": token}));
    assert_eq!(waiter.result(waiting)["keys"], json!(["a"]));
    assert_eq!(waiter.result(other)["keys"], json!(["a", "b"]));
}

#[test]
fn a_wait_that_runs_out_says_how_long_it_was() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (_holder, _, mut waiter, _) = holder_and_waiter(&home);
    let data = waiter.refused("timeout", "lock.acquire", json!({"keys": ["a", "c"], "wait_ms": 60}));
    assert!(data["waited_ms"].as_u64().is_some_and(|waited| waited >= 60), "{data}");
    // With nothing held, so that nothing is left to time out.
    let data = waiter.refused("lock_held", "lock.acquire", json!({"keys": ["a", "c"]}));
    assert_eq!(data["conflicts"][0]["agent"], "ada");
}

#[test]
fn a_waiting_request_can_be_cancelled_on_its_own_connection() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut holder, token, mut waiter, waiting) = holder_and_waiter(&home);
    let mut stranger = home.connect_as("bob");
    assert_eq!(stranger.call("session.cancel", json!({"id": waiting})), json!({"cancelled": false}));

    assert_eq!(waiter.call("session.cancel", json!({"id": waiting})), json!({"cancelled": true}));
    waiter.failure("cancelled", waiting);
    assert_eq!(waiter.call("session.cancel", json!({"id": waiting})), json!({"cancelled": false}));
    assert_eq!(waiter.call("session.cancel", json!({"id": "never"})), json!({"cancelled": false}));

    holder.call("lock.release", json!({"token": token}));
    assert_eq!(holder.call("lock.list", json!({}))["locks"], json!([]));
}

#[test]
fn waiting_ids_may_be_strings_and_need_not_be_distinct() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut holder, token, mut waiter, _) = holder_and_waiter(&home);
    for _ in 0..2 {
        waiter.send(r#"{"id":"w","method":"lock.acquire","params":{"keys":["a","b"],"wait_ms":60000}}"#);
    }
    assert_eq!(waiter.call("session.cancel", json!({"id": "w"})), json!({"cancelled": true}));
    assert_eq!(waiter.next_reply()["error"]["data"]["kind"], "cancelled");
    holder.call("lock.release", json!({"token": token}));
    assert_eq!(waiter.next_reply()["result"]["keys"], json!(["a"]));
    assert_eq!(waiter.next_reply()["id"], "w");
}

#[test]
fn the_reply_with_a_subscription_comes_before_its_first_event() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    client.call("kv.set", json!({"key": "a", "value": 1}));
    client.start("kv.watch", json!({"prefix": "", "initial": true}));
    client.start("kv.set", json!({"key": "b", "value": 2}));
    let frames: Vec<Value> =
        (0..5).map(|_| serde_json::from_str(&client.frame().expect("a frame")).expect("JSON")).collect();
    let subscribed = frames.iter().position(|frame| frame["id"] == 2).expect("a reply");
    let first = frames.iter().position(|frame| frame["method"] == "event").expect("an event");
    assert!(subscribed < first, "{frames:?}");
    let seqs: Vec<&Value> =
        frames.iter().map(|frame| &frame["params"]["seq"]).filter(|seq| seq.is_u64()).collect();
    assert_eq!(seqs, [1, 2, 3]);
}
