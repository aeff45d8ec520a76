//! `vote.*`: a question to several agents, open until all have voted or its deadline.
//!
//! Voters hear of it by a message `vote_request`; they and whoever asked hear of its end by a message `vote_result`.
//! Whether a vote is over is decided by the clock: each look at it closes it if its time has come.

mod restore;

use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::address::Address;
use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::json::Json;
use callboard_protocol::limits::{
    CLOSED_VOTE_MS, MESSAGE_TTL_MS_DEFAULT, TEXT_BYTES_MAX, VOTE_OPTIONS_MAX, VOTERS_MAX, VOTES_MAX,
};
use callboard_protocol::methods::Empty;
use callboard_protocol::methods::coordination::{
    Ballot as BallotView, Cast, Get, Open, Opened, State, Vote as VoteView,
};
use callboard_protocol::methods::server::Area;
use callboard_protocol::names::{AgentName, Label};
use callboard_protocol::params::ListLimit;
use callboard_protocol::revision::VoteId;
use serde::Serialize;

use crate::board::message::Notice;
use crate::board::{Board, Call, check_text, invalid_params, limit_exceeded, not_found};
use crate::deadlines::Deadline;
use crate::now::Now;
use crate::page::Page;
use crate::record::Record;
use crate::vote::{Ballot, Closed, Vote};

/// What a ballot takes on the wire besides its texts, in bytes.
const BALLOT_BYTES: usize = 256;

/// The payload of `vote_request`.
#[derive(Serialize)]
struct RequestPayload<'a> {
    vote: VoteId,
    question: &'a str,
    options: &'a [Label],
    closes_at: u64,
}

/// The payload of `vote_result`.
#[derive(Serialize)]
struct ResultPayload<'a> {
    vote: VoteId,
    question: &'a str,
    tally: BTreeMap<Label, usize>,
    quorum_met: bool,
    winner: Option<Label>,
}

impl Board {
    pub(crate) fn vote_open(&mut self, call: &Call, params: Open) -> Result<Opened, Error> {
        check_open(&params)?;
        let now = call.now;
        let voters = self.voters(now, params.voters)?;
        self.check_memory()?;
        self.make_vote_room(now)?;
        let recipients: Vec<AgentName> = voters.iter().cloned().collect();
        self.check_inboxes(now, &recipients)?;
        let id = self.next_revision();
        let closes = now.monotonic.plus_ms(params.deadline_ms.get());
        let vote = Vote {
            question: params.question,
            options: params.options,
            voters,
            quorum: params.quorum.unwrap_or(0),
            opened_by: call.agent.clone(),
            closes,
            closed: None,
            ballots: BTreeMap::new(),
        };
        let payload = RequestPayload {
            vote: id,
            question: &vote.question,
            options: &vote.options,
            closes_at: now.unix_of(closes),
        };
        let notice = Notice {
            from: call.agent.clone(),
            kind: "vote_request",
            subject: Some(vote.question.clone()),
            payload: Json::from_value(&payload)?,
            ttl_ms: params.deadline_ms.get(),
        };
        self.votes.insert(id, vote);
        self.deadlines.set(closes, Deadline::Vote(id));
        self.record_vote(now, id);
        self.tail(now, Area::Coordination, "opened", &id, call.agent.as_ref(), || None);
        self.notify_inboxes(now, notice, &recipients);
        Ok(Opened { id })
    }

    fn voters(&self, now: Now, given: Option<Vec<AgentName>>) -> Result<BTreeSet<AgentName>, Error> {
        let voters: BTreeSet<AgentName> = match given {
            Some(names) => names.into_iter().collect(),
            None => {
                let live = self.agents.iter_after(None).filter(|(_, agent)| agent.is_live_at(now.monotonic));
                live.map(|(name, _)| name.clone()).collect()
            }
        };
        let used = voters.len();
        if used == 0 {
            let message = "nobody is live: name the voters in `voters`";
            return Err(Error::new(ErrorKind::NoResponders, message).with("to", Address::Everyone));
        }
        if used > VOTERS_MAX {
            return Err(limit_exceeded("voters", used, VOTERS_MAX, "name those that count in `voters`"));
        }
        Ok(voters)
    }

