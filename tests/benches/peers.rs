//! The raw peers: an echo and a two-hop relay, tokio with as many threads as the daemon has, and nothing else.

use std::process::{Child, Command, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::rig::{Raw, Rig, end};

/// What a peer does.
#[derive(Clone, Copy)]
pub enum Peer {
    /// Sends back what it reads.
    Echo,
    /// Sends to the second connection what it reads from the first, and an answer of 64 bytes to the first.
    Relay,
}

impl Peer {
    /// The peer that a flag asks for.
    pub fn from_flag(flag: &str) -> Option<Self> {
        match flag {
            "--peer-echo" => Some(Self::Echo),
            "--peer-relay" => Some(Self::Relay),
            _ => None,
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Self::Echo => "--peer-echo",
            Self::Relay => "--peer-relay",
        }
    }

    /// What it was asked to do, for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Echo => {
                "echo: tokio, two worker threads; sends back what it reads, understands and keeps nothing"
            }
            Self::Relay => {
                "relay: tokio, two worker threads; sends to a second connection what it reads from a first one, and 64 \
                 bytes back; understands and keeps nothing"
            }
        }
    }

    /// Starts it as a process of its own.
    pub fn start(self, rig: &Rig) -> Running {
        let socket = rig.peer_socket(self.flag());
        let child = Command::new(std::env::current_exe().unwrap())
            .arg(self.flag())
            .arg(&socket)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Running { child, socket }
    }

    /// Serves until it is killed.
    pub fn serve(self, socket: &str) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = UnixListener::bind(socket).unwrap();
            match self {
                Self::Echo => loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    tokio::spawn(echo(stream));
                },
                Self::Relay => loop {
                    let (from, _) = listener.accept().await.unwrap();
                    let (to, _) = listener.accept().await.unwrap();
                    tokio::spawn(relay(from, to));
                },
            }
        });
    }
}

async fn echo(mut stream: UnixStream) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count) = stream.read(&mut buffer).await
        && count > 0
        && stream.write_all(&buffer[..count]).await.is_ok()
    {}
}

async fn relay(mut from: UnixStream, mut to: UnixStream) {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<Vec<u8>>();
    tokio::spawn(async move {
        while let Some(bytes) = receiver.recv().await {
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let answer = crate::rig::frame(&[b' '; 60]);
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count) = from.read(&mut buffer).await
        && count > 0
    {
        if sender.send(buffer[..count].to_vec()).is_err() || from.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// A peer that runs; it ends with this.
pub struct Running {
    child: Child,
    socket: std::path::PathBuf,
}

impl Running {
    /// A raw connection to it.
    pub fn connect(&self) -> Raw {
        Raw::connect(&self.socket)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
        let _ = std::fs::remove_file(&self.socket);
    }
}
