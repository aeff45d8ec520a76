//! The client for programs without an async runtime: the same verbs, each of which blocks until it is done.
//!
//! Invariant: there is no second client here. The async one runs on a thread that this client starts, and every method hands
//! its call over. Nothing of this may be used inside an async runtime: it panics there, as tokio's `block_on` does.
//!
//! ```no_run
//! use callboard_client::{ConnectOptions, blocking::Client};
//!
//! let client = Client::connect(ConnectOptions::default())?;
//! client.kv_set("build/status", "green")?;
//! for event in client.topic_subscribe("build.>")?.take(3) {
//!     println!("{}", event.params);
//! }
//! # Ok::<(), callboard_client::ClientError>(())
//! ```

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use callboard_protocol::Json;
use callboard_protocol::methods::session::Opened;
use callboard_protocol::methods::{Empty, Verb, agent, coordination, kv, lock, message, server, task, topic};
use callboard_protocol::revision::{MessageId, TaskId, Token, VoteId};
use callboard_protocol::{Key, TtlMs};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::shared::Shared;
use crate::verbs::verbs;
use crate::{ClientError, ConnectOptions, Event, home};

/// How long the end waits for what is still unsent.
const FAREWELL: Duration = Duration::from_secs(1);

/// As the async [`Client`](crate::Client), blocking. Cloning is a reference count; many threads may use clones at once.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

/// The order matters: the runtime goes last, when the client has let go of the connection.
#[derive(Debug)]
struct Inner {
    client: crate::Client,
    runtime: Runtime,
}

impl Client {
    /// As [`connect`](crate::Client::connect), on a thread of its own.
    ///
    /// # Errors
    /// As there, and [`ClientError::Unreachable`] when the thread cannot be had.
    pub fn connect(options: ConnectOptions) -> Result<Self, ClientError> {
        let socket = home::socket_path(options.socket.as_deref(), options.home.as_deref())?;
        let mut runtime = Runtime::start().map_err(|error| {
            let hint = "this process has no threads or descriptors left: end some";
            ClientError::unreachable(&socket, &error, hint)
        })?;
        let client = runtime.handle.block_on(crate::Client::connect(options))?;
        runtime.serves = Some(client.shared());
        Ok(Self { inner: Arc::new(Inner { client, runtime }) })
    }

    fn wait<F: Future>(&self, future: F) -> F::Output {
        self.inner.runtime.handle.block_on(future)
    }

    /// As [`opened`](crate::Client::opened).
    #[must_use]
    pub fn opened(&self) -> Arc<Opened> {
        self.inner.client.opened()
    }

    /// As [`call`](crate::Client::call).
    ///
    /// # Errors
    /// As there.
    pub fn call<V: Verb>(&self, params: &V) -> Result<V::Result, ClientError> {
        self.wait(self.inner.client.call(params))
    }

    /// As [`call_raw`](crate::Client::call_raw).
    ///
    /// # Errors
    /// As there.
    pub fn call_raw(&self, method: &str, params: &Json) -> Result<Json, ClientError> {
        self.wait(self.inner.client.call_raw(method, params))
    }

    /// As [`notify`](crate::Client::notify).
    ///
    /// # Errors
    /// As there.
    pub fn notify<V: Verb>(&self, params: &V) -> Result<(), ClientError> {
        self.wait(self.inner.client.notify(params))
    }

    /// As [`pending`](crate::Client::pending): the call is on its way, [`Pending::wait`] gives its result.
    pub fn pending<V: Verb>(&self, params: &V) -> Pending<V::Result> {
        Pending { pending: self.inner.client.pending(params), client: self.clone() }
    }

    /// As [`subscribe`](crate::Client::subscribe).
    ///
    /// # Errors
    /// As there.
    pub fn subscribe<V: Verb>(&self, params: &V) -> Result<EventStream, ClientError> {
        let stream = self.wait(self.inner.client.subscribe(params))?;
        Ok(self.stream(stream))
    }