    /// Closed votes make room, the one that was opened first before the others.
    fn make_vote_room(&mut self, now: Now) -> Result<(), Error> {
        if self.votes.len() < VOTES_MAX {
            return Ok(());
        }
        self.make_room(now);
        let closed = self.votes.iter_after(VoteId::default()).find(|(_, vote)| vote.closed.is_some());
        let closed = closed.map(|(id, _)| id);
        match closed {
            Some(id) => self.forget_vote(id),
            None if self.votes.len() < VOTES_MAX => {}
            None => {
                let used = self.votes.len();
                return Err(limit_exceeded("votes", used, VOTES_MAX, "wait until some are over"));
            }
        }
        Ok(())
    }

    pub(crate) fn vote_cast(&mut self, call: &Call, params: Cast) -> Result<Empty, Error> {
        let agent = call.agent()?.clone();
        check_text("rationale", params.rationale.as_ref())?;
        let (now, id) = (call.now, params.id);
        let vote = self.settled_vote(now, id)?;
        if !vote.voters.contains(&agent) {
            let message = format!("{agent} is no voter of vote {id}: vote.get tells who is");
            return Err(Error::new(ErrorKind::PermissionDenied, message));
        }
        if vote.closed.is_some() {
            let message = format!("vote {id} is closed: vote.get gives its result");
            return Err(Error::new(ErrorKind::NotReady, message)
                .with("status", State::Closed)
                .with("waits_for", Vec::<VoteId>::new()));
        }
        if !vote.options.contains(&params.choice) {
            let options: Vec<&str> = vote.options.iter().map(Label::as_str).collect();
            return Err(invalid_params("choice", format!("`choice` is none of {}", options.join(", "))));
        }
        self.check_memory()?;
        self.next_revision();
        let ballot = Ballot { choice: params.choice, rationale: params.rationale, cast_at: now.unix_ms };
        self.votes.cast(id, agent.clone(), ballot);
        if let Some(record) = self.ballot_record(id, &agent) {
            self.record(Record::Ballot(record));
        }
        self.tail(now, Area::Coordination, "voted", &id, Some(&agent), || None);
        if self.votes.find(id).is_some_and(|vote| vote.ballots.len() == vote.voters.len()) {
            self.close_vote(now, id);
        }
        Ok(Empty {})
    }

    /// A vote as it stands now.
    fn settled_vote(&mut self, now: Now, id: VoteId) -> Result<&Vote, Error> {
        if self.votes.find(id).is_some_and(|vote| vote.due() <= now.monotonic) {
            self.vote_due(now, id);
        }
        self.votes.find(id).ok_or_else(|| {
            not_found(
                "vote",
                format!("there is no vote {id}, or it was closed and forgotten: vote.open gives ids"),
            )
        })
    }

    pub(crate) fn vote_get(&mut self, call: &Call, params: &Get) -> Result<VoteView, Error> {
        let max = self.config.limits.frame_bytes;
        let now = call.now;
        let vote = self.settled_vote(now, params.id)?;
        let fixed = 6 * vote.question.len() + vote.voters.len() * 70;
        let options: usize = vote.options.iter().map(|option| 4 * option.as_str().len() + 40).sum();
        let mut page = Page::new(ListLimit::new(VOTERS_MAX), max.saturating_sub(fixed + options));
        let mut more = None;
        for (voter, ballot) in &vote.ballots {
            let texts =
                ballot.choice.as_str().len() * 2 + ballot.rationale.as_ref().map_or(0, |text| 6 * text.len());
            let view = BallotView {
                voter: voter.clone(),
                choice: ballot.choice.clone(),
                rationale: ballot.rationale.clone(),
                cast_at: ballot.cast_at,
            };
            if !page.push(view, texts + BALLOT_BYTES, "") {
                more = Some(true);
                break;
            }
        }
        let (ballots, _) = page.finish();
        let is_closed = vote.closed.is_some();
        Ok(VoteView {
            question: vote.question.clone(),
            options: vote.options.clone(),
            state: if is_closed { State::Closed } else { State::Open },
            tally: vote.tally(),
            ballots,
            more,
            quorum_met: vote.is_quorate(),
            winner: vote.winner().filter(|_| is_closed),
            voters: vote.voters.iter().cloned().collect(),
            closes_at: vote.closes_at(now),
        })
    }

