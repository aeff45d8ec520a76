//! Where the demo lives: a folder of its own, which is the home of its own daemon.
//!
//! Invariant: nothing outside of the folder is written, and it goes with the demo unless it is to be kept.

use std::fs;
use std::path::{Path, PathBuf};

use callboard_client::{ClientError, home};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::temporary::TemporaryFolder;

/// The folder.
#[derive(Debug)]
pub struct Place {
    folder: TemporaryFolder,
}

impl Place {
    /// A new folder that is for this user only, below the system's folder for temporary files.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn create(is_kept: bool) -> Result<Self, Failure> {
        let place = Self { folder: TemporaryFolder::create("demo", is_kept)? };
        let witness = place.witness();
        fs::create_dir(&witness).map_err(|error| {
            Failure::new(Exit::Failure, format_args!("make the folder {}", witness.display()), error)
        })?;
        Ok(place)
    }

    /// The folder, the daemon's home.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The daemon's socket.
    ///
    /// # Errors
    /// When the system does not say who the user is.
    pub fn socket(&self) -> Result<PathBuf, ClientError> {
        home::socket_of(self.path())
    }

    /// Where the system's own locks are taken.
    pub fn witness(&self) -> PathBuf {
        self.path().join("witness")
    }

    /// Where the process `name` writes what it has to say.
    pub fn log(&self, name: &str) -> PathBuf {
        self.path().join(format!("{name}.log"))
    }
}
