//! `callboard work`: what becomes of tasks whose programs succeed, fail, go on for long, or lose their worker.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::process::Child;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Daemon, Home, PATIENCE, Raw, callboard, wait_for};

/// Runs until the test lets it go, or has ended: the file is in the test's folder.
const UNTIL_LET_GO: &str = r#"touch "$1/started"; while [ -e "$1/started" ]; do sleep 0.02; done"#;

/// A worker of the agent bob, and what it says.
struct Worker {
    process: Daemon,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Worker {
    /// Starts it with these options on `script`, which finds the test's folder in `$1` and the binary in `$2`.
    fn start(home: &Home, options: &[&str], script: &str) -> Self {
        let mut command = home.command(["--json", "--agent", "bob", "--namespace", "default", "work"]);
        command
            .env("TMPDIR", home.folder())
            .args(options)
            .args(["--", "sh", "-c", script, "sh"])
            .arg(home.folder())
            .arg(callboard());
        let mut child: Child = command.spawn().expect("it starts");
        let stdout = lines(child.stdout.take().expect("a pipe"));
        let stderr = lines(child.stderr.take().expect("a pipe"));
        Self { process: child.into(), stdout, stderr }
    }

    /// What it says about the next task that has ended.
    #[track_caller]
    fn report(&self) -> Value {
        let line = self.stdout.recv_timeout(PATIENCE).expect("a report");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no report: {line:?}"))
    }

    /// Reads on until it told a person this.
    #[track_caller]
    fn told(&self, what: &str) {
        while !self.stderr.recv_timeout(PATIENCE).expect(what).contains(what) {}
    }

    #[track_caller]
    fn exit_code(self) -> Option<i32> {
        self.process.wait().code()
    }
}

/// What comes out of a pipe, line by line, so that nobody has to wait for ever.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // The test may have seen enough before the end.
        BufReader::new(pipe).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    receiver
}

fn started(home: &Home) -> PathBuf {
    home.folder().join("started")
}

#[track_caller]
fn wait_until_started(home: &Home) {
    wait_for("the program", || started(home).exists().then_some(()));
}

fn let_go(home: &Home) {
    fs::remove_file(started(home)).expect("the program runs");
}

#[track_caller]
fn create(client: &mut Raw, task: Value) -> Value {
    client.call("task.create", task)["task"]["id"].take()
}

#[track_caller]
fn task(client: &mut Raw, id: &Value) -> Value {
    client.call("task.get", json!({"id": id}))["task"].take()
}

#[test]
fn the_exit_code_of_the_program_decides_what_becomes_of_its_task() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut ada = home.connect_as("ada");
    let titles = ["json", "text", "bad", "again", "later"];
    let ids = titles.map(|title| create(&mut ada, json!({"title": title, "backoff_ms": 3_600_000})));
    let script = r#"case $CALLBOARD_TASK_TITLE in
        json) cat ;;
        text) "$2" kv set seen "$CALLBOARD_AGENT" >&2 && echo "all green" ;;
        bad) echo "no such file" >&2; exit 65 ;;
        again) echo "out of luck" >&2; exit 3 ;;
        later) exit 75 ;;
    esac"#;
    let worker = Worker::start(&home, &["--max", "5"], script);
    let reports = titles.map(|_| worker.report());
    let outcomes =
        reports.map(|report| format!("{} {} {}", report["outcome"], report["status"], report["exit_code"]));
    assert_eq!(
        outcomes.map(|outcome| outcome.replace('"', "")),
        [
            "completed completed 0",
            "completed completed 0",
            "failed failed 65",
            "failed delayed 3",
            "released pending 75"
        ]
    );
    assert_eq!(worker.exit_code(), Some(1), "not all were completed");
    let [whole, text, bad, again, later] = ids.map(|id| task(&mut ada, &id));
    assert_eq!((&whole["result"]["title"], &whole["result"]["assignee"]), (&json!("json"), &json!("bob")));
    assert_eq!(text["result"], "all green");
    assert_eq!(ada.call("kv.get", json!({"key": "seen"}))["value"], "bob");
    assert_eq!((&bad["why"], &bad["error"]), (&json!("error"), &json!("exit code 65: no such file")));
    assert_eq!((&again["attempts"], &again["error"]), (&json!(1), &json!("exit code 3: out of luck")));
    assert_eq!(later["attempts"], 0);
}

