//! `vote.*` and `limiter.*`: deciding together, and not all at once.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::{LIMITER_TOKENS_MAX, VOTE_OPTIONS_MAX, VOTERS_MAX};
use crate::names::{AgentName, Key, Label};
use crate::params::{TtlMs, WaitMs};
use crate::revision::VoteId;

/// `vote.open`: asks several agents to choose one of several options.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// What is asked; not empty.
    pub question: String,
    /// 2 to 64, each once.
    #[schemars(length(min = 2, max = VOTE_OPTIONS_MAX))]
    pub options: Vec<Label>,
    /// Who may vote, 1 to 1000; default: the agents that are live now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = VOTERS_MAX))]
    pub voters: Option<Vec<AgentName>>,
    /// How long it is open, from now.
    pub deadline_ms: TtlMs,
    /// How many have to vote for the result to count; default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quorum: Option<usize>,
}

/// The answer to `vote.open`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Opened {
    /// The vote's id.
    pub id: VoteId,
}

/// `vote.cast`: votes; again replaces.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cast {
    /// The vote's id.
    pub id: VoteId,
    /// One of its options.
    pub choice: Label,
    /// Why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rationale: Option<String>,
}

/// `vote.get`: how a vote stands; unknown: `not_found`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "VoteGet")]
pub struct Get {
    /// The vote's id.
    pub id: VoteId,
}

/// Whether a vote goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "VoteState")]
pub enum State {
    /// It goes on.
    Open,
    /// All voted, or its deadline is over.
    Closed,
}

/// One agent's vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ballot {
    /// Whose.
    pub voter: AgentName,
    /// For what.
    pub choice: Label,
    /// Why, for people.
    pub rationale: Option<String>,
    /// When, in Unix milliseconds.
    pub cast_at: u64,
}

/// The answer to `vote.get`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Vote {
    /// What is asked.
    pub question: String,
    /// What can be chosen.
    pub options: Vec<Label>,
    /// Whether it goes on.
    pub state: State,
    /// Votes for each option, 0 too.
    pub tally: BTreeMap<Label, usize>,
    /// Who voted for what, in order of names.
    pub ballots: Vec<Ballot>,
    /// True when there are more than one reply takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<bool>,
    /// Whether enough voted by now.
    pub quorum_met: bool,
    /// What was chosen, once it is closed; null for a tie, a missed quorum, and when nobody voted.
    pub winner: Option<Label>,
    /// Who may vote.
    pub voters: Vec<AgentName>,
    /// When it closes or closed, in Unix milliseconds.
    pub closes_at: u64,
}

/// `limiter.take`: takes one token out of a bucket, which everybody who names it shares.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Take {
    /// The bucket.
    pub name: Key,
    /// How many tokens come, 1 to 1,000,000,000...
    #[schemars(range(min = 1, max = LIMITER_TOKENS_MAX))]
    pub rate: u64,
    /// ...in this time.
    pub per_ms: TtlMs,
    /// How many it holds at most, 1 to 1,000,000,000; default `rate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = LIMITER_TOKENS_MAX))]
    pub burst: Option<u64>,
    /// How long to wait for one; default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<WaitMs>,
}

/// The answer to `limiter.take`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Taken {
    /// Whether there was one.
    pub allowed: bool,
    /// When to try again if not; else 0.
    pub retry_after_ms: u64,
}
