//! The hang-up, after which nobody is left to answer.

use serde_json::{Value, json};

use crate::harness::{Home, Raw, wait_for};

/// A client that holds the lock `a`, and its token.
pub fn hold(home: &Home) -> (Raw, Value) {
    let mut holder = home.connect_as("ada");
    let token = holder.call("lock.acquire", json!({"keys": ["a"]}))["token"].take();
    (holder, token)
}

/// Has a client wait for the lock `a`; gives the id of its request.
#[track_caller]
pub fn wait_in_vain(client: &mut Raw, holder: &mut Raw) -> u64 {
    let id = client.start("lock.acquire", json!({"keys": ["a"], "wait_ms": 60_000}));
    holder.event_of("lock.contended");
    id
}

#[test]
fn a_hang_up_withdraws_what_waits_before_any_grace() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 3_600_000);
    let _daemon = home.start();
    let (mut holder, token) = hold(&home);
    let mut gone = home.connect_as("bob");
    wait_in_vain(&mut gone, &mut holder);
    let mut next = home.connect_as("cyd");
    let waiting = wait_in_vain(&mut next, &mut holder);
    drop(gone);
    wait_for("the waiter is withdrawn", || {
        let waiters = holder.call("lock.list", json!({}))["waiters"].take();
        (waiters.as_array().map(Vec::len) == Some(1)).then_some(())
    });
    holder.call("lock.release", json!({"token": token}));
    assert_eq!(next.result(waiting)["keys"], json!(["a"]));
}

#[test]
fn notifications_sent_before_a_hang_up_are_carried_out() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut gone = home.connect();
    for _ in 0..100 {
        gone.notify("kv.increment", json!({"key": "n"}));
    }
    drop(gone);
    let mut client = home.connect();
    wait_for("all hundred", || (client.call("kv.get", json!({"key": "n"}))["value"] == 100).then_some(()));
}

#[test]
fn a_grant_for_a_client_that_is_gone_goes_to_the_next() {
    let home = Home::in_memory();
    let _daemon = home.start();
    for _ in 0..20 {
        let (mut holder, token) = hold(&home);
        let mut gone = home.connect_as("bob");
        wait_in_vain(&mut gone, &mut holder);
        let mut next = home.connect_as("cyd");
        let waiting = wait_in_vain(&mut next, &mut holder);
        // The hang-up first: whatever order the daemon sees them in, only a live client may end up with the lock.
        drop(gone);
        holder.call("lock.release", json!({"token": token}));
        let mut bob = home.connect_as("bob");
        bob.call("lock.release", json!({"keys": ["a"]}));
        let granted = next.result(waiting);
        next.call("lock.release", json!({"token": granted["token"]}));
    }
}
