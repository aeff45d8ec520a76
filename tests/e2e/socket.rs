//! The socket file and the home: where they are, who may use them, and what becomes of them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;

use serde_json::json;

use crate::harness::{Home, wait_for};

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o7777
}

#[track_caller]
fn refusal(home: &Home) -> String {
    let output = home.daemon().stderr(Stdio::piped()).output().expect("it ends");
    assert!(!output.status.success(), "{}", output.status);
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn home_and_socket_are_for_their_user_alone() {
    let home = Home::new();
    let _daemon = home.start();
    home.connect().call("kv.set", json!({"key": "a", "value": 1}));
    assert_eq!(mode(home.path()), 0o700);
    assert_eq!(mode(home.socket()), 0o600);
    assert_eq!(mode(home.path().join("store")), 0o700);
}

#[test]
fn a_home_that_others_may_read_is_closed() {
    let home = Home::in_memory();
    fs::create_dir(home.path()).expect("a home");
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).expect("a mode");
    let _daemon = home.start();
    assert_eq!(mode(home.path()), 0o700);
}

#[test]
fn a_home_that_others_may_write_is_refused_with_the_command_that_mends_it() {
    let home = Home::in_memory();
    fs::create_dir(home.path()).expect("a home");
    fs::set_permissions(home.path(), Permissions::from_mode(0o777)).expect("a mode");
    let log = refusal(&home);
    let command = format!("chmod go-w '{}'", home.path().display());
    assert!(log.contains(&command), "{log}");
    assert_eq!(mode(home.path()), 0o777);
    let mended = std::process::Command::new("sh").args(["-c", &command]).status();
    assert!(mended.expect("a shell").success());
    let _daemon = home.start();
}

#[test]
fn a_home_that_is_a_link_or_a_file_is_refused() {
    let home = Home::in_memory();
    let elsewhere = home.folder().join("elsewhere");
    fs::create_dir(&elsewhere).expect("a folder");
    symlink(&elsewhere, home.path()).expect("a link");
    let log = refusal(&home);
    assert!(log.contains("symbolic link"), "{log}");
    assert_eq!(fs::read_dir(&elsewhere).expect("a folder").count(), 0);

    fs::remove_file(home.path()).expect("the link");
    fs::write(home.path(), "a file").expect("a file");
    let log = refusal(&home);
    assert!(log.contains(home.path().to_str().expect("a path")), "{log}");
}

#[test]
fn a_socket_among_other_peoples_files_is_refused() {
    let home = Home::in_memory();
    let open = home.folder().join("open");
    fs::create_dir(&open).expect("a folder");
    fs::set_permissions(&open, Permissions::from_mode(0o777)).expect("a mode");
    let home = home.with("CALLBOARD_SOCKET", open.join("s").display());
    let log = refusal(&home);
    assert!(log.contains(open.to_str().expect("a path")), "{log}");
    // With the sticky bit nobody can take the socket's place.
    fs::set_permissions(&open, Permissions::from_mode(0o1777)).expect("a mode");
    let _daemon = home.start();
    assert_eq!(mode(home.socket()), 0o600);
}

#[test]
fn a_path_that_is_too_long_is_told_with_its_length_and_the_limit() {
    let home = Home::in_memory();
    let limit = if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };
    let base = home.folder().join("x").as_os_str().len();
    let at = |length: usize| home.folder().join("x".repeat(length - base + 1));
    let (fits, is_too_long) = (at(limit), at(limit + 1));
    let home = home.with("CALLBOARD_SOCKET", is_too_long.display());
    let log = refusal(&home);
    for part in [is_too_long.to_str().expect("a path"), &(limit + 1).to_string(), &limit.to_string()] {
        assert!(log.contains(part), "{part} in {log}");
    }
    assert!(!is_too_long.exists());
    let other = Home::in_memory().with("CALLBOARD_SOCKET", fits.display());
    let _daemon = other.start();
}

#[test]
fn a_socket_that_a_dead_daemon_left_is_replaced() {
    let home = Home::in_memory();
    fs::create_dir(home.path()).expect("a home");
    drop(UnixListener::bind(home.socket()).expect("a socket"));
    assert!(home.socket().exists());
    let _daemon = home.start();
    home.connect().call("server.ping", json!({}));
}

#[test]
fn what_is_no_socket_is_never_deleted() {
    let home = Home::in_memory();
    fs::create_dir(home.path()).expect("a home");
    fs::write(home.socket(), "precious").expect("a file");
    let log = refusal(&home);
    assert!(log.contains(home.socket().to_str().expect("a path")), "{log}");
    assert_eq!(fs::read_to_string(home.socket()).expect("a file"), "precious");
}

#[test]
fn a_socket_deleted_under_the_daemon_comes_back() {
    let home = Home::in_memory();
    let daemon = home.start();
    let mut old = home.connect();
    old.call("kv.set", json!({"key": "a", "value": 1}));
    for _ in 0..3 {
        fs::remove_file(home.socket()).expect("the socket");
        wait_for("the socket is back", || std::os::unix::net::UnixStream::connect(home.socket()).ok());
        let mut new = home.connect();
        assert_eq!(new.call("kv.get", json!({"key": "a"}))["value"], 1);
        assert_eq!(mode(home.socket()), 0o600);
        old.call("server.ping", json!({}));
    }
    daemon.stop();
    assert!(!home.socket().exists());
}

#[test]
fn a_socket_put_in_the_place_of_ours_is_replaced() {
    let home = Home::in_memory();
    let daemon = home.start();
    let decoy = home.folder().join("decoy");
    drop(UnixListener::bind(&decoy).expect("a socket"));
    fs::rename(&decoy, home.socket()).expect("a rename");
    wait_for("the daemon answers again", || std::os::unix::net::UnixStream::connect(home.socket()).ok());
    assert_eq!(home.connect().call("server.info", json!({}))["pid"], daemon.pid());
}

#[test]
fn a_daemon_whose_home_is_gone_stops() {
    let home = Home::in_memory();
    let daemon = home.start();
    let mut client = home.connect();
    client.call("server.ping", json!({}));
    fs::remove_dir_all(home.path()).expect("the home");
    client.event_of("server.stopping");
    client.drain();
    daemon.wait();
}
