//! Files that older versions wrote: each has to be readable for ever, with all that is in it.
//!
//! A folder below `formats` is a store as one version left it. None is ever changed; a new version of a form gets a
//! folder of its own.

#![allow(clippy::unwrap_used, reason = "a test that can't read its fixture fails")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use callboard_broker::{Board, BoardConfig, ImageCursor, Monotonic, Now, Record};
use callboard_daemon::files::PrivateDirectory;
use callboard_daemon::recovery::recover;
use callboard_daemon::store::{Forgiven, Opened};
use callboard_protocol::Namespace;

/// A day after the files were written: their TTLs are ten years.
const NOW: Now = Now { monotonic: Monotonic(0), unix_ms: 1_795_300_000_000 };

/// The board of the fixture in a folder, from a copy: a start may write.
fn load(folder: &str) -> Board {
    let copy = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats").join(folder);
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let mut opened = Opened::at(Arc::new(PrivateDirectory::open(copy.path()).unwrap())).unwrap();
    let mut recovered = recover(&mut opened, Forgiven::TornEnd, &BoardConfig::default(), NOW).unwrap();
    assert!(recovered.replayed.tear.is_none());
    recovered.boards.remove(&Namespace::new("repo/app-0123456789ab").unwrap()).unwrap()
}

fn image(board: &Board) -> Vec<Record> {
    let mut cursor = ImageCursor::default();
    let mut records = Vec::new();
    while cursor != ImageCursor::End {
        records.extend(board.image_slice(NOW, &mut cursor, 7));
    }
    records
}

/// The records as lines of JSON, without what counts from the restart.
fn lines(board: &Board) -> String {
    let lines = image(board).into_iter().map(|record| serde_json::to_string(&record).unwrap() + "\n");
    lines.collect()
}

#[track_caller]
fn expect(lines: &str, parts: &[&str]) {
    for part in parts {
        assert!(lines.contains(part), "{part} is not in\n{lines}");
    }
}

const IN_ALL: &[&str] = &[
    r#"{"key":{"key":"plain","value":{"b": [1.0, null, "\u00e9"]},"revision":3,"#,
    r#"{"key":{"key":"timed","value":1,"revision":4,"expires_at":21105949"#,
    r#"{"token":6,"agent":"ada","ttl_ms":315360000000,"#,
    r#""keys":["a b","src/**"],"mode":"shared","reason":"the form""#,
    r#"{"message":{"id":7,"from":"ada","to":["bob","ada"],"type":"note","subject":"s","payload":{"n": 1},"correlation_id":"c""#,
    r#""thread_id":"t","priority":"high""#,
    r#"{"delivery":{"message":7,"agent":"ada","state":"leased","attempts":1,"#,
    r#"{"delivery":{"message":7,"agent":"bob","state":"queued","attempts":0,"#,
    r#""role":"tester","capabilities":["rust"],"description":"keeps the form","metadata":{"a": 1.0}"#,
    r#""agent":"ada","client":{"name":"fixture","version":"1""#,
];

#[test]
fn a_snapshot_of_version_1() {
    let lines = lines(&load("snapshot-1"));
    expect(&lines, IN_ALL);
    expect(&lines, &[r#"{"key":{"key":"old","value":1,"revision":5,"#]);
}

#[test]
fn a_snapshot_of_version_2_with_a_journal_of_version_1() {
    let board = load("snapshot-2-journal-1");
    let lines = lines(&board);
    expect(&lines, IN_ALL);
    expect(
        &lines,
        &[
            r#"{"key":{"key":"x","value":1,"revision":10,"#,
            r#"{"key":{"key":"y","value":2,"revision":11,"#,
            r#""status":"working","note":"in the journal""#,
        ],
    );
    assert!(!lines.contains(r#""key":"old""#), "it was deleted in the journal");
    assert!(board.revision().0 >= 12);
}
