//! The queue between a connection and one reader of events.
//!
//! Invariant: putting an event in never waits, and a hole is never silent: past the bound in bytes events are dropped and counted,
//! and the reader meets one `gap` in their place. Lacks any knowledge of connections and subscriptions.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callboard_protocol::event::Gap;
use callboard_protocol::{Error, Revision};
use serde::Deserialize;
use tokio::sync::Notify;

use crate::Event;

/// The `kind` of an event that stands for events missed.
pub(crate) const GAP: &str = "gap";

/// One queue.
pub(crate) struct Feed {
    bytes_max: usize,
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    subscription: u64,
    events: VecDeque<Event>,
    bytes: usize,
    /// Events dropped behind those that wait.
    missed: Option<Missed>,
    end: Option<End>,
}

/// Why nothing more will come.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// The connection ended for good.
    Lost(Arc<str>),
    /// The subscription could not be made anew after its session was lost.
    Refused(Error),
}

struct Missed {
    seq: u64,
    gap: Gap,
}

/// What of an event's params says how much a dropped one stood for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Weight {
    missed: Option<u64>,
    revision: Option<Revision>,
}

impl Feed {
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, queue: Mutex::default(), changed: Notify::new() })
    }

    /// Puts an event behind the others.
    pub(crate) fn push(&self, event: Event) {
        self.lock().push(event, self.bytes_max);
        self.changed.notify_one();
    }

    /// Names the subscription whose events these are now.
    pub(crate) fn bind(&self, subscription: u64) {
        self.lock().subscription = subscription;
    }

    pub(crate) fn subscription(&self) -> u64 {
        self.lock().subscription
    }

    /// Nothing more will come; what waits can still be read.
    pub(crate) fn end(&self, end: End) {
        self.lock().end.get_or_insert(end);
        self.changed.notify_one();
    }

    pub(crate) fn ended(&self) -> Option<End> {
        self.lock().end.clone()
    }

    /// The next event that is there already.
    pub(crate) fn pop(&self) -> Option<Event> {
        self.lock().pop()
    }

    /// The next event; `None` when nothing more will come. One reader at a time.
    pub(crate) async fn next(&self) -> Option<Event> {
        loop {
            let ended = {
                let mut queue = self.lock();
                if let Some(event) = queue.pop() {
                    return Some(event);
                }
                queue.end.is_some()
            };
            if ended {
                return None;
            }
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn push(&mut self, event: Event, bytes_max: usize) {
        let size = event.params.len();
        if self.missed.is_none() && (self.events.is_empty() || self.bytes + size <= bytes_max) {
            self.bytes += size;
            self.events.push_back(event);
            return;
        }
        let weight: Weight = event.params.to().unwrap_or_default();
        let missed =
            self.missed.get_or_insert(Missed { seq: event.seq, gap: Gap { missed: 0, revision: None } });
        missed.gap.missed += weight.missed.unwrap_or(1);
        missed.gap.revision = weight.revision.or(missed.gap.revision);
    }

    fn pop(&mut self) -> Option<Event> {
        if let Some(event) = self.events.pop_front() {
            self.bytes -= event.params.len();
            return Some(event);
        }
        let Missed { seq, gap } = self.missed.take()?;
        Some(Event::gap(self.subscription, seq, &gap))
    }
}

#[cfg(test)]
mod tests;
