//! The files of one directory as the store sees them: few operations, each of which a test can make fail.
//!
//! Invariant: names are plain, without separators; what is written is volatile until [`VolumeFile::sync`], a name that was
//! created, renamed or removed until [`Volume::sync_names`]. It knows no format. There is no seeking and no truncating: a file
//! grows at its end or is replaced as a whole.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use super::{PrivateDirectory, private_options};

/// A directory of the store's files.
pub trait Volume: Debug + Send + Sync {
    /// The path of a file, for people.
    fn path_of(&self, name: &str) -> PathBuf;

    /// All names, in no order.
    ///
    /// # Errors
    /// The system's error.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Opens a file for reading from its start.
    ///
    /// # Errors
    /// The system's error, also for a symbolic link.
    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>>;

    /// Creates a file that must not be there yet.
    ///
    /// # Errors
    /// The system's error.
    fn create(&self, name: &str) -> io::Result<Arc<dyn VolumeFile>>;

    /// Gives a file another name, in the place of whatever had it.
    ///
    /// # Errors
    /// The system's error; both names are as before then.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The system's error.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes durable which names there are.
    ///
    /// # Errors
    /// The system's error; names may then be lost in a power cut.
    fn sync_names(&self) -> io::Result<()>;

    /// How many bytes can still be written, if the system knows.
    fn free_bytes(&self) -> Option<u64>;
}

/// A file that grows at its end. One thread may write while another one syncs.
pub trait VolumeFile: Debug + Send + Sync {
    /// Adds all of `bytes`. After an error some of them may have been added.
    ///
    /// # Errors
    /// The system's error.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Returns when all that was added before is on the disk.
    ///
    /// # Errors
    /// The system's error; what was added may be lost then, and a later success means nothing for it.
    fn sync(&self) -> io::Result<()>;
}

impl Volume for PrivateDirectory {
    fn path_of(&self, name: &str) -> PathBuf {
        self.join(name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(self.path())?.collect::<io::Result<Vec<_>>>()?;
        Ok(entries.iter().filter_map(|entry| entry.file_name().to_str().map(str::to_owned)).collect())
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(private_options().read(true).open(self.join(name))?))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn VolumeFile>> {
        Ok(Arc::new(private_options().append(true).create_new(true).open(self.join(name))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.join(from), self.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        self.sync()
    }

    fn free_bytes(&self) -> Option<u64> {
        super::platform::free_bytes(self.path())
    }
}

impl VolumeFile for File {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        super::platform::append(self, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        super::platform::sync_content(self)
    }
}
