//! The machine under the measurements: a daemon and its peers as processes, raw connections, percentiles.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A daemon in a home of its own; it ends with the rig.
pub struct Rig {
    home: tempfile::TempDir,
    daemon: Child,
    durability: &'static str,
    /// How long it took from the start of the process to its first answer.
    pub start_time: Duration,
}

impl Rig {
    /// Builds the release binary and starts a daemon.
    pub fn start(durability: &'static str) -> Self {
        let binary = release_binary();
        let home = tempfile::Builder::new().prefix("cb").tempdir().unwrap();
        let start = Instant::now();
        let daemon = Command::new(&binary)
            .arg("daemon")
            .env("CALLBOARD_HOME", home.path())
            .env("CALLBOARD_DURABILITY", durability)
            .env("CALLBOARD_LOG", "error")
            .env_remove("CALLBOARD_SOCKET")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut rig = Self { home, daemon, durability, start_time: Duration::ZERO };
        let mut first = rig.connect();
        first.call("server.ping", "{}");
        rig.start_time = start.elapsed();
        rig
    }

    /// The daemon's process id.
    pub fn pid(&self) -> u32 {
        self.daemon.id()
    }

    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.home.path().join("callboard.sock")
    }

    /// A path for a peer's socket.
    pub fn peer_socket(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A raw connection to the daemon.
    pub fn connect(&self) -> Raw {
        Raw::connect(&self.socket())
    }

    /// What was measured on what.
    pub fn describe(&self) -> String {
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        format!(
            "machine: {cores} cores,{}\ncallboard {}, durability {}, release build; peers: this program, tokio, release build\n",
            cpu.trim_start_matches(['\t', ':']),
            env!("CARGO_PKG_VERSION"),
            self.durability
        )
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

fn release_binary() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "-p", "callboard"])
        .current_dir(root)
        .status();
    assert!(built.unwrap().success(), "the release binary does not build");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("release/callboard")
}

/// A blocking connection that counts its frames' lengths.
pub struct Raw {
    stream: UnixStream,
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
                Ok(stream) => return Self { stream, input: Vec::new(), taken: 0, id: 0 },
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
        let mut buffer = [0; 64 << 10];
        let count = self.stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the other end closed");
        self.input.extend_from_slice(&buffer[..count]);
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

/// Bytes with their length before them.
pub fn frame(bytes: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(bytes);
    frame
}

/// The time at a share of all, in microseconds.
pub fn percentile(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let place = ((times.len() - 1) as f64 * share) as usize;
    times[place].as_secs_f64() * 1e6
}
