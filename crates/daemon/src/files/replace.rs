//! The atomic replacement of a file: a reader, or a crash at any moment, finds the old one or the new one, each whole.
//!
//! Invariant: the file's name changes its meaning only after the new content was fsynced. The temporary file is
//! `NAME.tmp`: one writer per name is assumed (the instance lock sees to it), so a leftover of that name is a crash's.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Volume, VolumeFile};

/// How much is collected before it is written, in bytes.
const BUFFER_BYTES: usize = 64 << 10;

/// A file could not be replaced. `Display` completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// The new content could not be written: the old file stands.
    #[error("write {}: {source}; the file before it is untouched: make room or mend the disk, then try again", path.display())]
    Write {
        /// The file that should have been replaced.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The new file stands, but the directory could not be fsynced.
    #[error("make the new {} durable: {source}; a power cut may bring the file before it back: mend the disk", path.display())]
    Sync {
        /// The file that was replaced.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// New content for a name, on its way: temporary file, fsync, rename, fsync of the directory. Dropped before
/// [`Self::commit`], nothing is left of it.
#[derive(Debug)]
pub struct Replacement {
    volume: Arc<dyn Volume>,
    name: String,
    file: Arc<dyn VolumeFile>,
    buffer: Vec<u8>,
    written_bytes: u64,
    is_over: bool,
}

impl Replacement {
    /// Begins new content for `name`.
    ///
    /// # Errors
    /// [`ReplaceError::Write`]: nothing was changed.
    pub fn begin(volume: Arc<dyn Volume>, name: &str) -> Result<Self, ReplaceError> {
        let path = || volume.path_of(name);
        let temporary = temporary(name);
        let removed = match volume.remove(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        };
        match removed.and_then(|()| volume.create(&temporary)) {
            Ok(file) => Ok(Self {
                name: name.to_owned(),
                file,
                buffer: Vec::new(),
                written_bytes: 0,
                is_over: false,
                volume,
            }),
            Err(source) => Err(ReplaceError::Write { path: path(), source }),
        }
    }

    /// Adds to the new content whatever `fill` appends to the buffer that it is handed.
    ///
    /// # Errors
    /// [`ReplaceError::Write`]; the replacement can only be dropped then.
    pub fn write(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Result<(), ReplaceError> {
        let filled = fill(&mut self.buffer);
        let written =
            filled.and_then(|()| if self.buffer.len() < BUFFER_BYTES { Ok(()) } else { self.flush() });
        written.map_err(|source| self.refused(source))
    }

    /// Makes the new content the file's, durably; gives its size in bytes.
    ///
    /// # Errors
    /// [`ReplaceError`] tells whether the old file stands.
    pub fn commit(mut self) -> Result<u64, ReplaceError> {
        let renamed = self
            .flush()
            .and_then(|()| self.file.sync())
            .and_then(|()| self.volume.rename(&temporary(&self.name), &self.name));
        renamed.map_err(|source| self.refused(source))?;
        self.is_over = true;
        match self.volume.sync_names() {
            Ok(()) => Ok(self.written_bytes),
            Err(source) => Err(ReplaceError::Sync { path: self.volume.path_of(&self.name), source }),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.append(&self.buffer)?;
        self.written_bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn refused(&self, source: io::Error) -> ReplaceError {
        ReplaceError::Write { path: self.volume.path_of(&self.name), source }
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        if let Err(error) = self.volume.remove(&temporary(&self.name)) {
            let path = self.volume.path_of(&temporary(&self.name));
            tracing::warn!(path = %path.display(), %error, "a temporary file could not be removed");
        }
    }
}

fn temporary(name: &str) -> String {
    format!("{name}.tmp")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::files::PrivateDirectory;
    use crate::files::simulated::{Fault, SimulatedVolume};

    fn replace(volume: &Arc<dyn Volume>, bytes: &[u8]) -> Result<u64, ReplaceError> {
        let mut new = Replacement::begin(Arc::clone(volume), "file")?;
        new.write(|buffer| {
            buffer.extend_from_slice(bytes);
            Ok(())
        })?;
        new.commit()
    }

    #[test]
    fn the_new_content_stands_and_a_leftover_of_a_crash_is_no_obstacle() {
        let above = tempfile::tempdir().unwrap();
        let directory = Arc::new(PrivateDirectory::open(above.path()).unwrap());
        let volume: Arc<dyn Volume> = Arc::clone(&directory) as Arc<dyn Volume>;
        fs::write(directory.join("file.tmp"), "half").unwrap();
        assert_eq!(replace(&volume, b"one").unwrap(), 3);
        assert_eq!(replace(&volume, b"three").unwrap(), 5);
        assert_eq!(fs::read(directory.join("file")).unwrap(), b"three");
        assert_eq!(volume.names().unwrap(), ["file"]);
    }

    #[test]
    fn whatever_fails_leaves_the_old_content_and_nothing_else() {
        let simulated = Arc::new(SimulatedVolume::default());
        let volume: Arc<dyn Volume> = Arc::clone(&simulated) as Arc<dyn Volume>;
        replace(&volume, b"old").unwrap();
        // Create, append, fsync, rename.
        for operation in 0..4 {
            simulated.fail_after(operation, Fault::StorageFull);
            let error = replace(&volume, b"newer").unwrap_err();
            simulated.mend();
            assert!(error.to_string().contains("file: "), "{error}");
            assert_eq!(simulated.content("file").unwrap(), b"old");
            assert_eq!(volume.names().unwrap(), ["file"]);
        }
    }
}
