//! Where the daemon's home and its socket are.
//!
//! Invariant: a client and its daemon come to the same place from the same environment; nothing that differs between
//! shells, services and cron takes part. Lacks any look at the disk: whether something is there is for `connect`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ClientError;

/// The variable that names the home.
pub const HOME_VARIABLE: &str = "CALLBOARD_HOME";
/// The variable that names the socket.
pub const SOCKET_VARIABLE: &str = "CALLBOARD_SOCKET";

/// The variable that names the folder around the default home, and the default home's name in it.
const DEFAULT_HOME: (&str, &str) =
    if cfg!(windows) { ("LOCALAPPDATA", "callboard") } else { ("HOME", ".callboard") };
#[cfg(unix)]
const SOCKET_NAME: &str = "callboard.sock";

/// Looks a variable up; handed in, so that tests need not change the process's own.
type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The home: `given`, else `CALLBOARD_HOME`, else `~/.callboard` (Windows: `%LOCALAPPDATA%\callboard`); always absolute. An empty variable counts as absent.
///
/// # Errors
/// [`ClientError::NoHome`] when nothing says where, or a relative path leads nowhere.
pub fn home(given: Option<&Path>) -> Result<PathBuf, ClientError> {
    find_home(given, &process_environment)
}

/// The socket: `given`, else `CALLBOARD_SOCKET`, else `callboard.sock` in [`home`] of `given_home` (Windows: the pipe
/// of that home); always absolute.
///
/// # Errors
/// As [`home`].
pub fn socket_path(given: Option<&Path>, given_home: Option<&Path>) -> Result<PathBuf, ClientError> {
    find_socket(given, given_home, &process_environment)
}

fn process_environment(variable: &str) -> Option<OsString> {
    std::env::var_os(variable)
}

fn find_home(given: Option<&Path>, environment: Environment<'_>) -> Result<PathBuf, ClientError> {
    let path = given
        .map(Path::to_owned)
        .or_else(|| variable(environment, HOME_VARIABLE))
        .or_else(|| default_home(environment));
    absolute(path.as_deref())
}

fn default_home(environment: Environment<'_>) -> Option<PathBuf> {
    let (folder, name) = DEFAULT_HOME;
    variable(environment, folder).map(|folder| folder.join(name))
}

fn find_socket(
    given: Option<&Path>,
    given_home: Option<&Path>,
    environment: Environment<'_>,
) -> Result<PathBuf, ClientError> {
    match given.map(Path::to_owned).or_else(|| variable(environment, SOCKET_VARIABLE)) {
        Some(path) => absolute(Some(&path)),
        None => socket_in(&find_home(given_home, environment)?, environment),
    }
}

/// The socket of `home`, an absolute path, where the daemon there is not told of another one.
///
/// # Errors
/// On Windows [`ClientError::NoHome`], when the system does not say who the user is.
pub fn socket_of(home: &Path) -> Result<PathBuf, ClientError> {
    socket_in(home, &process_environment)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "on other systems it can fail")]
fn socket_in(home: &Path, _: Environment<'_>) -> Result<PathBuf, ClientError> {
    Ok(home.join(SOCKET_NAME))
}

#[cfg(windows)]
fn socket_in(home: &Path, environment: Environment<'_>) -> Result<PathBuf, ClientError> {
    let default_home = default_home(environment);
    callboard_windows::pipe::of_home(home, default_home.as_deref())
        .map_err(|error| ClientError::NoHome { reason: format!("its pipe has no name: {error}").into() })
}

fn variable(environment: Environment<'_>, name: &str) -> Option<PathBuf> {
    environment(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn absolute(path: Option<&Path>) -> Result<PathBuf, ClientError> {
    let no_home = |reason: String| ClientError::NoHome { reason: Arc::from(reason) };
    let path =
        path.ok_or_else(|| no_home(format!("neither CALLBOARD_HOME nor {} is set", DEFAULT_HOME.0)))?;
    std::path::absolute(path).map_err(|error| no_home(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str) -> PathBuf {
        std::env::temp_dir().join(name)
    }

    fn socket_at(name: &str) -> PathBuf {
        if cfg!(windows) { format!(r"\\.\pipe\{name}").into() } else { at(name) }
    }

    fn environment(name: &str) -> Option<OsString> {
        match name {
            "CALLBOARD_HOME" => Some(at("board").into()),
            "CALLBOARD_SOCKET" => Some(socket_at("b.sock").into()),
            folder if folder == DEFAULT_HOME.0 => Some(at("ada").into()),
            _ => None,
        }
    }

    fn without(absent: &'static str) -> impl Fn(&str) -> Option<OsString> {
        move |name| environment(name).filter(|_| name != absent)
    }

    #[test]
    fn what_is_given_goes_before_the_variables_and_these_before_the_users_home() {
        assert_eq!(find_home(Some(&at("given")), &environment).unwrap(), at("given"));
        assert_eq!(find_home(None, &environment).unwrap(), at("board"));
        let user = without("CALLBOARD_HOME");
        assert_eq!(find_home(None, &user).unwrap(), at("ada").join(DEFAULT_HOME.1));
        assert!(matches!(find_home(None, &|_| Some(OsString::new())), Err(ClientError::NoHome { .. })));
    }

    #[test]
    fn the_socket_is_that_of_the_home_unless_it_is_named() {
        let home = at("given");
        let named = socket_at("s");
        assert_eq!(find_socket(Some(&named), Some(&home), &environment).unwrap(), named);
        assert_eq!(find_socket(None, Some(&home), &environment).unwrap(), socket_at("b.sock"));
        let bare = without("CALLBOARD_SOCKET");
        let of = |home: &Path| socket_in(home, &bare).unwrap();
        assert_eq!(find_socket(None, Some(&home), &bare).unwrap(), of(&home));
        assert_eq!(find_socket(None, None, &bare).unwrap(), of(&at("board")));
        assert_ne!(of(&home), of(&at("board")));
        #[cfg(unix)]
        assert_eq!(of(&home), home.join("callboard.sock"));
    }
}
