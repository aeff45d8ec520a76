//! The checked summary: what the daemon told of each change, what the processes saw and what this one counts itself must
//! agree.
//!
//! Invariant: a check says what it rests on, and one that fails makes the demo fail.

use std::time::Duration;

use callboard_client::Client;
use callboard_protocol::methods::coordination::Vote;
use callboard_protocol::methods::kv::List;
use callboard_protocol::methods::server::Stats;
use callboard_protocol::params::ListLimit;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Killing;
use super::files::{Source, Tally};
use super::ledger::{Ledger, shown};
use super::words::{CHOICES, DONE_PREFIX, REPORT_PREFIX, Record, Report, TOTALS, Totals, VOTE_KEY};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    ok: bool,
    evidence: String,
}

/// What was measured of one kind of call, in microseconds.
#[derive(Debug, Serialize)]
struct Latency {
    what: &'static str,
    count: usize,
    p50_us: u64,
    p99_us: u64,
}

/// Everything that the summary tells.
#[derive(Debug, Serialize)]
pub struct Evidence {
    ok: bool,
    files: usize,
    took_ms: u128,
    checks: Vec<Check>,
    latencies: Vec<Latency>,
}

impl Evidence {
    /// Gathers it from the daemon, the processes' reports, and the files.
    ///
    /// # Errors
    /// When the daemon does not answer or a file can't be read.
    pub async fn gather(
        source: &Source,
        client: &Client,
        ledger: Ledger,
        killed: Option<Killing>,
        took: Duration,
    ) -> Result<Self, Failure> {
        let records: Vec<(String, Record)> = read_all(client, DONE_PREFIX).await?;
        let mut report = Report::default();
        for (_, part) in read_all::<Report>(client, REPORT_PREFIX).await? {
            report.merge(part);
        }
        let totals: Totals = read(client, TOTALS).await?.unwrap_or_default();
        let vote = match read(client, VOTE_KEY).await? {
            Some(id) => {
                Some(client.vote_get(id).await.map_err(|error| Failure::client("look at the vote", error))?)
            }
            None => None,
        };
        let stats =
            client.server_stats().await.map_err(|error| Failure::client("read the counters", error))?;
        let checks = vec![
            each_file_once(source, &records, &ledger, &totals)?,
            one_holder_at_a_time(&ledger, &report),
            each_task_once_and_in_order(&ledger, &report),
            reviews(&report, &stats),
            agreement(vote.as_ref()),
            nothing_lost(&ledger, &stats),
            killed_worker(&ledger, killed.as_ref()),
            questions(&report, &ledger),
        ];
        Ok(Self {
            ok: checks.iter().all(|check| check.ok),
            files: records.len(),
            took_ms: took.as_millis(),
            checks,
            latencies: vec![
                latency("lock.acquire, call to answer", report.lock_us),
                latency("task.complete, call to answer", report.complete_us),
                latency("message, manager to worker", report.message_us),
                latency("question and answer", report.question_us),
            ],
        })
    }

    /// Adds whether the daemon stopped cleanly.
    pub fn with_clean_stop(mut self, is_clean: bool) -> Self {
        let evidence = if is_clean { "exit code 0" } else { "another exit code" }.to_owned();
        self.checks.push(Check { check: "the daemon stopped cleanly", ok: is_clean, evidence });
        self.ok &= is_clean;
        self
    }

    /// Tells it; the exit code is the verdict.
    ///
    /// # Errors
    /// When nobody reads.
    pub fn tell(&self, output: Output) -> Result<Exit, Failure> {
        if output.is_json() {
            output.json(self)?;
        } else {
            output.line(format_args!(""))?;
            for Check { check, ok, evidence } in &self.checks {
                output.line(format_args!("{:<6} {check}: {evidence}", if *ok { "ok" } else { "FAILED" }))?;
            }
            output.line(format_args!(""))?;
            for Latency { what, count, p50_us, p99_us } in &self.latencies {
                output.line(format_args!(
                    "{what:<30} {count:>5} times   p50 {p50_us:>6} us   p99 {p99_us:>6} us"
                ))?;
            }
            let verdict = if self.ok { "all checks hold" } else { "CHECKS FAILED" };
            output.line(format_args!(
                "\n{} files in {:.1} s: {verdict}",
                self.files,
                self.took_ms as f64 / 1e3
            ))?;
        }
        Ok(if self.ok { Exit::Ok } else { Exit::Failure })
    }
}

/// What a key has, if it is a `T`.
async fn read<T: DeserializeOwned>(client: &Client, key: &str) -> Result<Option<T>, Failure> {
    let found = client.kv_get(key).await;
    let found = found.map_err(|error| Failure::client(format_args!("read {key}"), error))?;
    Ok(found.value.and_then(|value| value.to().ok()))
}

/// All values whose keys begin with `prefix`, with the rest of their keys.
async fn read_all<T: DeserializeOwned>(client: &Client, prefix: &str) -> Result<Vec<(String, T)>, Failure> {
    let list = List {
        prefix: Some(prefix.to_owned()),
        limit: Some(ListLimit::MAX),
        values: Some(true),
        ..List::default()
    };
    let listed = client.call(&list).await.map_err(|error| Failure::client("read the records", error))?;
    let parse = |entry: &callboard_protocol::methods::kv::Listed| {
        let name = entry.key.as_str().strip_prefix(prefix)?.to_owned();
        Some((name, entry.value.as_ref()?.to().ok()?))
    };
    Ok(listed.entries.iter().filter_map(parse).collect())
}

