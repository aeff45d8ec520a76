//! From a path as a person types it to the name of a lock.
//!
//! Invariant: two people who mean the same file of a repository come to the same name, from whichever directory,
//! worktree, symbolic link or spelling they start. Inside a worktree names are relative to its root; elsewhere they are
//! absolute, on Windows with the drive as their first part (`/C:/dir/file`). What a name covers is the daemon's affair:
//! wildcards pass through.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Component, Path, PathBuf};

use crate::canonical::canonicalize;
use crate::repository;

#[cfg(unix)]
#[path = "lock_name/unix.rs"]
mod root;
#[cfg(windows)]
#[path = "lock_name/windows.rs"]
mod root;
mod spelling;

/// From where paths are understood. Both paths are canonical.
#[derive(Debug, Clone)]
pub struct Place {
    directory: PathBuf,
    worktree: Option<PathBuf>,
}

/// A translated path.
#[derive(Debug, PartialEq, Eq)]
pub struct LockName {
    /// The name for the daemon.
    pub name: String,
    /// Whether it is an existing directory's own name, which does not cover what is in the directory.
    pub is_bare_directory: bool,
}

/// Why a path has no lock name. `Display` completes "failed to ...".
#[derive(Debug, PartialEq, Eq)]
pub enum LockNameError {
    /// The path is empty.
    Empty,
    /// `..` stands after a wildcard.
    ParentOfWildcard(String),
    /// The path leads through a name that is not UTF-8.
    NotText(PathBuf),
}

impl fmt::Display for LockNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("take an empty path for a lock: give a path or a pattern"),
            Self::ParentOfWildcard(path) => {
                write!(f, "take {path} for a lock: write it without .. after a wildcard")
            }
            Self::NotText(path) => write!(
                f,
                "take {} for a lock: names of locks are UTF-8, and this path is not",
                path.display()
            ),
        }
    }
}

impl std::error::Error for LockNameError {}

/// A path taken apart: plain names up to the first wildcard, and the pattern from there on.
struct Parts {
    plain: Vec<String>,
    pattern: Option<String>,
}

impl Place {
    /// The place of `directory`: in the worktree around it, if there is one.
    ///
    /// # Errors
    /// [`repository::RepositoryError`] when that is unclear.
    pub fn at(directory: &Path) -> Result<Self, repository::RepositoryError> {
        Ok(Self {
            worktree: repository::around(directory)?.and_then(|found| found.worktree),
            directory: canonicalize(directory)
                .map_err(|source| repository::RepositoryError::Read { path: directory.to_owned(), source })?,
        })
    }

    /// The lock name for `path`, a path or pattern as typed in this place.
    ///
    /// # Errors
    /// [`LockNameError`] when there is none.
    pub fn lock_name(&self, path: &str) -> Result<LockName, LockNameError> {
        if path.is_empty() {
            return Err(LockNameError::Empty);
        }
        let path = root::with_slashes(path);
        let is_literal = self.directory.join(&*path).symlink_metadata().is_ok();
        let (mut real, path) = root::split(&self.directory, &path);
        let parts = if is_literal { literal(path) } else { pattern(path)? };
        for name in &parts.plain {
            match name.as_str() {
                "" | "." => {}
                ".." => drop(real.pop()),
                name => real.push(name),
            }
        }
        let real = resolve(&real, parts.pattern.is_some());
        let mut name = self.named(&real)?;
        let is_root = name.is_empty();
        let is_bare_directory = parts.pattern.is_none() && !is_root && real.is_dir();
        let pattern = parts.pattern.or_else(|| is_root.then(|| "**".to_owned()));
        if let Some(pattern) = pattern {
            if !is_root && !name.ends_with('/') {
                name.push('/');
            }
            name.push_str(&pattern);
        }
        Ok(LockName { name, is_bare_directory })
    }

    /// `real` relative to the worktree, else absolute; wildcards of real names escaped. Empty for the worktree itself.
    fn named(&self, real: &Path) -> Result<String, LockNameError> {
        let relative = self.worktree.as_deref().and_then(|root| real.strip_prefix(root).ok());
        let mut name = String::new();
        if relative.is_none() {
            name.push_str(&root::name(real));
        }
        for component in relative.unwrap_or(real).components() {
            let Component::Normal(part) = component else {
                continue;
            };
            let part = part.to_str().ok_or_else(|| LockNameError::NotText(real.to_owned()))?;
            if !name.is_empty() && !name.ends_with('/') {
                name.push('/');
            }
            name.extend(part.chars().flat_map(|c| {
                let escape = matches!(c, '*' | '\\').then_some('\\');
                escape.into_iter().chain(std::iter::once(c))
            }));
        }
        Ok(name)
    }
}

/// A path without wildcards; a `/` at its end means all that is in it.
fn literal(path: &str) -> Parts {
    Parts {
        plain: path.split('/').map(str::to_owned).collect(),
        pattern: path.ends_with('/').then(|| "**".to_owned()),
    }
}

/// A path that may have wildcards and escapes.
fn pattern(path: &str) -> Result<Parts, LockNameError> {
    let segments: Vec<&str> = path.split('/').collect();
    let plain: Vec<String> = segments.iter().map_while(|segment| unescaped(segment)).collect();
    if plain.len() == segments.len() {
        return Ok(Parts { plain, ..literal(path) });
    }
    let rest = &segments[plain.len()..];
    if rest.contains(&"..") {
        return Err(LockNameError::ParentOfWildcard(path.to_owned()));
    }
    Ok(Parts { plain, pattern: Some(rest.join("/")) })
}

/// The plain name that a segment of a pattern stands for; none when it has a wildcard or a wrong escape, which the
/// daemon explains.
fn unescaped(segment: &str) -> Option<String> {
    let mut plain = String::with_capacity(segment.len());
    let mut characters = segment.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' => return None,
            '\\' => plain.push(characters.next().filter(|next| matches!(next, '*' | '\\'))?),
            other => plain.push(other),
        }
    }
    Some(plain)
}

/// `path` (absolute, without `..`) as the file system has it: symbolic links of its parents (`with_last`: of the whole)
/// followed as far as they exist, every existing name spelled as it is listed.
fn resolve(path: &Path, with_last: bool) -> PathBuf {
    let mut missing: Vec<OsString> = Vec::new();
    let mut existing = path;
    let mut may_follow = with_last;
    loop {
        if may_follow && let Ok(real) = canonicalize(existing) {
            let mut real = spelling::as_listed(&real);
            for name in missing.iter().rev() {
                let spelled = spelling::of_entry(&real, name);
                real.push(spelled);
            }
            return real;
        }
        let (Some(parent), Some(name)) = (existing.parent(), existing.file_name().map(OsStr::to_owned))
        else {
            return path.to_owned();
        };
        missing.push(name);
        existing = parent;
        may_follow = true;
    }
}

#[cfg(test)]
mod tests;
