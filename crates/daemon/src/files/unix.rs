//! What Unix says about files: modes, owners, identities. Leaf functions only, so that another system can stand beside them.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use super::DirectoryError;

/// Mode of a private directory: all for its owner, nothing for others.
const PRIVATE_MODE: u32 = 0o700;
/// Mode of a private file.
const PRIVATE_FILE_MODE: u32 = 0o600;
/// The bits with which the group or all others may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// The permission bits of a mode; the rest is the file's type.
const PERMISSION_BITS: u32 = 0o7777;
/// In a directory with this bit, only a file's owner may remove or rename it.
const STICKY: u32 = 0o1000;
/// The superuser: whoever it is may write everywhere anyway.
const ROOT_UID: u32 = 0;

/// Which file it is, whatever its path says by now: two equal identities on one running system are one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// The identity in `metadata`, which `File::metadata` or `std::fs::symlink_metadata` gave.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// The identity of what `path` names now, a symbolic link itself and not what it points to; `None` if nothing is there.
    ///
    /// # Errors
    /// The system's error when it cannot say.
    pub fn at(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(Self::of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Options for a file of ours: mode 0600 when created, an error when the path is a symbolic link. Reading, writing and
/// creating are for the caller to switch on.
#[must_use]
pub fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(PRIVATE_FILE_MODE).custom_flags(flags(OFlags::NOFOLLOW));
    options
}

/// Options for a file that will be locked.
#[must_use]
pub fn lock_options() -> OpenOptions {
    private_options()
}

/// Whether `path` still names the open `file`.
#[must_use]
pub fn is_named(file: &File, path: &Path) -> bool {
    let open = file.metadata().map(|metadata| FileIdentity::of(&metadata));
    match (open, FileIdentity::at(path)) {
        (Ok(open), Ok(Some(named))) => open == named,
        (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
    }
}

/// The file in which the holder of the lock on `lock`, at `path`, leaves word for others: the locked file itself.
///
/// # Errors
/// The system's error.
pub fn lock_note(lock: &File, _path: &Path) -> io::Result<File> {
    lock.try_clone()
}

/// Writes at the end of a file that was opened for that. On Linux it goes straight to the system: in the C library each
/// call is a point where a thread may be cancelled, and pays for it.
pub(super) fn append(file: &File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::retry_on_intr(|| rustix::io::write(file, bytes))? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => bytes = &bytes[written..],
        }
    }
    Ok(())
}

/// Makes the content of a file durable.
pub(super) fn sync_content(file: &File) -> io::Result<()> {
    or_fsync(file, file.sync_data())
}

/// Makes the names in an open directory durable.
pub(super) fn sync_directory(directory: &File) -> io::Result<()> {
    or_fsync(directory, directory.sync_all())
}

/// On macOS the standard library has the disk itself empty its cache (F_FULLFSYNC of fcntl(2)), because fsync(2) stops short of
/// that. Volumes that have no such thing, network ones mostly, get the fsync(2) that they know.
#[cfg(target_os = "macos")]
fn or_fsync(file: &File, synced: io::Result<()>) -> io::Result<()> {
    use rustix::io::Errno;
    let unknown = [Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOTTY, Errno::INVAL];
    match synced {
        Err(error) if unknown.iter().any(|unknown| error.raw_os_error() == Some(unknown.raw_os_error())) => {
            Ok(rustix::fs::fsync(file)?)
        }
        done => done,
    }
}

#[cfg(not(target_os = "macos"))]
fn or_fsync(_: &File, synced: io::Result<()>) -> io::Result<()> {
    synced
}

/// Whether `metadata` names us as the owner.
pub(super) fn is_ours(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw()
}

/// Creates a directory with mode 0700, and those above it that are missing; one that is there is left as it is.
pub(super) fn create_private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(PRIVATE_MODE).create(path)
}

/// How many bytes this user can still write below `path`.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

/// Opens the directory itself: an error for a symbolic link and for anything that is no directory.
pub(super) fn open_directory(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags(OFlags::NOFOLLOW | OFlags::DIRECTORY)).open(path)
}

/// Refuses a directory that is not ours or that others may write to; takes their other rights away.
/// Returns the mode before, when it had to be changed.
pub(super) fn make_private(directory: &File, path: &Path) -> Result<Option<u32>, DirectoryError> {
    let metadata = directory.metadata().map_err(|source| DirectoryError::io("look at", path, source))?;
    if !is_ours(&metadata) {
        return Err(not_ours(path, &metadata));
    }
    let mode = metadata.mode() & PERMISSION_BITS;
    if mode & WRITABLE_BY_OTHERS != 0 {
        return Err(DirectoryError::WritableByOthers { path: path.to_owned(), mode });
    }
    if mode == PRIVATE_MODE {
        return Ok(None);
    }
    directory
        .set_permissions(Permissions::from_mode(PRIVATE_MODE))
        .map_err(|source| DirectoryError::io("change the mode of", path, source))?;
    Ok(Some(mode))
}

/// Refuses a directory in which others could replace a file of ours: it belongs to us or to root, and others may write
/// to it only when it has the sticky bit.
pub(super) fn check_shared(path: &Path) -> Result<(), DirectoryError> {
    let metadata = std::fs::metadata(path).map_err(|source| DirectoryError::io("look at", path, source))?;
    if !is_ours(&metadata) && metadata.uid() != ROOT_UID {
        return Err(not_ours(path, &metadata));
    }
    let mode = metadata.mode() & PERMISSION_BITS;
    if mode & WRITABLE_BY_OTHERS != 0 && mode & STICKY == 0 {
        return Err(DirectoryError::WritableByOthers { path: path.to_owned(), mode });
    }
    Ok(())
}

fn not_ours(path: &Path, metadata: &Metadata) -> DirectoryError {
    DirectoryError::NotOurs {
        path: path.to_owned(),
        owner: format!("uid {}", metadata.uid()),
        ours: format!("uid {}", rustix::process::geteuid().as_raw()),
    }
}

fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}
