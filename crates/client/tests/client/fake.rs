//! A daemon that does what the test says.

use std::path::PathBuf;

use bytes::BytesMut;
use callboard_client::{Client, ConnectOptions, Spawn};
use callboard_protocol::limits::FRAME_BYTES_CEILING;
use callboard_protocol::{Decoder, Framing, Limits};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixSocket, UnixStream};

/// A socket in a directory of its own.
pub struct Fake {
    directory: TempDir,
    listener: Option<UnixListener>,
}

/// One connection, seen from the daemon.
pub struct Peer {
    stream: UnixStream,
    decoder: Decoder,
    buffer: BytesMut,
}

/// A request as it came.
#[derive(Debug)]
pub struct Request {
    pub id: Option<i64>,
    pub method: String,
    pub params: Value,
}

/// Starts what the file `script` in the home says.
pub fn program() -> Spawn {
    Spawn::IfNeeded {
        program: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client/program.sh")),
        args: Vec::new(),
    }
}

/// What `session.open` is answered with.
pub fn opened(resumed: bool) -> Value {
    json!({
        "protocol": 1, "server": {"name": "fake", "version": "0"}, "instance_id": "i", "session_id": "s",
        "resume_token": "token", "resumed": resumed, "namespace": "default", "agent": null, "sessions": 0,
        "durability": "memory", "grace_ms": 5000, "limits": Limits { frame_bytes: 65536, ..Limits::default() },
    })
}

/// What `server.info` is answered with by the daemon that started at `started_at`.
pub fn info(started_at: u64) -> Value {
    json!({
        "version": "0", "protocol": {"min": 1, "max": 1}, "pid": 1, "instance_id": "i", "started_at": started_at,
        "socket": "s", "home": "h", "durability": "memory", "limits": Limits::default(),
    })
}

impl Fake {
    pub fn new() -> Self {
        let mut fake = Self { directory: tempfile::tempdir().unwrap(), listener: None };
        fake.listen();
        fake
    }

    /// Nobody listens, and there is no socket.
    pub fn absent() -> Self {
        let mut fake = Self::new();
        fake.leave();
        fake
    }

    pub fn listen(&mut self) {
        self.listener = Some(UnixListener::bind(self.socket()).unwrap());
    }

    /// Listens with the shortest queue that there is.
    pub fn listen_with_room_for_one(&mut self) {
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind(self.socket()).unwrap();
        self.listener = Some(socket.listen(0).unwrap());
    }

    pub fn leave(&mut self) {
        self.listener = None;
        std::fs::remove_file(self.socket()).unwrap();
    }

    pub fn home(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("callboard.sock")
    }

    pub fn options(&self) -> ConnectOptions {
        ConnectOptions { home: Some(self.home()), socket: Some(self.socket()), ..ConnectOptions::default() }
    }

    pub fn resuming(&self) -> ConnectOptions {
        ConnectOptions { resume: true, ..self.options() }
    }

    pub async fn accept(&self) -> Peer {
        let (stream, _) = self.listener.as_ref().unwrap().accept().await.unwrap();
        Peer { stream, decoder: Decoder::new(FRAME_BYTES_CEILING), buffer: BytesMut::new() }
    }

    /// A client and the other end of its connection.
    pub async fn connect(&self) -> (Client, Peer) {
        let daemon = async {
            let mut peer = self.accept().await;
            peer.expect("session.open", opened(false)).await;
            peer
        };
        let (client, peer) = tokio::join!(Client::connect(self.options()), daemon);
        (client.unwrap(), peer)
    }

    /// As [`Self::connect`], with a client that resumes.
    pub async fn connect_resuming(&self) -> (Client, Peer) {
        let daemon = self.reopen(false, 1);
        let (client, peer) = tokio::join!(Client::connect(self.resuming()), daemon);
        (client.unwrap(), peer)
    }

    /// The next connection of a client that resumes, with the daemon that started at `started_at`.
    pub async fn reopen(&self, resumed: bool, started_at: u64) -> Peer {
        let mut peer = self.accept().await;
        peer.expect("session.open", opened(resumed)).await;
        peer.expect("server.info", info(started_at)).await;
        peer
    }
}

impl Peer {
    /// The next request; `None` when the client has hung up.
    pub async fn next(&mut self) -> Option<Request> {
        loop {
            if let Some(frame) = self.decoder.decode(&mut self.buffer).unwrap() {
                let request: Value = serde_json::from_slice(&frame).unwrap();
                return Some(Request {
                    id: request["id"].as_i64(),
                    method: request["method"].as_str().unwrap().to_owned(),
                    params: request["params"].clone(),
                });
            }
            if self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The next request, which is a call of `method`, answered with `result`.
    pub async fn expect(&mut self, method: &str, result: Value) -> Request {
        let request = self.read(method).await;
        self.reply(&request, result).await;
        request
    }

    /// The next request, which is a call of `method`.
    pub async fn read(&mut self, method: &str) -> Request {
        let request = self.next().await.expect("the client hung up");
        assert_eq!(request.method, method, "{request:?}");
        request
    }

    pub async fn reply(&mut self, request: &Request, result: Value) {
        self.send(&json!({"jsonrpc": "2.0", "id": request.id, "result": result})).await;
    }

    pub async fn refuse(&mut self, request: &Request, error: Value) {
        self.send(&json!({"jsonrpc": "2.0", "id": request.id, "error": error})).await;
    }

    pub async fn event(&mut self, subscription: u64, seq: u64, kind: &str) {
        self.send(&event(subscription, seq, kind)).await;
    }

    pub async fn send(&mut self, frame: &Value) {
        self.send_all(std::slice::from_ref(frame)).await;
    }

    /// Several frames in one write.
    pub async fn send_all(&mut self, frames: &[Value]) {
        let mut bytes = Vec::new();
        for frame in frames {
            Framing::LengthDelimited.encode_value(frame, &mut bytes).unwrap();
        }
        self.raw(&bytes).await;
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }
}

/// An event with nothing but its head.
pub fn event(subscription: u64, seq: u64, kind: &str) -> Value {
    json!({"jsonrpc": "2.0", "method": "event",
        "params": {"subscription": subscription, "seq": seq, "kind": kind}})
}
