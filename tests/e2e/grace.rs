//! What becomes of a client that dies: real processes, ended as a crash would end them.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Daemon, Framing, Home, Raw, Stream, wait_for};

/// Tells the child below where the daemon is.
const SOCKET: &str = "E2E_CHILD_SOCKET";

/// Not a test of its own: the body of a process that takes what it can get and then does nothing.
#[test]
#[ignore = "runs as the child of another test"]
fn child_that_holds_on() {
    let Some(socket) = std::env::var_os(SOCKET) else {
        return;
    };
    let stream = Stream::connect(socket).expect("the daemon listens");
    let mut client = Raw::of(stream, Framing::Lengths);
    client.call("session.open", json!({"agent": "child"}));
    client.call("message.receive", json!({"max": 10}));
    client.call("lock.acquire", json!({"keys": ["session/bound"], "bind": "session"}));
    client.call("lock.acquire", json!({"keys": ["agent/bound"]}));
    loop {
        std::thread::park();
    }
}

/// A process that holds two locks by now.
fn holding_child(home: &Home) -> Daemon {
    let mut command = Command::new(std::env::current_exe().expect("the test has a path"));
    command
        .args(["--ignored", "--exact", "grace::child_that_holds_on"])
        .env(SOCKET, home.socket())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let child = Daemon::spawn(&mut command);
    let mut observer = home.connect();
    wait_for("the child holds its locks", || {
        let locks = observer.call("lock.list", json!({"agent": "child"}));
        (locks["locks"].as_array().map(Vec::len) == Some(2)).then_some(())
    });
    child
}

#[test]
fn the_locks_of_a_killed_process_are_freed_after_the_grace_and_not_before() {
    let grace_ms = 300;
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", grace_ms);
    let _daemon = home.start();
    let child = holding_child(&home);
    let mut waiter = home.connect_as("bob");
    let waiting = waiter.start("lock.acquire", json!({"keys": ["session/*"], "wait_ms": 9000}));
    waiter.call("server.ping", json!({}));
    let killed = Instant::now();
    child.kill();
    assert_eq!(waiter.result(waiting)["keys"], json!(["session/*"]));
    let took = killed.elapsed();
    assert!(took >= Duration::from_millis(grace_ms), "freed after {took:?}");
    assert!(took < Duration::from_millis(grace_ms + 2000), "freed after {took:?}");
    let data = waiter.refused("lock_held", "lock.acquire", json!({"keys": ["agent/bound"]}));
    assert_eq!(data["conflicts"][0]["agent"], "child");
}

#[test]
fn what_a_killed_process_had_received_comes_again() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 100);
    let _daemon = home.start();
    let mut sender = home.connect_as("ada");
    let sent = sender.call("message.send", json!({"to": "child", "payload": "once more"}));
    let child = holding_child(&home);
    assert_eq!(sender.call("message.status", json!({"id": sent["id"]}))["recipients"][0]["state"], "leased");
    let mut heir = home.connect_as("child");
    assert_eq!(heir.call("message.receive", json!({}))["messages"], json!([]));
    child.kill();
    let message = heir.call("message.receive", json!({"wait_ms": 9000}))["messages"][0].take();
    assert_eq!((&message["id"], &message["attempt"]), (&sent["id"], &json!(2)));
}

#[test]
fn without_grace_a_killed_process_frees_its_locks_at_once() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 0);
    let _daemon = home.start();
    let child = holding_child(&home);
    let mut waiter = home.connect_as("bob");
    let waiting = waiter.start("lock.acquire", json!({"keys": ["session/bound"], "wait_ms": 9000}));
    child.kill();
    waiter.result(waiting);
}

#[test]
fn a_client_that_comes_back_within_the_grace_keeps_its_locks() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 3_600_000);
    let _daemon = home.start();
    let (mut client, opened) = home.open(json!({"agent": "ada"}));
    client.call("lock.acquire", json!({"keys": ["a"], "bind": "session"}));
    drop(client);
    let mut other = home.connect_as("bob");
    other.refused("lock_held", "lock.acquire", json!({"keys": ["a"]}));
    let (mut again, _) = home.open(json!({"resume": opened["resume_token"]}));
    assert_eq!(again.call("lock.release", json!({"keys": ["a"]})), json!({"released": 1}));
}

#[cfg(unix)]
#[test]
fn a_stopped_process_keeps_what_it_holds() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 10);
    let _daemon = home.start();
    let child = holding_child(&home);
    child.signal(rustix::process::Signal::STOP);
    let mut other = home.connect_as("bob");
    // Much longer than the grace, awaited where it can be seen.
    other.refused("timeout", "lock.acquire", json!({"keys": ["session/bound"], "wait_ms": 150}));
}

#[test]
fn presence_outlasts_the_connection_and_its_grace() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 20);
    let _daemon = home.start();
    let mut watcher = home.connect();
    watcher.call("agent.watch", json!({}));
    let mut client = home.connect();
    client.call("agent.register", json!({"name": "ada", "ttl_ms": 150}));
    watcher.event_of("agent.joined");
    let left_at = Instant::now();
    drop(client);
    let left = watcher.event_of("agent.left");
    assert_eq!((&left["agent"], &left["why"]), (&json!("ada"), &json!("expired")));
    assert!(left_at.elapsed() >= Duration::from_millis(100), "left after {:?}", left_at.elapsed());
}
