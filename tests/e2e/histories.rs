//! What concurrent clients see of keys and locks, through kills of the daemon: as if one thing happened after the other.
//!
//! Several clients work by chance on the same few objects, note each call with its answer, and go on with the next daemon
//! when one is killed. Then each object's history has to be linearizable: a call whose reply never came may have happened
//! at any time after it, or never; every other one between its start and its end.
//!
//! `HISTORIES_SECONDS` says how long, `HISTORIES_SEED` what the clients choose; the order in which they meet is never quite
//! the same.

mod client;
mod examples;
mod linearizability;
mod lock;
mod registers;

use std::time::{Duration, Instant};

use crate::harness::{Daemon, Home, Random, number, work_until_killed};
use client::{Client, Clock, Object};
use linearizability::{Call, Model, check};

/// How long an ordinary test takes.
const SECONDS: u64 = 3;
const CLIENTS: usize = 5;
/// Few objects, so that the clients get into each other's way; kept for a while only, so that histories stay short.
const PAIRS: usize = 2;
const LOCKS: usize = 2;
const KILLS_OF_A_HISTORY: usize = 3;
/// The longest that a daemon lives, in replies.
const REPLIES_MAX: usize = 1000;

/// What a run has seen.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    histories: usize,
    calls: usize,
    unanswered: usize,
    checks: Duration,
}

impl Tally {
    /// Checks the history of one object, put together from those of its clients.
    fn check<M: Model>(&mut self, name: &str, parts: impl Iterator<Item = Vec<Call<M::Operation>>>) {
        let start = Instant::now();
        let history: Vec<_> = parts.flatten().collect();
        self.histories += 1;
        self.calls += history.len();
        self.unanswered += history.iter().filter(|call| call.ended.is_none()).count();
        check::<M>(history).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        self.checks += start.elapsed();
    }
}

/// What goes on from episode to episode.
#[derive(Debug)]
struct Run {
    home: Home,
    random: Random,
    clients: Vec<Client>,
    tally: Tally,
}

fn take<O, B>(object: &mut Object<O, B>) -> Vec<Call<O>> {
    std::mem::take(&mut object.history)
}

/// New objects, some kills, and a look at everything; then the histories are checked.
fn episode(number: usize, run: &mut Run, mut daemon: Daemon) -> Daemon {
    let Run { home, random, clients, tally } = run;
    let pairs: Vec<_> = (0..PAIRS).map(|at| format!("pair-{number}-{at}")).collect();
    let locks: Vec<_> = (0..LOCKS).map(|at| format!("lock-{number}-{at}")).collect();
    let clock = Clock::default();
    clients.iter_mut().for_each(|client| client.start_on(&pairs, &locks));
    for _ in 0..KILLS_OF_A_HISTORY {
        clients.iter_mut().for_each(|client| client.connect(home));
        let replies = 1 + random.below(REPLIES_MAX);
        work_until_killed(
            clients,
            replies,
            || daemon.kill(),
            |client, progress| {
                while client.step(&clock).is_some() {
                    progress.count();
                }
            },
        );
        daemon = home.start();
        tally.kills += 1;
    }
    clients[0].connect(home);
    clients[0].look_at_all(&clock);
    for (at, name) in pairs.iter().enumerate() {
        tally.check::<registers::Registers>(
            name,
            clients.iter_mut().map(|client| take(&mut client.pairs[at])),
        );
    }
    for (at, name) in locks.iter().enumerate() {
        tally.check::<lock::Lock>(name, clients.iter_mut().map(|client| take(&mut client.locks[at])));
    }
    daemon
}

#[test]
fn keys_and_locks_are_linearizable_through_every_kill() {
    let seed = number("HISTORIES_SEED").unwrap_or_else(Random::fresh_seed);
    println!("HISTORIES_SEED={seed}");
    let time = Duration::from_secs(number("HISTORIES_SECONDS").unwrap_or(SECONDS));
    let home = Home::new().with("CALLBOARD_DURABILITY", "journal");
    let mut random = Random::new(seed);
    let clients = (0..CLIENTS).map(|number| Client::new(number, random.fork())).collect();
    let mut daemon = home.start();
    let mut run = Run { home, random, clients, tally: Tally::default() };
    let begun = Instant::now();
    for number in 0.. {
        daemon = episode(number, &mut run, daemon);
        if begun.elapsed() >= time {
            break;
        }
    }
    println!("{:?} in {:?}", run.tally, begun.elapsed());
}
