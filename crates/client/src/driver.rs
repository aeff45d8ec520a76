//! The task behind a client: it carries bytes both ways over one connection after the other.
//!
//! Invariant: one task owns the connection; reading never waits for writing nor the other way round, so two full socket buffers
//! can't stop both sides. Lacks any knowledge of methods.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use callboard_protocol::methods::session::Opened;
use interprocess::local_socket::tokio::Stream;
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use crate::ClientError;
use crate::connect::{Patience, Run, Session, Target};
use crate::shared::Shared;
use crate::wire::{Frames, Wire};

/// How long the daemon's last words are waited for when it takes nothing more: as long as it drops input after an error.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// A write buffer that grew past this is given back, in bytes.
const SPARE_BYTES_MAX: usize = 256 * 1024;

pub(crate) struct Driver {
    pub(crate) shared: Arc<Shared>,
    pub(crate) target: Target,
    pub(crate) run: Option<Run>,
}

impl Driver {
    /// Serves connections until the client is closed, or there is none to be had.
    pub(crate) async fn drive(mut self, mut wire: Wire) {
        loop {
            let reason: Arc<str> = self.serve(wire).await.into();
            let stopping = self.shared.lose(&reason);
            if !self.target.resume || self.shared.is_last() {
                return self.shared.end(&reason);
            }
            match self.reconnect(stopping).await {
                Ok(next) => wire = next,
                Err(why) => return self.shared.end(&format!("{reason}; then failed to {why}").into()),
            }
        }
    }

    /// Serves one connection; gives why it ended.
    async fn serve(&self, wire: Wire) -> String {
        let (stream, frames, early) = wire.into_parts();
        tokio::select! {
            reason = self.read(&stream, frames, early) => reason,
            reason = self.write(&stream) => reason,
        }
    }

    async fn read(&self, stream: &Stream, mut frames: Frames, early: VecDeque<Bytes>) -> String {
        for frame in early {
            if let Err(reason) = self.shared.dispatch(&frame) {
                return reason;
            }
        }
        loop {
            let dispatched = match frames.next(stream).await {
                Ok(frame) => self.shared.dispatch(&frame),
                Err(reason) => return reason,
            };
            if let Err(reason) = dispatched {
                return reason;
            }
        }
    }

    async fn write(&self, mut stream: &Stream) -> String {
        let mut buffer = Vec::new();
        while self.shared.unsent(&mut buffer).await {
            if let Err(error) = stream.write_all(&buffer).await {
                // Why the daemon takes nothing more may be on its way.
                sleep(LAST_WORDS).await;
                return error.to_string();
            }
            buffer.clear();
            buffer.shrink_to(SPARE_BYTES_MAX);
        }
        "this client was closed".to_owned()
    }

    /// Takes the session over on a new connection. Tries for as long as the session can be taken over, and no less than a
    /// first connection may take. After a clean stop no daemon is started here: somebody wanted it to stop.
    async fn reconnect(&mut self, stopping: bool) -> Result<Wire, ClientError> {
        let before: Arc<Opened> = self.shared.opened();
        let patience = Patience {
            bound: Duration::from_millis(before.grace_ms).max(self.target.connect_timeout),
            waits: true,
            spawns: !stopping,
        };
        let opening = self.target.open(Some(&before.resume_token), &patience);
        let Session { wire, opened, run } = tokio::select! {
            session = opening => session?,
            () = self.shared.closing() => return Err(ClientError::closed()),
        };
        let kept = opened.resumed && run == self.run;
        self.run = run;
        self.shared.reopen(opened, kept);
        Ok(wire)
    }
}
