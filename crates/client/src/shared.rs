//! What callers and the connection share: requests not answered yet, subscriptions, and the bytes to be written.
//!
//! Invariant: a request is registered before its bytes can be written, and is written at most once; whoever waits is told when the
//! connection ends. The lock is held for memory work only, never while a waiter or a stream is dropped, because those lock too.

mod incoming;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use callboard_protocol::methods::session::{Cancel, Opened, Unsubscribe};
use callboard_protocol::{Call, Error, FrameError, Framing, Json, Method, RequestId};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::{Notify, oneshot};

use crate::feed::{End, Feed};
use crate::{ClientError, EventStream};

/// What of a stream's events may wait to be read, in bytes of JSON text: 32 MiB, as much as the daemon keeps for a slow session.
pub const EVENT_BYTES_MAX: usize = 32 << 20;
/// What of the events of no subscription may wait to be read, in bytes: 1 MiB, because many programs never read them.
const NOTICE_BYTES_MAX: usize = 1 << 20;
/// Unsent bytes past which a notification waits: 8 MiB, as much as the daemon lets wait for a session.
const UNSENT_BYTES_SOFT: usize = 8 << 20;
/// Bytes of length before each frame.
const HEADER_BYTES: usize = 4;

/// The answer to a request: its result as JSON text.
pub(crate) type Answer = Result<Bytes, ClientError>;

/// Who waits for an answer.
pub(crate) enum Waiter {
    /// A call.
    Reply(oneshot::Sender<Answer>),
    /// A subscription: its stream is registered before anything that follows the answer is read.
    Subscribe {
        stream: EventStream,
        renewal: Renewal,
        reply: oneshot::Sender<Result<EventStream, ClientError>>,
    },
    /// A subscription that is made anew for a stream that exists.
    Renew { feed: Arc<Feed>, renewal: Renewal },
}

/// How to subscribe again.
#[derive(Clone)]
pub(crate) struct Renewal {
    pub(crate) method: &'static str,
    pub(crate) params: Json,
}

#[derive(Clone)]
struct Subscription {
    feed: Arc<Feed>,
    renewal: Renewal,
}

impl Renewal {
    /// What was asked for once, but for its past, which came then.
    pub(crate) fn new<P: Serialize>(method: &'static str, params: &P) -> Result<Self, ClientError> {
        let mut params: Map<String, Value> =
            Json::from_value(params)?.to().map_err(|error| ClientError::decode(method, &error))?;
        params.remove("from_revision");
        Ok(Self { method, params: Json::from_value(&params)? })
    }
}

/// Whether requests are taken and written.
#[derive(Clone, PartialEq)]
enum Phase {
    /// Taken and written.
    Up,
    /// Taken, and written when the connection is back.
    Away,
    /// No longer taken; what was taken is written.
    Closing,
    /// Over.
    Ended(Arc<str>),
}

struct State {
    phase: Phase,
    unsent: Vec<u8>,
    next_id: i64,
    waiters: HashMap<i64, Waiter>,
    subscriptions: HashMap<u64, Subscription>,
    /// Subscriptions whose session is gone, to be made anew.
    orphans: Vec<Subscription>,
    /// Subscriptions of the session that nobody here reads, and that were ended.
    strays: HashSet<u64>,
    notices: Vec<Arc<Feed>>,
    /// The first of them, until somebody asks for it: what came before is in it.
    unclaimed: Option<Arc<Feed>>,
    /// Whether the daemon said that it stops.
    stopping: bool,
    /// Whether this connection is the last one.
    leaving: bool,
    opened: Arc<Opened>,
}

/// See the module.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// There is something to write, or nothing ever again.
    changed: Notify,
    /// What was unsent has been taken, or the end has come.
    drained: Notify,
}

