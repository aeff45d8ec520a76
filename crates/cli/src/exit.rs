//! What a run of the program tells its caller by its exit code. The codes are stable: scripts branch on them.
//!
//! Invariant: every kind of error that the protocol knows has a code here, by name.

use std::process::ExitCode;

use callboard_protocol::ErrorKind;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Ok,
    /// It failed in a way that no other code tells.
    Failure,
    /// It was not asked properly: an argument is missing or wrong.
    Usage,
    /// What it waited for did not come in time.
    Timeout,
    /// What was named does not exist, or nobody is there.
    NotFound,
    /// The present state stands in the way: held by another, changed meanwhile, over already.
    Conflict,
    /// No daemon answers.
    Unreachable,
    /// The code of the command that `lock run` ran.
    Command(u8),
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Timeout => 3,
            Self::NotFound => 4,
            Self::Conflict => 5,
            Self::Unreachable => 6,
            Self::Command(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::ParseError | ErrorKind::InvalidParams | ErrorKind::AgentRequired => Self::Usage,
            ErrorKind::Timeout => Self::Timeout,
            ErrorKind::NotFound | ErrorKind::NoResponders | ErrorKind::UnknownDependency => Self::NotFound,
            ErrorKind::RevisionMismatch
            | ErrorKind::AlreadyExists
            | ErrorKind::LockHeld
            | ErrorKind::Deadlock
            | ErrorKind::StaleToken
            | ErrorKind::NotOwner
            | ErrorKind::DependencyCycle
            | ErrorKind::TypeMismatch
            | ErrorKind::NotReady => Self::Conflict,
            ErrorKind::ShuttingDown => Self::Unreachable,
            ErrorKind::InvalidRequest
            | ErrorKind::MethodNotFound
            | ErrorKind::Internal
            | ErrorKind::LimitExceeded
            | ErrorKind::Compacted
            | ErrorKind::PermissionDenied
            | ErrorKind::UnsupportedVersion
            | ErrorKind::StorageFailed
            | ErrorKind::FrameTooLarge
            | ErrorKind::Cancelled => Self::Failure,
        }
    }
}

/// The codes, for the help.
pub const EXIT_CODES_HELP: &str = "\
Exit codes:
  0  done
  1  failed
  2  wrong usage: an argument is missing or wrong
  3  timeout: what was waited for did not come
  4  not found: no such key, task, agent or message, or nobody is there
  5  conflict: held by another, changed meanwhile, or over already
  6  no daemon answers
`lock run` passes on the exit code of its command (128 + n when signal n ended it).";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_can_rely_on_the_codes() {
        let codes = [
            (ErrorKind::Internal, 1),
            (ErrorKind::InvalidParams, 2),
            (ErrorKind::AgentRequired, 2),
            (ErrorKind::Timeout, 3),
            (ErrorKind::NotFound, 4),
            (ErrorKind::NoResponders, 4),
            (ErrorKind::LockHeld, 5),
            (ErrorKind::AlreadyExists, 5),
            (ErrorKind::RevisionMismatch, 5),
            (ErrorKind::StaleToken, 5),
            (ErrorKind::ShuttingDown, 6),
        ];
        for (kind, code) in codes {
            assert_eq!(Exit::from(kind).code(), code, "{kind:?}");
        }
        assert_eq!(Exit::Ok.code(), 0);
        assert_eq!(Exit::Command(42).code(), 42);
    }

    #[test]
    fn no_error_counts_as_success_and_the_help_lists_each_code() {
        for kind in ErrorKind::ALL.iter().copied() {
            let code = Exit::from(kind).code();
            assert_ne!(code, 0, "{kind:?}");
            assert!(EXIT_CODES_HELP.contains(&format!("\n  {code}  ")), "{kind:?}");
        }
    }
}
