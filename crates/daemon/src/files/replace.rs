//! The atomic replacement of a file: a reader, or a crash at any moment, finds the old one or the new one, each whole.
//!
//! Invariant: the file's name changes its meaning only after the new content was fsynced. The temporary file is
//! `NAME.tmp`: one writer per name is assumed (the instance lock sees to it), so a leftover of that name is a crash's.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{PrivateDirectory, private_options};

/// Where bytes go on their way to the disk: a file, or in tests one that fails on purpose.
pub trait Sink: Write {
    /// Returns when all that was written is on the disk.
    ///
    /// # Errors
    /// The system's error; what was written may then be lost.
    fn sync(&mut self) -> io::Result<()>;
}

impl Sink for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

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

/// Puts what `fill` writes at `name` in `directory`, in the place of what was there, and returns its size in bytes once
/// it is durable: temporary file, fsync, rename, fsync of the directory.
///
/// # Errors
/// [`ReplaceError`]; the temporary file is gone then.
pub fn replace(
    directory: &PrivateDirectory,
    name: &str,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<u64, ReplaceError> {
    replace_through(directory, name, |file| file, fill)
}

/// [`replace`] with a [`Sink`] around the file: for tests that make writes fail.
///
/// # Errors
/// As [`replace`].
pub fn replace_through<S: Sink>(
    directory: &PrivateDirectory,
    name: &str,
    wrap: impl FnOnce(File) -> S,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<u64, ReplaceError> {
    let path = directory.join(name);
    let temporary = directory.join(&format!("{name}.tmp"));
    let written = create(&temporary)
        .and_then(|file| write(wrap(file), fill))
        .and_then(|()| fs::metadata(&temporary))
        .and_then(|metadata| fs::rename(&temporary, &path).map(|()| metadata.len()));
    match written {
        Ok(bytes) => match directory.sync() {
            Ok(()) => Ok(bytes),
            Err(source) => Err(ReplaceError::Sync { path, source }),
        },
        Err(source) => {
            if let Err(error) = remove_if_there(&temporary) {
                tracing::warn!(path = %temporary.display(), %error, "a temporary file could not be removed");
            }
            Err(ReplaceError::Write { path, source })
        }
    }
}

fn create(temporary: &Path) -> io::Result<File> {
    remove_if_there(temporary)?;
    private_options().write(true).create_new(true).open(temporary)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn write<S: Sink>(sink: S, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffered = BufWriter::new(sink);
    fill(&mut buffered)?;
    buffered.into_inner().map_err(io::IntoInnerError::into_error)?.sync()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A disk with room for so many bytes; with `fails_sync`, one whose cache cannot be written back.
    pub(crate) struct SmallDisk {
        pub(crate) file: File,
        pub(crate) room_bytes: usize,
        pub(crate) fails_sync: bool,
    }

    impl Write for SmallDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let len = bytes.len().min(self.room_bytes);
            if len == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room_bytes -= len;
            self.file.write(&bytes[..len])
        }

        fn flush(&mut self) -> io::Result<()> {
            self.file.flush()
        }
    }

    impl Sink for SmallDisk {
        fn sync(&mut self) -> io::Result<()> {
            if self.fails_sync {
                return Err(io::Error::other("the disk is gone"));
            }
            self.file.sync()
        }
    }

    fn names(directory: &PrivateDirectory) -> Vec<String> {
        let entries = fs::read_dir(directory.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn the_new_content_stands_and_a_leftover_of_a_crash_is_no_obstacle() {
        let above = tempfile::tempdir().unwrap();
        let directory = PrivateDirectory::open(above.path()).unwrap();
        fs::write(directory.join("file.tmp"), "half").unwrap();
        assert_eq!(replace(&directory, "file", |to| to.write_all(b"one")).unwrap(), 3);
        assert_eq!(replace(&directory, "file", |to| to.write_all(b"three")).unwrap(), 5);
        assert_eq!(fs::read(directory.join("file")).unwrap(), b"three");
        assert_eq!(names(&directory), ["file"]);
    }

    #[test]
    fn a_full_or_failing_disk_leaves_the_old_content_and_nothing_else() {
        let above = tempfile::tempdir().unwrap();
        let directory = PrivateDirectory::open(above.path()).unwrap();
        replace(&directory, "file", |to| to.write_all(b"old")).unwrap();
        for (room_bytes, fails_sync) in [(0, false), (4, false), (99, true)] {
            let wrap = |file| SmallDisk { file, room_bytes, fails_sync };
            let error = replace_through(&directory, "file", wrap, |to| to.write_all(b"newer")).unwrap_err();
            assert!(error.to_string().contains("file: "), "{error}");
            assert_eq!(fs::read(directory.join("file")).unwrap(), b"old");
            assert_eq!(names(&directory), ["file"]);
        }
    }
}
