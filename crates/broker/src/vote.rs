//! Votes: who may choose among what, and who chose what.
//!
//! Invariant: each ballot is a voter's and of one of the options. What is closed has a time in the past, which is one of the wall
//! clock: nothing runs any more.

use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::names::{AgentName, Label};
use callboard_protocol::revision::VoteId;

use crate::now::{Monotonic, Now};
use crate::record::{BallotRecord, VoteRecord};

/// What a vote costs besides its texts, and each voter and ballot besides theirs, in bytes.
const VOTE_BYTES: usize = 500;
const VOTER_BYTES: usize = 150;

/// One agent's choice.
#[derive(Debug, Clone)]
pub struct Ballot {
    /// One of the options.
    pub choice: Label,
    /// Why, for people.
    pub rationale: Option<String>,
    /// When, in Unix milliseconds.
    pub cast_at: u64,
}

/// The end of a vote.
#[derive(Debug, Clone, Copy)]
pub struct Closed {
    /// When it was, in Unix milliseconds.
    pub at: u64,
    /// When the vote is forgotten.
    pub forget_due: Monotonic,
}

/// One vote.
#[derive(Debug, Clone)]
pub struct Vote {
    /// What is asked.
    pub question: String,
    /// What can be chosen, in the order given.
    pub options: Vec<Label>,
    /// Who may choose.
    pub voters: BTreeSet<AgentName>,
    /// How many have to.
    pub quorum: usize,
    /// Who asked.
    pub opened_by: Option<AgentName>,
    /// When it closes, or would have.
    pub closes: Monotonic,
    /// Once it is closed.
    pub closed: Option<Closed>,
    /// Who chose what.
    pub ballots: BTreeMap<AgentName, Ballot>,
}

impl Vote {
    /// Votes for each option.
    #[must_use]
    pub fn tally(&self) -> BTreeMap<Label, usize> {
        let mut tally: BTreeMap<Label, usize> =
            self.options.iter().map(|option| (option.clone(), 0)).collect();
        for ballot in self.ballots.values() {
            *tally.entry(ballot.choice.clone()).or_default() += 1;
        }
        tally
    }

    /// Whether enough voted.
    #[must_use]
    pub fn is_quorate(&self) -> bool {
        self.ballots.len() >= self.quorum
    }

    /// The option that more chose than any other, if enough voted.
    #[must_use]
    pub fn winner(&self) -> Option<Label> {
        let tally = self.tally();
        let most = *tally.values().max().filter(|most| **most > 0 && self.is_quorate())?;
        let mut first = tally.into_iter().filter(|(_, votes)| *votes == most);
        let winner = first.next().map(|(option, _)| option);
        winner.filter(|_| first.next().is_none())
    }

    /// When it closes or closed, in Unix milliseconds.
    #[must_use]
    pub fn closes_at(&self, now: Now) -> u64 {
        self.closed.map_or_else(|| now.unix_of(self.closes), |closed| closed.at)
    }

    /// When something happens to it because time passes.
    #[must_use]
    pub fn due(&self) -> Monotonic {
        self.closed.map_or(self.closes, |closed| closed.forget_due)
    }

    fn cost(&self) -> usize {
        let ballots: usize = self.ballots.values().map(ballot_cost).sum();
        VOTE_BYTES
            + self.question.len()
            + self.options.iter().map(|option| option.as_str().len()).sum::<usize>()
            + self.voters.len() * VOTER_BYTES
            + ballots
    }
}

fn ballot_cost(ballot: &Ballot) -> usize {
    VOTER_BYTES + ballot.rationale.as_ref().map_or(0, String::len)
}

/// All votes of a board.
#[derive(Debug, Default)]
pub struct Votes {
    table: BTreeMap<VoteId, Vote>,
    bytes: usize,
    /// What a restore has read so far.
    pub restoring: BTreeMap<VoteId, (VoteRecord, BTreeMap<AgentName, BallotRecord>)>,
}

impl Votes {
    /// A vote.
    #[must_use]
    pub fn find(&self, id: VoteId) -> Option<&Vote> {
        self.table.get(&id)
    }

    /// Adds a vote.
    pub fn insert(&mut self, id: VoteId, vote: Vote) {
        self.bytes += vote.cost();
        self.table.insert(id, vote);
    }

    /// Adds or replaces a ballot.
    pub fn cast(&mut self, id: VoteId, voter: AgentName, ballot: Ballot) {
        if let Some(vote) = self.table.get_mut(&id) {
            self.bytes += ballot_cost(&ballot);
            let before = vote.ballots.insert(voter, ballot);
            self.bytes -= before.as_ref().map_or(0, ballot_cost);
        }
    }

    /// Closes a vote.
    pub fn close(&mut self, id: VoteId, closed: Closed) {
        if let Some(vote) = self.table.get_mut(&id) {
            vote.closed = Some(closed);
        }
    }

    /// Takes a vote out.
    pub fn remove(&mut self, id: VoteId) -> Option<Vote> {
        let vote = self.table.remove(&id)?;
        self.bytes -= vote.cost();
        Some(vote)
    }

    /// The votes after an id, oldest first.
    pub fn iter_after(&self, after: VoteId) -> impl Iterator<Item = (VoteId, &Vote)> {
        let from = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        self.table.range(from).map(|(id, vote)| (*id, vote))
    }

    /// How many votes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// What the votes hold, in bytes as accounted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
