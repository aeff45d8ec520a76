//! One task.
//!
//! Invariant: its standing says everything that its place in the indexes follows from; texts and payloads never do.

use callboard_protocol::json::Json;
use callboard_protocol::json::object::is_plain;
use callboard_protocol::methods::message::Priority;
use callboard_protocol::methods::task::{OnDependencyFailure, Status, Why};
use callboard_protocol::names::{AgentName, Label, Role};
use callboard_protocol::revision::{Revision, TaskId, Token};
use callboard_protocol::scalar::Scalar;

use crate::now::Monotonic;

/// What a task costs besides its texts and payloads, in bytes: itself, its places in the tables, a lease. Measured.
const TASK_BYTES: usize = 900;
/// What each tag and each dependency costs besides its text, in bytes: its place here and in an index.
const ENTRY_BYTES: usize = 80;

/// What a task takes on the wire besides its texts and values, in bytes: names of members, numbers, names of agents.
const WIRE_BYTES: usize = 1024;
/// What a task's id takes on the wire with a comma, in bytes.
pub const ID_BYTES: usize = 17;

/// Where a task stands, with what that needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A dependency is open.
    Blocked,
    /// Delay or backoff lasts.
    Delayed {
        /// Until when.
        due: Monotonic,
    },
    /// Ready.
    Pending {
        /// The revision at which it became ready: its place in its priority class.
        turn: Revision,
    },
    /// Claimed.
    InProgress {
        /// The claim's token.
        token: Token,
        /// When its lease ends.
        due: Option<Monotonic>,
    },
    /// Done, not approved yet.
    PendingReview,
    /// Over.
    Finished {
        /// How.
        how: Finish,
        /// The revision at which it was finished: the order in which finished tasks make room.
        turn: Revision,
        /// When it is forgotten, unless an open task depends on it.
        due: Monotonic,
    },
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// Done.
    Completed,
    /// Given up.
    Failed,
    /// Called off.
    Cancelled,
}

impl Standing {
    /// The status that others see.
    #[must_use]
    pub fn status(self) -> Status {
        match self {
            Self::Blocked => Status::Blocked,
            Self::Delayed { .. } => Status::Delayed,
            Self::Pending { .. } => Status::Pending,
            Self::InProgress { .. } => Status::InProgress,
            Self::PendingReview => Status::PendingReview,
            Self::Finished { how: Finish::Completed, .. } => Status::Completed,
            Self::Finished { how: Finish::Failed, .. } => Status::Failed,
            Self::Finished { how: Finish::Cancelled, .. } => Status::Cancelled,
        }
    }

    /// Whether nothing more will be done about the task.
    #[must_use]
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Finished { .. })
    }

    /// The claim's token, while it is claimed.
    #[must_use]
    pub fn token(self) -> Option<Token> {
        match self {
            Self::InProgress { token, .. } => Some(token),
            Self::Blocked
            | Self::Delayed { .. }
            | Self::Pending { .. }
            | Self::PendingReview
            | Self::Finished { .. } => None,
        }
    }
}

/// One task.
#[derive(Debug, Clone)]
pub struct Task {
    /// What is to be done, in a line.
    pub title: String,
    /// What is to be done, for people.
    pub description: Option<String>,
    /// What is to be done, for programs.
    pub payload: Option<Json>,
    /// What is claimed first.
    pub priority: Priority,
    /// What it can be picked by, each once.
    pub tags: Box<[Label]>,
    /// Whose work it is.
    pub role: Option<Role>,
    /// What has to be done before, each once.
    pub depends_on: Box<[TaskId]>,
    /// What it is a part of.
    pub parent: Option<TaskId>,
    /// Attempts at most.
    pub max_attempts: u32,
    /// The rest after the first attempt that failed, in milliseconds.
    pub backoff_ms: u64,
    /// What becomes of it when a dependency fails.
    pub on_dependency_failure: OnDependencyFailure,
    /// Whether it has to be approved of.
    pub review: bool,
    /// Who created it.
    pub created_by: Option<AgentName>,
    /// When it was created, in Unix milliseconds.
    pub created_at: u64,
    /// The creator's dedupe key, as long as it counts.
    pub dedupe_key: Option<Label>,
    /// Where it stands.
    pub standing: Standing,
    /// Why it failed.
    pub why: Option<Why>,
    /// Attempts so far, the one under way included.
    pub attempts: u32,
    /// Claims given back since its holder last told of progress.
    pub releases: u32,
    /// Before this it is not ready, once nothing blocks it.
    pub not_before: Option<Monotonic>,
    /// Who holds it, or held it last when it was done.
    pub assignee: Option<AgentName>,
    /// What came out.
    pub result: Option<Json>,
    /// What went wrong last.
    pub error: Option<String>,
    /// How far a holder had come.
    pub checkpoint: Option<Json>,
    /// How far it is.
    pub progress: Option<Scalar>,
    /// A note for people.
    pub note: Option<String>,
    /// What the last review said.
    pub comments: Option<String>,
    /// When it last changed, in Unix milliseconds.
    pub updated_at: u64,
    /// How many open tasks depend on it; the table keeps it.
    pub(crate) open_dependents: u32,
}

