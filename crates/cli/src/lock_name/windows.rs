//! Where an absolute path begins on Windows: at a drive or at a share.
//!
//! Invariant: a name that comes out of here begins with `/`, because to the daemon every other name is relative to a worktree.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use callboard_windows::path::{drive, portable};

/// The path with `/` between names. No file here has a backslash in its name, so there is none to escape either.
pub fn with_slashes(path: &str) -> Cow<'_, str> {
    path.replace('\\', "/").into()
}

/// Where `path`, seen from `directory`, starts, and its names from there on. A path that begins with `/` starts at the drive
/// of `directory`, `C:x` in the present directory of that drive.
pub fn split<'a>(directory: &Path, path: &'a str) -> (PathBuf, &'a str) {
    let path = path.strip_prefix("//?/").unwrap_or(path);
    if drive(path).is_some() {
        let (drive, names) = path.split_at(2);
        let start = if names.starts_with('/') { format!("{drive}/") } else { drive.to_owned() };
        return (std::path::absolute(&start).unwrap_or_else(|_| start.into()), names);
    }
    if let Some(share) = path.strip_prefix("//") {
        let mut ends = share.match_indices('/').map(|(at, _)| at);
        let end = ends.nth(1).unwrap_or(share.len());
        return (format!("//{}/", &share[..end]).into(), &share[end..]);
    }
    let root = if path.starts_with('/') { directory.ancestors().last() } else { None };
    (root.unwrap_or(directory).to_owned(), path)
}

/// What the name of a lock on an absolute path begins with: `/C:/`, or `/server/share/`.
pub fn name(path: &Path) -> String {
    let prefix = path.components().find_map(|component| match component {
        Component::Prefix(prefix) => Some(portable(&prefix.as_os_str().to_string_lossy())),
        Component::RootDir | Component::CurDir | Component::ParentDir | Component::Normal(_) => None,
    });
    match prefix {
        Some(prefix) => format!("/{}/", prefix.trim_start_matches('/')),
        None => "/".to_owned(),
    }
}
