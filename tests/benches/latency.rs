//! Round trips of `kv.set` and `kv.get` beside an echo of the same sizes.

use std::time::{Duration, Instant};

use crate::peers::Peer;
use crate::report::{self, number, percentile};
use crate::rig::{DEFAULT_DURABILITY, Raw, Rig, frame, rest};

const GROUPS: usize = 400;
const PER_GROUP: usize = 50;

/// Prints a line for each method.
pub fn run() {
    let rig = Rig::start(DEFAULT_DURABILITY);
    let peer = Peer::Echo.start(&rig);
    let (mut daemon, mut echo) = (rig.connect(), peer.connect());
    let value = "v".repeat(100);
    report::heading(
        "Round trip: one client, 100-byte value, microseconds",
        DEFAULT_DURABILITY,
        Peer::Echo.describe(),
        &["p50", "p99", "echo p50", "echo p99", "p50 ratio"],
    );
    for (method, params) in [
        ("kv.set", format!(r#"{{"key":"bench/latency","value":"{value}"}}"#)),
        ("kv.get", r#"{"key":"bench/latency"}"#.to_owned()),
    ] {
        let request = daemon.frame(method, &params);
        daemon.send(&request);
        let reply_bytes = daemon.receive().len();
        // The echo carries as many bytes there and back together as the daemon does.
        let probe = frame(&vec![b' '; (request.len() - 4 + reply_bytes) / 2]);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..GROUPS {
            rest();
            round_trips(&mut daemon, &request, PER_GROUP, &mut ours);
            rest();
            round_trips(&mut echo, &probe, PER_GROUP, &mut theirs);
        }
        let (p50, p99) = (percentile(&mut ours, 0.5), percentile(&mut ours, 0.99));
        let (echo_p50, echo_p99) = (percentile(&mut theirs, 0.5), percentile(&mut theirs, 0.99));
        let columns = [p50, p99, echo_p50, echo_p99].map(|time| number(time, 1));
        report::line(method, &[columns.as_slice(), &[number(p50 / echo_p50, 2)]].concat());
    }
    report::end();
}

/// Sends a request and waits for its answer, `count` times.
pub fn round_trips(raw: &mut Raw, request: &[u8], count: usize, times: &mut Vec<Duration>) {
    for _ in 0..count {
        let start = Instant::now();
        raw.send(request);
        raw.skip(1);
        times.push(start.elapsed());
    }
}