fn each_file_once(
    source: &Source,
    records: &[(String, Record)],
    ledger: &Ledger,
    totals: &Totals,
) -> Result<Check, Failure> {
    let mut own = Totals::default();
    let mut wrong = 0;
    for (path, record) in records {
        let tally = Tally::of(&source.root, path)?;
        own.add(&tally);
        wrong += usize::from(tally != record.tally);
    }
    let once = ledger.records.values().filter(|count| **count == 1).count();
    let expected = source.paths.len();
    let ok =
        records.len() == expected && once == expected && wrong == 0 && own == *totals && ledger.gaps == 0;
    let evidence = format!(
        "{once} of {expected} recorded once, {} checksums agree with this process's own, totals {} lines and {} bytes",
        records.len() - wrong,
        totals.lines,
        totals.bytes
    );
    Ok(Check { check: "every file done exactly once", ok, evidence })
}

fn one_holder_at_a_time(ledger: &Ledger, report: &Report) -> Check {
    let ok = ledger.overlaps == 0 && report.overlaps == 0 && ledger.held.is_empty();
    let evidence = format!(
        "{} grants in the daemon's log, {} overlaps there, {} seen by the system's own file locks, waited for {} times",
        ledger.granted, ledger.overlaps, report.overlaps, report.contended
    );
    Check { check: "no two holders of one lock at a time", ok, evidence }
}

fn each_task_once_and_in_order(ledger: &Ledger, report: &Report) -> Check {
    let tasks = ledger.completions.len();
    let once = ledger.completions.values().filter(|count| **count == 1).count();
    let ok = tasks > 0 && once == tasks && report.early == 0 && ledger.gaps == 0;
    let evidence = format!(
        "{once} of {tasks} tasks completed once, {} claims, {} begun before what they depend on",
        report.begun, report.early
    );
    Check { check: "every task done once, in the order of its dependencies", ok, evidence }
}

fn reviews(report: &Report, stats: &Stats) -> Check {
    let unreviewed = stats.tasks.get("pending_review").copied().unwrap_or_default();
    let ok = report.reviews > 0 && report.own_approved == 0 && unreviewed == 0;
    let evidence = format!(
        "{} reviews by others, {} approvals of own work tried and refused, {} not refused",
        report.reviews, report.own_refused, report.own_approved
    );
    Check { check: "sums reviewed, by nobody who had made them", ok, evidence }
}

fn agreement(vote: Option<&Vote>) -> Check {
    let check = "workers voted, and agreed on the sums";
    let Some(vote) = vote else {
        return Check { check, ok: false, evidence: "there was no vote".to_owned() };
    };
    let winner = vote.winner.as_ref().map_or("nobody", |winner| winner.as_str());
    let ok = winner == CHOICES[0] && vote.quorum_met && vote.ballots.len() == vote.voters.len();
    let evidence = format!("{} of {} voted, {winner} won", vote.ballots.len(), vote.voters.len());
    Check { check, ok, evidence }
}

fn nothing_lost(ledger: &Ledger, stats: &Stats) -> Check {
    let inbox = &stats.inbox;
    let ok = ledger.unacked.is_empty()
        && ledger.lost == 0
        && ledger.gaps == 0
        && (inbox.queued, inbox.leased, inbox.dead) == (0, 0, 0);
    let evidence = format!(
        "{} messages sent, {} unacked, {} dead or expired, {} left in inboxes",
        ledger.sent,
        ledger.unacked.len(),
        ledger.lost,
        inbox.queued + inbox.leased + inbox.dead
    );
    Check { check: "no message lost", ok, evidence }
}

fn killed_worker(ledger: &Ledger, killed: Option<&Killing>) -> Check {
    let again = ledger.claims.values().filter(|count| **count > 1).count();
    let freed = killed.and_then(|killed| killed.freed_after.map(|after| (shown(&killed.lock), after)));
    let (ok, evidence) = match freed {
        Some((path, after)) => {
            let text = format!("{path} free after {} ms, {again} tasks handed out again", after.as_millis());
            (again > 0, text)
        }
        None => (false, "nobody was killed: too few files for it, give a larger directory".to_owned()),
    };
    Check { check: "a killed worker's lock and task came back", ok, evidence }
}

fn questions(report: &Report, ledger: &Ledger) -> Check {
    let asked = report.question_us.len();
    let ok = asked > 0 && report.disagreements == 0 && ledger.answered >= asked;
    let evidence = format!("{asked} asked, {} answered, {} disagreed", ledger.answered, report.disagreements);
    Check { check: "workers asked each other and agreed", ok, evidence }
}

fn latency(what: &'static str, mut times: Vec<u64>) -> Latency {
    times.sort_unstable();
    let at =
        |percent: usize| times.get((times.len().max(1) - 1) * percent / 100).copied().unwrap_or_default();
    Latency { what, count: times.len(), p50_us: at(50), p99_us: at(99) }
}
