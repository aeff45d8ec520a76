//! One daemon of a home, and of a socket, whoever else tries.

use std::process::Stdio;

use serde_json::json;

use crate::harness::{Daemon, Home, wait_for};

/// Runs a daemon that has to end by itself with an error; gives what it says.
#[track_caller]
fn refusal(home: &Home) -> String {
    let output = home.daemon().stderr(Stdio::piped()).output().expect("it ends");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{}: {log}", output.status);
    log
}

#[test]
fn a_second_daemon_ends_and_names_the_first() {
    let home = Home::in_memory();
    let first = home.start();
    let mut client = home.connect();
    let log = refusal(&home);
    assert!(log.contains(&format!("pid {}", first.pid())), "{log}");
    client.call("server.ping", json!({}));
    assert_eq!(home.connect().call("server.info", json!({}))["pid"], first.pid());
}

#[test]
fn of_twenty_that_start_at_once_one_runs() {
    let home = Home::in_memory();
    let mut daemons: Vec<Daemon> = (0..20).map(|_| Daemon::spawn(&mut home.daemon())).collect();
    wait_for("all but one have ended", || {
        daemons.retain_mut(|daemon| match daemon.exited() {
            Some(status) => {
                assert!(!status.success(), "{status}");
                false
            }
            None => true,
        });
        (daemons.len() == 1).then_some(())
    });
    let last = home.wait_until_ready(daemons.remove(0));
    assert_eq!(home.connect().call("server.info", json!({}))["pid"], last.pid());
    let losers = home.read_log().matches("a daemon runs here already").count();
    assert_eq!(losers, 19);
}

/// Windows itself keeps a second server from a pipe, and Wine does not.
#[cfg(unix)]
#[test]
fn two_homes_cannot_share_a_socket() {
    let one = Home::in_memory();
    let socket = one.folder().join("shared").display().to_string();
    let one = one.with("CALLBOARD_SOCKET", &socket);
    let other = Home::in_memory().with("CALLBOARD_SOCKET", &socket);
    let first = one.start();
    let log = refusal(&other);
    assert!(log.contains(&format!("pid {}", first.pid())), "{log}");
    assert_eq!(other.connect().call("server.info", json!({}))["pid"], first.pid());
}

#[test]
fn a_daemon_that_was_killed_is_replaced_at_once() {
    let home = Home::in_memory();
    let mut daemon = home.start();
    for _ in 0..5 {
        daemon = home.crash_and_start(daemon);
        assert_eq!(home.connect().call("server.info", json!({}))["pid"], daemon.pid());
    }
}

#[test]
fn the_lock_file_alone_says_nothing() {
    let home = Home::in_memory();
    let daemon = home.start();
    daemon.kill();
    // The pid of a process that lives: ours. A file is no daemon.
    std::fs::write(home.path().join("callboard.lock"), std::process::id().to_string()).expect("a file");
    let _daemon = home.start();
}