impl Shared {
    pub(crate) fn new(opened: Opened) -> Self {
        let notices = Feed::new(NOTICE_BYTES_MAX);
        Self {
            state: Mutex::new(State {
                phase: Phase::Up,
                unsent: Vec::new(),
                next_id: 1,
                waiters: HashMap::new(),
                subscriptions: HashMap::new(),
                orphans: Vec::new(),
                strays: HashSet::new(),
                notices: vec![Arc::clone(&notices)],
                unclaimed: Some(notices),
                stopping: false,
                leaving: false,
                opened: Arc::new(opened),
            }),
            changed: Notify::new(),
            drained: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn opened(&self) -> Arc<Opened> {
        Arc::clone(&self.lock().opened)
    }

    /// Puts a request, or without a waiter a notification, behind the others; gives its id.
    pub(crate) fn send<P: Serialize + ?Sized>(
        &self,
        method: &str,
        params: &P,
        waiter: Option<Waiter>,
    ) -> Result<i64, ClientError> {
        let id = {
            let mut state = self.lock();
            match &state.phase {
                Phase::Up | Phase::Away => {}
                Phase::Closing => return Err(ClientError::closed()),
                Phase::Ended(reason) => return Err(ClientError::disconnected(reason)),
            }
            let id = state.write(method, params, waiter.is_some())?;
            if let Some(waiter) = waiter {
                state.waiters.insert(id, waiter);
            }
            id
        };
        self.changed.notify_one();
        Ok(id)
    }

    /// Waits until not too much is unsent.
    pub(crate) async fn room(&self) {
        loop {
            let drained = self.drained.notified();
            if self.lock().unsent.len() <= UNSENT_BYTES_SOFT {
                return;
            }
            drained.await;
        }
    }

    /// Gives up on a request; the daemon hears of it when it was not answered yet.
    pub(crate) fn cancel(&self, id: i64) {
        let withdrawn = self.lock().waiters.remove(&id);
        if withdrawn.is_some() {
            let cancel = Cancel { id: RequestId::from(id) };
            // Fails only when there is no connection, and then nothing waits at the daemon either.
            let _ = self.send(Method::SessionCancel.name(), &cancel, None);
        }
    }

    /// Whatever the daemon pushes that is of no subscription.
    pub(crate) fn notices(&self) -> Arc<Feed> {
        let mut state = self.lock();
        if let Some(first) = state.unclaimed.take() {
            return first;
        }
        let feed = Feed::new(NOTICE_BYTES_MAX);
        if let Phase::Ended(reason) = &state.phase {
            feed.end(End::Lost(Arc::clone(reason)));
        }
        state.notices.push(Arc::clone(&feed));
        feed
    }

    /// A stream was dropped.
    pub(crate) fn forget(&self, feed: &Arc<Feed>) {
        feed.end(End::Lost("the stream was dropped".into()));
        let subscription = feed.subscription();
        let removed = {
            let mut state = self.lock();
            state.notices.retain(|other| !Arc::ptr_eq(other, feed));
            let bound = state.subscriptions.get(&subscription);
            let is_this = bound.is_some_and(|bound| Arc::ptr_eq(&bound.feed, feed));
            is_this.then(|| state.subscriptions.remove(&subscription)).flatten()
        };
        if removed.is_some() {
            self.unsubscribe(subscription);
        }
    }

    /// Ends a subscription at the daemon, once.
    fn unsubscribe(&self, subscription: u64) {
        if self.lock().strays.insert(subscription) {
            // Fails only when there is no connection; the next one does not make it anew.
            let _ = self.send(Method::SessionUnsubscribe.name(), &Unsubscribe { subscription }, None);
        }
    }
}

impl State {
    /// Puts a request, or a notification, behind the others; gives its id. Takes no waiter, which could not be dropped in here.
    fn write<P: Serialize + ?Sized>(
        &mut self,
        method: &str,
        params: &P,
        awaited: bool,
    ) -> Result<i64, ClientError> {
        let id = self.next_id;
        self.next_id += 1;
        let request_id = RequestId::from(id);
        let call = Call { id: awaited.then_some(&request_id), method, params };
        let start = self.unsent.len();
        Framing::LengthDelimited.encode_value(&call, &mut self.unsent)?;
        let size = self.unsent.len() - start - HEADER_BYTES;
        let max = self.opened.limits.frame_bytes;
        if size > max {
            // The daemon would end the connection, and with it everybody else's requests.
            self.unsent.truncate(start);
            return Err(Error::from(FrameError::TooLarge { size, max }).into());
        }
        Ok(id)
    }
}

/// What keeps a connection: clients, streams and pending calls. The connection closes when the last is gone.
pub(crate) struct Handle(Arc<Shared>);

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self(shared))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}
