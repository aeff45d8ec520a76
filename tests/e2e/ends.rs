//! The end of input, which still gets its answers. A hang-up gets nothing: see `hangups`.

use serde_json::json;

use crate::hangups::{hold, wait_in_vain};
use crate::harness::{Framing, Home, wait_for};

const PING: &str = r#"{"id":1,"method":"server.ping"}"#;

#[test]
fn a_last_line_without_its_end_still_counts() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    client.write(format!("{PING}\n{PING}"));
    client.end_input();
    client.result(1);
    client.result(1);
    client.expect_end();
}

#[test]
fn half_a_frame_is_dropped_at_the_end_of_input() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let frame = Framing::Lengths.frame(PING);
    for rest in [&frame[..2], &frame[..frame.len() - 1]] {
        let mut client = home.connect_with(Framing::Lengths);
        client.send(PING);
        client.write(rest);
        client.end_input();
        client.result(1);
        client.expect_end();
    }
    // Half a line is a line, and malformed.
    let mut client = home.connect();
    client.write(&PING[..10]);
    client.end_input();
    client.next_failure("parse_error");
    client.expect_end();
}

#[test]
fn a_connection_that_says_nothing_is_closed_without_a_word() {
    let home = Home::in_memory();
    let _daemon = home.start();
    for nothing in ["", "\n", " \r\n"] {
        let mut client = home.connect();
        client.write(nothing);
        client.end_input();
        client.expect_end();
    }
}

#[test]
fn what_waits_is_still_answered_after_the_end_of_input() {
    let home = Home::in_memory();
    let _daemon = home.start();
    for framing in [Framing::Lines, Framing::Lengths] {
        let (mut holder, token) = hold(&home);
        let mut waiter = home.connect_with(framing);
        waiter.call("session.open", json!({"agent": "bob"}));
        let waiting = wait_in_vain(&mut waiter, &mut holder);
        waiter.end_input();
        // Time for a daemon that would take the end of input for a hang-up.
        for _ in 0..20 {
            holder.call("server.ping", json!({}));
        }
        holder.call("lock.release", json!({"token": token}));
        let granted = waiter.result(waiting);
        assert_eq!(granted["keys"], json!(["a"]));
        waiter.expect_end();
        home.connect_as("bob").call("lock.release", json!({"token": granted["token"]}));
    }
}

#[test]
fn a_wait_that_runs_out_ends_a_connection_without_input() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (_holder, _) = hold(&home);
    let mut waiter = home.connect_as("bob");
    let waiting = waiter.start("lock.acquire", json!({"keys": ["a"], "wait_ms": 30}));
    waiter.end_input();
    waiter.failure("timeout", waiting);
    waiter.expect_end();
}

#[test]
fn subscriptions_do_not_keep_a_connection_open() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    client.call("kv.watch", json!({"prefix": ""}));
    client.call("topic.subscribe", json!({"pattern": ">"}));
    client.end_input();
    client.expect_end();
}

#[test]
fn a_hang_up_after_the_end_of_input_is_noticed_too() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 3_600_000);
    let _daemon = home.start();
    let (mut holder, _) = hold(&home);
    let mut gone = home.connect_as("bob");
    wait_in_vain(&mut gone, &mut holder);
    gone.end_input();
    holder.call("server.ping", json!({}));
    assert_ne!(holder.call("lock.list", json!({}))["waiters"], json!([]));
    drop(gone);
    wait_for("the waiter is withdrawn", || {
        (holder.call("lock.list", json!({}))["waiters"] == json!([])).then_some(())
    });
}
