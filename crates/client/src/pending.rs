//! A call that was started and is not answered yet.
//!
//! Invariant: dropped before its answer came, it is withdrawn at the daemon too.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::ClientError;
use crate::shared::{Answer, Handle, Waiter};

/// A call under way; await it for its result, once.
///
/// Dropped before the answer came, it sends `session.cancel`: a request that still waits has then changed nothing. What was
/// granted a moment earlier stays granted: release such a lock by its names.
#[must_use = "dropping it cancels the call"]
pub struct Pending<T> {
    handle: Arc<Handle>,
    method: Arc<str>,
    stage: Stage,
    result: PhantomData<fn() -> T>,
}

enum Stage {
    /// It could not be started.
    Refused(ClientError),
    /// It was sent, or will be.
    Started { id: i64, answer: oneshot::Receiver<Answer> },
    /// Its result was handed out.
    Done,
}

impl<T> Pending<T> {
    /// Starts a call.
    pub(crate) fn start<P: Serialize + ?Sized>(handle: &Arc<Handle>, method: &str, params: &P) -> Self {
        let (reply, answer) = oneshot::channel();
        let sent = handle.shared().send(method, params, Some(Waiter::Reply(reply)));
        Self {
            handle: Arc::clone(handle),
            method: Arc::from(method),
            stage: match sent {
                Ok(id) => Stage::Started { id, answer },
                Err(error) => Stage::Refused(error),
            },
            result: PhantomData,
        }
    }
}

impl<T: DeserializeOwned> Future for Pending<T> {
    type Output = Result<T, ClientError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match &mut self.stage {
            Stage::Started { answer, .. } => ready!(Pin::new(answer).poll(context)),
            Stage::Refused(error) => Ok(Err(error.clone())),
            Stage::Done => Ok(Err(ClientError::disconnected(&"it was asked for its result twice".into()))),
        };
        self.stage = Stage::Done;
        let answer = answer.unwrap_or_else(|_| Err(ClientError::closed()));
        Poll::Ready(answer.and_then(|result| {
            serde_json::from_slice(&result).map_err(|error| ClientError::decode(&self.method, &error))
        }))
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if let Stage::Started { id, .. } = self.stage {
            self.handle.shared().cancel(id);
        }
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("method", &self.method).finish_non_exhaustive()
    }
}
