//! The claim of one task, kept alive while its program runs, and reported on at the end.
//!
//! Invariant: nothing is reported under a claim that is over. A report whose answer was lost with the connection is made again:
//! that the claim was released meanwhile says that it had arrived, since nobody but its holder releases it.

use std::sync::Arc;
use std::time::Duration;

use callboard_client::{Client, ClientError, Event, EventStream};
use callboard_protocol::event::{DeadlineSoon, LeaseKind, TaskCancelled};
use callboard_protocol::methods::Verb;
use callboard_protocol::methods::message::Stale;
use callboard_protocol::methods::session::Opened;
use callboard_protocol::methods::task::{Extend, Get, One, Status};
use callboard_protocol::revision::{TaskId, Token};
use callboard_protocol::{ErrorKind, Json, TtlMs};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::checkpoint::CheckpointFile;
use super::claiming::{RETRY_PAUSE, is_passing};
use crate::output::Output;

/// How often the claim is extended in its lease: twice it may fail.
const EXTENSIONS_PER_LEASE: u64 = 3;
/// How often to look for a new checkpoint, at most.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// The claim.
pub struct Lease {
    pub client: Client,
    pub output: Output,
    pub notices: EventStream,
    pub id: TaskId,
    pub token: Token,
    pub lease_ms: TtlMs,
    pub checkpoint: CheckpointFile,
    /// The session as it was when the claim was last known to count.
    pub opened: Arc<Opened>,
}

/// Why a call under the claim has no answer.
pub enum Refused {
    /// The claim is over, for this reason.
    Lost(String),
    /// It was ended by its holder: by the program itself, or by a report whose answer was lost.
    Ended,
    /// The call itself can't be done.
    Error(ClientError),
}

/// What an event means for the claim.
enum News {
    Lost(String),
    Extend,
    None,
}

impl Lease {
    /// Extends the claim again and again, with each new checkpoint. Ends when the claim is lost, and says why.
    pub async fn keep(&mut self) -> String {
        let period = Duration::from_millis((self.lease_ms.get() / EXTENSIONS_PER_LEASE).max(1));
        let mut looks = interval(period.min(LOOK_PERIOD));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut due = Instant::now() + period;
        loop {
            let is_due = tokio::select! {
                event = self.notices.next() => match event.map_or_else(|| self.gone(), |event| self.judge(&event)) {
                    News::Lost(why) => return why,
                    News::Extend => true,
                    News::None => false,
                },
                _ = looks.tick() => Instant::now() >= due || self.is_elsewhere() || self.checkpoint.news().is_some(),
            };
            if !is_due {
                continue;
            }
            due = Instant::now() + period;
            match self.extend().await {
                Ok(_) => {}
                Err(Refused::Lost(why)) => return why,
                // The program made its report itself, and may have something left to do.
                Err(Refused::Ended) => std::future::pending().await,
                Err(Refused::Error(error)) => {
                    let id = self.id;
                    self.output.note(format_args!(
                        "callboard: failed to extend task {id}, will try again: failed to {error}"
                    ));
                }
            }
        }
    }

    /// Whether the connection was made anew since: the claim may not have outlived that.
    fn is_elsewhere(&self) -> bool {
        !Arc::ptr_eq(&self.opened, &self.client.opened())
    }

    fn gone(&self) -> News {
        let why = self.notices.end().map(|error| format!("failed to {error}"));
        News::Lost(why.unwrap_or_else(|| "the session was closed".to_owned()))
    }

    fn judge(&self, event: &Event) -> News {
        let is_cancelled = event.as_kind::<TaskCancelled>().filter(|cancelled| cancelled.token == self.token);
        if let Some(cancelled) = is_cancelled {
            let by = cancelled.by.map(|by| format!(" by {by}")).unwrap_or_default();
            return News::Lost(format!("it was cancelled{by}"));
        }
        let soon = event.as_kind::<DeadlineSoon>();
        let is_soon = soon.is_some_and(|soon| soon.what == LeaseKind::Task && soon.id == Some(self.id));
        // What was missed may have been about this task: extending it tells.
        if is_soon || event.is_gap() { News::Extend } else { News::None }
    }

    /// Hands on what the program wrote as its checkpoint last, for the next attempt.
    ///
    /// # Errors
    /// When the claim is over.
    pub async fn hand_on_checkpoint(&mut self) -> Result<(), Refused> {
        if self.checkpoint.news().is_some() {
            self.extend().await?;
        }
        if let Some(why) = self.checkpoint.complaint() {
            self.complain(&why);
        }
        Ok(())
    }

    fn complain(&self, why: &str) {
        let id = self.id;
        self.output.note(format_args!("callboard: the checkpoint of task {id} is not kept: {why}"));
    }

    /// Extends the claim, with the checkpoint if there is a new one; if it is refused, then without.
    async fn extend(&mut self) -> Result<One, Refused> {
        let news = self.checkpoint.news();
        self.opened = self.client.opened();
        let checkpoint = news.as_deref().and_then(|text| Json::parse(text).ok());
        let mut extend = Extend {
            token: self.token,
            lease_ms: Some(self.lease_ms),
            progress: None,
            note: None,
            checkpoint,
        };
        let mut extended = self.call(&extend).await;
        if let (Err(Refused::Error(error)), true) = (&extended, extend.checkpoint.is_some()) {
            self.complain(&error.to_string());
            extend.checkpoint = None;
            extended = self.call(&extend).await;
        }
        if let (Ok(_), Some(text)) = (&extended, news) {
            self.checkpoint.settle(text);
        }
        extended
    }

    /// Calls a method under the claim, over a new connection if need be.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn call<V: Verb>(&self, params: &V) -> Result<V::Result, Refused> {
        loop {
            match self.client.call(params).await {
                Ok(result) => return Ok(result),
                Err(error) if is_passing(&error) && self.notices.end().is_none() => sleep(RETRY_PAUSE).await,
                Err(error) => return Err(refused(error)),
            }
        }
    }

    /// Where the task stands, if that can be found out.
    pub async fn status(&self) -> Option<Status> {
        let found = self.call(&Get { id: self.id }).await.ok();
        found.map(|found| found.task.status)
    }
}

fn refused(error: ClientError) -> Refused {
    let ClientError::Rpc(answer) = &error else {
        return if error.is_connection_loss() {
            Refused::Lost(format!("failed to {error}"))
        } else {
            Refused::Error(error)
        };
    };
    let is_over = matches!(answer.kind, ErrorKind::StaleToken | ErrorKind::NotOwner | ErrorKind::NotFound);
    let is_released = answer.details.get("why").is_some_and(|why| serde_json::json!(Stale::Released) == *why);
    match (is_over, is_released) {
        (true, true) => Refused::Ended,
        (true, false) => Refused::Lost(answer.message.to_string()),
        (false, _) => Refused::Error(error),
    }
}
