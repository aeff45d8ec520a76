//! Whether the other end is gone for good, or has only said all that it had to say.
//!
//! Invariant: only a close of both directions counts, and waiting for it costs nothing until the socket changes.
//! Reading gives the same end of input in both cases. poll(2) tells them apart: POLLHUP means that both directions are
//! closed. On macOS that holds for the write filter alone, which is why POLLOUT is asked for.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdUnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Whether the peer of this socket has closed both directions. A peer that only ended its own sending has not. If the
/// system cannot say (never seen), the peer counts as there: its replies will fail then.
#[must_use]
pub fn is_hung_up(socket: &impl AsFd) -> bool {
    let mut polled = [PollFd::new(socket, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut polled, Some(&now)) {
        Ok(_) => polled[0].revents().contains(PollFlags::HUP),
        Err(_) => false,
    }
}

/// A future that ends when the peer of this socket has closed both directions, also if it has already. It has a descriptor
/// of its own, a second one for the same socket, so it must be dropped for the connection to be closed. Both directions are
/// also closed when we end our own sending after the peer did. Must be called inside a tokio runtime.
///
/// # Errors
/// The system's error when there is no second descriptor to be had; the future ends with one when the runtime stops.
pub fn hung_up<S: AsFd>(socket: &S) -> io::Result<impl Future<Output = io::Result<()>> + Send + use<S>> {
    let watched = StdUnixStream::from(socket.as_fd().try_clone_to_owned()?);
    watched.set_nonblocking(true)?;
    let watched = UnixStream::from_std(watched)?;
    Ok(async move {
        loop {
            // Room in the buffer counts as ready too. "Would block" makes the runtime wait for the next change.
            if watched.ready(Interest::WRITABLE).await?.is_write_closed() {
                return Ok(());
            }
            match watched.try_io(Interest::WRITABLE, || look(&watched)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    })
}

fn look(socket: &UnixStream) -> io::Result<()> {
    if is_hung_up(socket) { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{Read as _, Write as _};
    use std::net::Shutdown;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::task::JoinHandle;
    use tokio::time::timeout;

    use super::*;

    /// Far more than a wake-up takes on a busy machine.
    const PROMPTLY: Duration = Duration::from_secs(5);

    /// A task that waits for the hang-up, and counts how often it was woken.
    struct Watcher {
        task: JoinHandle<io::Result<()>>,
        polls: Arc<AtomicUsize>,
    }

    impl Watcher {
        fn of(socket: &StdUnixStream) -> Self {
            let mut gone = Box::pin(hung_up(socket).unwrap());
            let polls = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&polls);
            let task = tokio::spawn(poll_fn(move |context| {
                counted.fetch_add(1, Ordering::Relaxed);
                gone.as_mut().poll(context)
            }));
            Self { task, polls }
        }

        /// Lets the runtime hand out all events that are there; then the task must wait, and not have been kept busy.
        async fn assert_it_waits_at_rest(&self) {
            for _ in 0..512 {
                tokio::task::yield_now().await;
            }
            assert!(!self.task.is_finished());
            let polls = self.polls.load(Ordering::Relaxed);
            assert!(polls <= 4, "woken {polls} times");
        }

        async fn assert_it_ends(self) {
            timeout(PROMPTLY, self.task).await.unwrap().unwrap().unwrap();
        }
    }

    #[test]
    fn a_closed_peer_is_told_from_one_that_only_stopped_sending() {
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        assert!(!is_hung_up(&ours));
        theirs.shutdown(Shutdown::Write).unwrap();
        assert_eq!((&ours).read(&mut [0; 1]).unwrap(), 0, "the end of input looks the same");
        assert!(!is_hung_up(&ours));
        drop(theirs);
        assert!(is_hung_up(&ours));
    }

    #[test]
    fn unread_input_does_not_hide_a_hang_up() {
        let (ours, mut theirs) = StdUnixStream::pair().unwrap();
        theirs.write_all(b"last words").unwrap();
        drop(theirs);
        assert!(is_hung_up(&ours));
        let mut heard = String::new();
        (&ours).read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "last words");
    }

    #[tokio::test]
    async fn a_half_close_is_not_taken_for_a_hang_up_and_the_later_close_is_seen() {
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        let watcher = Watcher::of(&ours);
        watcher.assert_it_waits_at_rest().await;
        theirs.shutdown(Shutdown::Write).unwrap();
        watcher.assert_it_waits_at_rest().await;
        drop(theirs);
        watcher.assert_it_ends().await;
    }

    #[tokio::test]
    async fn a_close_is_seen_even_when_our_replies_fill_the_buffer() {
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        while (&ours).write(&[0; 4096]).is_ok() {}
        let watcher = Watcher::of(&ours);
        watcher.assert_it_waits_at_rest().await;
        drop(theirs);
        watcher.assert_it_ends().await;
    }

    #[tokio::test]
    async fn a_close_before_the_call_is_seen() {
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        drop(theirs);
        Watcher::of(&ours).assert_it_ends().await;
    }
}