    /// As [`notices`](crate::Client::notices).
    #[must_use]
    pub fn notices(&self) -> EventStream {
        self.stream(self.inner.client.notices())
    }

    /// As [`close`](crate::Client::close).
    ///
    /// # Errors
    /// As there.
    pub fn close(self, leave: bool) -> Result<(), ClientError> {
        self.wait(self.inner.client.clone().close(leave))
    }

    fn stream(&self, stream: crate::EventStream) -> EventStream {
        EventStream { stream, client: self.clone() }
    }
}

macro_rules! define {
    (
        calls { $($(#[$call_doc:meta])* $call:ident($($call_arg:ident: $call_type:ty),*) -> $result:ty = $call_params:expr;)* }
        subscriptions { $($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) = $params:expr;)* }
    ) => {
        /// The verbs, as those of the async client.
        impl Client {
            $(
                $(#[$call_doc])*
                pub fn $call(&self, $($call_arg: $call_type),*) -> Result<$result, ClientError> {
                    self.wait(self.inner.client.$call($($call_arg),*))
                }
            )*
            $(
                $(#[$doc])*
                pub fn $name(&self, $($arg: $type),*) -> Result<EventStream, ClientError> {
                    let stream = self.wait(self.inner.client.$name($($arg),*))?;
                    Ok(self.stream(stream))
                }
            )*
        }
    };
}

verbs!(define);

/// As the async [`Pending`](crate::Pending); dropped, it cancels the call.
#[must_use = "dropping it cancels the call"]
#[derive(Debug)]
pub struct Pending<T> {
    pending: crate::Pending<T>,
    client: Client,
}

impl<T: DeserializeOwned> Pending<T> {
    /// Blocks until the call is answered.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn wait(self) -> Result<T, ClientError> {
        self.client.wait(self.pending)
    }
}

/// As the async [`EventStream`](crate::EventStream); as an iterator it blocks until the next event, and ends when nothing more
/// will come.
#[derive(Debug)]
pub struct EventStream {
    stream: crate::EventStream,
    client: Client,
}

impl EventStream {
    /// The next event within `patience`; `None` also when nothing more will come (then [`Self::end`] says why).
    pub fn next_within(&mut self, patience: Duration) -> Option<Event> {
        let next = async { timeout(patience, self.stream.next()).await };
        self.client.wait(next).ok().flatten()
    }

    /// The next event, if it is there already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.stream.try_next()
    }

    /// The answer to the call that subscribed.
    #[must_use]
    pub fn answer(&self) -> &Json {
        self.stream.answer()
    }

    /// The subscription's number at present.
    #[must_use]
    pub fn subscription(&self) -> u64 {
        self.stream.subscription()
    }

    /// Why nothing more will come; `None` while something may.
    #[must_use]
    pub fn end(&self) -> Option<ClientError> {
        self.stream.end()
    }
}

impl Iterator for EventStream {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.client.wait(self.stream.next())
    }
}

/// A runtime on a thread of its own, which ends after the connection that it serves.
struct Runtime {
    handle: Handle,
    stop: Option<oneshot::Sender<Arc<Shared>>>,
    serves: Option<Arc<Shared>>,
    thread: Option<JoinHandle<()>>,
}

impl Runtime {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<Arc<Shared>>();
        let serve = async {
            if let Ok(shared) = stopped.await {
                // What is still unsent then can't be sent.
                let _ = timeout(FAREWELL, shared.ended()).await;
            }
        };
        let thread = thread::Builder::new()
            .name("callboard-client".to_owned())
            .spawn(move || runtime.block_on(serve))?;
        Ok(Self { handle, stop: Some(stop), serves: None, thread: Some(thread) })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        match (self.stop.take(), self.serves.take()) {
            // Fails only when the thread is gone.
            (Some(stop), Some(shared)) => drop(stop.send(shared)),
            (stop, _) => drop(stop),
        }
        if let Some(thread) = self.thread.take() {
            // A panic there was reported there.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}
