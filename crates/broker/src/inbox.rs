//! Inboxes.
use callboard_protocol::methods::message::Counts;
use callboard_protocol::names::AgentName;
use callboard_protocol::revision::{MessageId, Token};

use crate::session::{SessionId, SubscriptionId};

/// A `message.subscribe` subscription.
#[derive(Debug)]
pub struct Taker {}

/// All inboxes of a board.
#[derive(Debug, Default)]
pub struct Inboxes {}

impl Inboxes {
    /// Queued + leased of an agent.
    #[must_use]
    pub fn load(&self, _: &AgentName) -> usize {
        0
    }
    /// `message.counts` without the age.
    #[must_use]
    pub fn counts(&self, _: &AgentName) -> Counts {
        Counts { queued: 0, leased: 0, dead: 0, oldest_ms: None }
    }
    /// All inboxes together.
    #[must_use]
    pub fn stats(&self, _: crate::now::Now) -> callboard_protocol::methods::server::InboxStats {
        Default::default()
    }
    /// How many inboxes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        0
    }
    /// Whether there is no inbox and no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        true
    }
    /// Accounted bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        0
    }
    /// Whether a name has an inbox.
    #[must_use]
    pub fn exists(&self, _: &AgentName) -> bool {
        false
    }
    /// Drops an inbox with nothing in it.
    pub fn forget_if_empty(&mut self, _: &AgentName) {}
    /// A subscription ended.
    pub fn remove_taker(&mut self, _: SessionId, _: SubscriptionId) {}
    /// The message that a delivery lease is of.
    #[must_use]
    pub fn message_of(&self, _: Token) -> Option<MessageId> {
        None
    }
}
