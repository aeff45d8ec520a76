//! What it costs to be there: memory per idle connection and per key, wake-ups of an idle daemon, start, size.

use std::time::Duration;

use crate::rig::{Raw, Rig};

const CONNECTIONS: usize = 1000;
const KEYS: usize = 100_000;
const IDLE: Duration = Duration::from_secs(10);

/// Prints a line for each figure.
pub fn run(rig: &Rig) {
    let fresh = Rig::start("snapshot");
    println!("footprint");
    println!(
        "  {:<46} {:>10.1} ms",
        "start to first answer, empty board",
        fresh.start_time.as_secs_f64() * 1e3
    );
    println!(
        "  {:<46} {:>10} KiB",
        "resident memory, empty board, after one answer",
        resident_kib(fresh.pid())
    );
    let before = wake_ups(fresh.pid());
    std::thread::sleep(IDLE);
    println!("  {:<46} {:>10}", "wake-ups of an idle daemon in 10 s", wake_ups(fresh.pid()) - before);
    println!("  {:<46} {:>10} bytes", "each of 1,000 idle connections", per_connection(&fresh));
    println!("  {:<46} {:>10} bytes", "each of 100,000 keys with a 20-byte value and a TTL", per_key(&fresh));
    println!("  {:<46} {:>10} KiB", "release binary", binary_kib(rig.pid()));
}

fn per_connection(rig: &Rig) -> i64 {
    let mut settled = rig.connect();
    settled.call("server.ping", "{}");
    let before = resident_kib(rig.pid());
    let connections: Vec<Raw> = (0..CONNECTIONS)
        .map(|_| {
            let mut raw = rig.connect();
            raw.call("server.ping", "{}");
            raw
        })
        .collect();
    let after = resident_kib(rig.pid());
    drop(connections);
    (after - before) * 1024 / i64::try_from(CONNECTIONS).unwrap()
}

fn per_key(rig: &Rig) -> i64 {
    let mut raw = rig.connect();
    raw.call("server.ping", "{}");
    let before = resident_kib(rig.pid());
    for chunk in 0..KEYS / 1000 {
        let mut bytes = Vec::new();
        for key in 0..1000 {
            let params = format!(
                r#"{{"key":"task:{chunk}.{key}:status","value":"12345678901234567890","ttl_ms":3600000}}"#
            );
            bytes.extend_from_slice(&raw.frame("kv.set", &params));
        }
        raw.send(&bytes);
        raw.skip(1000);
    }
    (resident_kib(rig.pid()) - before) * 1024 / i64::try_from(KEYS).unwrap()
}

/// A number in a file below `/proc`.
fn number(text: &str, label: &str) -> i64 {
    let line = text.lines().find_map(|line| line.strip_prefix(label)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}

fn resident_kib(pid: u32) -> i64 {
    number(&std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap(), "VmRSS:")
}

/// How often any thread of a process went to sleep by itself: once for each time that it had been woken.
fn wake_ups(pid: u32) -> i64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.unwrap().path().join("status")).ok())
        .map(|status| number(&status, "voluntary_ctxt_switches:"))
        .sum()
}

fn binary_kib(pid: u32) -> u64 {
    std::fs::metadata(format!("/proc/{pid}/exe")).map_or(0, |file| file.len() / 1024)
}