#[test]
fn a_result_that_is_too_long_fails_the_task_with_a_way_out() {
    let home = Home::in_memory().with_limits("value_bytes = 1000");
    let _daemon = home.start();
    let mut ada = home.connect_as("ada");
    let id = create(&mut ada, json!({"title": "long"}));
    let worker = Worker::start(&home, &["--once"], "head -c 2000 /dev/zero | tr '\\0' x");
    assert_eq!(worker.report()["outcome"], "failed");
    let error = task(&mut ada, &id)["error"].to_string();
    assert!(error.contains("more than 1000 bytes") && error.contains("write it to a file"), "{error}");
}

#[test]
fn what_a_killed_worker_had_come_to_goes_to_the_next_one() {
    let home = Home::in_memory().with("CALLBOARD_GRACE_MS", 50);
    let _daemon = home.start();
    let mut ada = home.connect_as("ada");
    let id = create(&mut ada, json!({"title": "long", "backoff_ms": 0}));
    let script = format!(r#"echo '{{"line":7}}' >"$CALLBOARD_TASK_CHECKPOINT"; {UNTIL_LET_GO}"#);
    let worker = Worker::start(&home, &["--lease", "1m"], &script);
    wait_for("the checkpoint", || {
        let told = task(&mut ada, &id);
        (told["checkpoint"] == json!({"line": 7})).then_some(())
    });
    worker.process.kill();
    let next = Worker::start(&home, &["--once"], r#"cat "$CALLBOARD_TASK_CHECKPOINT""#);
    let report = next.report();
    assert_eq!((&report["outcome"], &report["attempt"]), (&json!("completed"), &json!(2)));
    assert_eq!(task(&mut ada, &id)["result"], json!({"line": 7}));
    assert_eq!(next.exit_code(), Some(0));
    let_go(&home);
}

#[test]
fn a_failed_attempt_leaves_its_checkpoint_to_the_next_one() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut ada = home.connect_as("ada");
    let id = create(&mut ada, json!({"title": "long", "backoff_ms": 0}));
    let script = r#"[ -e "$CALLBOARD_TASK_CHECKPOINT" ] && exec cat "$CALLBOARD_TASK_CHECKPOINT"
        echo 7 >"$CALLBOARD_TASK_CHECKPOINT"; exit 1"#;
    let worker = Worker::start(&home, &["--max", "2"], script);
    assert_eq!(
        [worker.report(), worker.report()].map(|report| report["outcome"].clone()),
        ["failed", "completed"]
    );
    assert_eq!(task(&mut ada, &id)["result"], 7);
}

#[test]
fn a_cancelled_task_ends_its_program() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut ada = home.connect_as("ada");
    let id = create(&mut ada, json!({"title": "long"}));
    let script = format!(r#"trap 'touch "$1/terminated"; exit 0' TERM; {UNTIL_LET_GO}"#);
    let worker = Worker::start(&home, &["--once"], &script);
    wait_until_started(&home);
    ada.call("task.cancel", json!({"id": id}));
    let report = worker.report();
    assert_eq!((&report["outcome"], &report["error"]), (&json!("lost"), &json!("it was cancelled by ada")));
    assert!(home.folder().join("terminated").exists());
    assert_eq!(worker.exit_code(), Some(1));
    assert_eq!(task(&mut ada, &id)["status"], "cancelled");
}

#[test]
fn a_claim_is_kept_for_as_long_as_its_program_runs() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut ada = home.connect_as("ada");
    let id = create(&mut ada, json!({"title": "long"}));
    let worker = Worker::start(&home, &["--once", "--lease", "3s"], UNTIL_LET_GO);
    wait_until_started(&home);
    let first = task(&mut ada, &id)["expires_at"].as_u64().expect("a lease");
    wait_for("a lease that goes on beyond its length", || {
        let now = task(&mut ada, &id)["expires_at"].as_u64().expect("a lease");
        (now > first + 3000).then_some(())
    });
    let_go(&home);
    let report = worker.report();
    assert_eq!((&report["outcome"], &report["attempt"]), (&json!("completed"), &json!(1)));
}

