//! A directory for our eyes only, checked on the open directory and not on its path.
//!
//! Invariant: a [`PrivateDirectory`] was a real directory of ours, closed to everybody else, when it was opened; what is
//! in it needs no defence against other users. Access control lists beyond the mode are not looked at.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::platform;

/// Why a directory cannot be used. `Display` completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The system refused.
    #[error("{action} the directory {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The path names a symbolic link, which somebody could point elsewhere.
    #[error("use {} as a directory: it is a symbolic link; name the directory that it points to", path.display())]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// The path names something that is no directory.
    #[error("use {} as a directory: it is something else; move it away or choose another path", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// The directory belongs to another user.
    #[error(
        "use the directory {}: it belongs to {owner} and this process runs as {ours}; \
         run it as that user or choose another path",
        path.display()
    )]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// Its owner, as the system numbers users.
        owner: String,
        /// The user of this process.
        ours: String,
    },
    /// Others may write to the directory, and so replace what is in it.
    #[cfg(unix)]
    #[error(
        "use the directory {}: others may write to it (mode {mode:04o}); run: chmod go-w '{}'",
        path.display(), path.display()
    )]
    WritableByOthers {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl DirectoryError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

/// An open directory that belongs to us and that nobody else may enter.
#[derive(Debug)]
pub struct PrivateDirectory {
    path: PathBuf,
    handle: File,
    tightened_from: Option<u32>,
}

impl PrivateDirectory {
    /// Opens the directory at `path`; creates it for the user alone when it is missing, those above it too. Rights of others
    /// to read or enter it are taken away; see [`Self::tightened_from`].
    ///
    /// # Errors
    /// [`DirectoryError`] when it is a symbolic link or no directory, belongs to another user, or when others may write to it.
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        // Rebuilt from its components: a slash at the end would make the system follow a link.
        let path: PathBuf = path.components().collect();
        if let Err(source) = platform::create_private_directory(&path) {
            return Err(explain("create", &path, source));
        }
        let handle = platform::open_directory(&path).map_err(|source| explain("open", &path, source))?;
        let tightened_from = platform::make_private(&handle, &path)?;
        Ok(Self { path, handle, tightened_from })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The permission bits it had before [`Self::open`] took away what others were allowed; `None` if nothing was changed.
    #[must_use]
    pub fn tightened_from(&self) -> Option<u32> {
        self.tightened_from
    }

    /// Makes names in it durable: those created, renamed and removed so far.
    ///
    /// # Errors
    /// The system's error; the names may then be lost in a power cut.
    pub fn sync(&self) -> io::Result<()> {
        platform::sync_directory(&self.handle)
    }
}

/// Refuses a directory in which another user could replace a file of ours: one that belongs neither to us nor to root, or
/// that others may write to without the sticky bit. Symbolic links are followed: whoever owns the link is checked by nobody.
///
/// # Errors
/// [`DirectoryError`] says why and what to do.
#[cfg(unix)]
pub fn check_shared_directory(path: &Path) -> Result<(), DirectoryError> {
    platform::check_shared(path)
}

/// The system's numbers for "a symbolic link" and "no directory" differ between systems, so it is looked up.
fn explain(action: &'static str, path: &Path, source: io::Error) -> DirectoryError {
    let path = path.to_owned();
    match std::fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_symlink() => DirectoryError::Symlink { path },
        Ok(metadata) if !metadata.is_dir() => DirectoryError::NotADirectory { path },
        Ok(_) | Err(_) => DirectoryError::Io { action, path, source },
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_missing_directory_is_created_for_its_owner_alone() {
        let above = tempfile::tempdir().unwrap();
        let directory = PrivateDirectory::open(&above.path().join("a/b")).unwrap();
        assert_eq!(mode(directory.path()), 0o700);
        assert_eq!(directory.tightened_from(), None);
        directory.sync().unwrap();
    }

    #[test]
    fn rights_to_read_are_taken_away_and_rights_to_write_are_refused_with_the_command_to_run() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("home");
        fs::create_dir(&path).unwrap();

        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(PrivateDirectory::open(&path).unwrap().tightened_from(), Some(0o755));
        assert_eq!(mode(&path), 0o700);

        for bad in [0o770, 0o702, 0o1777] {
            fs::set_permissions(&path, Permissions::from_mode(bad)).unwrap();
            let error = PrivateDirectory::open(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("chmod go-w '{}'", path.display())), "{error}");
            assert_eq!(mode(&path), bad, "a refused directory is left alone");
        }
    }

    #[test]
    fn a_link_and_a_file_are_refused_by_name_whatever_the_spelling() {
        let above = tempfile::tempdir().unwrap();
        let link = above.path().join("link");
        symlink(above.path(), &link).unwrap();
        for spelling in [link.clone(), link.join("")] {
            assert!(matches!(PrivateDirectory::open(&spelling), Err(DirectoryError::Symlink { .. })));
        }
        let dangling = above.path().join("dangling");
        symlink(above.path().join("nowhere"), &dangling).unwrap();
        assert!(matches!(PrivateDirectory::open(&dangling), Err(DirectoryError::Symlink { .. })));
        let file = above.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(PrivateDirectory::open(&file), Err(DirectoryError::NotADirectory { .. })));
    }

    #[test]
    fn a_shared_directory_needs_the_sticky_bit() {
        let directory = tempfile::tempdir().unwrap();
        for (bits, is_fine) in [(0o700, true), (0o755, true), (0o1777, true), (0o777, false), (0o775, false)]
        {
            fs::set_permissions(directory.path(), Permissions::from_mode(bits)).unwrap();
            assert_eq!(check_shared_directory(directory.path()).is_ok(), is_fine, "{bits:o}");
        }
    }
}
