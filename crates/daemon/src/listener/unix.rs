//! The Unix socket: bound by us, or handed over by a service manager.
//!
//! Invariant: the socket file has mode 0600 from its first moment where the system can do that; elsewhere the directory and
//! the check of each peer's uid keep others out. `interprocess` binds and accepts; its own removal of names is off, because
//! it knows nothing of the instance lock.

use std::fs;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use interprocess::local_socket::traits::StreamCommon as _;
use interprocess::local_socket::traits::tokio::Listener as _;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName as _};
use interprocess::os::unix::local_socket::ListenerOptionsExt as _;
use interprocess::os::unix::uds_local_socket::tokio::{Listener as Socket, Stream as Client};

use super::{ListenerError, PeerIdentity};
use crate::files::FileIdentity;
use crate::instance::Instance;

/// The stream of one client: `into_split` gives its halves, `as_ref` of a half gives the descriptor for [`super::hung_up`].
pub type Stream = tokio::net::UnixStream;

/// Whether a peer still reads what it has not read yet when we close a stream.
pub const MAY_CLOSE_FIRST: bool = true;

/// The longest path of a socket, in bytes: `sun_path` of unix(7) without the zero at its end.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PATH_BYTES_MAX: usize = 107;
/// The longest path of a socket, in bytes: `sun_path` of unix(4) without the zero at its end.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PATH_BYTES_MAX: usize = 103;
/// Mode of the socket file: connecting needs the right to write.
const SOCKET_MODE: u16 = 0o600;
/// How long to wait after a refused accept: mostly descriptors have run out, and those come back as clients leave.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Buffers of each stream, in bytes. The 8 KiB of macOS (`net.local.stream.sendspace`) would cut a frame of a few MiB into
/// hundreds of wake-ups; Linux gives 208 KiB, this is the next power of two, and far below `kern.ipc.maxsockbuf`. Memory is
/// taken only for what waits to be read.
#[cfg(target_os = "macos")]
const STREAM_BUFFER_BYTES: usize = 256 * 1024;
/// The user who may do everything anyway.
const ROOT_UID: u32 = 0;

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    path: PathBuf,
    /// The socket file that this process created; `None` for a socket of the service manager, who owns its name.
    bound: Option<FileIdentity>,
}

impl Listener {
    /// Listens at `path`, with mode 0600. A socket that a dead daemon left is removed first: `_instance` is the proof that
    /// it is dead. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`ListenerError`]: the path is too long, something else is there, or the system refuses.
    pub fn bind(path: &Path, _instance: &Instance) -> Result<Self, ListenerError> {
        let (socket, identity) = bind(path)?;
        Ok(Self { socket, path: path.to_owned(), bound: Some(identity) })
    }

    /// Takes a listening socket that somebody else bound. Must be called inside a tokio runtime.
    pub(super) fn from_activated(descriptor: OwnedFd) -> Result<Self, ListenerError> {
        let socket = Socket::try_from(descriptor).map_err(|source| ListenerError::Activation { source })?;
        let address = socket.inner().local_addr().map_err(|source| ListenerError::Activation { source })?;
        let path = address.as_pathname().map(Path::to_owned).unwrap_or_default();
        Ok(Self { socket, path, bound: None })
    }

