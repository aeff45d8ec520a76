//! What tasks cost: memory of each, and a claim among 100,000. `cargo bench -p callboard-broker --bench tasks`.
//!
//! Prints what it measured; nothing fails here, since the figures are the machine's.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and its own memory")]
#![allow(clippy::disallowed_macros, reason = "it prints what it measured")]

use std::time::{Duration, Instant};

use callboard_broker::{Board, BoardConfig, Monotonic, Now, OpenSession, Outcome, SessionId};
use callboard_protocol::methods::{BoardAnswer, BoardCommand, session, task};
use callboard_protocol::names::{AgentName, Label};
use callboard_protocol::revision::Revision;
use callboard_protocol::{Json, RequestId};

const TASKS: usize = 100_000;
const DEPENDENTS: usize = 10_000;
const SESSION: SessionId = SessionId(1);

fn main() {
    let Some(mut board) = board() else { return };
    let before = resident_bytes();
    let tags: Vec<Label> = (0..100).filter_map(|tag| Label::new(&format!("tag-{tag}")).ok()).collect();
    let mut creates = Vec::new();
    for number in 0..TASKS {
        let create = BoardCommand::TaskCreate(new_task(number, &tags));
        creates.push(timed(&mut board, number, create).0);
    }
    let held = resident_bytes().saturating_sub(before);
    println!("{TASKS} tasks: {} bytes each, {} as accounted", held / TASKS, board.bytes() / TASKS);
    report("create", creates);
    let mut claims = Vec::new();
    let mut completes = Vec::new();
    for number in 0..TASKS / 2 {
        let tags =
            (number % 2 == 0).then(|| vec![tags[number % 100].clone(), tags[(number + 1) % 100].clone()]);
        let claim = BoardCommand::TaskClaim(task::Claim { tags, ..task::Claim::default() });
        let (took, claimed) = timed(&mut board, TASKS + number, claim);
        claims.push(took);
        let Some(BoardAnswer::TaskClaim(task::Claimed { token: Some(token), .. })) = claimed else {
            continue;
        };
        let result = Json::parse("{\"ok\":true}").ok();
        let complete = BoardCommand::TaskComplete(task::Complete { token, result });
        completes.push(timed(&mut board, TASKS + number, complete).0);
    }
    report("claim", claims);
    report("complete", completes);
    cascade();
}

/// One task that fails with many that depend on it.
fn cascade() {
    let Some(mut board) = board() else { return };
    let first = BoardCommand::TaskCreate(new_task(0, &[]));
    let Some(BoardAnswer::TaskCreate(created)) = timed(&mut board, 0, first).1 else { return };
    for number in 0..DEPENDENTS {
        let task = task::Create { depends_on: Some(vec![created.task.id]), ..new_task(number, &[]) };
        timed(&mut board, 1, BoardCommand::TaskCreate(task));
    }
    let cancel = BoardCommand::TaskCancel(task::Cancel { id: created.task.id });
    let (took, _) = timed(&mut board, 2, cancel);
    println!("a failure that fails {DEPENDENTS} others: {took:?}");
}

/// A board with one worker.
fn board() -> Option<Board> {
    let mut board = Board::new(BoardConfig::default(), Revision(0));
    let open = OpenSession {
        id: SESSION,
        resume_token: None,
        agent: AgentName::new("worker").ok(),
        client: session::Program::default(),
    };
    board.open_session(now(0), open).ok()?;
    Some(board)
}

/// Tasks that all have one tag of a hundred and the next one too.
fn new_task(number: usize, tags: &[Label]) -> task::Create {
    let tags = (!tags.is_empty()).then(|| vec![tags[number % 100].clone(), tags[(number + 1) % 100].clone()]);
    task::Create { tags, ..task::Create::new(format!("task number {number}")) }
}

fn now(step: usize) -> Now {
    let step = step as u64;
    Now { monotonic: Monotonic(step), unix_ms: step / 1000 }
}

fn timed(board: &mut Board, step: usize, command: BoardCommand) -> (Duration, Option<BoardAnswer>) {
    let request = RequestId::from(1);
    let start = Instant::now();
    let outcome = board.apply(now(step), SESSION, Some(&request), command);
    let took = start.elapsed();
    let effects = board.take_effects();
    board.reuse_effects(effects);
    match outcome {
        Outcome::Done(Ok(answer)) => (took, Some(answer)),
        Outcome::Done(Err(_)) | Outcome::Waiting | Outcome::Ignored => (took, None),
    }
}

fn report(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |part: usize| took.get(took.len() * part / 1000).copied().unwrap_or_default();
    println!("{what}: {} calls, p50 {:?}, p99 {:?}, p99.9 {:?}", took.len(), at(500), at(990), at(999));
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kib.unwrap_or(0) * 1024
}
