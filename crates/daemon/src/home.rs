//! The home: the one directory of a user's daemon, and where its socket is.
//!
//! Invariant: a daemon and its clients come to the same place from the same environment: `CALLBOARD_HOME`, else
//! `.callboard` in the user's home (Windows: `callboard` in `%LOCALAPPDATA%`); nothing that differs between shells, services and cron. What is in the home belongs
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
/// The variable that names the folder around the default home, and the default home's name in it.
const DEFAULT_HOME: (&str, &str) =
    if cfg!(windows) { ("LOCALAPPDATA", "callboard") } else { ("HOME", ".callboard") };
/// The socket's name in the home.
#[cfg(unix)]
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
        "find the home: neither CALLBOARD_HOME nor {} is set; set CALLBOARD_HOME to a directory of yours",
        DEFAULT_HOME.0
    )]
    Unknown,
    /// The system does not say who the user is, after whom the pipe is called.
    #[cfg(windows)]
    #[error("name the pipe of the home: {0}; set CALLBOARD_SOCKET to the name of a pipe")]
    Pipe(io::Error),
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

/// Where the home is: `flag`, else `CALLBOARD_HOME`, else `~/.callboard` (Windows: `%LOCALAPPDATA%\callboard`);
/// always absolute.
///
/// # Errors
/// [`HomeError::Unknown`] when nothing says where, [`HomeError::Relative`] when a relative path leads nowhere.
pub fn resolve(flag: Option<&Path>, environment: Environment<'_>) -> Result<PathBuf, HomeError> {
    let named = flag.map(Path::to_owned).or_else(|| environment(HOME_VARIABLE).map(PathBuf::from));
    let path = named.or_else(|| default_home(environment)).ok_or(HomeError::Unknown)?;
    std::path::absolute(&path).map_err(|source| HomeError::Relative { path, source })
}

fn default_home(environment: Environment<'_>) -> Option<PathBuf> {
    let (variable, name) = DEFAULT_HOME;
    environment(variable).map(|folder| PathBuf::from(folder).join(name))
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "on other systems it can fail")]
fn socket_of(directory: &PrivateDirectory) -> Result<PathBuf, HomeError> {
    Ok(directory.join(SOCKET_NAME))
}

#[cfg(windows)]
fn socket_of(directory: &PrivateDirectory) -> Result<PathBuf, HomeError> {
    let default_home = default_home(&process_environment);
    callboard_windows::pipe::of_home(directory.path(), default_home.as_deref()).map_err(HomeError::Pipe)
}

/// The opened home.
#[derive(Debug)]
pub struct Home {
    directory: Arc<PrivateDirectory>,
    socket: PathBuf,
}

impl Home {
    /// Opens the home at `path` (see [`resolve`]), and creates it for the user alone when it is missing.
    ///
    /// # Errors
    /// [`HomeError::Directory`] when it is a symbolic link or no directory, not ours, or open to writes of others.
    pub fn open(path: &Path) -> Result<Self, HomeError> {
        let directory = Arc::new(PrivateDirectory::open(path)?);
        Ok(Self { socket: socket_of(&directory)?, directory })
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
        self.socket.clone()
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
        let (variable, name) = DEFAULT_HOME;
        let folder = std::env::temp_dir();
        let user = |name: &str| (name == variable).then(|| folder.clone().into_os_string());
        let both = |name: &str| match name {
            "CALLBOARD_HOME" => Some(folder.join("board").into_os_string()),
            other => user(other),
        };
        assert_eq!(resolve(Some(&folder.join("flag")), &both).unwrap(), folder.join("flag"));
        assert_eq!(resolve(None, &both).unwrap(), folder.join("board"));
        assert_eq!(resolve(None, &user).unwrap(), folder.join(name));
        assert!(resolve(Some(Path::new("here")), &both).unwrap().is_absolute());
        assert!(matches!(resolve(None, &|_| None), Err(HomeError::Unknown)));
    }

    #[test]
    fn the_home_and_its_store_are_created() {
        let above = tempfile::tempdir().unwrap();
        let home = Home::open(&above.path().join("home")).unwrap();
        #[cfg(unix)]
        assert_eq!(home.socket(), above.path().join("home/callboard.sock"));
        assert!(home.open_store().unwrap().path().is_dir());
        home.log_tightening();
    }
}
