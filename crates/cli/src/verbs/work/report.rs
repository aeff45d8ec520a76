//! What came of one task, for people and for programs.

use std::fmt;
use std::io;

use callboard_protocol::methods::task::{Status, Task};
use callboard_protocol::revision::TaskId;
use serde::Serialize;

use crate::duration::format_ms;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::one_line;

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The program did it.
    Completed,
    /// The program failed.
    Failed,
    /// It was given back.
    Released,
    /// The claim was over before something could be reported.
    Lost,
}

/// What came of one task.
#[derive(Debug, Serialize)]
pub struct Report {
    id: TaskId,
    title: String,
    attempt: u32,
    /// How it went.
    pub outcome: Outcome,
    /// Where the task stood after that; null where that is not known.
    status: Option<Status>,
    /// The program's, 128 and the signal's number for one that was ended by a signal; null for one that was ended from here.
    pub exit_code: Option<u8>,
    /// What went wrong.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Why the program can't be run, if it can't.
    #[serde(skip)]
    pub not_run: Option<io::Error>,
}

impl Report {
    /// Of a task that nothing came of yet.
    pub fn of(task: &Task) -> Self {
        Self {
            id: task.id,
            title: task.title.clone(),
            attempt: task.attempts,
            outcome: Outcome::Lost,
            status: None,
            exit_code: None,
            error: None,
            took_ms: 0,
            not_run: None,
        }
    }

    /// The daemon took it as this.
    pub fn conclude(&mut self, outcome: Outcome, status: Option<Status>) {
        self.outcome = outcome;
        self.status = status;
    }

    /// The claim is over.
    pub fn lose(&mut self, why: String) {
        self.outcome = Outcome::Lost;
        self.error = Some(why);
    }

    /// Prints it: its object with `--json`, else a line for people.
    ///
    /// # Errors
    /// When standard output can't be written.
    pub fn print(&self, output: Output) -> Result<(), Failure> {
        if output.is_json() {
            return output.json(self);
        }
        output.note(format_args!("callboard: {self}"));
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Completed => "completed",
            Outcome::Failed => "failed",
            Outcome::Released => "given back",
            Outcome::Lost => "LOST",
        };
        let Self { id, attempt, .. } = self;
        let (title, took) = (one_line(&self.title), format_ms(self.took_ms));
        write!(f, "task {id} ({title}), attempt {attempt}: {outcome} after {took}")?;
        // What the status says beyond the outcome.
        if let Some(status) = self.status.filter(|status| status.name() != outcome) {
            write!(f, ", now {status}")?;
        }
        match &self.error {
            // The last line of what a program says is mostly what it ended with.
            Some(error) => write!(f, ": {}", one_line(error.lines().last().unwrap_or_default())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use callboard_protocol::Revision;

    use super::*;

    fn report(outcome: Outcome, status: Option<Status>, error: Option<&str>) -> String {
        let report = Report {
            id: Revision(7),
            title: "build\nit".to_owned(),
            attempt: 2,
            outcome,
            status,
            exit_code: None,
            error: error.map(str::to_owned),
            took_ms: 3_000,
            not_run: None,
        };
        report.to_string()
    }

    #[test]
    fn people_read_one_line_with_the_last_word_of_the_program() {
        let said = "exit code 1: warning\nout of luck";
        for (line, expected) in [
            (report(Outcome::Completed, Some(Status::Completed), None), "completed after 3s"),
            (
                report(Outcome::Completed, Some(Status::PendingReview), None),
                "completed after 3s, now pending_review",
            ),
            (
                report(Outcome::Failed, Some(Status::Delayed), Some(said)),
                "failed after 3s, now delayed: out of luck",
            ),
            (report(Outcome::Lost, None, Some("it was cancelled")), "LOST after 3s: it was cancelled"),
        ] {
            assert_eq!(line, format!("task 7 (build\\nit), attempt 2: {expected}"));
        }
    }
}
