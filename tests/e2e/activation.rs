//! A socket that a service manager opened: used, never replaced, never removed.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::harness::{Daemon, Home, callboard};

/// Runs a daemon as a service manager would: the socket is its descriptor 3, the variables say so to this very process.
fn activated(home: &Home, sockets: usize, pid: &str) -> Command {
    let listener = UnixListener::bind(home.folder().join("given")).expect("a socket");
    let mut command = Command::new("sh");
    let hand_over = format!(
        "exec 3<&0 4<&0 0</dev/null; export LISTEN_FDS={sockets} LISTEN_PID={pid}; exec \"$0\" daemon"
    );
    home.equip(command.arg("-c").arg(hand_over).arg(callboard()));
    command.stdin(OwnedFd::from(listener));
    command
}

#[test]
fn a_socket_that_was_handed_over_is_served_and_left_where_it_is() {
    let home = Home::in_memory();
    let given = home.folder().join("given");
    let home = home.with("CALLBOARD_SOCKET", given.display());
    let daemon = home.wait_until_ready(Daemon::spawn(&mut activated(&home, 1, "$$")));
    let mut client = home.connect();
    assert_eq!(client.call("server.info", json!({}))["pid"], daemon.pid());
    daemon.stop();
    client.event_of("server.stopping");
    assert!(given.exists(), "the manager's socket was removed");
}

#[test]
fn a_deleted_socket_of_the_manager_is_not_brought_back() {
    let home = Home::in_memory();
    let given = home.folder().join("given");
    let home = home.with("CALLBOARD_SOCKET", given.display());
    let daemon = home.wait_until_ready(Daemon::spawn(&mut activated(&home, 1, "$$")));
    let mut client = home.connect();
    fs::remove_file(&given).expect("the socket");
    for _ in 0..50 {
        client.call("server.ping", json!({}));
    }
    assert!(!given.exists());
    daemon.stop();
}

#[test]
fn a_home_still_has_one_daemon_only() {
    let home = Home::in_memory();
    let first = home.start();
    let output = activated(&home, 1, "$$").stderr(Stdio::piped()).output().expect("it ends");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && log.contains(&format!("pid {}", first.pid())), "{log}");
}

#[test]
fn sockets_for_another_process_are_not_ours() {
    let home = Home::in_memory();
    let daemon = home.wait_until_ready(Daemon::spawn(&mut activated(&home, 1, "1")));
    assert!(home.path().join("callboard.sock").exists());
    assert_eq!(home.connect().call("server.info", json!({}))["pid"], daemon.pid());
}

#[test]
fn two_sockets_are_one_too_many() {
    let home = Home::in_memory();
    let output = activated(&home, 2, "$$").stderr(Stdio::piped()).output().expect("it ends");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && log.contains("2 sockets"), "{log}");
}
