//! One task, from its claim to its report.
//!
//! Invariant: the program runs only while the claim was granted, and is ended when the claim is lost. What its exit code means is
//! decided here and nowhere else, in the terms of `sysexits.h`.

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Instant;

use callboard_client::Client;
use callboard_protocol::methods::Verb;
use callboard_protocol::methods::task::{Complete, Fail, One, Release, Task};
use callboard_protocol::{Json, TtlMs};
use tokio::process::Command;
use tokio::sync::watch;

use super::checkpoint::CheckpointFile;
use super::claiming::Granted;
use super::lease::{Lease, Refused};
use super::report::{Outcome, Report};
use super::running::{Running, Written};
use crate::output::Output;
use crate::program;
use crate::temporary::TemporaryFolder;

/// `EX_DATAERR`: the task itself is wrong, trying again is of no use.
const EXIT_DATA_ERROR: u8 = 65;
/// `EX_TEMPFAIL`: nothing is wrong with the task, this is not the time.
const EXIT_TEMPORARY: u8 = 75;
/// The longest task that is put into a variable, in bytes: Windows has room for little more, Linux for four times as much.
const VARIABLE_BYTES_MAX: usize = 32_000;

/// What all tasks of a worker share.
pub struct Workplace {
    pub client: Client,
    pub output: Output,
    pub folder: TemporaryFolder,
    pub lease_ms: TtlMs,
}

/// Why a program no longer runs.
enum End {
    Itself(io::Result<ExitStatus>),
    Lost(String),
    Terminated,
}

