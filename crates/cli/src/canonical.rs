//! Paths as the file system has them, in the form in which people write them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The canonical form of `path`, as `std::fs::canonicalize` has it; on Windows without the `\\?\` before it.
///
/// # Errors
/// The system's error, when there is no such file for instance.
pub fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path).map(as_written)
}

#[cfg(unix)]
fn as_written(path: PathBuf) -> PathBuf {
    path
}

#[cfg(windows)]
fn as_written(path: PathBuf) -> PathBuf {
    match path.to_str() {
        Some(text) => callboard_windows::path::plain(text).into(),
        None => path,
    }
}
