//! A daemon that is killed in the middle of its work, again and again: whatever it acknowledged is there afterwards.
//!
//! Each round looks, one client after the other, at what the daemon before it acknowledged; then all of them write at
//! once until the daemon is killed, which happens after a random number of replies. A request whose reply never came may
//! have been carried out or not; both are right. The journal is kept short, so that snapshots are under way as well.
//!
//! `KILL_LOOP_ROUNDS` rounds in each mode; `KILL_LOOP_SEED` makes the clients choose the same again, though the moment of
//! a kill is never quite the same.

mod counter;
mod keys;
mod locks;
mod messages;
mod round;
mod tasks;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::harness::{Home, Random, number, work_until_killed};
use round::{Revisions, Round, Worker};

/// Rounds of an ordinary test.
const ROUNDS: u64 = 4;
/// The longest that a daemon lives, in replies.
const REPLIES_MAX: usize = 800;
/// Short enough for several snapshots in a round.
const JOURNAL_BYTES: u64 = 60_000;
/// Longer than any start: no session ends by itself, so each client decides when its leases do.
const GRACE_MS: u64 = 3_600_000;

/// All the clients.
fn all_workers(random: &mut Random) -> Vec<Worker> {
    let mut names = (1..).map(|number| format!("agent-{number}"));
    let mut name = || names.next().expect("endless");
    let counter = Arc::new(counter::Count::default());
    let workloads: Vec<(String, Box<dyn round::Workload>)> = vec![
        (name(), Box::new(keys::Keys::new("left"))),
        (name(), Box::new(keys::Keys::new("right"))),
        (name(), Box::new(counter::Counter::new(&counter))),
        (name(), Box::new(counter::Counter::new(&counter))),
        (name(), Box::new(locks::Locks::default())),
        (name(), Box::new(locks::Locks::default())),
        (name(), Box::new(messages::Messages::default())),
        (name(), Box::new(tasks::Tasks::new("mine"))),
        (name(), Box::new(tasks::Tasks::new("yours"))),
    ];
    workloads.into_iter().map(|(agent, workload)| Worker::new(agent, workload, random.fork())).collect()
}

/// What a run has seen.
#[derive(Debug, Default)]
struct Tally {
    replies: usize,
    verified: usize,
    starts: Duration,
}

fn run(mode: &str, rounds: u64, seed: u64) {
    let begun = Instant::now();
    let home = Home::new()
        .with("CALLBOARD_DURABILITY", mode)
        .with("CALLBOARD_JOURNAL_BYTES", JOURNAL_BYTES)
        .with("CALLBOARD_GRACE_MS", GRACE_MS);
    let mut random = Random::new(seed);
    let (mut workers, revisions) = (all_workers(&mut random), Revisions::default());
    let mut tally = Tally::default();
    let mut daemon = home.start();
    for _ in 0..rounds {
        tally.verified += workers.iter_mut().map(|worker| worker.verify(&home)).sum::<usize>();
        let replies = 1 + random.below(REPLIES_MAX);
        tally.replies += work_until_killed(
            &mut workers,
            replies,
            || daemon.kill(),
            |worker, progress| worker.work(Round::new(progress, &revisions)),
        );
        let start = Instant::now();
        daemon = home.start();
        tally.starts += start.elapsed();
    }
    tally.verified += workers.iter_mut().map(|worker| worker.verify(&home)).sum::<usize>();
    workers.iter_mut().for_each(Worker::verify_all);
    drop(daemon);
    println!(
        "{mode}: {rounds} kills, {} replies, {} acknowledged writes verified, {:?} of starts, {:?} in all",
        tally.replies,
        tally.verified,
        tally.starts,
        begun.elapsed()
    );
}

#[test]
fn whatever_was_acknowledged_survives_every_kill() {
    let seed = number("KILL_LOOP_SEED").unwrap_or_else(Random::fresh_seed);
    println!("KILL_LOOP_SEED={seed}");
    for mode in ["journal", "sync"] {
        run(mode, number("KILL_LOOP_ROUNDS").unwrap_or(ROUNDS), seed);
    }
}