impl Task {
    /// A task that says nothing yet and is blocked; what it is has to be filled in.
    #[must_use]
    pub fn blocked() -> Self {
        Self {
            title: String::new(),
            description: None,
            payload: None,
            priority: Priority::default(),
            tags: Box::default(),
            role: None,
            depends_on: Box::default(),
            parent: None,
            max_attempts: 0,
            backoff_ms: 0,
            on_dependency_failure: OnDependencyFailure::default(),
            review: false,
            created_by: None,
            created_at: 0,
            dedupe_key: None,
            standing: Standing::Blocked,
            why: None,
            attempts: 0,
            releases: 0,
            not_before: None,
            assignee: None,
            result: None,
            error: None,
            checkpoint: None,
            progress: None,
            note: None,
            comments: None,
            updated_at: 0,
            open_dependents: 0,
        }
    }

    /// Where others see it.
    #[must_use]
    pub fn status(&self) -> Status {
        self.standing.status()
    }

    /// Whether it has all of these tags.
    #[must_use]
    pub fn has_tags(&self, tags: &[Label]) -> bool {
        tags.iter().all(|tag| self.tags.contains(tag))
    }

    /// Who has claimed it.
    #[must_use]
    pub fn holder(&self) -> Option<&AgentName> {
        self.assignee.as_ref().filter(|_| self.standing.token().is_some())
    }

    /// Whether it goes when a new task needs its room: it is finished and nothing open depends on it.
    #[must_use]
    pub fn makes_room(&self) -> bool {
        self.standing.is_finished() && self.open_dependents == 0
    }

    /// What it holds, in bytes as accounted.
    #[must_use]
    pub fn cost(&self) -> usize {
        let texts =
            [self.description.as_ref(), self.error.as_ref(), self.note.as_ref(), self.comments.as_ref()];
        let values = [self.payload.as_ref(), self.result.as_ref(), self.checkpoint.as_ref()];
        let tags: usize = self.tags.iter().map(|tag| tag.as_str().len() + ENTRY_BYTES).sum();
        TASK_BYTES
            + self.title.len()
            + texts.into_iter().flatten().map(String::len).sum::<usize>()
            + values.into_iter().flatten().map(Json::len).sum::<usize>()
            + self.progress.as_ref().map_or(0, |progress| progress.as_json().len())
            + tags
            + self.depends_on.len() * ENTRY_BYTES
    }

    /// What it takes on the wire at most, in bytes.
    #[must_use]
    pub fn wire_bytes(&self) -> usize {
        let texts =
            [self.description.as_ref(), self.error.as_ref(), self.note.as_ref(), self.comments.as_ref()];
        let values = [self.payload.as_ref(), self.result.as_ref(), self.checkpoint.as_ref()];
        WIRE_BYTES
            + text_bytes(&self.title)
            + texts.into_iter().flatten().map(|text| text_bytes(text)).sum::<usize>()
            + values.into_iter().flatten().map(Json::len).sum::<usize>()
            + self.progress.as_ref().map_or(0, |progress| progress.as_json().len())
            + self.tags.iter().map(|tag| text_bytes(tag.as_str())).sum::<usize>()
            + self.depends_on.len() * ID_BYTES
    }
}

/// What a text takes on the wire, with its quotes and a comma.
#[must_use]
pub fn text_bytes(text: &str) -> usize {
    if is_plain(text) {
        return 3 + text.len();
    }
    let escaped = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 2,
        0..32 => 6,
        _ => 1,
    });
    3 + escaped.sum::<usize>()
}
