//! The files of the repository: what git tracks or would track, or the whole tree where there is no git.
//!
//! Invariant: build output never appears, and paths are relative to the root, with `/`, in order.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::source::Source;

/// The root of the repository.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package lies below the root").to_owned()
}

/// Every file that is UTF-8 text, as path and content.
pub fn texts() -> Vec<(String, String)> {
    let root = root();
    let mut paths = tracked(&root).unwrap_or_else(|| walk(&root, ""));
    paths.sort();
    let texts = paths.into_iter().filter_map(|path| {
        let text = fs::read_to_string(root.join(&path)).ok()?;
        Some((path, text))
    });
    texts.collect()
}

/// Every Rust file.
pub fn sources() -> Vec<Source> {
    let rust = texts().into_iter().filter(|(path, _)| path.ends_with(".rs"));
    rust.map(|(path, text)| Source::new(&path, &text)).collect()
}

/// What git tracks, and new files that it does not ignore. None without git, or where git knows nothing.
fn tracked(root: &Path) -> Option<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(root).output().ok()?;
    let listing = String::from_utf8(output.stdout).ok()?;
    let paths: Vec<String> = listing.split_terminator('\0').map(str::to_owned).collect();
    (output.status.success() && !paths.is_empty()).then_some(paths)
}

fn walk(root: &Path, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root.join(folder)).expect("a folder of the repository can be read");
    let children = entries.map(|entry| entry.expect("an entry can be read"));
    let found = children.flat_map(|child| {
        let name = child.file_name().into_string().expect("names are UTF-8");
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let is_folder = child.file_type().expect("an entry has a type").is_dir();
        match (is_folder, name.as_str()) {
            (true, "target" | ".git") => Vec::new(),
            (true, _) => walk(root, &path),
            (false, _) => vec![path],
        }
    });
    found.collect()
}
