//! The machine under the measurements: a daemon and its peers as processes, raw connections.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// What a daemon does when nobody asks for anything else.
pub const DEFAULT_DURABILITY: &str = "journal";
/// How long whoever was measured is given to fall asleep: a daemon stays awake for 50 microseconds after a request.
const REST: Duration = Duration::from_millis(1);

/// A daemon in a home of its own; it ends with the rig.
pub struct Rig {
    home: tempfile::TempDir,
    daemon: Child,
    /// What survives it.
    pub durability: &'static str,
    /// How long it took from the start of the process to its first answer.
    pub start_time: Duration,
}

impl Rig {
    /// Builds the release binary and starts a daemon.
    pub fn start(durability: &'static str) -> Self {
        let home = tempfile::Builder::new().prefix("cb").tempdir().unwrap();
        let start = Instant::now();
        let daemon = spawn(home.path(), durability);
        let mut rig = Self { home, daemon, durability, start_time: Duration::ZERO };
        rig.wait_for_answer(start);
        rig
    }

    /// Stops the daemon as a person would, and starts another one in the same home.
    pub fn restart(&mut self) {
        self.connect().call("server.shutdown", "{}");
        assert!(self.daemon.wait().unwrap().success(), "the daemon did not stop cleanly");
        let start = Instant::now();
        self.daemon = spawn(self.home.path(), self.durability);
        self.wait_for_answer(start);
    }

    fn wait_for_answer(&mut self, start: Instant) {
        self.connect().call("server.ping", "{}");
        self.start_time = start.elapsed();
    }

    /// The daemon's process id.
    pub fn pid(&self) -> u32 {
        self.daemon.id()
    }

    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.home.path().join("callboard.sock")
    }

    /// Where its snapshots and its journal are.
    pub fn store(&self) -> PathBuf {
        self.home.path().join("store")
    }

    /// A path for a peer's socket.
    pub fn peer_socket(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A raw connection to the daemon.
    pub fn connect(&self) -> Raw {
        Raw::connect(&self.socket())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        end(&mut self.daemon);
    }
}

/// Ends a process that this program started.
pub fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn spawn(home: &Path, durability: &str) -> Child {
    Command::new(release_binary())
        .arg("daemon")
        .env("CALLBOARD_HOME", home)
        .env("CALLBOARD_DURABILITY", durability)
        .env("CALLBOARD_LOG", "error")
        .env_remove("CALLBOARD_SOCKET")
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

/// The release binary, which is built when it is asked for first.
pub fn release_binary() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let built = Command::new(env!("CARGO"))
            .args(["build", "--release", "-p", "callboard"])
            .current_dir(root)
            .status();
        assert!(built.unwrap().success(), "the release binary does not build");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        target.join("release/callboard")
    });
    &BINARY
}

/// What a connection reads at once, in bytes.
const READ_BYTES: usize = 64 << 10;

/// A blocking connection that counts its frames' lengths.
pub struct Raw {
    stream: UnixStream,
    scratch: Box<[u8]>,
    input: Vec<u8>,
    taken: usize,
    id: u64,
}

impl Raw {
    /// Connects, waiting for the other end to listen.
    pub fn connect(socket: &Path) -> Self {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match UnixStream::connect(socket) {
                Ok(stream) => {
                    let scratch = vec![0; READ_BYTES].into_boxed_slice();
                    return Self { stream, scratch, input: Vec::new(), taken: 0, id: 0 };
                }
                Err(error) if Instant::now() > deadline => panic!("{}: {error}", socket.display()),
                Err(_) => std::thread::sleep(Duration::from_micros(200)),
            }
        }
    }

    /// One request as a frame.
    pub fn frame(&mut self, method: &str, params: &str) -> Vec<u8> {
        self.id += 1;
        let json = format!(r#"{{"id":{},"method":"{method}","params":{params}}}"#, self.id);
        frame(json.as_bytes())
    }

    /// Writes bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next frame's text.
    pub fn receive(&mut self) -> String {
        loop {
            if let Some(range) = self.next_range() {
                let text = String::from_utf8(self.input[range.clone()].to_vec()).unwrap();
                self.taken = range.end;
                return text;
            }
            self.fill();
        }
    }

    /// Takes frames until `count` were there, without looking into them.
    pub fn skip(&mut self, count: usize) {
        let mut left = count;
        while left > 0 {
            match self.next_range() {
                Some(range) => {
                    self.taken = range.end;
                    left -= 1;
                }
                None => self.fill(),
            }
        }
    }

    fn next_range(&self) -> Option<std::ops::Range<usize>> {
        let header = self.input.get(self.taken..self.taken + 4)?;
        let length = u32::from_be_bytes(header.try_into().unwrap()) as usize;
        let start = self.taken + 4;
        (self.input.len() >= start + length).then_some(start..start + length)
    }

    fn fill(&mut self) {
        self.input.drain(..self.taken);
        self.taken = 0;
        let count = self.stream.read(&mut self.scratch).unwrap();
        assert!(count > 0, "the other end closed");
        self.input.extend_from_slice(&self.scratch[..count]);
    }

    /// One request and its answer.
    pub fn call(&mut self, method: &str, params: &str) -> String {
        let frame = self.frame(method, params);
        self.send(&frame);
        let answer = self.receive();
        assert!(!answer.contains("\"error\""), "{method}: {answer}");
        answer
    }

    /// A second handle, to write from another thread.
    pub fn writer(&self) -> UnixStream {
        self.stream.try_clone().unwrap()
    }
}

/// Lets who was measured fall asleep before another one is, which would else be measured beside a busy core.
pub fn rest() {
    std::thread::sleep(REST);
}

/// Bytes with their length before them.
pub fn frame(bytes: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(bytes);
    frame
}
