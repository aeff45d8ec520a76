//! What each durability costs: round trips, pipelined changes, how many changes share a write or an fsync, bytes.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::latency::round_trips;
use crate::pipeline::rate;
use crate::report::{self, median, number, percentile};
use crate::rig::{Raw, Rig, rest};

const MODES: [&str; 4] = ["memory", "snapshot", "journal", "sync"];
const GROUPS: usize = 100;
const PER_GROUP: usize = 40;
const PIPELINED: usize = 100_000;
const ROUNDS: usize = 3;
const CLIENTS: [usize; 5] = [1, 2, 4, 16, 64];
const SHARED: usize = 3200;
const SET: &str = r#"{"key":"bench/durability","value":"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"}"#;
const PEER: &str = "disk: one file beside the home, a write of 250 bytes and an fsync in a loop; no socket";

/// Prints the tables.
pub fn run() {
    let rigs = MODES.map(Rig::start);
    lone_client(&rigs);
    group_commit(&rigs);
}

/// One client, modes by turns.
fn lone_client(rigs: &[Rig; 4]) {
    report::heading(
        "Durability: kv.set of 100 bytes, one client; bytes written for it",
        "as the line says",
        PEER,
        &["p50 us", "p99 us", "p50 ratio", "pipelined/s", "bytes each"],
    );
    let (folder, mut disk) = (tempfile::tempdir().unwrap(), Vec::new());
    let mut file = File::create(folder.path().join("peer")).unwrap();
    let mut clients: Vec<_> = rigs.iter().map(|rig| (rig.connect(), Vec::new())).collect();
    for _ in 0..GROUPS {
        for (client, times) in &mut clients {
            let request = client.frame("kv.set", SET);
            rest();
            round_trips(client, &request, PER_GROUP, times);
        }
        disk.extend((0..PER_GROUP / 4).map(|_| write_and_fsync(&mut file)));
    }
    let mut memory_p50 = None;
    for (rig, (_, times)) in rigs.iter().zip(&mut clients) {
        let (p50, p99) = (percentile(times, 0.5), percentile(times, 0.99));
        let memory_p50 = *memory_p50.get_or_insert(p50);
        let bytes = bytes_each(rig);
        let rates = (0..ROUNDS).map(|_| rate(&mut rig.connect(), PIPELINED, "kv.set", SET));
        let columns = [number(p50, 1), number(p99, 1), number(p50 / memory_p50, 2)];
        report::line(
            rig.durability,
            &[columns.as_slice(), &[number(median(rates.collect()), 0), bytes]].concat(),
        );
    }
    let (p50, p99) = (percentile(&mut disk, 0.5), percentile(&mut disk, 0.99));
    report::line("disk", &[number(p50, 1), number(p99, 1)]);
    report::end();
}

fn write_and_fsync(file: &mut File) -> Duration {
    let start = Instant::now();
    file.write_all(&[b' '; 250]).unwrap();
    file.sync_all().unwrap();
    start.elapsed()
}

/// What a change of the lone client takes in the journal.
fn bytes_each(rig: &Rig) -> String {
    let stats = rig.connect().call("server.stats", "{}");
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    match stats["result"]["store"]["journal_bytes"].as_u64() {
        Some(bytes) if bytes > 0 => (bytes / (GROUPS * PER_GROUP) as u64).to_string(),
        _ => "-".to_owned(),
    }
}

/// Many clients at once: what they share.
fn group_commit(rigs: &[Rig; 4]) {
    report::heading(
        &format!(
            "Group commit: kv.set of 100 bytes, each client a thread that waits for its answer, {SHARED} changes"
        ),
        "as the column says; writes: system calls of the daemon beyond those in memory mode, so at most that many",
        "none",
        &["memory/s", "journal/s", "sync/s", "writes/set", "fsyncs/set", "sets/fsync"],
    );
    let [memory, _, journal, sync] = rigs;
    for clients in CLIENTS {
        let calls = [memory, journal].map(|rig| {
            let before = write_calls(rig.pid());
            let rate = together(rig, clients);
            (rate, write_calls(rig.pid()) - before)
        });
        let [(memory_rate, memory_calls), (journal_rate, journal_calls)] = calls;
        let before = fsyncs(&sync.store());
        let sync_rate = together(sync, clients);
        let fsyncs = share(fsyncs(&sync.store()) - before);
        let writes = share(journal_calls.saturating_sub(memory_calls));
        let rates = [memory_rate, journal_rate, sync_rate].map(|rate| number(rate, 0));
        let shares = [writes, fsyncs, 1.0 / fsyncs].map(|share| number(share, 2));
        report::line(&format!("{clients} clients"), &[rates, shares].concat());
    }
    report::end();
}

fn share(count: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    let share = count as f64 / SHARED as f64;
    share
}

/// Changes a second of so many clients, each of which waits for its answer.
fn together(rig: &Rig, clients: usize) -> f64 {
    let connections: Vec<Raw> = (0..clients).map(|_| rig.connect()).collect();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for mut connection in connections {
            scope.spawn(move || {
                let request = connection.frame("kv.set", SET);
                round_trips(&mut connection, &request, SHARED / clients, &mut Vec::new());
            });
        }
    });
    report::rate(SHARED, start.elapsed())
}

/// How often a process has called `write` or one of its kind.
fn write_calls(pid: u32) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    let calls = io.lines().find_map(|line| line.strip_prefix("syscw: "));
    calls.and_then(|calls| calls.parse().ok()).unwrap_or_default()
}

/// How many marks the journal has: one for each fsync.
fn fsyncs(store: &Path) -> u64 {
    let files = std::fs::read_dir(store).unwrap();
    let marks = files.map(|file| {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        text.matches(r#""r":{"synced":"#).count()
    });
    marks.sum::<usize>() as u64
}
