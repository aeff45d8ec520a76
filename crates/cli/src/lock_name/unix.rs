//! Where an absolute path begins on Unix: at `/`.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// The path with `/` between names: as it is.
pub fn with_slashes(path: &str) -> Cow<'_, str> {
    path.into()
}

/// Where `path`, seen from `directory`, starts, and its names from there on.
pub fn split<'a>(directory: &Path, path: &'a str) -> (PathBuf, &'a str) {
    let root = if path.starts_with('/') { Path::new("/") } else { directory };
    (root.to_owned(), path)
}

/// What the name of a lock on an absolute path begins with.
pub fn name(_path: &Path) -> String {
    "/".to_owned()
}
