//! The named pipe on Windows: connecting once, and what a failure says about the other side.
//!
//! Invariant: a stream that comes out of here leads to a pipe of our own user, or of the system or the administrators, who
//! may do everything anyway; a server may learn who we are, and may not act in our name. `interprocess` carries the bytes;
//! the file behind is opened here, because it does not say the latter to the system.

use std::fs::OpenOptions;
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::{AsHandle as _, OwnedHandle};
use std::path::Path;

use callboard_windows::pipe;
use callboard_windows::user::{self, ADMINISTRATORS_SID, SYSTEM_SID};
use interprocess::local_socket::tokio::Stream;
use interprocess::os::windows::named_pipe::local_socket::tokio::Stream as Pipe;

use super::{Failure, LOOK_AT_IT, OVERLOADED, START_IT};
use crate::ClientError;

/// `FILE_FLAG_OVERLAPPED`: without it the runtime could not wait.
const OVERLAPPED: u32 = 0x4000_0000;
/// `SECURITY_IDENTIFICATION`: how far the server may go in our name.
const MAY_IDENTIFY: u32 = 0x0001_0000;
/// `ERROR_FILE_NOT_FOUND`: there is no such pipe.
const NOT_FOUND: i32 = 2;
/// `ERROR_PIPE_BUSY`: all instances have a client; the next one comes in a moment.
const BUSY: i32 = 231;

const ALLOW_IT: &str =
    "allow this process to use the pipe (a sandbox may forbid it), and run it as the daemon's user";
const NOT_OURS: &str =
    "another user serves this pipe: find out who does, and set CALLBOARD_SOCKET to another one";

/// Holds `path` against what a pipe may be called.
pub(crate) fn check_path(path: &Path) -> Result<(), ClientError> {
    if pipe::is_name(path) { Ok(()) } else { Err(ClientError::NotAPipe { path: path.to_owned() }) }
}

/// One attempt.
#[expect(clippy::unused_async, reason = "on other systems it waits")]
pub(super) async fn connect(path: &Path) -> Result<Stream, Failure> {
    open(path).map_err(|error| judge(path, &error))
}

fn open(path: &Path) -> io::Result<Stream> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).share_mode(0).custom_flags(OVERLAPPED).security_qos_flags(MAY_IDENTIFY);
    let file = options.open(path)?;
    let owner = user::owner_of_pipe(file.as_handle())?;
    if ![user::sid()?.as_str(), SYSTEM_SID, ADMINISTRATORS_SID].contains(&owner.as_str()) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it belongs to {owner}")));
    }
    let pipe = Pipe::try_from(OwnedHandle::from(file));
    let pipe = pipe.map_err(|error| error.cause.unwrap_or_else(|| io::ErrorKind::Unsupported.into()))?;
    Ok(Stream::NamedPipe(pipe))
}

fn judge(path: &Path, error: &io::Error) -> Failure {
    let unreachable = |hint| ClientError::unreachable(path, error, hint);
    match (error.raw_os_error(), error.kind()) {
        (Some(NOT_FOUND), _) => Failure::Absent(unreachable(START_IT)),
        (Some(BUSY), _) => Failure::Busy(unreachable(OVERLOADED)),
        // It went away between two steps.
        (_, io::ErrorKind::BrokenPipe) => Failure::Refused(unreachable(START_IT)),
        (_, io::ErrorKind::PermissionDenied) => Failure::Final(unreachable(ALLOW_IT)),
        (_, io::ErrorKind::InvalidData) => Failure::Final(unreachable(NOT_OURS)),
        (_, _other) => Failure::Final(unreachable(LOOK_AT_IT)),
    }
}
