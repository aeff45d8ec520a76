//! The connection's side of what is shared: answers and events to whom they are for, and what a lost connection means.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use callboard_protocol::event::{Event as _, Gap, ServerStopping};
use callboard_protocol::methods::session::Opened;
use callboard_protocol::{Error, Incoming, Json, RequestId, Revision};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Phase, Shared, State, Subscription, Waiter};
use crate::feed::{End, Feed};
use crate::{ClientError, Event};

/// The part of an answer that names a subscription.
#[derive(Deserialize)]
struct Subscribed {
    subscription: u64,
    #[serde(default)]
    revision: Option<Revision>,
}

#[derive(Deserialize)]
struct EventHead {
    subscription: u64,
    seq: u64,
    kind: String,
}

impl Shared {
    /// Hands one frame to whom it is for.
    ///
    /// # Errors
    /// Why the connection cannot go on.
    pub(crate) fn dispatch(&self, frame: &Bytes) -> Result<(), String> {
        match Incoming::parse(frame) {
            Ok(Incoming::Response { id: Some(id), outcome }) => {
                self.answer(&id, outcome.map(|raw| frame.slice_ref(raw.get().as_bytes())));
            }
            Ok(Incoming::Event { params }) => self.event(params),
            // Nobody can tell whose request it was, so nobody may go on waiting.
            Ok(Incoming::Response { id: None, outcome: Err(error) }) => {
                return Err(format!("the daemon said: {error}"));
            }
            Ok(Incoming::Response { id: None, .. } | Incoming::Unknown) => {}
            Err(error) => return Err(error.to_string()),
        }
        Ok(())
    }

    fn answer(&self, id: &RequestId, outcome: Result<Bytes, Error>) {
        let waiter = id.as_i64().and_then(|id| self.lock().waiters.remove(&id));
        let outcome = outcome.map_err(ClientError::Rpc);
        match waiter {
            // It was given up meanwhile.
            None => {}
            // A receiver that is gone was given up too.
            Some(Waiter::Reply(reply)) => drop(reply.send(outcome)),
            Some(Waiter::Subscribe { stream, renewal, reply }) => {
                let answered = outcome.and_then(|result| {
                    let feed = Arc::clone(stream.feed());
                    let method = renewal.method;
                    self.bind(Subscription { feed, renewal }, &result)?;
                    Ok(stream.answered(json(&result, method)?))
                });
                drop(reply.send(answered));
            }
            Some(Waiter::Renew { feed, renewal }) => {
                let subscription = Subscription { feed: Arc::clone(&feed), renewal };
                let renewed = outcome.and_then(|result| self.bind(subscription, &result));
                self.renewed(&feed, renewed);
            }
        }
    }

    /// Registers a subscription under the number that its answer names.
    fn bind(&self, subscription: Subscription, answer: &[u8]) -> Result<Subscribed, ClientError> {
        let method = subscription.renewal.method;
        let named: Subscribed =
            serde_json::from_slice(answer).map_err(|error| ClientError::decode(method, &error))?;
        subscription.feed.bind(named.subscription);
        self.lock().subscriptions.insert(named.subscription, subscription);
        Ok(named)
    }

    fn renewed(&self, feed: &Arc<Feed>, renewed: Result<Subscribed, ClientError>) {
        match renewed {
            Ok(Subscribed { subscription, revision }) => {
                feed.push(Event::gap(subscription, 0, &Gap { missed: 0, revision }));
                // The stream was dropped while its subscription was under way, and found nothing to end.
                if feed.ended().is_some() {
                    let dropped = self.lock().subscriptions.remove(&subscription);
                    drop(dropped);
                    self.unsubscribe(subscription);
                }
            }
            Err(ClientError::Rpc(error)) => feed.end(End::Refused(error)),
            Err(error) => feed.end(End::Lost(error.to_string().into())),
        }
    }

    fn event(&self, params: &RawValue) {
        // An event of a later version, with another head, is one that this version does not know.
        let (Ok(head), Ok(params)) =
            (serde_json::from_str::<EventHead>(params.get()), Json::from_value(params))
        else {
            return;
        };
        let event = Event { subscription: head.subscription, seq: head.seq, kind: head.kind, params };
        if event.subscription == 0 {
            let notices = {
                let mut state = self.lock();
                state.stopping |= event.kind == ServerStopping::KIND;
                state.notices.clone()
            };
            notices.iter().for_each(|feed| feed.push(event.clone()));
            return;
        }
        let bound = self.lock().subscriptions.get(&event.subscription).cloned();
        match bound {
            Some(bound) => bound.feed.push(event),
            // Its reader is gone, or its answer was lost with an earlier connection.
            None => self.unsubscribe(event.subscription),
        }
    }

    /// Waits until there is something to write, and takes it in exchange for the empty `spare`; false when nothing
    /// will be.
    pub(crate) async fn unsent(&self, spare: &mut Vec<u8>) -> bool {
        loop {
            {
                let mut state = self.lock();
                if !state.unsent.is_empty() {
                    std::mem::swap(&mut state.unsent, spare);
                    self.drained.notify_waiters();
                    return true;
                }
                if state.phase == Phase::Closing {
                    return false;
                }
            }
            self.changed.notified().await;
        }
    }

