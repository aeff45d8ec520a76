//! Where the demo lives: a folder of its own, which is the home of its own daemon.
//!
//! Invariant: nothing outside of the folder is written, and it goes with the demo unless it is to be kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use callboard_client::{ClientError, home};

use crate::exit::Exit;
use crate::failure::Failure;

/// How many names are tried: those of demos that were killed, under the same process id, stand in the way.
const NAMES_MAX: u32 = 100;

/// The folder.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    is_kept: bool,
}

impl Place {
    /// A new folder that is for this user only, below the system's folder for temporary files.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn create(is_kept: bool) -> Result<Self, Failure> {
        let parent = std::env::temp_dir();
        let pid = std::process::id();
        let mut names = (0..NAMES_MAX).map(|count| parent.join(format!("callboard-demo-{pid}-{count}")));
        let made = names.find_map(|path| match create_private(&path) {
            Ok(()) => Some(Ok(path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
            Err(error) => Some(Err(error)),
        });
        let made = made.unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::AlreadyExists)));
        let failed =
            |error| Failure::new(Exit::Failure, format_args!("make a folder in {}", parent.display()), error);
        let place = Self { path: made.map_err(failed)?, is_kept };
        fs::create_dir(place.witness()).map_err(failed)?;
        Ok(place)
    }

    /// The folder, the daemon's home.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The daemon's socket.
    ///
    /// # Errors
    /// When the system does not say who the user is.
    pub fn socket(&self) -> Result<PathBuf, ClientError> {
        home::socket_of(&self.path)
    }

    /// Where the system's own locks are taken.
    pub fn witness(&self) -> PathBuf {
        self.path.join("witness")
    }

    /// Where the process `name` writes what it has to say.
    pub fn log(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.log"))
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

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_kept {
            // What can't be removed is below the folder that the system sweeps.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
