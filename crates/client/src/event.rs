//! One event as the client hands it on, and the stream of one subscription's events.
//!
//! Invariant: a stream has every event of its subscription from the answer on, in order, each hole marked by a `gap`.

use std::fmt;
use std::sync::Arc;

use callboard_protocol::Json;
use callboard_protocol::event::{self, Gap};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ClientError;
use crate::feed::{End, Feed, GAP};
use crate::shared::Handle;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The subscription; 0 for events of none.
    pub subscription: u64,
    /// Its number there, from 1; 0 in the `gap` of a subscription that was made anew.
    pub seq: u64,
    /// What happened: `kv.put`, `message`, `gap`, ...
    pub kind: String,
    /// The whole event, an object, with the members above.
    pub params: Json,
}

impl Event {
    /// The event as its type in [`callboard_protocol::event`].
    ///
    /// # Errors
    /// [`ClientError::Decode`] when it is of another kind.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        self.params.to().map_err(|error| ClientError::decode(&format!("the event {}", self.kind), &error))
    }

    /// The event as a `T`, when it is of that kind and readable.
    #[must_use]
    pub fn as_kind<T: event::Event + DeserializeOwned>(&self) -> Option<T> {
        (self.kind == T::KIND).then(|| self.params.to().ok()).flatten()
    }

    /// Whether events were missed here: look anew at what they were about. `missed` (see [`Gap`]) says how many;
    /// 0 when nobody knows, because the subscription had to be made anew after its session or its daemon had gone.
    #[must_use]
    pub fn is_gap(&self) -> bool {
        self.kind == GAP
    }

    pub(crate) fn gap(subscription: u64, seq: u64, gap: &Gap) -> Self {
        #[derive(Serialize)]
        struct Params<'a> {
            subscription: u64,
            seq: u64,
            kind: &'a str,
            #[serde(flatten)]
            gap: &'a Gap,
        }
        let params = Params { subscription, seq, kind: GAP, gap };
        Self {
            subscription,
            seq,
            kind: GAP.to_owned(),
            params: Json::from_value(&params).unwrap_or_else(|_| Json::null()),
        }
    }
}

/// The events of one subscription. Dropping it ends the subscription.
///
/// Reading slowly never holds up replies or other streams: what was not read yet waits here, up to
/// [`EVENT_BYTES_MAX`](crate::EVENT_BYTES_MAX); events beyond that are dropped, and once all that waited is read one `gap`
/// says how many.
///
/// With [`ConnectOptions::resume`](crate::ConnectOptions::resume) a stream outlives its connection. A resumed session goes on where
/// it was. Where the session was too late, or the daemon has been started anew, the client subscribes again (without
/// `from_revision`, whose events came already), and the stream tells of it by a `gap` with `missed` 0 and `seq` 0, after which
/// `seq` counts from 1 again; for `kv.watch` the gap carries the `revision` from which on everything is told again.
pub struct EventStream {
    feed: Arc<Feed>,
    handle: Arc<Handle>,
    answer: Json,
}

impl EventStream {
    pub(crate) fn new(feed: Arc<Feed>, handle: Arc<Handle>) -> Self {
        Self { feed, handle, answer: Json::null() }
    }

    pub(crate) fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    pub(crate) fn answered(mut self, answer: Json) -> Self {
        self.answer = answer;
        self
    }

    /// The next event; `None` when nothing more will come (see [`Self::end`]). Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Event> {
        self.feed.next().await
    }

    /// The next event, if it is there already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.feed.pop()
    }

    /// The answer to the call that subscribed, such as `{"subscription":3,"revision":17}`; null for
    /// [`Client::notices`](crate::Client::notices).
    #[must_use]
    pub fn answer(&self) -> &Json {
        &self.answer
    }

    /// The subscription's number at present; 0 for [`Client::notices`](crate::Client::notices).
    #[must_use]
    pub fn subscription(&self) -> u64 {
        self.feed.subscription()
    }

    /// Why nothing more will come; `None` while something may.
    #[must_use]
    pub fn end(&self) -> Option<ClientError> {
        self.feed.ended().map(|end| match end {
            End::Lost(reason) => ClientError::disconnected(&reason),
            End::Refused(error) => ClientError::Rpc(error),
        })
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.handle.shared().forget(&self.feed);
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("subscription", &self.subscription()).finish_non_exhaustive()
    }
}
