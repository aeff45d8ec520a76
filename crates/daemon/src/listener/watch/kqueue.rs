//! The watch over the socket's directory by kqueue(2).
//!
//! Invariant: only the directory is watched. Opening a socket file is an error on macOS, and watches on its neighbours would
//! wake the daemon for each line of its own journal.
#![expect(unsafe_code, reason = "the system takes descriptors on trust")]
#![warn(clippy::undocumented_unsafe_blocks)]

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::Path;
use std::ptr;
use std::time::Duration;

use rustix::event::kqueue::{Event, EventFilter, EventFlags, VnodeEvents, kevent, kqueue};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::listener::ListenerError;

/// The watch over one socket file; it ends when dropped.
#[derive(Debug)]
pub struct SocketWatch {
    queue: AsyncFd<OwnedFd>,
    /// What the queue watches. After it, so that it is closed after it.
    _directory: File,
}

impl SocketWatch {
    /// Watches the directory of `socket`. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`ListenerError::Watch`] when the system has no descriptors left, for instance. A daemon can do without.
    pub fn start(socket: &Path) -> Result<Self, ListenerError> {
        watch(socket.parent().unwrap_or(Path::new("/")))
            .map_err(|source| ListenerError::Watch { path: socket.to_owned(), source })
    }

    /// Waits until the socket file may have changed since the last call, or since the start. May be dropped at any time.
    pub async fn changed(&self) {
        if let Err(error) = self.event().await {
            tracing::debug!(%error, "the socket's directory is not watched any more");
            std::future::pending().await
        }
    }

    async fn event(&self) -> io::Result<()> {
        loop {
            let mut ready = self.queue.readable().await?;
            // "Would block" makes the runtime wait for the next event.
            if let Ok(taken) = ready.try_io(|queue| take_event(queue.get_ref())) {
                return taken;
            }
        }
    }
}

fn watch(directory: &Path) -> io::Result<SocketWatch> {
    let directory = File::open(directory)?;
    let queue = kqueue()?;
    let vnode = EventFilter::Vnode {
        vnode: directory.as_raw_fd(),
        flags: VnodeEvents::WRITE | VnodeEvents::DELETE | VnodeEvents::RENAME | VnodeEvents::REVOKE,
    };
    let wanted = Event::new(vnode, EventFlags::ADD | EventFlags::CLEAR, ptr::null_mut());
    // SAFETY: `SocketWatch` drops the queue before the directory that it watches.
    unsafe { kevent(&queue, &[wanted], &mut [MaybeUninit::uninit(); 0], None) }?;
    // SAFETY: the queue belongs to what it is registered with, and nothing else closes it.
    let queue = unsafe { AsyncFd::register_with_interest(queue, Interest::READABLE) }?;
    Ok(SocketWatch { queue, _directory: directory })
}

/// Takes the directory's event out of the queue, where there is at most one: what happens meanwhile joins it.
fn take_event(queue: &impl AsFd) -> io::Result<()> {
    let mut room = [MaybeUninit::uninit(); 1];
    // SAFETY: no descriptor is handed over.
    let (taken, _) = unsafe { kevent(queue, &[], &mut room, Some(Duration::ZERO)) }?;
    if taken.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
}
