//! Votes: each ballot that was taken counts, once.

use std::collections::{BTreeMap, BTreeSet};

use callboard_broker::record::{BallotRecord, VoteRecord};
use callboard_broker::{Now, Record};
use callboard_protocol::error::ErrorKind;
use callboard_protocol::methods::coordination::{self, State as VoteState};
use callboard_protocol::methods::{BoardAnswer, BoardCommand};
use callboard_protocol::names::Label;
use callboard_protocol::{AgentName, Error};

use super::{Asked, Due, Fact, Model, State};

/// One vote.
#[derive(Debug, Clone, PartialEq)]
pub struct Vote {
    voters: BTreeSet<AgentName>,
    quorum: usize,
    pub(super) due: Due,
    ballots: BTreeMap<AgentName, Label>,
}

impl Vote {
    fn is_full(&self) -> bool {
        self.ballots.len() == self.voters.len()
    }

    fn may_be_open(&self, now: Now) -> bool {
        !self.is_full() && !self.due.is_certainly_over(now)
    }

    fn may_be_closed(&self, now: Now) -> bool {
        self.is_full() || !self.due.is_certainly_ahead(now)
    }

    fn may_be(&self, now: Now, is_closed: bool) -> bool {
        if is_closed { self.may_be_closed(now) } else { self.may_be_open(now) }
    }

    fn check(&self, now: Now, told: &coordination::Vote) {
        let ballots = told.ballots.iter().map(|ballot| (ballot.voter.clone(), ballot.choice.clone()));
        assert_eq!(ballots.collect::<BTreeMap<_, _>>(), self.ballots, "{told:?}");
        let is_closed = told.state == VoteState::Closed;
        assert!(self.may_be(now, is_closed), "{told:?} at {now:?}: {self:?}");
        let count = |option: &Label| self.ballots.values().filter(|choice| *choice == option).count();
        assert!(told.tally.iter().all(|(option, votes)| *votes == count(option)), "{told:?}");
        let most = told.options.iter().map(count).max().unwrap();
        let mut first = told.options.iter().filter(|option| count(option) == most);
        let winner = first.next().filter(|_| first.next().is_none() && is_closed && most > 0);
        let is_quorate = self.ballots.len() >= self.quorum;
        let expected = winner.filter(|_| is_quorate).cloned();
        assert_eq!((told.quorum_met, &told.winner), (is_quorate, &expected), "{told:?}");
    }
}

impl State {
    /// Some of the newest votes.
    pub fn latest_votes(&self, count: usize) -> Vec<u64> {
        self.votes.keys().rev().take(count).copied().collect()
    }

    pub(super) fn check_vote(&self, now: Now, record: &VoteRecord) {
        let Some(vote) = self.votes.get(&record.id.0) else { panic!("never opened: {record:?}") };
        assert!(vote.may_be(now, record.forget_at.is_some()), "{record:?} at {now:?}: {vote:?}");
        assert!(
            vote.voters.iter().eq(&record.voters) && vote.quorum == record.quorum,
            "{record:?}: {vote:?}"
        );
    }

    pub(super) fn check_ballot(&self, record: &BallotRecord) {
        let vote = &self.votes[&record.vote.0];
        assert_eq!(vote.ballots.get(&record.voter), Some(&record.choice), "{record:?}: {vote:?}");
    }

    /// Every task, vote and ballot that clients know of is there.
    pub(super) fn check_lasting(&self, found: &[&Record]) {
        let (mut tasks, mut votes, mut ballots) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for record in found {
            match record {
                Record::Task(task) => _ = tasks.insert(task.id.0),
                Record::Vote(vote) => _ = votes.insert(vote.id.0),
                Record::Ballot(ballot) => _ = ballots.insert((ballot.vote.0, &ballot.voter)),
                _other => {}
            }
        }
        for (id, task) in &self.tasks {
            assert!(tasks.contains(id), "the task {id} is lost: {task:?}");
        }
        for (id, vote) in &self.votes {
            let mut voters = vote.ballots.keys();
            let is_there = votes.contains(id) && voters.all(|voter| ballots.contains(&(*id, voter)));
            assert!(is_there, "the vote {id} is lost, or a ballot: {vote:?}");
        }
    }
}

impl Model {
    pub(super) fn vote_answered(&mut self, now: Now, asked: &Asked, result: &Result<BoardAnswer, Error>) {
        let votes = &self.board(&asked.namespace).votes;
        match (&asked.command, result) {
            (BoardCommand::VoteOpen(open), Ok(BoardAnswer::VoteOpen(opened))) => {
                let vote = Vote {
                    voters: open.voters.iter().flatten().cloned().collect(),
                    quorum: open.quorum.unwrap_or(0),
                    due: Due::after(now, open.deadline_ms.get()),
                    ballots: BTreeMap::new(),
                };
                self.learn(&asked.namespace, Fact::Vote(opened.id.0, vote));
            }
            (BoardCommand::VoteCast(cast), Ok(_)) => {
                let mut vote = votes[&cast.id.0].clone();
                assert!(vote.voters.contains(&asked.agent), "{asked:?} in {vote:?}");
                assert!(vote.may_be_open(now), "{asked:?} at {now:?} in {vote:?}");
                vote.ballots.insert(asked.agent.clone(), cast.choice.clone());
                self.learn(&asked.namespace, Fact::Vote(cast.id.0, vote));
            }
            (BoardCommand::VoteCast(cast), Err(error)) => {
                let vote = &votes[&cast.id.0];
                let is_right = match error.kind {
                    ErrorKind::PermissionDenied => !vote.voters.contains(&asked.agent),
                    ErrorKind::NotReady => vote.may_be_closed(now),
                    _other => false,
                };
                assert!(is_right, "{asked:?} at {now:?} in {vote:?}: {error:?}");
            }
            (BoardCommand::VoteGet(get), Ok(BoardAnswer::VoteGet(told))) => votes[&get.id.0].check(now, told),
            (command, result) => panic!("{command:?} was answered with {result:?}"),
        }
    }
}
