//! The home and the socket as Unix has them: owners, modes, kinds of files.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{Access, access};

use super::sandbox_hint;
use crate::verbs::doctor::finding::Finding;

/// The bits of a mode that let others write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Whether the home is one that the daemon takes.
pub fn home(path: &Path) -> Finding {
    let shown = path.display();
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Finding::noted("home", format!("{shown} is not there yet; the daemon makes it"));
        }
        Err(error) => {
            return Finding::wrong("home", format!("{shown}: {error}"), format!("ls -ld '{shown}'"));
        }
    };
    let own = rustix::process::getuid().as_raw();
    if metadata.is_symlink() {
        let said = format!("{shown} is a symbolic link, which the daemon refuses");
        return Finding::wrong("home", said, format!("export CALLBOARD_HOME=\"$(realpath '{shown}')\""));
    }
    if !metadata.is_dir() {
        return Finding::wrong(
            "home",
            format!("{shown} is no directory"),
            format!("mv '{shown}' '{shown}.old'"),
        );
    }
    if metadata.uid() != own {
        let said = format!("{shown} belongs to user {}, you are user {own}", metadata.uid());
        return Finding::wrong("home", said, format!("sudo chown -R {own} '{shown}'"));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & WRITABLE_BY_OTHERS != 0 {
        let said = format!("others may write to {shown} (mode {mode:04o}), which the daemon refuses");
        return Finding::wrong("home", said, format!("chmod 700 '{shown}'"));
    }
    if let Err(error) = access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        let hint =
            sandbox_hint("").unwrap_or_else(|| "a sandbox or a read-only file system is likely".to_owned());
        let said = format!("{shown} can't be written from here: {error}; {hint}");
        return Finding::wrong("home", said, "callboard doctor, outside of the sandbox");
    }
    Finding::good("home", format!("{shown}, mode {mode:04o}"))
}

/// Whether the socket is one.
pub fn socket(path: &Path) -> Finding {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {
            let own = rustix::process::getuid().as_raw();
            if metadata.uid() == own {
                Finding::good("socket", format!("{shown}"))
            } else {
                let said = format!("{shown} belongs to user {}, you are user {own}", metadata.uid());
                Finding::wrong("socket", said, "env -u CALLBOARD_SOCKET -u CALLBOARD_HOME callboard doctor")
            }
        }
        Ok(_) => {
            Finding::wrong("socket", format!("{shown} is no socket"), format!("mv '{shown}' '{shown}.old'"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Finding::noted("socket", format!("{shown} is not there: no daemon runs"))
        }
        Err(error) => Finding::wrong("socket", format!("{shown}: {error}"), format!("ls -l '{shown}'")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::verbs::doctor::finding::State;

    #[test]
    fn a_home_that_the_daemon_would_refuse_is_found_with_what_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home");
        assert_eq!(home(&path).state, State::Noted);

        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        let open = home(&path);
        assert_eq!(open.state, State::Wrong);
        assert!(open.next.is_some_and(|next| next.starts_with("chmod 700 ")));

        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(home(&path).state, State::Good);

        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(home(&link).state, State::Wrong);
    }

    #[test]
    fn a_socket_is_told_from_what_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        assert_eq!(socket(&path).state, State::Noted);
        fs::write(&path, "").unwrap();
        assert_eq!(socket(&path).state, State::Wrong);
        fs::remove_file(&path).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(socket(&path).state, State::Good);
    }
}
