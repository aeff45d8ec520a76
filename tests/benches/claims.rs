//! Tasks taken and finished a second, beside a reliable queue of Redis lists and a beanstalkd tube of the same durability.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::queues::{Lists, Queue, Tasks, Tube, Wire};
use crate::report::{self, median, number};
use crate::rig::{Raw, Rig, end};

const ROUNDS: usize = 15;
/// A multiple of every shape's connections and window.
const JOBS: usize = 4800;
/// Connections, and how many requests each has under way at once.
const SHAPES: [(&str, usize, usize); 4] = [
    ("take, finish: 1 connection", 1, 1),
    ("take, finish: 16 connections", 16, 1),
    ("take, finish: 1 connection, 50 under way", 1, 50),
    ("take, finish: 16 connections, 50 under way each", 16, 50),
];
const REDIS: &str = "redis-server";
const BEANSTALKD: &str = "beanstalkd";

/// Makes the client with a number.
type Connect<'a> = &'a dyn Fn(usize) -> Box<dyn Queue>;

/// Daemons of comparable durability.
struct Class {
    durability: &'static str,
    redis: &'static [&'static str],
    beanstalkd: &'static [&'static str],
    peers: &'static str,
}

const CLASSES: [Class; 2] = [
    Class {
        durability: "memory",
        redis: &["--appendonly", "no"],
        beanstalkd: &[],
        peers: "redis: appendonly no, save \"\"; beanstalkd: no -b; nothing on disk",
    },
    Class {
        durability: "journal",
        redis: &["--appendonly", "yes", "--appendfsync", "everysec"],
        beanstalkd: &["-b", ".", "-F"],
        peers: "redis: appendonly yes, appendfsync everysec, as journal does; beanstalkd: -b -F, which writes and never \
                fsyncs",
    },
];

/// Prints a table for each class.
pub fn run() {
    for class in CLASSES {
        let rig = Rig::start(class.durability);
        let redis = ["--port", "0", "--unixsocket", "./socket", "--save", ""];
        let redis = Peer::start(REDIS, &[&redis, class.redis].concat());
        let beanstalkd = Peer::start(BEANSTALKD, &[&["-l", "unix:./socket"], class.beanstalkd].concat());
        report::heading(
            &format!("Work queue: jobs of 100 bytes a second, median of {ROUNDS} rounds of {JOBS} jobs"),
            class.durability,
            &format!("{}, {}; {}", version(REDIS, "--version"), version(BEANSTALKD, "-v"), class.peers),
            &["callboard", "redis", "ratio", "beanstalkd", "ratio"],
        );
        let tasks =
            |number| Box::new(Tasks::connect(&rig.socket(), &format!("worker-{number}"))) as Box<dyn Queue>;
        let lists = redis.as_ref().map(|peer| move |_| Box::new(Lists(peer.connect())) as Box<dyn Queue>);
        let tube = beanstalkd.as_ref().map(|peer| move |_| Box::new(Tube(peer.connect())) as Box<dyn Queue>);
        let connectors: [Option<Connect<'_>>; 3] = [
            Some(&tasks),
            lists.as_ref().map(|connect| connect as _),
            tube.as_ref().map(|connect| connect as _),
        ];
        compare(&connectors);
    }
}

/// The queues by turns.
fn compare(queues: &[Option<Connect<'_>>; 3]) {
    let mut added = queues.map(|_| Vec::new());
    for (label, connections, window) in SHAPES {
        let mut worked = queues.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for (place, connect) in
                queues.iter().enumerate().filter_map(|(place, queue)| Some((place, (*queue)?)))
            {
                let start = Instant::now();
                connect(0).add(JOBS);
                added[place].push(report::rate(JOBS, start.elapsed()));
                let took = work(connect, connections, window);
                worked[place].push(report::rate(JOBS, took));
            }
        }
        print(label, worked);
    }
    print("add: 1 connection, 100 under way", added);
    report::end();
}

/// Takes and finishes all jobs; each connection is a thread.
fn work(connect: Connect<'_>, connections: usize, window: usize) -> Duration {
    let clients: Vec<_> = (0..connections).map(connect).collect();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for mut client in clients {
            scope.spawn(move || client.work(JOBS / connections, window));
        }
    });
    start.elapsed()
}

fn print(label: &str, rates: [Vec<f64>; 3]) {
    let [ours, redis, beanstalkd] = rates.map(|rates| (!rates.is_empty()).then(|| median(rates)));
    let ours = ours.unwrap_or_default();
    let beside = |peer: Option<f64>| match peer {
        Some(peer) => [number(peer, 0), number(ours / peer, 2)],
        None => ["skipped".to_owned(), "-".to_owned()],
    };
    report::line(label, &[&[number(ours, 0)], beside(redis).as_slice(), &beside(beanstalkd)].concat());
}

/// The first line that a program says of its version.
fn version(program: &str, flag: &str) -> String {
    let Ok(output) = Command::new(program).arg(flag).output() else {
        return format!("{program} is not installed: skipped");
    };
    let text = String::from_utf8_lossy(&output.stdout);
    text.split(" sha=").next().unwrap_or_default().trim().to_owned()
}

/// Another project's daemon in a folder of its own; it ends with this.
struct Peer {
    folder: tempfile::TempDir,
    child: Child,
}

impl Peer {
    /// Starts it with a socket `socket` in its folder; `None` when it is not installed.
    fn start(program: &str, arguments: &[&str]) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("cb").tempdir().unwrap();
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let peer = Self { folder, child: child.ok()? };
        drop(Raw::connect(&peer.socket()));
        Some(peer)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn connect(&self) -> Wire {
        Wire::connect(&self.socket())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
