//! What Windows says about files: owners, access lists, sharing. Leaf functions only, beside those for Unix.
//!
//! Access is granted by the home's list, which everything in it takes over: files need none of their own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsHandle;
use std::path::Path;

use callboard_windows::user::{ADMINISTRATORS_SID, SYSTEM_SID};
use callboard_windows::{access, disk, user};

use super::DirectoryError;

/// `FILE_FLAG_OPEN_REPARSE_POINT`: a link is opened itself, and not what it points to.
const OPEN_LINK: u32 = 0x0020_0000;
/// `FILE_FLAG_BACKUP_SEMANTICS`: without it the system opens no directory.
const OPEN_DIRECTORY: u32 = 0x0200_0000;
/// `FILE_SHARE_READ | FILE_SHARE_WRITE`: others may use the file, and may not rename or delete it while it is open.
const SHARE_ALL_BUT_ITS_NAME: u32 = 0x3;

/// Options for a file of ours: a symbolic link is not followed. Reading, writing and creating are for the caller to switch
/// on.
#[must_use]
pub fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(OPEN_LINK);
    options
}

/// Options for a file that will be locked: it keeps its name for as long as it is open.
#[must_use]
pub fn lock_options() -> OpenOptions {
    let mut options = private_options();
    options.share_mode(SHARE_ALL_BUT_ITS_NAME);
    options
}

/// Whether `path` still names the open `file`, which [`lock_options`] opened: the system sees to it.
#[must_use]
pub fn is_named(_file: &File, _path: &Path) -> bool {
    true
}

/// The file in which the holder of the lock at `path` leaves word for others: one beside it, since a locked file can be read
/// by nobody else.
///
/// # Errors
/// The system's error.
pub fn lock_note(_lock: &File, path: &Path) -> io::Result<File> {
    private_options().read(true).write(true).create(true).open(path.with_extension("pid"))
}

/// How many bytes we can still write below the directory `path`, if the system knows.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    disk::free_bytes(path).ok()
}

/// Writes at the end of a file that was opened for that.
pub(super) fn append(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)
}

/// Makes the content of a file durable.
pub(super) fn sync_content(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// Nothing to do: the system has no call for it, and keeps names by a journal of its own.
#[expect(clippy::unnecessary_wraps, reason = "on other systems it can fail")]
pub(super) fn sync_directory(_directory: &File) -> io::Result<()> {
    Ok(())
}

/// Creates a directory for the user and the system alone, and those above it that are missing; one that is there is left as
/// it is.
pub(super) fn create_private_directory(path: &Path) -> io::Result<()> {
    access::create_private_directory(path)
}

/// Opens the directory itself: an error for a link and for anything that is no directory.
pub(super) fn open_directory(path: &Path) -> io::Result<File> {
    let directory = OpenOptions::new().read(true).custom_flags(OPEN_LINK | OPEN_DIRECTORY).open(path)?;
    let metadata = directory.metadata()?;
    if metadata.is_dir() { Ok(directory) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

/// Refuses a directory that belongs to another user; takes the rights of others away. That is no news for anybody: where a
/// home is made by hand, others usually have some.
pub(super) fn make_private(directory: &File, path: &Path) -> Result<Option<u32>, DirectoryError> {
    let failed = |action| move |source| DirectoryError::io(action, path, source);
    let owner = user::owner_of_file(directory.as_handle()).map_err(failed("look at"))?;
    let ours = user::sid().map_err(failed("look at"))?;
    if ![ours.as_str(), ADMINISTRATORS_SID, SYSTEM_SID].contains(&owner.as_str()) {
        return Err(DirectoryError::NotOurs { path: path.to_owned(), owner, ours });
    }
    access::close_to_others(path).map_err(failed("change the access list of"))?;
    Ok(None)
}
