//! A process of another user, who is turned away.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::harness::{Daemon, Framing, Home, Raw, Stream};

/// Tells the child below where the daemon is.
const SOCKET: &str = "E2E_STRANGER_SOCKET";

/// Not a test of its own: the body of a process of another user.
#[test]
#[ignore = "runs as the child of another test"]
fn child_of_another_user() {
    let Some(socket) = std::env::var_os(SOCKET) else {
        return;
    };
    let stream = Stream::connect(socket).expect("the socket's mode lets it in");
    let mut client = Raw::of(stream, Framing::Lines);
    // Whether the daemon was quicker is of no matter: there is no answer.
    let _ = std::io::Write::write_all(&mut client.writer(), b"{\"id\":1,\"method\":\"server.ping\"}\n");
    client.expect_end();
}

#[test]
fn another_user_is_turned_away_whatever_the_modes_say() {
    let home = Home::in_memory();
    let _daemon = home.start();
    for (path, mode) in [(home.folder().into(), 0o755), (home.path(), 0o755), (home.socket(), 0o666)] {
        set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
    }
    let nobody = 65534;
    let mut command = Command::new(std::env::current_exe().expect("the test has a path"));
    command
        .args(["--ignored", "--exact", "strangers::child_of_another_user"])
        .env(SOCKET, home.socket())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .uid(nobody);
    let Ok(child) = command.spawn() else {
        eprintln!("SKIPPED: no process of another user can be started here");
        return;
    };
    let status = Daemon::from(child).wait();
    assert!(status.success(), "the other user was let in");
    home.connect().call("server.ping", json!({}));
}
