//! Why a verb could not do what it was asked, as a person reads it and as a program does.
//!
//! Invariant: whatever goes wrong ends here, with what failed, why, and the next command where there is one.

use std::fmt::Display;
use std::io;

use callboard_client::ClientError;
use callboard_protocol::{Error, ErrorKind};

use crate::exit::Exit;

/// Why a verb ended early.
#[derive(Debug)]
pub enum Failure {
    /// Who read the output went away, as `head` does: nothing is wrong.
    ReaderLeft,
    /// Something that the caller should know.
    Told(Box<Report>),
}

/// A failure to tell of.
#[derive(Debug)]
pub struct Report {
    /// The exit code.
    pub exit: Exit,
    /// What failed: `set the key a`.
    pub what: String,
    /// Why.
    pub why: String,
    /// More lines, for people.
    pub details: Vec<String>,
    /// The command to run next.
    pub next: Option<String>,
    /// The daemon's own error, for programs.
    pub error: Option<Error>,
}

impl Failure {
    /// A failure of `what`, because of `why`.
    pub fn new(exit: Exit, what: impl Display, why: impl Display) -> Self {
        Self::Told(Box::new(Report {
            exit,
            what: what.to_string(),
            why: why.to_string(),
            details: Vec::new(),
            next: None,
            error: None,
        }))
    }

    /// Something on the command line or in the environment is missing or wrong.
    pub fn usage(what: impl Display, why: impl Display) -> Self {
        Self::new(Exit::Usage, what, why)
    }

    /// What the client says about `what`.
    pub fn client(what: impl Display, error: ClientError) -> Self {
        let exit = match &error {
            ClientError::Rpc(error) => return Self::rpc(what, error.clone()),
            ClientError::Unreachable { .. }
            | ClientError::PathTooLong { .. }
            | ClientError::Timeout { .. }
            | ClientError::DaemonEnded { .. }
            | ClientError::Spawn { .. }
            | ClientError::Disconnected { .. } => Exit::Unreachable,
            ClientError::NoHome { .. } | ClientError::NotAPipe { .. } => Exit::Usage,
            ClientError::SkewedVersion { .. } | ClientError::Decode { .. } => Exit::Failure,
        };
        let failure = Self::new(exit, what, format_args!("failed to {error}"));
        if exit == Exit::Usage {
            return failure;
        }
        failure.or_next("callboard doctor")
    }

    /// What the daemon says about `what`.
    pub fn rpc(what: impl Display, error: Error) -> Self {
        let mut failure = Self::new(Exit::from(error.kind), what, &error.message);
        if let Some(next) = next_command(error.kind) {
            failure = failure.or_next(next);
        }
        if let Self::Told(report) = &mut failure {
            report.error = Some(error);
        }
        failure
    }

    /// The same failure, with the command to run next unless it has one.
    pub fn or_next(mut self, next: impl Into<String>) -> Self {
        if let Self::Told(report) = &mut self {
            report.next.get_or_insert_with(|| next.into());
        }
        self
    }

    /// The same failure, with another command to run next.
    pub fn replacing_next(mut self, next: &str) -> Self {
        if let Self::Told(report) = &mut self {
            report.next = Some(next.to_owned());
        }
        self
    }

    /// The same failure, in other words.
    pub fn saying(mut self, why: &str) -> Self {
        if let Self::Told(report) = &mut self {
            report.why = why.to_owned();
        }
        self
    }

    /// The same failure with more lines for people.
    pub fn with_details(mut self, lines: Vec<String>) -> Self {
        if let Self::Told(report) = &mut self {
            report.details = lines;
        }
        self
    }

    /// The daemon's error, where it is one.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Told(report) => report.error.as_ref(),
            Self::ReaderLeft => None,
        }
    }
}

/// An error in writing the output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::ReaderLeft
        } else {
            Self::new(Exit::Failure, "write the output", error)
        }
    }
}

/// What a person does about an error of this kind, where it is the same whatever failed.
fn next_command(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::NoResponders => Some("callboard agent list"),
        ErrorKind::LockHeld | ErrorKind::Deadlock | ErrorKind::StaleToken => Some("callboard lock list"),
        ErrorKind::UnsupportedVersion | ErrorKind::StorageFailed | ErrorKind::MethodNotFound => {
            Some("callboard doctor")
        }
        ErrorKind::ShuttingDown => Some("callboard up"),
        ErrorKind::ParseError
        | ErrorKind::InvalidRequest
        | ErrorKind::InvalidParams
        | ErrorKind::Internal
        | ErrorKind::NotFound
        | ErrorKind::RevisionMismatch
        | ErrorKind::AlreadyExists
        | ErrorKind::Timeout
        | ErrorKind::AgentRequired
        | ErrorKind::NotOwner
        | ErrorKind::LimitExceeded
        | ErrorKind::Compacted
        | ErrorKind::DependencyCycle
        | ErrorKind::UnknownDependency
        | ErrorKind::PermissionDenied
        | ErrorKind::FrameTooLarge
        | ErrorKind::TypeMismatch
        | ErrorKind::Cancelled
        | ErrorKind::NotReady => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(failure: Failure) -> Report {
        match failure {
            Failure::Told(report) => *report,
            Failure::ReaderLeft => panic!("nothing is told"),
        }
    }

    #[test]
    fn an_answer_of_the_daemon_keeps_its_words_and_its_code() {
        let error = Error::new(ErrorKind::NoResponders, "nobody live has the role tester");
        let report = report(Failure::rpc("ask any:tester", error));
        assert_eq!(report.exit, Exit::NotFound);
        assert_eq!(report.why, "nobody live has the role tester");
        assert_eq!(report.next.as_deref(), Some("callboard agent list"));
    }

    #[test]
    fn a_daemon_that_does_not_answer_has_a_code_of_its_own() {
        let error = ClientError::Disconnected { reason: "closed".into() };
        let report = report(Failure::client("get the key a", error));
        assert_eq!(report.exit, Exit::Unreachable);
        assert_eq!(report.next.as_deref(), Some("callboard doctor"));
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let left = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(matches!(left, Failure::ReaderLeft));
        let full = report(Failure::from(io::Error::from(io::ErrorKind::StorageFull)));
        assert_eq!(full.exit, Exit::Failure);
    }
}
