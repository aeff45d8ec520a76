//! The git repository around a directory: where its worktree begins, and which git directory all its worktrees share.
//!
//! Invariant: every worktree of one repository finds the same common directory. Git itself is never run: a hook or an
//! agent's sandbox may not have it, and this happens on every call. Variables such as `GIT_DIR` are not heeded: hooks set
//! them, and a command must mean the same inside a hook and outside.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::canonical::canonicalize;

/// The longest `.git` or `commondir` file that is read, in bytes: a path and a few words.
const POINTER_BYTES_MAX: u64 = 64 * 1024;

/// A repository, seen from a directory in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The canonical root of the worktree around the directory; none inside a git directory.
    pub worktree: Option<PathBuf>,
    /// The canonical path of the directory that all worktrees share.
    pub common_directory: PathBuf,
}

/// Why the repository around a directory is unclear. `Display` completes "failed to ...".
#[derive(Debug)]
pub enum RepositoryError {
    /// A path could not be read.
    Read {
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A `.git` file names a git directory that is none.
    Dangling {
        /// The `.git` file.
        pointer: PathBuf,
        /// What it names.
        target: PathBuf,
    },
}

impl std::fmt::Display for RepositoryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read { path, source } => write!(f, "read {}: {source}", path.display()),
            Self::Dangling { pointer, target } => write!(
                f,
                "find the repository: {} names {}, which is no git directory; mend it with: git worktree repair",
                pointer.display(),
                target.display()
            ),
        }
    }
}

impl std::error::Error for RepositoryError {}

/// The innermost repository around `directory`, or none.
///
/// # Errors
/// [`RepositoryError`] when there is one that cannot be read, rather than to meet other agents in the wrong place.
pub fn around(directory: &Path) -> Result<Option<Repository>, RepositoryError> {
    let directory = canonical(directory)?;
    for candidate in directory.ancestors() {
        if let Some(git_directory) = git_directory_of(candidate)? {
            return Ok(Some(Repository {
                worktree: Some(candidate.to_owned()),
                common_directory: canonical(&common_directory(&git_directory)?)?,
            }));
        }
        if is_git_directory(candidate) {
            return Ok(Some(Repository {
                worktree: None,
                common_directory: canonical(&common_directory(candidate)?)?,
            }));
        }
    }
    Ok(None)
}

impl Repository {
    /// The name of the main worktree's directory. It is derived from the common directory alone, as git does it, so that
    /// all worktrees come to the same one: what has no worktree of its own above (bare repositories, submodules) gives
    /// the name of the git directory.
    pub fn name(&self) -> String {
        let main = match self.common_directory.file_name() {
            Some(name) if name == ".git" => self.common_directory.parent(),
            Some(_) | None => None,
        };
        let main = main.unwrap_or(&self.common_directory);
        let name = main.components().rev().find_map(|component| match component {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
        });
        name.unwrap_or_else(|| "root".to_owned())
    }
}

/// The git directory that `.git` in `directory` is or names.
fn git_directory_of(directory: &Path) -> Result<Option<PathBuf>, RepositoryError> {
    let dot_git = directory.join(".git");
    let Ok(metadata) = fs::metadata(&dot_git) else {
        return Ok(None);
    };
    if metadata.is_dir() {
        // An empty `.git` is no repository to git either: it goes on looking further up.
        return Ok(is_git_directory(&dot_git).then_some(dot_git));
    }
    let Some(target) = read_pointer(&dot_git)?.strip_prefix("gitdir: ").map(PathBuf::from) else {
        return Ok(None);
    };
    let target = directory.join(target);
    if is_git_directory(&target) {
        Ok(Some(target))
    } else {
        Err(RepositoryError::Dangling { pointer: dot_git, target })
    }
}

/// The directory that the worktrees of `git_directory` share: its own, unless it has a `commondir` file.
fn common_directory(git_directory: &Path) -> Result<PathBuf, RepositoryError> {
    let pointer = git_directory.join("commondir");
    if pointer.exists() {
        Ok(git_directory.join(read_pointer(&pointer)?))
    } else {
        Ok(git_directory.to_owned())
    }
}

/// What git takes for a git directory: a `HEAD`, and objects and references here or in the common directory.
fn is_git_directory(path: &Path) -> bool {
    // `HEAD` may be a symbolic link to a branch that does not exist yet.
    let has_head = fs::symlink_metadata(path.join("HEAD")).is_ok();
    has_head
        && common_directory(path)
            .is_ok_and(|common| common.join("objects").is_dir() && common.join("refs").is_dir())
}

/// The one line of a file that names a path.
fn read_pointer(path: &Path) -> Result<String, RepositoryError> {
    let read = || {
        let length = fs::metadata(path)?.len();
        if length > POINTER_BYTES_MAX {
            return Err(io::Error::other(format!("it has {length} bytes, too many for a path")));
        }
        fs::read_to_string(path)
    };
    let text = read().map_err(|source| RepositoryError::Read { path: path.to_owned(), source })?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

fn canonical(path: &Path) -> Result<PathBuf, RepositoryError> {
    canonicalize(path).map_err(|source| RepositoryError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
