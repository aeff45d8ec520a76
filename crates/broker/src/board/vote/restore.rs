//! Votes as records, and the way back from them. What the daemon was down for counts as wall time.

use callboard_protocol::names::AgentName;
use callboard_protocol::revision::VoteId;

use crate::board::Board;
use crate::deadlines::Deadline;
use crate::now::Now;
use crate::record::{BallotRecord, Record, VoteRecord};
use crate::vote::{Ballot, Closed, Vote};

impl Board {
    pub(super) fn record_vote(&mut self, now: Now, id: VoteId) {
        self.record_entity(|board| board.vote_record(now, id).map(Record::Vote));
    }

    fn vote_record(&self, now: Now, id: VoteId) -> Option<VoteRecord> {
        let vote = self.votes.find(id)?;
        Some(VoteRecord {
            id,
            question: vote.question.clone(),
            options: vote.options.clone(),
            voters: vote.voters.iter().cloned().collect(),
            quorum: vote.quorum,
            opened_by: vote.opened_by.clone(),
            closes_at: vote.closes_at(now),
            forget_at: vote.closed.map(|closed| now.unix_of(closed.forget_due)),
        })
    }

    pub(super) fn ballot_record(&self, id: VoteId, voter: &AgentName) -> Option<BallotRecord> {
        let ballot = self.votes.find(id)?.ballots.get(voter)?;
        Some(BallotRecord {
            vote: id,
            voter: voter.clone(),
            choice: ballot.choice.clone(),
            rationale: ballot.rationale.clone(),
            cast_at: ballot.cast_at,
        })
    }

    /// The records of a vote and its ballots.
    pub(crate) fn records_of_vote(&self, now: Now, id: VoteId) -> Vec<Record> {
        let vote = self.vote_record(now, id).map(Record::Vote);
        let voters = self.votes.find(id).into_iter().flat_map(|vote| vote.ballots.keys());
        let ballots = voters.filter_map(|voter| self.ballot_record(id, voter)).map(Record::Ballot);
        vote.into_iter().chain(ballots).collect()
    }

    /// Takes in a vote's record; its ballots stay.
    pub(crate) fn restore_vote(&mut self, record: VoteRecord) {
        let ballots = self.votes.restoring.remove(&record.id).map(|(_, ballots)| ballots);
        self.votes.restoring.insert(record.id, (record, ballots.unwrap_or_default()));
    }

    /// Takes in a ballot; one of a vote that is not there is dropped.
    pub(crate) fn restore_ballot(&mut self, record: BallotRecord) {
        if let Some((_, ballots)) = self.votes.restoring.get_mut(&record.vote) {
            ballots.insert(record.voter.clone(), record);
        }
    }

    /// Makes votes of all records taken in.
    pub(crate) fn finish_restore_votes(&mut self, now: Now) {
        for (id, (record, ballots)) in std::mem::take(&mut self.votes.restoring) {
            let ballots = ballots.into_iter().map(|(voter, ballot)| {
                let BallotRecord { choice, rationale, cast_at, .. } = ballot;
                (voter, Ballot { choice, rationale, cast_at })
            });
            let vote = Vote {
                question: record.question,
                options: record.options,
                voters: record.voters.into_iter().collect(),
                quorum: record.quorum,
                opened_by: record.opened_by,
                closes: now.due_at(record.closes_at),
                closed: record
                    .forget_at
                    .map(|at| Closed { at: record.closes_at, forget_due: now.due_at(at) }),
                ballots: ballots.collect(),
            };
            self.deadlines.set(vote.due(), Deadline::Vote(id));
            self.votes.insert(id, vote);
        }
    }
}
