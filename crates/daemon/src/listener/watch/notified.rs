//! The watch over the socket's directory by the system's own means, inotify(7) on Linux.
//!
//! Invariant: what happens to other files of the directory wakes nobody.

use std::io;
use std::path::Path;
use std::sync::Arc;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use crate::listener::ListenerError;

/// The watch over one socket file; it ends when dropped.
#[derive(Debug)]
pub struct SocketWatch {
    changed: Arc<Notify>,
    _watcher: RecommendedWatcher,
}

impl SocketWatch {
    /// Watches the directory of `socket`.
    ///
    /// # Errors
    /// [`ListenerError::Watch`] when the system has no watches left, for instance. A daemon can do without.
    pub fn start(socket: &Path) -> Result<Self, ListenerError> {
        let failed =
            |error| ListenerError::Watch { path: socket.to_owned(), source: io::Error::other(error) };
        let changed = Arc::new(Notify::new());
        let directory = socket.parent().unwrap_or(Path::new("/"));
        let reported = reporter(socket, directory, Arc::clone(&changed));
        let mut watcher = notify::recommended_watcher(reported).map_err(failed)?;
        watcher.watch(directory, RecursiveMode::NonRecursive).map_err(failed)?;
        Ok(Self { changed, _watcher: watcher })
    }

    /// Waits until the socket file may have changed since the last call, or since the start. May be dropped at any time.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// An event without a path, or an error (a full queue), may hide what we look for, so it counts.
fn reporter(socket: &Path, directory: &Path, changed: Arc<Notify>) -> impl Fn(notify::Result<Event>) + use<> {
    let relevant = [socket.to_owned(), directory.to_owned()];
    move |event| {
        let is_about_others = event.is_ok_and(|event| {
            matches!(event.kind, EventKind::Access(_))
                || !(event.paths.is_empty() || event.paths.iter().any(|path| relevant.contains(path)))
        });
        if !is_about_others {
            changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_to_other_files_wakes_nobody() {
        let directory = Path::new("/users/ada/.callboard");
        let changed = Arc::new(Notify::new());
        let report = reporter(&directory.join("s.sock"), directory, Arc::clone(&changed));
        let event = |name: &str| Event::new(EventKind::Any).add_path(directory.join(name));
        let mut woken = is_woken(&changed);
        report(Ok(event("callboard.lock")));
        assert!(!woken());
        report(Ok(event("s.sock")));
        assert!(woken());
    }

    fn is_woken(changed: &Notify) -> impl FnMut() -> bool + '_ {
        let mut notified = Box::pin(changed.notified());
        move || notified.as_mut().enable()
    }
}
