//! One daemon per home, and per socket: the lock files.
//!
//! Invariant: while an [`Instance`] lives, no other process holds one for the same home or socket. The lock is the system's
//! lock on an open file, so it ends with the process, however that ends; the file itself is never deleted, because whoever
//! deletes a lock file can delete another one's. The pid in it is for messages only.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::files::{DirectoryError, is_named, lock_note, lock_options};
use crate::home::Home;

/// The lock's name in the home.
const LOCK_NAME: &str = "callboard.lock";
/// How often a lock file that was replaced meanwhile is opened anew.
const OPENS_MAX: usize = 8;
/// How often the first daemon's pid is looked for: it writes it right after it got the lock.
const PID_READS_MAX: usize = 10;
/// The pause between two looks.
const PID_READ_PAUSE: Duration = Duration::from_millis(10);

/// Why this process is not the one daemon. `Display` completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Another daemon has it.
    #[error("take {}: a daemon runs here already{}; stop it first, or choose another home or socket", path.display(), PidText(*.pid))]
    Taken {
        /// The lock file.
        path: PathBuf,
        /// The other daemon's process id, where it could be read.
        pid: Option<u32>,
    },
    /// The lock file cannot be opened, locked or written.
    #[error("lock {}: {source}; it must be a plain file of yours", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The lock file is replaced all the time.
    #[error("lock {}: something keeps replacing it; find out what does, and stop it", path.display())]
    Replaced {
        /// The lock file.
        path: PathBuf,
    },
    /// The socket's directory is open to writes of others.
    #[error("{0} (the socket's directory; CALLBOARD_SOCKET names another)")]
    Directory(#[from] DirectoryError),
}

struct PidText(Option<u32>);

impl std::fmt::Display for PidText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(pid) => write!(f, ", pid {pid}"),
            None => Ok(()),
        }
    }
}

/// The right to be the daemon of a home and of a socket; given back when dropped.
#[derive(Debug)]
pub struct Instance {
    home: Lock,
    socket: Option<Lock>,
}

impl Instance {
    /// Takes the lock of `home`, and one beside `socket` when that lies elsewhere; checks the socket's directory before.
    /// Blocks for at most 100 ms, while it looks for the other daemon's pid.
    ///
    /// # Errors
    /// [`InstanceError::Taken`] carries the pid of the daemon that is there already.
    pub fn acquire(home: &Home, socket: &Path) -> Result<Self, InstanceError> {
        let home_lock = Lock::acquire(home.join(LOCK_NAME))?;
        Ok(Self { home: home_lock, socket: lock_socket(home, socket)? })
    }

    /// Whether the lock files are still those that the next daemon would try to lock. Once somebody deleted them, this
    /// process can no longer know that it is alone.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.home.is_current() && self.socket.as_ref().is_none_or(Lock::is_current)
    }
}

#[cfg(unix)]
fn lock_socket(home: &Home, socket: &Path) -> Result<Option<Lock>, InstanceError> {
    let elsewhere = socket.parent().filter(|directory| *directory != home.path());
    let Some(directory) = elsewhere else {
        return Ok(None);
    };
    crate::files::check_shared_directory(directory)?;
    let mut beside = socket.as_os_str().to_owned();
    beside.push(".lock");
    Lock::acquire(beside.into()).map(Some)
}

/// A pipe lies in no directory. That nobody else serves its name is for the system to see when the pipe is made.
#[cfg(windows)]
#[expect(clippy::unnecessary_wraps, reason = "on other systems there is a lock")]
fn lock_socket(_home: &Home, _socket: &Path) -> Result<Option<Lock>, InstanceError> {
    Ok(None)
}

#[derive(Debug)]
struct Lock {
    path: PathBuf,
    file: File,
    /// Where others read the pid.
    note: File,
}

