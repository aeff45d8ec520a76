//! Every input that was worth keeping, once more.

#![cfg(test)]

use std::fs;
use std::path::Path;

/// Calls `target` with every file of its corpus.
fn replay(name: &str, target: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{}: {error}", corpus.display()));
    let mut count = 0;
    for entry in entries {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).expect("a file");
        if std::panic::catch_unwind(|| target(&bytes)).is_err() {
            panic!("{} breaks {name}", path.display());
        }
        count += 1;
    }
    assert!(count > 0, "{} is empty", corpus.display());
}

#[test]
fn frames() {
    replay("frames", callboard_fuzz::frames);
}

#[test]
fn envelope() {
    replay("envelope", callboard_fuzz::envelope);
}

#[test]
fn params() {
    replay("params", callboard_fuzz::params);
}

#[test]
fn board() {
    replay("board", callboard_fuzz::board);
}

#[test]
fn lock_names() {
    replay("lock_names", callboard_fuzz::lock_names);
}

#[test]
fn snapshot() {
    replay("snapshot", callboard_fuzz::snapshot);
}

#[test]
fn journal() {
    replay("journal", callboard_fuzz::journal);
}
