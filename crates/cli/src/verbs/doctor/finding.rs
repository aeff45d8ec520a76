//! What the doctor found.

use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Good,
    /// Worth knowing.
    Noted,
    /// To be mended.
    Wrong,
}

/// One thing looked at.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// In words.
    pub said: String,
    /// The command to run next.
    pub next: Option<String>,
}

impl Finding {
    /// It is as it should be.
    pub fn good(name: &'static str, said: impl Into<String>) -> Self {
        Self { name, state: State::Good, said: said.into(), next: None }
    }

    /// It is worth knowing.
    pub fn noted(name: &'static str, said: impl Into<String>) -> Self {
        Self { name, state: State::Noted, said: said.into(), next: None }
    }

    /// It is to be mended, with `next`.
    pub fn wrong(name: &'static str, said: impl Into<String>, next: impl Into<String>) -> Self {
        Self { name, state: State::Wrong, said: said.into(), next: Some(next.into()) }
    }

    /// What kept it from being looked at.
    pub fn of_failure(name: &'static str, failure: Failure) -> Self {
        match failure {
            Failure::ReaderLeft => Self::noted(name, "not looked at"),
            Failure::Told(report) => Self { name, state: State::Wrong, said: report.why, next: report.next },
        }
    }
}

/// Everything found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether nothing is to be mended.
    pub is_healthy: bool,
    findings: Vec<Finding>,
}

impl Report {
    /// Of these.
    pub fn new(findings: Vec<Finding>) -> Self {
        Self { is_healthy: findings.iter().all(|finding| finding.state != State::Wrong), findings }
    }

    /// Prints it.
    ///
    /// # Errors
    /// When standard output can't be written.
    pub fn print(&self, output: Output) -> Result<(), Failure> {
        output.result(self, |output| {
            for finding in &self.findings {
                let state = match finding.state {
                    State::Good => "ok",
                    State::Noted => "note",
                    State::Wrong => "WRONG",
                };
                output.line(format_args!("{state:<6} {:<10} {}", finding.name, finding.said))?;
                if let Some(next) = &finding.next {
                    output.line(format_args!("{:<6} {:<10} next: {next}", "", ""))?;
                }
            }
            Ok(())
        })
    }
}
