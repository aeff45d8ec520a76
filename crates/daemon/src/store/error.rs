//! What can go wrong between the store and its files.

use std::io;
use std::path::{Path, PathBuf};

use super::line::{EncodeError, LineError};
use crate::files::ReplaceError;

/// Why the store could not be read or written. `Display` completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused to read.
    #[error("read {}: {source}; make it readable for this user", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file could not be written; the one before it stands.
    #[error(transparent)]
    Write(#[from] ReplaceError),
    /// A change has no form on disk.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A file could not be written on.
    #[error("write {}: {source}; make room or mend the disk", path.display())]
    Append {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A line is damaged.
    #[error("read {}, {fault}; nothing was changed: {advice}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line and its fault.
        fault: LineError,
        /// What to do about a damaged file of this kind.
        advice: &'static str,
    },
    /// A newer version of the program wrote the file.
    #[error("read {}: it has version {found} and this program reads up to {supported}; run a newer callboard", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that is understood.
        supported: u32,
    },
    /// The counter of the files, or of a namespace's revisions, is at its end.
    #[error("count on after {last} in {}: no larger number is left; clear the namespace or start with an empty store", path.display())]
    Exhausted {
        /// Where the number stands.
        path: PathBuf,
        /// The last number.
        last: u64,
    },
}

impl StoreError {
    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        Self::Append { path: path.to_owned(), source }
    }
}
