//! Finding a daemon, or starting one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use callboard_client::{Client, ClientError, ConnectOptions, Spawn};
use callboard_protocol::ErrorKind;
use serde_json::json;

use crate::fake::{Fake, opened, program};

/// Options that run `script` as the daemon's program.
fn spawning(fake: &Fake, script: &str) -> ConnectOptions {
    fs::write(fake.home().join("script"), script).unwrap();
    ConnectOptions { spawn: program(), ..fake.options() }
}

#[tokio::test]
async fn nobody_there_is_said_at_once_with_path_and_advice() {
    let fake = Fake::absent();
    let error = Client::connect(fake.options()).await.unwrap_err();
    let ClientError::Unreachable { path, errno, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*path, fake.socket());
    assert_eq!(*errno, Some(2));
    assert!(error.to_string().contains("callboard daemon"), "{error}");
}

#[tokio::test]
async fn a_socket_that_was_left_behind_is_not_waited_for_long() {
    let fake = Fake::absent();
    drop(std::os::unix::net::UnixListener::bind(fake.socket()).unwrap());
    let error = Client::connect(fake.options()).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_path_too_long_for_an_address_is_named_with_its_length() {
    let fake = Fake::absent();
    let mut options = fake.options();
    options.socket = Some(PathBuf::from(format!("/{}", "x".repeat(150))));
    let error = Client::connect(options).await.unwrap_err();
    assert!(matches!(error, ClientError::PathTooLong { len: 151, .. }), "{error:?}");
    assert!(error.to_string().contains("151"), "{error}");
}

#[tokio::test]
async fn a_full_queue_is_no_proof_that_nobody_is_there() {
    let mut fake = Fake::absent();
    fake.listen_with_room_for_one();
    let other = std::os::unix::net::UnixStream::connect(fake.socket()).unwrap();
    let accept = async {
        // The client has met the full queue before the first in it is taken out.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        drop((fake.accept().await, other));
        fake.accept().await.expect("session.open", opened(false)).await;
    };
    let (connected, ()) = tokio::join!(Client::connect(fake.options()), accept);
    connected.unwrap();
}

#[tokio::test]
async fn a_daemon_that_refuses_in_a_line_is_heard() {
    let fake = Fake::new();
    let refuse = async {
        let mut peer = fake.accept().await;
        peer.raw(b"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32008,\"message\":\"too many\",\"data\":{\"kind\":\"limit_exceeded\"}}}\n").await;
    };
    let (client, ()) = tokio::join!(Client::connect(fake.options()), refuse);
    assert_eq!(client.unwrap_err().kind(), Some(ErrorKind::LimitExceeded));
}

#[tokio::test]
async fn another_version_of_the_protocol_is_an_error_of_its_own() {
    let fake = Fake::new();
    let refuse = async {
        let mut peer = fake.accept().await;
        let open = peer.read("session.open").await;
        let error = json!({"code": -32014, "message": "upgrade the client", "data": {"kind": "unsupported_version", "min": 2, "max": 3}});
        peer.refuse(&open, error).await;
        peer
    };
    let (client, _peer) = tokio::join!(Client::connect(fake.options()), refuse);
    let error = client.unwrap_err();
    assert!(matches!(error, ClientError::SkewedVersion { .. }), "{error:?}");
    assert_eq!(error.kind(), Some(ErrorKind::UnsupportedVersion));
}

#[tokio::test]
async fn a_daemon_that_does_not_answer_is_a_timeout() {
    let fake = Fake::new();
    let mut options = fake.options();
    options.connect_timeout = Duration::from_millis(30);
    let error = Client::connect(options).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { after_ms: 30, .. }), "{error:?}");
}

#[tokio::test]
async fn the_daemon_is_started_where_nobody_listens() {
    let mut fake = Fake::absent();
    // The program tells what it was started with, and the test listens in its place.
    let said = fake.home().join("said");
    let script = format!(
        "echo \"$1 $CALLBOARD_HOME $CALLBOARD_SOCKET $(pwd)\" > {0}.part; mv {0}.part {0}",
        said.display()
    );
    let options = spawning(&fake, &script);
    let connecting = tokio::spawn(Client::connect(options));
    while !said.exists() {
        tokio::task::yield_now().await;
    }
    let (home, socket) = (fake.home(), fake.socket());
    let expected = format!("daemon {} {} /\n", home.display(), socket.display());
    assert_eq!(fs::read_to_string(&said).unwrap(), expected);
    fake.listen();
    fake.accept().await.expect("session.open", opened(false)).await;
    connecting.await.unwrap().unwrap();
    let mode = fs::metadata(home.join("daemon.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_daemon_that_ends_leaves_its_last_words_in_the_error() {
    let fake = Fake::absent();
    let mut options = spawning(&fake, "echo 'the configuration is wrong' >&2; exit 3");
    options.connect_timeout = Duration::from_millis(500);
    let error = Client::connect(options).await.unwrap_err();
    let ClientError::DaemonEnded { lines, .. } = &error else { panic!("{error:?}") };
    assert_eq!(&**lines, "the configuration is wrong");
    assert!(error.to_string().contains("exit status: 3"), "{error}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let fake = Fake::absent();
    let mut options = fake.options();
    let program = fake.home().join("missing");
    options.spawn = Spawn::IfNeeded { program: program.clone(), args: Vec::new() };
    let error = Client::connect(options).await.unwrap_err();
    assert!(error.to_string().contains(&*program.to_string_lossy()), "{error}");
    assert!(matches!(error, ClientError::Spawn { .. }), "{error:?}");
}