    /// Where clients find it; empty for a socket of the service manager without a path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this process created the socket file, and so has to bring it back and to remove it.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.bound.is_some()
    }

    /// Waits for the next client that may connect. Others are closed at once, and a system that is out of descriptors is
    /// asked again every 50 ms; both are told to the log. May be dropped at any time without losing a client.
    pub async fn accept(&self) -> (Stream, PeerIdentity) {
        let mut is_failing = false;
        loop {
            match self.socket.accept().await {
                Ok(client) => {
                    if let Some(admitted) = admit(client) {
                        return admitted;
                    }
                }
                Err(error) => {
                    if !is_failing {
                        tracing::warn!(%error, "no client can connect; trying on (are descriptors used up?)");
                    }
                    is_failing = true;
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Brings the socket file back when it was deleted or replaced; `true` if it had to. Clients that are connected notice
    /// nothing; those that wait in the old socket's queue are lost. Does nothing for a socket of the service manager.
    ///
    /// # Errors
    /// [`ListenerError::LockLost`] when the instance lock was deleted too; else as [`Self::bind`], and the old socket stays.
    pub fn rebind(&mut self, instance: &Instance) -> Result<bool, ListenerError> {
        let Some(bound) = self.bound else {
            return Ok(false);
        };
        if is_at(bound, &self.path) {
            return Ok(false);
        }
        if !instance.is_current() {
            return Err(ListenerError::LockLost { path: self.path.clone() });
        }
        let (socket, identity) = bind(&self.path)?;
        self.socket = socket;
        self.bound = Some(identity);
        Ok(true)
    }

    /// Stops listening, and removes the socket file if it is still the one that this process created. To be called before
    /// the instance lock is given back.
    pub fn close(self) {
        if !self.bound.is_some_and(|bound| is_at(bound, &self.path)) {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(socket = %self.path.display(), %error, "the socket could not be removed");
        }
    }
}

/// Writes a line to a client that was just accepted, and closes. Not through the runtime, which takes a socket for full until
/// it has heard of it: a fresh socket's buffer takes a line, and a client that is gone misses nothing.
pub fn say_and_close(stream: Stream, line: &[u8]) {
    let _ = stream.into_std().and_then(|mut stream| stream.write_all(line));
}

fn is_at(bound: FileIdentity, path: &Path) -> bool {
    matches!(FileIdentity::at(path), Ok(Some(present)) if present == bound)
}

fn bind(path: &Path) -> Result<(Socket, FileIdentity), ListenerError> {
    check_length(path)?;
    remove_stale(path)?;
    let socket = match listen(path, true) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => listen(path, false).and_then(|socket| {
            fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE.into())).map(|()| socket)
        }),
        listening => listening,
    };
    let socket = socket.map_err(|source| ListenerError::io("listen on", path, source))?;
    match FileIdentity::at(path) {
        Ok(Some(identity)) => Ok((socket, identity)),
        Ok(None) => Err(ListenerError::io("find", path, io::ErrorKind::NotFound.into())),
        Err(source) => Err(ListenerError::io("look at", path, source)),
    }
}

fn listen(path: &Path, with_mode: bool) -> io::Result<Socket> {
    let options = ListenerOptions::new()
        .name(path.to_fs_name::<GenericFilePath>()?)
        .reclaim_name(false)
        .try_overwrite(false);
    let options = if with_mode { options.mode(SOCKET_MODE.into()) } else { options };
    options.create_tokio_as::<Socket>()
}

fn check_length(path: &Path) -> Result<(), ListenerError> {
    let len = path.as_os_str().as_bytes().len();
    if len <= PATH_BYTES_MAX {
        return Ok(());
    }
    Err(ListenerError::PathTooLong { path: path.to_owned(), len, max: PATH_BYTES_MAX })
}

fn remove_stale(path: &Path) -> Result<(), ListenerError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {
            fs::remove_file(path).map_err(|source| ListenerError::io("remove the stale", path, source))
        }
        Ok(_) => Err(ListenerError::NotASocket { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(ListenerError::io("look at", path, source)),
    }
}

fn admit(client: Client) -> Option<(Stream, PeerIdentity)> {
    let (uid, pid) = match credentials(&client) {
        Ok(credentials) => credentials,
        Err(error) => {
            tracing::warn!(%error, "a client was turned away: the system does not say who it is");
            return None;
        }
    };
    let peer = PeerIdentity { pid: pid.and_then(|pid| u32::try_from(pid).ok()) };
    if !may_connect(uid, rustix::process::geteuid().as_raw()) {
        tracing::warn!(uid, pid = peer.pid, "a client of another user was turned away");
        return None;
    }
    let stream = client.into();
    raise_buffers(&stream);
    Some((stream, peer))
}

/// The uid of a client, and its process where the system tells. Of a client that has left again macOS knows the uid alone;
/// what it asked for is carried out all the same.
fn credentials(client: &Client) -> io::Result<(u32, Option<i32>)> {
    match client.inner().peer_cred() {
        Ok(credentials) => Ok((credentials.uid(), credentials.pid())),
        Err(error) => Ok((client.peer_creds()?.euid().ok_or(error)?, None)),
    }
}

fn may_connect(uid: u32, own_uid: u32) -> bool {
    uid == own_uid || uid == ROOT_UID
}

#[cfg(target_os = "macos")]
fn raise_buffers(stream: &Stream) {
    use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
    let raised = set_socket_send_buffer_size(stream, STREAM_BUFFER_BYTES)
        .and_then(|()| set_socket_recv_buffer_size(stream, STREAM_BUFFER_BYTES));
    if let Err(error) = raised {
        tracing::debug!(%error, "the buffers of a stream keep their size");
    }
}

/// Elsewhere the default is right.
#[cfg(not(target_os = "macos"))]
fn raise_buffers(_: &Stream) {}

#[cfg(test)]
mod tests;
