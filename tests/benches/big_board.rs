//! A board of a million keys: what clients feel of a snapshot, how fast it is loaded.

use std::time::{Duration, Instant};

use crate::latency::round_trips;
use crate::report::{self, number, percentile};
use crate::rig::{Raw, Rig};

const KEYS: usize = 1_000_000;
const PER_WRITE: usize = 10_000;
const SNAPSHOTS: usize = 3;
const RESTARTS: usize = 3;

/// Prints the tables.
pub fn run() {
    for durability in ["snapshot", "journal"] {
        let mut rig = Rig::start(durability);
        let empty = rig.start_time;
        let filled = fill(&mut rig.connect());
        pauses(&rig);
        loads(&mut rig, empty, filled);
    }
}

/// Sets all keys, each with a TTL that nothing outlives; gives how long it took.
fn fill(raw: &mut Raw) -> Duration {
    let start = Instant::now();
    for first in (0..KEYS).step_by(PER_WRITE) {
        let mut bytes = Vec::new();
        for key in first..first + PER_WRITE {
            let params = format!(
                r#"{{"key":"task:{key}:status","value":"12345678901234567890","ttl_ms":{}}}"#,
                86_400_000 + key
            );
            bytes.extend_from_slice(&raw.frame("kv.set", &params));
        }
        raw.send(&bytes);
        raw.skip(PER_WRITE);
    }
    start.elapsed()
}

/// Round trips while no snapshot is written, and while one is.
fn pauses(rig: &Rig) {
    report::heading(
        "A board of 1,000,000 keys with TTLs: kv.get and kv.set of one client by turns, microseconds",
        rig.durability,
        "none: the same daemon while no snapshot is written",
        &["p50", "p99", "p99.9", "max", "requests"],
    );
    let mut client = rig.connect();
    rig.connect().call("server.snapshot", "{}");
    let (mut beside, mut without) = (Vec::new(), Vec::new());
    for _ in 0..SNAPSHOTS {
        let took = while_snapshot(rig, &mut client, &mut beside);
        let start = Instant::now();
        while start.elapsed() < took {
            get_and_set(&mut client, &mut without);
        }
    }
    for (label, mut times) in [("no snapshot", without), ("while a snapshot is written", beside)] {
        let columns = [0.5, 0.99, 0.999, 1.0].map(|share| number(percentile(&mut times, share), 1));
        report::line(label, &[columns.as_slice(), &[times.len().to_string()]].concat());
    }
    report::end();
}

/// Measures until a snapshot is done; gives how long that took.
fn while_snapshot(rig: &Rig, client: &mut Raw, times: &mut Vec<Duration>) -> Duration {
    let mut asking = rig.connect();
    let start = Instant::now();
    let snapshot = std::thread::spawn(move || asking.call("server.snapshot", "{}"));
    while !snapshot.is_finished() {
        get_and_set(client, times);
    }
    snapshot.join().unwrap();
    start.elapsed()
}

fn get_and_set(client: &mut Raw, times: &mut Vec<Duration>) {
    for (method, params) in [
        ("kv.get", r#"{"key":"task:500000:status"}"#),
        ("kv.set", r#"{"key":"task:500001:status","value":"12345678901234567890","ttl_ms":86400000}"#),
    ] {
        let request = client.frame(method, params);
        round_trips(client, &request, 1, times);
    }
}

/// Starts again and again with all keys.
fn loads(rig: &mut Rig, empty: Duration, filled: Duration) {
    report::heading(
        "Start to first answer, and what it reads, milliseconds",
        rig.durability,
        "none: the same daemon with an empty board",
        &["best", "median", "worst", "MiB"],
    );
    let milliseconds = |time: Duration| number(time.as_secs_f64() * 1e3, 1);
    report::line("empty board", &[milliseconds(empty)]);
    let mut times: Vec<Duration> = (0..RESTARTS)
        .map(|_| {
            rig.restart();
            rig.start_time
        })
        .collect();
    times.sort_unstable();
    let columns = [times[0], times[RESTARTS / 2], times[RESTARTS - 1]].map(milliseconds);
    report::line("1,000,000 keys with TTLs", &[columns.as_slice(), &[read_mib(rig)]].concat());
    report::line("(setting them, pipelined by one client)", &[milliseconds(filled)]);
    report::end();
}

/// What a start reads: the newest snapshot and the journal after it, so at most what lies there now.
fn read_mib(rig: &Rig) -> String {
    let files = std::fs::read_dir(rig.store()).unwrap();
    let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    (bytes >> 20).to_string()
}
