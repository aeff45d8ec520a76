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

const HOME_NAME: &str = ".callboard";
const SOCKET_NAME: &str = "callboard.sock";

/// Looks a variable up; handed in, so that tests need not change the process's own.
type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The home: `given`, else `CALLBOARD_HOME`, else `~/.callboard`; always absolute. An empty variable counts as absent.
///
/// # Errors
/// [`ClientError::NoHome`] when nothing says where, or a relative path leads nowhere.
pub fn home(given: Option<&Path>) -> Result<PathBuf, ClientError> {
    find_home(given, &process_environment)
}

/// The socket: `given`, else `CALLBOARD_SOCKET`, else `callboard.sock` in [`home`] of `given_home`; always absolute.
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
        .or_else(|| variable(environment, "HOME").map(|user| user.join(HOME_NAME)));
    absolute(path.as_deref())
}

fn find_socket(
    given: Option<&Path>,
    given_home: Option<&Path>,
    environment: Environment<'_>,
) -> Result<PathBuf, ClientError> {
    match given.map(Path::to_owned).or_else(|| variable(environment, SOCKET_VARIABLE)) {
        Some(path) => absolute(Some(&path)),
        None => Ok(find_home(given_home, environment)?.join(SOCKET_NAME)),
    }
}

fn variable(environment: Environment<'_>, name: &str) -> Option<PathBuf> {
    environment(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn absolute(path: Option<&Path>) -> Result<PathBuf, ClientError> {
    let no_home = |reason: String| ClientError::NoHome { reason: Arc::from(reason) };
    let path = path.ok_or_else(|| no_home("neither CALLBOARD_HOME nor HOME is set".to_owned()))?;
    std::path::absolute(path).map_err(|error| no_home(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<OsString> {
        match name {
            "CALLBOARD_HOME" => Some("/board".into()),
            "CALLBOARD_SOCKET" => Some("/run/b.sock".into()),
            "HOME" => Some("/users/ada".into()),
            _ => None,
        }
    }

    fn without(absent: &'static str) -> impl Fn(&str) -> Option<OsString> {
        move |name| environment(name).filter(|_| name != absent)
    }

    #[test]
    fn what_is_given_goes_before_the_variables_and_these_before_the_users_home() {
        let given = Some(Path::new("/given"));
        assert_eq!(find_home(given, &environment).unwrap(), Path::new("/given"));
        assert_eq!(find_home(None, &environment).unwrap(), Path::new("/board"));
        let user = without("CALLBOARD_HOME");
        assert_eq!(find_home(None, &user).unwrap(), Path::new("/users/ada/.callboard"));
        assert!(matches!(find_home(None, &|_| Some(OsString::new())), Err(ClientError::NoHome { .. })));
    }

    #[test]
    fn the_socket_is_in_the_home_unless_it_is_named() {
        let given = Some(Path::new("/s"));
        let home = Some(Path::new("/given"));
        assert_eq!(find_socket(given, home, &environment).unwrap(), Path::new("/s"));
        assert_eq!(find_socket(None, home, &environment).unwrap(), Path::new("/run/b.sock"));
        let bare = without("CALLBOARD_SOCKET");
        assert_eq!(find_socket(None, home, &bare).unwrap(), Path::new("/given/callboard.sock"));
        assert_eq!(find_socket(None, None, &bare).unwrap(), Path::new("/board/callboard.sock"));
    }
}
