//! The real input: which files the demo works on, and the small piece of real work that is done on each.
//!
//! Invariant: the same directory gives the same files in the same order. Only what can be named as it is in a lock and a key
//! takes part; symbolic links are not followed. Lacks `.gitignore`: the few folders that builds fill are left out by name.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use callboard_protocol::limits::KEY_BYTES_MAX;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::canonical::canonicalize;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::repository;

/// Files at most: enough to coordinate, few enough to watch.
const FILES_MAX: usize = 400;
/// Longer files are left out, in bytes: a source file is rarely a tenth of it.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// How much of a file is looked at to see whether it is text, in bytes.
const TEXT_LOOK_BYTES: u64 = 8 * 1024;
/// Folders that hold no source.
const SKIPPED_FOLDERS: [&str; 3] = [".git", "target", "node_modules"];
/// Room in a key or lock name for what stands before the path, in bytes.
const PREFIX_BYTES: usize = 16;

/// The files to work on.
#[derive(Debug)]
pub struct Source {
    /// The directory, canonical.
    pub root: PathBuf,
    /// The files, relative to `root`, with `/` between names.
    pub paths: Vec<String>,
}

/// What is found out about a file, or about several together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Line breaks.
    pub lines: u64,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of the content, in hex.
    pub sha256: String,
}

impl Source {
    /// The files of `directory`; default the worktree of the git repository here, else the present directory.
    ///
    /// # Errors
    /// When the directory can't be read, or has no text files.
    pub fn find(directory: Option<&Path>) -> Result<Self, Failure> {
        let what = "find files to work on";
        let failed = |path: &Path, error| {
            Failure::usage(what, format_args!("{}: {error}", path.display())).or_next("callboard demo DIR")
        };
        let given = match directory {
            Some(directory) => directory.to_owned(),
            None => worktree_here(what)?,
        };
        let root = canonicalize(&given).map_err(|error| failed(&given, error))?;
        let mut paths = Vec::new();
        collect(&root, "", &mut paths).map_err(|error| failed(&root, error))?;
        if paths.is_empty() {
            let why = format!("there is no text file in {}", root.display());
            return Err(Failure::new(Exit::NotFound, what, why).or_next("callboard demo DIR"));
        }
        Ok(Self { root, paths })
    }
}

fn worktree_here(what: &str) -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().map_err(|error| Failure::usage(what, error))?;
    let around = repository::around(&here).map_err(|error| {
        Failure::usage(what, format_args!("failed to {error}")).or_next("callboard demo DIR")
    })?;
    Ok(around.and_then(|repository| repository.worktree).unwrap_or(here))
}

/// Adds the files below `directory`, which is called `prefix` seen from the root, in order of names.
fn collect(directory: &Path, prefix: &str, paths: &mut Vec<String>) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(directory)?.filter_map(Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if paths.len() == FILES_MAX {
            return Ok(());
        }
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else {
            continue;
        };
        let path = format!("{prefix}{name}");
        if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
            // A folder that may not be read is as good as empty.
            let _ = collect(&entry.path(), &format!("{path}/"), paths);
        } else if kind.is_file() && is_nameable(&path) && is_text(&entry.path()).unwrap_or(false) {
            paths.push(path);
        }
    }
    Ok(())
}

/// Whether a lock's name and a key can hold the path as it is.
fn is_nameable(path: &str) -> bool {
    let is_plain = |c: char| !c.is_control() && !matches!(c, '*' | '\\');
    path.len() + PREFIX_BYTES <= KEY_BYTES_MAX && path.chars().all(is_plain)
}

fn is_text(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    if file.metadata()?.len() > FILE_BYTES_MAX {
        return Ok(false);
    }
    let mut start = Vec::new();
    file.take(TEXT_LOOK_BYTES).read_to_end(&mut start)?;
    Ok(!start.contains(&0))
}

impl Tally {
    /// Reads the file `path` of `root`.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn of(root: &Path, path: &str) -> Result<Self, Failure> {
        let content = fs::read(root.join(path))
            .map_err(|error| Failure::new(Exit::Failure, format_args!("read {path}"), error))?;
        let lines = content.iter().map(|byte| u64::from(*byte == b'\n')).sum();
        let bytes = content.len() as u64;
        Ok(Self { lines, bytes, sha256: hex_digest(&content) })
    }
}

/// SHA-256 in hex.
pub fn hex_digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_files_are_found_in_order_and_nothing_that_builds_left() {
        let folder = tempfile::tempdir().unwrap();
        for directory in ["b", "target", ".git"] {
            fs::create_dir(folder.path().join(directory)).unwrap();
        }
        for (path, content) in [
            ("c.rs", "one\ntwo\n"),
            ("b/a.rs", ""),
            ("a.bin", "a\0b"),
            ("target/out.txt", "x"),
            (".git/HEAD", "x"),
            #[cfg(unix)]
            ("star*.rs", "x"),
        ] {
            fs::write(folder.path().join(path), content).unwrap();
        }
        let source = Source::find(Some(folder.path())).unwrap();
        assert_eq!(source.paths, ["b/a.rs", "c.rs"]);
        let tally = Tally::of(&source.root, "c.rs").unwrap();
        assert_eq!((tally.lines, tally.bytes), (2, 8));
        // printf 'one\ntwo\n' | sha256sum
        assert_eq!(tally.sha256, "c3f9c8c283a2b1f2f1896f27a01cbe3cddc0c9d93f752e4639035a0f5b36f6e8");
    }

    #[test]
    fn a_directory_without_files_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let Err(Failure::Told(report)) = Source::find(Some(folder.path())) else {
            panic!("there is nothing to find");
        };
        assert_eq!(report.exit, Exit::NotFound);
        assert_eq!(report.next.as_deref(), Some("callboard demo DIR"));
    }
}
