//! The seeded simulation: real boards and the real store on a simulated disk, with simulated time and clients, against
//! a plain model. One number decides everything, so a failure is replayed with one command.
//!
//! `SIMULATION_SEED` runs one seed, `SIMULATION_SECONDS` random ones for so long.

mod clients;
mod daemon;
mod entities;
mod history;
mod model;
mod random;
mod restart;
mod steps;
mod time;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::config::Durability;
use world::{Tally, World, locked};

/// Steps of one run.
const STEPS: usize = 1000;
/// Runs of an ordinary test.
const RUNS: u64 = 250;

/// A run, whose mode is in the seed as everything else is.
fn run(seed: u64) -> Tally {
    let modes = [Durability::Journal, Durability::Sync, Durability::Snapshot, Durability::Memory];
    let share = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3][usize::try_from(seed % 10).unwrap()];
    let world = Arc::new(Mutex::new(World::new(seed, modes[share])));
    locked(&world).is_traced = number("SIMULATION_SEED").is_some();
    let done = catch_unwind(AssertUnwindSafe(|| {
        restart::end(&world, restart::End::Killed);
        for _ in 0..STEPS {
            steps::step(&world);
        }
    }));
    let tally = world.lock().unwrap_or_else(std::sync::PoisonError::into_inner).tally;
    if let Err(panic) = done {
        eprintln!("{:?}, step {}: replay it with", modes[share], tally.steps);
        eprintln!("  SIMULATION_SEED={seed} cargo test -p callboard-daemon simulation -- --nocapture");
        resume_unwind(panic);
    }
    let tally = locked(&world).tally;
    // The interruption of a sync may still hold the world.
    locked(&world).volume.leave_sync_alone();
    tally
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

#[test]
fn what_was_promised_survives_whatever_happens() {
    let started = Instant::now();
    let seeds: Box<dyn Iterator<Item = u64>> = match (number("SIMULATION_SEED"), number("SIMULATION_SECONDS"))
    {
        (Some(seed), _) => Box::new(std::iter::once(seed)),
        (None, Some(seconds)) => {
            let first = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
            let first = u64::try_from(first % 1_000_000_007).unwrap() * 1_000_000;
            let time = Duration::from_secs(seconds);
            Box::new((first..).take_while(move |_| started.elapsed() < time))
        }
        (None, None) => Box::new(0..RUNS),
    };
    let (mut runs, mut total) = (0_u64, Tally::default());
    for seed in seeds {
        total.add(run(seed));
        runs += 1;
    }
    println!("{runs} runs in {:?}: {total:?}", started.elapsed());
    assert!(runs > 0);
}

#[test]
fn a_run_is_the_same_again() {
    assert_eq!(run(1), run(1));
}