/// What is to be said about a task.
enum Verdict {
    Complete(Option<Json>),
    Fail { error: String, retryable: bool },
    Release { reason: &'static str },
}

/// Runs `command` for the task, keeps the claim meanwhile, and reports what came of it.
pub async fn run(
    place: Arc<Workplace>,
    granted: Granted,
    mut command: Command,
    is_terminated: watch::Receiver<bool>,
) -> Report {
    let started = Instant::now();
    let Granted { task, token, notices } = granted;
    let opened = place.client.opened();
    let bytes_max = opened.limits.value_bytes;
    let created = CheckpointFile::create(place.folder.path(), token.0, task.checkpoint.as_ref(), bytes_max);
    let mut report = Report::of(&task);
    match created {
        Err(error) => report.not_run = Some(error),
        Ok(checkpoint) => {
            let input = equip(&mut command, &task, token.0, &checkpoint);
            let client = place.client.clone();
            let (output, lease_ms) = (place.output, place.lease_ms);
            let mut lease =
                Lease { client, output, notices, id: task.id, token, lease_ms, checkpoint, opened };
            match Running::start(command, input, bytes_max) {
                Err(error) => {
                    let reason = "its worker can't run its program";
                    conclude(&mut lease, &mut report, Verdict::Release { reason }).await;
                    report.not_run = Some(error);
                }
                Ok(running) => {
                    attend(running, &mut lease, &mut report, is_terminated, bytes_max).await;
                }
            }
        }
    }
    report.took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    report
}

/// Tells the program what its task is; gives what goes to its standard input.
fn equip(command: &mut Command, task: &Task, token: u64, checkpoint: &CheckpointFile) -> String {
    let json = serde_json::to_string(task).unwrap_or_default();
    command
        .env("CALLBOARD_TASK_ID", task.id.to_string())
        .env("CALLBOARD_TASK_TOKEN", token.to_string())
        // A variable can't have the one character that ends it.
        .env("CALLBOARD_TASK_TITLE", task.title.replace('\0', "\u{fffd}"))
        .env("CALLBOARD_TASK_ATTEMPT", task.attempts.to_string())
        .env("CALLBOARD_TASK_CHECKPOINT", checkpoint.path());
    if json.len() <= VARIABLE_BYTES_MAX {
        command.env("CALLBOARD_TASK", &json);
    } else {
        // One of a worker around this one would be another task.
        command.env_remove("CALLBOARD_TASK");
    }
    json
}

/// Waits for the end of the program, or has it end; then reports.
async fn attend(
    mut running: Running,
    lease: &mut Lease,
    report: &mut Report,
    mut is_terminated: watch::Receiver<bool>,
    value_bytes_max: usize,
) {
    let end = tokio::select! {
        status = running.wait() => End::Itself(status),
        why = lease.keep() => End::Lost(why),
        Ok(_) = is_terminated.wait_for(|is_terminated| *is_terminated) => End::Terminated,
    };
    let verdict = match end {
        End::Lost(why) => {
            running.end().await;
            report.lose(why);
            return;
        }
        End::Terminated => {
            end_under(lease, running).await;
            Verdict::Release { reason: "its worker was stopped" }
        }
        End::Itself(Err(error)) => {
            running.end().await;
            Verdict::Fail { error: format!("how the program ended is not known: {error}"), retryable: true }
        }
        End::Itself(Ok(status)) => {
            report.exit_code = Some(program::exit_code(status));
            judge(status, running.written().await, value_bytes_max)
        }
    };
    conclude(lease, report, verdict).await;
}

/// Ends the program, which may take longer than its lease.
async fn end_under(lease: &mut Lease, running: Running) {
    let mut end = std::pin::pin!(running.end());
    tokio::select! {
        () = &mut end => {}
        // The release will be told of it.
        _ = lease.keep() => end.await,
    }
}

fn judge(status: ExitStatus, written: Written, value_bytes_max: usize) -> Verdict {
    let code = program::exit_code(status);
    let failed = |retryable| {
        let how = match status.code() {
            Some(code) => format!("exit code {code}"),
            None => format!("ended by signal {}", code.saturating_sub(128)),
        };
        let said = &written.stderr;
        let error = if said.is_empty() { how } else { format!("{how}: {said}") };
        Verdict::Fail { error, retryable }
    };
    match code {
        0 => match result(&written.stdout, value_bytes_max) {
            Ok(result) => Verdict::Complete(result),
            Err(error) => Verdict::Fail { error, retryable: false },
        },
        EXIT_DATA_ERROR => failed(false),
        EXIT_TEMPORARY => Verdict::Release { reason: "its program said: not now (exit code 75)" },
        _ => failed(true),
    }
}

/// What was written, as JSON: it is JSON itself, or becomes a string, less one line break at its end.
fn result(stdout: &[u8], bytes_max: usize) -> Result<Option<Json>, String> {
    let too_long =
        || format!("the result has more than {bytes_max} bytes: write it to a file, and print where that is");
    if stdout.len() > bytes_max {
        return Err(too_long());
    }
    let text = String::from_utf8_lossy(stdout);
    if text.trim().is_empty() {
        return Ok(None);
    }
    let json = Json::parse(&text).or_else(|_| {
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Json::from_value(line.strip_suffix('\r').unwrap_or(line))
    });
    let json = json.map_err(|error| error.message.into_string())?;
    if json.len() > bytes_max { Err(too_long()) } else { Ok(Some(json)) }
}

/// Reports what came of the task; what can't be reported as it is, such as a result that there is no room for, is a failure.
async fn conclude(lease: &mut Lease, report: &mut Report, verdict: Verdict) {
    if !matches!(verdict, Verdict::Complete(_))
        && let Err(Refused::Lost(why)) = lease.hand_on_checkpoint().await
    {
        return report.lose(why);
    }
    let token = lease.token;
    let refused = match verdict {
        Verdict::Complete(result) => {
            tell(lease, report, Outcome::Completed, &Complete { token, result }).await
        }
        Verdict::Release { reason } => {
            report.error = Some(reason.to_owned());
            let release = Release { token, reason: Some(reason.to_owned()) };
            tell(lease, report, Outcome::Released, &release).await
        }
        Verdict::Fail { error, retryable } => fail(lease, report, error, retryable).await,
    };
    if let Err(error) = refused {
        let error = format!("the outcome can't be reported: {error}");
        if let Err(error) = fail(lease, report, error, false).await {
            report.lose(error);
        }
    }
}

async fn fail(lease: &Lease, report: &mut Report, error: String, retryable: bool) -> Result<(), String> {
    report.error = Some(error.clone());
    let fail = Fail { token: lease.token, error, retryable: Some(retryable) };
    tell(lease, report, Outcome::Failed, &fail).await
}

/// Tells the daemon, and notes what it says.
async fn tell<V: Verb<Result = One>>(
    lease: &Lease,
    report: &mut Report,
    outcome: Outcome,
    params: &V,
) -> Result<(), String> {
    match lease.call(params).await {
        Ok(told) => report.conclude(outcome, Some(told.task.status)),
        Err(Refused::Ended) => report.conclude(outcome, lease.status().await),
        Err(Refused::Lost(why)) => report.lose(why),
        Err(Refused::Error(error)) => return Err(error.to_string()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_json_or_becomes_a_string() {
        for (written, json) in [
            ("{\"a\": 1}\n", Some("{\"a\": 1}")),
            ("7", Some("7")),
            ("all green\n", Some(r#""all green""#)),
            ("a\nb\n\n", Some(r#""a\nb\n""#)),
            ("", None),
            ("\n", None),
        ] {
            let result = result(written.as_bytes(), 100).unwrap();
            assert_eq!(result.as_ref().map(Json::as_str), json, "{written:?}");
        }
    }

    #[test]
    fn a_result_that_is_too_long_says_what_to_do() {
        for written in ["x".repeat(11), "\u{1}".repeat(5)] {
            let error = result(written.as_bytes(), 10).unwrap_err();
            assert!(error.contains("more than 10 bytes") && error.contains("write it to a file"), "{error}");
        }
    }
}
