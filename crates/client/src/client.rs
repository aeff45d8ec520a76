//! The client: any method, typed or raw, over one session.
//!
//! Invariant: a request is sent at most once. What happened to one whose connection was lost is for the caller to find out;
//! nobody else knows whether doing it twice would hurt.

use std::fmt;
use std::sync::Arc;

use callboard_protocol::Json;
use callboard_protocol::methods::Verb;
use callboard_protocol::methods::session::{Close, Opened};
use tokio::sync::oneshot;

use crate::connect::{Patience, Session, Target};
use crate::driver::Driver;
use crate::feed::Feed;
use crate::shared::{EVENT_BYTES_MAX, Handle, Renewal, Shared, Waiter};
use crate::{ClientError, ConnectOptions, EventStream, Pending};

/// A session with the daemon. Cloning is a reference count, and all clones share one connection: requests of any number of tasks
/// go out in the order in which they were made, without waiting for each other's answers, as many in one write as there are.
///
/// The connection ends when the last clone, stream and pending call is dropped; the session then lives on for its grace.
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

impl Client {
    /// Connects and opens a session; starts a daemon when none listens and the options allow it. Needs a tokio runtime with
    /// I/O and time, on which a task then serves the connection.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] and its kin when there is no daemon within
    /// [`connect_timeout`](ConnectOptions::connect_timeout), [`ClientError::SkewedVersion`] when it is too old or too new,
    /// [`ClientError::Rpc`] when it refuses the session.
    pub async fn connect(options: ConnectOptions) -> Result<Self, ClientError> {
        let target = Target::new(options)?;
        let patience = Patience { bound: target.connect_timeout, waits: false, spawns: true };
        let Session { wire, opened, run } = target.open(None, &patience).await?;
        let shared = Arc::new(Shared::new(opened));
        let driver = Driver { shared: Arc::clone(&shared), target, run };
        tokio::spawn(driver.drive(wire));
        Ok(Self { handle: Handle::new(shared) })
    }

    /// The answer to the last `session.open`: who we are, with whom, within which limits.
    #[must_use]
    pub fn opened(&self) -> Arc<Opened> {
        self.handle.shared().opened()
    }

    /// Calls a method and waits for its result. Dropping the future withdraws the call, as [`Pending`] does.
    ///
    /// # Errors
    /// [`ClientError::Rpc`] is the daemon's answer; [`ClientError::Disconnected`] leaves open whether it was carried out.
    pub async fn call<V: Verb>(&self, params: &V) -> Result<V::Result, ClientError> {
        self.pending(params).await
    }

    /// Calls a method by its name, also one that this version has no types for. `params` is an object, or null for none.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_raw(&self, method: &str, params: &Json) -> Result<Json, ClientError> {
        Pending::start(&self.handle, method, params).await
    }

    /// Starts a call that is awaited later; it is on its way when this returns.
    pub fn pending<V: Verb>(&self, params: &V) -> Pending<V::Result> {
        Pending::start(&self.handle, V::METHOD.name(), params)
    }

    /// Sends a notification: it is carried out and not answered, and nobody hears of an error. Waits while too much is unsent.
    ///
    /// # Errors
    /// [`ClientError::Disconnected`] when there is no connection any more, [`ClientError::Rpc`] (`frame_too_large`) when it
    /// does not fit into a frame.
    pub async fn notify<V: Verb>(&self, params: &V) -> Result<(), ClientError> {
        let shared = self.handle.shared();
        shared.room().await;
        shared.send(V::METHOD.name(), params, None).map(drop)
    }

    /// Calls a method that subscribes (`kv.watch`, `message.subscribe`, `topic.subscribe`, `agent.watch`, `server.tail`): gives
    /// the answer together with the events of the subscription, of which none is lost.
    ///
    /// # Errors
    /// As [`Self::call`]; [`ClientError::Decode`] when the method answers with no subscription.
    pub async fn subscribe<V: Verb>(&self, params: &V) -> Result<EventStream, ClientError> {
        let method = V::METHOD.name();
        let (reply, answer) = oneshot::channel();
        let waiter = Waiter::Subscribe {
            stream: EventStream::new(Feed::new(EVENT_BYTES_MAX), Arc::clone(&self.handle)),
            renewal: Renewal::new(method, params)?,
            reply,
        };
        self.handle.shared().send(method, params, Some(waiter))?;
        answer.await.unwrap_or_else(|_| Err(ClientError::closed()))
    }

    /// The events of no subscription (`lock.lost`, `lock.contended`, `deadline_soon`, `server.stopping`). The first stream asked
    /// for has all since the session was opened, further ones those from now on. At most 1 MiB of them waits to be read.
    #[must_use]
    pub fn notices(&self) -> EventStream {
        EventStream::new(self.handle.shared().notices(), Arc::clone(&self.handle))
    }

    /// Ends the session for all clones: its session-bound leases end now; with `leave` the agent's presence and its
    /// agent-bound leases too.
    ///
    /// # Errors
    /// As [`Self::call`]; the connection is closed all the same.
    pub async fn close(self, leave: bool) -> Result<(), ClientError> {
        let close = Close { leave: leave.then_some(true) };
        // The daemon ends the connection with its answer: resumed, the agent would have a session again, which nobody ends.
        self.handle.shared().leave();
        let closed = self.call(&close).await;
        self.handle.shared().close();
        self.handle.shared().ended().await;
        closed.map(drop)
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(self.handle.shared())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("opened", &self.opened()).finish_non_exhaustive()
    }
}
