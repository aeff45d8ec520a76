//! Words of the protocol on the command line: a status, a priority, a part of the board.
//!
//! Invariant: a word means on the command line what it means on the wire; there is no second list of meanings.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};

/// What an agent says it is doing.
pub const STATUSES: [&str; 4] = ["idle", "working", "blocked", "away"];
/// What goes first, from last to first.
pub const PRIORITIES: [&str; 4] = ["low", "normal", "high", "urgent"];
/// The parts of a board.
pub const AREAS: [&str; 7] = ["kv", "lock", "message", "topic", "agent", "task", "coordination"];
/// Where a task stands, in the order of its life.
pub const TASK_STATUSES: [&str; 8] =
    ["blocked", "delayed", "pending", "in_progress", "pending_review", "completed", "failed", "cancelled"];
/// What becomes of a task when one that it depends on fails.
pub const ON_DEPENDENCY_FAILURES: [&str; 2] = ["fail", "run"];
/// Where messages are looked at.
pub const MAILBOXES: [&str; 3] = ["inbox", "sent", "dead"];
/// What survives the daemon, from least to most.
pub const DURABILITIES: [&str; 4] = ["memory", "snapshot", "journal", "sync"];
/// How log lines look.
pub const LOG_FORMATS: [&str; 2] = ["text", "json"];

/// Reads one of `words`, which help and completions show, as the `T` that it is on the wire.
pub fn one_of<T, const N: usize>(words: [&'static str; N]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| {
        let wire: StrDeserializer<'_, Error> = StrDeserializer::new(&word);
        T::deserialize(wire)
    })
}

#[cfg(test)]
mod tests {
    use callboard_daemon::config::{Durability, LogFormat};
    use callboard_protocol::methods::agent::Status;
    use callboard_protocol::methods::message::{MailBox, Priority};
    use callboard_protocol::methods::server::Area;
    use callboard_protocol::methods::task::{OnDependencyFailure, Status as TaskStatus};

    use super::*;

    fn read<T, const N: usize>(words: [&'static str; N]) -> Vec<T>
    where
        T: DeserializeOwned + Clone + Send + Sync + 'static,
    {
        let command = clap::Command::new("test")
            .arg(clap::Arg::new("words").num_args(1..).value_parser(one_of::<T, N>(words)));
        let matches = command.try_get_matches_from(["test"].iter().chain(&words)).unwrap();
        matches.get_many("words").unwrap().cloned().collect()
    }

    #[test]
    fn every_word_is_one_of_the_wire() {
        assert_eq!(read::<Status, 4>(STATUSES)[3], Status::Away);
        assert_eq!(read::<Priority, 4>(PRIORITIES)[3], Priority::Urgent);
        assert_eq!(read::<Area, 7>(AREAS)[6], Area::Coordination);
        assert_eq!(read::<TaskStatus, 8>(TASK_STATUSES), TaskStatus::ALL);
        assert_eq!(
            read::<OnDependencyFailure, 2>(ON_DEPENDENCY_FAILURES),
            [OnDependencyFailure::Fail, OnDependencyFailure::Run]
        );
        assert_eq!(read::<MailBox, 3>(MAILBOXES)[2], MailBox::Dead);
        assert_eq!(read::<Durability, 4>(DURABILITIES)[3], Durability::Sync);
        assert_eq!(read::<LogFormat, 2>(LOG_FORMATS)[1], LogFormat::Json);
    }
}
