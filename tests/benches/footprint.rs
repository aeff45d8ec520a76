//! What it costs to be there: memory per idle connection and per key, wake-ups of an idle daemon, start, size.

use std::time::Duration;

use crate::report::{self, number};
use crate::rig::{DEFAULT_DURABILITY, Raw, Rig};

const CONNECTIONS: usize = 1000;
const KEYS: usize = 100_000;
const IDLE: Duration = Duration::from_secs(10);
const SETTLING: Duration = Duration::from_secs(2);

/// Prints a line for each figure.
pub fn run() {
    let rig = Rig::start(DEFAULT_DURABILITY);
    report::heading("Footprint", DEFAULT_DURABILITY, "none", &["", "unit"]);
    let start_ms = number(rig.start_time.as_secs_f64() * 1e3, 1);
    report::line("start to first answer, empty board", &[start_ms.as_str(), "ms"]);
    print("resident memory, empty board, after one answer", resident_kib(rig.pid()), "KiB");
    // What the first answer left to be written to the disk is written by then.
    std::thread::sleep(SETTLING);
    let before = wake_ups(rig.pid());
    std::thread::sleep(IDLE);
    print("wake-ups of an idle daemon in 10 s", wake_ups(rig.pid()) - before, "");
    print("each of 1,000 idle connections", per_connection(&rig), "bytes");
    print("each of 100,000 keys with a 20-byte value and a TTL", per_key(&rig), "bytes");
    print("release binary", binary_kib(rig.pid()), "KiB");
    report::end();
}

fn print(label: &str, value: i64, unit: &str) {
    report::line(label, &[value.to_string().as_str(), unit]);
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
fn labelled(text: &str, label: &str) -> i64 {
    let line = text.lines().find_map(|line| line.strip_prefix(label)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}

fn resident_kib(pid: u32) -> i64 {
    labelled(&std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap(), "VmRSS:")
}

/// How often any thread of a process went to sleep by itself: once for each time that it had been woken.
fn wake_ups(pid: u32) -> i64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.unwrap().path().join("status")).ok())
        .map(|status| labelled(&status, "voluntary_ctxt_switches:"))
        .sum()
}

fn binary_kib(pid: u32) -> i64 {
    let bytes = std::fs::metadata(format!("/proc/{pid}/exe")).map_or(0, |file| file.len());
    i64::try_from(bytes / 1024).unwrap()
}
