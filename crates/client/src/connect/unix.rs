//! The stream on Unix: connecting once, and what a failure says about the other side.
//!
//! Invariant: a stream that comes out of here is connected. The only module that knows what a socket path may be.

use std::io;
use std::path::Path;

use interprocess::local_socket::tokio::Stream;
use interprocess::local_socket::traits::tokio::Stream as _;
use interprocess::local_socket::{GenericFilePath, ToFsName as _};

use super::{Failure, LOOK_AT_IT, OVERLOADED, START_IT};
use crate::ClientError;

/// The longest path of a socket, in bytes: `sun_path` of unix(7) without the zero at its end.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PATH_BYTES_MAX: usize = 107;
/// The longest path of a socket, in bytes: `sun_path` of unix(4) without the zero at its end.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PATH_BYTES_MAX: usize = 103;

/// Buffers of the stream, in bytes: as large as the daemon's own, for the same reasons.
#[cfg(target_os = "macos")]
const STREAM_BUFFER_BYTES: usize = 256 * 1024;

const ALLOW_IT: &str =
    "allow this process to use the socket (a sandbox may forbid it), and look at its owner and mode";

/// Holds `path` against what fits into an address.
pub(crate) fn check_path(path: &Path) -> Result<(), ClientError> {
    let len = path.as_os_str().len();
    if len > PATH_BYTES_MAX {
        return Err(ClientError::PathTooLong { path: path.to_owned(), len, max: PATH_BYTES_MAX });
    }
    Ok(())
}

/// One attempt.
pub(super) async fn connect(path: &Path) -> Result<Stream, Failure> {
    let attempt = async {
        let stream = Stream::connect(path.to_fs_name::<GenericFilePath>()?).await?;
        let Stream::UdSocket(socket) = &stream;
        // With a full accept queue Linux answers EAGAIN, and the socket counts as writable though it is not connected.
        // macOS refuses instead, and knows no address of a daemon that hung up with a word why.
        if cfg!(any(target_os = "linux", target_os = "android")) {
            socket.inner().peer_addr()?;
        }
        raise_buffers(socket.inner());
        Ok(stream)
    };
    attempt.await.map_err(|error| judge(path, &error))
}

/// A stream whose buffers keep their size works all the same.
#[cfg(target_os = "macos")]
fn raise_buffers(stream: &tokio::net::UnixStream) {
    use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
    let _ = set_socket_send_buffer_size(stream, STREAM_BUFFER_BYTES);
    let _ = set_socket_recv_buffer_size(stream, STREAM_BUFFER_BYTES);
}

/// Elsewhere the default is right.
#[cfg(not(target_os = "macos"))]
fn raise_buffers(_: &tokio::net::UnixStream) {}

fn judge(path: &Path, error: &io::Error) -> Failure {
    let unreachable = |hint| ClientError::unreachable(path, error, hint);
    match error.kind() {
        io::ErrorKind::NotFound => Failure::Absent(unreachable(START_IT)),
        io::ErrorKind::ConnectionRefused => Failure::Refused(unreachable(START_IT)),
        io::ErrorKind::WouldBlock
        | io::ErrorKind::NotConnected
        | io::ErrorKind::Interrupted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe => Failure::Busy(unreachable(OVERLOADED)),
        io::ErrorKind::PermissionDenied => Failure::Final(unreachable(ALLOW_IT)),
        _other => Failure::Final(unreachable(LOOK_AT_IT)),
    }
}
