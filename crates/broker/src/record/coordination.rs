//! Votes, ballots and buckets on record.

use callboard_protocol::names::{AgentName, Key, Label};
use callboard_protocol::object;
use callboard_protocol::revision::VoteId;
use serde::Deserialize;

/// A vote, without its ballots.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct VoteRecord {
    /// Its id.
    pub id: VoteId,
    /// What is asked.
    pub question: String,
    /// What can be chosen.
    pub options: Vec<Label>,
    /// Who may choose.
    pub voters: Vec<AgentName>,
    /// How many have to.
    pub quorum: usize,
    /// Who asked.
    #[serde(default)]
    pub opened_by: Option<AgentName>,
    /// When it closes, or closed, in Unix milliseconds.
    pub closes_at: u64,
    /// When it is forgotten, in Unix milliseconds, once it is closed.
    #[serde(default)]
    pub forget_at: Option<u64>,
}

object!(sparse VoteRecord {
    id, question, options, voters, quorum, opened_by, closes_at, forget_at,
});

/// One agent's vote.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct BallotRecord {
    /// In which vote.
    pub vote: VoteId,
    /// Whose.
    pub voter: AgentName,
    /// For what.
    pub choice: Label,
    /// Why, for people.
    #[serde(default)]
    pub rationale: Option<String>,
    /// When, in Unix milliseconds.
    pub cast_at: u64,
}

object!(sparse BallotRecord {
    vote, voter, choice, rationale, cast_at,
});

/// A bucket that is not full.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LimiterRecord {
    /// Its name.
    pub name: Key,
    /// How many tokens come...
    pub rate: u64,
    /// ...in this time, in milliseconds.
    pub per_ms: u64,
    /// How many it holds at most.
    pub burst: u64,
    /// When it is full if nobody takes from it, in Unix milliseconds.
    pub full_at: u64,
}

object!(sparse LimiterRecord {
    name, rate, per_ms, burst, full_at,
});
