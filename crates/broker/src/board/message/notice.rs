//! Messages that other areas send: of a vote.

use callboard_protocol::address::{Address, Recipients};
use callboard_protocol::error::Error;
use callboard_protocol::json::Json;
use callboard_protocol::methods::message::Priority;
use callboard_protocol::names::AgentName;

use super::label;
use super::posting::Draft;
use crate::board::Board;
use crate::inbox::stored::Header;
use crate::now::Now;

/// What is sent.
pub(crate) struct Notice {
    /// In whose name; `None` for the daemon itself.
    pub from: Option<AgentName>,
    /// Its type.
    pub kind: &'static str,
    /// What it is about, for people.
    pub subject: Option<String>,
    /// The content.
    pub payload: Json,
    /// Its time to live, in milliseconds.
    pub ttl_ms: u64,
}

impl Board {
    /// Checks that each of these may have an inbox, and that a sole one's has room.
    pub(crate) fn check_inboxes(&mut self, now: Now, recipients: &[AgentName]) -> Result<(), Error> {
        self.make_inbox_room(now, recipients)
    }

    /// Sends a notice to agents. A full inbox refuses it.
    pub(crate) fn notify_inboxes(&mut self, now: Now, notice: Notice, recipients: &[AgentName]) {
        let Ok(kind) = label(notice.kind) else { return };
        for name in recipients {
            self.settle_inbox(now, name);
        }
        let header = Header {
            reply_to: notice.from.clone(),
            from: notice.from,
            to: Recipients::Many(recipients.iter().cloned().map(Address::Agent).collect()),
            r#type: kind,
            subject: notice.subject,
            correlation_id: None,
            in_reply_to: None,
            thread_id: None,
            priority: Priority::default(),
            sent_at: now.unix_ms,
        };
        self.post(now, Draft::new(header, notice.payload, notice.ttl_ms), recipients);
    }
}
