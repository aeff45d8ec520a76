//! The named pipe: byte mode, for the user and the system alone, closed to other machines.
//!
//! Invariant: there is always an instance that waits for a client, because the next one is made before the present one is
//! handed out; no instance serves two clients, because the runtime's buffers of one could reach the other. A pipe has no half
//! close: any end of it is a hang-up. `interprocess` makes the instances and waits for clients.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use callboard_windows::{access, pipe};
use interprocess::os::windows::ToWtf16 as _;
use interprocess::os::windows::named_pipe::PipeListenerOptions;
use interprocess::os::windows::named_pipe::pipe_mode::Bytes;
use interprocess::os::windows::named_pipe::tokio::{DuplexPipeStream, PipeListener};
use interprocess::os::windows::security_descriptor::SecurityDescriptor;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::timeout;

use super::{ListenerError, PeerIdentity};
use crate::instance::Instance;

/// Whether a peer still reads what it has not read yet when we close a stream: not what the runtime has not written yet.
pub const MAY_CLOSE_FIRST: bool = false;

/// Buffers of each pipe, in bytes, in each direction. The system's default would make every write wait for a read.
const STREAM_BUFFER_BYTES: u32 = 64 * 1024;
/// How long to wait after a refused accept: mostly the system has no memory for pipes, which comes back as clients leave.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a client that is turned away may take to read why.
const FAREWELL: Duration = Duration::from_secs(1);

/// A listening pipe.
#[derive(Debug)]
pub struct Listener {
    pipe: PipeListener<Bytes, Bytes>,
    path: PathBuf,
}

impl Listener {
    /// Listens at the pipe `path`. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`ListenerError`]: the name is none of a pipe, another program has it, or the system refuses.
    pub fn bind(path: &Path, _instance: &Instance) -> Result<Self, ListenerError> {
        if !pipe::is_name(path) {
            return Err(ListenerError::NotAPipe { path: path.to_owned() });
        }
        match listen(path) {
            Ok(pipe) => Ok(Self { pipe, path: path.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(ListenerError::PipeTaken { path: path.to_owned() })
            }
            Err(source) => Err(ListenerError::io("listen on", path, source)),
        }
    }

    /// Where clients find it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a file that has to be brought back and to be removed: never.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        false
    }

    /// Waits for the next client. A system that has no room is asked again every 50 ms, and that is told to the log. May be
    /// dropped at any time without losing a client.
    pub async fn accept(&self) -> (Stream, PeerIdentity) {
        let mut is_failing = false;
        loop {
            match self.pipe.accept().await {
                Ok(pipe) => {
                    let peer = PeerIdentity { pid: pipe.client_process_id().ok() };
                    return (Stream(pipe), peer);
                }
                Err(error) => {
                    if !is_failing {
                        tracing::warn!(%error, "no client can connect; trying on");
                    }
                    is_failing = true;
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Does nothing: a pipe can't be deleted.
    ///
    /// # Errors
    /// None here.
    #[expect(clippy::unnecessary_wraps, reason = "on other systems it can fail")]
    #[expect(clippy::needless_pass_by_ref_mut, reason = "on other systems the socket changes")]
    pub fn rebind(&mut self, _instance: &Instance) -> Result<bool, ListenerError> {
        Ok(false)
    }

    /// Stops listening.
    pub fn close(self) {}
}

fn listen(path: &Path) -> io::Result<PipeListener<Bytes, Bytes>> {
    let text = access::for_pipe()?;
    let text = text.as_str().to_wtf_16().map_err(io::Error::other)?;
    let options = PipeListenerOptions::new()
        .path(path)
        .accept_remote(false)
        .input_buffer_size_hint(STREAM_BUFFER_BYTES)
        .output_buffer_size_hint(STREAM_BUFFER_BYTES)
        .security_descriptor(Some(SecurityDescriptor::deserialize(&text)?));
    options.create_tokio_duplex::<Bytes>()
}

/// The stream of one client.
#[derive(Debug)]
pub struct Stream(DuplexPipeStream<Bytes>);

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

/// Flushing and ending are done as soon as they are asked for: the system's flush waits until the peer has read everything,
/// and there is no end of one direction.
impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    /// Else a thread would keep the pipe until the peer has read everything, be it never.
    fn drop(&mut self) {
        self.0.assume_flushed();
    }
}

/// Whether the peer is gone once its input has ended: always.
#[must_use]
pub fn is_hung_up(_stream: &Stream) -> bool {
    true
}

/// A future that ends when the peer is gone, once its input has ended: at once.
///
/// # Errors
/// None here.
#[expect(clippy::unnecessary_wraps, reason = "on other systems it can fail")]
pub fn hung_up(_stream: &Stream) -> io::Result<impl Future<Output = io::Result<()>> + Send + use<>> {
    Ok(std::future::ready(Ok(())))
}

/// Writes a line to a client that was just accepted, and closes as soon as the client did, or after a second.
pub fn say_and_close(mut stream: Stream, line: &[u8]) {
    let line = line.to_vec();
    tokio::spawn(timeout(FAREWELL, async move {
        stream.write_all(&line).await?;
        while stream.read(&mut [0; 256]).await? > 0 {}
        io::Result::Ok(())
    }));
}

#[cfg(test)]
mod tests;
