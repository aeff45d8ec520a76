//! One agent's inbox: ids in the orders in which they are looked for.
//!
//! Invariant: an id is in `queued` exactly while its delivery is queued, and then in `expiring` and in one of `ready`
//! and `delayed` too; in `leased`, and its lease in `lease_ends`, exactly while it is leased; in `dead` while it is.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

use callboard_protocol::methods::message::Priority;
use callboard_protocol::revision::{MessageId, Revision, Token};

use crate::inbox::stored::{Delivery, Standing, Stored};
use crate::now::Monotonic;

/// The order in which ready messages are received: highest priority first, then oldest.
pub type Place = (Reverse<Priority>, MessageId);

/// What in an inbox is over by the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overdue {
    /// A lease ended.
    Lease(Token),
    /// A delay ended.
    Delay(MessageId),
    /// The TTL of a queued message ended.
    Ttl(MessageId),
}

/// One agent's inbox.
#[derive(Debug, Default)]
pub struct Inbox {
    queued: BTreeSet<MessageId>,
    ready: BTreeSet<Place>,
    delayed: BTreeSet<(Monotonic, MessageId)>,
    expiring: BTreeSet<(Monotonic, MessageId)>,
    leased: BTreeSet<MessageId>,
    lease_ends: BTreeSet<(Monotonic, Token)>,
    dead: BTreeSet<MessageId>,
}

fn put<T: Ord>(set: &mut BTreeSet<T>, entry: T, present: bool) {
    if present {
        set.insert(entry);
    } else {
        set.remove(&entry);
    }
}

impl Inbox {
    /// Puts a delivery where it stands, or takes it out of there.
    pub(super) fn index(&mut self, id: MessageId, stored: &Stored, delivery: &Delivery, present: bool) {
        match delivery.standing {
            Standing::Queued { ready_at } => {
                put(&mut self.queued, id, present);
                put(&mut self.expiring, (stored.due, id), present);
                match ready_at {
                    Some(at) => put(&mut self.delayed, (at, id), present),
                    None => put(&mut self.ready, (Reverse(stored.header.priority), id), present),
                }
            }
            Standing::Leased { token, due, .. } => {
                put(&mut self.leased, id, present);
                put(&mut self.lease_ends, (due, token), present);
            }
            Standing::Dead => put(&mut self.dead, id, present),
            Standing::Acked | Standing::Expired | Standing::Refused => {}
        }
    }

    /// The next ready message after a place.
    #[must_use]
    pub fn next_ready(&self, after: Option<Place>) -> Option<Place> {
        let from = after.map_or(Unbounded, Excluded);
        self.ready.range((from, Unbounded)).next().copied()
    }

    /// What is over by the clock, what frees messages first.
    #[must_use]
    pub fn next_overdue(&self, now: Monotonic) -> Option<Overdue> {
        fn due<T: Copy + Ord>(set: &BTreeSet<(Monotonic, T)>, now: Monotonic) -> Option<T> {
            set.first().filter(|(at, _)| *at <= now).map(|(_, what)| *what)
        }
        due(&self.lease_ends, now)
            .map(Overdue::Lease)
            .or_else(|| due(&self.delayed, now).map(Overdue::Delay))
            .or_else(|| due(&self.expiring, now).map(Overdue::Ttl))
    }

    /// The oldest queued message.
    #[must_use]
    pub fn oldest_queued(&self) -> Option<MessageId> {
        self.queued.first().copied()
    }

    /// The queued messages, delayed ones included, oldest first.
    pub fn queued(&self) -> impl Iterator<Item = MessageId> + '_ {
        self.queued.iter().copied()
    }

    /// At most `count` queued and leased messages after an id, oldest first.
    #[must_use]
    pub fn open_after(&self, after: MessageId, count: usize) -> Vec<MessageId> {
        let from = (Excluded(after), Unbounded);
        let mut ids: Vec<MessageId> = self.queued.range(from).take(count).copied().collect();
        ids.extend(self.leased.range(from).take(count));
        ids.sort_unstable();
        ids.truncate(count);
        ids
    }

    /// At most `count` dead messages after an id, oldest first.
    #[must_use]
    pub fn dead_after(&self, after: MessageId, count: usize) -> Vec<MessageId> {
        let from: (_, std::ops::Bound<Revision>) = (Excluded(after), Unbounded);
        self.dead.range(from).take(count).copied().collect()
    }

    /// Queued, leased and dead.
    #[must_use]
    pub fn lens(&self) -> (usize, usize, usize) {
        (self.queued.len(), self.leased.len(), self.dead.len())
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lens() == (0, 0, 0)
    }
}
