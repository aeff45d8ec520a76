//! The home: the one directory of a user's daemon, and where its socket is.
//!
//! Invariant: a daemon and its clients come to the same place from the same environment: `CALLBOARD_HOME`, else
//! `.callboard` in the user's home; nothing that differs between shells, services and cron. What is in the home belongs
//! to `config`, `instance`, `listener` and `store`.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::{DirectoryError, PrivateDirectory, Volume};

/// The variable that names the home.
pub const HOME_VARIABLE: &str = "CALLBOARD_HOME";
/// The variable that names the socket.
pub const SOCKET_VARIABLE: &str = "CALLBOARD_SOCKET";
/// The home's name in the user's home.
const HOME_NAME: &str = ".callboard";
/// The socket's name in the home.
const SOCKET_NAME: &str = "callboard.sock";
/// The name of the store's directory in the home.
const STORE_NAME: &str = "store";

/// Looks a variable of the environment up; an empty one counts as absent. Handed in, so that tests need not change the
/// process's own.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment of this process.
#[must_use]
pub fn process_environment(variable: &str) -> Option<OsString> {
    std::env::var_os(variable).filter(|value| !value.is_empty())
}

/// Why there is no home. `Display` completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Neither variable says where it should be.
    #[error(
        "find the home: neither CALLBOARD_HOME nor HOME is set; set CALLBOARD_HOME to a directory of yours"
    )]
    Unknown,
    /// The path is relative, and the present directory is gone.
    #[error("find the home {}: {source}; set CALLBOARD_HOME to an absolute path", path.display())]
    Relative {
        /// The path given.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The directory cannot be used.
    #[error("{0} (the home; CALLBOARD_HOME names another)")]
    Directory(#[from] DirectoryError),
}

/// Where the home is: `flag`, else `CALLBOARD_HOME`, else `~/.callboard`; always absolute.
///
/// # Errors
/// [`HomeError::Unknown`] when nothing says where, [`HomeError::Relative`] when a relative path leads nowhere.
pub fn resolve(flag: Option<&Path>, environment: Environment<'_>) -> Result<PathBuf, HomeError> {
    let path = match (flag, environment(HOME_VARIABLE), environment("HOME")) {
        (Some(path), _, _) => path.to_owned(),
        (None, Some(path), _) => PathBuf::from(path),
        (None, None, Some(user)) => PathBuf::from(user).join(HOME_NAME),
        (None, None, None) => return Err(HomeError::Unknown),
    };
    std::path::absolute(&path).map_err(|source| HomeError::Relative { path, source })
}

/// The opened home.
#[derive(Debug)]
pub struct Home {
    directory: Arc<PrivateDirectory>,
}

impl Home {
    /// Opens the home at `path` (see [`resolve`]), and creates it with mode 0700 when it is missing.
    ///
    /// # Errors
    /// [`HomeError::Directory`] when it is a symbolic link or no directory, not ours, or open to writes of others.
    pub fn open(path: &Path) -> Result<Self, HomeError> {
        Ok(Self { directory: Arc::new(PrivateDirectory::open(path)?) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The path of a file in it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Where the socket is when nothing else is said.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.join(SOCKET_NAME)
    }

    /// The files in it.
    #[must_use]
    pub fn volume(&self) -> Arc<dyn Volume> {
        Arc::clone(&self.directory) as Arc<dyn Volume>
    }

    /// Opens the directory of the store, and creates it when it is missing.
    ///
    /// # Errors
    /// [`HomeError::Directory`], as [`Self::open`].
    pub fn open_store(&self) -> Result<PrivateDirectory, HomeError> {
        Ok(PrivateDirectory::open(&self.directory.join(STORE_NAME))?)
    }

    /// Tells the log when others could read the home until now. Apart from [`Self::open`], because the log's own settings
    /// are read from the home.
    pub fn log_tightening(&self) {
        if let Some(mode) = self.directory.tightened_from() {
            tracing::warn!(home = %self.path().display(), before = %format_args!("{mode:04o}"), "others could read the home; its mode is 0700 now");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_goes_before_the_variable_and_the_variable_before_the_users_home() {
        let both = |name: &str| match name {
            "CALLBOARD_HOME" => Some(OsString::from("/board")),
            "HOME" => Some(OsString::from("/users/ada")),
            _ => None,
        };
        let user = |name: &str| (name == "HOME").then(|| OsString::from("/users/ada"));
        assert_eq!(resolve(Some(Path::new("/flag")), &both).unwrap(), Path::new("/flag"));
        assert_eq!(resolve(None, &both).unwrap(), Path::new("/board"));
        assert_eq!(resolve(None, &user).unwrap(), Path::new("/users/ada/.callboard"));
        assert!(resolve(Some(Path::new("here")), &both).unwrap().is_absolute());
        assert!(matches!(resolve(None, &|_| None), Err(HomeError::Unknown)));
    }

    #[test]
    fn the_home_and_its_store_are_created() {
        let above = tempfile::tempdir().unwrap();
        let home = Home::open(&above.path().join("home")).unwrap();
        assert_eq!(home.socket(), above.path().join("home/callboard.sock"));
        assert!(home.open_store().unwrap().path().is_dir());
        home.log_tightening();
    }
}
