//! Pipelined requests a second, beside the same bytes through an echo.

use std::io::Write as _;
use std::time::Instant;

use crate::peers::Peer;
use crate::rig::{Raw, Rig};

const REQUESTS: usize = 200_000;
const ROUNDS: usize = 5;

/// Prints a line for each method: one connection, the writer a thread of its own.
pub fn run(rig: &Rig) {
    let peer = Peer::Echo.start(rig);
    println!(
        "pipelined, one connection, {REQUESTS} requests      median/s       best/s   echo of the requests/s"
    );
    for (method, params) in [
        ("server.ping", "{}".to_owned()),
        ("kv.get", r#"{"key":"bench/pipeline"}"#.to_owned()),
        ("kv.set", r#"{"key":"bench/pipeline","value":{"status":"working","progress":65}}"#.to_owned()),
    ] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(rate(&mut rig.connect(), method, &params));
            theirs.push(rate(&mut peer.connect(), method, &params));
        }
        ours.sort_unstable();
        theirs.sort_unstable();
        println!(
            "  {method:<42} {:>12} {:>12} {:>12}",
            ours[ROUNDS / 2],
            ours[ROUNDS - 1],
            theirs[ROUNDS / 2]
        );
    }
    println!();
}

fn rate(raw: &mut Raw, method: &str, params: &str) -> u64 {
    let mut bytes = Vec::new();
    for _ in 0..REQUESTS {
        bytes.extend_from_slice(&raw.frame(method, params));
    }
    let mut writer = raw.writer();
    let start = Instant::now();
    let sender = std::thread::spawn(move || writer.write_all(&bytes).unwrap());
    raw.skip(REQUESTS);
    let elapsed = start.elapsed();
    sender.join().unwrap();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rate"
    )]
    let rate = (REQUESTS as f64 / elapsed.as_secs_f64()) as u64;
    rate
}
