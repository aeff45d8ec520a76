//! A crowd of worker processes on one graph of tasks, while some are killed and some sleep through their leases.
//!
//! What is asserted is what one watcher saw, in the order of the board's changes, and what the workers themselves wrote
//! down: each task completed once, none begun before those that it depends on, nothing left over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Daemon, Framing, Home, Random, Raw, Stream};

const WORKERS: usize = 16;
const TASKS: usize = 20_000;
const BATCH: usize = 1000;
/// A worker dies each time that so many tasks are done.
const DONE_PER_KILL: usize = 100;
/// A worker is put to sleep each time that so many tasks are done, until one of its leases ran out.
const DONE_PER_PAUSE: usize = 1000;
const HOUR_MS: u64 = 3_600_000;

/// What a worker process is told, in its environment: where, who it is, and where it writes down what it did.
const SOCKET: &str = "CROWD_SOCKET";
const NAME: &str = "CROWD_NAME";
const DIARY: &str = "CROWD_DIARY";

/// A worker: it claims and completes until it is killed.
#[test]
#[ignore = "a process of the test below"]
fn worker() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    let (name, diary) = (std::env::var(NAME).unwrap(), std::env::var_os(DIARY).unwrap());
    let mut diary = fs::File::options().create(true).append(true).open(diary).unwrap();
    let mut daemon = Raw::of(Stream::connect(PathBuf::from(socket)).unwrap(), Framing::Lengths);
    daemon.call("session.open", json!({"agent": name}));
    loop {
        let claimed = daemon.call("task.claim", json!({"wait_ms": HOUR_MS, "lease_ms": 1000}));
        let (task, token) = (&claimed["task"]["id"], &claimed["token"]);
        let id = daemon.start("task.complete", json!({"token": token, "result": token}));
        let word = if daemon.reply(id).get("error").is_some() { "stale" } else { "done" };
        diary.write_all(format!("{word} {task} {token}\n").as_bytes()).unwrap();
    }
}

fn start_worker(home: &Home, place: usize) -> Daemon {
    let mut command = Command::new(std::env::current_exe().unwrap());
    home.equip(command.args(["--exact", "crowd::worker", "--ignored", "--nocapture"]));
    command.env(SOCKET, home.socket()).env(NAME, worker_name(place)).env(DIARY, diary(home, place));
    Daemon::spawn(&mut command)
}

fn worker_name(place: usize) -> String {
    format!("worker-{place}")
}

fn diary(home: &Home, place: usize) -> PathBuf {
    home.folder().join(format!("diary-{place}"))
}

/// Creates a graph in which each task depends on up to three of the two thousand before it.
fn create_tasks(home: &Home, random: &mut Random) {
    let mut manager = home.connect_as("manager");
    let mut ids: Vec<Value> = Vec::new();
    for batch in 0..TASKS / BATCH {
        let first = batch * BATCH;
        let mut tasks = Vec::new();
        for number in first..first + BATCH {
            let earlier = (0..random.below(4)).filter(|_| number > 0);
            let earlier: BTreeSet<usize> =
                earlier.map(|_| number - 1 - random.below(number.min(2 * BATCH))).collect();
            let name = |number: usize| json!(format!("task-{number}"));
            let depends_on = earlier.into_iter().map(|of| ids.get(of).cloned().unwrap_or_else(|| name(of)));
            let depends_on: Vec<Value> = depends_on.collect();
            tasks.push(json!({"ref": name(number), "title": name(number), "depends_on": depends_on,
                "max_attempts": 1000, "backoff_ms": 0}));
        }
        let created = manager.call("task.create_many", json!({"tasks": tasks}));
        ids.extend(created["tasks"].as_array().unwrap().iter().map(|task| task["id"].clone()));
    }
}

/// What is known of the tasks from watching them.
#[derive(Default)]
struct Watched {
    holders: BTreeMap<u64, String>,
    /// The token that each was completed with.
    completed: BTreeMap<u64, u64>,
    handed_out_again: usize,
}

