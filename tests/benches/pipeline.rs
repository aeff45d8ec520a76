//! Pipelined requests a second, beside the same bytes through an echo.

use std::io::Write as _;
use std::time::Instant;

use crate::peers::Peer;
use crate::report::{self, median, number};
use crate::rig::{DEFAULT_DURABILITY, Raw, Rig};

const REQUESTS: usize = 200_000;
const ROUNDS: usize = 5;

/// Prints a line for each method: one connection, the writer a thread of its own.
pub fn run() {
    let rig = Rig::start(DEFAULT_DURABILITY);
    let peer = Peer::Echo.start(&rig);
    report::heading(
        &format!("Pipelined: one connection, {REQUESTS} requests, median of {ROUNDS} rounds, a second"),
        DEFAULT_DURABILITY,
        Peer::Echo.describe(),
        &["callboard", "echo", "ratio"],
    );
    for (method, params) in [
        ("server.ping", "{}"),
        ("kv.get", r#"{"key":"bench/pipeline"}"#),
        ("kv.set", r#"{"key":"bench/pipeline","value":{"status":"working","progress":65}}"#),
    ] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(rate(&mut rig.connect(), REQUESTS, method, params));
            theirs.push(rate(&mut peer.connect(), REQUESTS, method, params));
        }
        let (ours, theirs) = (median(ours), median(theirs));
        report::line(method, &[number(ours, 0), number(theirs, 0), number(ours / theirs, 2)]);
    }
    report::end();
}

/// How many requests a second are answered when nobody waits for an answer before the next one.
pub fn rate(raw: &mut Raw, count: usize, method: &str, params: &str) -> f64 {
    let mut bytes = Vec::new();
    for _ in 0..count {
        bytes.extend_from_slice(&raw.frame(method, params));
    }
    let mut writer = raw.writer();
    let start = Instant::now();
    let sender = std::thread::spawn(move || writer.write_all(&bytes).unwrap());
    raw.skip(count);
    let elapsed = start.elapsed();
    sender.join().unwrap();
    report::rate(count, elapsed)
}
