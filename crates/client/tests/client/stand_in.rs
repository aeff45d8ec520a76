//! A daemon in a process of its own: this test binary, started again by the client.
//!
//! It does what the real one does when many are started at once: one takes the lock of the home, all others leave.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use callboard_client::{Client, ConnectOptions};
use callboard_protocol::limits::FRAME_BYTES_CEILING;
use callboard_protocol::{Decoder, Framing};
use serde_json::{Value, json};

use crate::fake::{opened, program};

/// How many clients the stand-in serves before it leaves; without it the binary is no stand-in.
const CLIENTS_VARIABLE: &str = "STAND_IN_CLIENTS";
/// How long a stand-in lives at most, should the test fail.
const LIFE: Duration = Duration::from_secs(20);
const CLIENTS: usize = 50;

/// No test: what the script runs.
#[test]
fn serve() {
    let Ok(clients) = std::env::var(CLIENTS_VARIABLE) else {
        return;
    };
    let home = PathBuf::from(std::env::var_os("CALLBOARD_HOME").unwrap());
    let lock = File::create(home.join("lock")).unwrap();
    if lock.try_lock().is_err() {
        std::process::exit(1);
    }
    thread::spawn(|| {
        thread::sleep(LIFE);
        std::process::exit(2);
    });
    let mut winners = File::options().append(true).create(true).open(home.join("winners")).unwrap();
    writeln!(winners, "{}", std::process::id()).unwrap();
    let listener = UnixListener::bind(std::env::var_os("CALLBOARD_SOCKET").unwrap()).unwrap();
    let sessions: Vec<_> = (0..clients.parse().unwrap())
        .map(|_| {
            thread::spawn({
                let stream = listener.accept().unwrap().0;
                move || answer(stream)
            })
        })
        .collect();
    for session in sessions {
        session.join().unwrap();
    }
}

/// Answers `session.open`, and nothing else, until the client leaves.
fn answer(mut stream: UnixStream) {
    let mut decoder = Decoder::new(FRAME_BYTES_CEILING);
    let mut buffer = BytesMut::new();
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        buffer.extend_from_slice(&bytes[..count]);
        while let Some(frame) = decoder.decode(&mut buffer).unwrap() {
            let request: Value = serde_json::from_slice(&frame).unwrap();
            let reply = json!({"jsonrpc": "2.0", "id": request["id"], "result": opened(false)});
            let mut out = Vec::new();
            Framing::LengthDelimited.encode_value(&reply, &mut out).unwrap();
            stream.write_all(&out).unwrap();
        }
    }
}

#[tokio::test]
async fn many_clients_at_once_end_with_one_daemon() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    let this = std::env::current_exe().unwrap();
    let script = format!("{CLIENTS_VARIABLE}={CLIENTS} exec {} --exact stand_in::serve", this.display());
    fs::write(home.join("script"), script).unwrap();
    let connecting: Vec<_> = (0..CLIENTS)
        .map(|_| {
            tokio::spawn(Client::connect(ConnectOptions {
                home: Some(home.to_owned()),
                socket: Some(home.join("callboard.sock")),
                spawn: program(),
                connect_timeout: LIFE,
                ..ConnectOptions::default()
            }))
        })
        .collect();
    let mut clients = Vec::new();
    for client in connecting {
        clients.push(client.await.unwrap().unwrap());
    }
    let winners = fs::read_to_string(home.join("winners")).unwrap();
    assert_eq!(winners.lines().count(), 1, "{winners}");
}