impl Lock {
    fn acquire(path: PathBuf) -> Result<Self, InstanceError> {
        for _ in 0..OPENS_MAX {
            let opened = lock_options().read(true).write(true).create(true).open(&path);
            let opened = opened.and_then(|file| lock_note(&file, &path).map(|note| (file, note)));
            let (file, note) = opened.map_err(|source| InstanceError::Io { path: path.clone(), source })?;
            match file.try_lock() {
                Ok(()) => {}
                Err(std::fs::TryLockError::WouldBlock) => {
                    let pid = wait_for_pid(note);
                    return Err(InstanceError::Taken { path, pid });
                }
                Err(std::fs::TryLockError::Error(source)) => return Err(InstanceError::Io { path, source }),
            }
            let mut lock = Self { path: path.clone(), file, note };
            if lock.is_current() {
                lock.write_pid().map_err(|source| InstanceError::Io { path, source })?;
                return Ok(lock);
            }
        }
        Err(InstanceError::Replaced { path })
    }

    fn is_current(&self) -> bool {
        is_named(&self.file, &self.path)
    }

    fn write_pid(&mut self) -> io::Result<()> {
        self.note.set_len(0)?;
        self.note.write_all(format!("{}\n", std::process::id()).as_bytes())
    }
}

/// Reads the pid of the process that holds the lock: it is not there yet for the moment between lock and write.
fn wait_for_pid(mut note: File) -> Option<u32> {
    for _ in 0..PID_READS_MAX {
        let mut text = String::new();
        let read = note.rewind().and_then(|()| note.read_to_string(&mut text));
        if let (Ok(_), Ok(pid)) = (read, text.trim().parse()) {
            return Some(pid);
        }
        std::thread::sleep(PID_READ_PAUSE);
    }
    None
}

impl Drop for Lock {
    /// Clears the pid, so that nobody is told the pid of a daemon that is gone.
    fn drop(&mut self) {
        if let Err(error) = self.note.set_len(0) {
            tracing::warn!(path = %self.path.display(), %error, "the pid could not be removed from the lock file");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let above = tempfile::tempdir().unwrap();
        let home = Home::open(&above.path().join("home")).unwrap();
        (above, home)
    }

    #[test]
    fn the_second_daemon_of_a_home_learns_the_pid_of_the_first() {
        let (_above, home) = home();
        let first = Instance::acquire(&home, &home.socket()).unwrap();
        assert!(first.is_current());
        let error = Instance::acquire(&home, &home.socket()).unwrap_err().to_string();
        assert!(error.contains(&format!("pid {}", std::process::id())), "{error}");

        drop(first);
        assert!(home.join(LOCK_NAME).exists(), "a lock file is never deleted");
        Instance::acquire(&home, &home.socket()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn two_homes_cannot_share_a_socket() {
        let (above, one) = home();
        let other = Home::open(&above.path().join("other")).unwrap();
        let socket = above.path().join("shared.sock");
        let _first = Instance::acquire(&one, &socket).unwrap();
        let error = Instance::acquire(&other, &socket).unwrap_err();
        assert!(
            matches!(error, InstanceError::Taken { path, pid: Some(_) } if path.ends_with("shared.sock.lock"))
        );
    }

    #[cfg(windows)]
    #[test]
    fn a_lock_file_cannot_be_deleted_under_the_daemon() {
        let (_above, home) = home();
        let first = Instance::acquire(&home, &home.socket()).unwrap();
        assert!(fs::remove_file(home.join(LOCK_NAME)).is_err());
        assert!(first.is_current());
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_file_deleted_under_the_daemon_is_noticed() {
        let (_above, home) = home();
        let first = Instance::acquire(&home, &home.socket()).unwrap();
        fs::remove_file(home.join(LOCK_NAME)).unwrap();
        assert!(!first.is_current());
        assert!(Instance::acquire(&home, &home.socket()).unwrap().is_current());
        assert!(!first.is_current());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_the_lock_file_is_not_followed() {
        let (above, home) = home();
        let victim = above.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, home.join(LOCK_NAME)).unwrap();
        assert!(matches!(Instance::acquire(&home, &home.socket()), Err(InstanceError::Io { .. })));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_where_others_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let (above, home) = home();
        fs::set_permissions(above.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = Instance::acquire(&home, &above.path().join("s.sock")).unwrap_err();
        assert!(matches!(error, InstanceError::Directory(_)));
    }
}
