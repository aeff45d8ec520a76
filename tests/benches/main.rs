//! What Callboard costs, measured against the raw thing on the same machine in the same run.
//!
//! `cargo bench -p e2e` builds the release binary, starts a daemon in a home of its own, and for each figure a raw peer
//! that does the least that could be done: an echo, a relay. Round trips alternate with the peer's in small groups, so
//! that a noisy machine is noisy for both. Quote the ratios and medians, not single absolute times.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that can't go on says so and stops")]

mod delivery;
mod footprint;
mod latency;
mod peers;
mod pipeline;
mod rig;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, socket] = arguments.as_slice()
        && let Some(peer) = peers::Peer::from_flag(role)
    {
        peer.serve(socket);
        return ExitCode::SUCCESS;
    }
    let rig = rig::Rig::start("snapshot");
    println!("{}", rig.describe());
    latency::run(&rig);
    pipeline::run(&rig);
    delivery::run(&rig);
    footprint::run(&rig);
    ExitCode::SUCCESS
}
