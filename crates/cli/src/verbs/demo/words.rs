//! What the demo's processes say to each other: names of agents, keys and locks, types of messages, and their payloads.
//!
//! Invariant: all that one process knows of another goes through the daemon in these words.

use std::time::{SystemTime, UNIX_EPOCH};

use callboard_protocol::revision::{TaskId, VoteId};
use serde::{Deserialize, Serialize};

use super::files::Tally;

/// The board of the demo.
pub const NAMESPACE: &str = "demo";
/// The manager, and its role.
pub const MANAGER: &str = "manager";
/// The role of the workers.
pub const WORKER: &str = "worker";

/// A message with a [`ReviewOrder`], to a worker who did not do the task.
pub const REVIEW: &str = "review";
/// A request with an [`Order`] whose answer is a [`Tally`]: what do you count in this file?
pub const QUESTION: &str = "question";
/// What the daemon asks voters with, see [`VoteRequest`], and tells them the result with.
pub const VOTE_REQUEST: &str = "vote_request";
/// See [`VOTE_REQUEST`].
pub const VOTE_RESULT: &str = "vote_result";
/// A message to each worker: there is nothing more to do.
pub const STOP: &str = "stop";
/// What one can vote for: the sums are right, or not.
pub const CHOICES: [&str; 2] = ["right", "wrong"];

/// The key with the paths of all files, an array.
pub const FILES_KEY: &str = "files";
/// The key with the [`Totals`], and the lock under which they are changed.
pub const TOTALS: &str = "totals";
/// The key with the id of the task that adds everything up.
pub const EVERYTHING_KEY: &str = "everything";
/// The key with the id of the vote.
pub const VOTE_KEY: &str = "vote";
/// What the keys with a [`Record`] begin with; the file's path follows.
pub const DONE_PREFIX: &str = "done/";
/// What the locks of files begin with; the path follows.
pub const LOCK_PREFIX: &str = "files/";
/// What the keys with a [`Report`] begin with; agent and process id follow.
pub const REPORT_PREFIX: &str = "report/";
/// The key that marks the end for whoever reads all changes.
pub const END_KEY: &str = "end";

/// Which file to work on.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// Its path.
    pub path: String,
}

/// What a task is about: its payload.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Count this file; its result is a [`Tally`].
    File(String),
    /// Add up what came out for these files, which are its parts; its result is a [`Totals`].
    Part(Vec<String>),
    /// Add up what came out for the tasks that it depends on; its result is a [`Totals`].
    Everything,
}

/// Which task to review.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReviewOrder {
    /// The task.
    pub task: TaskId,
    /// When this was sent, in Unix microseconds; all processes read the same clock.
    pub sent_us: u64,
}

/// What the daemon asks voters.
#[derive(Debug, Deserialize)]
pub struct VoteRequest {
    /// The vote.
    pub vote: VoteId,
}

/// What is kept of a file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// What was counted.
    pub tally: Tally,
    /// By which process.
    pub pid: u32,
}

/// All files together: read, added to and written back under a lock, so that a second holder would show in the sums.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Files.
    pub files: u64,
    /// Lines.
    pub lines: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Totals {
    /// Counts a file in.
    pub fn add(&mut self, tally: &Tally) {
        self.files += 1;
        self.lines += tally.lines;
        self.bytes += tally.bytes;
    }

    /// Adds other totals.
    pub fn merge(&mut self, other: &Self) {
        self.files += other.files;
        self.lines += other.lines;
        self.bytes += other.bytes;
    }
}

/// What a process measured and saw.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// `lock.acquire` of a free lock, call to answer, in microseconds.
    pub lock_us: Vec<u64>,
    /// A message, from before the sender's call to its arrival here, in microseconds.
    pub message_us: Vec<u64>,
    /// A question, call to answer, the other's counting included, in microseconds.
    pub question_us: Vec<u64>,
    /// How often somebody had to wait for a lock of this process.
    pub contended: u64,
    /// How often the system's own file lock showed another holder.
    pub overlaps: u64,
    /// How often another counted differently.
    pub disagreements: u64,
    /// `task.complete`, call to answer, in microseconds.
    pub complete_us: Vec<u64>,
    /// Tasks that were begun.
    pub begun: u64,
    /// Tasks that were begun before one that they depend on was done.
    pub early: u64,
    /// Reviews of what others did.
    pub reviews: u64,
    /// Approvals of a worker's own work that were refused.
    pub own_refused: u64,
    /// Approvals of a worker's own work that were not.
    pub own_approved: u64,
}

impl Report {
    /// This and what another process reported.
    pub fn merge(&mut self, other: Self) {
        self.lock_us.extend(other.lock_us);
        self.message_us.extend(other.message_us);
        self.question_us.extend(other.question_us);
        self.contended += other.contended;
        self.overlaps += other.overlaps;
        self.disagreements += other.disagreements;
        self.complete_us.extend(other.complete_us);
        self.begun += other.begun;
        self.early += other.early;
        self.reviews += other.reviews;
        self.own_refused += other.own_refused;
        self.own_approved += other.own_approved;
    }
}

/// The time of all processes of this machine, in Unix microseconds.
pub fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