#[test]
fn jobs_run_side_by_side() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut ada = home.connect_as("ada");
    for title in ["a", "b", "c"] {
        create(&mut ada, json!({"title": title, "role": "tester"}));
    }
    let script = r#"touch "$1/here-$CALLBOARD_TASK_TITLE"
        until [ -e "$1/here-a" ] && [ -e "$1/here-b" ] && [ -e "$1/here-c" ]; do sleep 0.02; done"#;
    let options = ["--jobs", "3", "--max", "3", "--role", "tester"];
    let worker = Worker::start(&home, &options, script);
    for _ in 0..3 {
        assert_eq!(worker.report()["outcome"], "completed");
    }
    assert_eq!(worker.exit_code(), Some(0));
    assert_eq!(ada.call("agent.get", json!({"name": "bob"}))["agent"]["role"], "tester");
}

#[test]
fn the_first_signal_lets_the_program_finish() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut ada = home.connect_as("ada");
    let [running, waiting] = ["a", "b"].map(|title| create(&mut ada, json!({"title": title})));
    let worker = Worker::start(&home, &[], UNTIL_LET_GO);
    wait_until_started(&home);
    worker.process.signal(Signal::TERM);
    worker.told("stopping when the running tasks (1) have ended");
    let_go(&home);
    assert_eq!(worker.report()["outcome"], "completed");
    assert_eq!(worker.exit_code(), Some(0));
    assert_eq!(task(&mut ada, &running)["status"], "completed");
    assert_eq!(task(&mut ada, &waiting)["status"], "pending");
}

#[test]
fn the_second_signal_gives_the_task_back() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut ada = home.connect_as("ada");
    let id = create(&mut ada, json!({"title": "a"}));
    let worker = Worker::start(&home, &[], UNTIL_LET_GO);
    wait_until_started(&home);
    worker.process.signal(Signal::INT);
    worker.told("stopping when the running tasks (1) have ended");
    worker.process.signal(Signal::INT);
    assert_eq!(worker.report()["outcome"], "released");
    assert_eq!(worker.exit_code(), Some(0));
    let given_back = task(&mut ada, &id);
    assert_eq!((&given_back["status"], &given_back["attempts"]), (&json!("pending"), &json!(0)));
}

#[test]
fn a_daemon_that_starts_anew_finds_its_workers_at_work() {
    let home = Home::new();
    let daemon = home.start();
    let mut ada = home.connect_as("ada");
    create(&mut ada, json!({"title": "a"}));
    let worker = Worker::start(&home, &["--jobs", "2", "--max", "2", "--role", "tester"], UNTIL_LET_GO);
    wait_until_started(&home);
    let _daemon = home.stop_and_start(daemon);
    let_go(&home);
    let report = worker.report();
    assert_eq!((&report["outcome"], &report["attempt"]), (&json!("completed"), &json!(1)), "{report}");
    let mut ada = home.connect_as("ada");
    create(&mut ada, json!({"title": "b", "role": "tester"}));
    wait_until_started(&home);
    let_go(&home);
    assert_eq!(worker.report()["outcome"], "completed");
    assert_eq!(worker.exit_code(), Some(0));
}

#[test]
fn a_claim_that_its_daemon_has_forgotten_ends_the_program() {
    let home = Home::in_memory();
    let daemon = home.start();
    create(&mut home.connect_as("ada"), json!({"title": "a"}));
    let worker = Worker::start(&home, &["--once"], UNTIL_LET_GO);
    wait_until_started(&home);
    let _daemon = home.stop_and_start(daemon);
    assert_eq!(worker.report()["outcome"], "lost");
    assert_eq!(worker.exit_code(), Some(1));
    assert!(started(&home).exists(), "nobody let the program go");
}

#[test]
fn a_program_that_can_not_be_run_costs_no_attempt() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut ada = home.connect_as("ada");
    let id = create(&mut ada, json!({"title": "a"}));
    let board = ["--agent", "bob", "--namespace", "default", "work"];
    let output = home.command(board).args(["--", "./no-such-program"]).output().expect("it ends");
    assert_eq!(output.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&output.stderr).contains("run ./no-such-program"), "{output:?}");
    let given_back = task(&mut ada, &id);
    assert_eq!((&given_back["status"], &given_back["attempts"]), (&json!("pending"), &json!(0)));
}

#[test]
fn a_worker_that_nothing_comes_for_says_so() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let worker = Worker::start(&home, &["--idle-exit", "50ms"], "true");
    assert_eq!(worker.exit_code(), Some(3));
    create(&mut home.connect_as("ada"), json!({"title": "a"}));
    let worker = Worker::start(&home, &["--idle-exit", "50ms"], "true");
    assert_eq!(worker.report()["outcome"], "completed");
    assert_eq!(worker.exit_code(), Some(0));
}
