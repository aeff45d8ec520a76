//! Claiming the next task.
//!
//! Invariant: what is told about a task from its claim on is in the notices that come with it.

use std::time::Duration;

use callboard_client::{Client, ClientError, EventStream};
use callboard_protocol::methods::agent::Register;
use callboard_protocol::methods::lock::Bind;
use callboard_protocol::methods::task::{Claim, Task};
use callboard_protocol::revision::Token;
use callboard_protocol::{ErrorKind, Label, Role, TtlMs, WaitMs};
use tokio::time::sleep;

use super::WHAT;
use crate::failure::Failure;

/// How long a worker counts as here once its connection is gone, in milliseconds: 30 s, enough for it to be started anew.
const PRESENCE_MS: u64 = 30_000;
/// How long one claim waits, in milliseconds: an hour. The next one follows at once.
const CLAIM_WAIT_MS: u64 = 3_600_000;
/// The pause before the daemon is asked again, where asking at once would be of no use.
pub const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// A task under a claim of this worker's.
pub struct Granted {
    /// The task as it was claimed.
    pub task: Task,
    /// The claim's fencing token.
    pub token: Token,
    /// What is told to the agent since before the claim.
    pub notices: EventStream,
}

/// A task, none in time, or why no more tasks can be had.
pub type Claimed = Result<Option<Granted>, Failure>;

/// What to claim.
pub struct Claiming {
    /// The worker's client.
    pub client: Client,
    /// The role to sign in with.
    pub role: Option<Role>,
    /// The tags that a task must have.
    pub tags: Vec<Label>,
    /// How long a claim lasts.
    pub lease_ms: TtlMs,
}

impl Claiming {
    /// Waits for the next task. A connection that was lost meanwhile is no failure while it can be made again.
    pub async fn claim(self) -> Claimed {
        let notices = self.client.notices();
        match self.attempt().await {
            Ok(Some((task, token))) => Ok(Some(Granted { task, token, notices })),
            Ok(None) => Ok(None),
            Err(error) if is_passing(&error) && notices.end().is_none() => {
                sleep(RETRY_PAUSE).await;
                Ok(None)
            }
            Err(error) => Err(Failure::client(WHAT, error)),
        }
    }

    async fn attempt(&self) -> Result<Option<(Task, Token)>, ClientError> {
        if self.role.is_some() {
            // Each time: a daemon that keeps nothing has forgotten it when it was started anew.
            let register = Register {
                name: None,
                role: self.role.clone(),
                capabilities: None,
                description: None,
                metadata: None,
                ttl_ms: TtlMs::new(PRESENCE_MS),
            };
            self.client.agent_register(&register).await?;
        }
        let claim = Claim {
            tags: (!self.tags.is_empty()).then(|| self.tags.clone()),
            wait_ms: WaitMs::new(CLAIM_WAIT_MS),
            lease_ms: Some(self.lease_ms),
            bind: Some(Bind::Session),
            ..Claim::default()
        };
        let claimed = self.client.task_claim(&claim).await?;
        Ok(claimed.task.zip(claimed.token))
    }
}

/// Whether the same call may succeed once the daemon is back.
pub fn is_passing(error: &ClientError) -> bool {
    error.is_connection_loss() || error.kind() == Some(ErrorKind::ShuttingDown)
}
