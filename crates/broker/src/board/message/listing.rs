//! `message.list`: looks into an inbox, changes nothing but what the clock has decided already.

use callboard_protocol::error::Error;
use callboard_protocol::methods::message::{DeliveryState, List, ListResult, Listed, MailBox};
use callboard_protocol::revision::{MessageId, Revision};

use crate::board::{Board, Call, invalid_params};
use crate::inbox::stored::{Delivery, Stored};
use crate::page::Page;

impl Board {
    pub(crate) fn message_list(&mut self, call: &Call, params: &List) -> Result<ListResult, Error> {
        let agent = call.agent()?.clone();
        let after = params.cursor.as_deref().map_or(Ok(Revision(0)), place_of)?;
        let mailbox = params.mailbox.unwrap_or_default();
        let bodies = params.bodies.unwrap_or(false);
        self.settle_inbox(call.now, &agent);
        // One more than a page takes, to know whether more follows.
        let count = params.limit.unwrap_or_default().get() + 1;
        let inbox = self.inboxes.inbox(&agent);
        let ids = match mailbox {
            MailBox::Inbox => inbox.map_or_else(Vec::new, |inbox| inbox.open_after(after, count)),
            MailBox::Dead => inbox.map_or_else(Vec::new, |inbox| inbox.dead_after(after, count)),
            MailBox::Sent => self.inboxes.sent_after(&agent, after, count),
        };
        let mut page = Page::new(params.limit, self.config.limits.frame_bytes);
        for id in ids {
            self.settle_message(call.now, id);
            let Some(stored) = self.inboxes.find(id) else {
                continue;
            };
            let delivery = match mailbox {
                MailBox::Inbox | MailBox::Dead => stored.delivery(&agent),
                MailBox::Sent => furthest_from_done(stored),
            };
            let bytes = if bodies { stored.wire_bytes() } else { stored.header_wire_bytes() };
            if !page.push(listed(id, stored, delivery, bodies), bytes, &id.to_string()) {
                break;
            }
        }
        let (messages, cursor) = page.finish();
        Ok(ListResult { messages, cursor })
    }
}

fn place_of(cursor: &str) -> Result<MessageId, Error> {
    let id = cursor.parse().ok().filter(|id| *id < u64::MAX).map(Revision);
    id.ok_or_else(|| {
        let message = format!("`cursor` {cursor:?} is not one that message.list gave: leave it out to begin");
        invalid_params("cursor", message)
    })
}

/// Of the deliveries that are alike, the one with the first name.
fn furthest_from_done(stored: &Stored) -> Option<&Delivery> {
    stored.deliveries().iter().min_by_key(|delivery| match delivery.standing.state() {
        DeliveryState::Queued => 0,
        DeliveryState::Leased => 1,
        DeliveryState::Dead => 2,
        DeliveryState::Refused => 3,
        DeliveryState::Expired => 4,
        DeliveryState::Acked => 5,
    })
}

/// A message that nobody was there to get shows as expired.
fn listed(id: MessageId, stored: &Stored, delivery: Option<&Delivery>, bodies: bool) -> Listed {
    let header = stored.header.clone();
    Listed {
        id,
        from: header.from,
        to: header.to,
        r#type: header.r#type,
        subject: header.subject,
        payload: stored.payload.clone().filter(|_| bodies),
        correlation_id: header.correlation_id,
        in_reply_to: header.in_reply_to,
        reply_to: header.reply_to,
        thread_id: header.thread_id,
        priority: header.priority,
        sent_at: header.sent_at,
        attempt: delivery.map_or(0, |delivery| delivery.attempts),
        late: stored.late,
        state: delivery.map_or(DeliveryState::Expired, |delivery| delivery.standing.state()),
    }
}
