//! A folder of one run of this program, below the system's folder for temporary files.
//!
//! Invariant: it is new, for this user only, and goes with the run unless it is to be kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::exit::Exit;
use crate::failure::Failure;

/// How many names are tried: those of runs that were killed, under the same process id, stand in the way.
const NAMES_MAX: u32 = 100;

/// The folder.
#[derive(Debug)]
pub struct TemporaryFolder {
    path: PathBuf,
    is_kept: bool,
}

impl TemporaryFolder {
    /// A new one for `purpose`.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn create(purpose: &str, is_kept: bool) -> Result<Self, Failure> {
        let parent = std::env::temp_dir();
        let pid = std::process::id();
        let mut names = (0..NAMES_MAX).map(|count| parent.join(format!("callboard-{purpose}-{pid}-{count}")));
        let made = names.find_map(|path| match create_private(&path) {
            Ok(()) => Some(Ok(path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
            Err(error) => Some(Err(error)),
        });
        let made = made.unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::AlreadyExists)));
        let path = made.map_err(|error| {
            Failure::new(Exit::Failure, format_args!("make a folder in {}", parent.display()), error)
        })?;
        Ok(Self { path, is_kept })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// The system's folder for temporary files is the user's own here.
#[cfg(windows)]
fn create_private(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if !self.is_kept {
            // What can't be removed is below the folder that the system sweeps.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
