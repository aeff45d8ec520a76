//! What the pipe of a home is called.
//!
//! Invariant: the name depends on the user, the home and the default home, and on nothing else: every program of the user
//! comes to the same one. PROTOCOL.md has the rule.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::path::portable;

/// What the name of every local pipe begins with.
pub const PREFIX: &str = r"\\.\pipe\";
/// How many bytes of the hash tell homes apart.
const HASH_BYTES: usize = 6;

/// `\\.\pipe\callboard-USER` for the default home; for another one `-` and 12 hex digits of the SHA-256 of its path follow.
/// Both paths are canonical.
#[must_use]
pub fn name(user: &str, home: &str, default_home: Option<&str>) -> String {
    let (home, default_home) = (portable(home), default_home.map(portable));
    if default_home.as_ref() == Some(&home) {
        return format!("{PREFIX}callboard-{user}");
    }
    let digest = Sha256::digest(home.as_bytes());
    let hash: String = digest[..HASH_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}callboard-{user}-{hash}")
}

/// Whether `path` names a local pipe.
#[must_use]
pub fn is_name(path: &Path) -> bool {
    let text = path.to_string_lossy().replace('/', r"\");
    text.len() > PREFIX.len()
        && text.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// The name of the pipe of `home`, which need not exist yet, for the user of this process. `default_home` is the home where
/// nothing else is said.
///
/// # Errors
/// The system's error when it does not say who the user is.
#[cfg(windows)]
pub fn of_home(home: &Path, default_home: Option<&Path>) -> std::io::Result<std::path::PathBuf> {
    let text = |path: &Path| canonical(path).to_string_lossy().into_owned();
    let user = crate::user::name()?;
    Ok(name(&user, &text(home), default_home.map(text).as_deref()).into())
}

/// `path` as the file system has it, as far as it exists.
#[cfg(windows)]
fn canonical(path: &Path) -> std::path::PathBuf {
    match (std::fs::canonicalize(path), path.parent(), path.file_name()) {
        (Ok(canonical), _, _) => canonical,
        (Err(_), Some(parent), Some(name)) => canonical(parent).join(name),
        (Err(_), _, _) => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_home_has_the_short_name_and_every_other_one_its_own() {
        let default_home = r"C:\users\ada\AppData\Local\callboard";
        let name = |home| name("ada", home, Some(default_home));
        assert_eq!(name(default_home), r"\\.\pipe\callboard-ada");
        assert_eq!(name(r"\\?\c:\users\ada\AppData\Local\callboard"), r"\\.\pipe\callboard-ada");
        // printf %s D:/board | sha256sum
        assert_eq!(name(r"\\?\D:\board"), r"\\.\pipe\callboard-ada-14ae8c2aab3a");
        assert_eq!(super::name("ada", default_home, None).len(), r"\\.\pipe\callboard-ada-".len() + 12);
    }

    #[test]
    fn a_pipe_is_told_from_a_file() {
        assert!(is_name(Path::new(r"\\.\pipe\callboard-ada")) && is_name(Path::new("//./PIPE/x")));
        assert!(!is_name(Path::new(r"C:\board\callboard.sock")) && !is_name(Path::new(r"\\.\pipe\")));
    }
}
