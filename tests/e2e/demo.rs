//! `callboard demo` keeps its word: every check holds, and nobody is left behind.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::callboard;

#[test]
fn the_demo_checks_what_it_shows_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..60 {
        fs::write(
            directory.path().join(format!("file{number}.txt")),
            format!("line {number}\n").repeat(number),
        )
        .unwrap();
    }
    let temporary = tempfile::tempdir().unwrap();
    let played = Command::new(callboard())
        .args(["demo", "--json", "--workers", "3", "--pace-ms", "10"])
        .arg(directory.path())
        .env("TMPDIR", temporary.path())
        .env("TMP", temporary.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&played.stderr);
    let result: Value =
        serde_json::from_slice(&played.stdout).unwrap_or_else(|_| panic!("no result: {error}"));
    assert!(played.status.success(), "{result:#} {error}");
    assert_eq!((&result["ok"], &result["files"]), (&Value::Bool(true), &Value::from(60)));
    let checks = result["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 9);
    assert!(checks.iter().all(|check| check["ok"] == true), "{result:#}");
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0, "the demo's folder is gone");
}
