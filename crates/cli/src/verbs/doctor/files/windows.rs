//! The home and the pipe as Windows has them.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::AsHandle as _;
use std::path::Path;

use callboard_windows::pipe;
use callboard_windows::user::{self, ADMINISTRATORS_SID, SYSTEM_SID};

use crate::verbs::doctor::finding::Finding;

/// `FILE_FLAG_BACKUP_SEMANTICS`: without it the system opens no directory.
const OPEN_DIRECTORY: u32 = 0x0200_0000;

/// Whether the home is one that the daemon takes.
pub fn home(path: &Path) -> Finding {
    let shown = path.display();
    let owner = match owner_of(path) {
        Ok(owner) => owner,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Finding::noted("home", format!("{shown} is not there yet; the daemon makes it"));
        }
        Err(error) => {
            return Finding::wrong("home", format!("{shown}: {error}"), format!("icacls \"{shown}\""));
        }
    };
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) | Err(_) => {
            return Finding::wrong(
                "home",
                format!("{shown} is no directory"),
                "set CALLBOARD_HOME=DIRECTORY",
            );
        }
    }
    match user::sid() {
        Ok(own) if [own.as_str(), ADMINISTRATORS_SID, SYSTEM_SID].contains(&owner.as_str()) => {
            Finding::good("home", format!("{shown}"))
        }
        Ok(own) => {
            let said = format!("{shown} belongs to user {owner}, you are user {own}");
            Finding::wrong("home", said, format!("takeown /f \"{shown}\" /r"))
        }
        Err(error) => Finding::wrong("home", format!("nobody says who you are: {error}"), "whoami /user"),
    }
}

fn owner_of(path: &Path) -> io::Result<String> {
    let directory = OpenOptions::new().read(true).custom_flags(OPEN_DIRECTORY).open(path)?;
    user::owner_of_file(directory.as_handle())
}

/// Whether the pipe's name is one. Whether anybody serves it is for connecting to find out.
pub fn socket(path: &Path) -> Finding {
    let shown = path.display();
    if pipe::is_name(path) {
        Finding::good("socket", format!("{shown}"))
    } else {
        Finding::wrong("socket", format!("{shown} is no pipe"), r"set CALLBOARD_SOCKET=\\.\pipe\NAME")
    }
}