    /// Takes no more requests; the connection ends once what was taken is written.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Up | Phase::Away) {
            state.phase = Phase::Closing;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// From now on a connection that ends is the last one.
    pub(crate) fn leave(&self) {
        self.lock().leaving = true;
    }

    /// Whether a connection that ended was the last one.
    pub(crate) fn is_last(&self) -> bool {
        let is_leaving = self.lock().leaving;
        is_leaving || self.is_closing()
    }

    /// Whether no more requests are taken.
    pub(crate) fn is_closing(&self) -> bool {
        !matches!(self.lock().phase, Phase::Up | Phase::Away)
    }

    /// Waits until no more requests are taken. For when nothing is being written, because that waits for the same signal.
    pub(crate) async fn closing(&self) {
        while !self.is_closing() {
            self.changed.notified().await;
        }
    }

    /// Waits for the end.
    pub(crate) async fn ended(&self) {
        loop {
            let drained = self.drained.notified();
            if matches!(self.lock().phase, Phase::Ended(_)) {
                return;
            }
            drained.await;
        }
    }

    /// The connection is gone, and another one may come: what was under way ends, what comes now waits. Gives whether the
    /// daemon had said that it stops.
    pub(crate) fn lose(&self, reason: &Arc<str>) -> bool {
        let (waiters, stopping) = {
            let mut state = self.lock();
            if state.phase == Phase::Up {
                state.phase = Phase::Away;
            }
            (state.take_under_way(), std::mem::take(&mut state.stopping))
        };
        self.fail(waiters, reason);
        stopping
    }

    /// There is a connection again. Unless its session has `kept` its subscriptions, these are made anew, before anything that
    /// waited is written.
    pub(crate) fn reopen(&self, opened: Opened, kept: bool) {
        let mut state = self.lock();
        state.opened = Arc::new(opened);
        if state.phase == Phase::Away {
            state.phase = Phase::Up;
        }
        if !kept {
            let lost = std::mem::take(&mut state.subscriptions);
            state.orphans.extend(lost.into_values());
            state.strays.clear();
        }
        let waited = std::mem::take(&mut state.unsent);
        for Subscription { feed, renewal } in std::mem::take(&mut state.orphans) {
            if feed.ended().is_some() {
                continue;
            }
            match state.write(renewal.method, &renewal.params, true) {
                Ok(id) => drop(state.waiters.insert(id, Waiter::Renew { feed, renewal })),
                Err(error) => feed.end(End::Lost(error.to_string().into())),
            }
        }
        state.unsent.extend_from_slice(&waited);
    }

    /// There will be no connection any more.
    pub(crate) fn end(&self, reason: &Arc<str>) {
        let (waiters, subscriptions, mut feeds) = {
            let mut state = self.lock();
            state.phase = Phase::Ended(Arc::clone(reason));
            let mut subscriptions = std::mem::take(&mut state.orphans);
            subscriptions.extend(std::mem::take(&mut state.subscriptions).into_values());
            (state.take_under_way(), subscriptions, state.notices.clone())
        };
        feeds.extend(subscriptions.into_iter().map(|bound| bound.feed));
        for feed in feeds {
            feed.end(End::Lost(Arc::clone(reason)));
        }
        self.fail(waiters, reason);
    }

    /// Tells all who wait. What they hand back is dropped here, outside the lock.
    fn fail(&self, waiters: HashMap<i64, Waiter>, reason: &Arc<str>) {
        let lost = || ClientError::disconnected(reason);
        for waiter in waiters.into_values() {
            match waiter {
                Waiter::Reply(reply) => drop(reply.send(Err(lost()))),
                Waiter::Subscribe { reply, .. } => drop(reply.send(Err(lost()))),
                Waiter::Renew { feed, .. } => feed.end(End::Lost(Arc::clone(reason))),
            }
        }
        self.drained.notify_waiters();
    }
}

impl State {
    /// The requests that were not answered, and will not be. A subscription that was being made anew is not given up.
    fn take_under_way(&mut self) -> HashMap<i64, Waiter> {
        self.unsent.clear();
        let ended = matches!(self.phase, Phase::Ended(_));
        let mut waiters = std::mem::take(&mut self.waiters);
        waiters.retain(|_, waiter| match waiter {
            Waiter::Renew { feed, renewal } if !ended => {
                self.orphans.push(Subscription { feed: Arc::clone(feed), renewal: renewal.clone() });
                false
            }
            Waiter::Renew { .. } | Waiter::Reply(_) | Waiter::Subscribe { .. } => true,
        });
        waiters
    }
}

fn json(result: &[u8], method: &str) -> Result<Json, ClientError> {
    serde_json::from_slice(result).map_err(|error| ClientError::decode(method, &error))
}