    /// A vote's deadline is over: it closes, or is forgotten.
    pub(crate) fn vote_due(&mut self, now: Now, id: VoteId) {
        match self.votes.find(id).map(|vote| vote.closed) {
            Some(None) => self.close_vote(now, id),
            Some(Some(_)) => self.forget_vote(id),
            None => {}
        }
    }

    fn close_vote(&mut self, now: Now, id: VoteId) {
        let Some(vote) = self.votes.find(id) else { return };
        let forget_due = now.monotonic.plus_ms(CLOSED_VOTE_MS);
        let at = now.unix_of(vote.closes.min(now.monotonic));
        self.deadlines.change(Some(vote.closes), Some(forget_due), Deadline::Vote(id));
        let recipients: BTreeSet<AgentName> = vote.voters.iter().chain(&vote.opened_by).cloned().collect();
        let payload = Json::from_value(&ResultPayload {
            vote: id,
            question: &vote.question,
            tally: vote.tally(),
            quorum_met: vote.is_quorate(),
            winner: vote.winner(),
        });
        let subject = Some(vote.question.clone());
        self.votes.close(id, Closed { at, forget_due });
        self.next_revision();
        self.record_vote(now, id);
        self.tail(now, Area::Coordination, "closed", &id, None, || None);
        if let Ok(payload) = payload {
            let recipients: Vec<AgentName> = recipients.into_iter().collect();
            let ttl_ms = MESSAGE_TTL_MS_DEFAULT;
            let notice = Notice { from: None, kind: "vote_result", subject, payload, ttl_ms };
            self.notify_inboxes(now, notice, &recipients);
        }
    }

    fn forget_vote(&mut self, id: VoteId) {
        if let Some(vote) = self.votes.remove(id) {
            self.deadlines.clear(vote.due(), Deadline::Vote(id));
            self.record(Record::VoteEnded(id));
        }
    }

    /// `namespace.clear`: every vote goes. Gives how many.
    pub(crate) fn clear_votes(&mut self) -> usize {
        let ids: Vec<VoteId> = self.votes.iter_after(VoteId::default()).map(|(id, _)| id).collect();
        for id in &ids {
            self.forget_vote(*id);
        }
        ids.len()
    }
}

fn check_open(params: &Open) -> Result<(), Error> {
    if params.question.trim().is_empty() || params.question.len() > TEXT_BYTES_MAX {
        let message = format!("`question` has {} bytes: give 1 to {TEXT_BYTES_MAX}", params.question.len());
        return Err(invalid_params("question", message));
    }
    let distinct: BTreeSet<&Label> = params.options.iter().collect();
    if !(2..=VOTE_OPTIONS_MAX).contains(&params.options.len()) || distinct.len() < params.options.len() {
        let message = format!("`options` takes 2 to {VOTE_OPTIONS_MAX} options, each once");
        return Err(invalid_params("options", message));
    }
    match params.voters.as_ref().map(Vec::len) {
        Some(used) if !(1..=VOTERS_MAX).contains(&used) => {
            Err(invalid_params("voters", format!("`voters` has {used} names: give 1 to {VOTERS_MAX}")))
        }
        Some(_) | None => Ok(()),
    }
}
