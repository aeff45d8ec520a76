//! How the file system itself spells a name, where it takes several spellings for one file.
//!
//! Invariant: a file system that tells spellings apart gives every name back unchanged, and is asked little: its
//! directories are not listed. Unicode forms are told apart by the file behind them, not by tables.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::path::{Component, Path, PathBuf};

/// What tells two files apart; none where the system does not say.
type FileId = Option<(u64, u64)>;

/// `path` with each name as its directory lists it.
pub fn as_listed(path: &Path) -> PathBuf {
    let mut listed = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => {
                let name = of_entry(&listed, name);
                listed.push(name);
            }
            other
            @ (Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir) => {
                listed.push(other);
            }
        }
    }
    listed
}

/// `name` as `directory` lists it; unchanged when it is not there, or the directory may not be read.
pub fn of_entry(directory: &Path, name: &OsStr) -> OsString {
    let Ok(metadata) = fs::symlink_metadata(directory.join(name)) else {
        return name.to_owned();
    };
    let id = file_id(&metadata);
    if !has_other_spelling(directory, name, id) {
        return name.to_owned();
    }
    let Ok(entries) = fs::read_dir(directory) else {
        return name.to_owned();
    };
    let entries = entries.filter_map(Result::ok).map(|entry| {
        let id = entry.metadata().ok().and_then(|metadata| file_id(&metadata));
        (entry.file_name(), id)
    });
    pick(name, id, entries)
}

/// Whether the same file may be listed under another spelling: its name in the other letter case leads to it too, or
/// has characters with more than one Unicode form.
fn has_other_spelling(directory: &Path, name: &OsStr, id: FileId) -> bool {
    let Some(text) = name.to_str() else {
        return false;
    };
    let swapped: String = text.chars().map(swap_case).collect();
    let swapped_id = fs::symlink_metadata(directory.join(&swapped)).map(|metadata| file_id(&metadata));
    !text.is_ascii() || (swapped != text && swapped_id.is_ok_and(|other| other == id))
}

fn swap_case(character: char) -> char {
    if character.is_ascii_lowercase() {
        character.to_ascii_uppercase()
    } else {
        character.to_ascii_lowercase()
    }
}

/// The entry that is the file `id` called `name`: the one spelled so, else one that differs in letter case, else one that
/// is the same file. A hard link under an unrelated name comes last.
fn pick(name: &OsStr, id: FileId, entries: impl Iterator<Item = (OsString, FileId)>) -> OsString {
    let lower = |name: &OsStr| name.to_string_lossy().to_lowercase();
    let mut best: Option<(bool, OsString)> = None;
    for (listed, listed_id) in entries {
        if listed == name {
            return listed;
        }
        let is_same_word = lower(&listed) == lower(name);
        let is_same_file = id.is_some() && listed_id == id;
        let is_better = best.as_ref().is_none_or(|(word, _)| is_same_word && !word);
        if (is_same_file || (is_same_word && id.is_none())) && is_better {
            best = Some((is_same_word, listed));
        }
    }
    best.map_or_else(|| name.to_owned(), |(_, listed)| listed)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems do not say")]
fn file_id(metadata: &Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn file_id(_: &Metadata) -> FileId {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(name: &str, entries: &[(&str, u64)]) -> String {
        let entries = entries.iter().map(|(name, id)| (OsString::from(name), Some((1, *id))));
        let picked = pick(OsStr::new(name), Some((1, 7)), entries);
        picked.to_string_lossy().into_owned()
    }

    #[test]
    fn the_listed_spelling_of_the_same_file_wins() {
        assert_eq!(picked("readme.MD", &[("src", 3), ("README.md", 7)]), "README.md");
        // Composed as typed, decomposed as listed.
        assert_eq!(picked("caf\u{e9}", &[("cafe\u{301}", 7)]), "cafe\u{301}");
        assert_eq!(picked("readme", &[("hard-link", 7), ("README", 7)]), "README");
        assert_eq!(picked("readme", &[("README", 7), ("hard-link", 7)]), "README");
    }

    #[test]
    fn a_name_that_is_listed_as_typed_stays() {
        assert_eq!(picked("readme", &[("README", 3), ("readme", 7)]), "readme");
        assert_eq!(picked("readme", &[("README", 3)]), "readme");
    }
}
