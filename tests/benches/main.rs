//! What Callboard costs, measured against the raw thing on the same machine in the same run.
//!
//! `cargo bench -p e2e` builds the release binary, starts a daemon in a home of its own, and for each figure a raw peer
//! that does the least that could be done: an echo, a relay. Round trips alternate with the peer's in small groups, so
//! that a noisy machine is noisy for both. Quote the ratios and medians, not single absolute times.
//! `cargo bench -p e2e -- latency pipeline` runs these parts only.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that can't go on says so and stops")]

mod big_board;
mod claims;
mod delivery;
mod durability;
mod footprint;
mod latency;
mod peers;
mod pipeline;
mod queues;
mod report;
mod rig;

use std::process::ExitCode;

/// What can be measured, in this order.
const PARTS: [(&str, fn()); 7] = [
    ("latency", latency::run),
    ("pipeline", pipeline::run),
    ("delivery", delivery::run),
    ("durability", durability::run),
    ("claims", claims::run),
    ("big_board", big_board::run),
    ("footprint", footprint::run),
];

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [role, socket] = arguments.as_slice()
        && let Some(peer) = peers::Peer::from_flag(role)
    {
        peer.serve(socket);
        return ExitCode::SUCCESS;
    }
    let names = PARTS.map(|(name, _)| name);
    if let Some(unknown) = arguments.iter().find(|argument| !names.contains(&argument.as_str())) {
        eprintln!("there is no part {unknown}; there are: {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    for (name, run) in PARTS {
        if arguments.is_empty() || arguments.iter().any(|argument| argument == name) {
            run();
        }
    }
    ExitCode::SUCCESS
}