impl Watched {
    /// Takes one event; gives the agent that lost a task without completing it.
    fn see(&mut self, event: &Value) -> Option<String> {
        let task = &event["task"];
        let id = task["id"].as_u64().unwrap();
        let holder = self.holders.remove(&id);
        match task["status"].as_str().unwrap() {
            "in_progress" => {
                assert!(!self.completed.contains_key(&id), "handed out after it was completed: {task}");
                for dependency in task["depends_on"].as_array().unwrap() {
                    let is_done = self.completed.contains_key(&dependency.as_u64().unwrap());
                    assert!(is_done, "begun before {dependency} was done: {task}");
                }
                self.handed_out_again += usize::from(task["attempts"].as_u64().unwrap() > 1);
                self.holders.insert(id, task["assignee"].as_str().unwrap().to_owned());
                None
            }
            "completed" => {
                let earlier = self.completed.insert(id, task["result"].as_u64().unwrap());
                assert_eq!(earlier, None, "completed twice: {task}");
                None
            }
            "blocked" | "pending" | "delayed" => holder,
            status => panic!("{status}: {task}"),
        }
    }
}

/// The workers, and what is done to them.
struct Crowd<'a> {
    home: &'a Home,
    workers: Vec<Daemon>,
    random: Random,
    paused: Option<usize>,
}

impl Crowd<'_> {
    fn kill_one(&mut self) {
        let place = self.random.below(WORKERS);
        if self.paused == Some(place) {
            return;
        }
        let fresh = start_worker(self.home, place);
        std::mem::replace(&mut self.workers[place], fresh).kill();
    }

    /// Stops one in its tracks, unless there is one who sleeps and has a task.
    fn pause_one(&mut self, watched: &Watched) {
        if let Some(before) = self.paused {
            if watched.holders.values().any(|holder| *holder == worker_name(before)) {
                return;
            }
            self.workers[before].signal(Signal::CONT);
        }
        let place = self.random.below(WORKERS);
        self.workers[place].signal(Signal::STOP);
        self.paused = Some(place);
    }

    fn lost_a_task(&mut self, agent: &str) {
        if let Some(place) = self.paused.take_if(|place| worker_name(*place) == agent) {
            self.workers[place].signal(Signal::CONT);
        }
    }
}

/// The lines of all diaries whose writer was not killed within them: what, task, token.
fn read_diaries(home: &Home) -> Vec<(String, u64, u64)> {
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let texts: Vec<String> = (0..WORKERS).map(|place| read(&diary(home, place))).collect();
    let entry = |line: &str| {
        let mut words = line.split(' ');
        let word = words.next()?.to_owned();
        Some((word, words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    texts.iter().flat_map(|text| text.lines().filter_map(entry)).collect()
}

#[test]
fn twenty_thousand_tasks_are_done_once_each_and_in_order_whoever_dies() {
    let home = Home::new().with("CALLBOARD_GRACE_MS", 100);
    let _daemon = home.start();
    let mut watcher = home.connect_as("watcher");
    watcher.call("task.watch", json!({}));
    let workers = (0..WORKERS).map(|place| start_worker(&home, place)).collect();
    let mut crowd = Crowd { home: &home, workers, random: Random::new(7), paused: None };
    let mut watched = Watched::default();
    std::thread::scope(|threads| {
        threads.spawn(|| create_tasks(&home, &mut Random::new(42)));
        while watched.completed.len() < TASKS {
            let event = watcher.event();
            assert!(matches!(event["kind"].as_str(), Some("task.created" | "task.changed")), "{event}");
            let before = watched.completed.len();
            if let Some(agent) = watched.see(&event) {
                crowd.lost_a_task(&agent);
            }
            let done = watched.completed.len();
            if done > before && done.is_multiple_of(DONE_PER_KILL) {
                crowd.kill_one();
            }
            if done > before && done.is_multiple_of(DONE_PER_PAUSE) {
                crowd.pause_one(&watched);
            }
        }
    });
    let counts = watcher.call("task.counts", json!({}));
    assert_eq!(counts["completed"], TASKS, "{counts}");
    crowd.workers.drain(..).for_each(Daemon::kill);

    let mut done = BTreeSet::new();
    let mut stale = 0;
    for (word, task, token) in read_diaries(&home) {
        let is_the_one = watched.completed[&task] == token;
        if word == "done" {
            assert!(is_the_one && done.insert(task), "{task} was completed with {token} too");
        } else {
            assert!(!is_the_one, "{task} was completed with {token}, which was refused");
            stale += 1;
        }
    }
    println!("{} handed out again, {stale} refused by their token", watched.handed_out_again);
    assert!(watched.handed_out_again > 0 && stale > 0);
    // A worker that was killed between an answer and its diary is the only one that wrote nothing.
    assert!(done.len() >= TASKS - TASKS / DONE_PER_KILL, "{} in the diaries", done.len());
}
