//! What others ask of a worker while it works: a second opinion on a file, a review of what a colleague added up, a vote.
//!
//! Invariant: a message is acked when it is dealt with, so one that a killed worker had comes to the one in its place. What
//! was dealt with already, as the daemon says, is dealt with.

use std::path::Path;

use callboard_client::{ClientError, EventStream};
use callboard_protocol::methods::message::{Message, Reply};
use callboard_protocol::methods::task::{Review, Task};
use callboard_protocol::revision::TaskId;
use callboard_protocol::{ErrorKind, Json};

use super::files::Tally;
use super::peer::Peer;
use super::words::{
    CHOICES, EVERYTHING_KEY, Order, QUESTION, REVIEW, Report, ReviewOrder, STOP, TOTALS, Totals,
    VOTE_REQUEST, VOTE_RESULT, VoteRequest, Work, unix_us,
};
use crate::failure::Failure;

/// Questions that may be unanswered.
const QUESTIONS_CREDIT: u32 = 16;
/// Other messages that may be unacked.
const ORDERS_CREDIT: u32 = 4;

/// See the module.
pub struct Desk<'a> {
    peer: &'a Peer,
    root: &'a Path,
    report: Report,
}

impl<'a> Desk<'a> {
    /// A desk for files below `root`.
    pub fn new(peer: &'a Peer, root: &'a Path) -> Self {
        Self { peer, root, report: Report::default() }
    }

    /// What it measured and saw.
    pub fn into_report(self) -> Report {
        self.report
    }

    /// Deals with messages until there is nothing more to do.
    ///
    /// # Errors
    /// The daemon's, or that it is gone.
    pub async fn work(&mut self) -> Result<(), Failure> {
        let questions = self.peer.messages([QUESTION], QUESTIONS_CREDIT).await?;
        let kinds = [REVIEW, VOTE_REQUEST, VOTE_RESULT, STOP];
        let mut orders = self.peer.messages(kinds, ORDERS_CREDIT).await?;
        let (peer, root) = (self.peer, self.root);
        tokio::select! {
            stopped = self.follow(&mut orders) => stopped,
            answered = answer(peer, root, questions) => answered,
        }
    }

    async fn follow(&mut self, orders: &mut EventStream) -> Result<(), Failure> {
        loop {
            let message = self.peer.next(orders).await?;
            let kind = message.r#type.as_str();
            if kind == REVIEW {
                let ReviewOrder { task, sent_us } = self.peer.read(&message)?;
                self.report.message_us.push(unix_us().saturating_sub(sent_us));
                self.review(task).await?;
            } else if kind == VOTE_REQUEST {
                self.vote(&message).await?;
            }
            self.peer.ack(&message).await?;
            if kind == STOP {
                return Ok(());
            }
        }
    }

    async fn review(&mut self, id: TaskId) -> Result<(), Failure> {
        let task = self.peer.client().task_get(id).await;
        let task = task.map_err(|error| self.peer.failed("look at a task", error))?.task;
        let expected = self.expected(&task).await?;
        let found = task.result.as_ref().and_then(|result| result.to::<Totals>().ok());
        let approve = found.as_ref() == Some(&expected);
        let comments = (!approve).then(|| format!("expected {expected:?}"));
        match self.peer.client().task_review(&Review { id, approve, comments }).await {
            Ok(_) => self.report.reviews += 1,
            Err(ClientError::Rpc(error)) if error.kind == ErrorKind::NotReady => {}
            Err(error) => return Err(self.peer.failed("review a task", error)),
        }
        Ok(())
    }

    /// What should have come out: for a part, from the files themselves.
    async fn expected(&self, task: &Task) -> Result<Totals, Failure> {
        let work = task.payload.as_ref().and_then(|payload| payload.to().ok());
        let Some(Work::Part(paths)) = work else {
            return self.peer.add_up(&task.depends_on).await;
        };
        let mut totals = Totals::default();
        for path in paths {
            totals.add(&Tally::of(self.root, &path)?);
        }
        Ok(totals)
    }

    /// Votes on whether what was added up by tasks is what was added up under a lock.
    async fn vote(&self, message: &Message) -> Result<(), Failure> {
        let VoteRequest { vote } = self.peer.read(message)?;
        let everything: Option<TaskId> = self.peer.value(EVERYTHING_KEY).await?;
        let added_up = self.peer.add_up(everything.as_slice()).await?;
        let is_right = self.peer.value(TOTALS).await? == Some(added_up);
        let voted = self.peer.client().vote_cast(vote, CHOICES[usize::from(!is_right)]).await;
        voted.map(drop).map_err(|error| self.peer.failed("vote", error))
    }
}

/// Answers questions for as long as there is a daemon.
async fn answer(peer: &Peer, root: &Path, mut questions: EventStream) -> Result<(), Failure> {
    loop {
        let question = peer.next(&mut questions).await?;
        let Order { path } = peer.read(&question)?;
        let tally = Tally::of(root, &path)?;
        let reply = async {
            let payload = Json::from_value(&tally)?;
            peer.client().call(&Reply { to_message: question.id, payload, r#type: None }).await
        };
        reply.await.map_err(|error| peer.failed("answer a question", error))?;
    }
}
