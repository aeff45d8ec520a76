//! What goes through a client's stream, in as few and as cheap calls as the system has.
//!
//! Linux wakes a client that waits for its answer when its request is read, since there is room in the socket again
//! (`unix_write_space` in net/unix/af_unix.c). It finds no answer, sleeps again and has to be woken again. So a short
//! input can be looked at, and be taken out of the socket right before its answers are written: both make one wake-up.
//! There the calls go straight to the system: the C library makes each a point where a thread may be cancelled, which
//! nobody does here and every call would pay for.
//! Invariant: what was looked at is taken before the next look. Elsewhere streams are read and written as usual.

#[cfg(target_os = "linux")]
pub use linux::{poll_look, poll_read, poll_write, take};
#[cfg(not(target_os = "linux"))]
pub use plain::{poll_look, poll_read, poll_write, take};

/// What a look at the input gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// How many bytes there are; 0 is the end.
    pub bytes: usize,
    /// How many of them are still to be taken.
    pub left: usize,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::mem::MaybeUninit;
    use std::task::{Context, Poll, ready};

    use rustix::net::{RecvFlags, SendFlags, recv, send};
    use tokio::io::Interest;

    use super::Seen;
    use crate::listener::Stream;

    /// Longer input comes from a client that does not wait for each answer, and is read at once.
    const SHORT_BYTES: usize = 4 << 10;

    /// Reads what there is.
    pub fn poll_read(
        stream: &mut Stream,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<Seen>> {
        let read = ready!(poll_receive(stream, context, buffer, RecvFlags::empty()));
        Poll::Ready(read.map(|bytes| Seen { bytes, left: 0 }))
    }

    /// Copies what has come into `buffer`, which must have room for more than 4 KiB, and leaves it in the socket if it is
    /// short.
    pub fn poll_look(
        stream: &mut Stream,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<Seen>> {
        match ready!(poll_receive(stream, context, &mut buffer[..SHORT_BYTES], RecvFlags::PEEK)) {
            Ok(SHORT_BYTES) => poll_read(stream, context, buffer),
            looked => Poll::Ready(looked.map(|bytes| Seen { bytes, left: bytes })),
        }
    }

    fn poll_receive(
        stream: &Stream,
        context: &mut Context<'_>,
        buffer: &mut [u8],
        flags: RecvFlags,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(stream.poll_read_ready(context))?;
            let room = buffer.len();
            let receive = || Ok(recv(stream, &mut *buffer, flags)?.1);
            if let Some(received) = transfer(stream, Interest::READABLE, room, receive) {
                return Poll::Ready(received);
            }
        }
    }

    /// Writes as much as there is room for.
    pub fn poll_write(
        stream: &mut Stream,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(stream.poll_write_ready(context))?;
            let write = || Ok(send(&*stream, bytes, SendFlags::NOSIGNAL)?);
            if let Some(written) = transfer(stream, Interest::WRITABLE, bytes.len(), write) {
                return Poll::Ready(written);
            }
        }
    }

    /// Carries out one call for up to `wanted` bytes; `None` when the stream was not ready after all.
    fn transfer(
        stream: &Stream,
        interest: Interest,
        wanted: usize,
        call: impl FnOnce() -> io::Result<usize>,
    ) -> Option<io::Result<usize>> {
        let mut done = None;
        let outcome = stream.try_io(interest, || {
            let bytes = call()?;
            done = Some(bytes);
            // "Would block" tells the runtime that there is no more, and spares asking once more to learn it.
            if (1..wanted).contains(&bytes) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match (done, outcome) {
            (Some(bytes), _) => Some(Ok(bytes)),
            (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => Some(Err(error)),
            (None, _) => None,
        }
    }

    /// Takes `left` bytes out of the socket that a look has shown.
    ///
    /// # Errors
    /// The system's: the stream is of no use any more.
    pub fn take(stream: &Stream, mut left: usize) -> io::Result<()> {
        let mut buffer = [MaybeUninit::<u8>::uninit(); SHORT_BYTES];
        while left > 0 {
            let (_, bytes) = recv(stream, &mut buffer[..left], RecvFlags::empty())?;
            if bytes == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= bytes;
        }
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod plain {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

    use super::Seen;
    use crate::listener::Stream;

    pub use poll_read as poll_look;

    /// Reads what there is.
    pub fn poll_read(
        stream: &mut Stream,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<Seen>> {
        let mut buffer = ReadBuf::new(buffer);
        let read = ready!(Pin::new(stream).poll_read(context, &mut buffer));
        Poll::Ready(read.map(|()| Seen { bytes: buffer.filled().len(), left: 0 }))
    }

    /// Writes as much as there is room for.
    pub fn poll_write(
        stream: &mut Stream,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(stream).poll_write(context, bytes)
    }

    /// Nothing: what was looked at is taken already.
    ///
    /// # Errors
    /// None.
    pub fn take(_stream: &Stream, _left: usize) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::listener::Stream;

    /// Looks, and gives what was seen and how much of it is left.
    async fn look(stream: &mut Stream) -> (Vec<u8>, usize) {
        let mut buffer = vec![0; 32 << 10];
        let seen = poll_fn(|context| poll_look(stream, context, &mut buffer)).await.unwrap();
        buffer.truncate(seen.bytes);
        (buffer, seen.left)
    }

    /// Whether a look has to wait.
    async fn waits(stream: &mut Stream) -> bool {
        let mut buffer = vec![0; 32 << 10];
        poll_fn(|context| Poll::Ready(poll_look(stream, context, &mut buffer).is_pending())).await
    }

    #[tokio::test]
    async fn a_short_input_stays_until_it_is_taken_and_what_comes_meanwhile_is_not_lost() {
        let (mut ours, mut theirs) = Stream::pair().unwrap();
        theirs.write_all(b"first").await.unwrap();
        assert_eq!(look(&mut ours).await, (b"first".to_vec(), 5));
        theirs.write_all(b"second").await.unwrap();
        take(&ours, 5).unwrap();
        assert_eq!(look(&mut ours).await, (b"second".to_vec(), 6));
        take(&ours, 6).unwrap();
        assert!(waits(&mut ours).await);
        theirs.write_all(b"third").await.unwrap();
        assert_eq!(look(&mut ours).await, (b"third".to_vec(), 5));
    }

    #[tokio::test]
    async fn several_writes_are_one_look() {
        let (mut ours, mut theirs) = Stream::pair().unwrap();
        for word in [b"one,", b"two,"] {
            theirs.write_all(word).await.unwrap();
        }
        assert_eq!(look(&mut ours).await, (b"one,two,".to_vec(), 8));
    }

    #[tokio::test]
    async fn a_long_input_is_taken_at_once_and_in_order() {
        let (mut ours, mut theirs) = Stream::pair().unwrap();
        let sent: Vec<u8> = (0..9000).map(|place| (place % 251) as u8).collect();
        theirs.write_all(&sent).await.unwrap();
        drop(theirs);
        let mut heard = Vec::new();
        loop {
            let (bytes, left) = look(&mut ours).await;
            if bytes.is_empty() {
                break;
            }
            take(&ours, left).unwrap();
            heard.extend(bytes);
        }
        assert_eq!(heard, sent);
    }

    #[tokio::test]
    async fn the_end_of_input_is_seen_after_the_last_words() {
        let (mut ours, mut theirs) = Stream::pair().unwrap();
        theirs.write_all(b"last words").await.unwrap();
        drop(theirs);
        assert_eq!(look(&mut ours).await, (b"last words".to_vec(), 10));
        take(&ours, 10).unwrap();
        assert_eq!(look(&mut ours).await, (Vec::new(), 0));
    }

    #[tokio::test]
    async fn what_finds_no_room_waits_for_the_reader_and_arrives_in_order() {
        let (mut ours, mut theirs) = Stream::pair().unwrap();
        let sent: Vec<u8> = (0..1 << 20).map(|place| (place % 251) as u8).collect();
        let write = async {
            let (mut written, mut writes) = (0, 0);
            while written < sent.len() {
                written += poll_fn(|context| poll_write(&mut ours, context, &sent[written..])).await.unwrap();
                writes += 1;
            }
            writes
        };
        let read = async {
            let mut heard = Vec::new();
            while heard.len() < sent.len() {
                let (bytes, left) = look(&mut theirs).await;
                take(&theirs, left).unwrap();
                heard.extend(bytes);
            }
            heard
        };
        let (writes, heard) = tokio::join!(write, read);
        assert_eq!(heard, sent);
        assert!(writes > 1, "a MiB fitted into the socket");
    }
}
